"""minimize: from a function to its minimum, in one call.

It checks what it is given, runs the loop of `nag_optax.solve.loop` around a method, and makes the solution
differentiable.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import Array

from nag_optax.losses import Loss
from nag_optax.prox import Prox, none
from nag_optax.prox.operator import is_none
from nag_optax.scalars import Scalar, hyperparameter_dtype
from nag_optax.solve.certificate import why_none
from nag_optax.solve.choice import chosen_method
from nag_optax.solve.complex_params import in_pairs, with_complex_params
from nag_optax.solve.eager import Given, Options, solve_eagerly
from nag_optax.solve.implicit import by_gmres, differentiable, without_derivative
from nag_optax.solve.linear import as_matrix
from nag_optax.solve.loop import Loop, solution_at
from nag_optax.solve.method import Method
from nag_optax.solve.problem import as_params, assembled, check_params, check_problem, parts_of
from nag_optax.solve.result import Solution
from nag_optax.solve.watch import Watch
from nag_optax.solve.while_loop import varying_with
from nag_optax.solve.working_set import check_screening
from nag_optax.validation import (
    check_boolean,
    check_choice,
    check_integer,
    check_number,
    check_takes,
)


def minimize(
    fun: Callable[..., Any],
    init_params: Any,
    *,
    prox: Prox | Callable[[Any, Scalar], Any] | None = None,
    linear: Any = None,
    method: str | Method | optax.GradientTransformation = "full_backtracking",
    step_size: Scalar | None = None,
    tol: float = 1e-6,
    stop: str = "error",
    screen: bool = False,
    max_steps: int = 10_000,
    has_aux: bool = False,
    args: tuple[Any, ...] = (),
    implicit_diff: bool = True,
    linear_solve: Callable[[Any, Any], Any] = by_gmres,
    callback: Callable[[Array, Array, Array], Any] | None = None,
    history: bool = False,
    max_seconds: float | None = None,
    progress: bool = False,
    verbose: bool = False,
) -> Solution:
    """Minimises f + g, f smooth, g known by its prox.

    Args:
      fun: ``fun(params, *args)`` returns f, a real scalar, or (f, aux) with ``has_aux``.
      init_params: a pytree of floating or complex arrays, where to begin; or a `Solution`, to go on from it. To a
        transformation, a `Method` and ``linear_solve``, a complex array is a pair (real, imag) of real ones.
      prox: an operator of `nag_optax.prox`, or a function ``(params, step_size) -> params``; None for g = 0.
      linear: A, where f is a function of A params: an array [m, n], a BCOO or BCSR of ``jax.experimental.sparse``, or a
        linear function of params, or an affine one; ``fun(A params, *args)`` then returns f. It makes steps cheaper.
      method: "full_backtracking", which needs to know nothing; "fista" or "pogm" with ``step_size``; "adanag"
        (g = 0) or "ac_fgm", which have no line search; any Optax transformation (g = 0); or a `Method` of
        `nag_optax.extend`.
      step_size: of "fista" and "pogm", at most 1 / L.
      tol: at which to stop: the gradient mapping is smaller than this, relative to |grad f| + |x| L (or to its initial
        size, where that is smaller), and the value has fallen by less, relatively, in the last fifth of the steps, and
        is not on a plateau. No unit of the problem matters, nor where it starts. Positive.
      stop: "error", which is that; or "gap": the duality gap is at most ``tol`` |f + g|, so that the value is certainly
        that close to the minimum. It needs a ``fun`` of `nag_optax.losses`, and a prox that knows its conjugate.
      screen: whether to run on the few columns of ``linear`` that a sparse solution needs, and to look at all of them
        now and then; quicker where most rows of the solution are 0, at the price of more programs to compile. It needs
        a duality gap, an array or BCOO for ``linear``, and a prox that keeps rows apart, such as those of
        `nag_optax.prox.l1` and `nag_optax.prox.group_lasso`.
      max_steps: at least 1.
      has_aux: whether ``fun`` returns more than its value.
      args: passed to ``fun``; derivatives with respect to them go through the solution.
      implicit_diff: whether derivatives come from the implicit function theorem, the default, or from the unrolled
        steps, in the memory of all of them (then every step is taken, and costs as much as ``max_steps`` of them).
      linear_solve: ``linear_solve(linear_function, right_side)``, for the implicit derivatives; by default GMRES,
        and the solution of the smallest norm where the system is singular.
      callback: called on the host after every step with (step, value, error); it may return True, or raise
        StopIteration or TimeoutError, which ends the run with the best point (not with ``implicit_diff=False``, which
        asks nobody).
      history: whether to keep value and error of every step, in ``Solution.state.history``.
      max_seconds: after which the run ends with the best point, positive; compilation counts, and a look at the clock
        comes a few times a second.
      progress: whether to show a bar, of tqdm if that is installed.
      verbose: whether to print a line a second.

    Outside of ``jax.jit`` similar calls share one compiled program: the same ``fun`` and options, whatever numbers the
    params, ``args``, strengths and what ``fun`` closes over hold. There, Ctrl-C ends the run with the best point, and
    only there are ``max_seconds``, ``progress``, ``verbose`` and ``screen``.

    Raises:
      TypeError: for params, a prox or a ``fun`` of the wrong kind, such as a projection in the place of a prox.
      ValueError: for a number out of range, an unknown method, or a method that cannot do what is asked.

    >>> import jax.numpy as jnp
    >>> from nag_optax import minimize, prox
    >>> x = jnp.array([[1.0, 0.5], [0.0, 1.0], [1.0, 1.0]])
    >>> y = jnp.array([3.0, 0.0, 3.0])
    >>> solution = minimize(lambda w: 0.5 * jnp.sum((x @ w - y) ** 2), jnp.zeros(2), prox=prox.l1(1.0))
    >>> solution.params.round(4)  # a zero is a zero
    Array([2.5, 0. ], dtype=float32)
    >>> print(str(solution)[:9])
    converged
    """
    check_number("tol", tol, above=0)
    check_integer("max_steps", max_steps, at_least=1)
    flags = {"has_aux": has_aux, "implicit_diff": implicit_diff, "history": history}
    for name, flag in (flags | {"progress": progress, "verbose": verbose, "screen": screen}).items():
        check_boolean(name, flag)
    if max_seconds is not None:
        check_number("max_seconds", max_seconds, above=0)
    if not isinstance(args, tuple | list):
        raise TypeError(f"args must be a tuple of what fun takes beside params, got {type(args).__name__}.")
    check_takes("linear_solve", linear_solve, 2, "a function (linear_function, right_side)")
    if callback is not None:
        check_takes("callback", callback, 3, "a function of (step, value, error)")
    prox = none() if prox is None else prox
    check_choice("stop", stop, ("error", "gap"))
    for asked, wanted in (("stop='gap'", stop == "gap"), ("screen=True", screen)):
        if wanted and (reason := why_none(fun, prox)):
            raise ValueError(f"{asked} needs a duality gap, but {reason}.")
    linear = as_matrix(linear)
    warm = init_params.state if isinstance(init_params, Solution) else None
    params = as_params(init_params.params if isinstance(init_params, Solution) else init_params)
    check_params(params)
    fun, prox, linear, params = in_pairs(fun, args, has_aux, prox, linear, params, screen)
    chosen = chosen_method(method, prox, step_size)

    def check() -> None:
        check_problem(fun, args, has_aux, prox, linear, params)

    if screen:
        check_screening(linear, method)
    watch = Watch(max_steps, callback, max_seconds, progress, verbose)
    if implicit_diff:
        given = Given(params, warm, args, prox, linear, step_size, tol)
        found = solve_eagerly(fun, given, Options(method, has_aux, max_steps, history, stop, screen), watch, check)
        if found is not None:
            return with_complex_params(found)
    if asked := watch.asked_for() or ("screen" if screen else None):
        raise ValueError(f"{asked} is for calls from outside of jax.jit, jax.vmap and derivatives, with implicit_diff.")
    check()
    dtype = hyperparameter_dtype(params)
    problem, value_and_aux = assembled(
        parts_of(fun, args, has_aux, prox, linear, dtype),
        smooth=is_none(prox),
        dtype=dtype,
        unrolled=not implicit_diff,
        curvature=getattr(fun, "curvature", None) if isinstance(fun, Loss) else None,
    )
    params = varying_with(problem.value, params)
    loop = Loop(chosen, tol, max_steps, callback, history, stop == "gap")

    if implicit_diff:
        found, end = without_derivative(lambda x: loop.run(problem, x, warm), params)
        found = differentiable(problem, found, jax.lax.stop_gradient(end.state.step_size), linear_solve)
    else:
        found, end = loop.run(problem, params, warm)
    return with_complex_params(solution_at(found, end, problem, value_and_aux))
