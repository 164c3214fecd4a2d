"""A file for h5py that is consistent on disk at every moment: proven by looking at the disk after every system call."""

import os

import h5py
import numpy as np
import pytest

from snnplast.record import atomic_file
from snnplast.record.atomic_file import AtomicFile, open_consistent, repair

BURSTS = 50
ROWS = 100  # per burst and dataset; with chunks of 64 rows the chunk index grows a second level
EXAMINED = [0, 1, 5, 39, 40, 41, 42]  # the burst after a node of 64 chunks is full is among them


def write_bursts(path, bursts=BURSTS, after=lambda burst: None):
    """Datasets a, b and c grow by `ROWS` rows 0, 1, 2, ... per burst, and a new dataset appears now and then."""
    disk = AtomicFile(path)
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

        monkeypatch.setattr(atomic_file.os, "pwrite", pwrite)
        monkeypatch.setattr(atomic_file.os, "truncate", truncate)

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
        assert not repair(path)

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
    journal = b"".join(atomic_file._journal([(0, b"snn")], len(before), len(before)))
    path.write_bytes(before + journal)
    with pytest.raises(OSError):
        open_consistent(path)  # the journal overwrites the HDF5 signature: it is really read through
    assert path.read_bytes() == before + journal
    assert repair(path) and path.read_bytes() == b"snn" + before[3:]


@pytest.mark.parametrize("damage", [lambda j: j[:-1], lambda j: b"\1" + j[1:], lambda j: j + b"\0"])
def test_an_incomplete_journal_is_ignored(tmp_path, damage):
    path = tmp_path / "run.h5"
    disk, file = write_bursts(path, bursts=3)
    file.close()
    disk.close()
    before = path.read_bytes()
    path.write_bytes(before + damage(b"".join(atomic_file._journal([(0, b"snn")], len(before), len(before)))))
    with open_consistent(path) as file:
        assert state_of(file) == 3
    assert plainly_readable(path)
    assert not repair(path)


def test_the_file_appears_with_the_first_commit_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "run.h5"
    path.write_text("older")
    disk = AtomicFile(path)
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
    disk = AtomicFile(tmp_path / "run.h5")
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
