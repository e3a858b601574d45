"""Parameters: what is refused, in which words, and that each place that lists them lists the
same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils import params, paths, systems
from utils.params import ParameterError

NOTEBOOKS = sorted(params.PARAMS)


def refused(notebook: str, **given_values: object) -> str:
    with pytest.raises(ParameterError) as caught:
        params.validate(notebook, **given_values)
    return str(caught.value)


def test_unknown_name_is_refused_with_the_nearest_one_and_the_accepted_ones() -> None:
    message = refused("01_sparsity", imges=3)
    assert "unknown parameter 'imges' (did you mean 'images'?)" in message
    for name in params.PARAMS["01_sparsity"].model_fields:
        assert f"\n  {name}: " in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_players", "10"),
        ("n_players", 10.0),
        ("n_players", True),
        ("n_players", 1),
        ("n_players", 21),
        ("kappa", "0.04"),
        ("kappa", True),
        ("kappa", -0.1),
        ("kappa", float("nan")),
        ("tol", 0),
        ("profile", "../elsewhere"),
        ("systems", "lenet/mnist_part"),
        ("systems", []),
        ("systems", ["lenet/mnist_part", "lenet/mnist_part"]),
        ("systems", ["alexnet/mnist_part"]),
        ("seeds", True),
        ("seeds", 0),
        ("seeds", [0, -1]),
        ("seeds", ["0"]),
        ("order_weights", [1.0]),
        ("second_draw", 1),
        ("seeds", [10**20]),
        ("micro_batch", 0),
        ("change", {"training": {"stps": 3}}),
        ("change", {"lenet/mnist_part": {"training": {"lr": "fast"}}}),
        ("change", {"lenet/mnist": {"training": {"lr": 0.1}}}),
        ("change", {"width": 16}),
        ("change", {"training": {"steps": 3}}),
    ],
)
def test_wrong_types_and_values_are_refused_by_name(name: str, value: object) -> None:
    assert re.search(rf"^  - .*{name}", refused("01_sparsity", **{name: value}), re.MULTILINE)


def test_everything_wrong_is_said_at_once() -> None:
    message = refused("02_two_phase_dynamics", imges=1, n_players="10", checkpoints=3)
    assert all(part in message for part in ("'imges'", "n_players: ", "checkpoints: "))


def test_whole_numbers_stand_for_real_ones_but_not_the_other_way() -> None:
    assert params.validate("01_sparsity", kappas=[0, 0.04]).kappas == (0, 0.04)
    assert "images" in refused("01_sparsity", images=20.0)


@given(st.integers(1, 40))
def test_a_number_of_seeds_is_the_first_seeds(count: int) -> None:
    assert params.validate("01_sparsity", seeds=count) == params.validate(
        "01_sparsity", seeds=list(range(count))
    )


def test_a_partial_change_keeps_what_it_does_not_name() -> None:
    change = {"training": {"batch": 32}, "lenet/mnist_part": {"training": {"steps": 700}}}
    mlp, lenet = params.validate("01_sparsity", change=change).chosen
    plain = [systems.find(one.id).training for one in (mlp, lenet)]
    assert mlp.training == plain[0].model_copy(update={"batch": 32})
    assert lenet.training == plain[1].model_copy(update={"batch": 32, "steps": 700})
    assert lenet.floor == systems.find("lenet/mnist_part").floor


def test_the_validated_parameters_are_frozen_and_survive_being_given_again() -> None:
    chosen = params.validate("02_two_phase_dynamics", seeds=2)
    with pytest.raises(ValueError, match="frozen"):
        chosen.seeds = (5,)
    assert params.validate("02_two_phase_dynamics", **chosen.model_dump(mode="json")) == chosen


def test_relations_between_parameters_are_checked() -> None:
    assert "kappas must contain kappa" in refused("01_sparsity", kappa=0.01)
    assert "cannot exceed checkpoints" in refused(
        "02_two_phase_dynamics", checkpoints=6, time_points=7
    )


@pytest.mark.parametrize(
    "name", ["01_sparsity", "01", "01_sparsity.ipynb", Path("notebooks/01_sparsity.ipynb")]
)
def test_a_notebook_is_found_by_name_number_or_path(name: str | Path) -> None:
    assert params.notebook_stem(name) == "01_sparsity"


@pytest.mark.parametrize("name", ["", "1", "sparsity2", "99"])
def test_an_unknown_notebook_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ParameterError, match="00_start_here, 01_sparsity"):
        params.notebook_stem(name)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_each_parameter_has_a_meaning_in_words(notebook: str) -> None:
    for row in params.describe(notebook):
        assert len(row["meaning"]) > 15, row["name"]
        assert row["default"] is not None or row["type"].endswith("None"), row["name"]


# What a kernel's namespace looks like to the validation cell --------------------------------------


def cell_of(notebook: str) -> str:
    return "\n".join(f"{row['name']} = {row['default']!r}" for row in params.describe(notebook))


def kernel(*cells: str) -> dict[str, object]:
    """A namespace after the cells ran, with the input history that IPython keeps."""
    namespace: dict[str, object] = {"In": ["", *cells, "p = params.from_notebook(...)"]}
    for cell in cells:
        exec(cell, namespace)
    return namespace


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_default_cell_gives_the_default_parameters(notebook: str) -> None:
    assert params.from_notebook(notebook, kernel(cell_of(notebook))) == params.validate(notebook)


def test_what_papermill_injects_counts_and_a_misspelt_name_is_refused() -> None:
    plain = cell_of("01_sparsity")
    assert (
        params.from_notebook("01_sparsity", kernel(plain, "# Parameters\nimages = 4\n")).images == 4
    )
    with pytest.raises(ParameterError, match="did you mean 'images'"):
        params.from_notebook("01_sparsity", kernel(plain, "# Parameters\nimges = 4\n"))
    with pytest.raises(ParameterError, match="images: "):
        params.from_notebook("01_sparsity", kernel(plain, '# Parameters\nimages = "4"\n'))


def test_later_variables_and_earlier_mistakes_are_no_parameters() -> None:
    plain = cell_of("01_sparsity")
    later = kernel(plain, "table = 3")
    assert params.from_notebook("01_sparsity", later) == params.validate("01_sparsity")
    mended = kernel(plain + "\nimges = 3", plain)
    assert params.from_notebook("01_sparsity", mended) == params.validate("01_sparsity")
    with pytest.raises(ParameterError, match="'imges'"):
        params.from_notebook("01_sparsity", kernel(plain, plain + "\nimges = 3"))


def test_a_parameters_cell_that_was_not_run_is_named() -> None:
    with pytest.raises(ParameterError, match=r"does not set .*images"):
        params.from_notebook("01_sparsity", {"In": [""], "profile": "custom"})


# Profiles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["smoke", "default", "reference", "paper"])
def test_profiles_are_valid_and_complete(name: str) -> None:
    profile = params.load_profile(name)
    assert list(profile.notebooks) == NOTEBOOKS
    for notebook in profile.notebooks:
        params.validate(notebook, profile=name, **profile.given(notebook))


def test_the_default_profile_is_the_defaults() -> None:
    profile = params.load_profile("default")
    assert all(profile.given(notebook) == {} for notebook in profile.notebooks)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shared: {imges: 3}", "imges"),
        ("notebooks: {09_no: {}}", "unknown notebook '09_no'"),
        ("notebooks: {01_sparsity: {images: many}}", "images: "),
        ("colour: red", "colour"),
        ("minutes: {}", "minutes says nothing of 01_sparsity"),
        ("about: [", "is no profile"),
    ],
)
def test_a_wrong_profile_is_refused(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {
        "about": "x",
        "needs": "x",
        "memory_gb": "1",
        "disk_gb": "1",
        "minutes": "{01_sparsity: 1}",
        "notebooks": "{01_sparsity: {}}",
    }
    name, _, value = text.partition(": ")
    lines[name] = value
    (tmp_path / "mine.yaml").write_text(
        "\n".join(f"{key}: {value}" for key, value in lines.items())
    )
    monkeypatch.setattr(paths, "PROFILES", tmp_path)
    with pytest.raises(ParameterError, match=re.escape(said)):
        params.load_profile("mine")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("3", 3),
        ("[a, 2.5]", ["a", 2.5]),
        ("true", True),
        ("null", None),
        ("1.5E+2", 150.0),
        ("x1e3", "x1e3"),
        ("lenet", "lenet"),
    ],
)
def test_values_are_read_as_a_reader_expects(text: str, value: object) -> None:
    read = params.parse(text)
    assert (read, type(read)) == (value, type(value))
