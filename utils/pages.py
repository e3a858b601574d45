"""An executed notebook as a page: static and whole, its equations MathML, its code coloured."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from latex2mathml import converter
from latex2mathml import exceptions as tex_exceptions
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from . import io, overview

__all__ = ["NO_NOTEBOOK", "environment", "markdown_page", "notebook_page"]

# nbformat meets damaged files with whatever Python raises on the way.
NO_NOTEBOOK = (nbformat.ValidationError, ValueError, AttributeError, TypeError, KeyError)
# latex2mathml's errors have no common ancestor of their own.
_TEX_ERRORS = tuple(
    one
    for one in vars(tex_exceptions).values()
    if isinstance(one, type) and issubclass(one, Exception)
)


class _MathRenderer(IPythonRenderer):
    """Equations become MathML when the page is made, so that reading them needs neither network nor
    script."""

    def block_math(self, body: str) -> str:
        return _mathml(body, "block")

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return _mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def _mathml(tex: str, display: str) -> str:
    try:
        return converter.convert(tex.strip(), display=display)
    except _TEX_ERRORS:  # shown as it was written, which is readable
        return f"<code>{html.escape(tex.strip())}</code>"


class _Exporter(HTMLExporter):
    """nbconvert's bare template (cells without page), with equations as MathML."""

    @jinja2.pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        cell = context.get("cell", {})
        renderer = _MathRenderer(
            escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def environment() -> jinja2.Environment:
    """The pages' templates, with the filters that they use."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    found.filters["number"] = overview.number
    found.filters["span"] = lambda ends: overview.interval(*(ends or (None, None)))
    return found


def _highlight() -> str:
    """Colours of the code: one scheme for each colour scheme of the reader."""
    light, dark = (
        HtmlFormatter(style=style, nobackground=True) for style in ("default", "github-dark")
    )
    return (
        f"{light.get_style_defs('.highlight')}\n@media (prefers-color-scheme: dark) {{\n"
        f"{dark.get_style_defs('.highlight')}\n}}"
    )


def notebook_page(path: Path) -> Path:
    """Render an executed notebook to a page of its own beside it, unless that is there and newer,
    and return the page's path."""
    target = path.with_suffix(".html")
    if target.is_file() and target.stat().st_mtime_ns > path.stat().st_mtime_ns:
        return target
    notebook = nbformat.read(path, as_version=4)
    body, _ = _Exporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    ).from_notebook_node(notebook)
    page = environment().get_template("notebook.html")
    io.write_text(target, page.render(name=path.stem, content=body, highlight=_highlight()))
    return target


def markdown_page(name: str, source: str, target: Path) -> None:
    """Write a page of the Markdown ``source``; HTML in it is shown, not run."""
    renderer = _MathRenderer(escape=True, exclude_anchor_links=True)
    body = MarkdownWithMath(renderer=renderer).render(source)
    page = environment().get_template("notebook.html")
    io.write_text(target, page.render(name=name, content=body, highlight=""))
