"""Whether a run can be computed and judged at all, asked before anything is computed."""

from __future__ import annotations

from .. import claims, datasets, runtime, systems
from ..jobs.scored import choose
from ..params import Common, ParameterError, StartHere, Study
from ..systems import System
from ..train import Training

__all__ = ["notes", "require"]

_COUNTS = ("images", "pair_images", "fit_images", "count_images")
"""Settings that say how many samples of ``image_split`` are explained."""


def require(notebook: str, p: Common) -> None:
    """ParameterError for a system that none of the notebook's rows speaks of, for more samples or
    players than its data have, or a device that is not there; MissingData for absent data.

    Data sets are read, and nothing else is done.
    """
    try:
        runtime.device(p.device)
    except ValueError as error:
        raise ParameterError(str(error)) from None
    if isinstance(p, StartHere):
        _one_picture(p)
    elif isinstance(p, Study):
        _ends_of_the_face(p)
        for system in p.chosen:
            _is_judged(notebook, system)
            _has_samples(p, system)


def notes(p: Common) -> list[str]:
    """What a user should know of these settings before they cost anything."""
    least = claims.load().protocol.min_seeds
    if not isinstance(p, Study) or len(p.seeds) >= least or all(s.given for s in p.chosen):
        return []
    return [
        f"note: {len(p.seeds)} seeds; with fewer than {least} every verdict on trained networks is "
        "INCONCLUSIVE"
    ]


def _ends_of_the_face(p: Study) -> None:
    wanted = tuple(claims.load().protocol.order_weights)
    if p.order_weights[: len(wanted)] != wanted:
        raise ParameterError(
            f"order_weights must start with {list(wanted)}, the two ends of the face that the "
            f"protocol judges by (more may follow); got {list(p.order_weights)}"
        )


def _is_judged(notebook: str, system: System) -> None:
    if claims.rows_of(notebook, system):
        return
    rows = [name for name, row in claims.load().rows.items() if row.notebook == notebook]
    whys = "; ".join(f"{row}: {why}" for row in rows if (why := claims.why_not(row, system)))
    raise ParameterError(f"{notebook} has nothing to say of {system.id} ({whys})")


def _has_samples(p: Study, system: System) -> None:
    train = datasets.load(system.data, "train")
    training, noun = p.training_of(system), system.data.noun
    if isinstance(training, Training) and training.n_train > len(train):
        raise ParameterError(
            f"{system.id}: n_train ({training.n_train}) cannot exceed the {len(train)} training "
            f"{noun} of {train.name}"
        )
    explained = train if p.image_split == "train" else datasets.load(system.data, "test")
    for name in _COUNTS:
        count = getattr(p, name, None)
        if count is not None:
            _can_choose(name, count, explained, p.n_players, system)
    most = getattr(p, "test_images", None)
    test = datasets.load(system.data, "test")
    if most is not None and most > len(test):
        raise ParameterError(
            f"test_images ({most}) cannot exceed the {len(test)} test {noun} of {test.name}"
        )


def _can_choose(name: str, count: int, data: datasets.Samples, n: int, system: System) -> None:
    try:
        choose(data, count, n, system.players)
    except ValueError as error:
        raise ParameterError(f"{system.id}, {name} = {count}: {error}") from None


def _one_picture(p: StartHere) -> None:
    system = systems.find(p.system)
    if system.kind != "image":
        raise ParameterError(
            f"00_start_here shows a picture; {system.id} is of kind {system.kind}: take one of "
            f"{', '.join(name for name in systems.names() if systems.find(name).kind == 'image')}"
        )
    data = datasets.load(system.data, "test")
    if p.image >= len(data):
        raise ParameterError(
            f"image {p.image}: {data.name} has {len(data)} test images, 0 … {len(data) - 1}"
        )
    possible = system.players.possible(data, p.image)
    if possible < p.n_players:
        raise ParameterError(
            f"image {p.image} of {data.name} can have {possible} players ({system.players.unit}), "
            f"fewer than n_players = {p.n_players}"
        )
