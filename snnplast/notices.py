"""What a user should know although the work goes on: one line, once, on stderr or wherever logging sends it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("snnplast")
_SAID: set[str] = set()


def notice(sentence: str) -> None:
    """Say it, unless it was said before in this process."""
    if sentence not in _SAID:
        _SAID.add(sentence)
        _LOGGER.warning("snnplast: %s", sentence)


@contextmanager
def silence(wanted: bool = True) -> Iterator[None]:
    """Nothing is said in this block, if that is wanted."""
    before = _LOGGER.level
    _LOGGER.setLevel(logging.ERROR if wanted else before)
    try:
        yield
    finally:
        _LOGGER.setLevel(before)
