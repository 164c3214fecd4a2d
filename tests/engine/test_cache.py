"""The cache: what it holds is either exactly what was made, or made again; and no trouble with it stops anything."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from snnplast.errors import UserError
from snnplast.native import cache, scratch
from snnplast.native.compiler import CompilerError, compiled
from snnplast.native.private_directory import PrivateDirectory, Untrusted

KEY = "0" * 64


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNPLAST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def said(caplog):
    """What was said, one line each."""
    caplog.set_level(logging.WARNING, "snnplast")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "snnplast"]


class Maker:
    """Stands in for the compiler and counts its runs."""

    def __init__(self, content: bytes = b"a library") -> None:
        self.content = content
        self.runs = 0

    def __call__(self) -> bytes:
        self.runs += 1
        return self.content


def test_the_second_request_is_not_made():
    make = Maker()
    assert cache.cached(KEY, make) == cache.cached(KEY, make) == b"a library"
    assert make.runs == 1


def test_nothing_is_left_behind_but_the_entry(empty_cache, said):
    cache.cached(KEY, Maker())
    assert sorted(p.name for p in empty_cache.iterdir()) == [KEY, f"{KEY}.lock"]
    assert said() == []


@pytest.mark.parametrize(
    "damage, why",
    [
        (lambda entry: (entry / "content").write_bytes(b"a librarx"), "it is damaged"),
        (lambda entry: (entry / "content").write_bytes(b""), "it is damaged"),
        (lambda entry: (entry / "content").unlink(), "it is not complete"),
        (lambda entry: (entry / "record.json").unlink(), "it is not complete"),
        (lambda entry: (entry / "record.json").write_text("{"), "it is damaged"),
        (lambda entry: (entry / "record.json").write_bytes(b"\xff"), "it is damaged"),
        (lambda entry: (entry / "record.json").write_text("[]"), "it is damaged"),
        (lambda entry: (entry / "content").chmod(0o606), "others can write to"),
        (lambda entry: (entry / "content").chmod(0o660), "others can write to"),
        (lambda entry: entry.chmod(0o770), "others can write to"),
        (lambda entry: entry.chmod(0o707), "others can write to"),
        (lambda entry: _replace_by_link(entry), "Not a directory"),
        (lambda entry: _replace_by_link(entry / "content"), "Too many levels of symbolic links"),
        (lambda entry: _replace_by_pipe(entry / "content"), "is no regular file"),
    ],
)
def test_an_entry_that_cannot_be_trusted_is_made_again_and_said(empty_cache, damage, why, said):
    make = Maker()
    cache.cached(KEY, make)
    damage(empty_cache / KEY)
    assert cache.cached(KEY, make) == b"a library"
    assert make.runs == 2
    (line,) = said()
    assert line.startswith(f"snnplast: the entry '{empty_cache / KEY}' of the cache is not used (") and why in line
    assert line.endswith("): it is made anew") and "\n" not in line
    assert cache.cached(KEY, make) == b"a library"
    assert make.runs == 2, "the new entry is kept"


def _replace_by_link(path):
    path.rename(path.parent / "elsewhere")
    path.symlink_to(path.parent / "elsewhere")


def _replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


def test_what_is_not_fit_is_made_again():
    cache.cached(KEY, Maker(b"old"))
    assert cache.cached(KEY, Maker(b"new"), lambda content: content != b"old") == b"new"
    assert cache.cached(KEY, Maker(b"other")) == b"new"


def test_an_entry_moved_to_another_key_is_not_used(empty_cache):
    cache.cached(KEY, Maker(b"one"))
    other = "1" * 64
    (empty_cache / KEY).rename(empty_cache / other)
    assert cache.cached(other, Maker(b"two")) == b"two"


def test_the_record_names_the_checksum(empty_cache):
    cache.cached(KEY, Maker())
    record = json.loads((empty_cache / KEY / "record.json").read_text())
    assert record["key"] == KEY
    assert len(record["sha256"]) == 64


def test_a_lock_file_that_is_a_link_leaves_what_it_leads_to_alone(empty_cache, tmp_path):
    empty_cache.mkdir(mode=0o700)
    (tmp_path / "precious").write_text("kept")
    (empty_cache / f"{KEY}.lock").symlink_to(tmp_path / "precious")
    assert cache.cached(KEY, Maker()) == b"a library"
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.parametrize(
    "spoil, why",
    [
        (lambda root: root.write_text("a file"), "Not a directory"),
        (lambda root: (root.mkdir(), root.chmod(0o770)), "others can write to '"),
        (lambda root: (root.mkdir(), root.chmod(0o703)), "others can write to '"),
        (lambda root: (root.mkdir(mode=0o700), root.parent.chmod(0o777)), "others can write to '"),
        (lambda root: root.symlink_to(root.parent / "nowhere"), "No such file or directory"),
    ],
)
def test_a_cache_that_others_can_write_to_or_that_is_none_is_not_used_and_said(empty_cache, spoil, why, said):
    spoil(empty_cache)
    make = Maker()
    assert cache.cached(KEY, make) == cache.cached(KEY, make) == b"a library"
    assert make.runs == 2
    (line,) = said()
    assert line.startswith(f"snnplast: the cache '{empty_cache}' is not used (") and why in line and "\n" not in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["root", "entry", "content", "parent"])
def test_what_belongs_to_another_user_is_not_used(empty_cache, which, said):
    make = Maker()
    cache.cached(KEY, make)
    places = {"root": empty_cache, "entry": empty_cache / KEY, "content": empty_cache / KEY / "content"}
    given = places.get(which, empty_cache.parent)
    os.chown(given, 12345, -1)
    try:
        assert cache.cached(KEY, make) == b"a library"
    finally:
        if given.exists():
            os.chown(given, 0, -1)
    assert make.runs == 2
    assert f"'{given}' belongs to another user" in said()[0]


def test_a_cache_behind_a_link_of_ones_own_is_used(empty_cache, tmp_path):
    (tmp_path / "large").mkdir()
    empty_cache.symlink_to(tmp_path / "large")
    make = Maker()
    (tmp_path / "large").chmod(0o700)
    cache.cached(KEY, make)
    cache.cached(KEY, make)
    assert make.runs == 1


def test_below_a_folder_that_all_share_as_they_share_tmp_it_is_used(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with PrivateDirectory.at(tmp_path / "shared" / "mine") as directory:
        assert directory.path == tmp_path / "shared" / "mine"
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(Untrusted, match="others can write to"):
        PrivateDirectory.at(tmp_path / "shared" / "mine")


def test_a_failed_make_leaves_nothing(empty_cache):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.cached(KEY, fail)
    assert not (empty_cache / KEY).exists()
    assert cache.cached(KEY, Maker()) == b"a library"


def test_on_a_full_disk_what_was_made_is_used_and_not_kept(empty_cache, monkeypatch, said):
    usual = os.open

    def full(path, flags, *args, **places):
        if flags & os.O_EXCL and str(path).endswith("content"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return usual(path, flags, *args, **places)

    monkeypatch.setattr(os, "open", full)
    make = Maker()
    assert cache.cached(KEY, make) == b"a library" and make.runs == 1
    monkeypatch.undo()
    assert [p.name for p in empty_cache.iterdir()] == [f"{KEY}.lock"]
    assert said() == [
        f"snnplast: the cache '{empty_cache}' cannot be written to (No space left on device): what was made is not kept"
    ]


def test_requests_at_the_same_time_make_it_once():
    release = threading.Event()
    maker = Maker()

    def slow():
        release.wait(5)
        return maker()

    contents = []
    threads = [threading.Thread(target=lambda: contents.append(cache.cached(KEY, slow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join()
    assert contents == [b"a library"] * 4
    assert maker.runs == 1


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


def test_entries_belong_to_the_user_alone_whatever_the_umask(empty_cache):
    before = os.umask(0)
    try:
        cache.cached(KEY, Maker())
    finally:
        os.umask(before)
    made = [empty_cache, empty_cache / KEY]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 2
    files = [empty_cache / f"{KEY}.lock", *(empty_cache / KEY).iterdir()]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 3


# What killed processes leave


def abandoned(place, prefix):
    """A directory that a process made for its work before it was killed."""
    code = (
        "import os, signal, sys; from pathlib import Path; from snnplast.native.scratch import scratch\n"
        f"with scratch(Path({str(place)!r}), {prefix!r}) as directory:\n"
        "    (directory / 'half').write_text('done'); print(directory, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return Path(done.stdout.strip())


def test_the_next_use_removes_what_a_killed_process_left_and_nothing_else(empty_cache):
    empty_cache.mkdir(mode=0o700)
    left = abandoned(empty_cache, cache.BUILDING)
    assert (left / "half").read_text() == "done"
    with scratch.scratch(empty_cache, cache.BUILDING) as living:
        (empty_cache / ".build-file").write_text("no directory")
        (empty_cache / ".build-fresh-1").mkdir()
        cache.cached(KEY, Maker())
        assert living.exists() and not left.exists()
        assert {p.name for p in empty_cache.iterdir()} == {
            KEY, f"{KEY}.lock", living.name, ".build-file", ".build-fresh-1",
        }  # fmt: skip
        os.utime(empty_cache / ".build-fresh-1", (0, 0))
        cache.cached(KEY, Maker())
        assert not (empty_cache / ".build-fresh-1").exists()
    assert not living.exists()


def test_work_goes_elsewhere_where_the_temporary_folder_is_full_and_nowhere_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path / "missing"))
    assert scratch.working(lambda place: place.parent, tmp_path) == tmp_path
    with pytest.raises(UserError, match=r"no room to work in '.*missing' \(No such file or directory\); TMPDIR="):
        scratch.working(lambda place: place)
    assert not list(tmp_path.glob("snnplast-*"))


def test_a_compiler_that_meets_a_full_disk_is_tried_elsewhere(tmp_path, monkeypatch):
    compiler = tmp_path / "compiler"
    compiler.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo stand-in; exit;; esac\n'
        f"case $(pwd) in {tmp_path}/roomy/*) printf made > library.so;;\n"
        "*) echo 'fatal error: unity.o: No space left on device' >&2; exit 1;; esac\n"
    )
    compiler.chmod(0o700)
    (tmp_path / "roomy").mkdir()
    monkeypatch.setenv("CXX", str(compiler))
    assert compiled({"a.cpp": ""}, "a.cpp", tmp_path / "roomy") == b"made"
    with pytest.raises(UserError, match=r"no room to work in .*No space left on device"):
        compiled({"a.cpp": ""}, "a.cpp")
    compiler.write_text("#!/bin/sh\necho 'a.cpp:1: error: no' >&2; exit 1\n")
    with pytest.raises(CompilerError, match=r"refused the generated sources: a\.cpp:1: error: no") as caught:
        compiled({"a.cpp": ""}, "a.cpp")
    assert "\n" not in str(caught.value)
