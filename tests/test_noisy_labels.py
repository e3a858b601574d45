"""Wrong labels: which images stand beside which, planted effects found, planted falsehoods and
nulls not reproduced."""

from __future__ import annotations

import dataclasses
import re
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import claims, datasets, extract, figures, jobs, lattice, params, systems, train
from utils.claims.weighing import decide, p_values, weigh
from utils.evidence import noisy_labels, noisy_tables
from utils.evidence.noisy_labels import NoisyGames, Samples
from utils.interactions import Interactions
from utils.jobs.games import CertifiedGames
from utils.jobs.mislabelled import GROUPS, Memorised, beside
from utils.models.tail import features, tail
from utils.studies import Analysis, Study
from utils.studies import noisy_labels as study
from utils.studies.base import CERTIFIED
from utils.studies.networks import Trained

N = 6
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"
PAIRS = 18


# Images -------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 30))
@settings(max_examples=60)
def test_both_groups_have_the_same_classes_and_nobody_twice(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    label, treated = (
        torch.randint(0, 4, (60,), generator=generator),
        torch.rand(60, generator=generator) < 0.3,
    )
    one, other = beside(label, treated, ~treated, count, seed)
    assert bool(treated[one].all()) and not bool(treated[other].any())
    assert torch.equal(label[one], label[other])
    assert len(set(one.tolist())) == len(one) <= count and len(set(other.tolist())) == len(other)
    possible = sum(
        min(int((treated & (label == c)).sum()), int((~treated & (label == c)).sum()))
        for c in range(4)
    )
    assert len(one) == min(count, possible)


def test_other_networks_have_other_images() -> None:
    label, treated = torch.arange(400) % 10, torch.arange(400) % 7 == 0
    first, again, second = (beside(label, treated, ~treated, 20, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len(set(first[1].tolist()) & set(second[1].tolist())) < 8
    assert [len(x) for x in beside(label, torch.zeros(400, dtype=torch.bool), treated, 5, 0)] == [
        0,
        0,
    ]


# Rows ---------------------------------------------------------------------------------------------


def planted(
    ratio: float = 0.0,
    coefficient: float = 0.0,
    *,
    bias: float = 0.0,
    images: int = 60,
    noise: float = 0.1,
    seed: int = 0,
) -> Samples:
    """Images whose high-order strength, and whose share at equal outputs, are larger by this much
    if mislabelled.

    bias: what a unit of |v(N)| takes off the share; mislabelled images answer less surely by 6.
    """
    rng = np.random.default_rng(seed)
    shape, wrong = (len(SEEDS), 2, images), np.array([1.0, 0.0])[:, None]
    output = np.abs(rng.normal(13.5 - 6 * wrong, 3.5, shape))
    effect = np.abs(0.5 * output + rng.normal(2, 2, shape))
    label = np.broadcast_to(np.arange(images) % 10, (len(SEEDS), images))
    share = (
        0.5
        + coefficient * wrong
        - bias * (output - 10)
        + 0.01 * (label[:, None] - 4.5)
        + noise * rng.normal(size=shape)
    )
    high = np.exp(ratio * wrong + 0.5 * rng.normal(size=shape))
    low = high / share.clip(0.05, 0.95) - high
    strength = np.stack([low, 0 * low, 0 * low, high / 2, high / 2], -1)
    return Samples(strength, output, effect, label, np.ones(label.shape, dtype=bool))


def test_both_statistics_against_plain_oracles() -> None:
    x = planted(0.3, 0.05, bias=0.01, images=33)
    x.kept[2, 20:] = False
    ratio, coefficient = noisy_labels.label_parts(x)
    assert ratio.without is None and coefficient.without is None, (
        "networks have images of their own"
    )
    for s in range(len(SEEDS)):
        kept = x.kept[s]
        means = [x.strength[s, g, kept, 3:].sum(-1).mean() for g in (0, 1)]
        assert ratio.values[s] == pytest.approx(np.log(means[0] / means[1]))
        rows, target = [], []
        for g in (0, 1):
            for i in np.flatnonzero(kept):
                classes = [float(x.label[s, i] == c) for c in range(10)]
                rows.append([1.0 - g, x.output[s, g, i], x.effect[s, g, i], *classes])
                target.append(x.strength[s, g, i, 3:].sum() / x.strength[s, g, i].sum())
        expected = np.linalg.lstsq(np.array(rows), np.array(target), rcond=None)[0][0]
        assert coefficient.values[s] == pytest.approx(expected)


def weighed(x: Samples) -> dict[str, str]:
    """Each reading alone, decided by the registered thresholds and no simulation."""
    registry = claims.load()
    thresholds = registry.row("D13").thresholds_for(SYSTEM)
    return {
        t.reading: decide(
            *p_values([[weigh(part, t, registry.protocol, len(SEEDS))]]), registry.protocol.alpha
        )
        for part in noisy_labels.label_parts(x)
        for t in [thresholds[part.name]]
    }


def test_planted_effects_are_found_and_planted_falsehoods_are_not() -> None:
    assert weighed(planted(0.8, 0.15)) == {"as_stated": "REPRODUCED", "specific": "REPRODUCED"}
    assert weighed(planted(-0.8, -0.15)) == {
        "as_stated": "NOT REPRODUCED",
        "specific": "NOT REPRODUCED",
    }
    nothing = weighed(planted(0.0, 0.0, images=2000, noise=0.02))
    assert nothing == {"as_stated": "NOT REPRODUCED", "specific": "NOT REPRODUCED"}


def test_weaker_answers_are_not_wrong_labels() -> None:
    """The audit's case: shares that depend on |v(N)| alone differ between the groups, and the
    regression says so."""
    x = planted(0.8, 0.0, bias=0.03, images=400, noise=0.05)
    share = x.strength[..., 3:].sum(-1) / x.strength.sum(-1)
    assert (share[:, 0] - share[:, 1]).mean() > 0.1
    assert weighed(x) == {"as_stated": "REPRODUCED", "specific": "NOT REPRODUCED"}


def test_a_label_that_the_outputs_tell_has_no_coefficient() -> None:
    x = planted(0.3, 0.1)
    told = dataclasses.replace(
        x, output=np.broadcast_to(np.array([1.0, 2.0])[:, None], x.output.shape).copy()
    )
    ratio, coefficient = noisy_labels.label_parts(told)
    assert np.isfinite(ratio.values).all() and np.isnan(coefficient.values).all()


def test_common_outputs_are_counted() -> None:
    x = planted(images=4)
    x.output[:, 1], x.effect[:, 1] = [1, 2, 3, 9], [1, 2, 3, 4]
    x.output[:, 0], x.effect[:, 0] = [0.5, 2, 8, 9.5], [2, 2, 5, 2]
    assert noisy_labels.overlapping(x).tolist() == [1] * 5
    x.kept[0, 1:] = False
    assert noisy_labels.overlapping(x)[0] == 0


def games(*high: float, noise: float = 0.02, seed: int = 0, pairs: int = PAIRS) -> CertifiedGames:
    """A group of games per entry of ``high``: their share of strength in order 5, the rest in order
    2."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.tensor(high, dtype=torch.float64)[None, :, None].expand(len(SEEDS), -1, pairs)
    share = (
        share + noise * torch.randn(share.shape, generator=generator, dtype=torch.float64)
    ).clamp(0, 1)
    order = lattice.order(N)
    conj = torch.zeros(*share.shape, 1 << N, dtype=torch.float64)
    conj[..., int((order == 2).nonzero()[0])] = 1 - share
    conj[..., int((order == 5).nonzero()[0])] = -share
    found = Interactions(conj, torch.zeros_like(conj))
    nothing = torch.zeros(share.shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=0.0,
        gap=nothing,
        error=nothing,
        l1=nothing,
        converged=torch.ones(share.shape, dtype=torch.bool),
        steps=np.arange(len(high)),
        saturated=torch.zeros(share.shape[:2]),
        noise_floor=torch.full(share.shape[:2], 1e-9),
    )


def chosen(kept: int = PAIRS) -> types.SimpleNamespace:
    return types.SimpleNamespace(kept=torch.arange(PAIRS) < kept, label=torch.arange(PAIRS) % 3)


def memorised(right: int = 10, wrong: int = 10) -> Memorised:
    """100 images of which ``wrong`` are mislabelled, ``right`` of these are answered as given."""
    true = torch.arange(100) % 10
    flipped = torch.arange(100) < wrong
    told = torch.where(flipped, (true + 1) % 10, true)
    answers = torch.where(torch.arange(100) < right, told, true)
    return Memorised(
        answers=answers,
        given=told,
        true=true,
        flipped=flipped,
        output=torch.ones(100, dtype=torch.float64),
    )


EFFECT = (0.5, 0.3, 0.4, 0.2, 0.2)


def found(main: CertifiedGames, kept: int = PAIRS) -> NoisyGames:
    return NoisyGames(main, [chosen(kept)] * len(SEEDS))


def test_variants_and_reported_analyses() -> None:
    noisy, other = found(games(*EFFECT)), found(games(0.3, 0.5, 0.4, 0.2, 0.2))
    by = {Analysis(0.2): noisy, Analysis(-0.2): other}
    one = Study((systems.find(SYSTEM),), SEEDS, "a test", None, games=by)
    case = one.case(noisy_labels.wrong_labels, beside=noisy_labels.beside(noisy))
    gates, shown = case["variants"], case["reported"]
    assert set(gates) == {"order weight -0.2", CERTIFIED}
    values = {name: parts[0].values.mean() for name, parts in (gates | shown).items()}
    assert values["order weight -0.2"] == pytest.approx(np.log(3 / 5), abs=0.05)
    assert values["uncertified games dropped"] == pytest.approx(np.log(5 / 3), abs=0.05)
    assert values["the true label as target"] == pytest.approx(np.log(4 / 3), abs=0.05)
    assert values["minus the untrained network (N0)"] == pytest.approx(np.log(5 / 3), abs=0.1)
    assert (
        values["orders 3 and above"]
        == values["orders 5 and above"]
        == pytest.approx(np.log(5 / 3), abs=0.05)
    )


@pytest.mark.parametrize(
    ("known", "kept", "reason"),
    [
        (memorised(right=5), PAIRS, r"0\.5.*did not memorise; at least 0\.9 is needed"),
        (memorised(right=0, wrong=0), PAIRS, "set label_noise above 0"),
        (memorised(), 9, r"fewer than the 15 needed"),
    ],
)
def test_what_is_missing_is_named_with_the_number(known: Memorised, kept: int, reason: str) -> None:
    failed = [
        x
        for x in noisy_labels.premises(
            [known] * len(SEEDS), found(games(*EFFECT), kept=kept), SEEDS
        )
        if not x.ok
    ]
    assert any(re.search(reason, x.reason) for x in failed), failed
    assert all(x.reading == ("specific" if x.name == "common outputs" else None) for x in failed)


def test_empty_rows_and_uncertified_games_do_not_count() -> None:
    e = games(*EFFECT)
    whole = noisy_labels.wrong_labels(found(e, 10))[0].values
    for part in (e.found.and_, e.v):
        part[:, :, 10:] = 0  # as a job leaves what it found no image for
    assert noisy_labels.wrong_labels(found(e, 10))[0].values == pytest.approx(whole)
    e.converged[0, 1, 3] = False
    e.found.and_[0, 1, 3] *= 1e6
    loud, quiet = (
        noisy_labels.wrong_labels(x)[0].values for x in (found(e, 10), found(e, 10).certified())
    )
    assert abs(loud[0] - quiet[0]) > 1 and (loud[1:] == quiet[1:]).all()


def test_no_image_found_is_no_value_and_no_crash() -> None:
    e = games(*EFFECT)
    empty = found(
        dataclasses.replace(e, v=0 * e.v, found=Interactions(0 * e.found.and_, 0 * e.found.or_)),
        kept=0,
    )
    parts = noisy_labels.wrong_labels(empty)
    assert all(np.isnan(part.values).all() for part in parts)
    assert noisy_tables.image_table(empty, SEEDS).empty
    noisy_labels.controls([memorised()] * len(SEEDS), empty)
    bars = noisy_tables.bar_table(empty, "mean_output")
    figures.groups_and_shares(bars, noisy_tables.share_table(empty)).canvas.draw()


def test_the_tables_of_the_figure() -> None:
    noisy = found(games(*EFFECT, noise=0.0))
    bars = noisy_tables.bar_table(noisy, "mean_output").set_index(["images", "order"])
    assert bars.loc[("clean", 2), "positive"] == pytest.approx(0.7)
    assert bars.loc[("mislabelled", 5), "negative"] == pytest.approx(-0.5)
    shares = noisy_tables.share_table(noisy).set_index(["panel", "images", "order"])["share"]
    assert shares["after training", "mislabelled, true label", 5] == pytest.approx(0.4)
    assert shares["untrained network (N0)", "clean", 2] == pytest.approx(0.8)
    assert len(noisy_tables.image_table(noisy, SEEDS)) == 2 * PAIRS * len(SEEDS)


# From parameters to games -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> tuple[params.NoisyLabels, Trained]:
    p = params.validate(
        "07_noisy_labels",
        systems=["mlp7_w256/mnist_part"],
        seeds=[0, 3],
        images=8,
        n_players=5,
        checkpoints=3,
        label_noise=0.2,
        pca_images=100,
        change={
            "width": 128,
            "memorising": {"steps": 1500, "n_train": 100, "batch": 10, "first_checkpoint": 5},
            "floor": {"value": 0.2, "source": "a test"},
        },
    )
    (system,) = study.systems(p)
    return p, system


def test_networks_learn_wrong_labels_by_heart(
    small: tuple[params.NoisyLabels, Trained],
) -> None:
    p, system = small
    known = study.studies(p)[0].known
    for m, job in zip(known, system.jobs, strict=True):
        assert int(m.flipped.sum()) == 20
        assert torch.equal(m.given, train.given_labels(job.config)[0])
        assert torch.equal(m.true, datasets.load("mnist_part", "train", 100).labels)
        assert m.accuracy(m.flipped, m.given) >= 0.9 > m.accuracy(m.flipped, m.true)
        run = jobs.ensure(job)
        logits = run.model(run.steps[-1])(datasets.load("mnist_part", "train", 100).x)
        assert torch.allclose(m.output, extract.score_of(logits, m.given), atol=1e-4)
    assert not torch.equal(known[0].flipped, known[1].flipped)
    table = noisy_tables.memorisation_table(known, p.seeds)
    assert table["mislabelled"].tolist() == [20, 20]


def test_games_are_those_of_the_pairs(small: tuple[params.NoisyLabels, Trained]) -> None:
    p, _ = small
    (one,) = study.studies(p)
    noisy, known, others = one.patches.main, one.known, one.patches.games
    assert noisy.e.v.shape == (2, len(GROUPS), 8, 32)
    assert [a.label for a in others][1:] == ["order weight -0.2", "second draw of players"]
    for r, (images, m) in enumerate(zip(noisy.images, known, strict=True)):
        some = images.kept
        one, other = images.one[some], images.other[some]
        assert len(one) >= 3
        assert bool(m.flipped[one].all()) and not bool(m.flipped[other].any())
        assert torch.equal(m.given[one], m.given[other]) and torch.equal(
            m.given[one], images.label[some]
        )
        for g, those in (
            (0, one),
            (1, other),
        ):  # on the whole image a game's value is the network's output
            assert torch.allclose(noisy.e.v[r, g, some, -1], m.output[those], atol=1e-4)
        assert bool(
            (noisy.e.v[r, 2, some, -1] < 0).all()
        )  # the true label is not what the network answers
        moved = (noisy.e.v[r] - noisy.e.v[r, ..., :1]).abs().mean((1, 2))
        assert float(moved[3:].max()) < 0.1 * float(
            moved[:2].min()
        )  # masks hardly matter to an untrained network
        assert bool((noisy.e.v[r][:, ~some] == 0).all())
    assert torch.equal(others[Analysis(-0.2)].e.v, noisy.e.v[:, :2])
    assert not torch.equal(others[Analysis(0.2, draw=1)].e.v, noisy.e.v[:, :2])


def test_feature_components_are_scored_by_the_rest_of_the_network(
    small: tuple[params.NoisyLabels, Trained],
) -> None:
    p, system = small
    games = study.studies(p)[0].components.games
    noisy = games[Analysis(0.2)]
    assert set(games) == {Analysis(0.2), Analysis(-0.2)}
    run, images = jobs.ensure(system.jobs[0]), noisy.images[0]
    model, data = run.model(run.steps[-1]), datasets.load("mnist_part", "train", 100)
    parts = jobs.ensure(
        jobs.components.PCAJob(train=system.jobs[0], layer="hidden3", images=100, r=5)
    )
    feature, _ = features(model, "hidden3", data.x[images.one[:1]])
    rebuilt = tail(model, "hidden3")(parts.rebuilt(feature).float())
    told = train.given_labels(run.config)[0][images.one[:1]]
    assert float(noisy.e.v[0, 0, 0, -1]) == pytest.approx(
        float(extract.score_of(rebuilt, told)), abs=1e-4
    )


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"label_noise": 1.0}, "less than 1"),
        ({"label_noise": -0.1}, "greater than or equal to 0"),
        ({"label_noise": "0.1"}, "number"),
        ({"n_players": 3}, "greater than or equal to 4"),
        ({"bins": 5}, "bins"),
        (
            {"pca_images": 5000},
            r"cannot exceed memorising.n_train \(1000\) of mlp7_w256/mnist_part",
        ),
    ],
)
def test_wrong_parameters_are_refused(given_values: dict[str, object], message: str) -> None:
    with pytest.raises(params.ParameterError, match=message):
        params.validate("07_noisy_labels", **given_values)


def test_a_partial_table_keeps_this_notebooks_defaults() -> None:
    p = params.validate(
        "07_noisy_labels",
        change={"lenet/mnist_part": {"memorising": {"steps": 100}, "half_depth": "fc1"}},
        label_noise=0.0,
    )
    mlp, lenet = p.chosen
    theirs = [systems.find(one.id) for one in (mlp, lenet)]
    assert lenet.memorising == theirs[1].memorising.model_copy(update={"steps": 100})
    assert (lenet.half_depth, lenet.training) == ("fc1", theirs[1].training)
    assert mlp == theirs[0] and mlp.half_depth == "hidden3"
    assert p.training_of(lenet) == lenet.memorising


def test_without_wrong_labels_there_is_nothing_to_pair(
    small: tuple[params.NoisyLabels, Trained],
) -> None:
    change = {**small[0].change, "memorising": {**small[0].change["memorising"], "steps": 10}}
    fewer = {"label_noise": 0.0, "seeds": (0,), "second_draw": False, "change": change}
    p = small[0].model_copy(update=fewer)
    (one,) = study.studies(p)
    noisy, known = one.patches.main, one.known
    assert bool((noisy.e.v == 0).all()) and noisy.uncertified == 0.0
    parts = noisy_labels.wrong_labels(noisy)
    assert all(np.isnan(part.values).all() for part in parts)
    missing = {
        premise.name: premise.reason
        for premise in noisy_labels.premises(known, noisy, p.seeds)
        if not premise.ok
    }
    assert (
        "set label_noise above 0" in missing["wrong labels memorised"]
        and "{0: 0}" in missing["common outputs"]
    )
    assert "label" in one.patches.scope and "hidden3" in one.components.scope
