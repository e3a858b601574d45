"""Fashion-MNIST, Tiny ImageNet and the marked birds are what was published, and nothing else is
taken for them; marked parts are players."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from utils import datasets
from utils.datasets import DamagedData, MissingData, base, fashion_mnist, idx, tiny_imagenet
from utils.jobs.scored import choose
from utils.players.marked import MarkedDraw


@pytest.fixture
def shared(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pre-filled data cache, in use."""
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    return shared_data


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data cache, in use."""
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    return tmp_path


# Fashion-MNIST ------------------------------------------------------------------------------------


@pytest.fixture
def fashion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Debian's copy; skipped only where the package is not installed."""
    if not fashion_mnist._DEBIAN.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path / "empty"))
    return fashion_mnist._DEBIAN


def test_debians_fashion_mnist_has_the_published_numbers(fashion: Path) -> None:
    train, test = (datasets.load("fashion_mnist", split) for split in ("train", "test"))
    assert train.labels.bincount().tolist() == [6000] * 10 and len(test) == 10000
    # .2860 and .3530 are the constants of every tutorial; the first labels are an ankle boot's.
    assert float(train.x.mean()) == pytest.approx(0.2860, abs=5e-5)
    assert float(train.x.std()) == pytest.approx(0.3530, abs=5e-5)
    assert [train.classes[k] for k in train.labels[:3]] == ["ankle boot", "T-shirt", "T-shirt"]
    for data in (train, test):
        assert data.source.sha256[data.split] == (data.sha256,)


def test_the_data_cache_is_read_first_and_a_changed_file_refused(
    fashion: Path, cache: Path
) -> None:
    raw = cache / "FashionMNIST" / "raw"
    shutil.copytree(fashion, raw)
    assert datasets.find("fashion_mnist").find() == raw
    name = "t10k-labels-idx1-ubyte"
    labels = bytearray(idx.gunzip((raw / f"{name}.gz").read_bytes(), raw / f"{name}.gz", ""))
    labels[100] = (labels[100] + 1) % 10
    (raw / f"{name}.gz").unlink()
    (raw / name).write_bytes(labels)
    with pytest.raises(DamagedData, match=r"t10k-labels.*reproduce data fashion_mnist.*apt-get"):
        datasets.load("fashion_mnist", "test")


def test_fashion_mnist_is_downloaded_by_torchvision(cache: Path, monkeypatch) -> None:
    import torchvision

    def fake(root: str, download: bool) -> None:
        assert (root, download) == (str(cache), True)
        raise RuntimeError("no network")

    monkeypatch.setattr(fashion_mnist, "_DEBIAN", cache / "nowhere")
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fake)
    with pytest.raises(MissingData, match="`reproduce data fashion_mnist` downloads it"):
        datasets.load("fashion_mnist", "train")
    with pytest.raises(MissingData, match=r"could not be downloaded \(no network\)"):
        datasets.get("fashion_mnist")


# Tiny ImageNet ------------------------------------------------------------------------------------


def test_the_part_of_tiny_imagenet_is_read_from_the_archive(shared: Path) -> None:
    test = datasets.load("tiny_imagenet_20", "test")
    assert test.shape == (3, 64, 64) and test.labels.bincount().tolist() == [50] * 20
    assert test.source.sha256["test"] == (test.sha256,)
    # Against the annotations, and against the pixels of one image read in another way.
    archive = zipfile.ZipFile(shared / "tiny-imagenet" / "tiny-imagenet-20.zip")
    told = archive.read("tiny-imagenet-200/val/val_annotations.txt").decode().splitlines()
    words = dict(
        line.split("\t")
        for line in archive.read("tiny-imagenet-200/words.txt").decode().splitlines()
        if line
    )
    named = {line.split("\t")[0]: words[line.split("\t")[1]].split(",")[0] for line in told}
    for i in range(0, 1000, 97):
        assert test.classes[test.labels[i]] == named[f"val_{int(test.ids[i])}.JPEG"]
    content = archive.read(f"tiny-imagenet-200/val/images/val_{int(test.ids[5])}.JPEG")
    with Image.open(io.BytesIO(content)) as image:
        assert image.convert("RGB").getpixel((7, 3)) == tuple(
            (test.x[5, :, 3, 7] * 255).round().int().tolist()
        )


def write_archive(folder: Path, wnids: tuple[str, ...], count: int) -> dict[str, np.ndarray]:
    """An archive in the original layout: flat images, the last one of each class grey."""
    folder.mkdir()
    rng, pixels, lines = np.random.default_rng(0), {}, []
    with zipfile.ZipFile(folder / "tiny-imagenet-200.zip", "w") as archive:

        def put(name: str, mode: str) -> None:
            colour = tuple(rng.integers(0, 256, len(mode)).tolist())
            stored = io.BytesIO()
            flat = Image.new(mode, (64, 64), colour if len(mode) > 1 else colour[0])
            flat.save(stored, "JPEG", quality=100)
            archive.writestr(f"tiny-imagenet-200/{name}", stored.getvalue())
            with Image.open(stored) as image:
                pixels[name] = np.asarray(image.convert("RGB"))

        for c, wnid in enumerate(wnids):
            for k in range(count):
                put(f"train/{wnid}/images/{wnid}_{k}.JPEG", "L" if k == count - 1 else "RGB")
            put(f"val/images/val_{10 - c}.JPEG", "RGB")
            lines.append(f"val_{10 - c}.JPEG\t{wnid}\t0\t0\t1\t1")
        archive.writestr("tiny-imagenet-200/val/val_annotations.txt", "\n".join(lines))
        archive.writestr("tiny-imagenet-200/wnids.txt", "\n".join(reversed(wnids)))
    return pixels


def test_labels_ids_and_grey_images_of_the_whole_archive(cache: Path, monkeypatch) -> None:
    wnids = ("n00000003", "n00000007", "n00000009")
    pixels = write_archive(cache / "tiny-imagenet", wnids, 2)
    path = cache / "tiny-imagenet" / "tiny-imagenet-200.zip"
    digest, _ = tiny_imagenet._KNOWN[path.name]
    read = tiny_imagenet._read
    how = {"names": (path.name,), "wnids": (), "most": 2}
    with pytest.raises(DamagedData, match="damaged or another version"):
        read(path.parent, "train", **how)
    monkeypatch.setitem(
        tiny_imagenet._KNOWN, path.name, (digest, digest(path.read_bytes()).hexdigest())
    )
    train, test = (read(path.parent, split, **how) for split in ("train", "test"))
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert train.ids.tolist() == [3000, 3001, 7000, 7001, 9000, 9001]
    assert test.ids.tolist() == [8, 9, 10] and test.labels.tolist() == [2, 1, 0]
    for raw in (train, test):
        assert raw.x.dtype == np.uint8 and raw.x.shape[1:] == (3, 64, 64)
    for i, name in ((1, "n00000003_1"), (2, "n00000007_0")):
        wnid = name.partition("_")[0]
        there = pixels[f"train/{wnid}/images/{name}.JPEG"]
        assert np.array_equal(train.x[i], there.transpose(2, 0, 1))
    assert np.ptp(train.x[1].astype(int), axis=0).max() == 0, "a grey image has equal channels"
    some = read(path.parent, "test", names=(path.name,), wnids=wnids[1:], most=2)
    assert (some.ids.tolist(), some.labels.tolist()) == ([8, 9], [1, 0])


def test_a_missing_tiny_imagenet_names_the_command(cache: Path, monkeypatch) -> None:
    from torchvision.datasets import utils as theirs

    def no_network(url: str, root: str, name: str, md5: str) -> None:
        assert (name, len(md5)) == ("tiny-imagenet-200.zip", 32)
        raise RuntimeError("no network")

    monkeypatch.setattr(theirs, "download_url", no_network)
    for name in ("tiny_imagenet", "tiny_imagenet_20"):
        with pytest.raises(MissingData, match=f"`reproduce data {name}` downloads it"):
            datasets.load(name, "test")
        with pytest.raises(MissingData, match="could not be downloaded"):
            datasets.get(name)


# Birds and their parts ----------------------------------------------------------------------------


def test_the_birds_have_eight_marked_parts_each(shared: Path) -> None:
    birds = datasets.load("cub200", "test")
    assert birds.shape == (3, 224, 224) and len(birds) == 20 == len(birds.ids.unique())
    assert birds.parts.shape == (20, 224 * 224)
    draw = MarkedDraw()
    assert [draw.possible(birds, i) for i in range(20)] == [8] * 20
    assert choose(birds, 20, 8, draw) == list(range(20))
    with pytest.raises(ValueError, match=r"has 0 images that can have 9 players \(marked parts\)"):
        choose(birds, 1, 9, draw)


def test_another_file_of_birds_is_refused(cache: Path) -> None:
    with pytest.raises(MissingData, match="cub200 is not in"):
        datasets.load("cub200", "test")
    (cache / "cub200_sample").mkdir()
    (cache / "cub200_sample" / "cub_birds_20.npz").write_bytes(b"other")
    with pytest.raises(DamagedData, match=r"cub_birds_20\.npz is damaged or another version"):
        datasets.load("cub200", "test")


def marked(parts: list[list[int]]) -> datasets.Samples:
    """Images (3, 2, 3) with a part per pixel."""
    count = len(parts)
    x = np.arange(count * 18, dtype=np.float32).reshape(count, 3, 2, 3) / 100
    raw = base.Raw(x, np.zeros(count, np.int64), np.arange(count), np.array(parts))
    source = base.Source("marked", ("a", "b"), (3, 2, 3), lambda: None, lambda f, s: raw)
    return datasets.Samples.from_raw(raw, source, "train")


def test_a_part_is_a_player_and_what_is_in_none_stays() -> None:
    data = marked([[0, 0, -1, 5, 7, 7]])
    players = MarkedDraw().players(data, 0, 3, data)
    image, colour = data.x[0], data.x[0].mean((1, 2))
    x = players.masked(torch.arange(8))
    assert torch.equal(x[7], image)
    for mask in range(8):
        absent = torch.tensor([[0, 0, -1], [1, 2, 2]])
        gone = torch.stack([(absent == k) & (not mask >> k & 1) for k in range(3)]).any(0)
        expected = torch.where(gone, colour.view(3, 1, 1).expand_as(image), image)
        torch.testing.assert_close(x[mask], expected, atol=0, rtol=0)
    assert players.describe(1) == "player 1: 1 pixels, rows 1-1, columns 0-0"


def test_fewer_players_are_drawn_by_hash_and_more_are_refused() -> None:
    data = marked([[0, 1, 2, 3, 4, 5]] * 6)
    draws = [MarkedDraw().players(data, i, 2, data).owner for i in range(6)]
    assert len({tuple(owner.flatten().tolist()) for owner in draws}) > 1, "by the image's id"
    assert all(sorted(owner.flatten().tolist()) == [0, 1, 2, 2, 2, 2] for owner in draws)
    other = MarkedDraw(repeat=1)
    assert any(not torch.equal(other.players(data, i, 2, data).owner, draws[i]) for i in range(6))
    with pytest.raises(ValueError, match="image marked/train/3 has 6 marked parts, fewer than the"):
        MarkedDraw().players(data, 3, 7, data)


def test_an_absent_part_shows_the_mean_image_where_that_is_asked_for() -> None:
    data = marked([[0, 0, -1, 1, 1, 1], [0, 1, 1, 1, 0, 0]])
    draw = MarkedDraw(baseline="mean")
    assert draw.masked_by == "mean image" and MarkedDraw().masked_by == "mean colour of the image"
    x = draw.players(data, 0, 2, data).masked(torch.tensor([0]))[0]
    kept = torch.tensor([[False, False, True], [False, False, False]])
    assert torch.equal(x, torch.where(kept, data.x[0], data.mean))


def test_images_without_marked_parts_are_refused() -> None:
    data = datasets.load("mnist_part", "test", 10)
    with pytest.raises(ValueError, match="mnist_part has no marked parts"):
        MarkedDraw().possible(data, 0)
    few = marked([[-1] * 6, [0, 1, 2, 2, 2, 2]])
    assert choose(few, 1, 2, MarkedDraw()) == [1], "an image with too few is skipped"
