"""How a reservoir's readout is trained before the run, and what of it is kept."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from reference import ib_hebbian as ib
from reference import readout_rules as rules
from reference import reservoir as rs
from small_runs import RESERVOIR, matrices, trainer

from snnplast.cli import main
from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.random_streams import SOURCES, TRAINING, stream
from snnplast.record.reading import read_run
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors import reservoir_training
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.random import Random
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.rules.third_factors.reservoir_units import RateUnits
from snnplast.rules.third_factors.streams import Streams
from snnplast.testing import small_network
from snnplast.training.pretrain import open_simulation, pretrain
from snnplast.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("own_cache")

SMALL = {**RESERVOIR, "streams": 2, "stream_length": 10}
DRIVEN = {**SMALL, "dynamics": "spiking", "drive": "spikes", "sample_time": "20 ms", "bias": 2.0}
SIZE, CLASSES, SEED = 8, 3, 4


def lesson(**settings):
    """A pretraining, and a trainer on it."""
    reservoir = Reservoir(**settings)
    given = reservoir_training.pretraining(reservoir, reservoir._kind_of_units, "layer", SIZE, CLASSES, SEED)
    simulation = open_simulation(given.network, given.task.objective, given.rule, SEED, NUMPY)
    run = Trainer(simulation, given.task, iterations=given.epochs * given.task.epoch)
    return given, run


def oracle_of(simulation, leak=RESERVOIR["leak"]):
    weights = matrices(simulation)
    w_z, w_r = weights["layer_to_layer_reservoir"].T, weights["layer_reservoir_to_layer_reservoir"].T
    return rs.Reservoir(leak, w_z, w_r, np.arange(w_z.shape[0]) % CLASSES)


def readout_of(simulation):
    weights = matrices(simulation)
    return np.vstack([weights[f"layer_third_factor_from_{v}"] for v in ("opened", "closed", "z")])


def examples(res):
    """Features and wanted signals of all streams in their order, None before the first full window."""
    for x, y, z in Streams(2, 10, CLASSES, SIZE, SEED, "layer"):
        features = rs.run(res, y[None], z[None])[0]
        wanted = rs.teacher(ib.Objective(window=3), x[None], y[None], z[None])[0]
        yield from zip(features, [None, None, *wanted], strict=True)


def test_the_delta_rule_makes_of_the_streams_what_it_makes_of_them_in_numpy():
    given, run = lesson(**SMALL, training="delta", passes=2, learning_rate=0.02)
    assert given.fit is None
    expected = np.zeros((2 * 18 + SIZE, SIZE))
    samples = list(examples(oracle_of(run.simulation)))
    for done, _ in enumerate(run):
        features, wanted = samples[done % 20]
        if wanted is not None:
            expected = rules.delta(expected, features, wanted, rules.linear_decay(0.02, done / 40))
    assert done == 39
    np.testing.assert_allclose(readout_of(run.simulation), expected, rtol=1e-8, atol=1e-12)
    assert np.any(expected)


def test_reward_hebbian_makes_of_the_streams_what_it_makes_of_them_in_numpy():
    _, run = lesson(**SMALL, training="reward-hebbian", passes=2, learning_rate=0.02)
    expected = np.zeros((2 * 18 + SIZE, SIZE))
    samples = list(examples(oracle_of(run.simulation)))
    for done, _ in enumerate(run):
        features, wanted = samples[done % 20]
        rng = stream(SEED, SOURCES, TRAINING, done)
        rng.bit_generator.random_raw(2)  # the key of the sources
        noise = 0.5 * rng.standard_normal((10, SIZE))
        if wanted is not None:
            eta = rules.linear_decay(0.02, done / 40)
            expected = rules.reward_hebbian(expected, features, wanted, noise, eta)
    np.testing.assert_allclose(readout_of(run.simulation), expected, rtol=1e-8, atol=1e-12)
    assert np.any(expected)


@pytest.mark.parametrize("training", ["delta", "reward-hebbian"])
def test_what_was_learned_before_is_what_the_run_begins_with(training):
    settings = {**SMALL, "training": training, "passes": 1}
    run = trainer(IBHebbian(third_factor={"name": "reservoir", **settings}), small_network("rate"), seed=SEED)
    reservoir = Reservoir(**settings)
    given = reservoir_training.pretraining(reservoir, RateUnits, "first", 8, 3, SEED)
    simulation = open_simulation(given.network, given.task.objective, given.rule, SEED, NUMPY)
    for _ in Trainer(simulation, given.task, iterations=20):
        pass
    assert len(simulation.parameters) == 3
    for name in simulation.parameters:
        assert np.any(simulation.values[name])
        assert np.array_equal(run.simulation.values[name], simulation.values[name])


@pytest.mark.parametrize("settings", [SMALL, DRIVEN], ids=["rate", "driven"])
def test_the_reservoir_is_at_rest_where_a_stream_begins(settings):
    given, run = lesson(**settings)
    features = ("layer_reservoir.opened", "layer_reservoir.closed")
    for index in range(20):
        record = run.run(TRAINING, index)
        moved = [np.any(record.during("response").ends[name]) for name in features]
        assert any(moved) == (index % 10 > 0)
    assert sum(name in given.network.populations for name in ("layer", "layer_z")) == (1 if settings is SMALL else 2)


def test_imitated_layers_fire_at_the_rates_they_are_given_and_their_counts_are_the_representation():
    _, run = lesson(**{**DRIVEN, "sample_time": "500 ms", "layer_rate": "40 Hz", "layer_cv": 0.5})
    rates = []
    for index in range(20):
        record = run.run(TRAINING, index)
        counts = record.counts("layer")
        rates.append(counts / 0.5)
        z = record.series["layer_z.z"][-1]
        assert np.corrcoef(counts, z)[0, 1] > 0.999
        assert np.array_equal(record.during("response").ends["layer_z.z"], z)
    assert 35 < np.mean(rates) < 45
    assert 15 < np.std(rates) < 27  # of the classes 0.5 * 40 Hz, of Poisson counts 9 Hz


def test_the_plain_reservoir_is_read_after_it_has_taken_up_the_sample():
    given, run = lesson(**SMALL, gating="none", radius=0.9)
    weights = {name: matrix.T for name, matrix in matrices(run.simulation).items()}
    r = np.zeros(18)
    recurrent = weights["layer_reservoir_to_layer_reservoir"]
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(recurrent)).max(), 0.9)
    samples = [sample for part in Streams(2, 10, CLASSES, SIZE, SEED, "layer") for sample in zip(*part, strict=True)]
    for index, (_, y, z) in enumerate(samples):
        if index == 10:
            r[:] = 0
        drive = weights["layer_to_layer_reservoir"] @ z + weights["layer_label_to_layer_reservoir"] @ y + recurrent @ r
        r += RESERVOIR["leak"] * (np.tanh(drive) - r)
        record = run.run(TRAINING, index)
        np.testing.assert_allclose(record.during("response").ends["layer_reservoir.r"], r, rtol=1e-9, atol=1e-12)
        assert np.array_equal(record.during("response").ends["layer_label.y"], y)
    assert set(given.network.projections) >= {f"layer_third_factor_from_{name}" for name in ("r", "z", "y")}


def test_a_plain_reservoir_serves_as_third_factor():
    rule = IBHebbian(third_factor={"name": "reservoir", **SMALL, "gating": "none"})
    run = trainer(rule, small_network("rate"), iterations=5)
    for step in run:
        (record,) = step.trials
        assert np.any(record.during("response").ends["first_third_factor.drive"])
    assert "third_factor_correlation" in step.metrics


# What is kept


def key(settings=None, size=SIZE, classes=CLASSES, seed=SEED, layer="layer"):
    return reservoir_training.pretraining(
        Reservoir(**{**SMALL, **(settings or {})}), RateUnits, layer, size, classes, seed
    ).key


def test_the_key_of_what_is_kept_changes_with_everything_that_decides_it(monkeypatch):
    changed = [
        {"ridge": 0.5},
        {"training": "delta"},
        {"passes": 7},
        {"teacher": {"name": "hsic", "window": 3, "gamma": 1.0}},
        {"streams": 3},
        {"leak": 0.9},
    ]
    keys = [key(), *map(key, changed), key(size=9), key(classes=4), key(seed=5), key(layer="other")]
    monkeypatch.setattr(reservoir_training, "__version__", "another version")
    keys.append(key())
    monkeypatch.undo()
    monkeypatch.setattr(reservoir_training, "CODE", ("other code",))
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_the_key_leaves_out_what_happens_after_the_signal():
    assert key() == key({"transforms": ()})


TINY_LESSON = {**SMALL, "training": "ridge"}


def kept(tmp_path):
    """What there is of the one lesson that was kept: its folder, the content's path, and the values it gives again."""
    (entry,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    return entry, entry / "content"


def learn():
    given, _ = lesson(**TINY_LESSON)
    return pretrain(given, NUMPY)


def nothing_is_learned(monkeypatch):
    """From here on, what is not kept cannot be had."""
    monkeypatch.setattr("snnplast.training.pretrain._learned", lambda *given: pytest.fail("learned again"))


def with_nan(content, entry):
    """Values with a NaN among them, and a record that agrees."""
    with np.load(io.BytesIO(content.read_bytes())) as stored:
        values = {name: np.full_like(array, np.nan) for name, array in stored.items()}
    packed = io.BytesIO()
    np.savez(packed, **values)
    content.write_bytes(packed.getvalue())
    record = json.loads((entry / "record.json").read_text())
    record["sha256"] = hashlib.sha256(packed.getvalue()).hexdigest()
    (entry / "record.json").write_text(json.dumps(record))


def test_what_was_learned_before_is_kept_and_used_again(tmp_path, monkeypatch):
    first = learn()
    nothing_is_learned(monkeypatch)
    again = learn()
    assert first.keys() == again.keys() and any(map(np.any, first.values()))
    for name, values in first.items():
        assert np.array_equal(again[name], values)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content, entry: content.write_bytes(content.read_bytes()[:100]),
        lambda content, entry: content.write_bytes(content.read_bytes().replace(b"PK", b"QK", 1)),
        with_nan,
        lambda content, entry: content.chmod(0o666),
    ],
    ids=["truncated", "changed", "not a number", "open to others"],
)
def test_a_damaged_lesson_is_learned_anew_and_said(tmp_path, caplog, damage):
    first = learn()
    entry, content = kept(tmp_path)
    damage(content, entry)
    again = learn()
    for name, values in first.items():
        assert np.array_equal(again[name], values)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "snnplast"]
    assert line.startswith(f"snnplast: the entry '{entry}' of the cache is not used (") and line.endswith("made anew")


def test_a_lesson_is_used_where_it_cannot_be_kept(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SNNPLAST_CACHE_DIR", str(tmp_path / "file"))
    assert any(map(np.any, learn().values()))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "snnplast"]
    assert (
        line
        == f"snnplast: the cache '{tmp_path / 'file'}' is not used (Not a directory): what it would hold is made anew"
    )


def test_a_lesson_without_numbers_is_refused(monkeypatch):
    monkeypatch.setattr("snnplast.training.pretrain._learned", lambda *given: {"w": np.array([1.0, np.inf])})
    with pytest.raises(UserError, match="what is learned before the run: 'w' has values that are not finite"):
        learn()


# What is refused


REFUSED = [
    ({"drive": "spikes"}, 'drive = "spikes" is for dynamics = "spiking"; with "rate", "representation" is allowed'),
    ({"dynamics": "spiking", "gating": "none"}, 'gating = "none" is for dynamics = "rate"; with "spiking", "class"'),
    ({"stream_length": 2}, "stream_length = 2: at least 3, the teacher's window, is needed"),
    ({"dynamics": "spiking", "bias": 1.0}, "bias = 1.0: input should be greater than 1"),
    ({"training": "rls"}, "training = 'rls': input should be 'ridge', 'delta' or 'reward-hebbian'"),
    ({"sample_time": "50 Hz"}, "sample_time"),
    ({"teacher": "random"}, "Reservoir.teacher: unknown teacher 'random': Known: class-memory, hsic"),
    (
        {"teacher": Random(transforms=())},
        "Random(transforms=()): the signal of 'hsic' or 'class-memory' is what a reservoir can supply",
    ),
    ({"teacher": HSIC(transforms=())}, "its transforms are those of the reservoir; transforms of the reservoir's own"),
    ({"window": 3}, "Reservoir.window: unknown key"),
]


@pytest.mark.parametrize("settings, sentence", REFUSED)
def test_what_does_not_fit_together_is_refused_in_one_sentence(settings, sentence):
    with pytest.raises(UserError) as caught:
        Reservoir(**{**SMALL, **settings})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [SMALL, DRIVEN], ids=["rate", "driven"])
def test_all_weights_of_a_reservoir_are_in_the_file_of_a_run(tiny, settings):
    code = (tiny.path / "tiny.py").read_text().replace("bias=0.05", "bias=0.05, representation=LayerNorm()")
    tiny.write("tiny.py", code.replace("import LIF", "import LIF, LayerNorm"))
    place = "rules.e-prop.third_factor"
    window = settings["teacher"]["window"]
    sets = ["rules.e-prop.batch=1", "rules.e-prop.optimizer.learning_rate=1e-3", f"{place}=reservoir"]
    sets += [f"{place}.teacher.window={window}"]
    sets += [f"{place}.{name}={value}" for name, value in settings.items() if name != "teacher"]
    assert main(["run", "experiment.toml", "--quiet", *(word for line in sets for word in ("--set", line))]) == 0
    found, simulation = read_run("tiny.h5"), trained(Experiment.of("experiment.toml", *sets))
    own = [name for name in simulation.network.projections if "reservoir" in name or "third_factor" in name]
    assert len(own) == 5
    for name in own:
        assert np.array_equal(found.synapses(name)[2], simulation.values[name])
        assert np.any(simulation.values[name])


def trained(experiment):
    """The simulation of an experiment, as it is before the first update: a reservoir does not change after that."""
    task, engine = experiment.task(), experiment.engine
    return open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed, engine)
