"""Settings as users meet them: three layers, the more specific table within each, and one sentence per mistake."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

from snnplast.config.experiment import Experiment
from snnplast.config.layers import parse_sets
from snnplast.config.settings import Recording
from snnplast.config.toml_text import toml_text
from snnplast.errors import UserError
from snnplast.training.digests import digest_of

PATTERN = "pattern-generation"


def mistake(target, *sets):
    """The sentence that a mistake ends in."""
    with pytest.raises(UserError) as caught:
        Experiment.of(target, *sets)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_models_name_brings_the_settings_of_its_own_file():
    experiment = Experiment.of(PATTERN)
    assert experiment.rule.name == "e-prop"
    assert experiment.rule.optimizer.name == "sgd"
    assert experiment.rule.optimizer.learning_rate == 1e-4
    assert [factor.name for factor in experiment.rule.regularisers] == ["firing-rate"]
    assert experiment.engine.name == "compiled"
    assert experiment.record.variables == ("output.y",)


def test_the_file_beats_the_models_defaults_and_set_beats_both(folder):
    folder.write("e.toml", f'[model]\nname = "{PATTERN}"\nhidden = 7\n[train]\nseed = 4\niterations = 3\n')
    assert Experiment.of(PATTERN).model.hidden == 100
    assert Experiment.of("e.toml").model.hidden == 7
    changed = Experiment.of("e.toml", "model.hidden=5", "train.iterations=2")
    assert (changed.model.hidden, changed.train.iterations, changed.train.seed) == (5, 2, 4)


def test_a_rule_is_swapped_by_one_key_and_each_keeps_its_own_settings(tiny):
    tiny.write("e.toml", (tiny.path / "experiment.toml").read_text() + "[rules.frozen]\nbatch = 3\n")
    assert (Experiment.of("e.toml").rule.name, Experiment.of("e.toml").rule.batch) == ("e-prop", 2)
    frozen = Experiment.of("e.toml", "rule=frozen")
    assert (frozen.rule.name, frozen.rule.batch) == ("frozen", 3)


def test_a_rules_own_model_and_train_tables_hold_when_it_is_chosen(tiny):
    special = "[rules.frozen.model]\nhidden = 9\n[rules.frozen.train]\niterations = 5\n"
    tiny.write("e.toml", (tiny.path / "experiment.toml").read_text() + special)
    assert Experiment.of("e.toml").model.hidden == 3
    assert Experiment.of("e.toml").train.epochs == 2
    frozen = Experiment.of("e.toml", "rule=frozen")
    assert frozen.model.hidden == 9
    assert (frozen.train.iterations, frozen.train.epochs, frozen.train.seed) == (5, None, 3)


def test_the_layer_comes_before_specificity(tiny):
    tiny.write("tiny.toml", "[rules.frozen.model]\nhidden = 9\n[model]\nhidden = 8\ntau = '30 ms'\n")
    sets = ["rule=frozen", "train.epochs=1"]
    assert Experiment.of("tiny.py", "rule=e-prop", "train.epochs=1").model.hidden == 8
    assert Experiment.of("tiny.py", *sets).model.hidden == 9
    assert Experiment.of("tiny.py", *sets, "model.hidden=4").model.hidden == 4
    assert Experiment.of("tiny.py", *sets, "model.hidden=4", "rules.frozen.model.hidden=6").model.hidden == 6
    assert Experiment.of("tiny.py", *sets, "model.hidden=4").model.tau == 0.03


def test_epochs_in_one_layer_replace_iterations_of_a_lower_one(tiny):
    train = Experiment.of("experiment.toml", "train.iterations=7").train
    assert (train.iterations, train.epochs) == (7, None)


def test_another_name_drops_what_was_said_about_the_other_thing(tiny):
    adam = Experiment.of("experiment.toml", "rules.e-prop.optimizer.name=adam").rule.optimizer
    assert (adam.name, adam.learning_rate) == ("adam", 1e-3)
    same = Experiment.of("experiment.toml", "rules.e-prop.optimizer.clip=2").rule.optimizer
    assert (same.name, same.learning_rate, same.clip) == ("sgd", 1e-3, 2)
    again = Experiment.of("experiment.toml", "rules.e-prop.optimizer=sgd").rule.optimizer
    assert (again.name, again.learning_rate) == ("sgd", 1e-3)


def test_another_model_drops_the_settings_of_the_first(folder):
    text = f'[model]\nname = "{PATTERN}"\ndraws = 2\n[rules.e-prop.model]\ninputs = 3\n'
    folder.write("e.toml", text)
    assert Experiment.of("e.toml").model.inputs == 3
    other = Experiment.of("e.toml", "model.name=xor")
    assert other.title == "xor"


def test_a_table_without_a_name_changes_the_default_of_its_field(tiny):
    tiny.write("e.toml", 'rule = "e-prop"\n[model]\nfile = "tiny.py"\n[train]\nepochs = 1\n')
    rule = Experiment.of(
        "e.toml", "rules.e-prop.optimizer.beta_1=0.5", "rules.e-prop.third_factor.feedback=symmetric"
    ).rule
    assert (rule.optimizer.name, rule.optimizer.learning_rate, rule.optimizer.beta_1) == ("adam", 5e-3, 0.5)
    assert (rule.third_factor.name, rule.third_factor.feedback) == ("readout-error", "symmetric")


def test_neurons_to_be_recorded_are_all_spiking_populations_but_the_sources(tiny):
    assert Experiment.of("experiment.toml").recorded_spikes == ("hidden",)
    assert Experiment.of("experiment.toml", "record.spikes=neurons").recorded_spikes == ("hidden",)
    named = Experiment.of("experiment.toml", 'record.spikes=["hidden", "input", "neurons"]')
    assert named.recorded_spikes == ("hidden", "input")
    assert 'spikes = ["hidden", "input", "neurons"]' in named.text()
    tiny.write("tiny.py", (tiny.path / "tiny.py").read_text().replace('"input"', '"neurons"'))
    text = (tiny.path / "tiny.py").read_text().replace("seed=seed)", 'seed=seed, source="neurons")')
    tiny.write("tiny.py", text)
    taken = Experiment.of("experiment.toml", "record.spikes=neurons")
    assert taken.recorded_spikes == ("neurons",), "a population of that name is what is meant"


def test_settings_of_a_third_factor_hold_wherever_it_is_used(tiny):
    tiny.write("tiny.toml", "[third_factors.firing-rate]\ntarget = '7 Hz'\ncoefficient = 2\n")
    regulariser = 'rules.e-prop.regularisers=[{name = "firing-rate", coefficient = 5}]'
    (factor,) = Experiment.of("experiment.toml", regulariser).rule.regularisers
    assert (factor.target, factor.coefficient) == (7.0, 5.0)
    (factor,) = Experiment.of(
        "experiment.toml", regulariser, "third_factors.firing-rate.coefficient=6"
    ).rule.regularisers
    assert factor.coefficient == 5  # within one layer the rule's own table wins
    text = (tiny.path / "experiment.toml").read_text()
    tiny.write("e.toml", text.replace("batch = 2", "regularisers = ['firing-rate']"))
    (factor,) = Experiment.of("e.toml", "third_factors.firing-rate.coefficient=6").rule.regularisers
    assert factor.coefficient == 6


def test_one_setting_of_a_part_of_a_third_factor_leaves_its_others():
    reservoir = ["rule=ib-hebbian", "rules.ib-hebbian.third_factor.name=reservoir"]
    for given, window in (("window=8", 8), ("name=hsic", 32)):
        experiment = Experiment.of("linear", *reservoir, f"rules.ib-hebbian.third_factor.teacher.{given}")
        teacher = experiment.rule.third_factor.teacher
        assert (teacher.window, teacher.sigma_z) == (window, 2.0)


def test_none_leaves_a_setting_out_that_has_a_default(folder):
    folder.write("e.toml", 'rule = "ib-hebbian"\n[model]\nname = "xor"\n[train]\nepochs = 1\n')
    assert Experiment.of("e.toml").rule.homeostasis is not None
    off = Experiment.of("e.toml", "rules.ib-hebbian.homeostasis=none", "model.v_min=none")
    assert off.rule.homeostasis is None
    assert off.model.v_min is None
    assert Experiment.of("e.toml", "rules.ib-hebbian.homeostasis.rate=1e-3").rule.homeostasis.rate == 1e-3


def test_a_string_names_an_engine_and_a_table_its_target(tiny):
    assert Experiment.of("experiment.toml", "engine=compiled").engine.name == "compiled"
    runtime = Experiment.of(PATTERN, "engine=runtime", "engine.target=numpy").engine
    assert (runtime.name, runtime.target) == ("runtime", "numpy")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", {"a": {"b": 3}}),
        ("a.b=1e-3", {"a": {"b": 1e-3}}),
        ("a.b=20 ms", {"a": {"b": "20 ms"}}),
        ("a.b=true", {"a": {"b": True}}),
        ('a.b="3"', {"a": {"b": "3"}}),
        ("a.b=[1, 2]", {"a": {"b": [1, 2]}}),
        ("a.b=runs/x=1.h5", {"a": {"b": "runs/x=1.h5"}}),
        ("rules.e-prop.x={y = 1}", {"rules": {"e-prop": {"x": {"y": 1}}}}),
        ('a."output.bias".c=1', {"a": {"output.bias": {"c": 1}}}),
    ],
)
def test_set_takes_a_toml_value_or_else_a_string(text, value):
    assert parse_sets([text]) == value


def test_a_name_and_settings_of_the_named_go_together_in_any_order():
    both = {"e": {"name": "runtime", "target": "numpy"}}
    assert parse_sets(["e=runtime", "e.target=numpy"]) == both
    assert parse_sets(["e.target=numpy", "e=runtime"]) == both


@pytest.mark.parametrize(
    "sets", [[], ["rules.e-prop.optimizer.clip=3", "record.variables=output.y", "train.iterations=4"]]
)
def test_the_resolved_text_given_back_is_the_same_experiment(tiny, sets):
    experiment = Experiment.of("experiment.toml", *sets)
    tiny.write("again.toml", experiment.text())
    again = Experiment.of("again.toml")
    assert again.text() == experiment.text()
    assert again.model.hidden == 3
    assert again.train.model_dump() == experiment.train.model_dump()


def test_toml_text_is_read_back_as_the_same_tables():
    import tomllib

    table = {
        "a": 'quote " and \\ and\nline é 😀 \x7f',
        "b": {"c.d": [1, 2.5, {"e": True, "f": "x"}], "nothing": {}},
        "g": float("inf"),
        "h": 1e-300,
    }
    assert tomllib.loads(toml_text(table)) == table


def test_a_module_with_a_network_and_a_task_is_a_model(folder):
    folder.write(
        "mine.py",
        """
        import numpy as np
        from snnplast import LIF, Classification, LeakyReadout, Network, PoissonSource
        net = Network()
        net.add("input", PoissonSource(4))
        net.add("hidden", LIF(5))
        net.add("output", LeakyReadout(2))
        net.connect("input", "hidden", plastic=True)
        net.connect("hidden", "output", plastic=True)
        task = Classification(np.eye(4), np.arange(4) % 2, np.eye(4), np.arange(4) % 2, steps=5, seed=0)
        """,
    )
    experiment = Experiment.of("mine.py", "rule=e-prop", "train.epochs=1", "train.seed=9")
    assert experiment.title == "mine"
    assert experiment.network.populations["hidden"].size == 5
    assert experiment.task().seed == 9


def test_a_model_file_is_found_from_its_config_not_from_the_working_directory(tiny, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert Experiment.of(tiny.path / "experiment.toml").title == "tiny"


@pytest.mark.parametrize("target", ["experiment.toml", "module.py", "xor"])
def test_an_experiment_can_be_pickled(tiny, target):
    text = (tiny.path / "tiny.py").read_text()
    tiny.write("module.py", f"{text}\nnet, task = Tiny().network(), Tiny().task(1)\ndel Tiny\n")
    experiment = Experiment.of(target, "rule=e-prop", "train.epochs=1")
    again = pickle.loads(pickle.dumps(experiment))
    assert again.text() == experiment.text()
    assert again.network.populations.keys() == experiment.network.populations.keys()
    assert digest_of(again.task()) == digest_of(experiment.task())
    assert copy.copy(experiment).text() == experiment.text()


def test_a_pickled_experiment_whose_model_file_has_changed_is_refused(tiny):
    pickled = pickle.dumps(Experiment.of("experiment.toml"))
    tiny.write("tiny.py", (tiny.path / "tiny.py").read_text() + "#\n")
    with pytest.raises(UserError, match=r"^a pickled experiment: '\S+tiny.py' has changed or is gone since"):
        pickle.loads(pickled)


def test_a_model_file_may_import_its_neighbours(tiny):
    tiny.write("neighbour.py", "SIZE = 11\n")
    text = (tiny.path / "tiny.py").read_text().replace("] = 3", "] = SIZE")
    tiny.write("tiny2.py", f"from neighbour import SIZE\n{text}")
    assert Experiment.of("tiny2.py", "rule=e-prop", "train.epochs=1").model.hidden == 11
    assert str(tiny.path) not in sys.path


def test_projections_may_name_rules_of_their_own(tiny):
    text = (tiny.path / "tiny.py").read_text()
    tiny.write("tiny.py", text.replace('"output", plastic', '"output", rule="frozen", plastic'))
    others = Experiment.of("experiment.toml", "rules.frozen.batch=2").others
    assert {name: rule.batch for name, rule in others.items()} == {"frozen": 2}
    tiny.write("tiny.py", text.replace('"output", plastic', '"output", rule="frzen", plastic'))
    assert "unknown rule 'frzen': did you mean 'frozen'?" in mistake("experiment.toml")


MISTAKES = [
    (["rule=e-porp"], "--set rule = 'e-porp': unknown rule; did you mean 'e-prop'?"),
    (["rul=e-prop"], "--set rul: unknown key; did you mean 'rule'?"),
    (["model.hiden=3"], "--set model.hiden: unknown key; did you mean 'hidden'?"),
    (["model.hidden=0"], "--set model.hidden = 0: input should be greater than or equal to 1"),
    (["model.tau=20 mV"], "--set model.tau: '20 mV' has the unit 'mV': a time is needed"),
    (["model.tau=-5 ms"], "--set model.tau: '-5 ms' is out of range: a time above 0 ms is needed"),
    (["model.tau=20"], "--set model.tau: 20 has no unit: a time is needed"),
    (["model.name=xro"], "--set model.name: unknown model 'xro': did you mean 'xor'?"),
    (["model.file=tny.py"], "did you mean 'tiny.py'?"),
    (["model.file=tiny.py", "model.name=xor"], "--set model.file: either name or file is needed, not both"),
    (["rules.e-porp.batch=3"], "--set rules.e-porp: unknown rule 'e-porp': did you mean 'e-prop'?"),
    (["rules.e-prop.bach=3"], "--set rules.e-prop.bach: unknown key; did you mean 'batch'?"),
    (["rules.e-prop.model.hiden=3"], "--set rules.e-prop.model.hiden: unknown key; did you mean 'hidden'?"),
    (["rules.e-prop.train.epoch=3"], "--set rules.e-prop.train.epoch: unknown key; did you mean 'epochs'?"),
    (["rules.e-prop=3"], "--set rules.e-prop = 3: a table is needed"),
    (["rules.ib-hebbian.bach=3"], "--set rules.ib-hebbian.bach: unknown key; did you mean 'batch'?"),
    (
        ["rules.ib-hebbian.third_factor.gama=3"],
        "--set rules.ib-hebbian.third_factor.gama: unknown key; did you mean 'gamma'?",
    ),
    (["rules.e-prop.third_factor=readout-eror"], "unknown third factor 'readout-eror': did you mean 'readout-error'?"),
    (["rules.e-prop.third_factor=3"], "--set rules.e-prop.third_factor: a name is needed"),
    (["rules.e-prop.optimizer=adm"], "unknown optimizer 'adm': did you mean 'adam'?"),
    (["rules.e-prop.optimizer.learning_rate=-1"], "--set rules.e-prop.optimizer.learning_rate = -1: input should be"),
    (
        ["rules.e-prop.optimizer.schedule.nme=x"],
        "--set rules.e-prop.optimizer.schedule.nme: unknown key; did you mean 'name'?",
    ),
    (["rules.e-prop.optimizers.hidden_to_output.clip=1"], "--set rules.e-prop.optimizers.hidden_to_output: "),
    (
        ["rules.e-prop.regularisers=[{name = 'firing-rte'}]"],
        "--set rules.e-prop.regularisers.0.name: unknown third factor",
    ),
    (
        ["rules.e-prop.regularisers=[{name = 'firing-rate', target = '1 ms'}]"],
        "regularisers.0.target: '1 ms' has the unit",
    ),
    (["third_factors.hscs.window=3"], "--set third_factors.hscs: unknown third factor 'hscs': did you mean 'hsic'?"),
    (["third_factors.hsic.windw=3"], "--set third_factors.hsic.windw: unknown key; did you mean 'window'?"),
    (["engine=complied"], "--set engine: unknown engine 'complied': did you mean 'compiled'?"),
    (["engine.target=numpi"], "--set engine.target: unknown target 'numpi': did you mean 'numpy'?"),
    (
        ["train.epochs=2", "train.iterations=2"],
        "--set train.iterations: either iterations or epochs is needed, not both",
    ),
    (["train.epochs=0"], "--set train.epochs = 0: input should be greater than or equal to 1"),
    (["train.seed=9223372036854775808"], "--set train.seed = 9223372036854775808: input should be less than 92233720"),
    (["train.workers=257"], "--set train.workers = 257: input should be less than or equal to 256"),
    (
        ["train.epochs=10000000000000"],
        "--set train.epochs = 10000000000000: input should be less than or equal to 1000",
    ),
    (["train.checkpoint_every=true"], "--set train.checkpoint_every: True is neither 'auto' nor a number of epochs"),
    (["model.tau=1" + "0" * 400], "0... is too large: a time is needed"),
    (["a\nb"], "--set a b: table.key=value is needed"),
    (["train=3"], "--set train = 3: a table is needed"),
    (["record.trials=tests"], "--set record.trials = 'tests': input should be 'test', 'training' or 'all'"),
    (["record.variables=y"], "--set record.variables: 'y' names no variable: 'population.variable' is needed"),
    (["record.paht=x.h5"], "--set record.paht: unknown key; did you mean 'path'?"),
    (["epochs=3"], "--set epochs: unknown key; did you mean 'train.epochs'? Known: engine, model, record, "),
    (["hidden=10"], "--set hidden: unknown key; did you mean 'model.hidden'?"),
    (["model.epochs=3"], "--set model.epochs: unknown key; did you mean 'train.epochs'? Known: hidden, tau"),
    (["train.hiden=3"], "--set train.hiden: unknown key; did you mean 'model.hidden'?"),
    (
        ["rules.e-prop.lr=1e-3"],
        "--set rules.e-prop.lr: unknown key; did you mean 'rules.e-prop.optimizer.learning_rate'? Known: average_gradi",
    ),
    (["train.batch_size=4"], "--set train.batch_size: unknown key; did you mean 'rules.e-prop.batch'?"),
    (["optimizer.clip=1"], "--set optimizer: unknown key; did you mean 'rules.e-prop.optimizer'?"),
    (["feedback=random"], "--set feedback: unknown key; did you mean 'rules.e-prop.third_factor.feedback'?"),
    (
        ["rules.e-prop.regularisers=firing-rate"],
        "--set rules.e-prop.regularisers = 'firing-rate': a list is needed, such as [\"firing-rate\"]",
    ),
    (
        ["rules.e-prop.regularisers={name = 'firing-rate'}"],
        "--set rules.e-prop.regularisers = {'name': 'firing-rate'}: a list is needed, such as [\"firing-rate\"]",
    ),
    (["seed=3"], "--set seed: unknown key; did you mean 'train.seed'?"),
    (["seed"], "--set seed: table.key=value is needed"),
]


@pytest.mark.parametrize(("sets", "sentence"), MISTAKES, ids=[" ".join(sets) for sets, _ in MISTAKES])
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(tiny, sets, sentence):
    assert sentence in mistake("experiment.toml", *sets)


def test_a_mistake_in_a_file_names_the_file(tiny):
    tiny.write("bad.toml", (tiny.path / "experiment.toml").read_text().replace("batch = 2", 'batch = "two"'))
    assert mistake("bad.toml").startswith("bad.toml: rules.e-prop.batch = 'two': ")


def test_a_mistake_in_the_models_defaults_names_that_file(tiny):
    tiny.write("tiny.toml", "[model]\nhidden = -1\n")
    assert mistake("experiment.toml").startswith("tiny.toml: model.hidden = -1: ")


def test_a_syntax_error_names_the_line(folder):
    folder.write("bad.toml", 'rule = "e-prop"\n\nx = \n')
    assert mistake("bad.toml").startswith("bad.toml, line 3")


def test_what_is_neither_model_nor_file_names_the_nearest(tiny):
    assert "did you mean 'experiment.toml'?" in mistake("experimnt.tml")
    assert "did you mean 'digits'?" in mistake("digit")
    assert mistake("missing.toml") == "missing.toml: cannot be read: No such file or directory"


def test_nothing_said_about_model_rule_or_length_is_a_mistake(tiny):
    tiny.write("e.toml", "")
    assert "model: a name or a file is needed; Known: arrays, " in mistake("e.toml")
    assert "rule: the name of a rule is needed" in mistake("tiny.py")
    assert mistake("tiny.py", "rule=e-prop") == "train: either iterations or epochs is needed"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "x = 1\n",
            "mine.py: no model: a subclass of Model is needed, or a Network called 'net' and a Task called 'task'",
        ),
        (
            "from snnplast import Model\nclass A(Model): pass\nclass B(Model): pass\n",
            "mine.py: defines 2 models (A, B)",
        ),
        ("x = 1\n1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("x = 1\ndef (\n", "mine.py, line 2: SyntaxError"),
        ("import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3"),
        (
            "from snnplast import Network\nnet = Network(dt='1 mV')\n",
            "mine.py, line 2: Network: dt: '1 mV' has the unit",
        ),
    ],
)
def test_what_is_wrong_with_a_model_file_is_one_sentence(folder, code, sentence):
    folder.write("mine.py", code)
    assert sentence in mistake("mine.py", "rule=e-prop", "train.epochs=1")


def test_a_base_class_in_a_model_file_does_not_count(tiny):
    tiny.write("two.py", (tiny.path / "tiny.py").read_text() + "\n\nclass Small(Tiny):\n    hidden: int = 2\n")
    assert Experiment.of("two.py", "rule=e-prop", "train.epochs=1").model.hidden == 2


def test_an_error_in_the_models_own_method_names_its_line(tiny):
    tiny.write("tiny.py", (tiny.path / "tiny.py").read_text().replace('net.add("output"', 'nett.add("output"'))
    assert "tiny.py, line 24: NameError: name 'nett' is not defined" in mistake("experiment.toml")


@pytest.mark.parametrize("text", ["record.path=", "record.path=none"])
def test_no_file_may_be_said_in_two_ways(text):
    assert Experiment.of("xor", text).record.path == ""
    assert Recording(path=None).path == ""
