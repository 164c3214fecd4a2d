"""Random numbers as pure functions of a seed and of what they are for.

Philox is a function of key and counter: the key comes from the seed, the upper three words of the counter say what the
numbers are for. What the library itself draws for every run is told apart by small numbers; everything else, by name.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

TRAINING, TEST, ORDER, WEIGHTS, SOURCES = range(5)
"""First number of the streams of every run: `SOURCES` the spikes of a trial, with its phase and number."""


def stream(seed: int, purpose: int | str, *owner: int | str) -> np.random.Generator:
    """Independent random numbers for a seed and what they are for, as a pure function of both.

    purpose: one of the numbers above, with up to two numbers as its owner; or a name, with an owner of any number of
    names and numbers: `stream(seed, "reservoir", layer)`. Streams of different purposes or owners share nothing.
    """
    words = _words(purpose, *owner) if isinstance(purpose, str) else [purpose, *map(int, owner), 0, 0][:3]
    return np.random.Generator(np.random.Philox(key=key_of(seed), counter=[0, *words]))


class Uniforms:
    """Uniform numbers in [0, 1), each a function of key, counter and its place in their order.

    seed: of the key. of: words of a stream instead, one pair of 64 bits. owner: what tells numbers with one key apart.
    position: that of the next number. Numbers that were looked at and not used come again.

    >>> random = Uniforms(seed=1)
    >>> first = random.peek(3)
    >>> random.use(2)
    >>> random.position, random.peek(1) == first[2:]
    (2, array([ True]))
    """

    def __init__(self, seed: int | None = None, of: np.ndarray | None = None, owner: int = 0) -> None:
        self.key = key_of(seed or 0) if of is None else of
        self.counter = np.array([0, owner, 0, 0], np.uint64)
        self.position = 0

    def peek(self, count: int) -> np.ndarray:
        """The next `count` numbers, as they are in the order of numpy's Philox."""
        block, word = divmod(self.position, 4)
        counter = self.counter + np.array([block, 0, 0, 0], np.uint64)
        return np.random.Generator(np.random.Philox(key=self.key, counter=counter)).random(word + count)[word:]

    def use(self, count: int) -> None:
        """Go on behind `count` numbers."""
        self.position += count


@lru_cache(maxsize=1024)
def _words(*names: int | str) -> list[int]:
    """192 bits of a hash, the highest one set: no number of a run's own streams reaches there."""
    text = "\0".join(f"{type(name).__name__}:{name}" for name in names)
    digest = hashlib.sha256(text.encode()).digest()
    words = [int.from_bytes(digest[k : k + 8], "little") for k in (0, 8, 16)]
    return [words[0] | 1 << 63, *words[1:]]


@lru_cache(maxsize=16)
def key_of(seed: int) -> np.ndarray:
    """The key of all streams of a seed: two words."""
    return np.random.SeedSequence(seed).generate_state(2, np.uint64)
