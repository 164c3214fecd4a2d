"""Damaged and hostile files of runs, by the thousand: each reader refuses them in a sentence or reads them.

SNNPLAST_FUZZ says how many, 1,000 without it. The same numbers give the same files.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mutants import PIPE, VICTIM, mutant
from tiny import EXPERIMENT, TINY

from snnplast.activity import figure
from snnplast.cli import run as running
from snnplast.cli import trial
from snnplast.cli.command import main
from snnplast.errors import UserError
from snnplast.record import apart
from snnplast.record.reading import read_run
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.sweep import Axis, Point, check_earlier, grid
from snnplast.training.sweep import _run as run_point
from snnplast.training.trainer import Trainer

COUNT = int(os.environ.get("SNNPLAST_FUZZ", "1000"))
WORKERS = 2
PATIENCE = 20.0
"""Seconds for one reader of one file."""
SETS = ("train.checkpoint_every=1", "record.spikes=hidden", "record.variables=output.y")
OVER = [Axis("model.hidden", ("3",))]


def the_point() -> Point:
    (point,) = grid("experiment.toml", SETS, OVER, [3], Path("experiment.sweep"))
    return point


def prepare(directory: Path, made: Path) -> None:
    """A working directory with a model file that all of them share, and a file and a pipe that nobody may touch."""
    directory.mkdir(exist_ok=True)
    os.chdir(directory)
    Path("experiment.sweep").mkdir()
    (made / "tiny.py").write_text(TINY)
    Path("experiment.toml").write_text(EXPERIMENT.replace("tiny.py", str(made / "tiny.py")))
    Path(VICTIM).write_bytes(b"untouched " * 2000)
    os.mkfifo(PIPE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A directory with `good.h5`, the file of a run cut off in the middle, and `whole.h5`, as it ends."""
    directory, update = tmp_path_factory.mktemp("fuzz") / "made", Trainer.update
    here = os.getcwd()

    def stopped(self):
        if self.iteration == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    with pytest.MonkeyPatch.context() as patch:
        prepare(directory, directory)
        try:
            patch.setattr(running, "_figures", lambda path: [])
            words = ["run", "experiment.toml", "--quiet"]
            words += [word for text in the_point().sets for word in ("--set", text)]
            assert main(words) == 0
            shutil.move(the_point().path, "whole.h5")
            patch.setattr(Trainer, "update", stopped)
            assert main(words) == 128 + signal.SIGTERM
            shutil.move(the_point().path, "good.h5")
        finally:
            os.chdir(here)
    return directory


def everything(path: Path) -> None:
    """Reads all there is."""
    run = read_run(path)
    for name in run.populations:
        run.spikes(name)
        for row in range(len(run.trials)):
            run.trial_spikes(name, row)
    for name in run.states:
        run.state(name)
        for row in range(len(run.trials)):
            run.state(name, row)
    for name in run.projections:
        run.synapses(name)
        run.initial_weights(name)
        if run.best:
            run.best_weights(name)
    with contextlib.suppress(UserError):
        run.weight_history(next(iter(run.projections), ""))
    with contextlib.suppress(UserError):
        run.confusion()
    if run.resumable:
        Checkpoint.read(path)


def command(*words: str) -> str:
    """What became of it: "refused", "fine", or what is wrong."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        status = main(list(words))
    said = err.getvalue()
    if status == 2 and said.count("\n") == 1 and said.startswith("snnplast: "):
        return "refused"
    return "fine" if status == 0 else f"status {status}: {said.strip()[:300]}"


def read_by(reader: str, path: Path) -> str:
    try:
        match reader:
            case "read_run":
                everything(path)
            case "compare":
                return command("compare", str(path))
            case "resume":
                return command("resume", str(path), "--quiet")
            case "trial":
                return command("trial", "experiment.toml", "--weights", str(path), "--output", "figure.png")
            case "sweep":
                check_earlier([the_point()], False, False)
                handlers = {
                    number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                }
                wrong = run_point(the_point(), False, False)
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                return "refused" if wrong else "fine"
    except UserError as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "fine"


READERS = ("read_run", "compare", "trial", "resume", "sweep")


def learned(path: Path) -> list[np.ndarray]:
    run = read_run(path)
    return [
        *(run.synapses(name)[2] for name in sorted(run.projections)),
        *(run.parameters[n] for n in sorted(run.parameters)),
    ]


def outside() -> dict[str, bytes]:
    """All files but the mutant and what the readers are to write."""
    own = {"figure.png"}
    return {p.name: p.read_bytes() for p in Path().iterdir() if p.is_file() and p.name not in own}


def one(made: Path, number: int, reader: str) -> tuple[str, str]:
    """Kind of the mutant, and what became of it at this reader."""
    path = the_point().path
    path.unlink(missing_ok=True)
    kind = mutant(made / "good.h5", path, number)
    before, content = outside(), path.read_bytes()
    found = read_by(reader, path)
    if outside() != before or sorted(os.listdir("experiment.sweep")) != [path.name]:
        return kind, "wrote elsewhere"
    if (found == "refused" or reader in READERS[:3]) and path.read_bytes() != content:
        return kind, "changed a file that it refused or read"
    if reader == "resume" and found == "fine":
        ours, whole = learned(path), learned(made / "whole.h5")
        if not all(map(np.array_equal, ours, whole)):
            return kind, "went on to other numbers"
    return kind, found


def work(made: Path, directory: Path, connection) -> None:
    """In a process of its own: answers (number, reader) by (kind, what became of it)."""
    prepare(directory, made)
    apart.LIMIT = 3.0
    running._figures = lambda path: []
    trial.save = lambda figure, path: None
    figure.draw = lambda activity, title: None
    while (asked := connection.recv()) is not None:
        connection.send(one(made, *asked))


class Worker:
    """A process that reads mutants; another one takes its place when it crashes or hangs."""

    def __init__(self, made: Path, directory: Path) -> None:
        self._made, self._directory, self._restarts = made, directory, 0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        where = self._directory.with_name(f"{self._directory.name}-{self._restarts}")
        self.process = context.Process(target=work, args=(self._made, where, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self._restarts += 1

    def ask(self, number: int, reader: str) -> None:
        self.began = time.monotonic()
        self.asked = number, reader
        self.connection.send(self.asked)

    def answer(self) -> tuple[str, str] | None:
        """None while there is none."""
        try:
            if self.connection.poll(0.001):
                return self.connection.recv()
            if time.monotonic() - self.began < PATIENCE:
                return None
            found = "?", f"hung for {PATIENCE} s"
        except EOFError:
            self.process.join()
            found = "?", f"crashed: {self.process.exitcode}"
        self.process.kill()
        self.process.join()
        self._start()
        return found


def ask_all(made: Path, directory: Path) -> dict[tuple[int, str], tuple[str, str]]:
    questions = [(number, reader) for number in range(COUNT) for reader in READERS]
    answers: dict[tuple[int, str], tuple[str, str]] = {}
    idle, busy = [Worker(made, directory / f"worker{k}") for k in range(WORKERS)], []
    while questions or busy:
        while questions and idle:
            busy.append(idle.pop())
            busy[-1].ask(*questions.pop())
        for worker in list(busy):
            if (answer := worker.answer()) is not None:
                answers[worker.asked] = answer
                busy.remove(worker)
                idle.append(worker)
    for worker in idle:
        worker.connection.send(None)
        worker.process.join()
    return answers


@pytest.mark.slow
def test_whatever_a_file_holds_its_reader_refuses_it_in_a_sentence_or_reads_it(made, tmp_path, capsys):
    began = time.monotonic()
    answers = ask_all(made, tmp_path)
    counts = Counter(
        (reader, outcome) for (_, reader), (_, outcome) in answers.items() if outcome in ("refused", "fine")
    )
    wrong = {asked: found for asked, found in answers.items() if found[1] not in ("refused", "fine")}
    with capsys.disabled():
        print(f"\n{COUNT} mutants x {len(READERS)} readers in {time.monotonic() - began:.0f} s: {len(wrong)} wrong")
        for reader in READERS:
            print(f"  {reader:9} refused {counts[reader, 'refused']:5}, read {counts[reader, 'fine']:5}")
    assert not wrong
    assert counts["read_run", "refused"] > COUNT // 4 and counts["read_run", "fine"] > COUNT // 50
    assert counts["resume", "fine"] > COUNT // 100 and counts["sweep", "fine"] > COUNT // 100


@pytest.mark.slow
def test_so_does_the_command_line(made, tmp_path, monkeypatch, capsys):
    here = os.getcwd()
    prepare(tmp_path / "shell", made)
    os.chdir(here)
    monkeypatch.chdir(tmp_path / "shell")
    path, statuses = the_point().path, Counter()
    for number in range(0, COUNT, max(1, COUNT // 6)):
        mutant(made / "good.h5", path, 100_000 + 7 * number)
        if number == 0:
            shutil.copyfile(made / "good.h5", path)
        before = outside()
        for words in (
            ["compare"],
            ["resume", "--quiet"],
            ["trial", "experiment.toml", "--output", "figure.png", "--weights"],
        ):
            command = [sys.executable, "-m", "snnplast", *words, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            assert done.returncode in (0, 2), done.stderr
            assert done.returncode == 0 or done.stderr.count("\n") == 1
            statuses[words[0], done.returncode] += 1
        assert {name: before[name] for name in before if name != "figure.png"} == outside()
    with capsys.disabled():
        print("\ncommand line:", dict(statuses))
    assert {status for _, status in statuses} == {0, 2}
