"""Wrong labels: who is paired with whom, planted effects found, planted falsehoods and their nulls not reproduced."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import claims, datasets, extract, figures, jobs, lattice, params, train
from utils.interactions import Interactions
from utils.jobs import mislabelled, study
from utils.jobs.mislabelled import GROUPS, Memorised, Noisy
from utils.jobs.study import Extracted
from utils.metrics.matching import matched_pairs
from utils.models.tail import features, tail
from utils.rows import noisy_labels

N = 6
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"
PAIRS = 12


# Pairs -------------------------------------------------------------------------------------------------------------

def test_pairs_by_hand() -> None:
    size = torch.tensor([1.0, 9.0, 5.0, 1.2, 0.9, 8.0, 5.1, 1.1])
    label = torch.tensor([0, 0, 1, 0, 0, 0, 1, 1])
    treated = torch.tensor([True, True, True, False, False, False, False, False])
    # two bins, cut at the median of 1, 9 and 5
    assert matched_pairs(size, label, treated, ~treated, 2, 9) == [(0, 4), (2, 7), (1, 5)]
    assert matched_pairs(size, label, treated, ~treated, 1, 9) == [(0, 4), (2, 6), (1, 5)]
    assert matched_pairs(size, label, treated, ~treated, 2, 2) == [(0, 4), (2, 7)]
    assert matched_pairs(size, label, torch.zeros(8, dtype=torch.bool), treated, 2, 9) == []
    assert matched_pairs(size, label, treated, treated & ~treated, 2, 9) == []


@given(st.integers(0, 10 ** 6), st.integers(1, 6), st.integers(1, 30))
@settings(max_examples=60)
def test_pairs_share_class_and_bin_and_nobody_twice(seed: int, bins: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    size, label = torch.rand(60, generator=generator), torch.randint(0, 4, (60,), generator=generator)
    treated = torch.rand(60, generator=generator) < 0.3
    pairs = matched_pairs(size, label, treated, ~treated, bins, count)
    assert len(pairs) <= count
    used = [i for pair in pairs for i in pair]
    assert len(set(used)) == len(used)
    edges = np.quantile(size[treated].double().numpy(), np.linspace(0, 1, bins + 1))[1:-1] if bool(treated.any()) else []
    for i, j in pairs:
        assert bool(treated[i]) and not bool(treated[j]) and label[i] == label[j]
        assert np.searchsorted(edges, float(size[i])) == np.searchsorted(edges, float(size[j]))
    if count >= 60 or len(pairs) < count:  # whoever is left over has nobody to be paired with
        left = [i for i in treated.nonzero().flatten().tolist() if i not in used]
        cells = {(int(label[j]), int(np.searchsorted(edges, float(size[j])))) for j in range(60)
                 if not treated[j] and j not in used}
        assert all((int(label[i]), int(np.searchsorted(edges, float(size[i])))) not in cells for i in left)


# Rows --------------------------------------------------------------------------------------------------------------

def games(*high: float, noise: float = 0.02, seed: int = 0, pairs: int = PAIRS) -> Extracted:
    """A group of games per entry of ``high``: their share of strength in order 5, the rest in order 2."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.tensor(high, dtype=torch.float64)[None, :, None].expand(len(SEEDS), -1, pairs)
    share = (share + noise * torch.randn(share.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)
    order = lattice.order(N)
    conj = torch.zeros(*share.shape, 1 << N, dtype=torch.float64)
    conj[..., int((order == 2).nonzero()[0])] = 1 - share
    conj[..., int((order == 5).nonzero()[0])] = -share
    found = Interactions(conj, torch.zeros_like(conj))
    nothing = torch.zeros(share.shape, dtype=torch.float64)
    return Extracted(v=found.reconstruct(), found=found, kappa=0.0, gap=nothing, error=nothing, l1=nothing,
                     converged=torch.ones(share.shape, dtype=torch.bool), steps=np.arange(len(high)),
                     saturated=torch.zeros(share.shape[:2]), noise_floor=torch.full(share.shape[:2], 1e-9))


def paired(kept: int = PAIRS, ratio: float = 1.0) -> types.SimpleNamespace:
    size = torch.stack([ratio * torch.ones(PAIRS), torch.ones(PAIRS)])
    return types.SimpleNamespace(kept=torch.arange(PAIRS) < kept, size=size)


def memorised(right: int = 10, wrong: int = 10) -> Memorised:
    """100 images of which ``wrong`` are mislabelled, ``right`` of these are answered as given."""
    true = torch.arange(100) % 10
    flipped = torch.arange(100) < wrong
    told = torch.where(flipped, (true + 1) % 10, true)
    answers = torch.where(torch.arange(100) < right, told, true)
    return Memorised(answers=answers, given=told, true=true, flipped=flipped, output=torch.ones(100, dtype=torch.float64))


def found(main: Extracted, other: Extracted | None = None, **pairs: float) -> Noisy:
    return Noisy(main, [paired(**pairs)] * len(SEEDS), {"order weight -0.2": other or main})


def judged(row: str, noisy: Noisy, known: Memorised | None = None) -> claims.Verdict:
    p = params.validate("07_noisy_labels", n_players=N)
    everyone = [known or memorised()] * len(SEEDS)
    return claims.judge(
        row, SYSTEM, noisy_labels.difference_parts(noisy.main), seeds=SEEDS, scope="a test",
        premises=noisy_labels.premises(everyone, noisy, SEEDS), uncertified=noisy_labels.uncertified(noisy),
        variants=noisy_labels.variants(noisy), reported=noisy_labels.reported(p, noisy),
        control=noisy_labels.controls(everyone, noisy))


EFFECT = (0.5, 0.3, 0.3, 0.4, 0.2, 0.2)


@pytest.mark.parametrize("row", ["D13", "M13"])
def test_a_planted_effect_is_found_and_its_opposite_is_not(row: str) -> None:
    verdict = judged(row, found(games(*EFFECT)))
    assert verdict.verdict == "REPRODUCED"
    assert verdict.estimate == pytest.approx(0.2, abs=0.02)
    swapped = games(*(EFFECT[k] for k in (1, 0, 2, 3, 5, 4)))
    assert judged(row, found(swapped)).verdict == "NOT REPRODUCED"


def test_no_effect_is_not_called_one() -> None:
    verdicts = [judged("D13", found(games(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, noise=0.2, seed=s))).verdict for s in range(60)]
    assert verdicts.count("REPRODUCED") <= 3


def test_what_is_there_before_training_or_at_one_end_of_the_face_is_inconclusive() -> None:
    before = judged("D13", found(games(0.5, 0.3, 0.3, 0.4, 0.5, 0.2)))
    assert before.verdict == "INCONCLUSIVE" and "untrained network (N0)" in before.reason
    one_end = judged("D13", found(games(*EFFECT), games(0.3, 0.5, 0.3, 0.4, 0.2, 0.2)))
    assert one_end.verdict == "INCONCLUSIVE" and "order weight -0.2" in one_end.reason


def test_ablations_are_reported_and_do_not_decide() -> None:
    verdict = judged("D13", found(games(0.5, 0.3, 0.6, 0.1, 0.2, 0.2)))
    assert verdict.verdict == "REPRODUCED"
    others = {name: result["decision"] for name, result in verdict.control["reported"].items()}
    assert others["the true label as target"] == others["clean images of the class, unmatched"] == "NOT REPRODUCED"
    assert others["orders 3 and above"] == others["orders 5 and above"] == "REPRODUCED"


@pytest.mark.parametrize(("known", "pairs", "reason"), [
    (memorised(right=5), {}, r"0\.5.*did not memorise; at least 0\.9 is needed"),
    (memorised(right=0, wrong=0), {}, "set label_noise above 0"),
    (memorised(), {"kept": 9}, r"9.*fewer than the 10 needed"),
    (memorised(), {"ratio": 0.9}, r"-0\.1.*differ by more than 0\.05"),
])
def test_what_is_missing_is_named_with_the_number(known: Memorised, pairs: dict[str, float], reason: str) -> None:
    verdict = judged("D13", found(games(*EFFECT), **pairs), known)
    assert verdict.verdict == "INCONCLUSIVE"
    assert pd.Series([verdict.reason]).str.contains(reason).all(), verdict.reason


def test_empty_rows_and_uncertified_games_do_not_count() -> None:
    e = games(*EFFECT)
    for part in (e.found.and_, e.v):
        part[:, :, 10:] = 0  # as a job leaves what it found no pair for
    assert judged("D13", found(e, kept=10)).estimate == pytest.approx(0.2, abs=0.02)
    e.converged[0, 1, 3] = False
    e.found.and_[0, 1, 3] *= 1e6
    (loud,), (quiet,) = (noisy_labels.difference_parts(e, certified_only=only) for only in (False, True))
    assert abs(loud.values[0] - quiet.values[0]) > 0.005
    assert (loud.values[1:] == quiet.values[1:]).all()


def test_nothing_paired_is_no_value_and_no_crash() -> None:
    e = games(*EFFECT)
    empty = dataclasses.replace(e, v=0 * e.v, found=Interactions(0 * e.found.and_, 0 * e.found.or_))
    verdict = judged("D13", found(empty, kept=0), memorised(right=0))
    assert verdict.verdict == "INCONCLUSIVE" and verdict.n == 0
    bars = noisy_labels.bar_table(empty, [paired(0)] * 5, "mean_output")
    figures.groups_and_shares(bars, noisy_labels.share_table(found(empty, kept=0))).canvas.draw()


def test_the_tables_of_the_figure() -> None:
    bars = noisy_labels.bar_table(games(*EFFECT, noise=0.0), [paired()] * 5, "mean_output").set_index(["images", "order"])
    assert bars.loc[("clean", 2), "positive"] == pytest.approx(0.7)
    assert bars.loc[("mislabelled", 5), "negative"] == pytest.approx(-0.5)
    shares = noisy_labels.share_table(found(games(*EFFECT, noise=0.0))).set_index(["panel", "images", "order"])["share"]
    assert shares["after training", "mislabelled, true label", 5] == pytest.approx(0.4)
    assert shares["untrained network (N0)", "clean", 2] == pytest.approx(0.8)


# From parameters to games ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def small() -> tuple[params.NoisyLabels, study.System]:
    p = params.validate("07_noisy_labels", networks=["mlp7"], seeds=[0, 3], images=8, n_players=5, checkpoints=3, bins=2,
                        label_noise=0.2, pca_images=100,
                        training={"mlp7": {"width": 128, "steps": 1500, "n_train": 100, "batch": 10, "first_checkpoint": 5}})
    (system,) = mislabelled.noisy_systems(p)
    return p, system


def test_networks_learn_wrong_labels_by_heart(small: tuple[params.NoisyLabels, study.System]) -> None:
    p, system = small
    known = mislabelled.memorised(p, system)
    for m, job in zip(known, system.jobs, strict=True):
        assert int(m.flipped.sum()) == 20
        assert torch.equal(m.given, train.given_labels(job.config)[0])
        assert torch.equal(m.true, datasets.load("mnist_part", "train", 100).labels)
        assert m.accuracy(m.flipped, m.given) >= 0.9 > m.accuracy(m.flipped, m.true)
        run = jobs.ensure(job)
        logits = run.model(run.steps[-1])(datasets.load("mnist_part", "train", 100).images)
        assert torch.allclose(m.output, extract.score_of(logits, m.given), atol=1e-4)
    assert not torch.equal(known[0].flipped, known[1].flipped)
    table = noisy_labels.memorisation_table(known, p.seeds)
    assert table["mislabelled"].tolist() == [20, 20]


def test_games_are_those_of_the_pairs(small: tuple[params.NoisyLabels, study.System]) -> None:
    p, system = small
    noisy, known = mislabelled.noisy(p, system), mislabelled.memorised(p, system)
    assert noisy.main.v.shape == (2, len(GROUPS), 8, 32)
    assert set(noisy.others) == {"order weight -0.2", "pairs matched on |v(N) - v(empty)|", "second draw of players"}
    for r, (pairs, m) in enumerate(zip(noisy.pairs, known, strict=True)):
        some = pairs.kept
        one, other = pairs.one[some], pairs.other[some]
        assert len(one) >= 3
        assert bool(m.flipped[one].all()) and not bool(m.flipped[other].any())
        assert torch.equal(m.given[one], m.given[other])
        for g, images in ((0, one), (1, other)):  # on the whole image a game's value is the network's output
            assert torch.allclose(noisy.main.v[r, g, some, -1], m.output[images], atol=1e-4)
        assert bool((noisy.main.v[r, 3, some, -1] < 0).all())  # the true label is not what the network answers
        assert torch.allclose(pairs.size[0, some], m.output[one].abs())
        moved = (noisy.main.v[r] - noisy.main.v[r, ..., :1]).abs().mean((1, 2))
        assert float(moved[4:].max()) < 0.1 * float(moved[:2].min())  # masks hardly matter to an untrained network
        assert bool((noisy.main.v[r][:, ~some] == 0).all())
    assert not torch.equal(noisy.others["second draw of players"].v, noisy.main.v[:, :2])
    effect = noisy.others["pairs matched on |v(N) - v(empty)|"]
    assert effect.v.shape[1] == 2


def test_feature_components_are_scored_by_the_rest_of_the_network(small: tuple[params.NoisyLabels, study.System]) -> None:
    p, system = small
    noisy = mislabelled.noisy(p, system, components=True)
    assert set(noisy.others) == {"order weight -0.2"}
    run, pairs = jobs.ensure(system.jobs[0]), noisy.pairs[0]
    model, data = run.model(run.steps[-1]), datasets.load("mnist_part", "train", 100)
    parts = jobs.ensure(jobs.components.PCAJob(train=system.jobs[0], layer="hidden3", images=100, r=5))
    feature, _ = features(model, "hidden3", data.images[pairs.one[:1]])
    rebuilt = tail(model, "hidden3")(parts.rebuilt(feature).float())
    told = train.given_labels(run.config)[0][pairs.one[:1]]
    assert float(noisy.main.v[0, 0, 0, -1]) == pytest.approx(float(extract.score_of(rebuilt, told)), abs=1e-4)


@pytest.mark.parametrize(("given_values", "message"), [
    ({"label_noise": 1.0}, "less than 1"), ({"label_noise": -0.1}, "greater than or equal to 0"),
    ({"label_noise": "0.1"}, "number"),
    ({"n_players": 3}, "greater than or equal to 4"), ({"bins": 0}, "greater than or equal to 1"),
    ({"pca_images": 5000}, "cannot exceed training.mlp7.n_train"),
])
def test_wrong_parameters_are_refused(given_values: dict[str, object], message: str) -> None:
    with pytest.raises(params.ParameterError, match=message):
        params.validate("07_noisy_labels", **given_values)


def test_a_partial_table_keeps_this_notebooks_defaults() -> None:
    p = params.validate("07_noisy_labels", training={"lenet": {"steps": 10}}, layers={"lenet": "fc1"}, label_noise=0.0)
    assert p.training["lenet"].n_train == params.MEMORISING["lenet"].n_train
    assert p.training["mlp7"] == params.MEMORISING["mlp7"]
    assert p.layers["mlp7"] == "hidden3"


def test_without_wrong_labels_there_is_nothing_to_pair(small: tuple[params.NoisyLabels, study.System]) -> None:
    p = small[0].model_copy(update={"label_noise": 0.0, "seeds": (0,), "second_draw": False, "training": {
        "mlp7": small[0].training["mlp7"].model_copy(update={"steps": 10})}})
    (system,) = mislabelled.noisy_systems(p)
    noisy, known = mislabelled.noisy(p, system), mislabelled.memorised(p, system)
    assert bool((noisy.main.v == 0).all()) and noisy.main.uncertified == 0.0
    assert np.isnan(noisy_labels.difference_parts(noisy.main)[0].values).all()
    missing = {premise.name: premise.reason for premise in noisy_labels.premises(known, noisy, p.seeds) if not premise.ok}
    assert "set label_noise above 0" in missing["wrong labels memorised"] and "{0: 0}" in missing["pairs"]
    assert "label" in mislabelled.noisy_scope(p, system) and "hidden3" in mislabelled.noisy_scope(p, system, components=True)
