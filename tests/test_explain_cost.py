"""What an explanation costs is known before it is paid, and refused where it cannot be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from utils import extract, runtime
from utils.extract.cost import expected, require_room
from utils.players import patch_players

IMAGE = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
CPU = torch.device("cpu")


class Counting(nn.Module):
    """A linear network that counts the inputs it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.linear = 0, nn.Linear(784, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        return self.linear(x.flatten(1))


@pytest.mark.parametrize("n", [25, 40])
def test_what_cannot_be_held_is_refused_before_a_mask_is_scored(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "available_memory", lambda *_: 4_000_000_000)
    model = Counting()
    with pytest.raises(MemoryError, match=rf"n = {n} players.* needs .*; n = (\d+) players fit"):
        extract.explain(model, IMAGE, 1, n=n)
    assert model.seen == 0


def test_the_number_of_players_that_is_named_fits_and_one_more_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "available_memory", lambda *_: 1_000_000_000)
    with pytest.raises(MemoryError) as refused:
        require_room(30, CPU)
    most = int(str(refused.value).rpartition("n = ")[2].split()[0])
    require_room(most, CPU)
    with pytest.raises(MemoryError, match=f"n = {most} players fit"):
        require_room(most + 1, CPU)


def test_the_split_is_part_of_the_predicted_cost(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    model = Counting()
    players = extract.explain(model, IMAGE, 1, n=4, kappa=0.0).meta["players"]
    assert len(players) == 4 and capsys.readouterr().err == "", "few players: nothing to tell"
    extract.explain(model, IMAGE, 1, n=14, kappa=0.0)
    told = capsys.readouterr().err
    assert "16,384 masked inputs" in told and "then the split: about" in told


def test_a_split_of_more_players_is_expected_to_take_longer() -> None:
    model = Counting()
    few, many = (
        expected(
            model,
            patch_players(IMAGE, "x", n, baseline="zero"),
            kappa=0.04,
            order_weight=0.2,
            device=CPU,
        )
        for n in (6, 13)
    )
    assert many.split_bytes > 10 * few.split_bytes
    assert many.split_seconds > few.split_seconds > 0


def test_an_image_of_integers_is_explained_in_its_own_scale() -> None:
    torch.manual_seed(0)
    model = Counting()
    whole = (255 * IMAGE).round().to(torch.uint8)
    a, b = (extract.explain(model, x, 1, n=5) for x in (whole, whole.float()))
    assert torch.equal(a.and_, b.and_) and torch.equal(a.or_, b.or_)
