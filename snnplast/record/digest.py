"""What a checkpoint is, in one number: a file in which it was changed by other hands is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np


def digest(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str | int]) -> str:
    """Of names, types, shapes and values of all arrays, and of the attributes."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        found.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        found.update(np.ascontiguousarray(values).tobytes())
    known = {name: value if isinstance(value, str) else int(value) for name, value in attributes.items()}
    found.update(json.dumps(known, sort_keys=True).encode())
    return found.hexdigest()


def of_text(text: str) -> str:
    """Of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
