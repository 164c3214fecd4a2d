"""Importing the library leaves no trace of Brian2's in the process, and works off the main thread."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from pathlib import Path

import pytest
from brian2 import BrianLogger, NeuronGroup

from snnplast.brian import brian2
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network.fragments import Fragment, Update
from snnplast.rules.e_prop import EProp
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation

ROOT = Path(__file__).parents[1]


def script(folder, text):
    """What a user's script prints, with a temporary folder of its own, and what it leaves there."""
    path = folder.write("script.py", text)
    (folder.path / "tmp").mkdir()
    environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder.path / "tmp"), "PATH": "", "HOME": str(folder.path)}
    done = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True)
    return done, sorted(path.name for path in (folder.path / "tmp").iterdir())


def test_a_mistake_in_a_users_script_is_reported_by_python_and_leaves_nothing(folder):
    done, left = script(
        folder,
        """
        import os
        from snnplast import LIF
        print(sorted(os.listdir(os.environ["TMPDIR"])))
        LIF(3, v_treshold=1)
        """,
    )
    assert done.stdout == "[]\n" and left == []
    assert done.stderr.startswith("Traceback") and "Brian" not in done.stderr
    assert "did you mean 'v_threshold'?" in done.stderr.splitlines()[-1]


def test_a_script_that_imports_brian2_itself_is_left_no_hook_and_no_file_either(folder):
    done, left = script(
        folder,
        """
        from brian2 import ms
        from snnplast import LIF
        LIF(3, v_treshold=1)
        """,
    )
    assert done.stderr.startswith("Traceback") and left == []


def test_the_first_import_may_come_from_any_thread(folder):
    done, _ = script(
        folder,
        """
        import signal, sys, threading

        hook, set_signal, failed = sys.excepthook, signal.signal, []

        def work():
            try:
                from snnplast import LIF
                LIF(3, tau_m="20 ms")
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert not failed, failed
        assert sys.excepthook is hook and signal.signal is set_signal
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """,
    )
    assert done.returncode == 0, done.stderr


def test_only_one_module_imports_brian2():
    importing = []
    for top in ("snnplast", "rules", "models"):
        for path in (ROOT / top).rglob("*.py"):
            if re.search(r"^\s*(import|from) brian2\b", path.read_text(), re.M):
                importing.append(path.relative_to(ROOT).as_posix())
    assert importing == ["snnplast/brian.py"]


class Warnings(list):
    """Takes the place of Brian2's warning of objects that were in no network."""

    def __enter__(self):
        self._usual = BrianLogger.warn
        BrianLogger.warn = lambda logger, message, name_suffix=None, once=False: self.append(name_suffix)
        return self

    def __exit__(self, *error):
        BrianLogger.warn = self._usual


def test_a_network_that_brian2_refuses_goes_silently():
    net = small_network()
    net.attach("first", Fragment(("extra : volt",), updates=(Update("extra = v"),)))
    gc.collect()  # what other tests have left
    with Warnings() as said:
        with pytest.raises(UserError, match="Brian2 refuses"):
            open_simulation(net, small_task().objective, EProp(evaluation="online"), 1, NUMPY)
        gc.collect()
    assert said == []


def test_a_users_own_objects_are_still_warned_about():
    gc.collect()
    with Warnings() as said:
        NeuronGroup(1, "v : 1")
        gc.collect()
    assert "unused_brian_object" in said
    assert brian2 is sys.modules["brian2"]
