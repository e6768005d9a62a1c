"""The benchmark of trainings: its autoencoder, its tuning, its memory and its tables, on a problem of one parameter."""

import itertools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("flax.nnx")
pytest.importorskip("sklearn")
pytest.importorskip("tqdm")

from tqdm import tqdm

from benchmarks import methods, tasks, training, training_report
from benchmarks.contest import TRIED, Contest
from benchmarks.outcome import Outcome, Result
from benchmarks.runs import HEADER, Curve, Key, Runs
from benchmarks.step_seconds import seconds_per_step
from nag_optax import momenta

STEPS = 100


def parabola(curvature):
    """A task of one parameter, without noise; its accuracy is that of the sign."""
    return tasks.Task(
        lambda seed: jnp.asarray(1.0 + seed),
        lambda seed: itertools.repeat(0),
        lambda x, batch: curvature * x**2 / 2,
        lambda x: (curvature * x**2 / 2, jnp.nan),
    )


@pytest.fixture
def steep(monkeypatch):
    """In the place of a task whose learning rates are tried around 1: here all of them diverge but the smallest."""
    task = parabola(1e3)
    monkeypatch.setitem(tasks.TASKS, "small transformer", lambda: task)
    monkeypatch.setitem(training.STEPS, "small transformer", STEPS)
    return "small transformer"


def contest(task, path):
    methods, rate = training.methods(task), training.RATES[task]
    return Contest(task, methods, rate, STEPS, Runs(path), tqdm(disable=True))


# The tuning.


def test_the_best_learning_rate_is_never_at_the_edge(steep, tmp_path):
    rate, tried = contest(steep, tmp_path / "runs.csv").tuned("gradient descent")
    assert len(tried) > TRIED and min(tried) < rate < max(tried)
    assert 2e-4 < rate < 2e-3  # 1 / curvature
    assert tried[rate] == min(tried.values()) and tried[max(tried)] == np.inf
    ratios = np.array(list(tried)[1:]) / np.array(list(tried)[:-1])
    np.testing.assert_allclose(ratios, 10 ** (1 / 3), rtol=1e-6)


def test_runs_are_made_once(steep, tmp_path, monkeypatch):
    first = contest(steep, tmp_path / "runs.csv").tuned("momentum 0.9")
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[0] == ",".join(HEADER) and len(lines) == 1 + len(first[1])
    monkeypatch.setattr("benchmarks.contest.run", None)  # what would raise if it were called
    rate, tried = contest(steep, tmp_path / "runs.csv").tuned("momentum 0.9")
    assert rate == first[0] and tried == pytest.approx(first[1], rel=1e-4)


def test_hundreds_of_runs_do_not_keep_their_programs(steep, tmp_path):
    contest(steep, tmp_path / "runs.csv").tuned("gradient descent")
    assert tasks.step._cache_size() == 0  # a process that kept them crashed at 65,530 memory maps


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.csv").write_text("chapter,page\n1,2\n")
    with pytest.raises(ValueError, match=r"thesis\.csv is no file of runs: its first line is not task,method"):
        Runs(tmp_path / "thesis.csv")


def test_a_file_that_is_only_read_does_not_grow(tmp_path):
    key = Key("digits CNN", "Adam", "0.002", 0, 300)
    with pytest.raises(LookupError, match=r"runs\.csv has no run of Key\(task='digits CNN', method='Adam'"):
        Runs(tmp_path / "runs.csv", read_only=True).get(key, None)
    assert not list(tmp_path.iterdir())


def test_a_curve_that_ended_early_counts_as_the_worst():
    losses = np.arange(20.0, 0, -1)
    assert Curve(losses, losses).final(20) == 2.5  # of the last four
    assert Curve(losses[:19], losses[:19]).final(20) == np.inf
    assert Curve(np.append(losses[1:], np.nan), losses).final(20) == np.inf


# The contestants.


def test_the_schedule_of_the_paper_shrinks_with_the_training_and_drops_at_its_end():
    def shown(steps, **options):
        """What the accumulator shows of the momentum after every step, under a gradient of 1."""
        tx = methods.scheduled(0.999, 1.0, steps, velocity="gradient", **options)
        state, found = tx.init(jnp.zeros(())), []
        for _ in range(steps):
            before = state.momentum
            _, state = jax.jit(tx.update)(jnp.ones(()), state, jnp.zeros(()))
            found.append((state.momentum - 1) / before)
        return np.array(found[1:])

    expected = [float(momenta.sutskever(0.999, 10)(k)) for k in range(1, 60)]
    np.testing.assert_allclose(shown(60), expected, rtol=1e-3)
    dropped = shown(60, dropped=True)
    np.testing.assert_allclose(dropped[:56], expected[:56], rtol=1e-3)
    np.testing.assert_allclose(dropped[56:], 0.9, rtol=1e-3)  # the last twentieth
    assert methods.PERIOD * 750_000 // methods.PAPER_STEPS == 250  # the paper's own, at its own length


@pytest.mark.parametrize(("row", "leads"), [("momentum to 0.99", False), ("nag to 0.99", True)])
def test_only_the_rows_of_nag_look_ahead(row, leads):
    tx = methods.TABLE[row].make(0.1, 60)
    update, _ = tx.update(jnp.ones(()), tx.init(jnp.zeros(())), jnp.zeros(()))
    momentum = float(momenta.sutskever(0.99, 10)(1))
    assert float(update) == pytest.approx(-0.1 * (1 + leads * momentum), rel=1e-6)


def test_every_contestant_has_a_learning_rate_to_begin_with():
    assert set(training.STEPS) == set(training.RATES) < set(tasks.TASKS)
    assert {"gradient descent", "momentum 0.9", "Adagrad", "Adadelta", "Optax's Nesterov 0.9"} == set(methods.ARTICLE)
    for task in training.STEPS:
        of_task = training.methods(task)
        assert all(method.like is None or method.like in of_task for method in of_task.values())
    assert set(methods.TABLE) < set(training.methods("deep autoencoder"))


# The tables.


def test_targets_ratios_and_medians_are_those_of_numpy():
    def result(*curves):
        return Result(0.1, [Curve(np.array(c, float), np.full(5, np.nan)) for c in curves])

    names = dict.fromkeys(methods.ARTICLE, result([9, 9, 9, 9, 9], [9, 9, 9, 9, 9], [9, 9, 9, 9, 9]))
    names["Adadelta"] = result([5, 4, 3, 2, 1], [6, 5, 4, 3, 2], [9, 7, 5, 3, 3])
    names["Adam"] = result([2, 1, 1, 1, 1], [2, 2, 2, 2, 2], [3, 2, 1, 1, 1])
    names["nag 0.9"] = result([3, 2, 1, 1, 1], [3, 1, 1, 1, 1], [3, 3, 3, 3, 3])
    outcome = Outcome(50, 10, names, methods.ARTICLE)
    assert outcome.target() == 2  # the median of what Adadelta ends with
    np.testing.assert_array_equal(outcome.steps_to_loss("Adadelta"), [40, 50, np.inf])
    np.testing.assert_array_equal(outcome.steps_to_loss("nag 0.9"), [20, 20, np.inf])
    assert outcome.ratio(["nag 0.9"], methods.ARTICLE) == 20 / 50
    assert outcome.ratio(["nag 0.9"], ["Adam"]) == 20 / 10
    (row,) = (line for line in training_report.of_task("t", outcome) if line.startswith("| nag 0.9"))
    assert row == "| nag 0.9 | 0.1 | 1 [1, 3] | 20 [20, -] |"


def test_seconds_to_the_loss_are_those_of_its_steps():
    def outcome(**losses):
        losses = {name: [5, 4, 3, 2, 1] for name in methods.ARTICLE} | losses
        curves = {name: [Curve(np.array(c, float), np.full(5, np.nan))] for name, c in losses.items()}
        return Outcome(50, 10, {name: Result(0.1, c) for name, c in curves.items()}, methods.ARTICLE)

    outcomes = {"a": outcome(fast=[2, 1, 1, 1, 1], never=[9, 9, 9, 9, 9]), "b": outcome()}
    seconds = {task: dict.fromkeys(of_task.results, 0.2) for task, of_task in outcomes.items()}
    *_, article, fast, never = training_report.times(outcomes, seconds)
    assert article == "| Optax's Nesterov 0.9 | 200.0, 10.0 | 200.0, 10.0 |"
    assert fast == "| fast | 200.0, 4.0 |  |"
    assert never == "| never | 200.0, - |  |"


def test_the_table_of_the_paper_speaks_of_the_last_update():
    losses = np.append(np.ones(9), 0.5)
    early = Curve(losses[:4], losses[:4])
    result = Result(0.1, [Curve(losses, losses), Curve(2 * losses, losses), early])
    outcome = Outcome(10, 1, {"nag to 0.99": result}, methods.ARTICLE)
    np.testing.assert_allclose(outcome.finals("nag to 0.99"), [0.75, 1.5, np.inf])
    np.testing.assert_allclose(outcome.lasts("nag to 0.99"), [0.5, 1, np.inf])
    of_row = {name: Result(0.1, [early]) for name in (methods.ARTICLE | methods.NAG | methods.TABLE)}
    of_all = outcome._replace(results=of_row | {"nag to 0.99": result})
    heads, _, descent, *rows = list(training_report.sutskever_table(of_all))[3:]
    assert heads == "| largest momentum | momentum | nag | nag, late drop |"
    assert descent == "| gradient descent | - [-, -] | - [-, -] |  |"
    assert rows == [
        "| 0.9 | - [-, -] | - [-, -] |  |",
        "| 0.99 | - [-, -] | 1 [0.5, -] | - [-, -] |",
        "| 0.995 | - [-, -] | - [-, -] | - [-, -] |",
        "| 0.999 | - [-, -] | - [-, -] | - [-, -] |",
    ]


def test_the_command_prints_its_tables_and_writes_nothing_unasked(monkeypatch, capsys, tmp_path):
    def gradient_descent_on_a_parabola(key, method):
        losses = (1 - 0.3 * float(key.learning_rate)) ** (2.0 * np.arange(1, 51))
        return Curve(losses + key.seed / 10, np.full(50, np.nan)), 0.0

    monkeypatch.setattr("benchmarks.contest.run", gradient_descent_on_a_parabola)
    monkeypatch.setattr(
        sys, "argv", ["training", "--tasks", "deep autoencoder", "--seeds", "3", "--timing-rounds", "0"]
    )
    monkeypatch.chdir(tmp_path)
    training.main()
    printed = capsys.readouterr().out
    for part in (
        "| deep autoencoder |",
        "## The tables of Sutskever",
        "| nag | nag, late drop |",
        "5,000 steps; target: loss",
    ):
        assert part in printed
    assert not list(tmp_path.iterdir())


def test_seconds_are_measured(steep):
    seconds = seconds_per_step(steep, training.methods(steep), STEPS, rounds=1)
    assert set(seconds) == set(training.methods(steep)) and all(0 < s < 1 for s in seconds.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "4"), "--seeds: must be odd, and at least 3"),
        (("--length", "nan"), "--length: must be above 0"),
        (("--tasks", "digits"), "argument --tasks: invalid choice: 'digits'"),
        (("--runs", "thesis.csv"), "--runs: thesis.csv is no file of runs"),
    ],
)
def test_nonsense_is_refused_by_name(arguments, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis.csv").write_text("chapter\n")
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    with pytest.raises(SystemExit) as end:
        training.main()
    assert end.value.code == 2 and message in capsys.readouterr().err
