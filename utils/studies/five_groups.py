"""04: games between feature components over all of training, and what they are held against."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ..evidence.both import Both
from ..evidence.courses import Courses, Rule, select
from ..evidence.output import Outputs
from ..evidence.patches import PAPER_PLAYERS, AgainstPatches
from ..jobs import Job, ensure, ensure_all
from ..jobs.attributions import Maps
from ..jobs.components import Basis
from ..jobs.games import CertifiedGames
from ..metrics import groups
from ..params import FiveGroups as Settings
from ..train import Run
from . import networks as games_of
from . import planted_toy
from .base import Study, named, nearest_floor
from .component_jobs import component_jobs
from .networks import Trained, accuracies, made
from .planted_toy import planted

__all__ = [
    "FiveGroups",
    "changed_groups",
    "contrasts",
    "course_studies",
    "pairs",
    "plan",
    "planted",
    "studies",
]


@dataclasses.dataclass(frozen=True, eq=False)
class FiveGroups(Study[CertifiedGames]):
    """Games between components of one system's features at all checkpoints.

    layer: whose features; whole (R, C, X): g(f) of whole features, ε included; basis: the
    components. outputs: the same games with those of matched noise and without noise terms beside.
    patches: against patches of the image, None of other samples; redrawn: against other
    ones. top: courses of each image's
    strongest interactions; each: of the strongest of every order; sparse: from every second
    checkpoint. maps: of some images, first seed.
    """

    layer: str = dataclasses.field(kw_only=True)
    whole: torch.Tensor = dataclasses.field(kw_only=True)
    basis: Basis = dataclasses.field(kw_only=True)
    outputs: Study[Outputs] = dataclasses.field(kw_only=True)
    patches: Study[AgainstPatches] | None = dataclasses.field(kw_only=True)
    redrawn: AgainstPatches | None = dataclasses.field(kw_only=True)
    top: Study[Courses] = dataclasses.field(kw_only=True)
    each: Study[Courses] = dataclasses.field(kw_only=True)
    sparse: Courses = dataclasses.field(kw_only=True)
    maps: Maps | None = dataclasses.field(kw_only=True)


def studies(p: Settings) -> list[FiveGroups]:
    """A study per system of ``p``: what is missing is trained, taken apart, scored and split.

    ValueError for a layer that the network lacks (listing its layers) or more components than the
    features span.
    """
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> FiveGroups:
    jobs, name = component_jobs(p, system), system.name
    ensure_all([job.features for job in jobs.games], f"features of {name}")
    pooled = ensure_all(jobs.pca, f"components of {name}")
    games = {a: splits.load() for a, splits in jobs.ends.items()}
    done = {what: splits.load() for what, splits in jobs.splits.items()}
    facts = ((system.of,), system.seeds, _scope(p, system), accuracies(system, runs))
    main, e = next(iter(games.items()))
    outputs = {a: Outputs(one) for a, one in games.items()}
    outputs[main] = Outputs(e, done["noise"], done["exact"])
    against, redrawn = (
        AgainstPatches(e, done[raw], done["paper"]) if raw in done else None
        for raw in ("raw", "redrawn")
    )
    top, each, sparse = course_studies(p, Study(*facts, games))
    return FiveGroups(
        *facts,
        games,
        layer=system.of.half_depth,
        whole=torch.stack([g.whole for g in ensure_all(jobs.games, f"scores of {name}")]),
        basis=Basis(
            pooled,
            ensure_all(jobs.start, f"untrained {name}"),
            ensure_all(jobs.rebuilt, f"accuracies of {name}"),
        ),
        outputs=Study(*facts, outputs),
        patches=Study(*facts, {main: against}, _changed_patches(p)) if against else None,
        redrawn=redrawn,
        top=top,
        each=each,
        sparse=sparse,
        maps=None if jobs.maps is None else ensure(jobs.maps),
    )


def course_studies(
    p: Settings, s: Study[CertifiedGames]
) -> tuple[Study[Courses], Study[Courses], Courses]:
    """The courses of one system's interactions at both ends of the face, for rows on the strongest
    of each image and on those of every order; from every second checkpoint of the main analysis.

    Rows on courses are told the largest share of uncertified games among both ends.
    """
    rule = Rule(p.top, p.margins, p.walks, p.seeds)
    share = max(e.uncertified for e in s.games.values())
    found = {
        a: dataclasses.replace(select(e, rule, brief=e is not s.main), uncertified=share)
        for a, e in s.games.items()
    }
    facts = (s.systems, s.seeds, s.scope, s.accuracy, found)
    sparse = select(s.main, rule, every=2, brief=True)
    return Study(*facts, changed_groups(p)), Study(*facts), sparse


def pairs(found: Sequence[FiveGroups]) -> Iterator[Study[Both[CertifiedGames]]]:
    """M14: every two networks on one data set, ``mlp7_w256+lenet/mnist_part``."""
    for a, b in itertools.combinations(found, 2):
        if a.systems[0].data == b.systems[0].data:
            yield _pair(a, b, "with")


def contrasts(found: Sequence[FiveGroups]) -> Iterator[Study[Both[Courses]]]:
    """M9: the contrasts that Table 3 makes: between ResNet-20 and VGG-11 on every data set that has
    both, and of every network on MNIST, or the part of it, with itself on CIFAR-10."""
    by = {(s.systems[0].network.name, s.systems[0].data.name): s for s in found}
    for (network, data), one in by.items():
        others = []
        if network == "resnet20":
            others.append(("vgg11", data))
        if data in ("mnist", "mnist_part"):
            others.append((network, "cifar10"))
        for other in others:
            if other in by:
                yield _pair(one.top, by[other].top, "against")


def _pair(a: Study[Any], b: Study[Any], word: str) -> Study[Any]:
    """Two systems under every analysis."""
    systems, learnt = (*a.systems, *b.systems), None
    accuracy = [min(both) for both in zip(a.accuracy, b.accuracy, strict=True)]
    if systems[0].data != systems[1].data:
        learnt, accuracy = nearest_floor((systems[0], a.accuracy), (systems[1], b.accuracy))
    names = (named(systems[0], systems), named(systems[1], systems))
    return Study(
        systems,
        a.seeds,
        f"{a.scope}; {word} {b.scope}",
        accuracy,
        {
            analysis: Both(e, b.games[analysis], names)
            for analysis, e in a.games.items()
            if analysis in b.games
        },
        a.changed,
        learnt=learnt,
    )


def _scope(p: Settings, system: Trained) -> str:
    """For what a verdict speaks: networks, training, and what the players are."""
    of, samples = system.of, "test" if p.image_split == "test" else "training"
    return (
        f"{made(p, system)}; {p.images} {samples} {of.data.noun}; players: {p.n_players} principal "
        f"components of layer {of.half_depth} (PCA over {p.pca_images} training {of.data.noun} x "
        f"{p.checkpoints} checkpoints), masked by those of the {of.masked_by}; kappa "
        f"{p.kappa:g}"
    )


def _changed_patches(p: Settings) -> str | None:
    """What makes M4 another statistic than the registered one, in words; None: nothing."""
    if (p.n_players, p.paper_patches) == PAPER_PLAYERS:
        return None
    return f"{p.n_players} components and {p.paper_patches} patches instead of 10 and 12"


def changed_groups(p: Settings) -> str | None:
    """What makes M7 or M9 another statistic than the registered one, in words; None: nothing."""
    found = []
    if set(p.margins) != set(groups.MARGINS):
        found.append(f"margins {list(p.margins)} instead of {list(groups.MARGINS)}")
    if p.top != groups.TOP:
        found.append(f"the {p.top} strongest interactions instead of the {groups.TOP}")
    return "; ".join(found) or None


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study, and those of the planted toy set, which belong to none."""
    toys = [job for splits in planted_toy.planned(p).values() for job in splits.jobs]
    return [*component_jobs(p, system).all, *toys]
