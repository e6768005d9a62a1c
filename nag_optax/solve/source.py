"""A user's problem as functions of numbers, which hold nothing else of the user's.

What the package knows by its code (`nag_optax.solve.transparent`) is made anew from its numbers; what others wrote is
traced (`nag_optax.solve.compiled`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nag_optax.losses import Loss
from nag_optax.solve.compiled import has_rules, known, numbers_of, shared, trace
from nag_optax.solve.problem import Parts, parts_of, with_gradient
from nag_optax.solve.transparent import Opaque, described


class Source(NamedTuple):
    """Where programs get a problem from.

    Attributes:
      key: equal for problems that differ in numbers only; None where nobody can tell.
      parts: ``parts(data) -> Parts``.
      data: the numbers.
      ruled: whether the slope of ``fun`` is all that can be differentiated.
    """

    key: Any
    parts: Callable[[Any], Parts]
    data: Any
    ruled: bool


def source_of(
    fun: Any, args: tuple[Any, ...], has_aux: bool, prox: Any, linear: Any, params: Any, dtype: Any, check: Callable
) -> Source | None:
    """The source of a problem; None where it is part of what is being traced.

    ``check()`` raises if the problem is not one; it is called unless programs for its like are known.
    """
    given = {"args": args, "prox": prox, "linear": linear, "fun": fun if isinstance(fun, Loss) else None}
    if not known(given):
        return None
    numbers, restore = {}, {}
    for name, x in given.items():
        numbers[name], restore[name] = numbers_of(x)
    clear = {name: given[name] for name in ("fun", "prox", "linear") if _is_clear(given[name])}
    if not isinstance(fun, Loss):
        clear.pop("fun", None)
    like = tuple((name, described(x)) for name, x in clear.items())
    shapes = jax.tree.structure(params), tuple(map(described, jax.tree.leaves(params)))
    mesh = getattr(jax.sharding, "get_abstract_mesh", lambda: None)()  # which a trace belongs to
    key = (like, shapes, len(args), has_aux, dtype, mesh)
    labels = numbers["fun"] and any(jnp.issubdtype(jnp.result_type(x), jnp.integer) for x in numbers["fun"])
    if len(clear) < 3 or labels:  # whether there are so many classes is no matter of shapes
        check()
    else:
        shared(key, lambda: (check(), True))

    def parts(numbers: Any) -> Parts:
        own = {name: restore[name](numbers[name]) for name in ("args", "prox", "linear")}
        return parts_of(fun, own["args"], has_aux, own["prox"], own["linear"], dtype)

    present = parts(numbers)
    traces, consts, ruled = {}, {}, False

    def traced(name: str, *examples: Any) -> None:
        traces[name], consts[name] = trace(lambda n, *rest: getattr(parts(n), name)(*rest), numbers, *examples)

    one, clouded = jnp.ones((), dtype), len(clear) < 3
    seen = jax.eval_shape(present.image, params) if clouded and present.image else params
    if "fun" not in clear:
        traced("value_and_aux", seen)
        ruled = has_rules(traces["value_and_aux"])
        if ruled:  # its slope is a program of its own, in which the rules are applied
            traced("value_and_slope", seen)
    if "prox" not in clear:
        traced("prox", params, one)
        traced("prox_value", params)
    if "linear" not in clear:
        traced("image", params)
    if present.bound and not {"fun", "prox"} <= set(clear):
        traced("bound", seen, params, one)
    if not known(consts):
        return None

    texts = tuple((name, t.text) for name, t in traces.items())
    alone = any(text is None for _, text in texts)
    restored = {name: restore[name] for name in clear}
    curvature = fun.curvature if isinstance(fun, Loss) else None
    make = partial(_parts, traces, restored, has_aux, present.shifts, dtype)
    return Source(None if alone else (key, texts), make, (consts, numbers, curvature), ruled)


def _is_clear(x: Any) -> bool:
    try:
        described(x)
    except Opaque:
        return False
    return True


def _parts(traces: Any, restore: Any, has_aux: bool, shifts: bool, dtype: Any, data: Any) -> Parts:
    consts, numbers, _ = data
    objects = {name: of(numbers[name]) for name, of in restore.items()}
    own = parts_of(objects.get("fun"), (), has_aux, objects.get("prox"), objects.get("linear"), dtype)
    over: dict[str, Any] = {name: partial(t.over(consts[name]), numbers) for name, t in traces.items()}
    if "prox" in over:
        prox = over["prox"]
        over["prox"] = lambda x, step_size: prox(x, jnp.asarray(step_size, dtype))
    if "value_and_aux" in over and "value_and_slope" not in over:
        over["value_and_slope"] = with_gradient(over["value_and_aux"])
    return own._replace(**over, shifts=shifts)
