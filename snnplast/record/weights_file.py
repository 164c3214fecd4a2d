"""Weights in a file of their own (.npz), or in the file of a run."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from snnplast.errors import UserError
from snnplast.files import usable
from snnplast.record.reading import read_run
from snnplast.record.weights import Weights
from snnplast.record.writable import check_writable, write_whole

PRE, POST = "pre/", "post/"
"""How the names of arrays in a file begin that hold the pairs of a projection; its weights are called as it is."""
SUFFIX = ".npz"


def write_weights(path: str | os.PathLike[str], weights: Weights, force: bool = False) -> Path:
    """A NumPy file (.npz) with the weights and pairs of all projections and all other parameters.

    force: whether what stands there may be replaced. Raises `UserError`.
    """
    target = check_writable(path, "save_weights")
    if target.suffix != SUFFIX:
        raise UserError(f"save_weights: '{target}': the name of a NumPy file is needed, which ends in {SUFFIX}")
    if target.exists() and not force:
        raise UserError(f"save_weights: '{target}' exists; force=True overwrites it")
    if not weights:
        raise UserError(f"save_weights: {weights.where} holds no weights")
    arrays: dict[str, np.ndarray] = {}
    for name in weights.projections:
        arrays[PRE + name], arrays[POST + name], arrays[name] = weights.synapses(name)
    packed = io.BytesIO()
    arrays |= {name: weights[name] for name in weights if name not in arrays}
    np.savez(packed, **arrays)  # pyright: ignore[reportArgumentType]  # numpy 2.0 has no allow_pickle here
    write_whole(target, packed.getvalue())
    return target


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """The weights in a file that `save_weights` has written, or in the file of a run (.h5).

    Raises
    ------
    UserError
        There is no such file, or it holds something else. Whether they fit a network is asked where they are used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=2, engine="runtime")
    >>> with TemporaryDirectory() as folder, snn.open(experiment) as sim:
    ...     kept = snn.load_weights(snn.save_weights(f"{folder}/drawn.npz", sim))
    >>> kept["input_to_first"].shape, [neurons[:3].tolist() for neurons in kept.pairs("input_to_first")]
    ((96,), [[0, 0, 0], [0, 1, 2]])
    """
    file = usable(path)
    if not file.is_file():
        raise UserError(f"there is no file '{file}'")
    if not zipfile.is_zipfile(file):
        return read_run(file).weights
    arrays = _arrays(file)
    starts = {name.removeprefix(PRE) for name in arrays if name.startswith(PRE)}
    ends = {name.removeprefix(POST) for name in arrays if name.startswith(POST)}
    for name in sorted(starts | ends):
        there = [arrays.get(key) for key in (PRE + name, POST + name, name)]
        if any(array is None or array.ndim != 1 for array in there) or len({len(a) for a in there}) > 1:  # type: ignore[arg-type]
            raise UserError(f"'{file}' holds no weights of snnplast: {name!r} lacks pairs or weights")
    for name, array in arrays.items():
        pair = name.startswith((PRE, POST))
        if array.dtype.kind not in ("iu" if pair else "f") or not np.all(np.isfinite(array)):
            raise UserError(f"'{file}' holds no weights of snnplast: {name!r} is {array.dtype}, or not finite")
    projections = {name: None for name in arrays if name in starts}
    parameters = {name: a for name, a in arrays.items() if name not in starts and not name.startswith((PRE, POST))}
    if not projections:
        raise UserError(f"'{file}' holds no weights of snnplast: its arrays are {', '.join(arrays) or 'none'}")
    return Weights(
        f"'{file}'", projections, parameters, lambda name: (arrays[PRE + name], arrays[POST + name], arrays[name])
    )


def _arrays(file: Path) -> dict[str, np.ndarray]:
    """All arrays of a .npz file; nothing in it is unpickled."""
    name = ""
    try:
        with np.load(file, allow_pickle=False) as archive:
            found = {}
            for name in archive.files:
                found[name] = np.asarray(archive[name])
            return found
    except (OSError, EOFError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"'{file}': {name or 'the file'} cannot be read: {reason}") from None
