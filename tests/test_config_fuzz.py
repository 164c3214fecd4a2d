"""However a configuration is spoilt: it is refused in one sentence, or it is one that a run could start with."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
import tomllib
from collections import Counter
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import data_files
import pytest
from config_mutations import mutants
from tiny import EXPERIMENT, TINY

from snnplast.config.experiment import Experiment
from snnplast.config.hints import known_settings
from snnplast.errors import UserError
from snnplast.network import memory
from snnplast.simulation.design import design

COUNT = int(os.environ.get("SNNPLAST_FUZZ", "1200"))
SECONDS = 10
"""A case that takes longer hangs."""
BASES = [
    ("tiny", []),
    ("xor", []),
    ("xor", ["rules.ib-hebbian.third_factor=reservoir"]),
    ("arrays", ["model.hidden=[5, 4]"]),
    ("idx", ["rule=ib-hebbian", "model.hidden=5"]),
    ("store-recall", []),
    ("evidence-accumulation", []),
    ("pattern-generation", []),
    ("linear", []),
]


class Hang(Exception):
    """A case has taken too long."""


@contextmanager
def limits():
    """Time for one case."""

    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def little_memory(monkeypatch):
    """Nothing large is tried, whatever the machine has."""
    monkeypatch.setattr(memory, "there_is", lambda: 100 * 10**6)
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + 3 * 10**9, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def outcome(content, sets):
    """What becomes of a config: "would start", or the sentence."""
    Path("mutant.toml").write_bytes(content)
    try:
        experiment = Experiment.of("mutant.toml", *sets)
        task = experiment.task()
        design(
            experiment.network, task.objective, experiment.rule, experiment.train.seed,
            experiment.others, experiment.record.variables,
        )  # fmt: skip
        task.on(experiment.network, experiment.rule.batch)
    except UserError as error:
        return str(error)
    return "would start"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BASES)), ids=[f"{k} {name}" for k, (name, _) in enumerate(BASES)])
def test_a_spoilt_config_is_refused_in_one_sentence_or_would_start(folder, little_memory, number, capsys):
    target, sets = BASES[number]
    folder.write("tiny.py", TINY)
    folder.write("experiment.toml", EXPERIMENT)
    data = [f"model.{key}={value or 'none'}" for key, value in data_files.settings(target, folder.path).items()]
    base = Experiment.of("experiment.toml" if target == "tiny" else target, *sets, *data)
    config, settings = tomllib.loads(base.text()), [*known_settings(type(base.model), base.rule.name)]
    rng, began = random.Random(number), time.monotonic()
    counts: Counter[str] = Counter()
    wrong = []
    for mutant in islice(mutants(config, settings, rng), -(-COUNT // len(BASES))):
        try:
            with limits():
                found = outcome(mutant.content, mutant.sets)
        except BaseException as error:
            wrong.append(f"{mutant.told}: {type(error).__name__}: {error}")
            continue
        counts["would start" if found == "would start" else "refused"] += 1
        if "\n" in found or not 10 <= len(found) <= 2500:
            wrong.append(f"{mutant.told}: no sentence: {found}")
    with capsys.disabled():
        print(f"\n{target}: {dict(counts)}, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    assert not wrong, "\n" + "\n".join(wrong)
    assert counts["would start"] > 2 and counts["refused"] > 10, "the mutations are all alike"
