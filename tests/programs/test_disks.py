"""What a disk does not take ends a program in one line, and leaves what was there."""

import asyncio
import errno
import functools
import json
import os
import resource
from argparse import Namespace

import pytest

pytest.importorskip("flax.linen")
pytest.importorskip("sklearn")
pytest.importorskip("orbax.checkpoint")


from trainer.run import run_folder, storage
from trainer.run.program import advice

CONTINUE = "--out run --resume\n"


class LateAnswer:
    def __del__(self):
        loop = asyncio.new_event_loop()
        loop.close()
        loop.call_soon_threadsafe(print)


@pytest.fixture
def train(train_cnn):
    """Runs a command line of train_cnn that writes to the folder run."""
    return functools.partial(train_cnn, "--out", "run")


def test_a_disk_that_is_full_and_has_room_again(train, tmp_path, monkeypatch):
    run, write = tmp_path / "run", type(tmp_path).write_bytes

    def refuse(name, code=errno.ENOSPC):
        def half(path, content):
            write(path, content[: len(content) // 2] if path.name.startswith(name) else content)
            if path.name.startswith(name):
                raise OSError(code, os.strerror(code))

        monkeypatch.setattr(type(tmp_path), "write_bytes", half)

    refuse("config.json")
    status, _, errors = train("--epochs", 1)
    assert (status, errors.count("\n")) == (2, 1) and "cannot create a run in run/config.json: No space left" in errors
    assert not run.exists()

    refuse("curves.png")
    status, _, errors = train("--epochs", 1)
    assert (status, errors.count("\n")) == (1, 1) and errors.endswith(CONTINUE)
    assert "error: run/curves.png: No space left on device: make room" in errors
    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "config.json", "metrics.csv"]

    before = (run / "metrics.csv").read_bytes(), (run / "config.json").read_bytes()
    for name, code in (("config.json", errno.EROFS), ("metrics.csv", errno.EDQUOT)):
        refuse(name, code)
        status, _, errors = train("--resume", *(["--epochs", 2] if name == "config.json" else []))
        assert (status, errors.count("\n")) == (1, 1) and f"run/{name}: {os.strerror(code)}" in errors
        assert not list(run.glob("*.tmp"))
        assert before == ((run / "metrics.csv").read_bytes(), (run / "config.json").read_bytes())


def test_a_checkpoint_that_the_disk_does_not_take_leaves_the_one_before(train, tmp_path):
    assert train("--epochs", 1)[0] == 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # of bytes: for those that TensorStore writes as well
    try:
        status, _, errors = train("--resume", "--epochs", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (status, errors.count("\n")) == (1, 1) and "File too large" in errors and errors.endswith(CONTINUE)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["options"]["epochs"] == 2
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit()] == ["11"]
    LateAnswer()  # on a busy machine TensorStore's come as late as this
    status, printed, _ = train("--resume")
    assert status == 0 and "from the checkpoint of step 11" in printed


def test_tensorboard_keeps_its_old_file_until_there_is_a_new_one(tmp_path, monkeypatch):
    report = pytest.importorskip("trainer.image_classifier.report")
    with report.TensorBoard(tmp_path / "board") as board:
        board.log({"epoch": 1, "train_loss": 1.0})
    (old,) = (tmp_path / "board").iterdir()
    before = old.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(report, "EventsWriter", full)
        with pytest.raises(OSError), report.TensorBoard(tmp_path / "board") as board:
            board.log({"epoch": 1, "train_loss": 1.0})
    assert old.read_bytes() == before
    with report.TensorBoard(tmp_path / "board") as board:
        board.log({"epoch": 1, "train_loss": 1.0})
    (new,) = (tmp_path / "board").iterdir()
    assert new != old


def test_errors_that_no_disk_has_made_stay_errors():
    assert storage.refusal(ValueError("no such shape")) is None
    assert storage.refusal(OSError("without a number")) is None
    assert storage.refusal(FileNotFoundError(2, "No such file or directory", "x")) == (
        "x: No such file or directory: see to the folder and its disk"
    )


def test_the_second_of_two_processes_in_one_folder_is_refused(train, tmp_path, monkeypatch):
    with run_folder.create(tmp_path / "run", "cnn", {"kind": "cnn"}):
        for arguments in ((), ("--resume",)):
            status, _, errors = train(*arguments)
            assert (status, errors.count("\n")) == (2, 1) and "another process is writing in run: wait" in errors
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("options", "advised"),
    [
        ("--learning-rate 1e38", "try --learning-rate 0.02 in a new folder; it had --learning-rate 1e+38"),
        ("--momentum 0.999999 --learning-rate 1e38", "try --learning-rate 0.02 --momentum 0.9 in a new folder"),
    ],
)
def test_what_to_do_about_a_training_that_diverged(options, advised, train, tmp_path):
    status, _, errors = train("--epochs", 1, *options.split())
    assert (status, errors.count("\n")) == (1, 1) and advised in errors and "below" not in errors


def test_of_a_rate_that_is_not_above_its_default_a_tenth_is_advised():
    def complete(given):
        return {"learning_rate": 0.02, "momentum": 0.9} | given

    assert advice(Namespace(learning_rate=0.02, momentum=0.9), complete).startswith(
        "try --learning-rate 0.002 in a new"
    )


def test_resume_is_advised_only_where_there_is_something_to_resume(train, call, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("of a person")
    assert "--resume" not in train()[2]
    (folder / "config.json").write_text('{"kind": "vgg16", "options": {}, "environment": {}}')
    assert "--resume" not in train()[2]
    assert "but that of a vgg16 run" in train("--resume")[2]
    (folder / "config.json").write_text('{"kind": "cnn", "options": {}, "environment": {}}')
    assert "run is not empty: choose another --out, or add --resume" in train()[2]
    (folder / "config.json").write_text('{"kind": "path"}')
    status, _, errors = call("sparse_logistic_regression", "--out", folder)
    assert status == 2 and "is not empty: choose another --out\n" in errors and errors.count("\n") == 1
