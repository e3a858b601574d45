"""MLP-5 and MLP-8: the layers and sizes of the authors' public code for tables."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from utils import models
from utils.models import InputSpec


def written_out(columns: int, units: int, outputs: int, depth: int) -> nn.Sequential:
    """The published description, layer by layer: linear and ReLU, ``depth`` linear ones in all."""
    layers: list[nn.Module] = [nn.Linear(columns, units), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Linear(units, units), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(units, outputs))


@pytest.mark.parametrize(
    ("name", "depth", "columns", "expected"),
    [
        # 100 c + 100, (depth - 2) times 10,100, 202: their census has 12 inputs, commercial 10
        ("mlp5", 5, 12, 31_802),
        ("mlp5", 5, 10, 31_602),
        ("mlp8", 8, 12, 62_102),
        ("mlp8", 8, 10, 61_902),
    ],
)
def test_parameters_and_answers_are_those_of_the_layers_written_out(
    name: str, depth: int, columns: int, expected: int
) -> None:
    ours = models.build(name, InputSpec((columns,), classes=2)).eval()
    theirs = written_out(columns, 100, 2, depth)
    assert sum(p.numel() for p in ours.parameters()) == expected
    assert sum(p.numel() for p in theirs.parameters()) == expected
    with torch.no_grad():
        for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
            a.copy_(b)
        x = torch.randn(7, columns, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(("name", "depth"), [("mlp5", 5), ("mlp8", 8)])
def test_every_hidden_layer_is_named_and_answers_once(name: str, depth: int) -> None:
    network = models.find(name)
    assert network.layers == tuple(f"hidden{k}" for k in range(1, depth))
    assert network.width == 100 and network.sized(None) == name
    model, seen = models.build(name, InputSpec((6,), classes=0), width=9).eval(), []
    for layer in network.layers:
        model.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out))
    answer = model(torch.randn(4, 6))
    assert [tuple(out.shape) for out in seen] == [(4, 9)] * (depth - 1)
    assert answer.shape == (4, 1), "of a regression, one prediction"
