"""The engine: the only code that touches the buffer.

    m      <-  decay * m + gain * g
    params <-  params - lead * m - step_size * g
    base iterate  =  params + readout * m

`accelerate` turns a `Rule`, which yields these five numbers, into an ``optax.GradientTransformation``. So restart,
accumulator dtypes, checkpoints, sharding and evaluation are implemented here once for every method.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from nag_optax import trees
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.engine.plain_step import judged
from nag_optax.engine.restart import Restart, as_test
from nag_optax.engine.storage.buffer import kept_as, load, make_buffer
from nag_optax.readings import Question, Readings, ahead
from nag_optax.scalars import Scalar, counter, hyperparameter_dtype, increment, mixing
from nag_optax.validation import as_dtype, look_ahead


class AccelerateState(NamedTuple):
    """State of an accelerated method. Shapes, dtypes, structure and sharding never change after ``init``, nor do field
    names between versions.

    Attributes:
      step: updates so far, int32; drives a learning-rate schedule.
      age: updates since the last restart, int32; drives a momentum sequence.
      carry: scalars of the rule's recursion, ``()`` if it has none.
      momentum: the buffer m, a pytree like params; with an ``accumulator_dtype`` of one byte, m in units of its scales.
      scales: of the buffer's blocks, a pytree like params; ``()`` where it has none.
      readout: the base iterate is ``params + readout * momentum``.
      outputs: readouts of the method's other published points, by name.
      reference: the scalar that the restart test compares with; unused without restart.
      restarts: restarts so far, int32.
      last: hyperparameters of the last update for `nag_optax.diagnostics`, 0 before the first; "last_momentum" and so
        on, because ``optax.tree.get(state, "momentum")`` is the buffer.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import nag
    >>> state = optax.chain(optax.clip(1.0), nag(0.1)).init(jnp.ones(2))
    >>> optax.tree.get(state, "momentum")
    Array([0., 0.], dtype=float32)
    """

    step: Array
    age: Array
    carry: Any
    momentum: Any
    scales: Any
    readout: Array
    outputs: dict[str, Array]
    reference: Array
    restarts: Array
    last: dict[str, Array]

    @property
    def is_mean(self) -> bool:
        """Whether the buffer is a mean of gradients instead of a sum, which a rule says by logging its gain."""
        return "last_gain" in self.last

    def readings(self, question: Question) -> Readings:
        """Returns params plus the readout that is asked for times the buffer."""
        readout = question.readout({"base": self.readout, **self.outputs})
        return ahead(self.velocity(), readout)

    def anchored(self, old: "AccelerateState") -> "AccelerateState":
        """Returns this new state with the old one's velocity and counters; a sequence of another kind begins anew.

        Raises:
          ValueError: if one velocity is a sum of gradients and the other a mean.
        """
        if self.is_mean != old.is_mean:
            raise ValueError("state and transformation must both have velocity='mean', or neither.")
        momentum, scales = kept_as(self.momentum, self.scales, old.velocity(), old.step)
        goes_on = jax.tree.structure(self.carry) == jax.tree.structure(old.carry)
        return self._replace(
            step=old.step,
            age=old.age if goes_on else self.age,
            carry=jax.tree.map(lambda new, x: x.astype(new.dtype), self.carry, old.carry) if goes_on else self.carry,
            momentum=momentum,
            scales=scales,
            readout=old.readout.astype(self.readout.dtype),
            outputs={name: old.outputs.get(name, x).astype(x.dtype) for name, x in self.outputs.items()},
            restarts=old.restarts,
            last={name: old.last.get(name, x).astype(x.dtype) for name, x in self.last.items()},
        )

    def velocity(self) -> Any:
        """Returns the buffer m, a pytree like params."""
        return load(self.momentum, self.scales)

    def measured(self) -> dict[str, Array]:
        """Returns counters and hyperparameters by name."""
        last = {name.removeprefix("last_"): x for name, x in self.last.items()}
        return {"step": self.step, "age": self.age, "restarts": self.restarts, **last}


def accelerate(
    rule: Rule, *, restart: Restart = None, accumulator_dtype: Any = None
) -> optax.GradientTransformationExtraArgs:
    """Turns a method, given as five numbers per step, into a gradient transformation.

    Args:
      rule: the method.
      restart: None, "gradient", "value" (``update`` then needs ``value=`` or ``value_fn=``), "speed", or a
        `RestartTest`; see `nag_optax.restart`. The tests sum over all leaves that this transformation sees.
      accumulator_dtype: dtype of the buffer, a floating dtype or ``jnp.int8``; each parameter's own by default. With
        one-byte dtypes, blocks of at least 128 entries share a scale, and leaves with fewer than 256 entries stay in
        float32; see `nag_optax.engine.storage.buffer`. Complex parameters keep a complex buffer of that precision,
        complex64 at least.

    Returns:
      A transformation whose updates have the dtype of params (of the gradients if no params are given). Scalars are
      computed in float32, or in float64 if a parameter is float64 or complex128. A leaf whose gradient is None is
      skipped: its update is None, its buffer stays unchanged, and params may hold anything there. NaN and infinite
      gradients pass through: wrap it in ``optax.apply_if_finite`` to skip them.

    Raises:
      TypeError: if ``rule`` is not a `Rule`, ``accumulator_dtype`` is neither floating nor int8, or (in ``init``) a
        parameter is neither floating nor complex.
      ValueError: if ``restart`` is unknown.

    The heavy ball, from scratch:

    >>> import jax.numpy as jnp
    >>> from nag_optax import Coefficients, Rule, accelerate
    >>> def numbers(count, age, carry):
    ...     return Coefficients(decay=0.9, gain=1, lead=0.1, step_size=0, readout=0), carry
    >>> heavy_ball = accelerate(Rule(tuple, numbers))
    >>> state = heavy_ball.init(jnp.array([1.0]))
    >>> heavy_ball.update(jnp.array([2.0]), state)[0]
    Array([-0.2], dtype=float32)
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"rule must be a nag_optax.Rule, got {type(rule).__name__}.")
    test = as_test(restart)
    buffer = make_buffer(as_dtype("accumulator_dtype", accumulator_dtype))

    @mixing
    def init(params: Any) -> AccelerateState:
        dtype = hyperparameter_dtype(params)
        carry = _as_scalars(rule.init(), dtype)
        coefficients = _first(rule, dtype)
        _check_scalars(coefficients)
        momentum, scales = buffer.init(params)
        return AccelerateState(
            step=jnp.zeros((), jnp.int32),
            age=jnp.zeros((), jnp.int32),
            carry=carry,
            momentum=momentum,
            scales=scales,
            readout=jnp.zeros((), dtype),
            outputs={name: jnp.zeros((), dtype) for name in coefficients.outputs},
            reference=jnp.asarray(test.reference if test else 0, dtype),
            restarts=jnp.zeros((), jnp.int32),
            last={f"last_{name}": jnp.zeros((), dtype) for name in coefficients.hyperparams},
        )

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, AccelerateState]:
        gradients, whole = updates, (state.momentum, state.scales)
        if not buffer.holds(*whole):
            raise ValueError(
                "accumulator_dtype is not that of the state's buffer: "
                "nag_optax.reanchor(tx, state, params) converts it."
            )
        params = trees.beside(gradients, params)
        stored, scales = (trees.beside(gradients, part) for part in whole)
        state = state._replace(momentum=load(stored, scales))
        dtype = state.readout.dtype
        coefficients, carry = rule.numbers(counter(state.step, dtype), counter(state.age, dtype), state.carry)
        coefficients, carry = _as_scalars(coefficients, dtype, keep_units=True), _as_scalars(carry, dtype)
        age, reference, restarts_so_far = increment(state.age), state.reference, state.restarts

        if test:
            coefficients, (restarts, reference) = judged(test, coefficients, state, gradients, params, extra)
            coefficients = _as_scalars(coefficients, dtype)
            age = jnp.where(restarts, 0, age)
            restarts_so_far = jnp.where(restarts, increment(restarts_so_far), restarts_so_far)
            carry = trees.where(restarts, _as_scalars(rule.init(), dtype), carry)

        decay, gain, lead, step_size, readout, outputs, hyperparams = coefficients
        back_lead, back_step_size = -lead, -step_size
        momentum = jax.tree.map(lambda m, g: _combine(decay, m, gain, g, m.dtype), state.momentum, gradients)
        stored, scales = buffer.store(momentum, stored, state.step)
        momentum = load(stored, scales)
        like = gradients if params is None else params
        updates = jax.tree.map(
            lambda m, g, p: _combine(back_lead, m, back_step_size, g, jnp.result_type(p)), momentum, gradients, like
        )
        return updates, state._replace(
            step=increment(state.step),
            age=age,
            carry=carry,
            momentum=trees.filled(stored, whole[0]),
            scales=trees.filled(scales, whole[1]),
            readout=jnp.asarray(readout, dtype),
            outputs={name: jnp.asarray(output, dtype) for name, output in outputs.items()},
            reference=jnp.asarray(reference, dtype),
            restarts=restarts_so_far,
            last={f"last_{name}": jnp.asarray(x, dtype) for name, x in hyperparams.items()},
        )

    return optax.GradientTransformationExtraArgs(init, update)


def _combine(a: Scalar, x: Array, b: Scalar, y: Array, dtype: Any) -> Array:
    """Returns a x + b y without the products that a static 0, 1 or -1 makes superfluous."""
    units = {1: lambda z: z, -1: lambda z: -z}
    terms = [units[c](z) if isinstance(c, int) else c * z for c, z in ((a, x), (b, y)) if not _is_zero(c)]
    return sum(terms[1:], terms[0]).astype(dtype) if terms else trees.zeros(x, dtype)


def _is_zero(c: Scalar) -> bool:
    return isinstance(c, int) and c == 0


def _as_scalars(tree: Any, dtype: Any, keep_units: bool = False) -> Any:
    """Every leaf as a scalar of the dtype; on request a 0 or 1 stays an integer, for `_combine` to skip."""

    def convert(x):
        return int(x) if keep_units and isinstance(x, int | float) and x in (0, 1) else jnp.asarray(x, dtype)

    return jax.tree.map(convert, tree)


def _first(rule: Rule, dtype: Any) -> Coefficients:
    """The shapes of the first coefficients, or their values where a schedule in Python has to see its count."""

    def numbers():
        zero = counter(jnp.zeros((), jnp.int32), dtype)
        return rule.numbers(zero, zero, _as_scalars(rule.init(), dtype))[0]

    return look_ahead(numbers)


def _check_scalars(coefficients: Coefficients) -> None:
    for name, coefficient in coefficients._asdict().items():
        for leaf in jax.tree.leaves(coefficient):
            if np.shape(leaf):
                raise ValueError(f"{name} of a rule must be a scalar, got shape {np.shape(leaf)}: a schedule's value?")
