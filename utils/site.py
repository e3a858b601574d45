"""The result pages of a run: ``index.html`` with every row's verdict or status, the executed
notebooks as pages, and above runs of one's own a page that lists them.

Static and whole: no script, no font, no style sheet is loaded from anywhere, equations are MathML.
Links are relative, so that a folder of results can be moved or zipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import claims, io, overview, pages, params, paths, places, records, runtime
from .places import Place

__all__ = ["build"]

_COMPANIONS = (
    ("figure", "figure.png"),
    ("numbers (CSV)", "figure.csv"),
    ("network × unit values (CSV)", "units.csv"),
    ("verdict.json", "verdict.json"),
    ("provenance.json", "provenance.json"),
)


def build(place: Place) -> Path:
    """Write ``index.html`` and the notebook pages of a run's place and return the index's path; of
    a run of one's own also ``index.html`` above, the list of all of that name."""
    folder = place.folder
    books, damaged = _notebook_pages(folder / "notebooks")
    record = {"notebooks": {}, "provenance": {}, **records.read(folder)}
    papers = overview.by_paper(folder, place.notebook)
    text = (
        pages.environment()
        .get_template("index.html")
        .render(
            place=place,
            about=_about(place),
            settings=_settings(place.changed),
            letters=overview.LETTERS,
            seen=overview.SEEN,
            warnings=[*_warnings(record), *damaged],
            papers=[_paper(paper, folder, books) for paper in papers],
            changed=_changes() if place.notebook is None else [],
            criteria="criteria.html" if claims.criteria.entries() else "",
            notebooks=[
                _notebook(name, entry, folder, books)
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
    """The settings that set a run apart, a line each: ``change.training.steps``, ``60``."""
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
    text = pages.environment().get_template("runs.html")
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
    found, damaged = {}, []
    for path in sorted(folder.glob("[!.]*.ipynb")):
        try:
            found[path.stem] = pages.notebook_page(path)
        except pages.NO_NOTEBOOK as error:
            why = f"it is no notebook ({str(error).splitlines()[0][:80]})"
            path.with_suffix(".html").unlink(missing_ok=True)
            io.set_aside(path, why)
            damaged.append(f"{path.name} cannot be read, {why}: run it again for its page.")
    return found, damaged


def _criteria_page(target: Path) -> None:
    """docs/criteria.md as a page beside the index: how often each criterion errs."""
    source = (paths.ROOT / "docs" / "criteria.md").read_text(encoding="utf-8")
    pages.markdown_page("criteria", source.replace("](../claims.yaml)", "]"), target)


def _warnings(record: Mapping[str, Any]) -> list[str]:
    failed = [name for name, entry in record["notebooks"].items() if entry.get("error")]
    lines = [f"{name} failed in the last run: its rows are not judged here." for name in failed]
    if record["provenance"].get("dirty"):
        lines.append("The code had changes that were not committed when this was run.")
    return lines


def _paper(
    paper: overview.PaperTally,
    folder: Path,
    books: Mapping[str, Path],
) -> dict[str, Any]:
    """One paper's section: its tally, and an entry per row with its systems below it."""
    registry = claims.load()
    rows = []
    for row in paper.rows:
        entry = registry.row(row.id)
        systems = [_system(folder, v, entry.notebook, books) for v in row.verdicts]
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
    books: Mapping[str, Path],
) -> dict[str, Any]:
    place = claims.verdict_path(folder, verdict.row, verdict.system or "").parent
    links = [
        (name, (place / file).relative_to(folder).as_posix())
        for name, file in _COMPANIONS
        if (place / file).is_file()
    ]
    if notebook in books:
        links.insert(0, ("notebook", books[notebook].relative_to(folder).as_posix()))
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
        "current": verdict.claims_sha256 == claims.sha256(),
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
    name: str, entry: Mapping[str, Any], folder: Path, books: Mapping[str, Path]
) -> dict[str, str]:
    return {
        "name": name,
        "took": runtime.human_time(entry["seconds"]) if entry["seconds"] is not None else "",
        "ended": entry.get("error") or "well",
        "href": books[name].relative_to(folder).as_posix() if name in books else "",
    }


def _provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader asks first; each verdict's provenance.json has all of it."""
    wanted = ("time", "commit", "platform", "cpu", "gpu", "threads", "versions")
    return [(name, _words(record[name])) for name in wanted if record.get(name)]
