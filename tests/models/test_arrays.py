"""A user's own arrays: what is read, how samples are kept for the test, and one sentence for every fault."""

from __future__ import annotations

import io
import zipfile

import data_files
import numpy as np
import pytest

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.models.arrays import Arrays
from snnplast.random_streams import TEST, TRAINING

X, Y = np.random.default_rng(0).random((12, 5)), np.arange(12) % 3


@pytest.fixture
def written(tmp_path):
    """Writes a file of arrays; returns the model on it."""

    def write(test_share=0.25, **arrays):
        return Arrays(path=str(data_files.write_arrays(tmp_path / "data.npz", **arrays)), test_share=test_share)

    return write


def mistake(model):
    """The sentence that a file's fault ends in."""
    with pytest.raises(UserError) as caught:
        model.network()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_samples_and_labels_are_those_of_the_file(written):
    tests = {"x_test": X[:4] / 2, "y_test": Y[:4].astype(np.uint8)}
    model = written(x=X, y=Y, **tests)
    task, network = model.task(1), model.network()
    for found, expected in zip(task._sets[TRAINING] + task._sets[TEST], (X, Y, *tests.values()), strict=True):
        assert np.array_equal(found, expected)
    assert (network.populations["input"].size, network.populations["output"].size) == (5, 3)


def test_without_test_samples_the_seed_draws_their_share(written):
    model = written(x=X, y=Y)
    one, same, other = model.task(1), model.task(1), model.task(2)
    assert (one.epoch, one.tests) == (9, 3)
    together = np.concatenate([x for x, _ in one._sets.values()])
    assert np.array_equal(np.sort(together, axis=0), np.sort(X, axis=0)), "every sample once"
    for x, labels in one._sets.values():
        assert all(labels[k] == Y[np.flatnonzero((x[k] == X).all(axis=1))[0]] for k in range(len(x)))
    assert np.array_equal(one._sets[TEST][0], same._sets[TEST][0])
    assert not np.array_equal(one._sets[TEST][0], other._sets[TEST][0])


def test_a_share_of_0_keeps_none_for_the_test(written):
    task = written(test_share=0, x=X, y=Y).task(1)
    assert (task.epoch, task.tests) == (12, 0)


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_share_that_leaves_nothing_on_one_side_is_a_mistake(written, share):
    with pytest.raises(UserError, match=rf"^model\.test_share = {share}: that is (0|12) of 12 samples$"):
        written(test_share=share).task(1)


def test_bits_and_bytes_of_0_and_1_are_values_too(written):
    for kind in (bool, np.uint8, np.float32):
        assert np.array_equal(written(x=(X > 0.5).astype(kind)).arrays["x"], X > 0.5)


def changed(array, at, value):
    """A copy with one other entry."""
    copy = np.array(array)
    copy[at] = value
    return copy


FAULTS = [
    ({"x": None}, "it holds y; needed are x and y, and x_test and y_test both or neither"),
    ({"y": None}, "it holds x; needed are x and y, and x_test and y_test both or neither"),
    ({"x_test": X}, "it holds x, y, x_test; needed are x and y, and x_test and y_test both or neither"),
    ({"y_test": Y}, "it holds x, y, y_test; needed are"),
    ({"xtest": X}, "unknown array 'xtest': did you mean 'x_test'? Known: x, x_test, y, y_test"),
    ({"x": X[0]}, "x has shape (5,); (samples, features), at least one of each, is needed"),
    ({"x": X[:, :0]}, "x has shape (12, 0); (samples, features), at least one of each, is needed"),
    ({"x": X[:0], "y": Y[:0]}, "x has shape (0, 5); (samples, features), at least one of each, is needed"),
    ({"x": X.astype(complex)}, "x has the type complex128; numbers are needed"),
    ({"x": X.astype(str)}, "x has the type <U32; numbers are needed"),
    ({"x": X.astype(object)}, "x holds Python objects; numbers are needed"),
    ({"y": Y.astype(object)}, "y holds Python objects; numbers are needed"),
    ({"x": changed(X, (3, 1), np.nan)}, "x[3, 1] is nan; values in [0, 1] are needed"),
    ({"x": changed(X, (0, 4), np.inf)}, "x[0, 4] is inf; values in [0, 1] are needed"),
    ({"x": 255 * np.ones((12, 5), np.uint8)}, "x spans 255 to 255; values in [0, 1] are needed"),
    ({"x": X - 1}, "; values in [0, 1] are needed"),
    ({"y": Y[:7]}, "y has shape (7,); (12,), one label per sample, is needed"),
    ({"y": np.eye(3)[Y]}, "y has the type float64; integers are needed"),
    ({"y": np.eye(3, dtype=int)[Y]}, "y has shape (12, 3); (12,), one label per sample, is needed"),
    ({"y": Y - 1}, "y goes down to -1; labels 0 to classes - 1 are needed"),
    ({"y": Y + 1}, "y goes up to 3, but no label is 0; 0 to classes - 1 are needed"),
    ({"y": changed(Y, 5, 10**12)}, "y goes up to 1000000000000, but no label is 3; 0 to classes - 1 are needed"),
    ({"x_test": X[:, :4], "y_test": Y}, "x_test has 4 features, x has 5"),
    ({"x_test": X, "y_test": Y + 1}, "y_test has the label 3, which y has not"),
    ({"x_test": X, "y_test": Y[:3]}, "y_test has shape (3,); (12,), one label per sample, is needed"),
    ({"x_test": 2 * X, "y_test": Y}, "; values in [0, 1] are needed"),
]


@pytest.mark.parametrize(("arrays", "sentence"), FAULTS, ids=[f"{list(a)} {s[:30]}" for a, s in FAULTS])
def test_a_fault_in_the_arrays_is_one_sentence_with_the_path(written, arrays, sentence):
    model = written(**arrays)
    found = mistake(model)
    assert found.startswith(f"model.path = '{model.path}': ")
    assert sentence in found


def test_an_object_array_is_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    model = Arrays(path=str(data_files.write_arrays(tmp_path / "data.npz", x=np.array([Trap()]))))
    assert "x holds Python objects" in mistake(model)
    assert not tmp_path.joinpath("sprung").exists()


def archive(**members):
    """The bytes of a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file.getvalue()


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is no .npz file; numpy.savez writes one"),
        (b"x,y\n1,2\n", "it is no .npz file; numpy.savez writes one"),
        (npy(X), "it is no .npz file; numpy.savez writes one"),
        (archive(x="1 2 3", y="0 1 0"), "x has the type"),
        (archive(**{"x.npy": npy(X)[:90], "y.npy": npy(Y)}), "x cannot be read: "),
        (archive(**{"x.npy": npy(X)}).replace(npy(X)[200:210], b"0123456789"), "x cannot be read: Bad CRC-32"),
        (archive(), "it holds nothing; needed are x and y"),
    ],
    ids=["empty", "text", "npy", "no arrays", "truncated", "damaged", "empty archive"],
)
def test_a_file_that_is_something_else_is_one_sentence(tmp_path, content, sentence):
    (tmp_path / "data.npz").write_bytes(content)
    assert f"data.npz': {sentence}" in mistake(Arrays(path=str(tmp_path / "data.npz")))


def test_a_file_that_is_missing_or_not_given_is_named(tmp_path):
    data_files.write_arrays(tmp_path / "data.npz")
    assert "data.np': there is no such file; did you mean 'data.npz'?" in mistake(
        Arrays(path=str(tmp_path / "data.np"))
    )
    assert "there is no such file; none is known" in mistake(Arrays(path=str(tmp_path / "no" / "data.npz")))
    assert mistake(Arrays()) == "model.path: a .npz file with x (samples, features) and y (samples,) is needed"


@pytest.mark.parametrize("share", [-0.1, 1])
def test_a_share_outside_0_to_1_is_named(share):
    with pytest.raises(UserError, match=rf"^--set model\.test_share = {share}: "):
        Experiment.of("arrays", f"model.test_share={share}")
