"""v(x_T) on all 2^n masks of many samples, streamed through the network in micro-batches of one
fixed size.

Memory is flat in n but for the answer itself, and the result does not depend on how much memory
there is. The forward pass runs in the network's own dtype; its logits go to float64 before the
log-odds are taken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import nn

from .. import lattice, runtime
from ..players import Players
from .batches import (
    as_input,
    evaluating,
    laid_out,
    layout,
    micro_batch,
    pad_to_block,
    refusing_too_large,
)
from .first_layer import Summed, summed
from .values import Score, score_of

Path = Literal["auto", "plain"]

__all__ = ["Cost", "logits_of", "noise_floor", "predict", "scores"]


@contextlib.contextmanager
def _readouts(
    model: nn.Module, layers: Mapping[str, nn.Module] | None
) -> Iterator[dict[str, torch.Tensor]]:
    """While open, every forward pass leaves in the dict the probes' logits of each named layer: one
    trunk pass for all."""
    modules = dict(model.named_modules())
    caught: dict[str, torch.Tensor] = {}
    hooks = []
    try:
        for name, probe in (layers or {}).items():
            if name not in modules:
                raise ValueError(
                    f"the network has no layer {name!r}; it has {[m for m in modules if m]}"
                )

            def catch(
                _module: nn.Module,
                _inputs: object,
                output: torch.Tensor,
                name: str = name,
                probe: nn.Module = probe,
            ) -> None:
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
        raise ValueError(
            f"target must be one class or one per sample: got {len(targets)} for {count} samples"
        )
    return targets


def _ranges(start: int, stop: int, n: int) -> Iterator[tuple[int, int, int]]:
    """The flat (sample, mask) range start..stop as (sample, first mask, mask after the last)."""
    for sample in range(start >> n, ((stop - 1) >> n) + 1):
        low, high = max(start, sample << n), min(stop, (sample + 1) << n)
        yield sample, low - (sample << n), high - (sample << n)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """One pass over all masks of all samples: who, where, in batches of which size and layout."""

    model: nn.Module
    players: list[Players]
    device: torch.device
    dtype: torch.dtype
    rows: int
    order: torch.memory_format
    path: Path

    @classmethod
    def of(
        cls,
        model: nn.Module,
        players: Sequence[Players],
        layers: Mapping[str, nn.Module] | None,
        rows: int | None,
        device: torch.device | str | None,
        path: Path,
    ) -> _Plan:
        if path not in get_args(Path):
            raise ValueError(f"path must be one of {get_args(Path)}, got {path!r}")
        if not players:
            raise ValueError("players is empty: pass one Players object per sample")
        n = players[0].n
        if any(p.n != n for p in players):
            raise ValueError(
                "all samples must have the same number of players, got "
                f"{sorted({p.n for p in players})}"
            )
        where = (
            torch.device(device)
            if device is not None
            else next(model.parameters(), torch.empty(0)).device
        )
        _require_memory(len(players), n, len(layers or "1"), where)
        dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
        model, placed = model.to(where), [p.to(where) for p in players]
        example = as_input(placed[0].masked(torch.zeros(1, dtype=torch.int64, device=where)), dtype)
        with _readouts(model, layers):
            size = min(rows or micro_batch(model, example), pad_to_block(len(players) << n))
        return cls(model, placed, where, dtype, size, layout(model, example), path)

    @property
    def n(self) -> int:
        return self.players[0].n

    @property
    def total(self) -> int:
        return len(self.players) << self.n

    @contextlib.contextmanager
    def running(
        self, layers: Mapping[str, nn.Module] | None
    ) -> Iterator[Callable[[int, int], Mapping[str, torch.Tensor]]]:
        """A function from a range of (sample, mask) to the logits there, by layer; open while
        batches are run."""
        with (
            evaluating(self.model),
            laid_out(self.model, self.order),
            _readouts(self.model, layers) as caught,
        ):
            with refusing_too_large(self.rows, self.device):
                first = (
                    None
                    if self.path == "plain"
                    else summed(self.model, self._of, len(self.players), self.n)
                )
            run = self._plain if first is None else functools.partial(self._summed, first)

            def logits(start: int, stop: int) -> Mapping[str, torch.Tensor]:
                with refusing_too_large(self.rows, self.device):
                    output = run(start, stop)
                found = caught if layers else {"output": output}
                return {name: answers[: stop - start] for name, answers in found.items()}

            yield logits

    def _plain(self, start: int, stop: int) -> torch.Tensor:
        """The network's answers to the masked samples."""
        return self.model(self._padded(self._inputs(_ranges(start, stop, self.n))))

    def _summed(self, first: Summed, start: int, stop: int) -> torch.Tensor:
        """The same from the first layer's answers, which are sums over players."""
        layer, table = first
        pieces = [table(i).rows(low, high) for i, low, high in _ranges(start, stop, self.n)]
        with layer.answering(self._padded(torch.cat(pieces) if pieces[1:] else pieces[0])):
            return self.model(self._of(0, [0]))

    def _padded(self, inputs: torch.Tensor) -> torch.Tensor:
        """The last batch has the size of the others: same kernels, same rounding."""
        if len(inputs) < self.rows:
            more = inputs[-1:].expand(self.rows - len(inputs), *inputs.shape[1:])
            inputs = torch.cat([inputs, more])
        return inputs.contiguous(memory_format=self.order) if inputs.ndim == 4 else inputs

    def _inputs(self, ranges: Iterable[tuple[int, int, int]]) -> torch.Tensor:
        return torch.cat(
            [self._of(i, torch.arange(low, high, device=self.device)) for i, low, high in ranges]
        )

    def _of(self, sample: int, subsets: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """A sample under masks, as the network takes it."""
        masked = self.players[sample].masked(torch.as_tensor(subsets, device=self.device))
        return as_input(masked, self.dtype)


def _require_memory(samples: int, n: int, layers: int, device: torch.device) -> None:
    """MemoryError, naming the largest n that fits, before the answer is allocated."""
    fits = runtime.available_memory(device) // (8 * samples * layers)
    runtime.require_memory(
        8 * layers * samples << n,
        f"the scores of {samples} samples on 2^{n} masks",
        device=device,
        hint=f"n = {max(fits, 1).bit_length() - 1} players fit",
    )


@dataclasses.dataclass(frozen=True)
class Cost:
    """What scoring will take: ``masked`` inputs in batches of ``rows``, estimated ``seconds``,
    ``bytes`` of the answer."""

    masked: int
    rows: int
    seconds: float
    bytes: int

    def __str__(self) -> str:
        return (
            f"{self.masked:,} masked inputs in batches of {self.rows}: about "
            f"{runtime.human_time(self.seconds)}, "
            f"{runtime.human_bytes(self.bytes)} for the answer"
        )


def predict(
    model: nn.Module,
    players: Sequence[Players],
    layers: Mapping[str, nn.Module] | None = None,
    *,
    rows: int | None = None,
    device: torch.device | str | None = None,
    path: Path = "plain",
) -> Cost:
    """What :func:`scores` of the same arguments will cost, from the time of one micro-batch (after
    one to warm up)."""
    plan = _Plan.of(model, players, layers, rows, device, path)
    with plan.running(layers) as logits:
        for _ in range(2):
            start = time.perf_counter()
            found = logits(0, min(plan.rows, plan.total))
            [
                x.sum().item() for x in found.values()
            ]  # an accelerator answers before it has finished
            seconds = time.perf_counter() - start
    return Cost(
        plan.total,
        plan.rows,
        seconds * -(-plan.total // plan.rows),
        8 * plan.total * len(layers or "1"),
    )


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
    path: Path = "plain",
) -> torch.Tensor | dict[str, torch.Tensor]:
    """v(x_T) of every sample on every mask: float64 (B, 2^n) on ``device``; with ``layers``,
    {layer: (B, 2^n)}.

    model: maps a batch of inputs to logits (batch, K); evaluated in eval mode, left as it was
    found. players: one :class:`Players` per sample, all with the same n. target: class index, one
    or one per sample. layers: {module name: probe}, a probe maps that module's output to logits;
    all layers share one forward pass. score: see :func:`score_of`. rows: micro-batch (default:
    :func:`micro_batch`). device: default where the model is. path: "plain" masks every sample and
    runs the whole network on it; "auto" takes the first layer's answers as sums over players where
    they are (:mod:`utils.extract.first_layer`): the same to rounding, for networks that do nothing
    with a sample but give it to their layers. What it will cost:
    :func:`predict`.

    Raises ValueError for an empty list, differing n, a bad target or layer; MemoryError before
    allocating what does not fit; :class:`OutOfMemory` where a micro-batch does not; ValueError
    naming sample and mask when the network answers NaN or infinity.
    """
    plan = _Plan.of(model, players, layers, rows, device, path)
    targets = _targets(target, len(players)).to(plan.device)
    names = list(layers) if layers else ["output"]
    result = {
        name: torch.empty(plan.total, dtype=torch.float64, device=plan.device) for name in names
    }
    starts = range(0, plan.total, plan.rows)
    with plan.running(layers) as logits:
        for start in (
            runtime.progress(starts, desc="scoring masks", unit="batch") if progress else starts
        ):
            stop = min(start + plan.rows, plan.total)
            found = logits(start, stop)
            sample = torch.arange(start, stop, device=plan.device) >> plan.n
            for name in names:
                result[name][start:stop] = score_of(
                    logits_of(found[name], name), targets[sample], score
                )
    games = {name: values.view(len(players), 1 << plan.n) for name, values in result.items()}
    for name, values in games.items():
        lattice.require_finite(
            values, "the network's score" + (f" at layer {name}" if layers else "")
        )
    return games if layers else games["output"]


def logits_of(output: torch.Tensor, name: str) -> torch.Tensor:
    """``output`` as logits (batch, classes); ValueError, naming the layer, for what is none."""
    if output.ndim == 1:
        output = output[:, None]
    if output.ndim != 2:
        raise ValueError(
            f"the {name} must be logits of shape (batch, classes), got {tuple(output.shape)}"
        )
    return output


@contextlib.contextmanager
def _in_float64(*modules: nn.Module) -> Iterator[None]:
    """While open the modules compute in float64; afterwards they have their own tensors again (a
    copy of a deep network would take longer than its forward pass)."""
    every = itertools.chain.from_iterable((*m.parameters(), *m.buffers()) for m in modules)
    tensors = [t for t in every if t.is_floating_point()]
    before = [t.data for t in tensors]
    try:
        for t, data in zip(tensors, before, strict=True):
            t.data = data.double()
        yield
    finally:
        for t, data in zip(tensors, before, strict=True):
            t.data = data


def noise_floor(
    model: nn.Module,
    players: Players,
    target: int,
    layers: Mapping[str, nn.Module] | None = None,
    *,
    score: Score = "logodds",
    masks: int = 256,
) -> float | dict[str, float]:
    """Size below which an interaction may be rounding: max |v - v in float64| on ``masks`` masks,
    times 2^(n/2).

    An interaction sums up to 2^n scores with alternating signs, so independent rounding grows by
    sqrt(2^n). With ``layers``, as :func:`scores` takes them, {layer: size}: one pass in either
    precision serves all.
    """
    n, device = players.n, players.baseline.device
    chosen = (
        torch.linspace(0, (1 << n) - 1, min(masks, 1 << n), dtype=torch.float64, device=device)
        .round()
        .long()
    )
    inputs = players.masked(chosen)
    targets = torch.full((len(chosen),), target, device=device)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)

    def read(x: torch.Tensor) -> dict[str, torch.Tensor]:
        with evaluating(model), _readouts(model, layers) as caught:
            output = model(x)
        found = caught if layers else {"output": output}
        return {k: score_of(logits_of(z, k), targets, score) for k, z in found.items()}

    rough = read(as_input(inputs, dtype))
    with _in_float64(model, *(layers or {}).values()):
        sharp = read(as_input(inputs, torch.float64))
    floors = {k: float((v - sharp[k]).abs().max()) * 2 ** (n / 2) for k, v in rough.items()}
    return floors if layers else floors["output"]
