"""Operating characteristics: the engine counts rightly; every criterion was simulated, is current,
errs rarely enough."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as sps

from tests.rules import SYSTEM, small_registry
from utils import claims, paths, power
from utils.claims import Part, criteria
from utils.power import base

REPEATED, RUNS = 5, 200


def drawn(scenario: str, sizes: power.Sizes, rng: np.random.Generator) -> list[Part]:
    """An effect of 1, .5 or 0 with noise of networks (.05) and of images (3, shared by the
    networks)."""
    truth = {"paper": 1.0, "half": 0.5, "none": 0.0, "none: negative": -1.0}[scenario]
    y = truth + 0.05 * rng.normal(size=(sizes.networks, 1)) + 3 * rng.normal(size=sizes.units)
    return [Part.of("excess", y), Part.of("beyond", y)]


def careless(scenario: str, sizes: power.Sizes, rng: np.random.Generator) -> list[Part]:
    """The same, but blind to the spread over images."""
    return [Part(part.name, part.values) for part in drawn(scenario, sizes, rng)]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = small_registry(tmp_path)
    monkeypatch.setattr(paths, "CLAIMS", path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return path


def simulation(draw: object) -> power.Simulation:
    return power.Simulation("D2", SYSTEM, draw, code=(), nulls=("none", "none: negative"), runs=300)


def test_a_sound_criterion_passes_and_a_careless_one_is_found_out(small: Path) -> None:
    for draw, ok in ((drawn, True), (careless, False)):
        one = simulation(draw)
        counts = {
            (size, s): power.simulate(one, s, sizes, one.runs)
            for size, sizes in one.sizes.items()
            for s in one.scenarios
        }
        entry = base._entry(one, counts)
        assert entry["as_stated"]["ok"] is ok and entry["specific"]["ok"] is ok
        assert ok or "REPRODUCED in" in entry["as_stated"]["why"]
    sizes = entry["as_stated"]["sizes"]
    assert (
        sizes["default"]["words"] == "5 networks × 40 images"
        and 0 <= sizes["reference"]["power"] <= 1
    )


def test_power_grows_with_networks_and_images_and_the_same_seed_gives_the_same_counts(
    small: Path,
) -> None:
    one = simulation(drawn)
    small_study, large = (
        power.simulate(one, "paper", power.Sizes(5, units, systems=1), 150) for units in (20, 400)
    )
    assert (
        small_study["as_stated"]["alone"]["REPRODUCED"] < large["as_stated"]["alone"]["REPRODUCED"]
    )
    assert power.simulate(one, "paper", power.Sizes(5, 20, systems=1), 150) == small_study
    for counts in small_study.values():
        assert all(sum(outcomes.values()) == 150 for outcomes in counts.values())


def test_the_hash_ignores_comments_and_docstrings_and_nothing_else(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(text)
        return base._stripped(path)

    plain = hashed("def f(x):\n    return x + 1\n")
    assert (
        hashed('"""Doc."""\ndef f(x):\n    """Adds."""\n    # why\n    return (x + 1)\n') == plain
    )
    assert hashed("def f(x):\n    return x + 2\n") != plain


# --- the repository's own criteria


def readings() -> list[tuple[str, str]]:
    registry = claims.load()
    return [
        (name, reading)
        for name, row in registry.rows.items()
        if row.kind == "empirical"
        for reading in sorted({t.reading for t in row.thresholds})
    ]


def test_every_criterion_was_simulated_and_is_current() -> None:
    """`reproduce power` mends it: a criterion or the code that judges by it was changed after it
    was simulated."""
    known, entries = power.simulations(), criteria.entries()
    stale = []
    for row, reading in readings():
        entry = entries.get(row, {}).get(reading)
        if entry is None or row not in known:
            stale.append(f"{row} {reading}: not simulated")
        elif entry["hash"] != power.current_hash(known[row]):
            stale.append(f"{row} {reading}: its code was changed")
        elif entry["criterion"] != criteria.criterion_of(claims.load(), row, reading):
            stale.append(f"{row} {reading}: its thresholds were changed")
    assert not stale, stale


def test_every_criterion_that_judges_errs_rarely_enough() -> None:
    for row, reading in readings():
        entry = criteria.entries()[row][reading]
        limit = sps.binom.ppf(0.99, entry["runs"], 0.05)
        for size in entry["sizes"].values():
            for scenario, counts in size["outcomes"].items():
                assert sum(counts["alone"].values()) == entry["runs"]
                if scenario.startswith("none"):
                    assert counts["alone"]["REPRODUCED"] <= limit, (row, reading, scenario)
            assert size["outcomes"]["paper"]["alone"]["NOT REPRODUCED"] <= limit, (row, reading)
        assert entry["ok"] is True
    assert (paths.ROOT / "docs" / "criteria.md").read_text(encoding="utf-8") == power.page()


def test_five_rows_in_turn_are_simulated_again() -> None:
    """Another seed each day: what the file says of a criterion is what its code does."""
    day = datetime.date.today().toordinal()
    rows = sorted(power.simulations())
    for k in range(REPEATED):
        one = power.simulations()[rows[(REPEATED * day + k) % len(rows)]]
        runs = min(RUNS, one.runs)
        limit = sps.binom.ppf(0.9999, runs, 0.05)
        size, sizes = next(iter(one.sizes.items()))
        alone = dataclasses.replace(sizes, systems=1)
        for scenario in ("paper", *one.nulls):
            counts = power.simulate(one, scenario, alone, runs, seed=day)
            for reading, found in counts.items():
                wrong = "NOT REPRODUCED" if scenario == "paper" else "REPRODUCED"
                assert found["alone"][wrong] <= limit, (one.row, reading, scenario, found)
                said = criteria.entries()[one.row][reading]["sizes"][size]["outcomes"][scenario][
                    "alone"
                ]
                pooled = (found["alone"]["REPRODUCED"] + said["REPRODUCED"]) / (runs + one.runs)
                spread = np.sqrt(max(pooled * (1 - pooled), 1e-4) * (1 / runs + 1 / one.runs))
                apart = abs(found["alone"]["REPRODUCED"] / runs - said["REPRODUCED"] / one.runs)
                assert apart <= 5 * spread + 1 / runs, (one.row, reading, scenario, found, said)
