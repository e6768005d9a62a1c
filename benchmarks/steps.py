"""Training steps to be timed: an update and its application, by JAX, by PyTorch, and a copy for the bandwidth.

A timer is a function without arguments that returns the seconds of one step, averaged over a few.
"""

import importlib.util
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None

WARM_UP = 1
STEPS = 5


class Timer(NamedTuple):
    """A step, ready to be timed.

    Attributes:
      seconds: of one step.
      state_bytes: of the optimizer's state, a parameter.
      peak_bytes: of everything that the step holds, arguments included, a parameter; None where nobody says.
      compile_seconds: to trace and compile it; None if it is not.
    """

    seconds: Callable[[], float]
    state_bytes: float
    peak_bytes: float | None
    compile_seconds: float | None


def training_step(tx):
    """An update and its application: what a training step does after the gradient."""

    def step(params, state, gradients):
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return step


def jax_timer(make: Callable[[], optax.GradientTransformation], dtype: str, shapes: list) -> Timer:
    """A jitted, donated step."""
    tx, count = make(), sum(map(math.prod, shapes))

    def arrays():
        params = {f"p{i}": jnp.ones(shape, dtype) for i, shape in enumerate(shapes)}
        return params, tx.init(params), jax.tree.map(lambda p: jnp.full_like(p, 1e-3), params)

    abstract = jax.eval_shape(arrays)
    begin = time.perf_counter()
    step = jax.jit(training_step(tx), donate_argnums=(0, 1)).lower(*abstract).compile()
    compile_seconds = time.perf_counter() - begin

    def seconds():
        # Fresh arrays every time: where they lie in memory changes a step by several percent.
        *carry, gradients = jax.jit(arrays)()
        return _average(lambda carry: step(*carry, gradients), carry, jax.block_until_ready)

    state_bytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(abstract[1]))
    return Timer(seconds, state_bytes / count, _peak_bytes(step) / count, compile_seconds)


def copy_timer(shapes: list) -> Timer:
    """One pass over the same number of float32, read and written in place: 8 bytes a parameter."""
    count = sum(map(math.prod, shapes))
    step = jax.jit(lambda x: x + 1, donate_argnums=0)

    def seconds():
        return _average(step, jnp.ones(count), jax.block_until_ready)

    return Timer(seconds, 0.0, 4.0, None)


def torch_timer(shapes: list, optimizer: Any = None, **options: Any) -> Timer:
    """``torch.optim.SGD(nesterov=True)``, or another optimizer of one buffer, on the device that JAX uses."""
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    count = sum(map(math.prod, shapes))

    def wait(_):
        if device == "cuda":
            torch.cuda.synchronize()

    def arrays():
        params = [torch.ones(shape, device=device, requires_grad=True) for shape in shapes]
        for p in params:
            p.grad = torch.full_like(p, 1e-3)
        return optimizer(params, **options)

    if optimizer is None:
        optimizer, options = torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, **options}

    def seconds():
        ready = arrays()
        return _average(lambda _: ready.step(), None, wait)

    return Timer(seconds, 4.0, _torch_peak_bytes(arrays, count) if device == "cuda" else None, None)


def compile_timer(make: Callable[[], optax.GradientTransformation], leaves: int) -> Callable[[], float]:
    """A function that measures the seconds to trace and compile a fresh step of ``leaves`` small parameters."""
    params = {f"layer_{i}": jnp.ones((8 + i % 4, 8)) for i in range(leaves)}

    def seconds():
        jax.clear_caches()
        tx = make()
        state = tx.init(params)
        start = time.perf_counter()
        jax.jit(training_step(tx)).lower(params, state, params).compile()
        return time.perf_counter() - start

    return seconds


def _average(step: Callable[[Any], Any], carry: Any, wait: Callable[[Any], Any]) -> float:
    for _ in range(WARM_UP):
        carry = step(carry)
    wait(carry)
    start = time.perf_counter()
    for _ in range(STEPS):
        carry = step(carry)
    wait(carry)
    return (time.perf_counter() - start) / STEPS


def _peak_bytes(compiled: Any) -> float:
    memory = compiled.memory_analysis()
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return held + memory.temp_size_in_bytes


def _torch_peak_bytes(arrays: Callable[[], Any], count: int) -> float:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    arrays().step()
    return (torch.cuda.max_memory_allocated() - before) / count
