"""The benchmark of methods without a step size: what it counts, and its tables, on short runs."""

import csv
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from benchmarks import parameter_free, parameter_free_report, smooth_problems


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmarks.parameter_free", *arguments])
    parameter_free.main()
    return capsys.readouterr().out


def test_the_minima_are_minima(float64):
    for name, problem in smooth_problems.problems(1).items():
        known = parameter_free.CONTESTANTS["adanag"]._replace(told=("L",))
        (errors,) = parameter_free.errors(problem, known, 2000)
        assert np.nanmin(errors) >= 0 and errors[-1] < 1e-4, name


def test_an_update_of_graal_counts_twice(float64):
    """As often as it evaluates the function, from the second update on."""
    problem = smooth_problems.quadratic(np.random.default_rng(0), 10.0)
    tx, calls = parameter_free.CONTESTANTS["graal"].make(1.0), []

    def counted(x):
        calls.append(None)
        return problem.value(x)

    tx.update(problem.start + 1.0, tx.init(problem.start), problem.start, value=1.0, value_fn=counted)
    assert 1 + len(calls) == parameter_free.CONTESTANTS["graal"].gradients  # beside that of the caller


def test_tables_are_printed_and_not_overwritten(monkeypatch, capsys, tmp_path, float64):
    few = dict(list(smooth_problems.problems(0).items())[:2])
    monkeypatch.setattr(parameter_free, "problems", lambda seed: few)
    out = tmp_path / "short"
    printed = call(monkeypatch, capsys, "--gradients", "20", "--out", str(out))
    assert out.with_suffix(".md").read_text() == printed[:-1]
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert printed.count("| quadratic, condition 1e2 |") == len(parameter_free.ESTIMATES)
    assert printed.count("`nag(1 / L)`") == 1
    with out.with_suffix(".csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(few) * (3 * 3 + 1)
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, "--out", str(out))
    assert "is not overwritten" in capsys.readouterr().err


def test_a_cell_says_what_became_of_it():
    gradients = np.array([2, 4, 6])
    cell = parameter_free_report.cell
    assert cell((gradients, np.array([1e-1, 1e-2, 1e-7])), 5) == "1.0e-02, 6"
    assert cell((gradients, np.array([1e-7, 0.0, 0.0])), 5) == "exact, 2"
    assert cell((gradients, np.array([2.0, np.nan, np.nan])), 5) == "failed, -"


def test_too_few_gradients_are_refused_by_name(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, "--gradients", "1")
    assert "--gradients: must be at least 2" in capsys.readouterr().err
