"""Configurations as nobody should write them: wrong types and sizes, broken texts, keys that are not there, options."""

from __future__ import annotations

import copy
import datetime
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from snnplast.config.toml_text import toml_text

NUMBERS = [0, -1, 1, 2, 7, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 10**400]
REALS = [0.0, -0.0, 0.5, -0.5, 1e-320, 1e-9, 1e9, 1e308, -1e308, float("inf"), float("-inf"), float("nan")]
TEXTS = [
    "", " ", "none", "nan", "inf", "auto", "3", "true", "20 ms", "20 mV", "-5 ms", "0 ms", "1e400 ms", "1e-300 second",
    "1e300 second", "ms", "20", "1 Hz", "1e12 Hz", "e-prop", "ib-hebbian", "frozen", "adam", "sgd", "xor", "digits",
    "hsic", "readout-error", "compiled", "neurons", "hidden", "hidden.v", "output.y", "a.b.c", ".", "..", "/", "~",
    "/dev/null", "~nobody-at-all", "x" * 300, "x/" * 3000, "\0", "\n", "é", "日本語", "😀", "\u202e", "'", '"', "{",
    "a=b", "%s%n",
]  # fmt: skip
OTHERS = [
    True, False, [], [[]], [1, 2], [1, "a"], ["hidden"], ["hidden", "hidden"], [0] * 1000, [[[[1]]]], {}, {"name": 3},
    {"name": "adam"}, {"name": ""}, {"name": "hsic", "window": -1}, {"a": {"b": {"c": {}}}}, [{"name": "firing-rate"}],
    [{"name": "hsic"}, {}], [{}], datetime.date(2020, 1, 1),
]  # fmt: skip
VALUES = [*NUMBERS, *REALS, *TEXTS, *OTHERS]
KEYS = [
    "",
    "name",
    "file",
    "x",
    "Name",
    "hidden ",
    "é",
    "a.b",
    "train",
    "model",
    "rule",
    "rules",
    "e-prop",
    "__class__",
    "y" * 300,
]


class Mutant(NamedTuple):
    """content: of the experiment file. sets: options beside it. told: what was done, in words."""

    content: bytes
    sets: tuple[str, ...]
    told: str


def mutants(config: dict[str, Any], settings: list[str], rng: random.Random) -> Iterator[Mutant]:
    """Mutants without end of a config; `settings`: keys for options."""
    kinds = [_tables, _tables, _tables, _options, _options, _text, _nested]
    while True:
        yield rng.choice(kinds)(copy.deepcopy(config), settings, rng)


def _tables(config: dict[str, Any], settings: list[str], rng: random.Random) -> Mutant:
    """One to three changes of values, keys and tables."""
    told = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = list(_places(config))
        if not places:
            break
        table, key = rng.choice(places)
        told.append(rng.choice([_exchange, _exchange, _exchange, _delete, _rename, _add, _swap])(table, key, rng))
    return Mutant(_written(config), (), "; ".join(told))


def _exchange(table: dict[str, Any], key: str, rng: random.Random) -> str:
    table[key] = copy.deepcopy(rng.choice(VALUES))
    return f"{key} = {str(table[key])[:40]!r}"


def _delete(table: dict[str, Any], key: str, rng: random.Random) -> str:
    del table[key]
    return f"without {key}"


def _rename(table: dict[str, Any], key: str, rng: random.Random) -> str:
    letters = list(key)
    at = rng.randrange(len(letters) + 1)
    new = "".join([*letters[:at], rng.choice("abez_-. "), *letters[at + 1 :]])
    table[new] = table.pop(key)
    return f"{key} called {new}"


def _add(table: dict[str, Any], key: str, rng: random.Random) -> str:
    new = rng.choice(KEYS)
    table[new] = copy.deepcopy(rng.choice(VALUES))
    return f"with {new[:40]} = {str(table[new])[:40]!r}"


def _swap(table: dict[str, Any], key: str, rng: random.Random) -> str:
    other = rng.choice(list(table))
    table[key], table[other] = table[other], table[key]
    return f"{key} and {other} swapped"


def _options(config: dict[str, Any], settings: list[str], rng: random.Random) -> Mutant:
    """A sound file with one or two odd options."""
    sets = []
    for _ in range(rng.choice([1, 1, 2])):
        key = rng.choice(settings)
        if rng.random() < 0.15:
            key = rng.choice(
                [key.upper(), f"{key}.x", key.rpartition(".")[0], key.replace(".", ".."), f" {key}", "", "="]
            )
        value = rng.choice(VALUES)
        text = value if isinstance(value, str) else toml_text({"v": value}).partition("= ")[2].strip() or "{}"
        sets.append(f"{key}={text}")
    return Mutant(_written(config), tuple(sets), "--set " + " --set ".join(text[:80] for text in sets))


def _text(config: dict[str, Any], settings: list[str], rng: random.Random) -> Mutant:
    """Bytes changed, cut or encoded otherwise."""
    content = _written(config)
    at, count = rng.randrange(len(content)), rng.randrange(1, 20)
    made = {
        "bytes exchanged": content[:at] + rng.randbytes(count) + content[at + count :],
        "bytes cut": content[:at] + content[at + count :],
        "cut off": content[:at],
        "doubled": content + content,
        "part repeated": content[:at] + content[at : at + 60] + content[at:],
        "with a mark": b"\xef\xbb\xbf" + content,
        "utf-16": content.decode().encode("utf-16"),
        "latin-1": content + "# é".encode("latin-1"),
        "old line ends": content.replace(b"\n", b"\r"),
        "windows line ends": content.replace(b"\n", b"\r\n"),
        "a NUL": content[:at] + b"\0" + content[at:],
        "nothing": b"",
    }
    told = rng.choice(list(made))
    return Mutant(made[told], (), f"{told} at {at}")


def _nested(config: dict[str, Any], settings: list[str], rng: random.Random) -> Mutant:
    """Lists and tables in one another, far too deep or far too long."""
    depth = rng.choice([10, 100, 400, 3000])
    made = {
        "lists": f"x = {'[' * depth}{']' * depth}\n",
        "tables": f"[{'.'.join(['a'] * depth)}]\n",
        "inline tables": f"x = {'{a = ' * depth}1{'}' * depth}\n",
        "digits": f"x = 1{'0' * 20 * depth}\n",
        "keys": "".join(f"k{k} = 1\n" for k in range(depth)),
        "a long list": f"x = [{', '.join(['1'] * 10 * depth)}]\n",
    }
    told = rng.choice(list(made))
    key = rng.choice(["x", "rule", "model", "train"])
    return Mutant(
        made[told].replace("x =", f"{key} =").encode() + _written(config), (), f"{told}, {depth} deep, at {key}"
    )


def _places(table: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for key, value in table.items():
        yield table, key
        if isinstance(value, dict):
            yield from _places(value)


def _written(config: dict[str, Any]) -> bytes:
    return toml_text(config).encode(errors="surrogatepass")
