"""The benchmark of batch normalisation: what it calls re-estimated, and its tables, on trainings of three steps."""

import sys

import jax
import numpy as np
import pytest

pytest.importorskip("flax.linen")
pytest.importorskip("sklearn")
pytest.importorskip("tqdm")

from benchmarks import batch_norm
from trainer.data import digits


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmarks.batch_norm", *arguments])
    batch_norm.main()
    return capsys.readouterr().out


def test_re_estimated_statistics_are_the_mean_of_batches_at_the_point():
    params, running = batch_norm.begin(0)
    key, images = jax.random.key(1), digits.load().train_images[:16]
    batches = [(key, images[:8], None), (key, images[8:], None)]
    found = batch_norm.estimated(params, running, batches)["BatchNorm_0"]

    kernel = params["Conv_0"]["kernel"]
    shifted = [(digits.random_shift(key, of_batch) - 0.3) / 0.4 for _, of_batch, _ in batches]
    kinds = ("NHWC", "HWIO", "NHWC")
    outputs = [jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=kinds) for x in shifted]
    for name, statistic in (("mean", np.mean), ("var", np.var)):
        expected = np.mean([statistic(x, axis=(0, 1, 2)) for x in outputs], axis=0)
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5)


def test_without_momentum_both_points_are_one(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(batch_norm, "SETTINGS", [batch_norm.Setting(0.0, 0.1, False)])
    monkeypatch.setattr(batch_norm, "BATCH", 16)
    out = tmp_path / "batch-norm.md"
    tiny = ("--seeds", "2", "--steps", "3", "--batches", "1", "--out", str(out))
    printed = call(monkeypatch, capsys, *tiny)
    assert out.read_text() == printed[:-1]
    rows = [line.split("| ", 3)[1:] for line in printed.splitlines() if line.startswith("| 0.0, 0.1 |")]
    loss, accuracy, differences = rows[:4], rows[4:8], rows[8:]
    assert [time.strip(" |") for _, time, _ in differences] == ["1", "3"]
    assert all(rest == "0.0000 ± 0.0000 | 0.0000 ± 0.0000 |" for *_, rest in differences)
    for at_params, at_base in zip((loss + accuracy)[::2], (loss + accuracy)[1::2], strict=True):
        assert at_params[2].removeprefix("params") == at_base[2].removeprefix("base iterate")
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, *tiny)
    assert "is not overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "least"), [("seeds", 2), ("steps", 3), ("batches", 1)])
def test_too_few_are_refused_by_name(monkeypatch, capsys, option, least):
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, f"--{option}", str(least - 1))
    assert f"--{option}: must be at least {least}" in capsys.readouterr().err
