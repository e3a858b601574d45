"""The result pages of a run: ``index.html`` with every row's verdict or status, the executed
notebooks as pages, and above runs of one's own a page that lists them.

Static and whole: no script, no font, no style sheet is loaded from anywhere, equations are MathML.
Links are relative, so that a folder of results can be moved or zipped.
"""

from __future__ import annotations

import html
import json
from collections import Counter
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

from . import claims, io, overview, params, paths, places, records, runtime
from .places import Place

__all__ = ["build", "notebook_page"]

_COMPANIONS = (
    ("figure", "figure.png"),
    ("numbers (CSV)", "figure.csv"),
    ("network × unit values (CSV)", "units.csv"),
    ("verdict.json", "verdict.json"),
    ("provenance.json", "provenance.json"),
)
# nbformat meets damaged files with whatever Python raises on the way.
_NO_NOTEBOOK = (nbformat.ValidationError, ValueError, AttributeError, TypeError, KeyError)
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


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["number"] = overview.number
    environment.filters["span"] = lambda ends: overview.interval(*(ends or (None, None)))
    return environment


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
    """Render an executed notebook to a page of its own beside it, and return the page's path."""
    notebook = nbformat.read(path, as_version=4)
    body, _ = _Exporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    ).from_notebook_node(notebook)
    page = _environment().get_template("notebook.html")
    target = path.with_suffix(".html")
    io.write_text(target, page.render(name=path.stem, content=body, highlight=_highlight()))
    return target


def build(place: Place) -> Path:
    """Write ``index.html`` and the notebook pages of a run's place and return the index's path; of
    a run of one's own also ``index.html`` above, the list of all of that name."""
    folder = place.folder
    pages, damaged = _notebook_pages(folder / "notebooks")
    record = {"notebooks": {}, "provenance": {}, **records.read(folder)}
    table = claims.table(folder)
    lines = {(line.row, line.system): line for line in table[table.system.notna()].itertuples()}
    papers = overview.by_paper(folder, place.notebook)
    text = (
        _environment()
        .get_template("index.html")
        .render(
            place=place,
            about=_about(place),
            settings=_settings(place.changed),
            letters=overview.LETTERS,
            seen=overview.SEEN,
            warnings=[*_warnings(record), *damaged],
            papers=[_paper(paper, folder, lines, pages) for paper in papers],
            changed=_changes() if place.notebook is None else [],
            criteria="criteria.html" if claims.criteria.entries() else "",
            notebooks=[
                _notebook(name, entry, folder, pages)
                for name, entry in sorted(record["notebooks"].items())
            ],
            provenance=_provenance(record["provenance"]),
        )
    )
    io.write_text(folder / "index.html", text)
    if claims.criteria.entries():
        _criteria_page(folder / "criteria.html")
    if place.notebook:
        _list_page(place.name)
    return folder / "index.html"


def _about(place: Place) -> str:
    return params.load_profile(place.name).about if place.name in params.profiles() else ""


def _settings(changed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The settings that set a run apart, a line each: ``training.lenet.steps``, ``60``."""
    found = []
    for name, value in changed.items():
        if isinstance(value, Mapping) and value:
            found += [(f"{name}.{inner}", text) for inner, text in _settings(value)]
        else:
            found.append((name, json.dumps(value, ensure_ascii=False)))
    return found


def _list_page(name: str) -> Path:
    """Every run of one's own of this name with what sets it apart, linked to its own page only."""
    home = paths.results(name)
    text = _environment().get_template("runs.html")
    target = home / "index.html"
    runs = [_listed(place, home) for place in places.below(name)]
    io.write_text(target, text.render(name=name, runs=runs))
    return target


def _listed(place: Place, home: Path) -> dict[str, Any]:
    page, record = place.folder / "index.html", records.read(place.folder)
    entry = record.get("notebooks", {}).get(place.notebook or "", {})
    try:
        counts = Counter(v.verdict or v.status for v in claims.read_all(place.folder))
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    except (ValueError, OSError):  # another process is at work there, or a file is damaged
        said = "cannot be read"
    return {
        "notebook": place.notebook,
        "folder": place.folder.name,
        "href": page.relative_to(home).as_posix() if page.is_file() else "",
        "settings": _settings(records.changed(place)),
        "verdicts": said,
        "ended": entry.get("error") or "",
        "when": record.get("provenance", {}).get("time", ""),
    }


def _notebook_pages(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The page of each executed notebook, and a line for each that cannot be read, which is set
    aside: one must not cost the others theirs."""
    pages, damaged = {}, []
    for path in sorted(folder.glob("[!.]*.ipynb")):
        try:
            pages[path.stem] = notebook_page(path)
        except _NO_NOTEBOOK as error:
            why = f"it is no notebook ({str(error).splitlines()[0][:80]})"
            path.with_suffix(".html").unlink(missing_ok=True)
            io.set_aside(path, why)
            damaged.append(f"{path.name} cannot be read, {why}: run it again for its page.")
    return pages, damaged


def _criteria_page(target: Path) -> None:
    """docs/criteria.md as a page beside the index: how often each criterion errs."""
    source = (
        (paths.ROOT / "docs" / "criteria.md")
        .read_text(encoding="utf-8")
        .replace("](../claims.yaml)", "]")
    )
    body = MarkdownWithMath(renderer=_MathRenderer(escape=True, exclude_anchor_links=True)).render(
        source
    )
    page = _environment().get_template("notebook.html")
    io.write_text(target, page.render(name="criteria", content=body, highlight=""))


def _warnings(record: Mapping[str, Any]) -> list[str]:
    failed = [name for name, entry in record["notebooks"].items() if entry.get("error")]
    lines = [f"{name} failed in the last run: its rows are not judged here." for name in failed]
    if record["provenance"].get("dirty"):
        lines.append("The code had changes that were not committed when this was run.")
    return lines


def _paper(
    paper: overview.PaperTally,
    folder: Path,
    lines: Mapping[tuple[str, str], Any],
    pages: Mapping[str, Path],
) -> dict[str, Any]:
    """One paper's section: its tally, and an entry per row with its systems below it."""
    registry = claims.load()
    rows = []
    for row in paper.rows:
        entry = registry.row(row.id)
        systems = [
            _system(folder, v, entry.notebook, lines[v.row, v.system], pages) for v in row.verdicts
        ]
        rows.append(
            {
                "id": row.id,
                "title": row.title,
                "claim": entry.claim,
                "figure": entry.figure,
                "systems": systems,
                "status": row.status,
                "joins": row.joins,
                "seen": row.seen,
                "kind": entry.kind,
            }
        )
    return {
        "key": paper.key,
        "citation": paper.citation,
        "rows": rows,
        "as_stated": paper.counts("as_stated"),
        "specific": paper.counts("specific"),
        "other": ", ".join(f"{count} {name}" for name, count in sorted(paper.other.items())),
    }


def _system(
    folder: Path,
    verdict: claims.Verdict,
    notebook: str | None,
    line: Any,
    pages: Mapping[str, Path],
) -> dict[str, Any]:
    place = claims.verdict_path(folder, verdict.row, verdict.system or "").parent
    links = [
        (name, (place / file).relative_to(folder).as_posix())
        for name, file in _COMPANIONS
        if (place / file).is_file()
    ]
    if notebook in pages:
        links.insert(0, ("notebook", pages[notebook].relative_to(folder).as_posix()))
    control = [
        (name.replace("_", " "), _words(value))
        for name, value in verdict.control.items()
        if name != "criterion"
    ]
    return {
        "verdict": verdict,
        "links": links,
        "figure": dict(links).get("figure"),
        "anchor": place.name,
        "control": [(name, words) for name, words in control if words],
        "current": bool(line.current),
    }


def _changes() -> list[dict[str, Any]]:
    """The history of criteria: what was changed, why, and the verdicts before."""
    return [
        {
            "row": c.row,
            "date": c.date,
            "what": c.what,
            "reason": c.reason,
            "now": ", ".join(c.now),
            "before": ", ".join(f"{system}: {old}" for system, old in c.before.items()),
        }
        for c in claims.load().changed
    ]


def _words(value: Any) -> str:
    """Plain data in a line: ``a: 0.12, b: yes``."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{str(name).replace('_', ' ')}: {_words(item)}" for name, item in value.items()
        )
    if isinstance(value, list | tuple):
        return ("; " if any(isinstance(item, Mapping) for item in value) else ", ").join(
            _words(item) for item in value
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        overview.number(value)
        if isinstance(value, float)
        else "none"
        if value is None
        else str(value)
    )


def _notebook(
    name: str, entry: Mapping[str, Any], folder: Path, pages: Mapping[str, Path]
) -> dict[str, str]:
    return {
        "name": name,
        "took": runtime.human_time(entry["seconds"]) if entry["seconds"] is not None else "",
        "ended": entry.get("error") or "well",
        "href": pages[name].relative_to(folder).as_posix() if name in pages else "",
    }


def _provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader asks first; each verdict's provenance.json has all of it."""
    wanted = ("time", "commit", "platform", "cpu", "gpu", "threads", "versions")
    return [(name, _words(record[name])) for name in wanted if record.get(name)]
