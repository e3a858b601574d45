"""What cannot be computed or judged is refused before anything is, with a message that says why."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from utils import datasets, io, models, params, systems
from utils.jobs import entries
from utils.params import PARAMS, ParameterError
from utils.studies import feasible, iou_stability, networks, planning

TABLE, LENET, MLP = "mlp7_w256/breast_cancer", "lenet/mnist_part", "mlp7_w256/mnist_part"


UNJUDGED = ("00_start_here", "10_modalities")
"""Notebooks that judge nothing: any number of networks will do."""


def begun(notebook: str, **given: Any) -> list[str]:
    """As a notebook begins: its settings, whether they can be computed, what is noted of them."""
    stem = params.notebook_stem(notebook)
    p = params.validate(stem, **given)
    feasible.require(stem, p)
    return feasible.notes(p)


@pytest.fixture(autouse=True)
def _nothing_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "jobs"))
    yield
    assert not (tmp_path / "jobs").exists() or list((tmp_path / "jobs").iterdir()) == []


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    # Systems
    (
        "01",
        {"systems": ["lenet/mnist_prt"]},
        "'lenet/mnist_prt' (did you mean 'lenet/mnist_part'?)",
    ),
    ("00", {"system": "lenet/mnist_prt"}, "'lenet/mnist_prt' (did you mean 'lenet/mnist_part'?)"),
    (
        "07",
        {"systems": [MLP, TABLE]},
        f"07_noisy_labels has nothing to say of {TABLE} (D13: {TABLE} does not name a training on "
        f"wrong labels (memorising); M13: {TABLE} does not name a layer at half depth (half_depth)",
    ),
    ("04", {"systems": [TABLE]}, f"04_five_groups has nothing to say of {TABLE} (M1: "),
    (
        "06",
        {"systems": [TABLE]},
        "D12: it speaks of image; mlp7_w256/breast_cancer is of kind table",
    ),
    ("00", {"system": TABLE}, f"00_start_here shows a picture; {TABLE} is of kind table: take one"),
    # Changes
    (
        "02",
        {"change": {"width": 16}},
        "mlp7_w16/mnist_part is another network than the one whose floor is known: give its own, "
        "floor: {value: …, source: …}",
    ),
    (
        "02",
        {"change": {"lenet/mnist": {"training": {"lr": 0.1}}}},
        "change: 'lenet/mnist' is neither a setting nor one of systems (did you mean "
        "'lenet/mnist_part'?); there are: width, training,",
    ),
    ("02", {"change": {"trainnig": {"lr": 0.1}}}, "'trainnig' is neither a setting nor one of"),
    (
        "02",
        {"change": {"training": {"stps": 10}}},
        "change: training has no 'stps' (did you mean 'steps'?); it has: optimizer, lr,",
    ),
    ("02", {"imges": 3}, "unknown parameter 'imges' (did you mean 'images'?)"),
    (
        "02",
        {"change": {"training": {"steps": 10, "first_checkpoint": 1}}},
        f"{MLP}: checkpoints must be 2 … 11 for 10 steps, the first after initialisation at step 1 "
        "(1 … 10); got 13",
    ),
    (
        "02",
        {"change": {"training": {"steps": 10}}},
        "first_checkpoint (20) is after the last of 10",
    ),
    # Numbers
    ("01", {"kappas": [0.04, 0.04]}, "kappas: has an entry twice"),
    ("01", {"seeds": [10**20]}, "seeds.0: input should be less than 2147483648"),
    ("01", {"seeds": [1, 1]}, "seeds: has an entry twice"),
    (
        "01",
        {"order_weights": [0.1, -0.1]},
        "order_weights must start with [0.2, -0.2], the two ends of the face that the protocol "
        "judges by (more may follow); got [0.1, -0.1]",
    ),
    ("01", {"order_weights": [0.2]}, "order_weights must start with [0.2, -0.2]"),
    ("01", {"device": "cuda:99"}, "device 'cuda:99'"),
    # Samples and players
    (
        "01",
        {"change": {"training": {"n_train": 12001}}},
        f"{MLP}: n_train (12001) cannot exceed the 12000 training images of mnist_part",
    ),
    ("07", {"change": {"memorising": {"n_train": 12001}}}, f"{MLP}: n_train (12001) cannot exceed"),
    (
        "01",
        {"images": 2000},
        f"{MLP}, images = 2000: mnist_part/test has 1908 images that can have 10 players (patches)",
    ),
    (
        "01",
        {"systems": [TABLE], "images": 400, "image_split": "train"},
        "images = 400: breast_cancer/train has 399 rows that can have 10 players (columns)",
    ),
    ("01", {"count_images": 2000}, "count_images = 2000: mnist_part/test has 1908 images"),
    (
        "01",
        {"size_players": [4, 6, 16], "systems": [TABLE]},
        "breast_cancer/test has 0 rows that can have 16 players (columns)",
    ),
    (
        "02",
        {"systems": [TABLE], "images": 180, "image_split": "train"},
        "images = 180: breast_cancer/test has 170 rows",
    ),
    ("03", {"fit_images": 2000}, "fit_images = 2000: mnist_part/test has 1908 images"),
    (
        "03",
        {"systems": [TABLE], "noise_images": 400},
        "noise_images = 400: breast_cancer/train has 399 rows",
    ),
    ("04", {"test_images": 2001}, "test_images (2001) cannot exceed the 2000 test images"),
    ("04", {"pca_images": 12001}, "pca_images (12001) cannot exceed the 12000 training images"),
    ("06", {"pair_images": 2000}, "pair_images = 2000: mnist_part/test has 1908 images"),
    ("06", {"images": 1500, "seeds": 8}, "images x seeds = 12000: mnist_part/train has 11678"),
    (
        "06",
        {"class_images": 180, "systems": [LENET]},
        f"{LENET}: class_images (180) needs 360 training images of each class; there are 350 of "
        "the rarest",
    ),
    (
        "05",
        {"systems": [TABLE], "n_players": 11},
        f"{TABLE}, images = 40: breast_cancer/test has 0 rows that can have 11 players (columns)",
    ),
    (
        "07",
        {"pca_images": 1001},
        f"pca_images (1001) cannot exceed memorising.n_train (1000) of {MLP}",
    ),
    ("00", {"image": 10**6}, "image 1000000: mnist_part has 2000 test images, 0 … 1999"),
    (
        "00",
        {"image": 1, "n_players": 20},
        "image 1 of mnist_part can have 18 players (patches), fewer than n_players = 20",
    ),
]


@pytest.mark.parametrize(
    ("notebook", "given", "said"),
    REFUSED,
    ids=[f"{notebook}-{next(iter(given))}-{k}" for k, (notebook, given, _) in enumerate(REFUSED)],
)
def test_what_cannot_be_is_refused_and_said(
    notebook: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        begun(notebook, **given)
    assert said in str(caught.value)


@pytest.mark.parametrize("notebook", list(PARAMS))
@pytest.mark.parametrize("profile", ["smoke", "default"])
def test_what_the_profiles_ask_for_can_be(notebook: str, profile: str) -> None:
    given = params.load_profile(profile).given(notebook)
    said = begun(notebook, profile=profile, **given)
    assert len(said) == (profile == "smoke" and notebook not in UNJUDGED)


SHALLOW = '''"""A LeNet of which two layers are named."""

import dataclasses

from utils import models, systems

SYSTEM = dataclasses.replace(
    systems.find("lenet/mnist_part"),
    network=models.find("lenet")._replace(name="shallow", layers={layers}),
    half_depth=None,
    read_at=None,
)
'''


def test_a_network_of_two_layers_is_refused_in_05_alone(tmp_path: Path) -> None:
    """With two, the peak of redundancy between its ends (L4) would be taken of nothing; rows on
    tables ask for none."""
    assert len(systems.find("mlp_toy/planted").network.layers) == 2
    assert begun("05", systems=["mlp_toy/planted"], n_players=6) == []
    path, names = tmp_path / "shallow.py", models.find("lenet").layers
    for count in (1, 2, 3):
        path.write_text(SHALLOW.format(layers=names[:count]), encoding="utf-8")
        if count == 3:
            assert begun("05", systems=[str(path)]) == []
            continue
        said = f"needs a network of 3 layers or more.* of shallow/mnist_part names {count} "
        with pytest.raises(ParameterError, match=said + rf"\({', '.join(names[:count])}\)"):
            begun("05", systems=[str(path)])
        assert begun("02", systems=[str(path)]) == []


def test_a_system_takes_part_where_some_row_speaks_of_it() -> None:
    for notebook in ("01", "02", "03", "05", "08", "09"):
        assert begun(notebook, systems=[TABLE]) == []


@pytest.mark.parametrize(
    ("notebook", "few"),
    [
        ("01_sparsity", {"count_images": 4, "probe_steps": 20}),
        ("02_two_phase_dynamics", {"time_points": 3}),
        ("03_theoretical_fit", {"fit_images": 8, "noise_copies": 2, "noise_images": 2}),
        ("05_layerwise_change", {"probe_steps": 20, "second_draw": True}),
        (
            "08_what_the_split_identifies",
            {"loop_images": 1, "loops": {"short": {"learning_rate": 1e-4, "iterations": 20}}},
        ),
        ("09_multi_order", {"attack_steps": 2}),
    ],
)
def test_what_is_let_through_on_a_table_is_computed(
    notebook: str, few: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "other"))
    change = {"training": {"steps": 30, "first_checkpoint": 1}}
    small = {"systems": [TABLE], "seeds": 2, "images": 3, "n_players": 5, "change": change}
    p = params.validate(notebook, checkpoints=6, **small, **few)
    feasible.require(notebook, p)
    module = importlib.import_module(f"utils.studies.{planning.PLANNED[notebook]}")
    (study,) = module.studies(p)
    assert study.id == TABLE and "3 test rows, 5 columns each" in study.scope
    planned = {node.digest for node in planning.plan_of(notebook, p)}
    assert {entry.digest for entry in entries()} <= planned


@pytest.mark.parametrize(("seeds", "said"), [(1, "1 seed;"), (4, "4 seeds;")])
def test_few_seeds_are_noted_and_not_refused(seeds: int, said: str) -> None:
    (note,) = begun("01", seeds=seeds)
    assert note.startswith(f"note: {said} with fewer than 5 every verdict on trained networks is")
    assert begun("01", seeds=5) == begun("01", seeds=[7, 8, 9, 10, 11]) == []
    assert begun("00") == []


@pytest.mark.parametrize(
    ("notebook", "given"),
    [("01", {"systems": ["lenet/mnist"]}), ("00", {"system": "lenet/mnist"})],
)
def test_absent_data_are_named_with_the_command(
    notebook: str, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    with pytest.raises(datasets.MissingData, match="`reproduce data mnist` downloads it"):
        begun(notebook, **given)


# Weights that others trained ----------------------------------------------------------------------

FILE = '''"""A LeNet that somebody else trained."""

import dataclasses

from utils import systems
from utils.train import Weights

SYSTEM = dataclasses.replace(
    systems.find("lenet/mnist_part"),
    training=Weights(path={path!r}, sha256={sha256!r}, source="somebody"),
    memorising=None,
)
'''


@pytest.fixture
def given(tmp_path: Path) -> str:
    """A user's file of a system whose weights are given."""
    images = datasets.load("mnist_part", "train", 100)
    spec = models.InputSpec(images.shape, 10, mean=images.mean.mean(), std=images.x.std())
    model = models.build(models.find("lenet"), spec, seed=0)
    path = tmp_path / "theirs.safetensors"
    io.save_arrays(path, model.state_dict())
    text = FILE.format(path=str(path), sha256=io.sha256_file(path))
    (tmp_path / "theirs.py").write_text(text, encoding="utf-8")
    return str(tmp_path / "theirs.py")


@pytest.mark.parametrize(
    "notebook", [name for name in list(PARAMS)[1:] if name[:2] not in ("01", "06", "08", "10")]
)
def test_given_weights_have_no_training_that_could_be_followed(notebook: str, given: str) -> None:
    said = (
        "nothing to say of" if notebook[:2] == "07" else "the weights of lenet/mnist_part are giv"
    )
    with pytest.raises(ParameterError, match=said):
        begun(notebook, systems=[given])


def test_given_weights_are_one_network_and_need_no_seeds(given: str) -> None:
    assert begun("06", systems=[given], seeds=1) == []
    p = params.validate("06_iou_stability", systems=[given, MLP])
    theirs, ours = networks.systems(p)
    assert (theirs.seeds, len(theirs.jobs), ours.seeds) == ((0,), 1, p.seeds)
    assert networks.made(p, theirs) == "1 network LeNet, weights given: somebody"
    assert all(job.train.config.steps == 0 for job in networks.games_jobs(p, theirs))


def test_given_weights_are_read_in_06(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "other"))
    few = {"pair_images": 2, "noise_images": 2, "noise_draws": 2, "class_images": 2, "images": 2}
    p = params.validate("06_iou_stability", systems=[given], n_players=5, class_players=4, **few)
    (one,) = iou_stability.studies(p)
    assert one.main.v.shape == (1, 2, 2, 32) and len(one.accuracy) == 1
    assert one.noisy["AND"].facts["given"] and one.noisy["AND"].seeds == (0,)
    assert torch.isfinite(one.noisy["AND"].main.split.v).all()
    assert iou_stability.pairs(p, [one]) == []


def test_where_only_pairs_are_judged_a_second_network_is_asked_for(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    said = r"only how it compares \(L5, L9\): name a second system on sst2 beside it"
    with pytest.raises(ParameterError, match=said):
        begun("06", systems=["lstm/sst2"])
    begun("06", systems=["lstm/sst2", "text_cnn/sst2"], pair_images=40)
    assert "06_iou_stability" not in feasible.notebooks_of(systems.find("lstm/sst2"))
