"""A run's file read back; `tests/test_record.py` compares what is read with what was recorded."""

import pickle

import h5py
import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.record.journal import journal
from snnplast.record.reading import read_run
from snnplast.record.run_file import RunFile


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.h5"
    with RunFile(path, config="", seed=0, versions={}, dt=1e-3, populations={"z": 3, "a": 3}, spikes=["z", "a"]) as run:
        run.trial(4, "test", 10, iteration=2, spikes={"z": ([1, 9], [0, 2]), "a": ([], [])})
        run.metrics("epoch", {"loss": 0.5})
        run.weights("z->a", [0], [1], [0.25], source="z", target="a")
    return path


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda run: run.spikes("zz"), "unknown population with recorded spikes 'zz': did you mean 'z'. Known: a, z"),
        (lambda run: run.trial_spikes("b", 0), "unknown population with recorded spikes 'b': Known: a, z"),
        (lambda run: run.state("z/v"), "unknown recorded state variable 'z/v': none is known"),
        (lambda run: run.synapses("z>a"), "unknown projection with stored weights 'z>a': did you mean 'z->a'"),
        (lambda run: run.metrics["los"], "unknown metric 'los': did you mean 'loss'"),
        (
            lambda run: run.trial_spikes("z", 999),
            "'.*run.h5' has no trial in row 999: 0 to 0, or -1 to -1 from",
        ),
        (lambda run: run.trial_spikes("z", -2), "'.*run.h5' has no trial in row -2: 0 to 0"),
    ],
)
def test_an_unknown_name_lists_the_known(path, ask, sentence):
    with pytest.raises(UserError, match=f"^{sentence}"):
        ask(read_run(path))


def test_what_is_read_can_be_pickled(path):
    run = pickle.loads(pickle.dumps(read_run(path)))
    assert list(run.metrics["loss"]) == [0.5]
    assert run.metrics.get("los") is None


def test_populations_keep_their_order(path):
    assert list(read_run(path).populations.items()) == [("z", 3), ("a", 3)]


def test_a_silent_population_has_empty_spikes(path):
    times, neurons = read_run(path).spikes("a")
    assert len(times) == len(neurons) == 0
    assert len(read_run(path).trial_spikes("a", 0)[0]) == 0


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"^there is no file '.*none.h5'$"):
        read_run(tmp_path / "none.h5")


def test_another_kind_of_file_is_one_sentence(tmp_path):
    text, other = tmp_path / "text.h5", tmp_path / "other.h5"
    text.write_text("not HDF5")
    h5py.File(other, "w").close()
    with pytest.raises(UserError, match=r"^'.*text.h5' cannot be read as HDF5: .*signature not found.*$"):
        read_run(text)
    with pytest.raises(UserError, match=r"^'.*other.h5' is not the file of a run: it has no status or no trials$"):
        read_run(other)


def test_a_file_whose_writer_was_killed_amid_a_burst_is_read_through_its_journal(path):
    """Of a kill after the journal was written: the root group is still overwritten with zeros here."""
    whole = path.read_bytes()
    written = b"".join(journal([(48, whole[48:5000])], len(whole), len(whole)))
    path.write_bytes(whole[:48] + bytes(5000 - 48) + whole[5000:] + written)
    with pytest.raises((OSError, KeyError)), h5py.File(path) as file:
        file["trials"]
    run = read_run(path)
    assert run.trials["trial"].tolist() == [4]
    assert run.spikes("z")[0].tolist() == [1.0, 9.0]
    assert np.array_equal(run.synapses("z->a"), ([0], [1], [0.25]))
