"""The build cache: what it holds is either exactly what was built, or built again."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from snnplast.engine import cache

KEY = "0" * 64


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNPLAST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Builder:
    """Stands in for the compiler and counts its runs."""

    def __init__(self, image: bytes = b"a library") -> None:
        self.image = image
        self.runs = 0

    def __call__(self, directory: Path) -> Path:
        self.runs += 1
        (directory / "out").write_bytes(self.image)
        return directory / "out"


def test_the_second_request_is_not_built():
    build = Builder()
    assert cache.cached(KEY, build) == cache.cached(KEY, build) == b"a library"
    assert build.runs == 1


def test_nothing_is_left_behind_but_the_entry(empty_cache):
    cache.cached(KEY, Builder())
    assert sorted(p.name for p in empty_cache.iterdir()) == [KEY, f"{KEY}.lock"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "library.so").write_bytes(b"a librarx"),
        lambda entry: (entry / "library.so").write_bytes(b""),
        lambda entry: (entry / "library.so").unlink(),
        lambda entry: (entry / "record.json").unlink(),
        lambda entry: (entry / "record.json").write_text("{"),
        lambda entry: (entry / "record.json").write_text("[]"),
        lambda entry: (entry / "library.so").chmod(0o666),
        lambda entry: entry.chmod(0o777),
        lambda entry: _replace_by_link(entry),
    ],
)
def test_an_entry_that_cannot_be_trusted_is_built_again(empty_cache, damage):
    build = Builder()
    cache.cached(KEY, build)
    damage(empty_cache / KEY)
    assert cache.cached(KEY, build) == b"a library"
    assert build.runs == 2
    assert cache.cached(KEY, build) == b"a library"
    assert build.runs == 2, "the rebuilt entry is kept"


def _replace_by_link(entry):
    entry.rename(entry.parent / "elsewhere")
    entry.symlink_to(entry.parent / "elsewhere")


def test_an_entry_moved_to_another_key_is_not_used(empty_cache):
    cache.cached(KEY, Builder(b"one"))
    other = "1" * 64
    (empty_cache / KEY).rename(empty_cache / other)
    assert cache.cached(other, Builder(b"two")) == b"two"


def test_the_record_names_the_checksum(empty_cache):
    cache.cached(KEY, Builder())
    record = json.loads((empty_cache / KEY / "record.json").read_text())
    assert record["key"] == KEY
    assert len(record["sha256"]) == 64


def test_without_a_writable_cache_the_library_is_built_each_time(empty_cache, monkeypatch):
    empty_cache.write_text("not a directory")
    build = Builder()
    assert cache.cached(KEY, build) == cache.cached(KEY, build) == b"a library"
    assert build.runs == 2


def test_a_failed_build_leaves_nothing(empty_cache):
    def fail(directory):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.cached(KEY, fail)
    assert not (empty_cache / KEY).exists()
    assert cache.cached(KEY, Builder()) == b"a library"


def test_requests_at_the_same_time_build_once():
    release = threading.Event()
    builder = Builder()

    def slow(directory):
        release.wait(5)
        return builder(directory)

    images = []
    threads = [threading.Thread(target=lambda: images.append(cache.cached(KEY, slow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join()
    assert images == [b"a library"] * 4
    assert builder.runs == 1


def test_the_directory_follows_the_environment(monkeypatch, tmp_path):
    assert cache.cache_directory() == tmp_path / "cache"
    monkeypatch.delenv("SNNPLAST_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_directory() == tmp_path / "xdg" / "snnplast" / "engine"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_directory() == tmp_path / "home" / ".cache" / "snnplast" / "engine"


def test_the_key_depends_on_every_file_its_name_and_the_machine():
    files = {"a": "1", "b": "2"}
    keys = {
        cache.cache_key(*arguments)
        for arguments in (
            (files, "x"),
            (files, "y"),
            ({"a": "1"}, "x"),
            ({"a": "1", "c": "2"}, "x"),
            ({"a": "12", "b": ""}, "x"),
            ({"a": "2", "b": "1"}, "x"),
        )
    }
    assert len(keys) == 6
    assert cache.cache_key(files, "x") == cache.cache_key(dict(reversed(files.items())), "x")


def test_clearing_removes_everything(empty_cache):
    cache.cached(KEY, Builder())
    cache.clear_cache()
    assert not empty_cache.exists()
    cache.clear_cache()


def test_entries_belong_to_the_user_alone(empty_cache):
    cache.cached(KEY, Builder())
    assert os.stat(empty_cache / KEY).st_mode & 0o777 == 0o700
