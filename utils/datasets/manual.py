"""Sets that no command can download, because their owners want a registration, or because the
checksum of the published file is not known here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .base import MissingData

__all__ = ["by_hand"]


def by_hand(how: str) -> Callable[[Path], None]:
    """The ``download`` of such a set: MissingData that says what to put where."""

    def refuse(cache: Path) -> NoReturn:
        raise MissingData(f"it is fetched by hand into {cache}: {how}")

    return refuse
