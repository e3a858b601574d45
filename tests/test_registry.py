"""The registry holds every row of the papers and of the protocol, and names what is wrong with
it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.rules import SYSTEM, edit
from utils import claims, paths

SPEC = paths.ROOT.parent / "shared" / "SPEC.md"
ROWS = [
    *(
        "D1",
        "D2",
        "D3",
        "D3a",
        "D3b",
        "D4",
        "D5",
        "D6",
        "D7",
        "D8",
        "D9",
        "D10",
        "D11",
        "D11a",
        "D11b",
        "D12",
        "D13",
        "D14",
        "D15",
        "D16",
    ),
    *(f"M{k}" for k in range(1, 16)),
    *(
        "L1",
        "L2",
        "L3",
        "L4",
        "L5",
        "L6",
        "L7",
        "L8",
        "L8a",
        "L8b",
        *(f"L{k}" for k in range(9, 19)),
    ),
    *(f"F{k}" for k in range(1, 5)),
    *(f"O{k}" for k in range(1, 6)),
]


def test_every_row_is_there_in_order() -> None:
    assert sorted(claims.load().rows, key=claims.row_key) == ROWS


@pytest.mark.skipif(not SPEC.is_file(), reason="the specification is not part of the repository")
def test_rows_and_kinds_are_those_of_the_specification() -> None:
    text = SPEC.read_text(encoding="utf-8")
    section = text[text.index("\n## 1.") : text.index("\n## 2.")]
    # A row of the papers that the protocol takes apart stays as a line that joins the parts.
    papers = set(re.findall(r"^\| ([DMLF]\d+) \|", section, re.M))
    protocol = set(
        re.findall(
            r"[DMLF]\d{1,2}[ab]?",
            "".join(
                re.findall(
                    r"^\| ((?:[DMLF]\d{1,2}[ab]?[ ,]*)+) \|", text[text.index("**6.7") :], re.M
                )
            ),
        )
    )
    assert {name for name in ROWS if name[0] != "O"} == papers | protocol
    kinds = {name: row.kind for name, row in claims.load().rows.items() if name[0] != "O"}
    identities = re.search(r"\*identity\* \(([^:]*):", text).group(1).split(", ")
    numerical = re.search(r"\*numerical\* \(([^:]*):", text).group(1).split(", ")
    assert {name for name, kind in kinds.items() if kind == "identity"} == set(identities)
    assert {name for name, kind in kinds.items() if kind == "numerical"} == set(numerical)


def test_thresholds_fixed_before_the_runs() -> None:
    """Numbers that decide. Whoever changes one here changes a criterion: claims.yaml then needs a
    `changed:` entry."""
    rows = claims.load().rows
    bounds = {(r, t.name): t.text() for r, row in rows.items() for t in row.thresholds}
    expected = {
        ("D1", "matching"): "< 1e-08",
        ("D2", "mass90"): "< 0.1",
        ("D2", "gini_above_null"): "> 0",
        ("D6", "slope_not_below"): "> 0.95",
        ("D6", "slope_not_above"): "< 1.05",
        ("M2", "variance_share"): "> 0.8",
        ("O1", "both_optimal"): "< 1e-12",
    }
    assert {key: bounds[key] for key in expected} == expected
    protocol = claims.load().protocol
    assert (protocol.level, protocol.min_seeds, protocol.uncertified_limit) == (0.95, 5, 0.05)
    assert protocol.order_weights == [0.2, -0.2] and protocol.alpha == pytest.approx(0.025)
    assert rows["D2"].needs_accuracy and not rows["M13"].needs_accuracy


def test_every_effect_says_where_it_comes_from_and_is_half_of_the_papers() -> None:
    for name, row in claims.load().rows.items():
        for t in row.thresholds:
            assert (t.effect is not None) == (t.form == "effect"), name
            if t.effect is not None:
                # What no paper shows is ours, and says so.
                assert t.effect.paper is not None or "ours" in t.effect.source, (
                    name,
                    t.name,
                    t.effect.source,
                )


def test_rows_can_be_judged_or_say_why_not() -> None:
    for name, row in claims.load().rows.items():
        assert bool(row.thresholds) == (row.kind not in ("described", "demonstration")), name
        assert not row.order_based or row.uses_split, name
        assert not row.joins or (row.notebook is None and row.kind == "described"), name
        # A reading beyond a null names the null.
        if any(t.reading == "specific" for t in row.thresholds):
            assert row.nulls, name


def test_the_registry_stands_alone() -> None:
    text = paths.CLAIMS.read_text(encoding="utf-8")
    assert not re.search(r"SPEC|DESIGN|/work|\[P\d|\bsec(tion)? 4\b", text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["rows"]["D2"].update(colour="red"), r"rows\.D2\.colour: Extra inputs"),
        (lambda c: c["rows"]["L3"].pop("claim"), r"rows\.L3\.claim: Field required"),
        (
            lambda c: c["rows"]["D1"]["thresholds"][0].update(bound="low"),
            r"rows\.D1\.thresholds\.0\.bound",
        ),
        (lambda c: c["rows"]["M4"].update(status="later"), r"rows\.M4\.status"),
        (lambda c: c["rows"]["M4"].update(nulls=["N9"]), r"M4\.nulls: 'N9' is none of"),
        (lambda c: c["rows"]["M4"].update(paper="nobody"), r"M4\.paper: 'nobody' is none of"),
        (
            lambda c: c["rows"]["D1"]["thresholds"][0].update(direction="above"),
            r"D1\.thresholds: .*from above",
        ),
        (
            lambda c: c["rows"]["D1"]["thresholds"][0].update(form="size"),
            r"matching: a size has low:, high: or both",
        ),
        (
            lambda c: c["rows"]["D2"]["thresholds"][0].update(form="effect", high=None),
            r"mass90: form effect has direction",
        ),
        (
            lambda c: c["rows"]["D2"]["thresholds"][1].pop("effect"),
            r"gini_above_null: form effect, and no other",
        ),
        (
            lambda c: c["rows"]["D2"]["thresholds"][1].update(
                effect={"paper": 1.0, "smallest": 0.1, "source": "x"}
            ),
            r"half of the paper's \(0\.5\), not 0\.1",
        ),
        (
            lambda c: c["rows"]["D2"]["thresholds"][0].update(reading="specific"),
            r"D2\.thresholds: an empirical row has a",
        ),
        (lambda c: c["rows"]["D3"].update(joins=["D3a", "D77"]), r"D3\.joins: 'D77' is no row"),
        (
            lambda c: c["rows"]["D3"].update(thresholds=c["rows"]["D1"]["thresholds"]),
            r"D3\.thresholds: a row of kind desc",
        ),
        (
            lambda c: c["rows"]["D2"]["thresholds"].append(dict(c["rows"]["D2"]["thresholds"][0])),
            r"D2\.thresholds: .*twice",
        ),
        (lambda c: c["rows"].update(X1=c["rows"]["D1"]), r"rows\.X1"),
        (lambda c: c["protocol"].update(level=95), r"protocol\.level"),
        (lambda c: c["rows"]["D2"].pop("needs_accuracy"), r"rows\.D2\.needs_accuracy: Field requ"),
        (lambda c: c["rows"]["D2"].update(needs_accuracy=1), r"rows\.D2\.needs_accuracy: .*bool"),
        (lambda c: c["rows"]["D2"].update(applies=["sound"]), r"rows\.D2\.applies\.0: .*'image'"),
        (lambda c: c["rows"]["D2"].update(needs=["weights"]), r"rows\.D2\.needs\.0: .*'read_at'"),
        # Floors are of systems; one in claims.yaml would be read by nobody.
        (
            lambda c: c["rows"]["D2"].update(min_accuracy={SYSTEM: 0.95}),
            r"rows\.D2\.min_accuracy: Extra",
        ),
        (lambda c: c.update(defaults={}), r"defaults: Extra inputs"),
    ],
)
def test_a_fault_in_the_registry_is_named_by_row_and_field(
    tmp_path: Path, change: Any, message: str
) -> None:
    with pytest.raises(claims.RegistryError, match=message):
        claims.load(edit(tmp_path, change))


def test_a_row_written_twice_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(paths.CLAIMS.read_text(encoding="utf-8") + "\n  D1: {}\n", encoding="utf-8")
    with pytest.raises(claims.RegistryError, match="D1 is there twice"):
        claims.load(path)
    path.write_text("rows: [", encoding="utf-8")
    with pytest.raises(claims.RegistryError, match="not valid YAML"):
        claims.load(path)
    with pytest.raises(claims.RegistryError, match="no row 'D99'"):
        claims.load().row("D99")
    assert [claims.row_key(name) for name in ("D3", "D3a", "D3b", "D4")] == sorted(
        claims.row_key(name) for name in ("D4", "D3b", "D3a", "D3")
    )
