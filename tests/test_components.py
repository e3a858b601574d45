"""Feature components as players: the cut network, the PCA, the games, and the rows M1 to M6 and M11
on planted cases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from utils import claims, datasets, extract, figures, jobs, lattice, models, params
from utils.claims.weighing import decide, p_values, weigh
from utils.evidence import basis, maps, output, patches, remainder
from utils.evidence.component_statistics import sparsity_parts
from utils.evidence.output import Outputs
from utils.evidence.patches import AgainstPatches
from utils.interactions import Interactions
from utils.jobs import GamesJob, TrainJob, attributions, components
from utils.jobs.components import Accuracies, Basis, ComponentGamesJob, FeaturesJob, PCAJob
from utils.jobs.games import CertifiedGames
from utils.metrics import faithfulness, sparsity
from utils.models.tail import features, tail
from utils.players import PatchDraw
from utils.players.components import Components, FeatureComponents, principal_components
from utils.studies import five_groups as studies
from utils.studies import networks
from utils.train import TrainConfig

NETWORKS = {
    "mlp7": ((1, 28, 28), 12),
    "lenet": ((1, 28, 28), None),
    "vgg11": ((3, 32, 32), 4),
    "resnet20": ((3, 32, 32), 4),
}


# The cut ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_the_tail_of_a_feature_is_the_whole_network(name: str) -> None:
    shape, width = NETWORKS[name]
    network = models.find(name)
    model = models.build(network, models.InputSpec(shape), width).eval()
    x = torch.rand(3, *shape)
    with torch.inference_mode():
        for layer in network.layers:
            feature, whole = features(model, layer, x)
            assert torch.equal(tail(model, layer)(feature), whole), layer
            assert not torch.allclose(tail(model, layer)(feature + 0.5), whole), layer


def test_the_tail_shares_weights_and_leaves_the_trunk_out() -> None:
    model = models.build(models.find("lenet"), models.InputSpec((1, 28, 28))).eval()
    rest = tail(model, "conv2")
    names = {name for name, _ in rest.named_parameters()}
    assert names == {
        f"{layer}.{kind}" for layer in ("fc1.0", "fc2.0", "output") for kind in ("weight", "bias")
    }
    assert next(rest.parameters()).data_ptr() == model.fc1[0].weight.data_ptr()


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    model = models.build(models.find("lenet"), models.InputSpec((1, 28, 28)))
    for cut in (
        lambda: tail(model, "conv9"),
        lambda: features(model, "conv9", torch.rand(1, 1, 28, 28)),
    ):
        with pytest.raises(
            ValueError, match=r"no layer 'conv9'; its layers are: conv1, conv2, fc1, fc2"
        ):
            cut()


class Own(nn.Module):
    """A user's network: functional parts, a shortcut around ``middle``, a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.twice, self.last = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.first(x))
        x = x + self.middle(x).relu()
        return self.last(self.twice(self.twice(x)) * 2).flatten(1)


class Wayward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.only(x) if x.sum() > 0 else self.only(-x)


def test_a_users_own_network_is_cut_or_refused() -> None:
    model, x = Own().eval(), torch.rand(5, 4)
    with torch.inference_mode():
        feature, whole = features(model, "first", x)
        assert torch.equal(tail(model, "first")(feature), whole)
    with pytest.raises(ValueError, match="a way around it"):
        tail(model, "middle")
    with pytest.raises(ValueError, match="2 times"):
        tail(model, "twice")
    with pytest.raises(ValueError, match="2 times"):
        features(model, "twice", x)
    with pytest.raises(ValueError, match=r"torch\.fx cannot trace it"):
        tail(Wayward(), "only")


# Components ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 8), (6, 20)], ids=["more samples", "more numbers"])
def test_the_pca_is_numpys(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal(shape) * np.linspace(3, 0.5, shape[1]) + 5
    found = principal_components(torch.from_numpy(x), 3)
    _, sizes, vectors = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rank = min(shape[0] - 1, shape[1])
    assert found.eigenvalues[:rank].numpy() == pytest.approx(sizes[:rank] ** 2 / shape[0])
    assert found.total == pytest.approx(x.var(0).sum())
    assert found.share == pytest.approx((sizes[:3] ** 2).sum() / (sizes**2).sum())
    assert np.abs((found.directions.numpy() * vectors[:3]).sum(1)) == pytest.approx(np.ones(3))
    assert found.rank == rank


def test_more_components_than_dimensions_are_refused() -> None:
    flat = torch.randn(50, 3, dtype=torch.float64) @ torch.randn(3, 12, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"4 components were asked for.*span only 3 dimensions"):
        principal_components(flat.float(), 4)
    assert principal_components(flat.float(), 3).rank == 3
    with pytest.raises(ValueError, match="span only 0"):
        principal_components(torch.ones(5, 4), 1)


def players(r: int = 3) -> tuple[FeatureComponents, Components, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    found = principal_components(torch.randn(40, 8, generator=generator), r)
    feature, mean = torch.randn(2, 2, 4, generator=generator)
    return FeatureComponents(feature, mean, found), found, feature, mean


def test_masked_features_are_the_papers_sum() -> None:
    own, found, feature, other = players()
    masked = own.masked(torch.arange(8))
    assert masked.shape == (8, 2, 4) and masked.dtype == torch.float64
    for subset in range(8):
        wanted = found.mean.clone()
        for i, q in enumerate(found.directions):
            source = feature if subset >> i & 1 else other
            wanted += q * (q @ (source.flatten().double() - found.mean))
        assert torch.allclose(masked[subset].flatten(), wanted)
    assert torch.allclose(own.baseline, masked[0])
    assert torch.allclose(found.rebuilt(feature.flatten()), masked[-1].flatten())
    assert not torch.allclose(masked[-1], feature.double()), "the remainder is left out"
    assert "component 1" in own.describe(1)
    with pytest.raises(ValueError, match=r"players are 0\.\.2"):
        own.describe(3)
    with pytest.raises(ValueError, match="8 numbers each"):
        FeatureComponents(feature[:1], other[:1], found)
    assert torch.equal(own.to(torch.device("cpu")).masked(torch.arange(8)), masked)


# Jobs ---------------------------------------------------------------------------------------------


def small(width: int = 16, **given: object) -> params.FiveGroups:
    change = {
        "width": width,
        "training": {"steps": 30, "n_train": 200, "first_checkpoint": 5},
        "floor": {"value": 0.2, "source": "a test"},
    }
    rest = {
        "systems": ["mlp7_w256/mnist_part"],
        "seeds": [0],
        "images": 3,
        "n_players": 4,
        "checkpoints": 3,
        "pca_images": 60,
        "map_images": 1,
        "paper_patches": 5,
        "test_images": 100,
        "change": change,
        "second_draw": False,
    }
    return params.validate("04_five_groups", **(rest | given))


def test_component_games_are_the_whole_network_with_its_feature_replaced() -> None:
    train = TrainJob.of(
        TrainConfig(model="lenet", n_train=200, n_test=100, steps=10, batch=20, checkpoints=2)
    )
    sample = GamesJob(train=train, images=2, n=4, how=PatchDraw())
    stored, pca = (
        FeaturesJob(sample=sample, layer="conv2"),
        PCAJob(train=train, layer="conv2", images=40, r=4),
    )
    games, run = jobs.ensure(ComponentGamesJob(features=stored, pca=pca)), jobs.ensure(train)
    found, kept = jobs.ensure(pca), jobs.ensure(stored)
    assert games.v.shape == (2, 2, 16) and games.whole.shape == (2, 2)
    model = run.model(run.steps[-1])
    mean = datasets.load("mnist_part", "train").mean
    image = sample.players()[0][1].whole
    with torch.inference_mode():
        both, logits = features(model, "conv2", torch.stack([image, mean]))
    assert torch.allclose(kept.features[-1, 1], both[0], atol=1e-6)
    assert torch.allclose(kept.baseline[-1], both[1], atol=1e-6)
    assert float(games.whole[-1, 1]) == pytest.approx(
        float(extract.score_of(logits[:1], kept.labels[1:2])), abs=1e-5
    )
    masked = FeatureComponents(both[0], both[1], found).masked(torch.arange(16)).float()
    hook = model.conv2.register_forward_hook(lambda _module, _inputs, _output: masked)
    with torch.inference_mode():
        replaced = model(image.expand(16, -1, -1, -1))
    hook.remove()
    assert torch.allclose(
        games.v[-1, 1], extract.score_of(replaced, kept.labels[1:2].expand(16)), atol=1e-4
    )


def test_the_pca_is_pooled_over_images_and_checkpoints() -> None:
    (system,) = networks.systems(small())
    job = PCAJob(train=system.jobs[0], layer="hidden3", images=60, r=4)
    run = jobs.ensure(system.jobs[0])
    images = datasets.load("mnist_part", "train", 60).x
    with torch.inference_mode():
        pooled = torch.cat([features(run.model(step), "hidden3", images)[0] for step in run.steps])
    assert len(pooled) == 180
    wanted = principal_components(pooled, 4)
    found = jobs.ensure(job)
    assert torch.allclose(found.mean, wanted.mean, atol=1e-6)
    assert torch.allclose(found.eigenvalues, wanted.eigenvalues, rtol=1e-4, atol=1e-9)


def test_bad_layers_and_too_many_components_are_refused() -> None:
    there = r"layer 'hidden9', which mlp7_w256/mnist_part lacks; it has hidden1, hidden2"
    with pytest.raises(params.ParameterError, match=there):
        params.validate("04_five_groups", change={"half_depth": "hidden9"})
    p = small(width=4, n_players=6)
    with pytest.raises(ValueError, match="6 components were asked for"):
        studies.studies(p)
    with pytest.raises(params.ParameterError, match="margins must contain"):
        small(margins=[0.05])
    with pytest.raises(params.ParameterError, match="widths must be odd"):
        small(widths=[2])
    with pytest.raises(params.ParameterError, match="alphas must contain 60"):
        small(alphas=[20])


def test_every_row_of_one_system_from_parameters_to_tables() -> None:
    p = small()
    (s,) = studies.studies(p)
    against = s.patches.main
    assert (
        s.main.v.shape == (1, 3, 3, 16)
        and against.raw.v.shape == (1, 2, 3, 16)
        and against.paper.v.shape == (1, 1, 3, 32)
    )
    outputs = s.outputs.main
    assert outputs.noise.v.shape == (1, 1, 3, 16)
    assert torch.equal(outputs.ends.v, outputs.exact.v) and len(outputs.ends.steps) == 2
    identity = remainder.told(outputs.exact, s.main, s.whole)
    verdict = claims.judge_identity("M1", s.id, **identity, scope=s.scope)
    assert verdict.verdict == "EXACT"
    rest = verdict.control["the remainder, by step"]
    assert rest["step"] == list(s.main.steps)
    off = (s.whole[0] - s.main.v[0, ..., -1]).abs().mean(1)
    assert rest["mean |g(f) - g(f_N)|"] == pytest.approx(off.tolist()) and off.min() > 0
    told = {"orders": "shown", **output.few_told(outputs)}
    fit_told = {"orders": "shown", **output.fit_told(outputs, p.alphas)}
    cases = {
        "M2": {"parts": basis.variance(s.basis), **basis.variance_told(s.basis), **s.facts},
        "M3": {"parts": basis.accuracy(s.basis), **basis.accuracy_told(s.basis), **s.facts},
        "M4": s.patches.case(patches.sparser, **patches.told(against, s.redrawn)),
        "M5": s.outputs.case(output.few, **told),
        "M6": s.outputs.case(output.fit, **fit_told),
    }
    for row, given in cases.items():
        assert sorted(part.name for part in given["parts"]) == sorted(
            claims.load().row(row).thresholds_for(s.id)
        )
        found = claims.judge(
            row, s.id, **(given | {"changed": given.get("changed") or "one network"})
        )
        assert found.verdict is None and found.status == "criterion: changed"
    assert "4 components and 5 patches" in cases["M4"]["changed"]
    assert list(cases["M5"]["reported"]) == ["order weight -0.2", "no noise terms"]
    assert output.fit_table(outputs, p.alphas)["panel"].value_counts().to_dict() == {
        "smoothed": 4 * 16,
        "histogram": 3 * 16,
    }
    assert len(remainder.table(s.main, s.whole, p.order_weights[0], p.tol)) == 2 * 16 + 3
    assert (patches.table(against, s.name)["strength"] <= 1).all()
    assert (basis.eigen_table(s.basis, s.name).groupby("features")["share"].sum() <= 1 + 1e-9).all()
    off = (s.maps.maps.sum((-2, -1)) - s.maps.change).abs().max()
    assert float(off) < 0.05 * float(s.maps.change.abs().max())
    described = claims.describe("M11", s.id, **maps.described(s.main, s.maps, s.scope))
    assert described.verdict is None and "%" in described.reason
    assert len(maps.table(s.main, s.maps)) == 2 * 6 * 28 * 28


def test_accuracy_with_all_directions_is_the_networks_own() -> None:
    (system,) = networks.systems(small())
    pca = PCAJob(
        train=system.jobs[0], layer="output", images=60, r=9
    )  # logits span 9 dimensions up to a little
    got = jobs.ensure(components.AccuracyJob(pca=pca, images=100))
    assert got.images == 100
    assert abs(float(got.components[-1] - got.whole[-1])) <= 0.1
    run = jobs.ensure(system.jobs[0])
    test = datasets.load("mnist_part", "test", 100)
    with torch.inference_mode():
        right = (run.model(run.steps[-1])(test.x).argmax(1) == test.labels).double().mean()
    assert float(got.whole[-1]) == pytest.approx(float(right))


def test_maps_of_a_linear_feature_are_weight_times_change() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 5))
    found = Components(torch.zeros(5), torch.eye(5, dtype=torch.float64)[:2], torch.ones(2), 2.0, 2)
    for shape in ((1, 2, 3), (2, 3)):  # of an image, of a cloud of two points
        x, baseline = torch.rand(2, *shape)
        got = attributions.path_attributions(model, "1", found, x, baseline, points=3)
        wanted = model[1].weight[:2].view(2, *shape) * (x - baseline)
        assert torch.allclose(got, wanted.double(), atol=1e-6)


def test_a_point_has_the_colour_of_its_coordinates_shares() -> None:
    """Red where x decides, green where y does, whatever the sign; scaled by the largest share."""
    games = studies.studies(small())[0].main
    shares = torch.zeros(2, 1, 4, 3, 3, dtype=torch.float64)
    shares[..., 0, 0], shares[..., 1, 1] = -4.0, 2.0
    clouds = torch.rand(1, 3, 3)
    found = attributions.Maps(
        shares, shares.sum((-2, -1)), clouds, torch.tensor([7]), kind="points"
    )
    table = maps.table(games, found)
    one = table[(table["column"] == "component 2") & (table["row"] == "1: 7, trained")]
    assert one[["red", "green", "blue"]].to_numpy().tolist() == [[1, 0, 0], [0, 0.5, 0], [0, 0, 0]]
    assert one[["x", "y", "z"]].to_numpy() == pytest.approx(clouds[0].numpy(), abs=1e-3)
    said = maps.described(games, found, "a test")
    assert said["control"]["part of the components' change that the maps miss, trained"] == 0
    assert said["control"][
        "coordinates of points that hold half of a component's attribution, trained"
    ] == pytest.approx(1 / 9)
    drawn = figures.attribution_maps(table)
    drawn.canvas.draw()  # points are sorted by depth then
    colours = [sorted(a.collections[0].get_facecolor()[:, :3].tolist()) for a in drawn.axes]
    grey = 0.8  # where there is no share, and in part of a colour where it is half of the largest
    wanted = [[grey] * 3, [grey / 2, 0.5 + grey / 2, grey / 2], [1, 0, 0]]
    assert any(np.allclose(found, sorted(wanted)) for found in colours if len(found) == 3)
    plt.close(drawn)


def test_a_cut_that_differs_is_a_bug() -> None:
    with pytest.raises(ArithmeticError, match="this is a bug"):
        components.check_tail(nn.Identity(), torch.zeros(2, 3), torch.ones(2, 3))


# Faithfulness -------------------------------------------------------------------------------------


def game(conj: list[float], disj: list[float]) -> Interactions:
    return Interactions(
        torch.tensor(conj, dtype=torch.float64), torch.tensor(disj, dtype=torch.float64)
    )


def test_matching_error_and_crossings_by_hand() -> None:
    found = game([1.0, 4.0, -2.0, 0.5], [0.0, 0.0, 0.0, 1.0])  # v(N) = 4.5
    v = found.reconstruct()
    assert v.tolist() == [1.0, 6.0, 0.0, 4.5]
    error = faithfulness.matching_error(found, v)
    assert error.tolist() == pytest.approx([3.5, 0.5, 1.5, 0.5, 0.0, 0.0, 0.0])  # 1, 5, 3, 4, 4.5
    first, last = faithfulness.crossings(error, v[-1], 2)
    assert (float(first), float(last)) == (4 / 8, 4 / 8)
    first, last = faithfulness.crossings(error, v[-1], 2, within=0.12)
    assert (float(first), float(last)) == (1 / 8, 3 / 8)  # the first crossing is luck


def test_crossings_that_never_come_or_are_there_from_the_start() -> None:
    never = torch.tensor([3.0, 2.0, 2.0])
    assert [float(x) for x in faithfulness.crossings(never, torch.tensor(1.0), 1)] == [1.0, 1.0]
    leaves = torch.tensor([3.0, 0.0, 2.0])
    assert [float(x) for x in faithfulness.crossings(leaves, torch.tensor(1.0), 1)] == [0.25, 1.0]
    at_once = torch.tensor([0.1, 0.1, 0.05])  # exactly at the bound
    assert [float(x) for x in faithfulness.crossings(at_once, torch.tensor(1.0), 1)] == [0.0, 0.0]


def test_another_order_of_adding_is_a_control() -> None:
    found = game([0.0, 4.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    v = found.reconstruct()
    backwards = torch.arange(5, -1, -1)
    assert faithfulness.matching_error(found, v, backwards).tolist() == [6, 6, 6, 6, 6, 4, 0]


def test_the_model_of_the_strongest_interactions_by_hand() -> None:
    found = game([1.0, 4.0, -2.0, 0.5], [0.0, 0.0, 0.0, 1.0])
    assert faithfulness.top_model(found, 0).tolist() == [1, 1, 1, 1]
    assert faithfulness.top_model(found, 1).tolist() == [1, 5, 1, 5]
    assert faithfulness.top_model(found, 3).tolist() == [1, 6, 0, 4]
    v = found.reconstruct()
    rest = (v - torch.tensor([1.0, 5, 1, 5])).square().mean().sqrt() / v.std(correction=0)
    assert float(faithfulness.top_model_error(found, v, 1)) == pytest.approx(float(rest))
    assert float(faithfulness.top_model_error(found, v, 99)) == pytest.approx(0)
    still = torch.full((4,), 2.0, dtype=torch.float64)
    assert faithfulness.top_model_error(game([2.0, 0, 0, 0], [0.0] * 4), still, 1).isnan()


# Rows ---------------------------------------------------------------------------------------------

SEEDS, N = 5, 10


def extracted(and_: torch.Tensor) -> CertifiedGames:
    found = Interactions(and_, torch.zeros_like(and_))
    shape = and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=0.0,
        gap=nothing,
        error=nothing.clone(),
        l1=nothing,
        converged=torch.ones(shape, dtype=torch.bool),
        steps=np.arange(shape[1]),
        saturated=torch.zeros(shape[:2]),
        noise_floor=torch.zeros(shape[:2]),
    )


def with_terms(count: int, images: int = 3) -> CertifiedGames:
    """Games (5 seeds, 2 checkpoints) of ``count`` random AND interactions with v(N) well away from
    0."""
    generator = torch.Generator().manual_seed(count)
    and_ = torch.zeros(SEEDS, 2, images, 1 << N, dtype=torch.float64)
    for place in np.ndindex(and_.shape[:3]):
        where = 1 + torch.randperm((1 << N) - 1, generator=generator)[:count]
        and_[place][where] = 0.5 + torch.rand(count, generator=generator, dtype=torch.float64)
    return extracted(and_)


def held(pooled: Components | None = None, start: Components | None = None) -> Basis:
    """Ten components of 20 equal eigenvalues, or those given, that keep the accuracy."""
    equal = Components(
        torch.zeros(20), torch.eye(20, dtype=torch.float64)[:10], torch.full((20,), 1.0), 20.0, 20
    )
    accuracies = Accuracies(
        torch.tensor([0.1, 0.97]), torch.tensor([0.1, 0.96]), torch.tensor([0.1, 0.3]), 2000
    )
    return Basis([pooled or equal] * SEEDS, [start or equal] * SEEDS, [accuracies] * SEEDS)


def judged(row: str, main: CertifiedGames, raw: CertifiedGames) -> dict[str, str]:
    """The outcome of each reading by the registry's thresholds, whether or not the criterion was
    simulated; as many patches and the paper's have the games ``raw``."""
    if row == "M4":
        return outcomes(row, patches.sparser(AgainstPatches(main, raw, raw)))
    statistic = {"M5": output.few, "M6": output.fit}[row]
    return outcomes(row, statistic(Outputs(main)))


def outcomes(row: str, parts: list[claims.Part]) -> dict[str, str]:
    registry = claims.load()
    thresholds, found = registry.row(row).thresholds_for("lenet/mnist_part"), {}
    for part in parts:
        t = thresholds[part.name]
        found.setdefault(t.reading, []).append(weigh(part, t, registry.protocol, SEEDS))
    return {
        name: decide(*p_values([weighed]), registry.protocol.alpha)
        for name, weighed in found.items()
    }


def then(first: CertifiedGames, last: CertifiedGames) -> CertifiedGames:
    """The untrained network's games of one, the trained network's of the other."""
    return extracted(torch.cat([first.found.and_[:, :1], last.found.and_[:, 1:]], 1))


@pytest.mark.parametrize("row", ["M4", "M5", "M6"])
def test_few_interactions_are_few_and_many_are_not(row: str) -> None:
    few, many = with_terms(40), with_terms(900)
    learnt, lost = then(many, few), then(few, many)
    assert judged(row, learnt, many) == {
        "as_stated": "REPRODUCED",
        "specific": "REPRODUCED",
    }
    assert judged(row, lost, few) == {
        "as_stated": "NOT REPRODUCED",
        "specific": "NOT REPRODUCED",
    }
    if row != "M4":  # what the untrained network has as well is not learnt
        same = extracted(few.found.and_[:, [1, 1]])
        assert judged(row, same, many) == {
            "as_stated": "REPRODUCED",
            "specific": "NOT REPRODUCED",
        }


def test_the_paper_compares_with_twelve_patches_and_the_null_with_as_many() -> None:
    few, many = with_terms(40), with_terms(900)
    found = outcomes("M4", patches.sparser(AgainstPatches(few, few, many)))
    assert found == {"as_stated": "REPRODUCED", "specific": "NOT REPRODUCED"}
    values = sparsity_parts(np.full((2, 2, 3), 0.2), np.full((2, 2, 3), 0.3), np.full((2, 3), 0.5))
    assert [np.mean(part.values) for part in values] == pytest.approx([-0.3, 0.0])


def test_certified_games_only_leave_out_what_is_not_certified() -> None:
    e, raw = with_terms(40), with_terms(900)
    for games, place in ((e, (0, -1, 2)), (raw, (1, 0, 0))):
        games.converged[place] = False
    paper = dataclasses.replace(raw, gap=raw.gap + 0.005, converged=torch.zeros_like(raw.converged))
    x = AgainstPatches(e, raw, paper)
    assert x.uncertified == pytest.approx(1 / 30), "a gap of .01 certifies the paper's patches"
    assert AgainstPatches(e, raw, dataclasses.replace(paper, gap=paper.gap + 1)).uncertified == 1
    stated, beyond = patches.sparser(x.certified())
    share = sparsity.mass_fraction(e.merged).double(), sparsity.mass_fraction(raw.merged).double()
    own, equal = (
        torch.where(g.converged, v, torch.nan) for g, v in zip((e, raw), share, strict=True)
    )
    wanted = sparsity_parts(own.numpy(), equal.numpy(), share[1][:, -1].numpy())
    for found, part in zip((stated, beyond), wanted, strict=True):
        assert np.array_equal(found.values, part.values)
    outputs = Outputs(e, noise=raw)
    assert outputs.uncertified == pytest.approx(1 / 30)
    many = dataclasses.replace(raw, converged=e.converged)
    for statistic in (output.few, output.fit):
        part, only = (statistic(y)[0] for y in (Outputs(many), Outputs(many).certified()))
        assert np.array_equal(part.values[1:], only.values[1:]) and part.values[0] != only.values[0]
    none = dataclasses.replace(e, converged=torch.zeros_like(e.converged))
    assert np.isnan(output.few(Outputs(none).certified())[0].values).all()


def test_images_with_a_score_near_zero_are_left_out_and_counted() -> None:
    e = with_terms(40)
    e.v[:, -1, 0, -1] = 0.05
    x = Outputs(e, noise=e, exact=e)
    control, parts = output.few_told(x)["control"], output.few(x)
    assert control["share of images left out, |g| < 0.1"] == pytest.approx(1 / 3)
    assert not np.isnan(parts[0].values).any()
    assert outcomes("M5", parts)["as_stated"] == "REPRODUCED"


def test_components_that_hold_the_variance_and_the_accuracy() -> None:
    b = held()
    assert outcomes("M2", basis.variance(b)) == {
        "as_stated": "NOT REPRODUCED",
        "specific": "NOT REPRODUCED",
    }  # 20 equal eigenvalues
    values = torch.cat([torch.full((10,), 1.0), torch.full((10,), 0.01)])
    ten = dataclasses.replace(b.pooled[0], eigenvalues=values, total=10.1)
    assert outcomes("M2", basis.variance(held(ten))) == {
        "as_stated": "REPRODUCED",
        "specific": "REPRODUCED",
    }
    assert outcomes("M2", basis.variance(held(ten, start=ten))) == {
        "as_stated": "REPRODUCED",
        "specific": "NOT REPRODUCED",
    }  # the gap was there before
    assert outcomes("M3", basis.accuracy(b)) == {"as_stated": "REPRODUCED"}
    lost = dataclasses.replace(b.accuracies[0], components=torch.tensor([0.1, 0.5]))
    worse = dataclasses.replace(b, accuracies=[lost] * SEEDS)
    assert outcomes("M3", basis.accuracy(worse)) == {"as_stated": "NOT REPRODUCED"}
    few = dataclasses.replace(b, accuracies=[dataclasses.replace(b.accuracies[0], images=999)])
    enough = basis.accuracy_told(few)["premises"][0]
    assert not enough.ok and "at least 1000 are needed" in enough.reason


def test_maps_of_an_interaction_are_the_sum_of_its_components_maps() -> None:
    parts = torch.arange(12.0).view(3, 2, 2)
    assert torch.equal(maps._sum_of(parts, 0b101), parts[0] + parts[2])
    assert float(maps._concentration(torch.tensor([8.0, 0.0, -1.0, 0.0]))) == 0.25
    assert lattice.subset_name(0b101, 3) == "{0,2}" and maps._one_based(0b101, 3) == "{1,3}"
