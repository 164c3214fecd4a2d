"""A file for h5py that is consistent on disk at every moment: proven by looking at the disk after every system call."""

import os
import struct
import zlib

import h5py
import numpy as np
import pytest

from snnplast.record import journal as journals
from snnplast.record.atomic_file import AtomicFile
from snnplast.record.claim import Claim
from snnplast.record.journal import LONG, Overlay, journal, merged, overlay, read_journal

BURSTS = 50
ROWS = 100  # per burst and dataset; with chunks of 64 rows the chunk index grows a second level
EXAMINED = [0, 1, 5, 39, 40, 41, 42]  # the burst after a node of 64 chunks is full is among them


def write_bursts(path, bursts=BURSTS, after=lambda burst: None):
    """Datasets a, b and c grow by `ROWS` rows 0, 1, 2, ... per burst, and a new dataset appears now and then."""
    disk = AtomicFile(Claim.new(path))
    file = h5py.File(disk, "w", libver=("v108", "v108"))
    columns = [file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(64,)) for name in "abc"]
    for burst in range(bursts):
        for column in columns:
            column.resize(len(column) + ROWS, axis=0)
            column[-ROWS:] = np.arange(len(column) - ROWS, len(column))
        if burst % 10 == 5:
            file[f"new/{burst}"] = np.full(50, burst)
        file.attrs["status"] = f"burst {burst} " + "x" * burst
        file.flush()
        disk.commit()
        after(burst)
    return disk, file


def state_of(file):
    """Number of bursts the file holds; fails where its parts disagree or data are wrong."""
    bursts = len(file["a"]) // ROWS
    for name in "abc":
        assert np.array_equal(file[name][:], np.arange(bursts * ROWS))
    assert file.attrs["status"].split()[1] == str(bursts - 1)
    assert sorted(map(int, file.get("new", {}))) == list(range(5, bursts, 10))
    return bursts


def open_consistent(path):
    return h5py.File(overlay(os.open(path, os.O_RDONLY)), "r")


def repair(path):
    """Lets the next writer apply the journal, if there is one; whether the file has changed by that."""
    before = path.read_bytes()
    disk = AtomicFile(Claim.existing(path))
    disk.abandon()
    disk.close()
    return path.read_bytes() != before


def plainly_readable(path):
    try:
        with h5py.File(path) as file:
            state_of(file)
        return True
    except (OSError, AssertionError, KeyError, RuntimeError, ValueError):
        return False


@pytest.fixture
def every_system_call(monkeypatch):
    """Lets `watch()` look at the disk after each pwrite and truncate of the writer, and amid each long pwrite."""
    real_pwrite, real_truncate = os.pwrite, os.truncate

    def use(watch):
        def pwrite(fd, data, offset):
            if len(data) > 1000:
                real_pwrite(fd, bytes(data)[: len(data) // 2], offset)
                watch()
            done = real_pwrite(fd, data, offset)
            watch()
            return done

        def truncate(fd, size):
            real_truncate(fd, size)
            watch()

        monkeypatch.setattr(journals.os, "pwrite", pwrite)
        monkeypatch.setattr(journals.os, "truncate", truncate)

    return use


def test_a_kill_after_any_system_call_leaves_a_readable_file(tmp_path, every_system_call):
    path, copy = tmp_path / "run.h5", tmp_path / "copy.h5"
    images, seen, plain = [], [], []

    def examine(burst):  # outside of HDF5's callbacks
        for image in list(images) if burst in EXAMINED else []:
            copy.write_bytes(image)
            with open_consistent(copy) as file:
                seen.append(state_of(file))
            plain.append(plainly_readable(copy))
            assert plainly_readable(copy) if repair(copy) else plain[-1]
        images.clear()  # with those that repair caused

    every_system_call(lambda: images.append(path.read_bytes()) if path.exists() else None)
    disk, file = write_bursts(path, after=examine)
    file.close()
    disk.close()
    assert seen == sorted(seen) and set(seen) >= {burst + 1 for burst in EXAMINED}
    assert len(seen) > 10 * len(EXAMINED)
    assert not all(plain), "no kill hit the application of a journal: the test is vacuous"


def test_between_bursts_any_reader_opens_the_file(tmp_path):
    path = tmp_path / "run.h5"

    def look(burst):
        with h5py.File(path) as file:
            assert state_of(file) == burst + 1
        with path.open("rb") as file:
            assert read_journal(file.fileno()) is None

    write_bursts(path, after=look)


def test_hdf5_alone_would_not_do(tmp_path):
    """Applying the held-back writes one by one, as HDF5 does, passes through states that read wrongly."""
    path, broken = tmp_path / "run.h5", []
    disk, file = write_bursts(path, bursts=7)
    column = file["a"]
    column.resize(len(column) + ROWS, axis=0)
    file.flush()
    for offset, data in disk._held:
        os.pwrite(disk._fd, data, offset)
        broken.append(not plainly_readable(path))
    assert any(broken)
    file.close()
    disk.close()


def test_reading_through_a_journal_changes_nothing_on_disk(tmp_path):
    path = tmp_path / "run.h5"
    disk, file = write_bursts(path, bursts=3)
    file.close()
    disk.close()
    before = path.read_bytes()
    written = b"".join(journal([(0, b"snn")], len(before), len(before)))
    path.write_bytes(before + written)
    with pytest.raises(OSError):
        open_consistent(path)  # the journal overwrites the HDF5 signature: it is really read through
    assert path.read_bytes() == before + written
    assert repair(path) and path.read_bytes() == b"snn" + before[3:]


@pytest.mark.parametrize("damage", [lambda j: j[:-1], lambda j: b"\1" + j[1:], lambda j: j + b"\0"])
def test_an_incomplete_journal_is_ignored(tmp_path, damage):
    path = tmp_path / "run.h5"
    disk, file = write_bursts(path, bursts=3)
    file.close()
    disk.close()
    before = path.read_bytes()
    path.write_bytes(before + damage(b"".join(journal([(0, b"snn")], len(before), len(before)))))
    with open_consistent(path) as file:
        assert state_of(file) == 3
    assert plainly_readable(path)
    assert not repair(path)


def footer(start, size, entries):
    """A journal whose checksum is right."""
    crc = zlib.crc32(entries)
    return entries + struct.pack("<8sQQI", b"snnpjrnl", start, size, crc)


@pytest.mark.parametrize(
    "entries",
    [
        lambda n: struct.pack("<QQ", n - 2, 4) + b"snnp",  # behind the end
        lambda n: struct.pack("<QQ", 0, 2**63) + b"snnp",  # longer than the journal
        lambda n: struct.pack("<QQ", 2**64 - 1, 4) + b"snnp",
        lambda n: struct.pack("<QQ", 0, 4) + b"snnp" + b"odd",
    ],
)
def test_a_journal_that_no_writer_of_ours_wrote_is_ignored(tmp_path, entries):
    path = tmp_path / "run.h5"
    disk, file = write_bursts(path, bursts=3)
    file.close()
    disk.close()
    n = path.stat().st_size
    before = path.read_bytes()
    for size in (n, n + 100):  # or one that makes the file longer
        path.write_bytes(before + footer(n, size, entries(n) if size == n else b""))
        with open_consistent(path) as file:
            assert state_of(file) == 3


def test_the_pieces_of_a_journal_are_the_long_ones_then_the_others_from_the_last_on(tmp_path):
    """So that lengths, which stand before the index of the data, come into their place after it, and data before both.

    Seen by a plain reader in the middle of a journal's application, this order hardly ever reads wrongly.
    """
    size = 2**20
    (tmp_path / "zeros").write_bytes(bytes(size))
    view = Overlay(os.open(tmp_path / "zeros", os.O_RDONLY), size, [])
    held = [(100, b"length"), (200_000, b"d" * LONG), (300, b"near"), (500_000, b"index"), (700_000, b"e" * LONG)]
    pieces = merged(view, held, size)
    assert [(start, len(data)) for start, data in pieces] == [
        (700_000, LONG),
        (200_000, LONG),
        (500_000, 5),
        (100, 204),
    ]
    view.close()


def test_the_file_appears_with_the_first_commit_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "run.h5"
    path.write_text("older")
    older = path.stat()
    disk = AtomicFile(Claim.new(path, replaces=(older.st_dev, older.st_ino)))
    file = h5py.File(disk, "w")
    file["a"] = 1
    file.flush()
    assert path.read_text() == "older"
    disk.commit()
    assert h5py.is_hdf5(path)
    assert os.listdir(tmp_path) == ["run.h5"]
    file.close()
    disk.close()


def test_an_abandoned_file_leaves_no_trace(tmp_path):
    disk = AtomicFile(Claim.new(tmp_path / "run.h5"))
    file = h5py.File(disk, "w")
    file["a"] = np.arange(100_000)
    file.flush()
    disk.abandon()
    file.close()
    disk.close()
    assert os.listdir(tmp_path) == []


def test_a_forked_child_does_not_touch_the_file(tmp_path):
    path = tmp_path / "run.h5"
    disk, file = write_bursts(path, bursts=3)
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        file["a"].resize(10**6, axis=0)
        file["big"] = np.arange(100_000)
        file.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert path.read_bytes() == before
    file.close()
    disk.close()


def test_what_was_not_committed_is_dropped_when_the_file_is_abandoned(tmp_path):
    path = tmp_path / "run.h5"
    disk, file = write_bursts(path, bursts=3)
    before = path.read_bytes()
    file["a"].resize(10**4, axis=0)
    file["big"] = np.arange(100_000)
    file.flush()
    assert path.stat().st_size > len(before)
    disk.abandon()
    file.close()
    disk.close()
    assert path.read_bytes() == before


def test_a_disk_that_fails_amid_a_commit_leaves_the_journal(tmp_path, every_system_call):
    path = tmp_path / "run.h5"

    def fail_late():
        if disk._journal_complete:
            raise OSError(5, "Input/output error")

    disk, file = write_bursts(path, bursts=3)
    for column in (file[name] for name in "abc"):
        column.resize(len(column) + ROWS, axis=0)
        column[-ROWS:] = np.arange(len(column) - ROWS, len(column))
    file.attrs["status"] = "burst 3"
    file.flush()
    every_system_call(fail_late)
    with pytest.raises(OSError, match="Input/output error"):
        disk.commit()
    disk.abandon()
    file.close()
    disk.close()
    with open_consistent(path) as file:
        assert state_of(file) == 4
