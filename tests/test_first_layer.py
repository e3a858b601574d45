"""The first layer as sums over players: equal to the plain pass, taken where it is exact and no
elsewhere."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from utils import extract, models
from utils.models import InputSpec
from utils.players import Players, patch_players
from utils.players.images import ImagePatches

N = 7


def images(count: int, side: int = 28, n: int = N) -> list[Players]:
    generator = torch.Generator().manual_seed(5)
    return [
        patch_players(torch.rand(1, side, side, generator=generator), k, n, baseline="zero")
        for k in range(count)
    ]


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return models.build(models.find(name), InputSpec((1, 28, 28), 10))


def rows_at(layer: nn.Module) -> list[int]:
    """Filled with the number of rows that ``layer`` is asked for, call by call."""
    seen: list[int] = []
    layer.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    return seen


@pytest.mark.parametrize(
    ("name", "first", "taken"),
    [
        ("mlp7", "hidden1.0", True),
        ("lenet", "conv1.0", True),
        ("resnet20", None, False),
        ("vgg11", None, False),
    ],
)
def test_it_is_the_plain_pass_to_rounding_and_the_layers_products_are_not_made(
    name: str, first: str | None, taken: bool
) -> None:
    model, players = network(name), images(2)
    plain = extract.scores(model, players, 1)
    asked = rows_at(model.get_submodule(first)) if first else []
    found = extract.scores(model, players, 1, path="auto")
    assert torch.allclose(plain, found, rtol=0, atol=2e-5 * float(plain.abs().max()))
    assert torch.equal(plain, found) != taken
    # Once as an example, then what the players add; the answers to masks are made without it.
    real = [rows for rows in asked if rows > 1]
    assert not taken or max(real[:-1] or [0]) <= N + 1


def test_a_sample_has_the_same_bits_whoever_its_neighbours_are() -> None:
    model, players = network("lenet"), images(5)
    whole = extract.scores(model, players, 1, path="auto", rows=64)
    for k in (0, 3):
        alone = extract.scores(model, players[k : k + 1], 1, path="auto", rows=64)
        assert torch.equal(alone[0], whole[k])


def test_probes_at_the_first_layer_and_behind_it_see_its_answers() -> None:
    model, players = network("mlp7"), images(2)
    probes = {
        name: nn.Linear(model.get_submodule(name)[0].out_features, 10)
        for name in ("hidden1", "hidden3")
    }
    plain = extract.scores(model, players, 1, layers=probes)
    found = extract.scores(model, players, 1, layers=probes, path="auto")
    for name in probes:
        assert torch.allclose(plain[name], found[name], atol=1e-5)
        assert not torch.equal(plain[name], found[name]), "it was taken"


class Bypassed(nn.Module):
    """Some of the sample goes past the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(784, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return self.second(self.first(x).relu()) + x[:, 300:303]


class Twice(nn.Module):
    """The first layer is called again."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(784, 784), nn.Linear(784, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(self.first(x.flatten(1)).relu()))


class Squared(nn.Module):
    """What reaches the first layer is not linear in the sample; on single pixels nobody would
    see it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(784, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return self.second(self.first(x * x.sum(1, keepdim=True)).relu())


class Fading(ImagePatches):
    """The more players are there, the darker is the image: they do not add."""

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        count = torch.stack([subsets >> i & 1 for i in range(self.n)]).sum(0)
        return super().masked(subsets) / (1 + count.float()).view(-1, 1, 1, 1)

    def to(self, device: torch.device | str) -> Fading:
        assert torch.device(device).type == "cpu"
        return self


@pytest.mark.parametrize("make", [Bypassed, Twice, Squared])
def test_a_network_that_is_not_of_that_form_takes_the_plain_pass(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model, players = make(), images(2)
    plain = extract.scores(model, players, 1)
    assert torch.equal(plain, extract.scores(model, players, 1, path="auto"))


def test_players_that_do_not_add_take_the_plain_pass() -> None:
    model, players = network("mlp7"), images(2)
    for one in players:
        one.__class__ = Fading
    plain = extract.scores(model, players, 1)
    assert torch.equal(plain, extract.scores(model, players, 1, path="auto"))


def test_the_network_is_left_as_it_was() -> None:
    model, players = network("lenet").train(), images(1)
    layer = model.get_submodule("conv1.0")
    extract.scores(model, players, 1, path="auto")
    assert "forward" not in vars(layer) and model.training and layer.training
    assert not layer._forward_pre_hooks and not layer._forward_hooks


def test_another_path_is_refused() -> None:
    with pytest.raises(ValueError, match="path must be one of"):
        extract.scores(network("mlp7"), images(1), 1, path="fast")
