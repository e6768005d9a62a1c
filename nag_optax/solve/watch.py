"""What a person wants of a run that takes its time: a limit, a callback, a bar, and Ctrl-C."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_optax.solve.loop import Run, wants_to_stop
from nag_optax.solve.result import Status
from nag_optax.solve.stopping import RUNNING

FIRST = 16
"""Steps before the first look."""

PIECE = 0.1
"""Seconds between two looks."""


class Watch(NamedTuple):
    """Attributes as in `nag_optax.minimize`."""

    max_steps: int
    callback: Callable[[Array, Array, Array], Any] | None = None
    max_seconds: float | None = None
    progress: bool = False
    verbose: bool = False

    def asked_for(self) -> str | None:
        """The name of something that only a call from outside of ``jax.jit`` can have; None if nothing is asked for."""
        return next((name for name in ("max_seconds", "progress", "verbose") if getattr(self, name)), None)

    def through(self, go_on: Callable[[Run, Any], Run], run: Run) -> Run:
        """The run at its end, or where somebody has stopped it."""
        begin = time.monotonic()
        steps, piece = 0, 1 if self.callback else FIRST
        with self._shown() as show:
            try:
                while True:
                    before = time.monotonic()
                    run = go_on(run, jnp.asarray(steps + piece, jnp.int32))
                    ended, last, steps = int(run.status) != RUNNING, steps, int(run.progress.steps)
                    now = time.monotonic()
                    show(run, ended)
                    stop = self.callback is not None and bool(wants_to_stop(self.callback, *_seen(run)))
                    if ended:
                        return run
                    if stop or (self.max_seconds is not None and now - begin >= self.max_seconds):
                        break
                    if not self.callback:
                        piece = _longer(piece, (now - before) / max(steps - last, 1))
            except KeyboardInterrupt:
                pass
        return run._replace(status=jnp.full_like(run.status, Status.STOPPED))

    @contextmanager
    def _shown(self) -> Iterator[Callable[[Run, bool], None]]:
        """Where the run is, as a bar or as lines."""
        bar = _bar(self.max_steps) if self.progress else None
        lines = self.verbose or (self.progress and bar is None)
        said = time.monotonic()

        def show(run: Run, ended: bool) -> None:
            nonlocal said
            if bar is None and not lines:
                return
            step, value, error = (np.asarray(x).item() for x in _seen(run))
            if bar is not None:
                bar.update(step - bar.n)
                bar.set_postfix_str(f"value {value:.6g}, error {error:.2g}")
            if lines and (ended or time.monotonic() - said >= 1):
                print(f"step {step}: value {value:.6g}, error {error:.2g}", flush=True)
                said = time.monotonic()

        try:
            yield show
        finally:
            if bar is not None:
                bar.close()


def _seen(run: Run) -> tuple[Array, Array, Array]:
    return run.progress.steps, run.point.value, run.progress.error


def _longer(piece: int, seconds_a_step: float) -> int:
    """Steps of the next piece: as many as take so long, and not too many more than in this one."""
    return max(1, min(8 * piece, int(PIECE / max(seconds_a_step, 1e-9))))


def _bar(total: int) -> Any:
    """tqdm's, if it is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit="step", desc="minimize")
