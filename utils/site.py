"""The result pages of a run: ``index.html`` with every row's verdict or status, and the executed notebooks as pages.

Static and whole: no script, no font, no style sheet is loaded from anywhere, equations are MathML. Links are relative,
so that a folder of results can be moved or zipped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from latex2mathml import converter
from latex2mathml import exceptions as tex_exceptions
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from . import claims, io, params, paths, run, runtime

__all__ = ["build", "notebook_page"]

_ORDER = ("REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE", "EXACT", "BROKEN", "described")
_COMPANIONS = (("figure", "figure.png"), ("numbers (CSV)", "figure.csv"), ("verdict.json", "verdict.json"),
               ("provenance.json", "provenance.json"))
# latex2mathml's errors have no common ancestor of their own.
_TEX_ERRORS = tuple(one for one in vars(tex_exceptions).values() if isinstance(one, type) and issubclass(one, Exception))


class _MathRenderer(IPythonRenderer):
    """Equations become MathML when the page is made, so that reading them needs neither network nor script."""

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
        renderer = _MathRenderer(escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True)
        return MarkdownWithMath(renderer=renderer).render(source)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["number"] = run.number
    environment.filters["span"] = lambda ends: run.interval(*(ends or (None, None)))
    return environment


def _highlight() -> str:
    """Colours of the code: one scheme for each colour scheme of the reader."""
    light, dark = (HtmlFormatter(style=style, nobackground=True) for style in ("default", "github-dark"))
    return (f"{light.get_style_defs('.highlight')}\n@media (prefers-color-scheme: dark) {{\n"
            f"{dark.get_style_defs('.highlight')}\n}}")


def notebook_page(path: Path) -> Path:
    """Render an executed notebook to a page of its own beside it, and return the page's path."""
    notebook = nbformat.read(path, as_version=4)
    body, _ = _Exporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
                        ).from_notebook_node(notebook)
    page = _environment().get_template("notebook.html")
    target = path.with_suffix(".html")
    io.write_text(target, page.render(name=path.stem, content=body, highlight=_highlight()))
    return target


def build(profile: str) -> Path:
    """Write ``index.html`` and the notebook pages of ``results/<profile>/`` and return the index's path."""
    folder = paths.results(profile)
    pages = {path.stem: notebook_page(path) for path in sorted((folder / "notebooks").glob("*.ipynb"))}
    record = io.read_json(folder / run.RUN) if (folder / run.RUN).is_file() else {"notebooks": {}, "provenance": {}}
    table = claims.table(folder)
    judged = table[table.system.notna()]
    counts = judged.verdict.value_counts()
    text = _environment().get_template("index.html").render(
        profile=profile,
        about=params.load_profile(profile).about if profile in params.profiles() else "",
        tally=[(verdict, int(counts[verdict])) for verdict in _ORDER if verdict in counts],
        warnings=_warnings(record),
        rows=_rows(folder, judged, pages),
        unjudged=[_unjudged(row) for _, row in table[table.system.isna()].iterrows()],
        notebooks=[_notebook(name, entry, folder, pages) for name, entry in sorted(record["notebooks"].items())],
        provenance=_provenance(record["provenance"]),
    )
    target = folder / "index.html"
    io.write_text(target, text)
    return target


def _warnings(record: Mapping[str, Any]) -> list[str]:
    failed = [name for name, entry in record["notebooks"].items() if entry["error"]]
    lines = [f"{name} failed in the last run: its rows are not judged here." for name in failed]
    if record["provenance"].get("dirty"):
        lines.append("The code had changes that were not committed when this was run.")
    return lines


def _rows(folder: Path, judged: Any, pages: Mapping[str, Path]) -> list[dict[str, Any]]:
    """One entry per judged row of the registry, its systems below it."""
    registry = claims.load()
    extra = {(line.row, line.system): line for line in judged.itertuples()}
    rows: dict[str, dict[str, Any]] = {}
    for verdict in claims.read_all(folder):
        entry = registry.row(verdict.row)
        row = rows.setdefault(verdict.row, {"id": verdict.row, "title": entry.title, "claim": entry.claim,
                                            "paper": _citation(verdict.paper), "figure": verdict.figure, "systems": []})
        row["systems"].append(_system(folder, verdict, entry.notebook, extra[verdict.row, verdict.system], pages))
    for row in rows.values():
        found = [system["verdict"].verdict or system["verdict"].status for system in row["systems"]]
        row["tally"] = ", ".join(f"{verdict} in {found.count(verdict)} of {len(found)} systems"
                                 for verdict in _ORDER if verdict in found)
    return list(rows.values())


def _system(folder: Path, verdict: claims.Verdict, notebook: str | None, line: Any,
            pages: Mapping[str, Path]) -> dict[str, Any]:
    place = claims.verdict_path(folder, verdict.row, verdict.system or "").parent
    links = [(name, (place / file).relative_to(folder).as_posix()) for name, file in _COMPANIONS
             if (place / file).is_file()]
    if notebook in pages:
        links.insert(0, ("notebook", pages[notebook].relative_to(folder).as_posix()))
    control = [(name.replace("_", " "), _words(value)) for name, value in verdict.control.items() if name != "criterion"]
    return {"verdict": verdict, "links": links, "figure": dict(links).get("figure"), "anchor": place.name,
            "control": [(name, words) for name, words in control if words], "current": bool(line.current),
            "before": line.before if isinstance(line.before, str) else None}


def _words(value: Any) -> str:
    """Plain data in a line: ``a: 0.12, b: yes``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')}: {_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ("; " if any(isinstance(item, Mapping) for item in value) else ", ").join(_words(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return run.number(value) if isinstance(value, float) else "none" if value is None else str(value)


def _citation(paper: str) -> str:
    """``'ren2024towards: Ren Q. …'`` without the registry's key."""
    return paper.partition(": ")[2] or paper


def _unjudged(line: Any) -> dict[str, str]:
    return {"id": line["row"], "title": line.title, "paper": _citation(line.paper), "figure": line.figure,
            "status": line.verdict}


def _notebook(name: str, entry: Mapping[str, Any], folder: Path, pages: Mapping[str, Path]) -> dict[str, str]:
    return {"name": name, "took": runtime.human_time(entry["seconds"]), "ended": entry["error"] or "well",
            "href": pages[name].relative_to(folder).as_posix() if name in pages else ""}


def _provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader asks first; each verdict's provenance.json has all of it."""
    wanted = ("time", "commit", "platform", "cpu", "gpu", "threads", "versions")
    return [(name, _words(record[name])) for name in wanted if record.get(name)]
