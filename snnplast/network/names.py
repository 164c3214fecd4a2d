"""Names that the library adds to the users' code: each is one that nobody uses there."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping


def unused(name: str, taken: Container[str], suffix: str) -> str:
    """The name, or where it is taken, the name with a suffix, numbered if need be.

    >>> unused("w", {"v"}, "synapse"), unused("w", {"w"}, "synapse"), unused("w", {"w", "w_synapse"}, "synapse")
    ('w', 'w_synapse', 'w_synapse2')
    """
    if name not in taken:
        return name
    number, found = 1, f"{name}_{suffix}"
    while found in taken:
        number += 1
        found = f"{name}_{suffix}{number}"
    return found


def beside(names: Iterable[str], taken: Iterable[str], suffix: str) -> Mapping[str, str]:
    """Other names for those of `names` that are taken; the others keep theirs and are not listed."""
    own, others = set(names), set(taken)
    return {name: unused(name, own | others, suffix) for name in sorted(own & others)}
