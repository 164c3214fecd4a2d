"""Files in the format of MNIST: what is read, which samples are taken, and one sentence for every fault."""

from __future__ import annotations

import gzip
import re

import data_files
import numpy as np
import pytest

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.models import idx_files
from snnplast.models.idx import Idx
from snnplast.models.idx_files import read_idx
from snnplast.random_streams import TEST, TRAINING

LABELS = "train-labels-idx1-ubyte"
IMAGES = "train-images-idx3-ubyte"


@pytest.fixture
def directory(tmp_path):
    """The four files: 12 training and 6 test images of 4 x 5 pixels, 3 classes."""
    return data_files.write_images(tmp_path)


def mistake(**settings):
    """The sentence that a model's mistake ends in."""
    with pytest.raises(UserError) as caught:
        Idx(**settings).network()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (300, 1, 1)])
def test_what_was_written_is_read(tmp_path, shape, compressed):
    values = np.random.default_rng(1).integers(256, size=shape)
    file = data_files.write_idx(tmp_path / "values", values, compressed)
    assert np.array_equal(read_idx(file, len(shape)), values)


def test_pixels_become_values_from_0_to_1_and_labels_classes(directory):
    model = Idx(path=str(directory))
    task, network = model.task(1), model.network()
    pixels, labels = read_idx(directory / IMAGES, 3), read_idx(directory / LABELS, 1)
    x, y = task._sets[TRAINING]
    np.testing.assert_allclose(x, pixels.reshape(12, 20) / 255, rtol=1e-6)
    assert x.max() <= 1
    assert np.array_equal(y, labels)
    assert (task.epoch, task.tests) == (12, 6)
    assert (network.populations["input"].size, network.populations["output"].size) == (20, 3)


def test_fewer_samples_are_taken_at_equal_distances_whatever_the_seed(directory):
    model = Idx(path=str(directory), training=4, tests=2)
    pixels = read_idx(directory / IMAGES, 3).reshape(12, 20)
    for seed in (1, 2):
        task = model.task(seed)
        np.testing.assert_allclose(task._sets[TRAINING][0], pixels[[0, 3, 6, 9]] / 255, rtol=1e-6)
        assert list(task._sets[TEST][1]) == [0, 0]
    orders = [[int(k) for e in range(3) for k in model.task(seed).order(e)] for seed in (1, 2)]
    assert orders[0] != orders[1]


def test_files_may_have_other_names(directory):
    (directory / IMAGES).rename(directory / "pictures")
    assert Idx(path=str(directory), train_images="pictures").task(1).epoch == 12
    sentence = mistake(path=str(directory))
    assert f"model.train_images: there is no file '{directory / IMAGES}', nor one with .gz added; " in sentence
    assert LABELS in sentence


def write(content, name=LABELS):
    """Replaces one of the files."""

    def change(directory):
        (directory / name).write_bytes(content)

    return change


FAULTS = [
    (write(b"", LABELS), "begins with the bytes of nothing; an IDX file of unsigned bytes in 1 dimension begins with"),
    (write(b"\0\0\x08\x03", LABELS), "begins with the bytes 00 00 08 03; "),
    (
        write(b"\0\0\x0d\x01", LABELS),
        "00 00 0d 01; an IDX file of unsigned bytes in 1 dimension begins with 00 00 08 01",
    ),
    (write(b"\x89PNG", IMAGES), "model.train_images: .*'{}.*' begins with the bytes 89 50 4e 47; .* in 3 dimensions "),
    (write(b"\0\0\x08\x01\0\0\0\x0cabc", LABELS), "holds 11 bytes; by its header, 12, it has 20"),
    (write(b"\0\0\x08\x03\0\0", IMAGES), "holds 6 bytes; by its header, 0 x 0 x 0, it has 16"),
    (write(b"\0\0\x08\x03" + b"\xff" * 12, IMAGES), "holds 16 bytes; by its header, 4294967295 x 4294967295 x"),
    (write(b"\0\0\x08\x01\0\0\0\x02ab", LABELS), "model.train_labels: 2 labels in '{}.*', but 12 images in '{}.*'"),
    (write(b"\0\0\x08\x01\0\0\0\x02abc", LABELS), "holds 11 bytes; by its header, 2, it has 10"),
    (write(gzip.compress(b"\0\0\x08\x01" + bytes(99))[:-12], LABELS), "cannot be read: Compressed file ended"),
    (write(b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 20, LABELS), "cannot be read: Error -3 while decompressing data"),
    (write(b"\x1f\x8b no gzip", LABELS), "model.train_labels: '{}.*' cannot be read: Unknown compression method"),
]


@pytest.mark.parametrize(("change", "sentence"), FAULTS, ids=[sentence[:40] for _, sentence in FAULTS])
def test_a_fault_in_a_file_is_one_sentence_with_its_path(directory, change, sentence):
    change(directory)
    found = mistake(path=str(directory))
    assert re.search(sentence.replace("{}", str(directory)), found), found
    assert str(directory) in found


def test_images_without_pixels_and_images_of_two_sizes_are_mistakes(directory):
    data_files.write_idx(directory / "other", np.zeros((6, 3, 5)))
    sentence = mistake(path=str(directory), test_images="other")
    assert sentence == "model.test_images: images of 15 pixels, but those to learn from have 20"
    data_files.write_idx(directory / "other", np.zeros((6, 0, 5)))
    assert "'{}' holds no pixels: its sizes are 6 x 0 x 5".format(directory / "other") in mistake(
        path=str(directory), test_images="other"
    )


def test_more_samples_than_there_are_is_a_mistake(directory):
    assert mistake(path=str(directory), tests=7) == "model.tests = 7: there are 6 samples in the files"
    assert mistake(path=str(directory), training=13) == "model.training = 13: there are 12 samples in the files"
    with pytest.raises(UserError, match=r"^--set model.training = 0: "):
        Experiment.of("idx", f"model.path={directory}", "model.training=0")


def test_a_directory_that_is_missing_is_named_and_without_one_the_package_that_has_one(tmp_path, monkeypatch):
    assert mistake(path=str(tmp_path / "x")) == f"model.path: there is no directory '{tmp_path / 'x'}'"
    monkeypatch.setattr(idx_files, "FASHION_MNIST", tmp_path / "y")
    assert mistake().endswith("or Debian's Fashion-MNIST: apt install dataset-fashion-mnist")


@pytest.mark.skipif(not idx_files.FASHION_MNIST.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_without_a_path_the_data_are_debians_fashion_mnist():
    experiment = Experiment.of("idx")
    assert experiment.network.populations["input"].size == 784
    assert experiment.network.populations["output"].size == 10
    task = experiment.task()
    assert (task.epoch, task.tests) == (6000, 1000)
    for x, labels in task._sets.values():
        assert (x.min(), x.max()) == (0, 1)
        share = np.bincount(labels, minlength=10) / len(labels)
        np.testing.assert_allclose(share, 0.1, atol=0.02)


def test_what_is_used_is_said_and_cited(directory, monkeypatch):
    some = Idx(path=str(directory), training=5, tests=2)
    assert some.data() == f"5 of 12 training and 2 of 6 test images of '{directory}'"
    assert some.citation() == ""
    monkeypatch.setattr(idx_files, "FASHION_MNIST", directory)
    assert Idx().data() == f"Fashion-MNIST, 12 of 12 training and 6 of 6 test images of '{directory}'"
    assert Idx().citation() == Idx.reference
    assert Idx(path=str(directory)).citation() == Idx.reference
