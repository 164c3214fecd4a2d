"""Any executor of `concurrent.futures`: how one is named, and what happens to work whose worker dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from mortal import Mortal

from snnplast.errors import UserError
from snnplast.training.executors import Crew, Processes, factory_of


def squares(crew, items=(1, 2, 3)):
    return {item: done.result() for item, done in crew.each(square, items)}


def square(item):
    return item * item


def test_each_item_comes_with_its_result():
    with ThreadPoolExecutor(2) as pool:
        assert squares(Crew(pool)) == {1: 1, 2: 4, 3: 9}


def test_what_the_function_raises_is_raised_where_the_result_is_asked_for():
    ((item, done),) = Crew(Mortal()).each(int, ["one"])
    with pytest.raises(ValueError, match="invalid literal"):
        done.result()
    assert item == "one"


@pytest.mark.parametrize("error", [RuntimeError("killed"), CancelledError()])
def test_an_item_whose_worker_died_is_given_to_another(error):
    mortal = Mortal(lambda call, item: error if call == 2 else None)
    assert squares(Crew(mortal)) == {1: 1, 2: 4, 3: 9}
    assert mortal.calls == 4


def test_an_item_whose_worker_died_twice_ends_in_a_sentence_and_the_others_are_done():
    results = dict(Crew(Mortal(lambda call, item: RuntimeError("killed") if item == 2 else None)).each(square, [1, 2]))
    assert results[1].result() == 1
    with pytest.raises(UserError, match="executor: a worker has ended at the same work twice: RuntimeError: killed"):
        results[2].result()


def test_where_all_workers_are_gone_another_executor_is_made_and_the_broken_one_closed():
    made = []

    def factory():
        first = not made
        made.append(Mortal(lambda call, item: BrokenExecutor("gone") if first and call == 2 else None))
        return made[-1]

    crew = Crew(factory)
    assert squares(crew) == {1: 1, 2: 4, 3: 9}
    assert [each.closed for each in made] == [True, False]
    crew.close()
    assert made[-1].closed


def test_an_executor_that_breaks_without_a_result_ends_in_a_sentence():
    crew = Crew(lambda: Mortal(lambda call, item: BrokenExecutor("gone")))
    with pytest.raises(UserError, match="executor: its workers are gone, or take no work: BrokenExecutor"):
        squares(crew)


def test_an_executor_that_was_given_is_neither_replaced_nor_closed():
    given = Mortal(lambda call, item: BrokenExecutor("gone") if call == 2 else None)
    crew = Crew(given)
    with pytest.raises(UserError, match="its workers are gone"):
        squares(crew)
    crew.close()
    assert not given.closed


def test_who_takes_no_more_results_cancels_the_rest():
    class Waiting(Mortal):
        def submit(self, function, *given):
            if self.calls:
                waiting.append(Future())
                return waiting[-1]
            return super().submit(function, *given)

    waiting = []
    results = Crew(Waiting()).each(square, [1, 2])
    assert next(results)[0] == 1
    results.close()
    assert waiting[0].cancelled()


def test_a_function_of_a_module_in_the_working_directory_makes_the_executor(folder):
    folder.write(
        "mine.py", "from concurrent.futures import ThreadPoolExecutor\ndef two():\n    return ThreadPoolExecutor(2)"
    )
    with factory_of("mine:two")() as executor:
        assert executor.submit(square, 3).result() == 9


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mine", "--executor mine: module:function is needed"),
        ("mine.py:two", "--executor mine.py:two: there is no module 'mine.py', neither here nor installed"),
        ("no.where:two", "there is no module 'no.where', neither here nor installed"),
        ("mine:too", "'mine' has no function 'too'; did you mean 'two'?"),
        ("wrong:two", "importing 'wrong' fails: ModuleNotFoundError: No module named 'nowhere'"),
        ("mine:two", r"two\(\) returns 2: an executor of concurrent.futures is needed"),
        ("mine:three", r"three\(\) fails: ZeroDivisionError: division by zero"),
    ],
)
def test_what_makes_no_executor_is_said_in_a_sentence(folder, monkeypatch, text, sentence):
    folder.write("mine.py", "def two():\n    return 2\n\ndef three():\n    return 3 / 0")
    folder.write("wrong.py", "import nowhere")
    for module in ("mine", "wrong"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(UserError, match=sentence):
        factory_of(text)()


def die_once(path):
    """Kills its process if there is no such file yet, which it leaves."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@pytest.mark.slow
def test_a_killed_process_of_a_pool_costs_its_work_once_more(tmp_path):
    crew = Crew(lambda: Processes(2))
    paths = [tmp_path / name for name in "ab"]
    paths[1].touch()
    pids = [done.result() for _, done in crew.each(die_once, paths)]
    assert len(pids) == 2 and os.getpid() not in pids
    crew.close()


def linger(path):
    """Leaves its process in a file, and takes its time where it is the first there."""
    first = not Path(path).exists()
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    while first:
        time.sleep(0.01)


def die_beside(path):
    """Kills its process once somebody lingers."""
    while not Path(path).exists():
        time.sleep(0.01)
    return die_once(f"{path}.spent")


@pytest.mark.slow
def test_what_is_left_of_a_broken_pool_has_ended_before_its_work_begins_again(tmp_path):
    crew = Crew(lambda: Processes(2))
    work = [(linger, tmp_path / "pid"), (die_beside, tmp_path / "pid")]
    assert len([done.result() for _, done in crew.each(call, work)]) == 2
    crew.close()
    before, after = map(int, (tmp_path / "pid").read_text().split())
    assert before != after
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def call(pair):
    function, path = pair
    return function(path)
