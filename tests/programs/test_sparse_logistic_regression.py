"""The regularisation path, as a user runs it."""

import csv

import numpy as np

PROGRAM = "sparse_logistic_regression"


def test_the_path_is_solved_twice_and_saved(tmp_path, call):
    out = tmp_path / "path"
    status, printed, _ = call(PROGRAM, "--strengths", 6, "--smallest", 0.02, "--out", out)
    assert status == 0
    assert printed.count("6 converged") == 2
    with (out / "path.csv").open() as file:
        rows = list(csv.DictReader(file))
    nonzeros = [float(row["nonzeros"]) for row in rows]
    assert nonzeros[0] == 0 and nonzeros[-1] >= 5
    assert max(float(row["test accuracy"]) for row in rows) > 0.93
    weights = np.array([[float(row[name]) for name in list(row)[7:]] for row in rows])
    np.testing.assert_array_equal((weights != 0).sum(1), nonzeros)
    assert (out / "path.png").stat().st_size > 10_000
    status, _, errors = call(PROGRAM, "--out", out)
    assert status == 2 and "is not empty" in errors
