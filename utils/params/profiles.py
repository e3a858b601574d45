"""profiles/<name>.yaml: which notebooks run, with which settings, and what that costs."""

from __future__ import annotations

import re
from typing import Any

import yaml
from pydantic import Field, ValidationError

from .. import paths
from ..discovery import nearest
from ..strict import Strict
from .checks import ParameterError, validate
from .models import PARAMS

__all__ = ["Profile", "load_profile", "parse", "profiles"]


class _Loader(yaml.SafeLoader):
    """YAML whose numbers are Python's: 1e-3 is a number (YAML 1.1 reads a text)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def parse(text: str) -> Any:
    """A value as YAML writes it (``3``, ``1e-3``, ``[mlp7, lenet]``, ``true``, a word), for files
    and for ``-p``."""
    return yaml.load(text, Loader=_Loader)  # a subclass of yaml's SafeLoader


class Profile(Strict):
    """The content of profiles/<name>.yaml."""

    about: str = Field(description="one sentence: what the profile is for")
    needs: str = Field(description="what a machine must have beyond the repository")
    memory_gb: float = Field(gt=0, description="peak memory")
    disk_gb: float = Field(gt=0, description="job cache and results when all is done")
    minutes: dict[str, float] = Field(description="minutes per notebook, from nothing, on 2 cores")
    shared: dict[str, Any] = Field(
        {}, description="settings for every notebook that has the parameter"
    )
    notebooks: dict[str, dict[str, Any]] = Field(
        description="settings per notebook, over the shared ones; in the order of running"
    )

    def given(self, notebook: str) -> dict[str, Any]:
        """The settings that this profile gives to a notebook."""
        known = PARAMS[notebook].model_fields
        return {
            **{name: value for name, value in self.shared.items() if name in known},
            **self.notebooks[notebook],
        }


def profiles() -> list[str]:
    """The names of all profiles."""
    return sorted(path.stem for path in paths.PROFILES.glob("*.yaml"))


def load_profile(name: str) -> Profile:
    """profiles/<name>.yaml, every notebook's settings checked against its model. ParameterError
    with what is wrong."""
    if name not in profiles():
        raise ParameterError(
            f"unknown profile {name!r}{nearest(name, profiles())}; there are: "
            f"{', '.join(profiles())}"
        )
    path = paths.PROFILES / f"{name}.yaml"
    try:
        profile = Profile(**parse(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ParameterError(f"{path} is no profile: {error}") from None
    stray = set(profile.shared) - {name for model in PARAMS.values() for name in model.model_fields}
    if stray:
        raise ParameterError(
            f"{path}: no notebook has the shared parameter(s) {', '.join(sorted(stray))}"
        )
    for notebook in profile.notebooks:
        if notebook not in PARAMS:
            raise ParameterError(
                f"{path}: unknown notebook {notebook!r}{nearest(notebook, PARAMS)}; "
                f"there are: {', '.join(PARAMS)}"
            )
        if notebook not in profile.minutes:
            raise ParameterError(f"{path}: minutes says nothing of {notebook}")
        validate(notebook, profile=name, **profile.given(notebook))
    return profile
