"""A model is left as it was found, module by module, by whatever evaluates it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from utils import extract, probes
from utils.modes import in_eval
from utils.players import patch_players

IMAGE = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(0))


def mixed() -> nn.Sequential:
    """In training, with a frozen batch norm; or rather: what fine-tuning leaves."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.Linear(400, 3)
    )
    model.train()
    model[1].eval()
    return model


def monte_carlo() -> nn.Sequential:
    """In evaluation, with dropout left on."""
    model = mixed().eval()
    model[3].train()
    return model


def scored(model: nn.Module) -> object:
    return extract.scores(model, [patch_players(IMAGE, "x", 4, baseline="zero")], 1)


def differentiated(model: nn.Module) -> object:
    return extract.integrated_gradients(
        model, patch_players(IMAGE, "x", 4, baseline="zero"), 1, steps=4
    )


def featured(model: nn.Module) -> object:
    return probes.features(model, IMAGE[None].repeat(3, 1, 1, 1), ["2"])


@pytest.mark.parametrize("use", [scored, differentiated, featured])
@pytest.mark.parametrize("make", [mixed, monte_carlo])
def test_every_module_keeps_its_mode(
    make: Callable[[], nn.Sequential], use: Callable[[nn.Module], object]
) -> None:
    model = make()
    before = [module.training for module in model.modules()]
    statistics = model[1].running_mean.clone()
    assert len(set(before)) == 2, "a model of two modes"
    use(model)
    assert [module.training for module in model.modules()] == before
    assert torch.equal(model[1].running_mean, statistics), "it was evaluated, not trained"


def test_the_modes_come_back_after_an_error() -> None:
    model = mixed()
    before = [module.training for module in model.modules()]
    with pytest.raises(KeyError), in_eval(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == before
