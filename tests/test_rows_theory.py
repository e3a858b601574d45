"""Rows of the theory: planted truths are found, other courses of learning are not, and noise is not called a theory."""

from __future__ import annotations

import functools
import types

import numpy as np
import pandas as pd
import pytest
import torch

from utils import claims, figures, lattice, params, theory
from utils.interactions import Interactions
from utils.jobs import perturbed, study
from utils.jobs.perturbed import Perturbed
from utils.jobs.study import Extracted
from utils.rows import closed_form, theoretical_fit, variance_law

N, IMAGES = 5, 8
ORDER = lattice.order(N)
STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"
TURN, CHECKPOINTS = 6, len(STEPS)
DEFAULT = params.validate("03_theoretical_fit")


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, 1 << N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def extracted(conj: torch.Tensor, disj: torch.Tensor, steps: np.ndarray = STEPS) -> Extracted:
    disj[..., 0] = 0
    found = Interactions(conj, disj)
    nothing = torch.zeros(conj.shape[:-1], dtype=torch.float64)
    return Extracted(v=found.reconstruct(), found=found, kappa=0.0, gap=nothing, error=nothing.clone(), l1=nothing,
                     converged=torch.ones(nothing.shape, dtype=torch.bool), steps=steps,
                     saturated=torch.zeros(conj.shape[:2]), noise_floor=torch.full(conj.shape[:2], 1e-9))


def final(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Interactions at the last checkpoint (R, X, 2^n): all orders about equally strong, first order in AND alone."""
    size = torch.bincount(ORDER)[ORDER].double().rsqrt()
    conj, disj = (draws(len(SEEDS), IMAGES, seed=10 * seed + k) * size for k in (0, 1))
    return conj, torch.where(ORDER > 1, disj, 0.0)


def noise(seed: int) -> list[torch.Tensor]:
    """AND and OR interactions (R, C, X, 2^n) of independent noise."""
    conj, disj = (draws(len(SEEDS), CHECKPOINTS, IMAGES, seed=1000 + 2 * seed + k) * 2.0 ** (ORDER / 2) for k in (0, 1))
    return [conj, torch.where(ORDER > 1, disj, 0.0)]


LEVELS = [0.3 * 0.2**c for c in range(CHECKPOINTS - TURN - 1)]


def learnt(how: str, seed: int = 0, with_or: bool = False) -> Extracted:
    """Noise up to TURN; from there the final interactions through the theory or through a rival, ever less reduced."""
    shrink = {"theory": lambda w, c: theory.noisy_weights(w, [LEVELS[c]])[0],
              "exponential": lambda w, c: theory.exponential_shrink(w, [2.0 * 0.6**c])[0],
              "cut": lambda w, c: theory.hard_cut(w, [1 + c])[0]}[how]
    conj, disj = (torch.cat([start[:, :TURN], torch.stack([shrink(w, c) for c in range(len(LEVELS))] + [w], 1)], 1)
                  for w, start in zip(final(seed), noise(seed), strict=True))
    return extracted(conj, disj * with_or)


def parts(e: Extracted, **how: bool) -> list[claims.Part]:
    return theoretical_fit.fit_parts(theoretical_fit.held_out(e, theoretical_fit.phase2_times(e), **how), len(SEEDS))


def judged(e: Extracted) -> claims.Verdict:
    found = parts(e)
    return claims.judge("D10", SYSTEM, found, seeds=SEEDS, scope="a test", accuracy=[0.99] * 5, uncertified=0.0,
                        variants={"order weight -0.2": found}, premises=[theoretical_fit.has_times(e)])


# --- D10 ----------------------------------------------------------------------------------------------------------------


def test_the_theory_is_found_where_it_is_true() -> None:
    e = learnt("theory")
    assert theoretical_fit.phase2_times(e) == ({6: "early", 8: "intermediate", 10: "late"},) * 2
    verdict = judged(e)
    assert verdict.verdict == "REPRODUCED", verdict.reason
    found = theoretical_fit.held_out(e, theoretical_fit.phase2_times(e))
    for one in found:
        if one.model == "noise":
            assert one.value == pytest.approx(LEVELS[one.checkpoint - TURN], rel=0.02)
            assert one.distance < 1e-3 and one.fitted < 1e-3


def test_the_theory_is_found_in_and_with_or_interactions() -> None:
    assert judged(learnt("theory", with_or=True)).verdict == "REPRODUCED"


@pytest.mark.parametrize("how", ["exponential", "cut"])
def test_a_fit_that_a_rival_explains_is_not_specific(how: str) -> None:
    verdict = judged(learnt(how))
    assert verdict.verdict == "NOT REPRODUCED"
    assert "distance_minus_best_rival" in verdict.reason


def test_a_theory_that_is_true_for_half_of_the_networks_is_not_reproduced() -> None:
    e, other = learnt("theory"), learnt("exponential")
    for mine, theirs in ((e.found.and_, other.found.and_), (e.found.or_, other.found.or_)):
        mine[::2] = theirs[::2]
    assert judged(e).verdict != "REPRODUCED"


@pytest.mark.parametrize("kind", ["independent noise", "random walks"])
def test_where_nothing_is_learnt_there_is_no_theory(kind: str) -> None:
    verdicts = []
    for seed in range(6):
        games = noise(seed) if kind == "independent noise" else [w.cumsum(1) for w in noise(seed)]
        verdicts.append(judged(extracted(*games)).verdict)
    assert "REPRODUCED" not in verdicts


def test_the_half_that_is_judged_does_not_choose() -> None:
    """Other games on the second half change what is judged there and nothing of what the first half fits."""
    e, other = learnt("theory"), learnt("exponential", seed=3)
    times = theoretical_fit.phase2_times(e)
    before = theoretical_fit.held_out(e, times)
    for mine, theirs in ((e.found.and_, other.found.and_), (e.found.or_, other.found.or_)):
        mine[:, :, IMAGES // 2:] = theirs[:, :, IMAGES // 2:]
    after = theoretical_fit.held_out(e, times)
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a.half == 0 and a.model in theory.MODELS]
    assert pairs and all((a.value, a.fitted) == (b.value, b.fitted) for a, b in pairs)
    assert all(not torch.equal(a.real, b.real) for a, b in pairs)


def test_the_best_rival_by_hand() -> None:
    """Theory .2 and .3; cut .3 and .1, mix .1 and .5, exponential .25 and .25 on the halves: cut is the best, with .2."""
    blank = {"seed": 0, "checkpoint": 6, "time": "early", "value": 0.0, "fitted": 0.0, "real": torch.ones(1),
             "predicted": torch.ones(1)}
    numbers = {"noise": (0.2, 0.3), "cut": (0.3, 0.1), "mix": (0.1, 0.5), "exponential": (0.25, 0.25),
               theoretical_fit.SAMPLING: (0.0, 0.0)}
    found = [theoretical_fit.HeldOut(model=m, half=h, distance=d[h], **blank) for m, d in numbers.items() for h in (0, 1)]
    distance, difference = theoretical_fit.fit_parts(found, 2)
    assert distance.values[0] == pytest.approx(0.25) and difference.values[0] == pytest.approx(0.05)
    assert np.isnan(distance.values[1]) and np.isnan(difference.values[1])


def test_the_last_checkpoints_are_no_targets() -> None:
    e = learnt("theory")
    steps = e.steps[[c for half in theoretical_fit.phase2_times(e) for c in half]]
    assert steps.max() <= 0.5 * e.steps[-1]


@pytest.mark.parametrize(("kept", "late"), [([0, 3, 11], 4), ([0, 1, 2, 3, 4, 6, 10, 11], 600)],
                         ids=["three checkpoints", "one in phase 2"])
def test_too_few_checkpoints_are_inconclusive_with_the_number_needed(kept: list[int], late: int) -> None:
    whole, steps = learnt("theory"), STEPS[kept]
    steps[-2] = late
    e = extracted(whole.found.and_[:, kept], whole.found.or_[:, kept], steps)
    verdict = judged(e)
    assert verdict.verdict == "INCONCLUSIVE"
    assert "at least 2 checkpoints are needed" in verdict.reason
    found = theoretical_fit.held_out(e, theoretical_fit.phase2_times(e), everywhere=True)
    assert theoretical_fit.fit_controls(e, found)["best rival, number of seeds"] == {}
    bars, courses = theoretical_fit.fit_tables(e, {"all": found})
    assert bars.empty and not courses.empty
    figures.paired_bars(bars, courses, xlabel="step")


def test_two_checkpoints_of_the_second_phase_are_an_early_and_a_late_one() -> None:
    whole, kept = learnt("theory"), [0, 1, 2, 3, 4, 6, 8, 11]
    e = extracted(whole.found.and_[:, kept], whole.found.or_[:, kept], STEPS[kept])
    e.found.and_[:, 6:, :, -1] += 5  # so that the turning point is checkpoint 5
    assert theoretical_fit.phase2_times(e)[0] == {5: "early", 6: "late"}


def test_certified_only_leaves_out_images() -> None:
    e = learnt("theory")
    loud = parts(e)[0].values[2]
    e.converged[2, 7, 1] = False
    e.found.and_[2, 8, 1, -1] = 1e3
    assert parts(e)[0].values[2] > loud + 0.1
    assert parts(e, certified_only=True)[0].values[2] < 1e-3
    e.converged[2, 0, : IMAGES // 2] = False  # nothing is left of one half: that seed has no value
    assert np.isnan(parts(e, certified_only=True)[0].values[2])


def test_all_analyses_have_the_same_parts() -> None:
    e = learnt("theory")
    others = {"order weight -0.2": (learnt("theory", 1), None), "second draw of players": (learnt("exponential", 2), None)}
    salient = theoretical_fit.held_out(e, theoretical_fit.phase2_times(e), tau=0.03)
    variants, reported = theoretical_fit.fit_variants(e, others), theoretical_fit.fit_reported(e, others, salient)
    assert set(variants) == {"order weight -0.2", "uncertified games dropped"}
    assert set(reported) == {"second draw of players", "salient interactions only", "pure AND interactions"}
    verdict = claims.judge("D10", SYSTEM, parts(e), seeds=SEEDS, scope="a test", accuracy=[0.99] * 5, uncertified=0.0,
                           variants=variants, reported=reported, control=theoretical_fit.fit_controls(e, salient))
    assert verdict.verdict == "REPRODUCED"
    assert verdict.control["reported"]["second draw of players"]["decision"] == "NOT REPRODUCED"


def test_pure_and_interactions_rebuild_the_scores_without_or() -> None:
    e = theoretical_fit.harsanyi(learnt("theory"))
    assert not e.merged.or_.any()
    torch.testing.assert_close(e.merged.reconstruct(), e.v)


def test_bars_are_distributions_and_courses_end_at_the_truth() -> None:
    e = learnt("theory")
    found = theoretical_fit.held_out(e, theoretical_fit.phase2_times(e), everywhere=True)
    bars, courses = theoretical_fit.fit_tables(e, {"all interactions": found})
    assert np.allclose(bars.groupby(["time", "shares"])["share"].sum(), 1)
    figure = figures.paired_bars(bars, courses, xlabel="step", logarithmic=[theoretical_fit.NOISE])
    assert [len(axis.patches) for axis in figure.axes] == [2 * N, 2 * N, 2 * N, 0, 0, 0, 0, 0]
    assert list(dict.fromkeys(bars["time"])) == ["early\nstep 32", "intermediate\nstep 128", "late\nstep 512"]
    last = courses[(courses["step"] == STEPS[-1]) & (courses["panel"] == "held-out distance")]
    assert len(last) == 5 and np.allclose(last.loc[last["model"] != theoretical_fit.SAMPLING, "value"], 0)
    path = theoretical_fit.fit_controls(e, found)["fitted sigma2, median over seeds and halves"]
    assert path["1024"] == 0 and path["32"] == pytest.approx(LEVELS[0], rel=0.02)


# --- D6 -----------------------------------------------------------------------------------------------------------------


@functools.cache
def synthetic() -> dict[int, theory.VarianceLaw]:
    return variance_law.synthetic_slopes(DEFAULT)


def ensemble(common: float, seed: int = 0) -> Perturbed:
    """(5 seeds, 3 images, 200 copies): independent noise, and ``common`` times a random linear function of the mask."""
    generator = torch.Generator().manual_seed(seed)
    bits = (torch.arange(1 << N)[:, None] >> torch.arange(N) & 1).double()
    slopes = torch.randn(5, 3, 200, N, generator=generator, dtype=torch.float64)
    noise = torch.randn(5, 3, 200, 1 << N, generator=generator, dtype=torch.float64)
    return Perturbed(noise + common * slopes @ bits.T, torch.full((5,), 1e-6, dtype=torch.float64))


def variance_verdict(e: Perturbed, seeds: tuple[int, ...] = SEEDS) -> claims.Verdict:
    slopes = variance_law.network_slopes({0.02: Perturbed(e.v[: len(seeds)], e.noise_floor[: len(seeds)])})
    verdict = claims.judge_numerical("D6", SYSTEM, variance_law.network_values(slopes[0.02]),
                                     variance_law.network_statement(slopes), n=5, scope="a test")
    return variance_law.or_inconclusive(verdict, seeds)


def test_the_variance_law_holds_for_its_own_noise_at_every_size() -> None:
    assert [float(law.slope) for law in synthetic().values()] == pytest.approx([1.0] * 4, abs=0.02)
    verdict = claims.judge_numerical("D6", "theory/synthetic", variance_law.lemma_values(synthetic()),
                                     variance_law.lemma_statement(synthetic()), n=4, scope="a test")
    assert verdict.verdict == "REPRODUCED"
    assert variance_verdict(ensemble(0.0)).verdict == "REPRODUCED"


def test_noise_that_masks_share_breaks_the_variance_law() -> None:
    verdict = variance_verdict(ensemble(3.0))
    assert verdict.verdict == "NOT REPRODUCED"
    assert "does not contain 1" in verdict.reason
    shared = variance_law.variance_controls({0.02: ensemble(3.0)})["weight noise 0.02"]
    alone = variance_law.variance_controls({0.02: ensemble(0.0)})["weight noise 0.02"]
    assert shared["share of the noise common to all masks"] > 0.3
    assert alone["share of the noise common to all masks"] == pytest.approx(1 / 32, rel=0.1)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_too_few_seeds_for_an_interval(seeds: tuple[int, ...]) -> None:
    verdict = variance_verdict(ensemble(0.0), seeds)
    assert verdict.verdict == "INCONCLUSIVE"
    assert f"at least 5 seeds are needed for the network's interval, {len(seeds)}" in verdict.reason


def test_the_variance_figures_start_at_zero_and_show_the_law() -> None:
    for table in (variance_law.lemma_table(synthetic()), variance_law.network_table({0.02: ensemble(0.0)})):
        assert np.allclose(table.loc[table["order"] == 1, ["value", "low", "high"]], 0)
        law, found = table[table["noise"] == "Lemma 1: slope 1"], table[table["noise"] != "Lemma 1: slope 1"]
        assert (law["value"] == law["order"] - 1).all()
        assert np.allclose(found["value"], found["order"] - 1, atol=0.2)


def test_weight_noise_has_the_size_asked_for_and_leaves_the_network_alone() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(200, 300), torch.nn.BatchNorm1d(300))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    noisy = perturbed.with_noise(model, 0.1, torch.Generator().manual_seed(0))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    weights = model[0].weight.detach()
    change = noisy[0].weight.detach() - weights
    assert float(change.std() / weights.square().mean().sqrt()) == pytest.approx(0.1, rel=0.02)
    assert torch.equal(noisy[1].running_var, model[1].running_var)
    again = perturbed.with_noise(model, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(again[0].weight, noisy[0].weight)


def test_noisy_copies_of_a_trained_network_are_scored() -> None:
    short = {"mlp7": {"width": 8, "steps": 3, "n_train": 100, "first_checkpoint": 1}}
    p = params.validate("03_theoretical_fit", networks=["mlp7"], n_players=4, seeds=2, checkpoints=2, device="cpu",
                        training=short, weight_noise=[0.02, 0.2], noise_copies=3, noise_images=2)
    (system,) = study.systems(p)
    found = perturbed.perturbed(p, system)
    assert list(found) == [0.02, 0.2]
    assert found[0.02].v.shape == (2, 2, 3, 16) and found[0.02].noise_floor.shape == (2,)
    small, large = (found[noise].v.std(-2).mean() for noise in (0.02, 0.2))
    assert 3 < large / small < 30  # ten times the noise
    assert not torch.equal(found[0.02].v[0], found[0.02].v[1])


# --- D5, D7, D8, D9 -------------------------------------------------------------------------------------------------------


def identity(row: str, errors: dict[str, object]) -> str:
    return claims.judge_identity(row, "theory/synthetic", errors, scope="a test").verdict


def test_identities_hold() -> None:
    p = params.validate("03_theoretical_fit", sizes=[2, 5, 7])
    assert identity("D5", {"closed_form": closed_form.closed_form_errors(p)["error"]}) == "EXACT"
    assert identity("D9", {"no_noise": closed_form.no_noise_errors(p)["error"]}) == "EXACT"
    norms = pd.concat([closed_form.norm_table(n) for n in p.sizes])
    assert identity("D7", {"spread": closed_form.norm_spreads(norms)}) == "EXACT"


def test_a_wrong_operator_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of the same variance on every trigger, as if D were 1: the mistake that the closed form could hide."""
    everywhere_one = types.SimpleNamespace(order=lambda n: torch.zeros(1 << n, dtype=torch.int64))
    monkeypatch.setattr(closed_form, "lattice", everywhere_one)
    p = params.validate("03_theoretical_fit", sizes=[4])
    assert identity("D5", {"closed_form": closed_form.closed_form_errors(p)["error"]}) == "BROKEN"


def test_an_unequal_norm_is_seen() -> None:
    norms = closed_form.norm_table(4)
    norms.loc[(norms["order"] == 2).idxmax(), "norm"] *= 1 + 1e-9
    assert identity("D7", {"spread": closed_form.norm_spreads(norms)}) == "BROKEN"


def test_monte_carlo_agrees_with_the_formulas() -> None:
    found = closed_form.monte_carlo()
    assert abs(found["loss by formula"] - found["loss by Monte Carlo"]) < 4 * found["its standard error"]
    assert found["largest difference to least squares on noisy rows"] < 0.02
    assert found["least rise of the loss over random steps"] > 0


def test_proposition_1_is_judged_on_the_grid_and_its_counterexamples_are_confirmed() -> None:
    found = closed_form.norm_ratios(DEFAULT)
    assert len(closed_form.GRID) == 25 and found.points == 25 * (8 + 10 + 12 + 14 + 16)
    assert found.values["smallest_ratio"] > 1 > 0 > found.values["monotone"]
    examples = found.counterexamples.set_index("n")
    assert list(examples.index) == list(range(10, 17))  # first failure at ten players
    assert examples["one_minus_ratio"].is_monotonic_increasing
    assert [f"{100 * examples.loc[n, 'one_minus_ratio']:.2f}" for n in (14, 16)] == ["0.39", "0.63"]
    assert all(text.startswith("0.99") and len(text) > 60 for text in examples["ratio_60_digits"])
    for said in ("ratio > 1 for all k at 25 grid values of sigma^2 from 1e-04 to 1e+02 for n = 8, 10, 12, 14, 16;",
                 "growing with sigma^2 there for n = 8, 10, 12, 14; not for n = 16.",
                 "the ratio is 0.99995554... at n = 10, k = 0", "no such case was found for n below 10"):
        assert said in found.statement
    verdict = claims.judge_numerical("D8", "theory/synthetic", found.values, found.statement, n=found.points, scope="test")
    assert verdict.verdict == "NOT REPRODUCED"


def test_the_statement_says_what_was_computed_and_no_more() -> None:
    found = closed_form.norm_ratios(params.validate("03_theoretical_fit", norm_sizes=[8, 4]), grid=[0.01, 0.1, 1.0])
    begins = "ratio > 1 for all k at 3 grid values of sigma^2 from 1e-02 to 1e+00 for n = 4, 8; growing"
    assert found.statement.startswith(begins)
    assert "No counterexample was found for n up to 8" in found.statement
    assert min(found.values.values()) > 0
    weak = closed_form.norm_ratios(params.validate("03_theoretical_fit", norm_sizes=[12]), grid=[1e-6, 1e-5])
    assert "not for n = 12" in weak.statement and weak.values["smallest_ratio"] < 1


def test_figures_of_the_closed_form() -> None:
    lines, points = closed_form.learnt_tables()
    at = lines["sigma2"].min()
    assert np.allclose(lines.loc[lines["sigma2"] == at, "value"], 1, atol=0.05)  # almost no noise: w* = 1 is learnt
    assert lines.groupby("order")["value"].min().max() < 0.01  # and nothing of it under strong noise
    solved = points[points["method"] == "dense solve"].merge(lines, on=["sigma2", "order"])
    assert len(solved) == 32 and np.allclose(solved["value_x"], solved["value_y"], atol=1e-10)
    ratios = closed_form.ratio_table(params.validate("03_theoretical_fit", norm_sizes=[8, 10]))
    deviation = ratios[ratios["row"] == closed_form.DEVIATION].groupby("panel")["value"].max()
    assert deviation["n = 8"] < 0 < deviation["n = 10"] < 0.01
    few = closed_form.few_rows(pd.concat([closed_form.norm_table(n) for n in (4, 9)]))
    assert set(few["panel"]) == {"n = 4"} and "0" not in set(few["sigma2"])
