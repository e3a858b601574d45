"""Files that are whole or absent: what a kill, a flipped byte or an odd value must not do."""

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest
import torch

from utils import io, paths


def test_sha256_agrees_with_hashlib(tmp_path):
    data = os.urandom(3_000_001)
    (tmp_path / "x").write_bytes(data)
    assert (
        io.sha256_file(tmp_path / "x") == io.sha256_bytes(data) == hashlib.sha256(data).hexdigest()
    )


def test_canonical_json_has_one_form():
    a = {
        "b": [1, 2.5, None, True],
        "a": {"y": np.float64(0.1), "x": np.int32(3)},
        "c": np.array([1.0, 2.0]),
    }
    b = {
        "c": torch.tensor([1.0, 2.0]),
        "a": {"x": 3, "y": 0.1},
        "b": (1, 2.5, None, np.bool_(True)),
    }
    assert io.canonical_json(a) == io.canonical_json(b)
    assert json.loads(io.canonical_json(a)) == {
        "a": {"x": 3, "y": 0.1},
        "b": [1, 2.5, None, True],
        "c": [1.0, 2.0],
    }
    assert io.canonical_json(a).endswith("}\n")
    assert io.canonical_json("κ = 0.04") == '"κ = 0.04"\n'


@pytest.mark.parametrize("x", [0.1, 1 / 3, 1e-300, -2.5e17, 5e-324, float(np.nextafter(1.0, 2.0))])
def test_canonical_json_keeps_every_bit_of_a_float(x):
    assert json.loads(io.canonical_json({"x": x}))["x"] == x


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), np.float64("-inf"), torch.tensor([0.0, float("nan")])]
)
def test_canonical_json_refuses_what_json_lacks_and_names_it(bad):
    with pytest.raises(ValueError, match=r"\$\.rows\[1\]\.estimate"):
        io.canonical_json({"rows": [{"estimate": 1.0}, {"estimate": bad}]})


def test_canonical_json_refuses_other_types_and_ambiguous_keys():
    with pytest.raises(TypeError, match=r"\$\.where is a PosixPath"):
        io.canonical_json({"where": Path("/tmp")})
    with pytest.raises(TypeError, match="keys are strings"):
        io.canonical_json({(1, 2): 3})
    with pytest.raises(ValueError, match="two keys"):
        io.canonical_json({1: "a", "1": "b"})


def test_atomic_leaves_the_old_file_when_the_writer_fails(tmp_path):
    target = tmp_path / "deep" / "x.csv"
    io.write_text(target, "old")
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), io.atomic(target) as temporary:
            temporary.write_text("half of the n")
            raise error
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["x.csv"]


def test_atomic_keeps_the_suffix_and_wants_something_written(tmp_path):
    with io.atomic(tmp_path / "figure.png") as temporary:
        assert temporary.suffix == ".png" and temporary.parent == tmp_path
        temporary.write_bytes(b"png")
    assert (tmp_path / "figure.png").read_bytes() == b"png"
    with pytest.raises(FileNotFoundError, match="nothing was written"), io.atomic(tmp_path / "y"):
        pass


def test_text_is_written_as_given(tmp_path):
    io.write_text(tmp_path / "t", "κ\r\nτ\n")
    assert (tmp_path / "t").read_bytes() == "κ\r\nτ\n".encode()


def test_a_reader_never_sees_half_a_file(tmp_path):
    target, seen, stop = tmp_path / "x.json", [], threading.Event()
    io.write_json(target, {"n": [0] * 20000})

    def read():
        while not stop.is_set():
            seen.append(len(set(io.read_json(target)["n"])))

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(30):
        io.write_json(target, {"n": [k] * 20000})
    stop.set()
    reader.join()
    assert seen and set(seen) == {1}


def test_damaged_json_names_the_file(tmp_path):
    (tmp_path / "v.json").write_bytes(b'{"a": 1')
    with pytest.raises(io.DamagedFileError, match=r"v\.json is not valid JSON") as caught:
        io.read_json(tmp_path / "v.json")
    assert caught.value.path == tmp_path / "v.json"
    (tmp_path / "v.json").write_bytes(b"\xff\xfe")
    with pytest.raises(io.DamagedFileError):
        io.read_json(tmp_path / "v.json")


def _arrays():
    whole = torch.arange(24.0).reshape(4, 6)
    frozen = np.arange(5)
    frozen.setflags(write=False)
    return {
        "double": torch.randn(
            3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
        ),
        "transposed": whole.T,
        "part": whole[1:3],
        "same": whole,
        "again": whole,
        "scalar": np.float32(2.5),
        "empty": torch.zeros(0, 7),
        "flags": np.array([True, False]),
        "frozen": frozen,
        "big_endian": np.arange(3, dtype=">i4"),
        "strided": np.arange(10)[::3],
        "half": torch.ones(2).bfloat16(),
        "grad": torch.ones(2, requires_grad=True),
    }


def test_arrays_come_back_bit_for_bit(tmp_path):
    arrays = _arrays()
    io.save_arrays(tmp_path / "a.safetensors", arrays, {"n": "10", "kappa": "0.04"})
    back = io.load_arrays(tmp_path / "a.safetensors")
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        if isinstance(array, torch.Tensor):
            assert back[name].dtype == array.dtype and torch.equal(back[name], array.detach()), name
        else:
            assert back[name].shape == np.shape(array), name
            assert np.array_equal(back[name].numpy(), array), name
    assert io.load_meta(tmp_path / "a.safetensors") == {"n": "10", "kappa": "0.04"}
    io.save_arrays(tmp_path / "b.safetensors", {"x": np.zeros(2)})
    assert io.load_meta(tmp_path / "b.safetensors") == {}


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    meta = {f"key{i}": str(i) for i in range(8)}
    hashes = set()
    for k in range(6):
        io.save_arrays(
            tmp_path / f"{k}", _arrays(), dict(sorted(meta.items(), reverse=bool(k % 2)))
        )
        hashes.add(io.sha256_file(tmp_path / f"{k}"))
    assert len(hashes) == 1


def test_arrays_that_cannot_be_saved_are_named(tmp_path):
    with pytest.raises(TypeError, match="'labels' has dtype <U1"):
        io.save_arrays(tmp_path / "a", {"labels": np.array(["a", "b"])})
    with pytest.raises(TypeError, match="'o' has dtype object"):
        io.save_arrays(tmp_path / "a", {"o": np.array([{}, None])})
    with pytest.raises(TypeError, match="meta maps str to str"):
        io.save_arrays(tmp_path / "a", {}, {"n": 3})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_tensor_file_is_found(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    io.save_arrays(path, {"x": np.arange(100.0)}, {"n": "1"})
    path.write_bytes(path.read_bytes()[:keep])
    for read in (io.load_arrays, io.load_meta):
        with pytest.raises(io.DamagedFileError, match=r"a\.safetensors"):
            read(path)


def _sealed(folder):
    (folder / "inner").mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes(range(100)))
    (folder / "inner" / "b.txt").write_text("b")
    (folder / ".scratch").write_text("s")
    io.seal(folder)
    return folder


def test_an_untouched_folder_verifies(tmp_path):
    folder = _sealed(tmp_path / "f")
    assert io.verify(folder) == []
    assert io.read_manifest(folder)["inner/b.txt"] == {"sha256": io.sha256_bytes(b"b"), "size": 1}
    (folder / ".DS_Store").write_text("a file browser's")
    assert io.verify(folder) == []


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: _flip(f / "a.bin"), "a.bin has another sha256"),
        (lambda f: (f / "a.bin").write_bytes(b"0" * 99), "a.bin has 99 bytes instead of 100"),
        (lambda f: (f / "inner" / "b.txt").unlink(), "inner/b.txt is missing"),
        (lambda f: (f / "extra.txt").write_text("x"), "extra.txt is not in MANIFEST.json"),
        (lambda f: (f / "MANIFEST.json").unlink(), "MANIFEST.json is missing"),
        (lambda f: (f / "MANIFEST.json").write_text("{}"), "is not a list of files"),
        (
            lambda f: (f / "MANIFEST.json").write_text('{"files": {"a.bin": 3}}'),
            "is not a list of files",
        ),
        (lambda f: (f / "MANIFEST.json").write_text('{"fil'), "is not valid JSON"),
    ],
)
def test_every_damage_to_a_folder_is_named(tmp_path, damage, says):
    folder = _sealed(tmp_path / "f")
    damage(folder)
    problems = io.verify(folder)
    assert len(problems) == 1 and says in problems[0] and str(folder) in problems[0]


def test_any_single_flipped_byte_of_the_manifests_hashes_is_found(tmp_path):
    folder = _sealed(tmp_path / "f")
    text = (folder / "MANIFEST.json").read_text()
    digest = io.sha256_bytes(b"b")
    for wrong in (digest.replace(digest[0], "e" if digest[0] != "e" else "f", 1), digest.upper()):
        (folder / "MANIFEST.json").write_text(text.replace(digest, wrong))
        assert io.verify(folder)


def test_set_aside_renames_and_warns(tmp_path):
    for k in (1, 2):
        (tmp_path / "x").write_text(str(k))
        with pytest.warns(
            io.DamagedFileWarning,
            match=rf"x is damaged \(bad sums\).*x\.broken-{k}.*computed again",
        ):
            aside = io.set_aside(tmp_path / "x", "bad sums")
        assert aside == tmp_path / f"x.broken-{k}" and aside.read_text() == str(k)
    assert not (tmp_path / "x").exists()


def test_remove_hidden_takes_scratch_only(tmp_path):
    folder = _sealed(tmp_path / "f")
    (folder / "inner" / ".partial" / "deep").mkdir(parents=True)
    (folder / "inner" / ".partial" / "deep" / "visible").write_text("x")
    io.remove_hidden(folder)
    assert sorted(p.name for p in folder.rglob("*")) == ["MANIFEST.json", "a.bin", "b.txt", "inner"]


def _count(path, rounds):
    for _ in range(rounds):
        with io.lock(path):
            path.write_text(str(int(path.read_text()) + 1))


def test_processes_under_a_lock_take_turns(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "utils.jobs"])
    workers = [context.Process(target=_count, args=(counter, 20)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert counter.read_text() == "40"


def test_a_killed_holder_blocks_nobody(tmp_path):
    code = (
        f"import os, signal; from utils import io\nwith io.lock({str(tmp_path / 'x')!r}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=False)
    assert killed.returncode == -9 and (tmp_path / "x.lock").exists()
    with io.lock(tmp_path / "x", wait=False):
        pass


def test_a_held_lock_is_refused_at_once_or_waited_for_aloud(tmp_path, monkeypatch, capsys):
    held, let_go = threading.Event(), threading.Event()

    def hold():
        with io.lock(tmp_path / "x"):
            held.set()
            let_go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    with pytest.raises(filelock.Timeout), io.lock(tmp_path / "x", wait=False):
        pass
    monkeypatch.setattr(io, "_QUIET_SECONDS", 0.05)
    threading.Timer(0.3, let_go.set).start()
    with io.lock(tmp_path / "x"):
        pass
    holder.join()
    assert f"waiting for another process that works on {tmp_path / 'x'}" in capsys.readouterr().err


def test_paths_follow_the_environment(monkeypatch, tmp_path):
    for variable in ("INTERACTIONS_DATA", "INTERACTIONS_CACHE", "INTERACTIONS_RESULTS"):
        monkeypatch.delenv(variable, raising=False)
    assert (paths.ROOT / "utils" / "paths.py").is_file()
    assert paths.data_cache() == paths.ROOT / "data" / "cache"
    assert paths.job_cache() == paths.ROOT / ".cache"
    assert paths.results("smoke") == paths.ROOT / "results" / "smoke"
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("INTERACTIONS_CACHE", "~/jobs")
    monkeypatch.setenv("INTERACTIONS_RESULTS", "relative")
    assert paths.data_cache() == tmp_path / "d"
    assert paths.job_cache() == Path.home() / "jobs"
    assert paths.results("smoke") == Path.cwd() / "relative" / "smoke"
    for bad in ("", "..", "a/b", "/etc"):
        with pytest.raises(ValueError, match="a profile is one folder name"):
            paths.results(bad)
