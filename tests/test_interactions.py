"""The currency: salience, the first-order merge, tables, and files that come back as they went."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from utils import io, lattice
from utils.interactions import Interactions


def some(n: int = 4, batch: tuple[int, ...] = (3,), seed: int = 0) -> Interactions:
    generator = torch.Generator().manual_seed(seed)
    conj, disj = (
        torch.randn(*batch, 1 << n, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    disj[..., 0] = 0
    return Interactions(conj, disj, {"from": "a test"})


@given(st.integers(1, 7), st.integers(0, 1000))
def test_the_first_order_merge_is_exact_on_every_mask(n: int, seed: int) -> None:
    found = some(n, seed=seed)
    merged = found.merge_first_order()
    assert torch.allclose(merged.reconstruct(), found.reconstruct(), atol=1e-9)
    single = found.order == 1
    assert torch.equal(merged.or_[..., single], torch.zeros_like(merged.or_[..., single]))
    assert torch.equal(merged.and_[..., ~single], found.and_[..., ~single])
    assert torch.equal(merged.or_[..., found.order != 1], found.or_[..., found.order != 1])


def test_salient_takes_one_threshold_or_one_per_game_and_never_the_empty_set() -> None:
    conj = torch.tensor([[9.0, 0.5, -2.0, 1.0], [9.0, 0.5, -2.0, 1.0]])
    disj = torch.tensor([[0.0, 1.0, 0.0, -0.9], [0.0, 1.0, 0.0, -0.9]])
    found = Interactions(conj, disj)
    ands, ors = found.salient(1.0)
    assert ands.tolist() == [[False, False, True, True]] * 2
    assert ors.tolist() == [[False, True, False, False]] * 2
    ands, ors = found.salient(torch.tensor([0.5, 2.0]))
    assert ands.tolist() == [[False, True, True, True], [False, False, True, False]]
    assert ors.tolist() == [[False, True, False, True], [False, False, False, False]]


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_threshold_that_is_not_positive_is_refused(tau: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        some().salient(tau)


def test_an_empty_or_interaction_is_refused() -> None:
    with pytest.raises(ValueError, match="empty OR interaction"):
        Interactions(torch.zeros(4), torch.ones(4))
    with pytest.raises(ValueError, match="one shape"):
        Interactions(torch.zeros(4), torch.zeros(8))


def test_table_of_one_game_is_sorted_by_size() -> None:
    conj = torch.zeros(8, dtype=torch.float64)
    disj = torch.zeros(8, dtype=torch.float64)
    conj[0], conj[0b101], disj[0b110] = 7.0, -3.0, 2.0
    table = Interactions(conj, disj).to_frame(top=2)
    assert table.to_dict("records") == [
        {"kind": "AND", "players": "{0,2}", "order": 2, "value": -3.0},
        {"kind": "OR", "players": "{1,2}", "order": 2, "value": 2.0},
    ]
    with pytest.raises(ValueError, match="one game"):
        some().to_frame()


def test_save_and_load(tmp_path) -> None:
    found = some()
    found.save(tmp_path / "x.safetensors")
    again = Interactions.load(tmp_path / "x.safetensors")
    assert torch.equal(found.and_, again.and_)
    assert torch.equal(found.or_, again.or_)
    assert again.meta == found.meta
    assert again.n == 4


def test_another_format_is_refused(tmp_path) -> None:
    io.save_arrays(
        tmp_path / "x.safetensors", {"and": torch.zeros(4)}, {"format": "interactions/99"}
    )
    with pytest.raises(ValueError, match="interactions/99"):
        Interactions.load(tmp_path / "x.safetensors")


def test_indexing_keeps_subsets_whole() -> None:
    found = some(batch=(2, 5))
    assert found[1].and_.shape == (5, 16)
    assert torch.equal(found[1, 3].and_, found.and_[1, 3])
    assert torch.equal(found.order, lattice.order(4))
