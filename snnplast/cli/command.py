"""The command line: `snnplast run`, `resume`, `sweep`, `trial`, `evaluate`, `plot`, ..., and the lists of plugins."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from snnplast.errors import UserError, nearest
from snnplast.notices import silence
from snnplast.training.interrupt import heard, number_of
from snnplast.version import __version__

USER_ERROR, INTERNAL_ERROR = 2, 1
KINDS = {"rules": "rule", "third-factors": "third-factor", "models": "model", "neurons": "neuron"}

TARGETS = (
    "a model, an experiment file (.toml), a model file (.py), or the file of a run (.h5), which means its settings"
)

EPILOG = """examples:
  snnplast run digits
  snnplast run digits --set rule=ib-hebbian --set model.hidden=30
  snnplast run experiment.toml --set rules.e-prop.evaluation=online --set record.path=online.h5
  snnplast resume digits.h5
  snnplast sweep digits --over model.hidden=10,30,100 --over rule=e-prop,ib-hebbian --jobs 2
  snnplast atlas digits --figure atlas.png
  snnplast trial evidence-accumulation.h5
  snnplast rules show e-prop
  snnplast rules show e-prop --neuron adex
  snnplast new rule my-rule --within-trial
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0, 2 for a mistake of the user's, 1 for one of ours, 128 + n after signal n."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        options = _parse(given)
        with heard(), silence("--quiet" in given):
            options.command(options)
        sys.stdout.flush()
        return 0
    except UserError as error:
        return _failed(str(error), USER_ERROR, debug)
    except KeyboardInterrupt as interrupt:
        return _failed(str(interrupt) or "interrupted", 128 + number_of(interrupt), debug)
    except MemoryError as error:
        first = (str(error).splitlines() or [""])[0]
        return _failed(f"there is not enough memory{': ' * bool(first)}{first}", USER_ERROR, debug)
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        hint = "" if debug else "; --debug shows where"
        first = (str(error).splitlines() or [""])[0]
        return _failed(f"internal error: {type(error).__name__}: {first}{hint}", INTERNAL_ERROR, debug)


def _failed(sentence: str, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"snnplast: {sentence}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Mistakes become `UserError`, with the nearest valid word."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """What reads the arguments, and what reads those of each command."""
    whole = _Parser(
        prog="snnplast",
        description="Spiking networks that learn by local plasticity rules, on Brian2.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"snnplast {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    _add_run(commands)
    _add_resume(commands)
    _add_sweep(commands)
    _add_atlas(commands)
    _add_trial(commands)
    for command, kind in KINDS.items():
        _add_show(commands, command, kind)
    _add_surrogates(commands)
    _add_cite(commands)
    _add_compare(commands)
    _add_plot(commands)
    _add_evaluate(commands)
    _add_new(commands)
    return whole, dict(commands.choices)


def _parse(given: list[str]) -> argparse.Namespace:
    whole, commands = parser()
    _check_word(given, list(commands))
    if not given:
        whole.print_help()
        return argparse.Namespace(command=lambda options: None)
    options, rest = whole.parse_known_args(given)
    if rest:
        known = commands[given[0]]._option_string_actions if given[0] in commands else ["--help"]
        raise UserError(f"unknown argument {rest[0]!r}; {nearest(rest[0], known)}")
    return options


def _check_word(given: Sequence[str], known: Sequence[str]) -> None:
    word = next((word for word in given if not word.startswith("-")), None)
    if word is not None and word == given[0] and word not in known:
        raise UserError(f"unknown command {word!r}; {nearest(word, known)}")


def _add(commands: argparse._SubParsersAction, name: str, text: str, command: Callable) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(command=command)
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="NAME|FILE", help=TARGETS)
    _add_sets(parser)


def _add_sets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", dest="sets", metavar="KEY=VALUE", action="append", default=[],
        help="change a setting, such as rule=ib-hebbian or rules.e-prop.evaluation=online; may be repeated",
    )  # fmt: skip


def _add_run(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "run", "train a model and write what happened to a file", _run)
    _add_target(parser)
    parser.add_argument(
        "--weights", metavar="FILE", help="begin with the weights and biases of a run (.h5), or of weights alone (.npz)"
    )
    _add_force(parser, "overwrite the file of an earlier run")
    _add_executor(parser, "trials")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _add_force(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--force", action="store_true", help=what)


def _add_resume(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "resume", "let an interrupted run go on, or a complete one become longer", _resume)
    parser.add_argument("file", metavar="RUN", help="what the run has left (.h5); it goes on in the same file")
    parser.add_argument(
        "--set", dest="sets", metavar="KEY=VALUE", action="append", default=[],
        help="change train.epochs, train.iterations, train.workers or train.checkpoint_every; may be repeated",
    )  # fmt: skip
    _add_inexact(parser)
    _add_executor(parser, "trials")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _add_sweep(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "sweep", "run every combination of some settings' values and of seeds, and compare", _sweep)
    _add_target(parser)
    parser.add_argument(
        "--over", metavar="KEY=V,V,...", action="append", required=True,
        help="a setting and its values; the first is the figure's horizontal axis; may be repeated",
    )  # fmt: skip
    parser.add_argument("--seeds", default="0,1,2", metavar="S,S,...", help="default 0,1,2")
    parser.add_argument("--metric", action="append", default=[], help="what to compare; may be repeated")
    _add_inexact(parser)
    parser.add_argument("--jobs", type=int, metavar="N", help="runs side by side, each in a process, default 1")
    _add_executor(parser, "runs")
    parser.add_argument("--list", action="store_true", help="print the commands of all that is left to run, one a line")
    parser.add_argument("--search", metavar="METRIC", help="run what Optuna proposes of all combinations, for the best")
    parser.add_argument("--tries", type=int, metavar="N", help="combinations that a search tries, default 20")
    parser.add_argument("--output", metavar="DIR", help="where files, table and figure go, default NAME.sweep")
    _add_force(parser, "overwrite files of earlier runs with other settings")


def _add_executor(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--executor", metavar="MODULE:FUNCTION", help=f"what returns a concurrent.futures executor for the {what}"
    )


def _add_atlas(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "atlas", "try every rule with every third factor on one model, and compare", _atlas)
    _add_target(parser)
    parser.add_argument("--rule", action="append", default=[], help="only this rule; may be repeated")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="epochs of training, or iterations without epochs, default 1 or 20"
    )
    parser.add_argument(
        "--trials", type=int, default=8, metavar="N", help="first trials whose gradients are compared, default 8"
    )
    parser.add_argument("--figure", metavar="FILE", help="where the figure (.png, .svg, .pdf) goes, default none")
    parser.add_argument("--csv", metavar="FILE", help="where all metrics go as a table (.csv), default none")


def _add_inexact(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inexact", action="store_true", help="go on although data, code, versions or machine changed")


def _add_trial(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "trial", "draw what a network does in one trial", _trial)
    _add_target(parser)
    parser.add_argument(
        "--weights",
        metavar="RUN",
        help="take weights and biases, for a mere model also the settings, from the file of a run (.h5)",
    )
    parser.add_argument("--phase", default="training", help="training (default) or test")
    parser.add_argument("--index", type=int, default=0, metavar="K", help="number of the trial, default 0")
    _add_output(parser, "default NAME.trial.png")


def _add_output(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--output", metavar="FILE", help=f"the figure (.png, .svg, .pdf), {default}")


def _add_surrogates(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "surrogates", "list all surrogate derivatives, or draw them", _surrogates)
    _add_output(parser, "default none")


def _add_show(commands: argparse._SubParsersAction, command: str, kind: str) -> None:
    what = kind.replace("-", " ")
    parser = _add(commands, command, f"list all {what}s, or show one with its parameters", _show)
    parser.set_defaults(kind=kind)
    parser.add_argument("words", nargs="*", metavar="show NAME", help=f"everything about one {what}")
    if kind == "rule":
        parser.add_argument("--neuron", metavar="NEURON", help="its traces, derived from the code of a neuron")


def _add_cite(commands: argparse._SubParsersAction) -> None:
    _add_target(_add(commands, "cite", "print the BibTeX entries of what a run uses", _cite))


def _add_compare(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "compare", "put the metrics of several runs side by side", _compare)
    parser.add_argument("files", nargs="+", metavar="FILE", help="what runs have left (.h5)")


def _add_plot(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "plot", "draw learning curves, a raster, weights and the confusion matrix of a run", _plot)
    parser.add_argument("file", metavar="FILE", help="what the run has left (.h5)")
    parser.add_argument("--output", metavar="DIR", help="where the figures (.png) go, default beside the file")
    _add_force(parser, "overwrite figures that look otherwise")


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "evaluate", "test the weights of a run, also with other settings", _evaluate)
    parser.add_argument("file", metavar="FILE", help="what the run has left (.h5)")
    _add_sets(parser)
    parser.add_argument("--best", action="store_true", help="take the weights of its best round, not the last ones")


def _add_new(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "new", "write the package of a rule, third factor or model of one's own", _new)
    parser.add_argument("kind", metavar="KIND", help="rule, third-factor or model")
    parser.add_argument("name", metavar="NAME", help="what configs will call it, such as my-rule")
    parser.add_argument("--within-trial", action="store_true", help="a rule that changes weights within the trial")
    parser.add_argument("--output", metavar="DIR", default=".", help="where the directory NAME goes, default here")


def _run(options: argparse.Namespace) -> None:
    from snnplast.cli.run import run
    from snnplast.config.experiment import Experiment
    from snnplast.report.console import standard_output

    run(
        Experiment.of(options.target, *options.sets),
        standard_output(),
        options.quiet,
        force=options.force,
        weights=options.weights,
        executor=options.executor,
    )


def _resume(options: argparse.Namespace) -> None:
    from snnplast.cli.run import resume
    from snnplast.report.console import standard_output

    resume(options.file, options.sets, standard_output(), options.quiet, options.inexact, options.executor)


def _sweep(options: argparse.Namespace) -> None:
    from dataclasses import fields

    from snnplast.cli.sweep import Sweep, sweep
    from snnplast.report.console import standard_output

    sweep(standard_output(), Sweep(**{field.name: getattr(options, field.name) for field in fields(Sweep)}))


def _atlas(options: argparse.Namespace) -> None:
    from snnplast.cli.atlas import show_atlas
    from snnplast.report.console import standard_output

    show_atlas(
        standard_output(), options.target, options.sets, options.rule, options.rounds, options.trials, options.figure,
        options.csv,
    )  # fmt: skip


def _trial(options: argparse.Namespace) -> None:
    from snnplast.cli.trial import show_trial
    from snnplast.config.experiment import Experiment
    from snnplast.config.targets import is_run, source_for
    from snnplast.files import located
    from snnplast.record.reading import read_run
    from snnplast.report.console import standard_output

    weights = options.weights or (options.target if is_run(located(options.target)) else None)
    run = read_run(weights) if weights else None
    target = source_for(options.target, run) if run else options.target
    experiment = Experiment.of(target, *options.sets)
    show_trial(standard_output(), experiment, options.phase, options.index, run, options.output)


def _surrogates(options: argparse.Namespace) -> None:
    from snnplast.cli.surrogates import show_surrogates
    from snnplast.report.console import standard_output

    show_surrogates(standard_output(), options.output)


def _show(options: argparse.Namespace) -> None:
    from snnplast.cli.show import show_all, show_one
    from snnplast.report.console import standard_output

    match options.words:
        case []:
            show_all(standard_output(), options.kind)
        case ["show", name] if getattr(options, "neuron", None):
            from snnplast.cli.derivation import show_derivation

            show_derivation(standard_output(), name, options.neuron)
        case ["show", name]:
            show_one(standard_output(), options.kind, name)
        case ["show"]:
            from snnplast import registry

            raise UserError(f"show: a name is needed; {nearest('', registry.names(options.kind))}")
        case words:
            raise UserError(f"{' '.join(words)!r}: 'show NAME' is allowed here; {nearest(words[0], ['show'])}")


def _cite(options: argparse.Namespace) -> None:
    from snnplast.cli.cite import citations
    from snnplast.config.experiment import Experiment

    print("\n\n".join(citations(Experiment.of(options.target, *options.sets))))


def _compare(options: argparse.Namespace) -> None:
    from snnplast.cli.compare import compare
    from snnplast.report.console import standard_output

    compare(standard_output(), options.files)


def _plot(options: argparse.Namespace) -> None:
    from snnplast.cli.plot import plot
    from snnplast.report.console import standard_output

    plot(standard_output(), options.file, options.output, options.force)


def _evaluate(options: argparse.Namespace) -> None:
    from snnplast.cli.evaluate import show_evaluation
    from snnplast.report.console import standard_output

    show_evaluation(standard_output(), options.file, options.sets, options.best)


def _new(options: argparse.Namespace) -> None:
    from pathlib import Path

    from snnplast.cli.new import new

    for path in new(options.kind, options.name, Path(options.output), options.within_trial):
        print(path)
    print(f"next: cd {Path(options.output) / options.name}; pip install --editable '.[test]'; pytest")
