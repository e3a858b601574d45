"""What is asked before a run removes or computes anything: a name of its own, its device, its
data."""

from __future__ import annotations

from . import params, places
from .studies import feasible

__all__ = ["require"]


def require(p: params.Common) -> None:
    """ParameterError for a name that is another's or what could not be computed or judged,
    MissingData for a data set."""
    _require_name(p)
    feasible.require(places.notebook_of(p), p)


def _require_name(p: params.Common) -> None:
    """The results of a profile are overwritten by that profile's own settings alone, what git keeps
    by none."""
    name, known = p.profile, params.profiles()
    reserved = [*known, places.COMMITTED]
    if name.lower() not in reserved:
        return
    advice = (
        f"profile={name} names results that are kept apart ({', '.join(reserved)}): name this run "
        "otherwise, such as profile=custom"
    )
    if name not in known:
        raise params.ParameterError(advice)
    plan, notebook = params.load_profile(name), places.notebook_of(p)
    if notebook not in plan.notebooks:
        raise params.ParameterError(f"{advice}; profile {name} does not run {notebook}")
    meant = params.validate(notebook, **{**plan.given(notebook), "profile": name})
    ours, theirs = (one.model_dump(mode="json") for one in (p, meant))
    differ = [key for key in theirs if ours[key] != theirs[key]]
    if differ:
        raise params.ParameterError(
            f"{advice}, or give it the settings of profile {name}; now differ: {', '.join(differ)}"
        )
