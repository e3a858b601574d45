"""Scores of masked inputs against the definition, one mask at a time; the layers' probes; and what
bad input gets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from utils import extract, lattice
from utils.extract import batches
from utils.players import ImagePatches, PatchDraw, Players, patch_players


def net(units: int = 4, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3 * 36, 16),
        nn.ReLU(),
        nn.Linear(16, units),
    )


def some_players(count: int = 3, n: int = 5) -> list[ImagePatches]:
    generator = torch.Generator().manual_seed(5)
    owner = torch.arange(64).view(8, 8) % (n + 1)
    return [
        ImagePatches(torch.rand(1, 8, 8, generator=generator), owner, torch.zeros(1, 8, 8))
        for _ in range(count)
    ]


def test_scores_are_the_log_odds_of_each_masked_input() -> None:
    model, players, targets = net(), some_players(), [2, 0, 3]
    v = extract.scores(model, players, targets)
    assert v.dtype == torch.float64
    assert v.shape == (3, 32)
    for sample, target in enumerate(targets):
        for mask in (0, 9, 31):
            with torch.no_grad():
                p = (
                    model(players[sample].masked(torch.tensor([mask])))[0]
                    .double()
                    .softmax(0)[target]
                )
            assert float(v[sample, mask]) == pytest.approx(float((p / (1 - p)).log()), abs=1e-5)


@pytest.mark.parametrize("rows", [32, 64, 4096])
def test_micro_batches_do_not_change_the_scores(rows: int) -> None:
    model, players = net(), some_players(7)
    assert torch.allclose(
        extract.scores(model, players, 1, rows=rows), extract.scores(model, players, 1), atol=1e-6
    )


def test_a_sample_scores_the_same_bits_whoever_its_neighbours_are() -> None:
    model, players = net(), some_players(6, n=6)
    together = extract.scores(model, players, 1, rows=64)
    assert torch.equal(together[4], extract.scores(model, players[4:5], 1, rows=64)[0])


def test_log_odds_survive_logits_where_probabilities_do_not() -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0], [-200.0, 0.0, 0.0]])
    got = extract.score_of(logits, torch.tensor([0, 0]))
    assert got.tolist() == pytest.approx([200 - math.log(2), -200 - math.log(2)])
    clamped = extract.score_of(logits, torch.tensor([0, 0]), "official")
    assert clamped.tolist() == pytest.approx(
        [16.118, -16.118], abs=1e-3
    )  # the published clamp saturates


def test_two_logits_are_their_difference() -> None:
    logits = torch.tensor([[1.0, 3.5]])
    assert extract.score_of(logits, torch.tensor([1])).tolist() == [2.5]


def test_one_unit_outputs_need_a_score() -> None:
    z = torch.tensor([[2.0], [2.0]])
    assert extract.score_of(z, torch.tensor([1, 0]), "sigmoid").tolist() == [2.0, -2.0]
    assert extract.score_of(z, torch.tensor([0, 0]), "raw").tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match=r"one-unit output.*score='sigmoid'"):
        extract.scores(net(units=1), some_players(), 0)
    with pytest.raises(ValueError, match="this network has 4"):
        extract.scores(net(), some_players(), 0, score="sigmoid")


@pytest.mark.parametrize("target", [4, -1])
def test_a_target_out_of_range_is_refused(target: int) -> None:
    with pytest.raises(ValueError, match=rf"target {target} is out of range: accepted are 0\.\.3"):
        extract.scores(net(), some_players(), target)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="empty"):
        extract.scores(net(), [], 0)
    with pytest.raises(ValueError, match=r"same number of players, got \[4, 5\]"):
        extract.scores(net(), [*some_players(1, 5), *some_players(1, 4)], 0)
    with pytest.raises(ValueError, match="got 2 for 3 samples"):
        extract.scores(net(), some_players(3), [0, 1])
    with pytest.raises(ValueError, match="score must be one of"):
        extract.scores(net(), some_players(), 0, score="prob")


def test_a_network_that_answers_nan_is_named_by_sample_and_mask() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = torch.ones(len(x), 2)
            out[37] = torch.nan
            return out

    with pytest.raises(ValueError, match=r"the network's score is nan at sample 1, mask 5"):
        extract.scores(Broken(), some_players(3), 0, rows=1024)


def test_probes_of_all_layers_share_the_trunk_and_the_model_is_left_as_it_was() -> None:
    model, players = net().train(), some_players()
    probes = {"1": nn.Sequential(nn.Flatten(), nn.Linear(3 * 36, 4)), "4": nn.Linear(16, 4)}
    passes = []
    hook = model.register_forward_hook(lambda *_: passes.append(1))
    got = extract.scores(model, players, 2, layers=probes, rows=96)
    hook.remove()
    assert (
        sum(passes) == 1
    )  # three samples of 32 masks fit one padded batch of 96 rows, shared by both probes
    assert list(got) == ["1", "4"]
    head = nn.Sequential(*model[:5], probes["4"])
    assert torch.allclose(got["4"], extract.scores(head, players, 2), atol=1e-6)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    with pytest.raises(ValueError, match="no layer 'conv9'; it has"):
        extract.scores(model, players, 2, layers={"conv9": probes["4"]})


def test_micro_batch_is_a_power_of_two_that_shrinks_with_the_network() -> None:
    small = extract.micro_batch(net(), torch.zeros(1, 1, 8, 8))
    wide = nn.Sequential(nn.Conv2d(1, 4096, 3), nn.Flatten(), nn.Linear(4096 * 36, 2))
    large = extract.micro_batch(wide, torch.zeros(1, 1, 8, 8))
    assert small > large >= 32
    assert small.bit_count() == large.bit_count() == 1


def test_saturation_and_noise_floor() -> None:
    assert extract.saturated_share(torch.tensor([[0.0, 17.0, -18.0, 16.0]])) == 0.5
    model, players = net(), some_players(1)[0]
    floor = extract.noise_floor(model, players, 1)
    assert 0 < floor < 1e-4
    assert extract.noise_floor(net().double(), players, 1) == 0


def test_explain_rebuilds_the_models_own_score() -> None:
    model = net()
    found = extract.explain(
        model,
        torch.rand(1, 8, 8),
        n=6,
        kappa=0,
        baseline="zero",
        how=PatchDraw(cell=2, threshold=0.0),
    )
    assert found.n == 6
    assert found.meta["converged"]
    assert len(found.meta["players"]) == 6
    players = some_players(1, 4)[0]
    exact = extract.explain(model, players, 1, kappa=0)
    v = extract.scores(model, [players], 1)[0]
    assert torch.allclose(exact.reconstruct(), v, atol=1e-8 * float(v.abs().max()))
    assert (
        float(exact.or_[lattice.order(4) == 1].abs().max()) == 0
    )  # first order is merged into AND


def test_explain_takes_the_predicted_class() -> None:
    model, players = net(), some_players(1)[0]
    with torch.no_grad():
        predicted = int(model(players.image[None]).argmax())
    assert extract.explain(model, players).meta["target"] == predicted


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_agrees_with_the_cpu() -> None:
    players = [patch_players(torch.rand(1, 28, 28), str(i), 8, baseline="zero") for i in range(3)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    on_cpu = extract.scores(model, players, 1)
    assert torch.allclose(extract.scores(model, players, 1, device="cuda").cpu(), on_cpu, atol=1e-4)


class Greedy(nn.Module):
    """A network that runs out of memory on more than ``most`` rows, in one of the two ways in which
    torch says so."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error, self.linear = most, error, nn.Linear(784, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise self.error
        return self.linear(x.flatten(1))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_batch_that_does_not_fit_says_which_size_to_try(error: Exception) -> None:
    players = [patch_players(torch.rand(1, 28, 28), "a", 7, baseline="zero")]
    with pytest.raises(extract.OutOfMemory, match="pass rows=32") as refused:
        extract.scores(Greedy(32, error), players, 0, rows=64)
    assert refused.value.rows == 64 and isinstance(refused.value, MemoryError)
    assert extract.scores(Greedy(32, error), players, 0, rows=32).shape == (1, 128)


def test_another_runtime_error_is_not_called_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="a bug of the network"):
        extract.scores(
            Greedy(0, RuntimeError("a bug of the network")),
            [patch_players(torch.rand(1, 28, 28), "a", 3, baseline="zero")],
            0,
        )


def test_too_many_players_are_refused_with_the_number_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        extract.scores.__globals__["runtime"], "available_memory", lambda device="cpu": 8 << 9
    )
    players = [patch_players(torch.rand(1, 28, 28), "a", 10, baseline="zero")]
    with pytest.raises(MemoryError, match=r"8.0 KiB, 4.0 KiB available on cpu; n = 9 players fit"):
        extract.scores(nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), players, 0)


def test_the_layout_follows_the_widest_convolution_and_the_weights_are_given_back() -> None:
    narrow, wide = nn.Conv2d(1, 8, 3), nn.Conv2d(1, 256, 3)
    example = torch.zeros(1, 1, 9, 9)
    assert batches.layout(narrow, example) == torch.channels_last
    assert (
        batches.layout(wide, example)
        == batches.layout(nn.Linear(3, 3), torch.zeros(1, 3))
        == torch.contiguous_format
    )
    before, stride = narrow.weight.data_ptr(), narrow.weight.stride()
    with batches.laid_out(narrow, torch.channels_last):
        inside = narrow.weight.clone()
    assert (narrow.weight.data_ptr(), narrow.weight.stride()) == (before, stride)
    assert torch.equal(inside, narrow.weight)


def test_the_predicted_cost_counts_masks_and_batches() -> None:
    players = [patch_players(torch.rand(1, 28, 28), name, 9, baseline="zero") for name in "ab"]
    cost = extract.predict(nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), players, rows=64)
    assert (cost.masked, cost.rows, cost.bytes) == (1024, 64, 8192) and cost.seconds > 0
    assert str(cost).startswith("1,024 masked inputs in batches of 64: about ")


def test_integrated_gradients_of_a_linear_score_are_its_terms_and_add_up_for_any_network() -> None:
    players = patch_players(torch.rand(1, 28, 28), "a", 6, baseline="zero")
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    v = extract.scores(linear, [players], 1)[0]
    alone = [float(v[1 << i] - v[0]) for i in range(6)]
    assert extract.integrated_gradients(linear, players, 1).tolist() == pytest.approx(
        alone, abs=1e-5
    )
    curved = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Tanh(), nn.Linear(8, 3))
    v = extract.scores(curved, [players], 2)[0]
    whole = float(extract.integrated_gradients(curved, players, 2, steps=256).sum())
    assert whole == pytest.approx(float(v[-1] - v[0]), abs=1e-4)


def test_blocks_are_powers_of_two_that_hold_the_count() -> None:
    for count in (*range(0, 300), 1023, 1024, 1025):
        size = batches.pad_to_block(count)
        assert size >= max(count, 32) and size & (size - 1) == 0
        assert size == 32 or size // 2 < count  # no larger than needed
    assert batches.pad_to_block(3, minimum=1) == 4
    assert batches.pad_to_block(3, minimum=20) == 32
    for bad in ((-1, 32), (5, 0)):
        with pytest.raises(ValueError, match="pad_to_block"):
            batches.pad_to_block(*bad)


# Tokens -------------------------------------------------------------------------------------------

VOCABULARY, MASK = 70_000, 69_999


class Words(Players):
    """Every token of a sentence is a player; a masked one becomes the mask token."""

    def __init__(self, tokens: torch.Tensor) -> None:
        self.n, self.tokens, self.baseline = len(tokens), tokens, torch.full_like(tokens, MASK)

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        kept = (subsets[:, None] >> torch.arange(self.n, device=subsets.device) & 1).bool()
        return torch.where(kept, self.tokens, self.baseline)

    @property
    def whole(self) -> torch.Tensor:
        return self.tokens

    def around(self, x: torch.Tensor) -> Words:
        return Words(x)

    def describe(self, i: int) -> str:
        return f"token {int(self.tokens[i])}"

    def to(self, device: torch.device) -> Words:
        return Words(self.tokens.to(device))


class Reader(nn.Module):
    """Mean embedding → logits; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.words = nn.Embedding(VOCABULARY, 16)
        self.head = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
        self.seen: list[torch.Tensor] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.seen.append(tokens)
        return self.head(self.words(tokens).mean(1))


# bf16 has 8 bits of mantissa: of these every one but 256 would become another token
SENTENCE = torch.tensor([255, 256, 257, 301, 4097, 65_537])


def test_tokens_reach_the_network_as_they_are() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        model = Reader().to(dtype)
        extract.scores(model, [Words(SENTENCE), Words(SENTENCE.flip(0))], 1, rows=32)
        seen = torch.cat(model.seen)
        assert seen.dtype == torch.int64
        assert set(seen.unique().tolist()) == {*SENTENCE.tolist(), MASK}
        whole = [row.tolist() for row in seen if MASK not in row]
        assert whole[0] == SENTENCE.tolist() and whole[-1] == SENTENCE.flip(0).tolist()


def test_a_bf16_network_scores_tokens_like_a_float32_one() -> None:
    """To the accuracy of bf16, for the same weights; with tokens cast to bf16 it would read other
    words."""
    half = Reader().bfloat16()
    single = Reader()
    single.load_state_dict(half.state_dict())  # the rounded weights
    players = [Words(SENTENCE), Words(SENTENCE + 1000)]
    rough, sharp = (extract.scores(model, players, [0, 2]) for model in (half, single))
    eps = torch.finfo(torch.bfloat16).eps
    assert rough.dtype == sharp.dtype == torch.float64
    assert float((rough - sharp).abs().max()) < 4 * eps * float(sharp.abs().max())
    others = [Words(one.tokens.bfloat16().long()) for one in players]
    wrong = extract.scores(single, others, [0, 2])
    assert float((wrong - sharp).abs().max()) > 10 * eps * float(sharp.abs().max())


def test_every_way_into_a_network_takes_tokens() -> None:
    model, players = Reader().bfloat16(), Words(SENTENCE)
    assert extract.explain(model, players, kappa=0).meta["players"][3] == "token 301"
    assert extract.predict(model, [players]).masked == 64
    assert 0 < extract.noise_floor(model, players, 1) < 10
    assert extract.noise_floor(Reader().double(), players, 1) == 0
    with pytest.raises(ValueError, match=r"integers \(tokens\), which have no gradient"):
        extract.integrated_gradients(model, players, 1)
    seen = torch.cat(model.seen)
    assert seen.dtype == torch.int64 and set(seen.unique().tolist()) == {*SENTENCE.tolist(), MASK}


def test_floating_inputs_come_in_the_networks_dtype() -> None:
    x = torch.rand(2, 3, dtype=torch.float64)
    assert torch.equal(batches.as_input(x, torch.bfloat16), x.bfloat16())
    for integers in (SENTENCE, SENTENCE.int(), SENTENCE > 256):
        assert batches.as_input(integers, torch.bfloat16) is integers
