"""Results that leave the run: the pages, what is kept in git, and how a new run is compared with
it."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.rules import UP, edit, small_registry
from utils import (
    claims,
    committed,
    figures,
    io,
    params,
    paths,
    places,
    provenance,
    publish,
    records,
    site,
)
from utils.datasets import licences

SYSTEMS = ("lenet/mnist_part", "mlp7/mnist_part")


def make(folder: Path, system: str, error: float = 1e-12, scope: str = "these networks") -> Path:
    """A D1 verdict with its companions."""
    errors = {"matching": np.array([error]), "within_kappa": np.array([0.5])}
    place = claims.record(claims.judge_identity("D1", system, errors, scope=scope), folder).parent
    pd.DataFrame({"x": [1.0, 2.0], "y": [1e-9, 3.0], "who": ["a", "b"]}).to_csv(
        place / "figure.csv", index=False
    )
    (place / "figure.png").write_bytes(b"\x89PNG")
    io.write_json(place / "provenance.json", provenance.collect())
    return place


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(committed, "folder", lambda profile: tmp_path / "committed" / profile)
    for system in SYSTEMS:
        make(paths.results("default"), system)
    return paths.results("default")


def problems(profile: str = "default") -> list[str]:
    report = committed.check(profile)
    return [*(problem for one in report.compared for problem in one.problems), *report.problems]


# Kept and compared --------------------------------------------------------------------------------


def test_what_is_kept_is_what_was_run_and_agrees_with_it(results: Path) -> None:
    for place in committed.keep("default"):
        assert sorted(file.name for file in place.iterdir()) == sorted(committed.FILES)
    report = committed.check("default")
    assert report.agrees and [
        (one.row, one.system, one.mode, one.problems) for one in report.compared
    ] == [("D1", system, committed.EXACT, []) for system in SYSTEMS]


@pytest.mark.parametrize(
    ("data", "kept"),
    [("cifar10", 0), ("tiny_imagenet", 0), ("mnist_part", 1), ("fashion_mnist", 1)],
)
def test_no_pixel_of_a_set_without_a_licence_is_kept(results: Path, data: str, kept: int) -> None:
    shown = claims.describe("M11", f"lenet/{data}", "maps", n=1, scope="a test")
    place = claims.record(shown, results).parent
    for name in ("figure.png", "figure.csv"):
        (place / name).write_bytes(b"x")
    io.write_json(place / "provenance.json", provenance.collect())
    assert sum("M11" in folder.parts for folder in committed.keep("default")) == kept
    assert committed.check("default").agrees, "what must not be kept is not missed"


def test_the_rows_that_show_samples_are_known_and_committed_ones_are_free() -> None:
    """Figures of samples are drawn in M11's cell and in notebooks that judge nothing."""
    for path in paths.NOTEBOOKS.glob("[0-9]*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if re.search(r"figures\.(attribution_maps|on_sample)|imshow", cell.source):
                assert path.stem[:2] in ("00", "10") or '"M11"' in cell.source, path.stem
    for row in committed.SHOWS_SAMPLES:
        for path in (paths.ROOT / "results" / "committed").glob(f"*/{row}/*/verdict.json"):
            data = claims.read_verdict(path).system.rpartition("/")[2]
            assert licences.may_stand_here(data), path


def empirical(folder: Path, values: object = UP, system: str = "net0/mnist") -> Path:
    """An M2 verdict with its companions, units too."""
    registry = folder.parent / "rules"
    registry.mkdir(parents=True, exist_ok=True)
    rules = next(registry.glob("claims*"), None) or small_registry(registry)
    units = np.asarray(values)[:, None] + np.linspace(-0.1, 0.1, 8)
    found = claims.judge(
        "M2",
        system,
        [claims.Part.of(name, units) for name in "abc"],
        seeds=range(5),
        scope="a test",
        claims=rules,
    )
    place = claims.record(found, folder).parent
    found.units.to_csv(place / "units.csv", index=False)
    pd.DataFrame({"x": [1.0]}).to_csv(place / "figure.csv", index=False)
    (place / "figure.png").write_bytes(b"\x89PNG")
    io.write_json(place / "provenance.json", provenance.collect())
    return place


def test_unit_values_are_kept_and_compared(results: Path) -> None:
    place = empirical(results)
    assert any((folder / "units.csv").is_file() for folder in committed.keep("default"))
    table = pd.read_csv(place / "units.csv")
    table.loc[3, "value"] += 1e-3
    table.to_csv(place / "units.csv", index=False)
    assert any("units.csv, column value: 1 of" in line for line in problems())
    (place / "units.csv").unlink()
    assert any("units.csv is there in one run only" in line for line in problems())


def test_the_sets_of_verdicts_are_compared(results: Path) -> None:
    """A committed verdict or a whole row deleted, a verdict that only the new run has: each is
    named."""
    committed.keep("default")
    home = committed.folder("default")
    shutil.rmtree(home / "D1" / "lenet__mnist_part")
    found = "\n".join(problems())
    assert "D1/lenet__mnist_part/verdict.json is missing" in found
    assert "D1 on lenet/mnist_part: in this run, but not committed" in found
    committed.keep("default")
    shutil.rmtree(home / "D1")
    with pytest.raises(committed.ResultsError, match="nothing is committed"):
        committed.check("default")


@pytest.mark.parametrize("name", [*committed.FILES, "MANIFEST.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"a": 1}', b"[1]"])
def test_a_damaged_file_is_a_line_and_never_a_traceback(
    results: Path, name: str, content: bytes
) -> None:
    committed.keep("default")
    home = committed.folder("default")
    path = home / name if name == "MANIFEST.json" else home / "D1" / "lenet__mnist_part" / name
    path.write_bytes(content)
    report = committed.check("default")
    assert not report.agrees and any(name in line for line in report.problems), report.problems
    assert all("\n" not in line for line in problems())


def test_a_damaged_run_is_a_line_too(results: Path) -> None:
    committed.keep("default")
    place = results / "D1" / "lenet__mnist_part"
    for name in (*committed.FILES[:2], "figure.csv"):
        before = (place / name).read_bytes()
        (place / name).write_bytes(b"{")
        assert problems() and all("\n" not in line for line in problems())
        (place / name).write_bytes(before)
    assert problems() == []
    (place / "verdict.json").write_bytes(b"{")
    with pytest.raises(committed.ResultsError, match="nothing was kept"):
        committed.keep("default")


def test_a_moved_criterion_is_named(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed.keep("default")
    moved = edit(tmp_path, lambda c: c["rows"]["D1"]["thresholds"][0].update(bound=2e-8))
    monkeypatch.setattr(paths, "CLAIMS", moved)
    assert any("criterion of D1 moved" in line for line in problems())
    make(results, "lenet/mnist_part")
    assert any(line == "its criterion moved: thresholds" for line in problems())


def test_open_against_decided_is_listed_and_fails_above_a_tenth(results: Path) -> None:
    empirical(results)
    for k in range(1, 10):
        empirical(results, system=f"net{k}/mnist")
    committed.keep("default")
    wide = (UP - 1.0) * 40 + 1.0  # the interval spans the old one and the bound
    empirical(results, wide)
    report = committed.check("default")
    assert len(report.notes) == 1 and "as stated INCONCLUSIVE, was REPRODUCED" in report.notes[0]
    assert not any("open in one run" in line for line in report.problems)
    empirical(results, wide, "net1/mnist")
    assert any(
        "2 verdicts of 12 are open in one run" in line
        for line in committed.check("default").problems
    )


def test_only_what_was_run_with_the_profiles_parameters_is_kept(results: Path) -> None:
    for system in SYSTEMS:
        place = claims.verdict_path(results, "D1", system).parent
        io.write_json(place / "provenance.json", provenance.collect(parameters={"images": 3}))
    committed.require_parameters("default", {"01_sparsity": {"images": 3}})
    with pytest.raises(
        committed.ResultsError, match=r"D1 on lenet/mnist_part \(01_sparsity\): images, seeds"
    ):
        committed.require_parameters("default", {"01_sparsity": {"images": 40, "seeds": 5}})


def test_a_damaged_notebook_or_record_costs_the_others_nothing(results: Path) -> None:
    books = results / "notebooks"
    books.mkdir()
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Whole")]), books / "00_start_here.ipynb"
    )
    for k, content in enumerate((b"", b"{", b"[]", b'{"cells": 3}', b"\xff")):
        (books / f"0{k + 1}_broken.ipynb").write_bytes(content)
    (results / "run.json").write_text("{")
    with pytest.warns(io.DamagedFileWarning) as warned:
        page = site.build(places.of_profile("default"))
    text = page.read_text()
    assert text.count("cannot be read") == 5 and (books / "00_start_here.html").is_file()
    assert not (results / "run.json").exists(), "set aside"
    assert len(warned) == 6 and len(list(books.glob("*.broken-1"))) == 5
    assert "cannot be read" not in site.build(places.of_profile("default")).read_text()


def test_a_verdict_that_the_run_no_longer_gives_leaves_the_kept_ones(results: Path) -> None:
    committed.keep("default")
    shutil.rmtree(results / "D1" / "lenet__mnist_part")
    committed.keep("default")
    assert (
        not (committed.folder("default") / "D1" / "lenet__mnist_part").exists()
        and committed.check("default").agrees
    )


def test_nothing_is_kept_of_an_incomplete_run(results: Path) -> None:
    (results / "D1" / "lenet__mnist_part" / "figure.csv").unlink()
    with pytest.raises(committed.ResultsError, match=r"lenet__mnist_part/figure\.csv"):
        committed.keep("default")
    with pytest.raises(committed.ResultsError, match="nothing is committed"):
        committed.check("default")


@pytest.mark.parametrize(
    ("column", "row", "factor", "expected"),
    [
        ("y", 1, 1 + 1e-8, None),
        ("y", 1, 1 + 1e-5, "figure.csv, column y: 1 of 2 rows differ"),
        ("y", 0, 1.01, None),  # 1e-11 beside 3.0 is rounding
        ("x", 0, np.nan, "column x"),
    ],
)
def test_on_the_same_machine_the_numbers_must_agree(
    results: Path, column: str, row: int, factor: float, expected: str | None
) -> None:
    committed.keep("default")
    path = results / "D1" / "lenet__mnist_part" / "figure.csv"
    table = pd.read_csv(path)
    table.loc[row, column] *= factor
    table.to_csv(path, index=False)
    found = problems()
    assert (not found) if expected is None else (len(found) == 1 and expected in found[0])


def test_another_text_another_shape_and_an_absent_row_are_found(results: Path) -> None:
    committed.keep("default")
    path = results / "D1" / "lenet__mnist_part" / "figure.csv"
    table = pd.read_csv(path)
    table.assign(who=["a", "c"]).to_csv(path, index=False)
    assert "column who: 1 of 2 rows differ, first row 1: c, was b" in problems()[0]
    table.iloc[:1].to_csv(path, index=False)
    assert "has 1 rows" in problems()[0]
    (path.parent / "verdict.json").unlink()
    assert problems() == ["committed, but not in this run"]


def test_elsewhere_only_the_verdict_and_its_interval_must_agree(results: Path) -> None:
    committed.keep("default")
    place = results / "D1" / "lenet__mnist_part"
    record = json.loads((place / "provenance.json").read_text())
    io.write_json(place / "provenance.json", record | {"cpu": "another"})
    table = pd.read_csv(place / "figure.csv")
    table.assign(y=table.y * 1.1).to_csv(place / "figure.csv", index=False)
    modes = {one.system: (one.mode, one.problems) for one in committed.check("default").compared}
    assert modes["lenet/mnist_part"] == (committed.STATISTICAL, [])
    assert modes["mlp7/mnist_part"] == (committed.EXACT, [])


def test_a_verdict_that_turned_is_found_on_every_machine(results: Path) -> None:
    committed.keep("default")
    place = make(results, "lenet/mnist_part", error=1.0)
    assert any("BROKEN" in problem for problem in problems())
    record = json.loads((place / "provenance.json").read_text())
    io.write_json(place / "provenance.json", record | {"threads": 99})
    assert any("BROKEN" in problem for problem in problems())


# Pages --------------------------------------------------------------------------------------------


def links(page: Path) -> list[str]:
    return re.findall(r'(?:href|src)="([^"#]+)"', page.read_text())


def test_the_index_shows_each_row_judged_or_not_and_its_links_lead_somewhere(results: Path) -> None:
    page = site.build(places.of_profile("default"))
    text = page.read_text()
    assert text.count("EXACT") >= 2 and all(system in text for system in SYSTEMS)
    for row in claims.load().rows:
        assert re.search(rf'id="{row}"|<td>{row}</td>', text), row
    assert links(page) and all((page.parent / link).is_file() for link in links(page))


def test_text_from_a_verdict_is_shown_and_not_run(results: Path) -> None:
    make(results, "lenet/mnist_part", scope="<script>alert(1)</script>")
    text = site.build(places.of_profile("default")).read_text()
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text


def test_a_notebook_page_is_whole_without_a_network(results: Path) -> None:
    path = results / "notebooks" / "00_start_here.ipynb"
    path.parent.mkdir()
    plot = new_output("display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})
    cells = [
        new_markdown_cell(
            r"# A title" "\n\n" r"inline $v(x_T)$ and $$\sum_{S \subseteq T} I(S)$$ and $\frac{$"
        ),
        new_code_cell(
            "print(1)", outputs=[plot, new_output("stream", name="stdout", text="one\n")]
        ),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    site.build(places.of_profile("default"))
    text = path.with_suffix(".html").read_text()
    assert text.count("<math") == 2 and r"<code>\frac{</code>" in text, (
        "what is no TeX is shown as written"
    )
    assert "data:image/png;base64" in text and "one" in text and "highlight" in text
    assert not re.search(
        r"<(script|link|iframe)\b|@import|url\(\s*['\"]?https?:|src=\"https?:", text
    )
    assert all(
        (path.parent / link).is_file()
        for link in links(path.with_suffix(".html"))
        if not link.startswith("data:")
    )


def test_an_empty_run_has_a_page_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path))
    text = site.build(places.of_profile("smoke")).read_text()
    assert all(
        row.joins or row.status in html.unescape(text) for row in claims.load().rows.values()
    )
    text = site.build(places.of(params.validate("00"))).read_text()
    assert "This notebook judges no row" in text and "the notebook's own settings" in text


def own_run(error: float, **given: object) -> places.Place:
    """A run of 01_sparsity of one's own whose D1 has this error, with its pages."""
    p = params.validate("01", **given)
    place = places.of(p)
    for name in given["systems"]:
        folder = make(place.folder, name, error)
        io.write_json(
            folder / "provenance.json", provenance.collect(parameters=p.model_dump(mode="json"))
        )
    copy = places.executed(place, "01_sparsity")
    copy.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell(f"error {error}")]), copy)
    records.add(place, "01_sparsity", 1.0, None, given)
    site.build(place)
    return place


def test_runs_of_ones_own_are_listed_and_no_page_shows_the_verdict_of_another(
    results: Path,
) -> None:
    """Two systems, and one of them again with other settings: three folders, three pages."""
    lenet, mlp = ["lenet/mnist_part"], ["mlp7_w256/mnist_part"]
    given = ({"systems": mlp}, {"systems": lenet}, {"systems": lenet, "images": 7})
    runs = [own_run(error, **one) for error, one in zip((1e-12, 1.0, 1e-12), given, strict=True)]
    assert len({place.folder for place in runs}) == 3
    listing = paths.results("custom") / "index.html"
    text = html.unescape(listing.read_text())
    assert [(listing.parent / link).parent for link in links(listing)] == sorted(
        place.folder for place in runs
    )
    assert "images = 7" in text and "1 BROKEN" in text and text.count("1 EXACT") == 2
    for place, verdict in zip(runs, ("EXACT", "BROKEN", "EXACT"), strict=True):
        page = (place.folder / "index.html").read_text()
        assert place.digest in page and page.count(f">{verdict}</span>") == 2
        assert ("<dt>images</dt><dd>7</dd>" in page) == ("images" in place.changed)
        inside = [(place.folder / link).resolve() for link in links(place.folder / "index.html")]
        assert all(path == listing or place.folder in path.parents for path in inside)
        assert all(path.is_file() for path in inside)
    places.forget(runs[1], "01_sparsity")
    assert [v.verdict for v in claims.read_all(runs[1].folder)] == []
    assert all(claims.read_all(place.folder) for place in (runs[0], runs[2]))
    assert not (runs[1].folder / "index.html").exists() and len(places.below("custom")) == 3


def test_a_run_by_plain_papermill_is_listed_by_its_provenance(results: Path) -> None:
    place = own_run(1e-12, systems=["lenet/mnist_part"], images=7)
    for name in ("run.json", "index.html"):
        (place.folder / name).unlink()
    site.build(places.of(params.validate("00")))
    text = (paths.results("custom") / "index.html").read_text()
    assert "images = 7" in text and "lenet__mnist_part" in text
    shutil.rmtree(place.folder / "D1" / "lenet__mnist_part" / "nothing", ignore_errors=True)
    (place.folder / "D1" / "lenet__mnist_part" / "verdict.json").write_bytes(b"{")
    site.build(places.of(params.validate("00")))
    assert "cannot be read" in (paths.results("custom") / "index.html").read_text()


def test_every_published_verdict_says_what_its_evidence_is(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    p = params.validate("01", systems=["lenet/mnist_part"])
    errors = {"matching": np.array([1e-12]), "within_kappa": np.array([0.5])}
    judged = claims.judge_identity("D1", "lenet/mnist_part", errors, scope="a test")
    assert judged.evidence is None
    figure = figures.plots.grid(1, size=(2, 2))[0]
    path = publish.publish(judged, figure, pd.DataFrame({"x": [1.0]}), p)
    assert path.is_relative_to(places.of(p).folder)
    assert claims.read_verdict(path).evidence == "identity"
    assert "· identity" in publish.verdict_markdown(claims.read_verdict(path))
    table = claims.table(places.of(p).folder)
    assert list(table[table.system.notna()].evidence) == ["identity"]
    assert "identity</s" in site.build(places.of(p)).read_text()


def test_committed_verdicts_without_evidence_still_load_and_agree(results: Path) -> None:
    committed.keep("default")
    for path in committed.folder("default").glob("*/*/verdict.json"):
        record = json.loads(path.read_text())
        del record["evidence"]
        io.write_json(path, record)
    home = committed.folder("default")
    io.write_json(home / committed.MANIFEST, committed._checksums(home))
    assert (
        all(v.evidence is None for v in claims.read_all(home)) and committed.check("default").agrees
    )


def test_the_readme_shows_the_committed_verdicts_and_nothing_else() -> None:
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- results: written by `reproduce keep`, do not edit -->")[1].split(
        "<!-- /results -->"
    )[0]
    assert shown.strip() == committed.readme_block("default").strip(), "`reproduce keep` writes it"


def test_keep_writes_the_table_into_the_readme_and_minutes_only_of_a_cold_run(
    results: Path, tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    marks = ("<!-- results: written by `reproduce keep`, do not edit -->", "<!-- /results -->")
    readme.write_text("\n".join(["before", marks[0], "an earlier table", marks[1], "after", ""]))
    io.write_json(
        results / "run.json",
        {
            "notebooks": {"01_sparsity": {"seconds": 90.0}},
            "seconds": 120.0,
            "provenance": {"cpu": "a CPU", "threads": 2},
        },
    )
    committed.keep("default")
    committed.update_readme("default", readme)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "earlier" not in text
    assert "2 EXACT" in text and "a CPU" not in text
    assert text.count("\n") <= 12 + 3, "a line per paper, not per verdict"
    committed.keep("default", cold=True)
    committed.update_readme("default", readme)
    assert "From an empty cache 2 minutes, 2 threads of a CPU." in readme.read_text()
    readme.write_text("no marks")
    with pytest.raises(committed.ResultsError, match="lost the marks"):
        committed.update_readme("default", readme)


def test_empty_cells_of_a_twin_agree_with_themselves(results: Path) -> None:
    for system in SYSTEMS:
        place = claims.verdict_path(results, "D1", system).parent
        pd.DataFrame({"who": ["a", None], "x": [1.0, 2.0]}).to_csv(
            place / "figure.csv", index=False
        )
    committed.keep("default")
    assert problems() == []
    pd.DataFrame({"who": ["a", "b"], "x": [1.0, 2.0]}).to_csv(place / "figure.csv", index=False)
    assert "column who: 1 of 2 rows differ" in problems()[0]


def test_points_spread_sideways_lie_in_the_same_places_every_time(tmp_path: Path) -> None:
    """D7's picture is the same bytes in two runs."""
    table = pd.DataFrame({"k": [1, 1, 2], "y": [1.0, 1.0, 2.0], "hue": "abc", "n": ["n = 4"] * 3})
    drawn = []
    for name in "ab":
        figure = figures.strips(
            table, x="k", y="y", hue="hue", panel="n", xlabel="order", ylabel="norm"
        )
        drawn.append(Path(figures.save(figure, table, tmp_path / name)).read_bytes())
    assert drawn[0] == drawn[1]
