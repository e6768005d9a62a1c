"""The benchmarks that print a claim of the documentation, as a reader would call them."""

import sys

import pytest

from benchmarks import theory


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmarks.theory", *arguments])
    theory.main()
    return capsys.readouterr().out


def test_every_worst_case_is_printed_attained_and_not_exceeded(monkeypatch, capsys, tmp_path, float64):
    out = tmp_path / "theory.md"
    printed = call(monkeypatch, capsys, "--steps", "3", "--out", str(out))
    rows = [line for line in printed.splitlines() if "| 3 |" in line]
    assert len(rows) == 18
    assert "exceeded 0 times" in printed
    assert out.read_text().count("| 3 |") == 18
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, "--out", str(out))
    assert "is not overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "0"), "--steps: each must be at least 1"),
        (("--strong-convexity", "2"), "must be above 0 and below 1"),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, *arguments)
    assert message in capsys.readouterr().err
