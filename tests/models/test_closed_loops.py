"""Models that act: the maze is what it says, missing packages are one sentence, and learning reaches its goal."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import snnplast as snn
from snnplast.errors import UserError
from snnplast.models.cartpole import CartPole
from snnplast.models.pong import Pong
from snnplast.models.t_maze import DIM, FORWARD, LEFT, RIGHT, Maze, TMaze


def walked(seed, actions, cues=3, corridor=1):
    """Observations and rewards along some actions, and whether the episode has ended."""
    maze = Maze(cues, corridor, bump=0.1)
    seen, rewards, ended = [maze.reset(seed=seed)[0]], [], False
    for action in actions:
        observation, reward, ended, _, _ = maze.step(action)
        seen.append(observation)
        rewards.append(reward)
    return np.array(seen), rewards, ended


@pytest.mark.parametrize("seed", range(8))
def test_the_reward_is_on_the_side_of_more_cues(seed):
    seen, _, _ = walked(seed, [FORWARD] * 4)
    assert (seen[:3, :2].sum(axis=1) == 1).all() and not seen[3:, :2].any()
    assert seen[:, 2].tolist() == [DIM] * 4 + [0] and seen[:, 3].tolist() == [0] * 4 + [1]
    more = LEFT if seen[:3, 0].sum() > 1 else RIGHT
    for turn in (LEFT, RIGHT):
        _, rewards, ended = walked(seed, [FORWARD] * 4 + [turn])
        assert rewards == [0, 0, 0, 0, float(turn == more)] and ended


def test_bumping_into_a_wall_costs_and_leads_nowhere():
    seen, rewards, ended = walked(0, [LEFT, RIGHT, FORWARD, FORWARD, FORWARD, FORWARD, FORWARD])
    assert rewards == [-0.1, -0.1, 0, 0, 0, 0, -0.1] and not ended
    assert np.array_equal(seen[0], seen[2]) and np.array_equal(seen[-1], seen[-2])


def test_the_number_of_cues_is_odd():
    with pytest.raises(UserError, match=r"TMaze.cues = 4: an odd number is needed"):
        TMaze(cues=4)


@pytest.mark.parametrize(("model", "package"), [(CartPole, "gymnasium"), (Pong, "gymnasium"), (Pong, "ale_py")])
def test_a_missing_package_is_one_sentence(model, package, monkeypatch):
    if package == "ale_py":
        pytest.importorskip("gymnasium")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs {package}: pip install 'snnplast\[rl\]'"):
        model().task(1)


@pytest.mark.slow
def test_the_pole_is_balanced_after_some_hundred_episodes(folder):
    pytest.importorskip("gymnasium")
    run = snn.train(snn.Experiment.of("cartpole", "train.epochs=12", "record.path=run.h5"))
    assert run.best.metric == "test_return" and run.best.value >= 475


@pytest.mark.slow
def test_the_cues_are_remembered_to_the_junction(folder):
    easy = ["model.cues=1", "model.corridor=1", "model.bump=0.1", "train.epochs=10"]
    run = snn.train(snn.Experiment.of("t-maze", *easy, "record.path=run.h5"))
    assert run.metrics["test_accuracy"].max() >= 0.9
