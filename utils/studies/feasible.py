"""Whether a run can be computed and judged at all, asked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator

from .. import claims, datasets, runtime, systems
from ..datasets import MissingData, Samples, Split, values
from ..datasets.values import Values
from ..jobs.scored import choose
from ..models import hub
from ..params import (
    PARAMS,
    Agreement,
    Common,
    FiveGroups,
    Layerwise,
    Modalities,
    ParameterError,
    Sparsity,
    StartHere,
    Study,
    TwoPhase,
)
from ..players import GridDraw
from ..systems import System
from ..systems.states import place_of
from ..train import Training, Weights
from .component_jobs import PAPER_DRAW

__all__ = ["notebooks_of", "notes", "require"]

_COUNTS = ("images", "pair_images", "fit_images", "count_images")
"""Settings that say how many samples of ``image_split`` are explained."""
_FIRST = {"pca_images": "train", "test_images": "test"}
"""Settings that take the first samples of a split, whatever players they can have."""
_PEAKED, _DEPTH = ("L4", "L8b"), 3
"""Rows on where in a network redundancy peaks, and the least number of layers, the output not among
them, of which one lies between two ends."""
_PAIRS = ("L5", "L9", "M9", "M14")
"""Rows that compare two networks on one data set."""
_LAST = ("01_sparsity", "06_iou_stability", "08_what_the_split_identifies")
"""Notebooks that read networks as they are, without the course of their training."""


def require(notebook: str, p: Common) -> None:
    """ParameterError for a system that none of the notebook's rows speaks of, whose training it
    cannot follow or whose network has too few layers to compare (05), for more samples or players
    than its data have, or a device that is not there; MissingData for absent data or weights.

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
            if isinstance(p, Modalities):
                _can_be_shown(p, system)
                continue
            _is_judged(notebook, p, system)
            _is_followed(notebook, p, system)
            if isinstance(p, Layerwise):
                _is_deep(notebook, system)
            _weights_are_there(p, system)
            _has_samples(p, system)


def notebooks_of(system: System) -> list[str]:
    """The notebooks that judge a row on ``system`` alone, and can follow it."""
    return [
        name
        for name in PARAMS
        if set(claims.rows_of(name, system)) - set(_PAIRS)
        and (name in _LAST or not isinstance(system.training, Weights))
    ]


def notes(p: Common) -> list[str]:
    """What a user should know of these settings before they cost anything."""
    least = claims.load().protocol.min_seeds
    if (
        not isinstance(p, Study)
        or isinstance(p, Modalities)
        or len(p.seeds) >= least
        or all(s.given for s in p.chosen)
    ):
        return []
    return [
        f"note: {len(p.seeds)} seed{'s' * (len(p.seeds) > 1)}; with fewer than {least} every "
        "verdict on trained networks is INCONCLUSIVE"
    ]


def _ends_of_the_face(p: Study) -> None:
    wanted = tuple(claims.load().protocol.order_weights)
    if p.order_weights[: len(wanted)] != wanted:
        raise ParameterError(
            f"order_weights must start with {list(wanted)}, the two ends of the face that the "
            f"protocol judges by (more may follow); got {list(p.order_weights)}"
        )


def _is_judged(notebook: str, p: Study, system: System) -> None:
    found = claims.rows_of(notebook, system)
    if set(found) - set(_PAIRS):
        return
    if found:
        if sum(other.data.name == system.data.name for other in p.chosen) > 1:
            return
        raise ParameterError(
            f"{notebook} says of {system.id} only how it compares ({', '.join(found)}): name a "
            f"second system on {system.data.name} beside it"
        )
    rows = [name for name, row in claims.load().rows.items() if row.notebook == notebook]
    whys = "; ".join(f"{row}: {why}" for row in rows if (why := claims.why_not(row, system)))
    raise ParameterError(f"{notebook} has nothing to say of {system.id} ({whys})")


def _is_followed(notebook: str, p: Study, system: System) -> None:
    if notebook not in _LAST and isinstance(p.training_of(system), Weights):
        raise ParameterError(
            f"{notebook} follows networks from their first training step to the last; the weights "
            f"of {system.id} are given, and nothing is known of their training. They can be read "
            f"in {', '.join(_LAST)}"
        )


def _is_deep(notebook: str, system: System) -> None:
    layers, rows = system.network.layers, claims.rows_of(notebook, system)
    peaked = [row for row in _PEAKED if row in rows]
    if peaked and len(layers) < _DEPTH:
        raise ParameterError(
            f"{notebook} asks in which layer redundancy peaks ({', '.join(peaked)}) and needs a "
            f"network of {_DEPTH} layers or more, the output not among them; that of {system.id} "
            f"names {len(layers)} ({', '.join(layers)}): name more in Network.layers, or leave "
            "the system out"
        )


def _weights_are_there(p: Study, system: System) -> None:
    """MissingData that says where weights are looked for: those of the hub, and given ones."""
    network = "" if system.network is None else system.network.name
    if network in hub.HUB and hub.downloaded(network) is None:
        raise MissingData(f"{system.id}: {hub.missing(network)}")
    weights = p.training_of(system)
    if not isinstance(weights, Weights):
        return
    path = place_of(weights)
    if not path.is_file():
        raise MissingData(
            f"{system.id}: its given weights are not at {path} ({weights.source}): put them there "
            "as data/README.md says, or set INTERACTIONS_DATA to the folder that they lie below"
        )


def _has_games(p: Study, system: System, table: Values) -> None:
    """Of a value table: as many players as it has, and as many games as are asked for."""
    if p.n_players != table.n:
        raise ParameterError(
            f"{system.id} is a table of games between {table.n} players: n_players must be "
            f"{table.n}, got {p.n_players}"
        )
    there = len(values.load(table))
    if p.skip_images + p.images > there:
        asked = f"images ({p.images})"
        if p.skip_images:
            asked = f"skip_images ({p.skip_images}) and {asked}"
        raise ParameterError(f"{system.id}: {asked} cannot exceed its {there} games")


def _has_samples(p: Study, system: System) -> None:
    if isinstance(system.data, Values):
        _has_games(p, system, system.data)
        return
    parts: dict[str, Samples] = {s: datasets.load(system.data, s) for s in ("train", "test")}
    training = p.training_of(system)
    if isinstance(training, Training):
        _enough("n_train", training.n_train, parts["train"], system)
    if system.test_samples is not None:
        _enough("test_samples", system.test_samples, parts["test"], system)
    for name, count, split, n in _explained(p, system):
        _can_choose(name, count, parts[split], n, system, p.skip_images)
    if isinstance(p, FiveGroups) and claims.why_not("M4", system) is None:
        _can_have_paper_patches(p, parts[p.image_split], system)
    for name, split in _FIRST.items():
        if hasattr(p, name):
            _enough(name, getattr(p, name), parts[split], system)
    if isinstance(p, Agreement) and system.kind in GridDraw.takes:
        _enough_of_each_class(p, system)


def _explained(p: Study, system: System) -> Iterator[tuple[str, int, Split, int]]:
    """What is explained: the setting, how many samples, of which split, between how many
    players."""
    for name in _COUNTS:
        if hasattr(p, name):
            yield name, getattr(p, name), p.image_split, p.n_players
    if hasattr(p, "noise_images"):
        yield "noise_images", p.noise_images, "train", p.n_players
    if isinstance(p, TwoPhase):
        yield "images", p.images, "train" if p.image_split == "test" else "test", p.n_players
    if isinstance(p, Sparsity) and p.size_players:
        yield "images", p.images, p.image_split, max(p.size_players)
    if isinstance(p, Agreement) and system.kind == "image":
        yield "images x seeds", p.images * len(p.seeds), "train", p.n_players


def _enough(name: str, count: int, data: Samples, system: System) -> None:
    if count > len(data):
        split = "training" if data.split == "train" else data.split
        raise ParameterError(
            f"{system.id}: {name} ({count}) cannot exceed the {len(data)} {split} "
            f"{system.data.noun} of {data.name}"
        )


def _enough_of_each_class(p: Agreement, system: System) -> None:
    training = p.training_of(system)
    seen = training.n_train if isinstance(training, Training) else None
    for split, limit, count in (
        ("train", seen, 2 * p.class_images),
        ("test", None, p.class_images),
    ):
        labels = datasets.load(system.data, split, limit).labels
        least = int(labels.bincount(minlength=len(system.data.classes)).min())
        if count > least:
            raise ParameterError(
                f"{system.id}: class_images ({p.class_images}) needs {count} "
                f"{'training' if split == 'train' else split} {system.data.noun} of each class; "
                f"there are {least} of the rarest"
            )


def _can_choose(
    name: str, count: int, data: Samples, n: int, system: System, skip: int = 0
) -> None:
    try:
        choose(data, count, n, system.players, skip)
    except ValueError as error:
        raise ParameterError(f"{system.id}, {name} = {count}: {error}") from None


def _can_have_paper_patches(p: FiveGroups, data: Samples, system: System) -> None:
    try:
        choose(data, p.images, p.paper_patches, PAPER_DRAW, p.skip_images)
    except ValueError as error:
        side = PAPER_DRAW.cell
        raise ParameterError(
            f"{system.id}, paper_patches = {p.paper_patches} (cells of {side}x{side} pixels): "
            f"{error}"
        ) from None


def _can_be_shown(p: Modalities, system: System) -> None:
    """A system that is not on this machine is named by the notebook, and left out."""
    if isinstance(system.data, Values):
        raise ParameterError(f"{system.id}: the samples of a value table are not there to be shown")
    if not systems.state(system).startswith("needs "):
        data = datasets.load(system.data, p.image_split)
        _can_choose("images", p.images, data, 2, system, p.skip_images)


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
