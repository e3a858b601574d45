"""v(x_T) on all 2^n masks of many samples, and from there to interactions.

Masked inputs are made and scored in micro-batches of one fixed size, so that memory stays flat in n and the result does
not depend on how much memory there is. The forward pass runs in the network's own dtype; its logits go to float64 before
the log-odds are taken by logsumexp, never by dividing probabilities.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import nn

from . import lattice, runtime, sparsify
from .interactions import Interactions
from .players import PatchDraw, Players, patch_players

__all__ = ["SATURATED", "SCORES", "Score", "explain", "micro_batch", "noise_floor", "saturated_share", "score_of", "scores"]

Score = Literal["logodds", "official", "sigmoid", "raw"]
SCORES: tuple[str, ...] = get_args(Score)

SATURATED = 16.0
"""|v| beyond which the published clamp is flat: log(p/(1-p+1e-7)+1e-7) saturates at ±16.118."""

# Activations of one micro-batch, summed over all layers: large enough to fill the vector units, small enough to stay
# near the cache on a CPU; a GPU wants as many rows as it can hold in flight.
_ACTIVATION_BUDGET = {"cpu": 64 << 20, "cuda": 4 << 30, "mps": 1 << 30}


def score_of(logits: torch.Tensor, target: torch.Tensor, score: Score = "logodds") -> torch.Tensor:
    """The value v of each row: logits (B, K), target int64 (B,) → float64 (B,).

    - ``logodds``: log p/(1-p) of the target class = z_y - logsumexp of the others (Cheng et al. 2024, footnote 3).
    - ``official``: the authors' log(p/(1-p+1e-7)+1e-7) in the logits' dtype, which saturates; an ablation.
    - ``sigmoid``: one-unit outputs, +z for target 1 and -z for target 0.
    - ``raw``: the target's logit itself.

    Raises ValueError for a target that the output does not have, or a one-unit output scored as classes.
    """
    units = logits.shape[1]
    if score not in SCORES:
        raise ValueError(f"score must be one of {SCORES}, got {score!r}")
    if units == 1 and score in ("logodds", "official"):
        raise ValueError(f"the network has a one-unit output, for which score={score!r} is undefined: pass "
                         "score='sigmoid' (binary classifier) or score='raw' (regression)")
    if units > 1 and score == "sigmoid":
        raise ValueError(f"score='sigmoid' is for one-unit outputs; this network has {units}: use 'logodds' or 'raw'")
    accepted = 2 if score == "sigmoid" else units
    outside = (target < 0) | (target >= accepted)
    if bool(outside.any()):
        raise ValueError(f"target {int(target[outside][0])} is out of range: accepted are 0..{accepted - 1}")
    if score == "official":
        p = logits.softmax(1).gather(1, target[:, None])[:, 0]
        return torch.log(p / (1 - p + 1e-7) + 1e-7).double()
    z = logits.double()
    if score == "sigmoid":
        return z[:, 0] * (2 * target - 1)
    own = z.gather(1, target[:, None])[:, 0]
    if score == "raw":
        return own
    return own - z.scatter(1, target[:, None], -torch.inf).logsumexp(1)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def micro_batch(model: nn.Module, example: torch.Tensor) -> int:
    """Rows per forward pass for inputs like ``example`` (1, *input shape): a power of two ≥ 32.

    Found by counting the activations of one row, so it depends on the network and the kind of device but not on the
    machine's memory: the same job has the same micro-batches, hence the same bits, everywhere.
    """
    elements = [example.numel()]

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            elements.append(output.numel())

    leaves = [module for module in model.modules() if not any(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    try:
        with _evaluating(model):
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    budget = _ACTIVATION_BUDGET[example.device.type]
    rows = max(32, budget // (sum(elements) * example.element_size()))
    return 1 << min(rows.bit_length() - 1, 15)


@contextlib.contextmanager
def _readouts(model: nn.Module, layers: Mapping[str, nn.Module] | None) -> Iterator[dict[str, torch.Tensor]]:
    """While open, every forward pass leaves in the dict the probes' logits of each named layer: one trunk pass for all."""
    modules = dict(model.named_modules())
    caught: dict[str, torch.Tensor] = {}
    hooks = []
    try:
        for name, probe in (layers or {}).items():
            if name not in modules:
                raise ValueError(f"the network has no layer {name!r}; it has {[m for m in modules if m]}")

            def catch(_module: nn.Module, _inputs: object, output: torch.Tensor, name: str = name,
                      probe: nn.Module = probe) -> None:
                caught[name] = probe(output)

            hooks.append(modules[name].register_forward_hook(catch))
        yield caught
    finally:
        for hook in hooks:
            hook.remove()


def _targets(target: int | Sequence[int] | torch.Tensor, count: int) -> torch.Tensor:
    targets = torch.as_tensor(target, dtype=torch.int64).flatten()
    if len(targets) == 1:
        targets = targets.expand(count)
    if len(targets) != count:
        raise ValueError(f"target must be one class or one per sample: got {len(targets)} for {count} samples")
    return targets


def _rows(players: Sequence[Players], start: int, stop: int, n: int, device: torch.device) -> torch.Tensor:
    """Masked inputs of the flat (sample, mask) range start..stop."""
    pieces = []
    for sample in range(start >> n, ((stop - 1) >> n) + 1):
        low, high = max(start, sample << n), min(stop, (sample + 1) << n)
        subsets = torch.arange(low, high, device=device) - (sample << n)
        pieces.append(players[sample].masked(subsets))
    return torch.cat(pieces)


def scores(
    model: nn.Module,
    players: Sequence[Players],
    target: int | Sequence[int] | torch.Tensor,
    layers: Mapping[str, nn.Module] | None = None,
    *,
    score: Score = "logodds",
    rows: int | None = None,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> torch.Tensor | dict[str, torch.Tensor]:
    """v(x_T) of every sample on every mask: float64 (B, 2^n) on ``device``; with ``layers``, {layer: (B, 2^n)}.

    model: maps a batch of inputs to logits (batch, K); evaluated in eval mode, left as it was found.
    players: one :class:`Players` per sample, all with the same n. target: class index, one or one per sample.
    layers: {module name: probe}, a probe maps that module's output to logits; all layers share one forward pass.
    score: see :func:`score_of`. rows: micro-batch (default: :func:`micro_batch`). device: default where the model is.

    Raises ValueError for an empty list, differing n, a bad target or layer; MemoryError before allocating what does not
    fit; ValueError naming sample and mask when the network answers NaN or infinity.
    """
    if not players:
        raise ValueError("players is empty: pass one Players object per sample")
    n = players[0].n
    if any(p.n != n for p in players):
        raise ValueError(f"all samples must have the same number of players, got {sorted({p.n for p in players})}")
    where = torch.device(device) if device is not None else next(model.parameters(), torch.empty(0)).device
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    names = list(layers) if layers else ["output"]
    total = len(players) << n
    runtime.require_memory(8 * total * len(names), f"the scores of {len(players)} samples on 2^{n} masks")
    targets = _targets(target, len(players)).to(where)
    model, placed = model.to(where), [p.to(where) for p in players]
    result = {name: torch.empty(total, dtype=torch.float64, device=where) for name in names}

    with _readouts(model, layers) as caught:
        example = placed[0].masked(torch.zeros(1, dtype=torch.int64, device=where)).to(dtype)
        size = min(rows or micro_batch(model, example), runtime.pad_to_block(total))
        layout = {"memory_format": torch.channels_last} if example.ndim == 4 and example.shape[1] > 1 else {}
        starts = range(0, total, size)
        with _evaluating(model):
            for start in runtime.progress(starts, desc="scoring masks", unit="batch") if progress else starts:
                stop = min(start + size, total)
                inputs = _rows(placed, start, stop, n, where).to(dtype)
                if stop - start < size:  # the last batch has the size of the others: same kernels, same rounding
                    inputs = torch.cat([inputs, inputs[-1:].expand(size - (stop - start), *inputs.shape[1:])])
                output = model(inputs.to(**layout) if layout else inputs)
                logits = caught if layers else {"output": output}
                for name in names:
                    chunk_targets = targets[torch.arange(start, stop, device=where) >> n]
                    result[name][start:stop] = score_of(_logits(logits[name], name)[:stop - start], chunk_targets, score)
    games = {name: values.view(len(players), 1 << n) for name, values in result.items()}
    for name, values in games.items():
        lattice.require_finite(values, "the network's score" + (f" at layer {name}" if layers else ""))
    return games if layers else games["output"]


def _logits(output: torch.Tensor, name: str) -> torch.Tensor:
    if output.ndim == 1:
        output = output[:, None]
    if output.ndim != 2:
        raise ValueError(f"the {name} must be logits of shape (batch, classes), got {tuple(output.shape)}")
    return output


def saturated_share(v: torch.Tensor, limit: float = SATURATED) -> float:
    """Share of masks with |v| > ``limit``: saturated scores fabricate high-order interactions."""
    return float((v.abs() > limit).double().mean())


def noise_floor(model: nn.Module, players: Players, target: int, *, score: Score = "logodds", masks: int = 256) -> float:
    """Size below which an interaction may be rounding: max |v - v in float64| on ``masks`` masks, times 2^(n/2).

    An interaction sums up to 2^n scores with alternating signs, so independent rounding grows by sqrt(2^n).
    """
    n, device = players.n, players.baseline.device
    chosen = torch.linspace(0, (1 << n) - 1, min(masks, 1 << n), dtype=torch.float64, device=device).round().long()
    inputs = players.masked(chosen)
    targets = torch.full((len(chosen),), target, device=device)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    exact = copy.deepcopy(model).double()
    with _evaluating(model), _evaluating(exact):
        rough = score_of(_logits(model(inputs.to(dtype)), "output"), targets, score)
        sharp = score_of(_logits(exact(inputs.double()), "output"), targets, score)
    return float((rough - sharp).abs().max()) * 2 ** (n / 2)


def explain(
    model: nn.Module,
    x: torch.Tensor | Players,
    target: int | None = None,
    *,
    n: int = 10,
    baseline: torch.Tensor | Literal["zero"] = "zero",
    how: PatchDraw | None = None,
    score: Score = "logodds",
    kappa: float = 0.04,
    order_weight: float = 0.2,
    tol: float = 1e-3,
    merge: bool = True,
    device: torch.device | str | None = None,
) -> Interactions:
    """The AND-OR interactions of one decision of your own model, in one call.

    x: an image (C, H, W), whose patches become ``n`` players masked by ``baseline`` (``how``: which patches), or any
    :class:`Players`. target: the class to explain (default: the one the model predicts; one-unit outputs: 1 or 0 by
    sign for ``score='sigmoid'``, 0 for ``raw``). kappa, order_weight, tol: see :func:`utils.sparsify.split`. merge: move
    first-order OR into AND. Returns :class:`Interactions` of one game, ``meta`` carrying the settings, the certified gap
    and the share of saturated masks.
    """
    players = x if isinstance(x, Players) else patch_players(x, "x", n, baseline=baseline, how=how)
    where = torch.device(device) if device is not None else next(model.parameters(), torch.empty(0)).device
    if target is None:
        target = _predicted(model, players, score, where)
    v = scores(model, [players], target, score=score, device=where)
    result = sparsify.split(v, kappa=kappa, order_weight=order_weight, tol=tol)
    meta = {"target": int(target), "score": score, "kappa": kappa, "order_weight": order_weight, "tol": tol,
            "gap": float(result.gap[0]), "converged": bool(result.converged[0]), "saturated": saturated_share(v),
            "players": [players.describe(i) for i in range(players.n)]}
    found = Interactions(result.i_and[0], result.i_or[0], meta)
    return found.merge_first_order() if merge else found


def _predicted(model: nn.Module, players: Players, score: Score, device: torch.device) -> int:
    whole = torch.tensor([(1 << players.n) - 1], device=device)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    with _evaluating(model.to(device)):
        logits = _logits(model(players.to(device).masked(whole).to(dtype)), "output")[0]
    if len(logits) > 1:
        return int(logits.argmax())
    return int(logits[0] > 0) if score == "sigmoid" else 0
