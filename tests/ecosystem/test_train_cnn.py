"""The Flax examples as a user runs them: killed and resumed, on several devices, and told nonsense."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("flax")
pytest.importorskip("sklearn")
ocp = pytest.importorskip("orbax.checkpoint")

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADER = "epoch,train_loss,test_loss,test_accuracy,base_loss,base_accuracy,seconds"


def command(script, *arguments):
    return [sys.executable, str(EXAMPLES / script), *map(str, arguments)]


def run(folder, *arguments, script="train_cnn.py", devices=1):
    """Runs an example to its end in a folder."""
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    return subprocess.run(command(script, *arguments), cwd=folder, env=environment, capture_output=True, text=True)


def metrics(folder):
    """The rows without the seconds, which no two runs share."""
    return [row[:-1] for row in csv.reader((folder / "metrics.csv").read_text().splitlines())]


def final_params(folder, epoch):
    state = ocp.StandardCheckpointer().restore((folder / "checkpoints" / str(epoch) / "state").absolute())
    return state["params"]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A run of three epochs."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    result = run(folder, "--epochs", 3, "--out", "whole")
    assert result.returncode == 0, result.stderr
    return folder / "whole"


def test_run_leaves_metrics_curves_and_checkpoints(uninterrupted):
    lines = (uninterrupted / "metrics.csv").read_text().splitlines()
    assert lines[0] == HEADER
    assert len(lines) == 4
    assert (uninterrupted / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (uninterrupted / "checkpoints" / "3").is_dir()


def kill_when(path, arguments, folder, seconds=0.0):
    """Starts a run, and kills it with SIGKILL some time after a file or folder has appeared."""
    process = subprocess.Popen(command("train_cnn.py", *arguments), cwd=folder, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(("appears", "seconds"), [("config.json", 0.0), ("checkpoints/1", 0.02)])
def test_killed_run_resumes_to_the_same_bits_and_may_grow(uninterrupted, tmp_path, appears, seconds):
    kill_when(tmp_path / "run" / appears, ("--epochs", 2, "--out", "run"), tmp_path, seconds)
    result = run(tmp_path, "--out", "run", "--resume", "--epochs", 3)
    assert result.returncode == 0, result.stderr
    assert "Resuming run from" in result.stdout
    assert metrics(tmp_path / "run") == metrics(uninterrupted)
    ours, theirs = final_params(tmp_path / "run", 3), final_params(uninterrupted, 3)
    for layer, expected in theirs.items():
        for name in expected:
            np.testing.assert_array_equal(ours[layer][name], expected[name])


def test_four_devices_train_the_same_network(uninterrupted, tmp_path):
    assert run(tmp_path, "--epochs", 1, "--out", "run", devices=4).returncode == 0
    one, four = (np.array(metrics(f)[1], float) for f in (uninterrupted, tmp_path / "run"))
    np.testing.assert_allclose(one[1], four[1], rtol=1e-3)  # training loss; the all-reduce sums in another order


def test_default_folder_is_the_next_free_one_and_a_method_without_base_iterate_leaves_its_columns_empty(tmp_path):
    (tmp_path / "runs" / "cnn-001").mkdir(parents=True)
    assert "Wrote runs/cnn-002" in run(tmp_path, "--epochs", 1, "--optimizer", "adam").stdout
    assert metrics(tmp_path / "runs" / "cnn-002")[1][-2:] == ["", ""]
    assert not contents(tmp_path / "runs" / "cnn-001")


NONSENSE = [
    (("--learning-rate", "-1"), "--learning-rate: must be a finite number above 0, got -1"),
    (("--momentum", "1"), "--momentum: must be a finite number at least 0 and below 1"),
    (("--lookahead", "-0.5"), "--lookahead"),
    (("--optimizer", "adam", "--lookahead", "1"), "--lookahead: not an option of adam"),
    (("--optimizer", "nga"), "invalid choice: 'nga'"),
    (("--batch-size", "0"), "--batch-size"),
    (("--epochs", "0"), "--epochs"),
    (("--resume",), "--resume: needs --out"),
    (("--resume", "--out", "missing"), "missing is not a folder"),
    (("--resume", "--out", "foreign"), "foreign is not a cnn run"),
    (("--out", "foreign"), "foreign is not empty"),
]


def refused(folder, monkeypatch, capsys, arguments, message):
    """In this process: a refusal comes before anything is set up."""
    import train_cnn

    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit:
        train_cnn.main(list(arguments))
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(("arguments", "message"), NONSENSE)
def test_nonsense_is_refused_in_one_line_and_nothing_is_touched(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.json").write_text('{"kind": "thesis"}')
    before = contents(tmp_path)
    refused(tmp_path, monkeypatch, capsys, arguments, message)
    assert contents(tmp_path) == before and not (tmp_path / "missing").exists()


def test_resuming_with_other_options_is_refused(uninterrupted, monkeypatch, capsys):
    before = contents(uninterrupted)
    for arguments, message in (
        (("--learning-rate", "0.5"), "--learning-rate: 0.5 contradicts the run in whole, which has 0.02"),
        (("--epochs", "2"), "--epochs: 2 contradicts the run in whole, which has 3"),
    ):
        refused(uninterrupted.parent, monkeypatch, capsys, ("--out", "whole", "--resume", *arguments), message)
    assert contents(uninterrupted) == before


def test_divergence_is_reported_and_not_saved(tmp_path):
    result = run(tmp_path, "--learning-rate", "1e6", "--epochs", 3, "--out", "run")
    assert result.returncode == 1
    assert "the training loss of epoch 1 is" in result.stderr
    assert not (tmp_path / "run" / "checkpoints" / "1").exists()


def test_nnx_example_learns(tmp_path):
    result = run(tmp_path, "--epochs", 4, script="train_cnn_nnx.py")
    assert result.returncode == 0, result.stderr
    accuracies = [float(x) for x in re.findall(r"accuracy ([\d.]+)%", result.stdout)]
    assert len(accuracies) == 2 and min(accuracies) > 90
    assert len((EXAMPLES / "train_cnn_nnx.py").read_text().splitlines()) <= 80
