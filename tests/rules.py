"""A small registry of claims with one row of each form, for tests of the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from utils import claims, paths
from utils.claims import Part

SYSTEM = "lenet/mnist_part"
FLOOR = 0.95  # of SYSTEM
OTHER_END, DROPPED = "order weight -0.2", "uncertified games dropped"
UP = np.array([1.0, 1.1, 0.9, 1.05, 0.95])


def edit(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], source: Path | None = None
) -> Path:
    """A copy of the registry with one change."""
    content = yaml.safe_load((source or paths.CLAIMS).read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / f"claims{len(list(tmp_path.glob('claims*')))}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def threshold(name: str, **more: Any) -> dict[str, Any]:
    """An effect above 0 whose smallest size is .5, unless ``more`` says otherwise."""
    found = {"name": name, "statistic": f"{name} in words", "unit": "u", **more}
    if "form" not in more:
        found |= {
            "form": "effect",
            "direction": "above",
            "bound": 0.0,
            "effect": {"smallest": 0.5, "source": "test"},
        }
    return found


def small_registry(tmp_path: Path) -> Path:
    """D2: one effect, and one beyond its null. D3a: two effects, based on orders. D4: a size and,
    specific, a test. L2: an effect and, on mnist, a size. M2: three effects, no split. D1:
    identity. D8: numerical. L13: described. M12: demonstration."""
    rows: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
        "D2": ([threshold("excess"), threshold("beyond", **_effect(reading="specific"))], {}),
        "D3a": ([threshold("fall"), threshold("rise")], {"order_based": True}),
        "D4": (
            [
                threshold("distance", form="size", low=-1.5, high=1.5),
                threshold("shift", reading="specific", form="test", direction="below", bound=0.05),
            ],
            {},
        ),
        "L2": (
            [threshold("excess"), threshold("count", form="size", high=5.0, systems=["*/mnist*"])],
            {},
        ),
        "M2": (
            [threshold("a"), threshold("b"), threshold("c")],
            {"uses_split": False, "needs_accuracy": False},
        ),
        "D1": (
            [threshold("matching", form="exact", direction="below", bound=1e-8)],
            {"kind": "identity", "needs_accuracy": False},
        ),
        "D8": (
            [
                threshold("ratio", form="exact", direction="above", bound=1.0),
                threshold("step", form="exact", direction="above", bound=0.0),
            ],
            {"kind": "numerical", "needs_accuracy": False},
        ),
        "L13": ([], {"kind": "described", "needs_accuracy": False}),
        "M12": ([], {"kind": "demonstration", "needs_accuracy": False}),
    }

    def change(c: dict[str, Any]) -> None:
        template = c["rows"]["D2"]
        c["rows"] = {
            name: {
                **template,
                "kind": "empirical",
                "order_based": False,
                "uses_split": True,
                "joins": [],
                "seen": False,
                "needs_accuracy": True,
                "thresholds": thresholds,
                "title": f"Row {name}",
                **more,
            }
            for name, (thresholds, more) in rows.items()
        }
        c["changed"] = []

    return edit(tmp_path, change)


def _effect(**more: Any) -> dict[str, Any]:
    return {
        "form": "effect",
        "direction": "above",
        "bound": 0.0,
        "effect": {"smallest": 0.5, "source": "test"},
        **more,
    }


def settings(rules: Path, **more: Any) -> dict[str, Any]:
    return {
        "seeds": range(5),
        "scope": "a test",
        "accuracy": [0.97] * 5,
        "floor": FLOOR,
        "uncertified": 0.0,
        "claims": rules,
        **more,
    }


def judge(rules: Path, values: Any, beyond: Any = None, **more: Any) -> claims.Verdict:
    """D2 with ``values`` as stated and ``beyond`` (the same) beyond its null."""
    return claims.judge("D2", SYSTEM, excess(values, beyond), **settings(rules, **more))


def excess(values: Any, beyond: Any = None) -> list[Part]:
    """Both parts of D2."""
    return [Part("excess", values), Part("beyond", values if beyond is None else beyond)]


def both(fall: Any, rise: Any) -> list[Part]:
    """Both parts of D3a."""
    return [Part("fall", fall), Part("rise", rise)]
