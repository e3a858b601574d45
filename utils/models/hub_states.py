"""What ``reproduce data`` lists of the networks whose weights come from the Hugging Face hub."""

from __future__ import annotations

from ..datasets.states import State
from . import hub

__all__ = ["states"]

_ABOUT = {
    "bert_medium": ("41 million parameters", "Apache-2.0"),
    "bert_base": ("110 million parameters", "Apache-2.0"),
    "distilbert": ("66 million parameters", "Apache-2.0"),
    "xlnet": ("117 million parameters", "MIT"),
}
"""Size and licence, as the models' pages on the hub state them (Turc et al. 2019; Devlin et al.
2019; Sanh et al. 2019; Yang et al. 2019)."""


def states() -> list[State]:
    """A line for each of them, in their order; no file is read."""
    return [_state(name, *_ABOUT[name]) for name in sorted(hub.HUB)]


def _state(name: str, size: str, licence: str) -> State:
    folder, samples = hub.downloaded(name), f"weights of a network, {size}"
    if folder is None:
        how = f"`reproduce data {name}` gets {hub.HUB[name]} from the hub"
        return State(name, samples, None, licence, "missing", how)
    held = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return State(name, samples, held, licence, "cached", str(folder))
