"""Point clouds: the networks' sizes and symmetries, groups of points as players, the real sets."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from utils import datasets, models
from utils.datasets import (
    MissingData,
    Raw,
    Samples,
    Source,
    clouds,
    modelnet,
    modelnet_voxels,
    motorbikes,
    shapenet_part,
)
from utils.jobs.scored import choose
from utils.models import InputSpec
from utils.models.dgcnn import EdgeConv, neighbours
from utils.models.tail import features, tail
from utils.players.points import ClusterDraw, PartDraw, PointGroups, farthest_point_clusters

NETWORKS = ("pointnet", "pointnet_vanilla", "dgcnn")


def cloud(seed: int = 0, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (4, 64, 3)), generator=torch.Generator().manual_seed(seed))


def samples(x: torch.Tensor, parts: np.ndarray | None = None, ids: int = 0) -> Samples:
    """Clouds of a set that exists in this test only."""
    source = Source("made", ("a", "b"), tuple(x.shape[1:]), lambda: None, None, kind="points")
    labels, numbers = np.arange(len(x)) % 2, np.arange(len(x)) + ids
    return Samples.from_raw(Raw(x.numpy(), labels, numbers, parts), source, "train")


# Networks -----------------------------------------------------------------------------------------


def linear(*sizes: int) -> int:
    """Weights and biases of fully connected layers."""
    return sum(a * b + b for a, b in itertools.pairwise(sizes))


def test_parameter_counts_are_the_papers() -> None:
    """Qi et al. 2017, Table 6: 3.5 and 0.8 million. Wang et al. 2019, Table 3: 21 MB, which are 1.8
    million numbers of 4 bytes with Adam's two moments; 40 classes."""
    normalised = [64, 64, 64, 128, 1024, 512, 256]
    plain = linear(3, *normalised, 40) + 2 * sum(normalised)
    transforms = sum(
        linear(k, 64, 128, 1024, 512, 256, k * k) + 2 * (64 + 128 + 1024 + 512 + 256)
        for k in (3, 64)
    )
    edges = sum(2 * a * b + 2 * b for a, b in ((3, 64), (64, 64), (64, 128), (128, 256)))
    head = 512 * 1024 + 2048 * 512 + linear(512, 256, 40) + 2 * (1024 + 512 + 256)
    wanted = {
        "pointnet": (plain + transforms, 3.5e6),
        "pointnet_vanilla": (plain, 0.8e6),
        "dgcnn": (edges + head, 21e6 / 12),
    }
    for name, (exact, printed) in wanted.items():
        model = models.build(name, InputSpec((1024, 3), 40))
        assert sum(p.numel() for p in model.parameters()) == exact, name
        assert exact == pytest.approx(printed, rel=0.04), name


@pytest.mark.parametrize("name", NETWORKS)
def test_the_order_of_the_points_does_not_matter(name: str) -> None:
    """Shared layers follow the points, the pooled feature and the logits stay."""
    model = models.build(name, InputSpec((64, 3), 5), width=8, seed=3).eval()
    x, order = cloud(), torch.randperm(64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for layer in model.layers:
            (one, logits), (other, moved) = (
                features(model, layer, part) for part in (x, x[:, order])
            )
            one = one[:, order] if one.ndim == 3 else one
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(moved, logits, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(model(x), model(x.flip(2))), "coordinates are told apart"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_starts_from_its_seed_and_learns(name: str) -> None:
    spec, x = InputSpec((24, 3), 2), cloud(0, 16, 24, 3)
    x[::2, :, 2] *= 0.1
    labels = torch.arange(16) % 2
    made = [models.build(name, spec, width=4, seed=seed) for seed in (0, 0, 1)]
    states = [torch.cat([v.flatten().double() for v in m.state_dict().values()]) for m in made]
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])
    optimizer, losses = torch.optim.SGD(made[0].parameters(), lr=0.05), []
    for _ in range(12):
        optimizer.zero_grad()
        loss = F.cross_entropy(made[0](x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in made[0].parameters())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layer", ["conv5", "pool", "fc1"])
def test_a_network_can_be_cut_at_a_layer(name: str, layer: str) -> None:
    """Whatever the number of clouds: games on features run hundreds at once."""
    model = models.build(name, InputSpec((64, 3), 5), width=8).eval()
    rest, x = tail(model, layer), cloud(2)
    with torch.no_grad():
        found, logits = features(model, layer, x)
        torch.testing.assert_close(rest(found), logits)
        torch.testing.assert_close(rest(found[:1]), logits[:1], rtol=1e-4, atol=1e-5)


def test_pointnet_starts_without_transforming() -> None:
    """With the T-Nets at their start it is the vanilla network of the same weights; a T-Net that
    answers a rotation turns the cloud."""
    spec = InputSpec((64, 3), 5)
    whole, plain = (models.build(name, spec, width=8) for name in NETWORKS[:2])
    own = {k: v for k, v in whole.state_dict().items() if not k.startswith("turn")}
    plain.load_state_dict(own)
    x = cloud(5)
    turned = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    whole.eval(), plain.eval()
    with torch.no_grad():
        torch.testing.assert_close(whole(x), plain(x))
        whole.turn.matrix.bias.copy_(turned.flatten())
        torch.testing.assert_close(whole(x), plain(x @ turned))


@pytest.mark.parametrize("training", [True, False])
def test_an_edge_convolution_is_the_papers(training: bool) -> None:
    """Wang et al. 2019, Eq. 8, edge by edge, with factors of both signs in the normalisation."""
    torch.manual_seed(0)
    ours, k = EdgeConv(3, 16, 5), 5
    norm = ours.norm.batch
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)
    ours.train(training)
    x = cloud(1, 3, 20, 3)
    near = torch.cdist(x, x).argsort(2)[:, :, :k]
    edges = torch.empty(3, 20, k, 16)
    for c in range(3):
        for i in range(20):
            for e, j in enumerate(near[c, i]):
                edges[c, i, e] = ours.theta.weight @ (x[c, j] - x[c, i]) + ours.phi.weight @ x[c, i]
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    with torch.no_grad():
        wanted = F.batch_norm(
            edges.flatten(0, 2), mean, var, norm.weight, norm.bias, training, 0.1, norm.eps
        )
        wanted = F.leaky_relu(wanted, 0.2).view(3, 20, k, 16).amax(2)
        torch.testing.assert_close(ours(x), wanted, rtol=1e-4, atol=1e-5)


def test_neighbours_are_the_nearest_points() -> None:
    x = cloud(4, 3, 50, 7)
    found = neighbours(x, 6).sort(2).values
    assert torch.equal(found, torch.cdist(x, x).argsort(2)[:, :, :6].sort(2).values)


@pytest.mark.parametrize(("name", "shape"), [("pointnet", (64,)), ("dgcnn", (64, 2))])
def test_what_is_no_cloud_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{name} takes point clouds \(points, 3\)"):
        models.build(name, InputSpec(shape), width=4)


def test_dgcnn_needs_as_many_points_as_neighbours() -> None:
    with pytest.raises(ValueError, match="at least 20 points, got"):
        models.build("dgcnn", InputSpec((19, 3)), width=4)


# Players ------------------------------------------------------------------------------------------


def blobs(count: int, each: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A cloud of ``count`` far-apart blobs in random order, and the blob of each point."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.arange(count).repeat_interleave(each)
    which = which[torch.randperm(count * each, generator=generator)]
    middle = 10 * torch.eye(3).repeat(count, 1)[:count] * (1 + torch.arange(count)[:, None])
    return middle[which] + 0.1 * torch.randn(count * each, 3, generator=generator), which


def test_clusters_are_the_blobs_that_were_planted() -> None:
    x, which = blobs(7)
    data = samples(x[None])
    players = ClusterDraw().players(data, 0, 7, data)
    pairs = {(int(a), int(b)) for a, b in zip(players.owner, which, strict=True)}
    assert len(pairs) == 7, "one cluster for one blob"


def test_clusters_are_those_of_farthest_point_sampling() -> None:
    """Against a plain implementation, from every start, for as long as clusters have two points."""
    points = cloud(3, 40, 3).double().numpy()
    for first in range(0, 40, 7):
        found = {n: owner.copy() for n, owner in farthest_point_clusters(points, first)}
        centres = [first]
        for n in range(1, len(found) + 2):
            away = np.stack([((points - points[c]) ** 2).sum(1) for c in centres])
            if n in found:
                assert (found[n] == away.argmin(0)).all()
                assert np.bincount(found[n]).min() >= 2
            else:
                assert np.bincount(away.argmin(0)).min() < 2, "no more have two points each"
            centres.append(int(away.min(0).argmax()))


def test_a_draw_depends_on_the_sample_and_its_number_alone() -> None:
    x = cloud(6, 3, 64, 3).clamp(-1, 1)
    data, later = samples(x), samples(x[1:], ids=1)
    owners = [ClusterDraw().players(data, 1, 6, data).owner]
    assert torch.equal(owners[0], ClusterDraw().players(later, 0, 6, data).owner)
    others = [ClusterDraw(repeat=r).players(data, 1, 6, data).owner for r in range(1, 6)]
    assert any(not torch.equal(owners[0], other) for other in others)


@pytest.mark.parametrize("centre", ["group", "cloud"])
def test_absent_clusters_are_put_in_one_point(centre: str) -> None:
    x = cloud(7, 1, 60, 3)
    data = samples(x)
    players = ClusterDraw(centre=centre).players(data, 0, 5, data)
    subsets = torch.arange(32)
    inputs = players.masked(subsets)
    assert inputs.shape == (32, 60, 3) and torch.equal(inputs[-1], x[0])
    middle = x[0].mean(0)
    for row, subset in zip(inputs, subsets.tolist(), strict=True):
        for k in range(5):
            own = players.owner == k
            if subset >> k & 1:
                assert torch.equal(row[own], x[0, own])
            else:
                at = x[0, own].mean(0) if centre == "group" else middle
                torch.testing.assert_close(row[own], at.expand(int(own.sum()), 3))
                assert len(row[own].unique(dim=0)) == 1
    noisy = x[0] + 1
    moved = players.around(noisy)
    assert torch.equal(moved.whole, noisy) and torch.equal(moved.masked(subsets)[0], inputs[0])


def test_a_cloud_with_too_few_different_points_is_refused_and_skipped() -> None:
    """A point that lies twice is one; no cluster of a single point, which could not be absent."""
    x = cloud(8, 2, 30, 3)
    x[1] = x[1, :5].repeat(6, 1)
    data = samples(x)
    assert ClusterDraw().possible(data, 1) <= 2 < ClusterDraw().possible(data, 0)
    with pytest.raises(ValueError, match=r"made/train/1 has fewer than the 4 players asked for"):
        ClusterDraw().players(data, 1, 4, data)
    assert choose(data, 1, 4, ClusterDraw()) == [0]
    same = samples(torch.ones(1, 30, 3))
    assert ClusterDraw().possible(same, 0) == 0


def parts_of(x: torch.Tensor) -> np.ndarray:
    """Parts 0, 1, 2 by the first coordinate, and points of none."""
    return np.digitize(x[..., 0].numpy(), [-0.8, 0, 0.8]) - 1


def test_annotated_parts_are_players() -> None:
    x = cloud(9, 2, 50, 3)
    parts = parts_of(x)
    data, draw = samples(x, parts), PartDraw(names=("left", "right", "far"))
    players = draw.players(data, 0, 3, data)
    assert torch.equal(players.owner, torch.from_numpy(np.where(parts[0] < 0, 3, parts[0])))
    inputs = players.masked(torch.tensor([0, 0b101]))
    none = torch.from_numpy(parts[0] < 0)
    assert torch.equal(inputs[0, none], x[0, none]), "what is of no part stays"
    torch.testing.assert_close(inputs[0, ~none][0], x[0].mean(0))
    assert torch.equal(inputs[1, parts[0] == 2], x[0, parts[0] == 2])
    assert players.describe(1).startswith(f"player 1: right, {(parts[0] == 1).sum()} points")
    with pytest.raises(ValueError, match=r"no player 3; the players are 0\.\.2"):
        players.describe(3)
    assert draw.again(1, data.source, 3) is None and draw.again(1, data.source, 2).repeat == 1
    two = {draw.model_copy(update={"repeat": r}).players(data, 0, 2, data).names for r in range(9)}
    assert two == {("left", "right"), ("left", "far"), ("right", "far")}


def test_a_cloud_without_parts_is_refused_where_parts_are_asked_for() -> None:
    x = cloud(9, 2, 50, 3)
    draw, data = PartDraw(names=("left", "right")), samples(x)
    assert draw.possible(data, 0) == 0
    with pytest.raises(ValueError, match=r"made/train/1 has 0 annotated parts.*ClusterDraw"):
        draw.players(data, 1, 2, data)
    one_left = parts_of(x)
    one_left[1][one_left[1] == 1] = -1
    data = samples(x, one_left)
    assert [draw.possible(data, i) for i in (0, 1)] == [2, 1]
    with pytest.raises(ValueError, match=r"have 2 players \(annotated parts\)"):
        choose(data, 2, 2, draw)


def test_shapes_that_do_not_fit_are_refused() -> None:
    x = cloud(1, 10, 3)
    with pytest.raises(ValueError, match="owner \\(points,\\)"):
        PointGroups(x, torch.zeros(9).long(), x, ("a",))
    with pytest.raises(ValueError, match="needs a point"):
        PointGroups(x, torch.zeros(10).long(), x, ("a", "b"))


# Data ---------------------------------------------------------------------------------------------


def test_hashed_numbers_are_fixed_for_ever_and_uniform() -> None:
    """Known answers: hashlib's SHAKE-256 of b"a", read as whole numbers and divided by 2^53."""
    wide = clouds.hashed("uniform", 20000)
    assert np.histogram(wide, 10, (0, 1))[0] == pytest.approx(2000, abs=150)
    assert wide.min() >= 0 and wide.max() < 1
    assert clouds.hashed("a", 2, 3).shape == (2, 3)
    assert (clouds.hashed("a", 6).reshape(2, 3) == clouds.hashed("a", 2, 3)).all()
    assert clouds.hashed("a", 2).tolist() == [0.8594414181281297, 0.6132645991175613]


def test_points_are_drawn_without_repetition_in_their_order() -> None:
    found = clouds.drawn(50, 20, "x")
    assert (np.diff(found) > 0).all() and len(found) == 20 and found.max() < 50
    assert (clouds.drawn(50, 30, "x")[np.isin(clouds.drawn(50, 30, "x"), found)] == found).all()
    assert not np.array_equal(found, clouds.drawn(50, 20, "y"))
    with pytest.raises(ValueError, match=r"x has 50 points, fewer than the 51"):
        clouds.drawn(50, 51, "x")


def test_every_part_keeps_some_points() -> None:
    part = np.repeat([0, 1, 2, -1], [900, 3, 90, 7])
    found = part[clouds.drawn_of_each(part, 40, "x", 4)]
    counts = [(found == k).sum() for k in (0, 1, 2)]
    assert counts[1] == 3 and min(counts[0], counts[2]) >= 4 and len(found) == 40
    with pytest.raises(ValueError, match="more than the 10 of a cloud"):
        clouds.drawn_of_each(part, 10, "x", 4)


def test_a_cloud_fills_the_unit_ball() -> None:
    x = clouds.unit_ball(np.random.default_rng(0).normal(5, 3, (100, 3)))
    assert x.dtype == np.float32 and np.abs(x.mean(0)).max() < 1e-6
    assert np.linalg.norm(x, axis=1).max() == pytest.approx(1)
    with pytest.raises(ValueError, match="all the same"):
        clouds.unit_ball(np.ones((5, 3)))


def test_points_lie_in_different_occupied_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    occupied = np.random.default_rng(0).random((32, 32, 32)) < 0.02
    monkeypatch.setattr(modelnet_voxels, "unit_ball", lambda points: points)
    points = modelnet_voxels.cloud(np.packbits(occupied), "x", 128)
    cells = np.floor(points).astype(int)
    assert occupied[tuple(cells.T)].all() and len(np.unique(cells, axis=0)) == 128
    assert (np.diff(cells @ [1024, 32, 1]) > 0).all(), "in the order of their cells"


def test_the_two_splits_share_no_grid(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    grids = [
        g.tobytes() for g in np.concatenate(modelnet_voxels.grids_of(shared_data / "pointclouds"))
    ]
    seen = {}
    for split in ("train", "test"):
        data = datasets.load("modelnet10_voxels", split)
        assert data.sha256 in data.source.sha256[split]
        assert data.x.shape[1:] == (128, 3) and data.x.norm(dim=2).amax(1).allclose(torch.ones(1))
        assert torch.equal(data.labels, (data.ids >= 889).long())
        seen[split] = {grids[i] for i in data.ids.tolist()}
        assert len(seen[split]) == len(data), "every shape once"
    assert not seen["train"] & seen["test"]
    # Chairs beyond the number of monitors are in neither: the test classes are equal.
    every = seen["train"] | seen["test"]
    assert every <= set(grids) and len(set(grids)) == 839 + 451 == len(every) + 117
    assert data.labels.bincount().tolist() == [135, 135]


def test_a_cell_has_the_part_of_most_of_its_points() -> None:
    """Planted: cells of a 32-cell line, with points of known parts in them."""
    points = np.array([[0, 0, 0], [0.2, 0.3, 0], [0.3, 0, 0.1], [9.5, 0.5, 0], [32, 0.1, 0]])
    cells, part = motorbikes.voxelised(points, np.array([1, 2, 2, 5, 0]))
    assert cells.tolist() == [[0, 0, 0], [9, 0, 0], [31, 0, 0]] and part.tolist() == [2, 5, 0]


@pytest.mark.parametrize("split", ["train", "test"])
def test_motorbikes_have_parts_and_the_others_none(
    split: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    data = datasets.load("motorbikes", split)
    assert data.sha256 in data.source.sha256[split]
    bikes = data.labels == 0
    assert bool((data.ids[bikes] % 2 == (split == "test")).all()) and len(data.ids.unique()) == len(
        data
    )
    others = datasets.load("modelnet10_voxels", split)
    kept = torch.isin(others.ids, data.ids[~bikes] - 99)
    assert torch.equal(data.x[~bikes], others.x[kept])
    assert bool((data.parts[~bikes] == -1).all())
    counts = data.labels.bincount().tolist()
    assert counts == [49, 49, 49] if split == "test" else counts[0] == 50 and bool(kept.all())
    draw = PartDraw(names=motorbikes.PARTS)
    possible = [draw.possible(data, i) for i in range(len(data))]
    assert {possible[i] for i in (~bikes).nonzero().flatten().tolist()} == {0}
    assert sum(n == 9 for n in possible) >= 40
    # The wheels lie lowest, the handle highest, where z is up; the wheels at the ends of the bike.
    height = torch.stack([data.x[bikes][data.parts[bikes] == k].mean(0) for k in range(9)])
    assert set(height[:, 2].argsort()[:2].tolist()) == {4, 5} and int(height[:, 2].argmax()) == 2


def test_a_missing_or_damaged_file_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=r"fetched by hand into .*modelnet10_voxels32\.npz"):
        datasets.get("modelnet10_voxels")
    path = tmp_path / modelnet_voxels.FILE
    path.parent.mkdir()
    path.write_bytes(b"something else")
    with pytest.raises(datasets.DamagedData, match="is damaged or another version"):
        datasets.load("modelnet10_voxels", "train")


# The whole sets, which are fetched by hand: their layouts, in small -----------------------------


def shapenet_folder(cache: Path, normal: bool) -> None:
    """Four shapes of two classes in one of both layouts, in three parts; one of too few points."""
    root = cache / ("shapenetcore_partanno_segmentation_benchmark_v0" + "_normal" * normal)
    shapes = {
        "train": ["03790512/a", "03001627/b"],
        "val": ["03790512/few"],
        "test": ["03001627/c"],
    }
    (root / "train_test_split").mkdir(parents=True)
    for split, names in shapes.items():
        entries = [f"shape_data/{name}" for name in names]
        listed = root / "train_test_split" / f"shuffled_{split}_file_list.json"
        listed.write_text(json.dumps(entries))
        for name in names:
            synset, one = name.split("/")
            rng = np.random.default_rng(ord(one[0]))
            part = rng.integers(1, 4, 500 if one == "few" else 1500)
            points = 5 * np.eye(3)[part - 1] + 0.1 * rng.normal(size=(len(part), 3))
            if normal:
                (root / synset).mkdir(exist_ok=True)
                table = np.column_stack([points, points, part])
                np.savetxt(root / synset / f"{one}.txt", table, fmt="%.5f")
            else:
                (root / synset / "points").mkdir(parents=True, exist_ok=True)
                (root / synset / "points_label").mkdir(exist_ok=True)
                np.savetxt(root / synset / "points" / f"{one}.pts", points, fmt="%.5f")
                np.savetxt(root / synset / "points_label" / f"{one}.seg", part, fmt="%d")


@pytest.mark.parametrize("normal", [True, False])
def test_shapenet_part_is_read_from_its_own_files(
    normal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    shapenet_folder(tmp_path, normal)
    with pytest.raises(datasets.DamagedData, match=r"lists 3 train shapes, the published .* 14007"):
        datasets.get("shapenet_part")
    monkeypatch.setattr(shapenet_part, "_SHAPES", {"train": 3, "test": 1})
    assert datasets.get("shapenet_part") == tmp_path
    train, test = (datasets.load("shapenet_part", split) for split in ("train", "test"))
    assert [train.classes[k] for k in train.labels] == ["motorbike", "chair"]
    assert train.ids.tolist() == [0, 1] and len(test) == 1, "the shape of 500 points is left out"
    for x, parts in zip(train.x, train.parts, strict=True):
        # Planted: the points of a part lie together, far from those of the others.
        near = torch.cdist(x, x) < 0.5
        assert torch.equal(near, parts[:, None] == parts) and set(parts.tolist()) == {1, 2, 3}
    note = json.loads((tmp_path / "shapenet_part_1024.json").read_text())
    assert "'train': 1" in str(note)
    path = tmp_path / "shapenet_part_1024.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        datasets.DamagedData, match="`reproduce data shapenet_part` makes them again"
    ):
        datasets.load("shapenet_part", "train")


def test_a_mesh_is_sampled_evenly_on_its_surface() -> None:
    """A square of two triangles and one of twice its side, as one face of four corners: four fifths
    of the points lie on the large one, evenly in both coordinates."""
    off = "OFF9 3 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n0 0 9\n2 0 9\n2 2 9\n0 2 9\n5 5 5\n"
    faces = "3 0 1 2\n3 0 2 3\n4 4 5 6 7\n"
    triangles = modelnet.parse_off(off + faces, "x")
    assert triangles.shape == (4, 3, 3)
    assert np.array_equal(triangles, modelnet.parse_off(off.replace("OFF", "OFF\n") + faces, "x"))
    points = modelnet.on_surface(triangles, 20000, "x")
    assert set(points[:, 2].round(12)) == {0, 9}
    large = points[:, 2] > 5
    assert large.mean() == pytest.approx(0.8, abs=0.015)
    for size, own in ((1, ~large), (2, large)):
        for axis in (0, 1):
            counts = np.histogram(points[own, axis], 4, (0, size))[0] / own.sum()
            assert counts == pytest.approx(0.25, abs=0.03)
    for broken in ("PLY", "OFF 3 1 0 0 0 0", "OFF 1 1 0 0 0 0 3 0 1 2"):
        with pytest.raises(datasets.DamagedData, match=r"y\.off is no mesh in OFF"):
            modelnet.parse_off(broken, "y.off")
    with pytest.raises(datasets.DamagedData, match="x has no surface"):
        modelnet.on_surface(np.zeros((2, 3, 3)), 10, "x")


def test_modelnet_is_read_from_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=r"put the folder ModelNet10 of ModelNet10\.zip"):
        datasets.get("modelnet10")
    with pytest.raises(MissingData, match="reproduce data modelnet40"):
        datasets.load("modelnet40", "train")
    mesh = "OFF\n3 1 0\n0 0 0\n1 0 0\n{} 1 0\n3 0 1 2\n"
    for k, (one, split) in enumerate(
        [("chair", "train"), ("bed", "train"), ("chair", "test"), ("chair", "train")]
    ):
        folder = tmp_path / "ModelNet10" / one / split
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{one}_{k:04}.off").write_text(mesh.format(k))
    with pytest.raises(
        datasets.DamagedData, match="has 3 train meshes, the published set has 3991"
    ):
        datasets.get("modelnet10")
    monkeypatch.setitem(modelnet._MESHES, "ModelNet10", {"train": 3, "test": 1})
    datasets.get("modelnet10")
    train, test = (datasets.load("modelnet10", split) for split in ("train", "test"))
    assert [train.classes[k] for k in train.labels] == ["bed", "chair", "chair"] and len(test) == 1
    assert train.parts is None and bool((train.x[..., 2] == 0).all()), "flat, as the mesh is"
    assert len(modelnet.CLASSES10) == 10 and len(modelnet.CLASSES40) == 40
    assert set(modelnet.CLASSES10) <= set(modelnet.CLASSES40)
