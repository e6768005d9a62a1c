"""The examples are what a newcomer copies: one screen each, which stands alone, runs, and says something true."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.killing import finish

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("lasso", "nag_flax", "nag_nnx", "outer_nesterov")
SCREEN = 80
OF_THE_REPOSITORY = {"benchmarks", "examples", "notebooks", "programs", "tests", "trainer", *NAMES}


@pytest.fixture
def printed(start, tmp_path):
    """What an example prints in an empty folder, and leaves empty."""

    def printed(name):
        output = finish(start(tmp_path, EXAMPLES / f"{name}.py"))
        assert not list(tmp_path.iterdir())
        return output

    return printed


def test_there_are_four():
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.name != "__pycache__") == [f"{n}.py" for n in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_screen_that_stands_alone(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) <= SCREEN
    assert f"``python examples/{name}.py``" in text
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            imported.add(str(node.module).split(".")[0])
    assert "nag_optax" in imported and not imported & OF_THE_REPOSITORY


def test_flax_recognises_the_digits(printed):
    pytest.importorskip("flax.linen")
    *_, last = re.findall(r"accuracy ([\d.]+)%.* ([\d.]+)%", printed("nag_flax"))
    assert min(map(float, last)) > 98  # at the parameters and at the base iterate


def test_nnx_recognises_the_digits(printed):
    pytest.importorskip("flax.nnx")
    *_, at_params, at_base = map(float, re.findall(r"test loss .*accuracy ([\d.]+)%", printed("nag_nnx")))
    assert min(at_params, at_base) > 98


def test_the_lasso_is_scikit_learn_s(printed):
    pytest.importorskip("sklearn")
    output = printed("lasso")
    assert output.startswith("8 converged")
    rows = re.findall(r"^ +[\d.]+ +(\d+) +[\d.]+% +([\d.]+) +([\d.]+)$", output, re.MULTILINE)
    zeros = [int(row[0]) for row in rows]
    assert len(rows) == 8 and zeros == sorted(zeros, reverse=True) and zeros[0] == 54
    assert all(float(ours) == pytest.approx(float(theirs), rel=1e-6) for _, ours, theirs in rows)


def test_an_outer_momentum_pays_and_talks_seldom(printed):
    rows = re.findall(r"test loss ([\d.]+) .* (\d+) times", printed("outer_nesterov"))
    alone, mean, diloco, synchronous = (float(loss) for loss, _ in rows)
    assert max(synchronous, diloco) < mean < alone
    assert [int(times) for _, times in rows] == [0, 20, 20, 1000]
