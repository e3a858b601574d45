"""Training is a function of its config: same bits again, same bits after a kill, other bits for
another seed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from utils import datasets, io, models
from utils.models import InputSpec
from utils.train import (
    DivergedError,
    TrainConfig,
    Training,
    Weights,
    fit,
    given_labels,
    load_run,
    log_spaced,
    with_label_noise,
)
from utils.train.loop import _Trainer

SMALL = dict(
    n_train=200, n_test=100, model="mlp7", width=16, lr=0.1, batch=16, steps=60, checkpoints=6
)


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    monkeypatch.setenv("INTERACTIONS_PROGRESS", "0")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# The plan -----------------------------------------------------------------------------------------


@given(st.integers(1, 20000), st.data())
@settings(max_examples=200, deadline=None)
def test_log_spaced_steps(steps, data):
    first = data.draw(st.integers(1, steps))
    count = data.draw(st.integers(2, min(60, steps - first + 2)))
    points = log_spaced(steps, count, first)
    assert len(points) == count == len(set(points))
    assert points == sorted(points) and points[0] == 0 and points[-1] == steps
    assert count == 2 or points[1] == first
    ratios = np.array(points[2:]) / np.array(points[1:-1])
    # no ratio is much above the ideal one: rounding aside, the spacing is even on a log axis
    if count > 3:
        ideal = (steps / first) ** (1 / (count - 2))
        assert ratios.max() <= max(ideal * (1 + 1 / first), 1 + 1 / first) + 1e-9


def test_log_spaced_examples():
    assert log_spaced(5000, 13) == [0, 1, 2, 4, 9, 20, 44, 97, 213, 469, 1032, 2272, 5000]
    assert log_spaced(1000, 5, first=10) == [0, 10, 46, 214, 1000]
    assert log_spaced(5, 6) == [0, 1, 2, 3, 4, 5]
    assert log_spaced(7, 2) == [0, 7]
    for arguments in ((5, 7), (5, 1), (5, 3, 6), (5, 3, 0)):
        with pytest.raises(ValueError, match="checkpoints must be"):
            log_spaced(*arguments)


def test_losses_are_measured_at_every_checkpoint_and_at_most_the_ratio_apart():
    config = TrainConfig(steps=5000, checkpoints=13, loss_every_ratio=1.15)
    steps = config.loss_steps
    assert set(config.checkpoint_steps) <= set(steps) and steps == sorted(set(steps))
    assert all(b - a == 1 or b / a <= 1.15 for a, b in itertools.pairwise(steps[1:]))
    assert len(steps) < 80


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(optimiser="adam"), "Extra inputs are not permitted"),
        (dict(steps="5000"), "valid integer"),
        (dict(lr=0.0), "greater than 0"),
        (dict(lr=float("nan")), "lr"),
        (dict(momentum=1.0), "less than 1"),
        (dict(model="vgg12"), "unknown model 'vgg12'.*vgg1.*; there are: "),
        (dict(dataset="minst"), "unknown data set 'minst'.*mnist.*; there are: "),
        (dict(checkpoints=70), "checkpoints must be 2 … 61 for 60 steps"),
        (dict(n_train=8), "n_train = 8 is less than batch = 16"),
        (dict(loss_images=300), "loss_images"),
        (dict(loss_every_ratio=1.0), "greater than 1"),
        (dict(seed=-1), "greater than or equal to 0"),
        (dict(label_noise=1.0), "less than 1"),
        (dict(label_noise=-0.1), "greater than or equal to 0"),
        (dict(label_noise=float("nan")), "label_noise"),
        (dict(optimizer="adam"), "'sgd' or 'adamw'"),
        (dict(steps=0), "checkpoints must be"),
        (dict(checkpoints=1), "checkpoints must be"),
        (dict(model="lenet", dataset="breast_cancer"), "LeNet takes image; breast_cancer is of"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        TrainConfig(**(SMALL | change))


def test_a_config_cannot_be_changed():
    config = TrainConfig(**SMALL)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.lr = 1.0


# The loop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        dict(),
        dict(model="lenet", width=2, momentum=0.9, weight_decay=1e-4),
        dict(model="resnet20", width=2, steps=12, checkpoints=4),
        dict(optimizer="adamw", lr=1e-3, weight_decay=0.01),
    ],
    ids=["mlp7", "lenet-momentum", "resnet20", "adamw"],
)
def test_same_config_same_bits(tmp_path, extra):
    config = TrainConfig(**(SMALL | extra))
    torch.manual_seed(1)
    fit(config, tmp_path / "a")
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    fit(config, tmp_path / "b")
    assert torch.equal(before, torch.random.get_rng_state()), (
        "training must leave the global generator alone"
    )
    assert not torch.are_deterministic_algorithms_enabled()
    first, second = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    assert first == second
    assert set(first) == {
        "config.json",
        "losses.csv",
        *(f"weights-{k}.safetensors" for k in config.checkpoint_steps),
    }


@pytest.mark.parametrize("network", ["mlp7", "lenet"])
def test_the_bits_do_not_depend_on_the_machines_threads(tmp_path, network):
    config, found = TrainConfig(**{**SMALL, "model": network, "width": None, "batch": 64}), []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        fit(config, tmp_path / str(threads))
        assert torch.get_num_threads() == threads
        found.append(files_of(tmp_path / str(threads)))
    torch.set_num_threads(before)
    assert found[0] == found[1]


def test_another_seed_is_another_run(tmp_path):
    runs = [fit(TrainConfig(**SMALL, seed=seed), tmp_path / str(seed)) for seed in (0, 1)]
    for step in (0, 60):
        a, b = (run.model(step).state_dict() for run in runs)
        assert not torch.equal(a["hidden1.0.weight"], b["hidden1.0.weight"])
    assert not runs[0].losses.equals(runs[1].losses)


def test_the_loop_is_sgd_with_momentum_and_weight_decay(tmp_path):
    """Four steps by the textbook: v = momentum * v + gradient + weight_decay * w; w = w - lr *
    v."""
    config = TrainConfig(
        **(
            SMALL
            | dict(steps=4, checkpoints=5, n_train=32, lr=0.3, momentum=0.8, weight_decay=0.01)
        )
    )
    run = fit(config, tmp_path / "run")
    order = _Trainer(config, tmp_path / "other")
    train = datasets.load("mnist_part", "train", 32)
    model = run.model(0).requires_grad_(True)
    velocity = [torch.zeros_like(w) for w in model.parameters()]
    for step in range(4):
        chosen = order.batch_of(step)
        loss = F.cross_entropy(model(train.x[chosen]), train.labels[chosen])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for w, v, g in zip(model.parameters(), velocity, gradients, strict=True):
                v.mul_(0.8).add_(g + 0.01 * w)
                w.sub_(0.3 * v)
        for ours, kept in zip(model.parameters(), run.model(step + 1).parameters(), strict=True):
            torch.testing.assert_close(ours.detach(), kept, atol=1e-6, rtol=1e-4)


def test_adamw_is_the_published_step(tmp_path):
    """Four steps by Loshchilov and Hutter 2019, Algorithm 2: moments .9 and .999, eps 1e-8, decay
    decoupled."""
    lr, decay = 3e-3, 0.05
    config = TrainConfig(
        **(
            SMALL
            | dict(steps=4, checkpoints=5, n_train=32, lr=lr, weight_decay=decay, optimizer="adamw")
        )
    )
    run = fit(config, tmp_path / "run")
    order = _Trainer(config, tmp_path / "other")
    train = datasets.load("mnist_part", "train", 32)
    model = run.model(0).requires_grad_(True)
    first, second = ([torch.zeros_like(w) for w in model.parameters()] for _ in range(2))
    for step in range(1, 5):
        chosen = order.batch_of(step - 1)
        loss = F.cross_entropy(model(train.x[chosen]), train.labels[chosen])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for w, m, v, g in zip(model.parameters(), first, second, gradients, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                w.mul_(1 - lr * decay)
                w.sub_(lr * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        for ours, kept in zip(model.parameters(), run.model(step).parameters(), strict=True):
            torch.testing.assert_close(ours.detach(), kept, atol=2e-6, rtol=1e-4)


def test_the_optimizers_share_the_start_and_nothing_after(tmp_path):
    sgd, adamw = (
        fit(TrainConfig(**SMALL | dict(optimizer=name, lr=0.01)), tmp_path / name)
        for name in ("sgd", "adamw")
    )
    for step in (0, 1):
        a, b = (run.model(step).state_dict() for run in (sgd, adamw))
        assert torch.equal(a["hidden1.0.weight"], b["hidden1.0.weight"]) == (step == 0)
    assert adamw.losses["train_loss"].iloc[-1] < 2 < sgd.losses["train_loss"].iloc[-1]


def test_momentum_is_refused_beside_adamw():
    for model in (TrainConfig, Training):
        with pytest.raises(pydantic.ValidationError, match="momentum is that of sgd"):
            model(optimizer="adamw", momentum=0.9, lr=0.1, batch=8, steps=100, n_train=16)


def test_every_epoch_uses_each_image_once_in_another_order(tmp_path):
    trainer = _Trainer(TrainConfig(**SMALL), tmp_path)
    epochs = [
        torch.cat([trainer.batch_of(12 * epoch + k) for k in range(12)]) for epoch in range(3)
    ]
    for order in epochs:
        assert len(order) == 192 == len(order.unique())
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])
    assert torch.equal(trainer.batch_of(5), epochs[0][80:96]), (
        "a step's images do not depend on what came before"
    )


def test_losses_are_those_of_the_kept_weights(tmp_path):
    run = fit(TrainConfig(**SMALL, loss_images=50), tmp_path)
    train, test = datasets.load("mnist_part", "train", 50), datasets.load("mnist_part", "test", 100)
    for step in run.steps:
        row = run.losses.set_index("step").loc[step]
        model = run.model(step)
        for part, name in ((train, "train"), (test, "test")):
            logits = model(part.x).double()
            assert row[f"{name}_loss"] == pytest.approx(
                F.cross_entropy(logits, part.labels).item(), rel=1e-6
            )
            assert (
                row[f"{name}_accuracy"] == (logits.argmax(1) == part.labels).double().mean().item()
            )
    assert run.test_accuracy == run.losses["test_accuracy"].iloc[-1]
    assert run.losses["step"].tolist() == run.config.loss_steps


def test_normalisation_is_of_the_training_images(tmp_path):
    run = fit(TrainConfig(**SMALL), tmp_path)
    train = datasets.load("mnist_part", "train", 200)
    buffers = dict(run.model(0).named_buffers())
    assert buffers["input.mean"].item() == pytest.approx(train.x.double().mean().item(), abs=1e-6)
    assert buffers["input.std"].item() == pytest.approx(
        train.x.double().std(correction=0).item(), abs=1e-6
    )


@pytest.mark.parametrize(
    "how", [dict(lr=0.05, momentum=0.9), dict(optimizer="adamw", lr=1e-3)], ids=["sgd", "adamw"]
)
def test_it_learns_mnist(tmp_path, how):
    config = TrainConfig(
        n_train=3000,
        n_test=1000,
        model="mlp7",
        width=64,
        batch=64,
        steps=400,
        checkpoints=4,
        loss_every_ratio=2.0,
        **how,
    )
    run = fit(config, tmp_path)
    assert run.losses["test_accuracy"].iloc[0] < 0.25
    assert run.test_accuracy > 0.8
    assert run.losses["train_loss"].iloc[-1] < 0.3 < run.losses["train_loss"].iloc[0]


def test_divergence_names_step_and_learning_rate(tmp_path):
    with pytest.raises(
        DivergedError, match=r"diverged: the loss is nan at step \d+ with lr = 1e\+06.*lower lr"
    ):
        fit(TrainConfig(**(SMALL | dict(lr=1e6))), tmp_path)
    assert not (tmp_path / "losses.csv").exists()


# Regression ---------------------------------------------------------------------------------------

PLANE = """
import numpy as np
from pathlib import Path
from utils.datasets import About, Raw, Source

def read(folder, split):
    draw = np.random.default_rng({"train": 0, "test": 1}[split])
    x = draw.normal(50, 10, (300, 3)).astype(np.float32)
    y = (x[:, 0] - 2 * x[:, 1] + draw.normal(0, 2, 300)).astype(np.float32)
    return Raw(x, y / 10, np.arange(300))

PLANE = Source("plane", (), (3,), lambda: Path(__file__).parent, read, kind="table",
               about=About(columns=("a", "b", "c")))
"""


@pytest.fixture
def plane(tmp_path):
    """A user's file with a table to be regressed on: y = a - 2b, but for a share of noise."""
    path = tmp_path / "plane.py"
    path.write_text(PLANE, encoding="utf-8")
    return dict(file=str(path), dataset="plane", model="mlp7", width=16, n_train=200, lr=0.02)


def test_a_regression_minimises_the_squared_error_and_tells_r_squared(tmp_path, plane):
    config = TrainConfig(**plane, batch=20, steps=300, checkpoints=4)
    run = fit(config, tmp_path / "run")
    assert run.spec.classes == 0 and run.last()(torch.zeros(2, 3)).shape == (2, 1)
    for split, limit in (("train", 200), ("test", None)):
        data = config.data(split, limit)
        assert data.labels.dtype == torch.float32 and not data.classes
        answers = run.last()(data.x)[:, 0].double()
        error = F.mse_loss(answers, data.labels.double()).item()
        spread = (data.labels - data.labels.mean()).double().square().mean().item()
        last = run.losses.iloc[-1]
        assert last[f"{split}_loss"] == pytest.approx(error, rel=1e-6)
        assert last[f"{split}_accuracy"] == pytest.approx(1 - error / spread, rel=1e-6)
    assert run.losses["test_accuracy"].iloc[0] < 0.1 and run.test_accuracy > 0.9
    assert files_of(run.folder) == files_of(fit(config, tmp_path / "again").folder)


def test_a_regression_has_no_wrong_labels(plane):
    with pytest.raises(pydantic.ValidationError, match="plane has no classes to take wrong ones"):
        TrainConfig(**plane, label_noise=0.1)


# Weights given by others --------------------------------------------------------------------------

GIVEN = dict(n_train=200, n_test=100, model="mlp7", width=16, steps=0, checkpoints=1)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Weights of a network that somebody trained, in the data cache, and the run they are of."""
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path / "cache"))
    run = fit(TrainConfig(**SMALL), tmp_path / "theirs")
    path = tmp_path / "cache" / "weights" / "theirs.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes((run.folder / "weights-60.safetensors").read_bytes())
    return run, Weights(
        path="weights/theirs.safetensors", sha256=io.sha256_file(path), source="somebody, on MNIST"
    )


def test_given_weights_are_measured_and_kept_as_they_are(tmp_path, published):
    theirs, weights = published
    run = fit(TrainConfig(**GIVEN, weights=weights), tmp_path / "run")
    assert run.steps == (0,) and run.losses["step"].tolist() == [0]
    assert run.losses.iloc[0, 1:].tolist() == theirs.losses.iloc[-1, 1:].tolist()
    ours, given_ones = run.last().state_dict(), theirs.last().state_dict()
    assert all(torch.equal(ours[name], given_ones[name]) for name in given_ones)
    assert load_run(tmp_path / "run").config == run.config, "read back, weights included"
    absolute = weights.model_copy(update={"path": str(tmp_path / "cache" / weights.path)})
    again = fit(TrainConfig(**GIVEN, weights=absolute), tmp_path / "again")
    assert again.losses.equals(run.losses)


def test_other_weights_than_those_named_are_refused(tmp_path, published, monkeypatch):
    _, weights = published
    config = TrainConfig(**GIVEN, weights=weights)
    wrong = weights.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ValueError, match=r"theirs\.safetensors is not the file whose sha256"):
        fit(TrainConfig(**GIVEN, weights=wrong), tmp_path / "a")
    with pytest.raises(
        ValueError, match=r"(?s)theirs\.safetensors does not fit MLP: .*size mismatch"
    ):
        fit(TrainConfig(**GIVEN | dict(width=8), weights=weights), tmp_path / "b")
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(datasets.MissingData, match="is not there: weights of somebody, on MNIST"):
        fit(config, tmp_path / "c")
    assert not any((tmp_path / name / "losses.csv").exists() for name in "abc")


@pytest.mark.parametrize(
    "change", [dict(steps=10, checkpoints=2), dict(checkpoints=2), dict(label_noise=0.1)]
)
def test_nothing_is_trained_where_weights_are_given(change):
    weights = Weights(path="x.safetensors", sha256="0" * 64, source="somebody")
    with pytest.raises(pydantic.ValidationError, match="given weights have steps=0, checkpoints=1"):
        TrainConfig(**GIVEN | change, weights=weights)
    with pytest.raises(pydantic.ValidationError, match="pattern"):
        Weights(path="x.safetensors", sha256="no checksum", source="somebody")


# Label noise --------------------------------------------------------------------------------------


@given(
    st.integers(1, 300), st.integers(2, 10), st.floats(0, 1, exclude_max=True), st.integers(0, 50)
)
@settings(max_examples=100, deadline=None)
def test_a_share_of_the_labels_becomes_another_class(count, classes, rate, seed):
    labels = torch.randint(0, classes, (count,), generator=torch.Generator().manual_seed(seed))
    before = labels.clone()
    given_ones, flipped = with_label_noise(labels, classes, rate, seed)
    assert int(flipped.sum()) == round(rate * count)
    assert torch.equal(given_ones != labels, flipped)  # a replaced label is never the true one
    assert int(given_ones.min()) >= 0 and int(given_ones.max()) < classes
    assert torch.equal(labels, before)
    again, _ = with_label_noise(labels, classes, rate, seed)
    assert torch.equal(given_ones, again)


def test_wrong_labels_are_uniform_over_the_other_classes_and_differ_between_seeds():
    labels = torch.zeros(9000, dtype=torch.int64)
    given_ones, flipped = with_label_noise(labels, 10, 0.5, 0)
    counts = torch.bincount(given_ones[flipped], minlength=10)
    assert counts[0] == 0 and counts.sum() == 4500
    assert int((counts[1:] - 500).abs().max()) < 100  # 4.7 standard deviations
    other = with_label_noise(labels, 10, 0.5, 1)[1]
    assert 0.4 < float((flipped == other).double().mean()) < 0.6
    for rate in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"rate in \[0, 1\)"):
            with_label_noise(labels, 10, rate, 0)


def test_without_label_noise_the_given_labels_are_the_true_ones(tmp_path):
    config = TrainConfig(**SMALL)
    given_ones, flipped = given_labels(config)
    assert torch.equal(given_ones, datasets.load("mnist_part", "train", 200).labels) and not bool(
        flipped.any()
    )
    files, same = (
        files_of(fit(TrainConfig(**SMALL, **more), tmp_path / name).folder)
        for name, more in (("a", {}), ("b", {"label_noise": 0.0}))
    )
    assert files == same


def test_the_network_is_trained_and_measured_on_the_given_labels(tmp_path):
    config = TrainConfig(**{**SMALL, "steps": 3000}, label_noise=0.3, loss_images=50)
    run = fit(config, tmp_path / "noisy")
    told, flipped = given_labels(config)
    data, part = datasets.load("mnist_part", "train", 200), datasets.load("mnist_part", "train", 50)
    assert 0 < int(flipped[torch.isin(data.ids, part.ids)].sum()) < 50
    some = torch.tensor([told[data.ids == i].item() for i in part.ids])
    logits = run.model(3000)(part.x).double()
    assert run.losses["train_loss"].iloc[-1] == pytest.approx(
        F.cross_entropy(logits, some).item(), rel=1e-5
    )
    answers = run.model(3000)(data.x).argmax(1)
    assert (
        float((answers == told)[flipped].double().mean())
        > 0.5
        > float((answers == data.labels)[flipped].double().mean())
    )


# Kills and damage ---------------------------------------------------------------------------------

LONG = SMALL | dict(steps=3000, checkpoints=20, momentum=0.5)
ADAMW = dict(optimizer="adamw", lr=1e-3, momentum=0.0, weight_decay=0.01)
CHILD = """
import sys
from pathlib import Path
from utils.train import TrainConfig, fit
fit(TrainConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("change", [{}, ADAMW], ids=["sgd-momentum", "adamw"])
def test_killed_and_resumed_is_uninterrupted(tmp_path, change):
    config = TrainConfig(**LONG | change)
    fit(config, tmp_path / "whole")
    for wanted in (
        config.checkpoint_steps[4],
        config.checkpoint_steps[14],
    ):  # two kills, early and late
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, config.model_dump_json(), str(tmp_path / "killed")],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        deadline = time.monotonic() + 120
        while not (tmp_path / "killed" / f"weights-{wanted}.safetensors").exists():
            assert child.poll() is None and time.monotonic() < deadline, (
                "the child ended before it could be killed"
            )
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not (tmp_path / "killed" / "losses.csv").exists()
        with pytest.raises(FileNotFoundError, match="no finished training run"):
            load_run(tmp_path / "killed")
    fit(config, tmp_path / "killed")
    for leftover in (tmp_path / "killed").glob(
        ".tmp-*"
    ):  # of the file that was being written when the kill came
        leftover.unlink()
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


class _Stop(Exception):
    pass


def interrupted(config: TrainConfig, folder: Path, monkeypatch, at: int) -> None:
    """A run that stops at step ``at``, as if by Ctrl-C; what is on disk then is the state of the
    checkpoint before."""
    step = _Trainer.one_step

    def stopping(self):
        if self.step == at:
            raise _Stop
        step(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Trainer, "one_step", stopping)
        with pytest.raises(_Stop):
            fit(config, folder)


@pytest.mark.parametrize(
    "extra",
    [
        dict(model="lenet", width=2, momentum=0.9),
        dict(model="resnet20", width=2),
        dict(model="lenet", width=2, **ADAMW),
    ],
    ids=["lenet-momentum", "resnet20", "lenet-adamw"],
)
def test_interrupted_convolutions_resume_with_the_same_bits(tmp_path, monkeypatch, extra):
    """Momentum, the running statistics of batch normalisation and the memory layout all come
    back."""
    config = TrainConfig(**(SMALL | dict(steps=24, checkpoints=6) | extra))
    fit(config, tmp_path / "whole")
    for at in (3, 17):
        interrupted(config, tmp_path / "run", monkeypatch, at)
    fit(config, tmp_path / "run")
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("name", ["state", "arrays", "weights", "missing weights", "config"])
def test_damage_is_set_aside_and_the_bits_are_the_same(tmp_path, monkeypatch, name):
    config = TrainConfig(**(SMALL | dict(momentum=0.9)))
    fit(config, tmp_path / "whole")
    folder = tmp_path / "run"
    interrupted(config, folder, monkeypatch, at=30)
    victim = {
        "config": folder / "config.json",
        "state": folder / ".state" / "state.json",
        "arrays": next((folder / ".state").glob("arrays-*")),
        "weights": folder / "weights-1.safetensors",
        "missing weights": folder / "weights-1.safetensors",
    }[name]
    if name == "missing weights":
        victim.unlink()
    else:
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 0x80  # in JSON this is no longer UTF-8
        victim.write_bytes(content)
    with pytest.warns(io.DamagedFileWarning, match="set aside"):
        fit(config, folder)
    for path in folder.glob(".state*"):
        assert ".broken-" in path.name
    kept = {
        path.name: path.read_bytes() for path in folder.glob("[!.]*") if ".broken-" not in path.name
    }
    assert kept == files_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (".state/state.json", b'"step": 2', b'"step": 1'),
        (".state/state.json", b'"weights"', b'"wieghts"'),
        (".state/state.json", b"0.", b"1."),
        ("config.json", b'"steps"', b'"stops"'),
        ("config.json", b'"lr": 0.1', b'"lr": 0.2'),
    ],
)
def test_a_changed_digit_or_a_renamed_key_of_the_progress_is_not_believed(
    tmp_path, monkeypatch, name, old, new
):
    """Valid JSON that says something else: a loss, the step, a key. It is set aside, and the bits
    are the same."""
    config = TrainConfig(**SMALL)
    fit(config, tmp_path / "whole")
    folder = tmp_path / "run"
    interrupted(config, folder, monkeypatch, at=30)
    text = (folder / name).read_bytes()
    assert old in text
    (folder / name).write_bytes(text.replace(old, new, 1))
    with pytest.warns(io.DamagedFileWarning, match="set aside"):
        fit(config, folder)
    kept = {
        path.name: path.read_bytes() for path in folder.glob("[!.]*") if ".broken-" not in path.name
    }
    assert kept == files_of(tmp_path / "whole")


def test_resuming_goes_on_from_the_last_checkpoint(tmp_path, monkeypatch):
    config = TrainConfig(**SMALL)
    interrupted(config, tmp_path, monkeypatch, at=30)
    steps = []
    one_step = _Trainer.one_step
    monkeypatch.setattr(
        _Trainer, "one_step", lambda self: (steps.append(self.step), one_step(self))
    )
    fit(config, tmp_path)
    assert steps == list(range(max(k for k in config.checkpoint_steps if k <= 30), 60))
    steps.clear()
    fit(config, tmp_path)
    assert steps == [], "a finished run is not trained again"


def test_a_folder_belongs_to_one_config(tmp_path):
    fit(TrainConfig(**SMALL), tmp_path)
    with pytest.raises(ValueError, match=r"holds another run \(it differs in lr, seed\)"):
        fit(TrainConfig(**(SMALL | dict(lr=0.2, seed=3))), tmp_path)


def test_load_run_gives_back_what_was_trained(tmp_path):
    config = TrainConfig(**SMALL)
    fitted, loaded = fit(config, tmp_path), load_run(tmp_path)
    assert loaded.config == config and loaded.steps == tuple(config.checkpoint_steps)
    assert loaded.losses.equals(fitted.losses)
    assert loaded.losses.to_csv(index=False) == (tmp_path / "losses.csv").read_text(), (
        "read back to the last bit"
    )
    assert loaded.data["train"] == datasets.load("mnist_part", "train", 200).sha256
    model = loaded.model(60)
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert loaded.spec == InputSpec((1, 28, 28), 10)
    assert torch.equal(loaded.last().state_dict()["output.bias"], model.state_dict()["output.bias"])
    start = models.build("mlp7", InputSpec((1, 28, 28)), 16, seed=0).state_dict()
    assert torch.equal(loaded.model(0).state_dict()["hidden1.0.weight"], start["hidden1.0.weight"])
    with pytest.raises(ValueError, match="no weights were kept at step 7; there are: 0, 1"):
        loaded.model(7)
