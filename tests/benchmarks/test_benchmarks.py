"""The benchmarks that print a claim of the documentation, as a reader would call them, and what their results share."""

import shlex
import sys
from pathlib import Path

import PIL.Image
import pytest

from benchmarks import redraw, report, theory

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmarks.theory", *arguments])
    theory.main()
    return capsys.readouterr().out


def test_every_worst_case_is_printed_attained_and_not_exceeded(monkeypatch, capsys, tmp_path, float64):
    out = tmp_path / "theory.md"
    printed = call(monkeypatch, capsys, "--steps", "3", "--program-steps", "--out", str(out))
    rows = [line for line in printed.splitlines() if "| 3 |" in line]
    assert len(rows) == 26
    assert "exceeded 0 times" in printed
    assert out.read_text().count("| 3 |") == 26
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, "--out", str(out))
    assert "is not overwritten" in capsys.readouterr().err


def test_a_picture_is_drawn_and_not_overwritten(monkeypatch, capsys, tmp_path, float64):
    picture = tmp_path / "worst.png"
    monkeypatch.setattr(theory.theory_report, "DRAWN", 2)
    monkeypatch.setattr(theory.theory_report, "DOTS", (1, 2))
    call(monkeypatch, capsys, "--steps", "1", "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, "--plot", str(picture))
    assert "--plot" in (errors := capsys.readouterr().err) and "is not overwritten" in errors


@pytest.mark.parametrize("kind", redraw.KINDS)
def test_the_picture_of_a_result_is_drawn_from_its_table(monkeypatch, tmp_path, kind):
    table = RESULTS / f"{kind}-cpu.csv"
    monkeypatch.setattr(sys, "argv", ["redraw", kind, "--table", str(table), "--out", str(tmp_path / kind)])
    redraw.main()
    with PIL.Image.open(tmp_path / f"{kind}.png") as picture:
        assert picture.mode == "P" and "transparency" not in picture.info


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


def test_prose_is_wrapped_and_a_table_is_not(capsys):
    sentence = "A well-known word" + 12 * " and one more"
    table = list(report.table(["a cell"] * 20, [["another"] * 20]))
    report.publish({}, ["# " + sentence, "", sentence, "* " + sentence, "", *table])
    title, _, *prose, _, columns, rule, row, _ = capsys.readouterr().out.splitlines()
    assert title == "# " + sentence
    assert all(len(line) <= report.WIDTH for line in prose)
    paragraph, item = prose[:2], prose[2:]
    assert " ".join(paragraph) == sentence
    assert item[0].startswith("* A well-known") and item[1].startswith("  ")
    assert " ".join(line[2:] for line in item) == sentence
    assert [columns, rule, row] == ["| a cell " * 20 + "|", "|---" * 20 + "|", "| another " * 20 + "|"]


def test_a_command_stays_what_it_was():
    words = ["python", "-m", "benchmarks.training", "--tasks", "deep autoencoder", "small -- transformer"]
    words += ["--runs", "a folder/" + "long" * 9, "--out", "it's"]
    lines = report.command(words).splitlines()
    assert len(lines) == 2 and all(line.startswith("    ") and len(line) <= report.WIDTH for line in lines)
    assert lines[1].split()[0] == "--runs"
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == words  # as a shell joins them
