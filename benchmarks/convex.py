"""Convex and composite problems against JAXopt, scikit-learn, skglm, Celer and SCICO, in one process, in float64.

    python -m benchmarks.convex --out benchmarks/results/convex-cpu

Each solver runs with a ladder of tolerances, from loose to tight, because some are absolute. What counts for a target
is the run that reaches it in the fewest steps (the least time, for solvers that do not tell): its seconds (median of
several runs of the whole call, compilation excluded), its steps, and its products with the matrix (f costs one, f and
its gradient two). The optimum is the best value that any solver found. A second table scales one LASSO by every pair
of factors in float32 and float64, and counts who solves it.
"""

import argparse
import statistics
import time
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from benchmarks.convex_problem import jaxopt
from benchmarks.convex_problems import problems
from benchmarks.convex_report import Row, lines, plot
from benchmarks.convex_solvers import MAX_STEPS, OURS, PEER, SCREENED, other, ours, screened, theirs
from benchmarks.report import add_out, outputs, publish
from nag_optax import minimize, prox
from oracles.lassos import design

TARGETS = (1e-3, 1e-6, 1e-10)
LADDER = 10.0 ** -np.arange(-3, 14.25, 0.25)
PLATEAU = 8  # rungs without a change of the solution, two decades, after which it will not change any more


def climb(call, value, slowest):
    """(value, seconds, steps, products, tol) of one run for each tolerance, until one takes too long or the value has
    stopped to change; before its first change, the tolerance is only too loose.
    """
    call(1.0)  # compiles
    values = []
    for tol in LADDER:
        seconds, (x, steps, products) = timed(call, tol)
        if seconds > slowest:  # it may have had to compile for another working set
            seconds, (x, steps, products) = timed(call, tol)
        values.append(float(value(x)))
        yield values[-1], seconds, steps, products, tol
        finished = values[-1] != values[0] and np.ptp(values[-PLATEAU:]) <= 1e-13 * abs(values[-1])
        if seconds > slowest or finished:
            return


def timed(call, tol):
    """Seconds of a call, and its result."""
    begin = time.perf_counter()
    result = call(tol)
    return time.perf_counter() - begin, result


def measure(problem, rounds, slowest):
    """The rows of a problem."""
    peer, count_products = theirs(problem)
    solvers = {OURS: ours(problem)} | ({SCREENED: screened(problem)} if problem.sparse else {}) | {PEER: peer}
    solvers |= {k: other(s) for k, s in problem.others.items()}
    value = jax.jit(problem.value)
    runs = {name: list(climb(call, value, slowest)) for name, call in solvers.items()}
    best = min(v for name in runs for v, *_ in runs[name] if np.isfinite(v))
    chosen = {}
    for name in runs:
        for target in TARGETS:
            reached = [run for run in runs[name] if run[0] - best <= target * abs(best)]
            if reached:
                chosen[name, target] = min(reached, key=lambda run: (run[2] or 0, run[1]))
    times = {key: [] for key in chosen}
    for _ in range(rounds):  # they take turns
        for (name, target), (*_, tol) in chosen.items():
            solvers[name](tol)  # after the others' threads and caches
            times[name, target].append(timed(solvers[name], tol)[0])
    for name in runs:
        for target in TARGETS:
            if (name, target) not in chosen:
                yield Row(name, target)
                continue
            _, _, steps, products, tol = chosen[name, target]
            if name == PEER:
                products = count_products(tol)
            yield Row(name, target, statistics.median(times[name, target]), steps, products)


def scales(dtype):
    """How many of 25 scalings of one LASSO each solver brings to a relative suboptimality of 1e-4 (float32: 1e-3)."""
    X, y, _ = design(100, 200, 0.6, 0)
    strength = 0.1 * abs(X.T @ y).max()
    tol, goal = {"float32": (1e-4, 1e-3), "float64": (1e-8, 1e-4)}[dtype]

    def objective(w):
        return 0.5 * ((X @ w - y) ** 2).sum() + strength * abs(w).sum()

    def smooth(w, data):
        return 0.5 * jnp.sum((data[0] @ w - data[1]) ** 2)

    start = jnp.zeros(200, dtype)

    @jax.jit
    def our_solution(data, s):
        return minimize(smooth, start, args=(data,), prox=prox.l1(s), tol=tol).params

    @jax.jit
    def their_solution(data, s):
        solver = jaxopt.ProximalGradient(smooth, jaxopt.prox.prox_lasso, tol=tol, maxiter=MAX_STEPS)
        return solver.run(start, s, data).params

    best = objective(np.asarray(our_solution((jnp.asarray(X, dtype), jnp.asarray(y, dtype)), strength), float))
    solved = Counter({OURS: 0, PEER: 0})
    factors = (1e-6, 1e-3, 1, 1e3, 1e6)
    for a in factors:
        for b in factors:
            data = jnp.asarray(X * a, dtype), jnp.asarray(y * b, dtype)
            for name, solve in ((OURS, our_solution), (PEER, their_solution)):
                w = np.asarray(solve(data, jnp.asarray(strength * a * b, dtype)), float) * a / b
                solved[name] += bool(objective(w) - best <= goal * best)
    return solved


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Convex problems against JAXopt and others.")
    parser.add_argument("--rounds", type=int, default=5, help="runs to take the median of (default: 5)")
    parser.add_argument("--slowest", type=float, default=4.0, help="seconds after which no finer tolerance is tried")
    parser.add_argument("--only", default="", help="problems whose name contains this")
    add_out(parser, ".md", ".csv", ".png")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    scaled = {"float32": scales("float32")}
    jax.config.update("jax_enable_x64", True)
    scaled["float64"] = scales("float64")
    chosen = {name: problem for name, problem in problems().items() if arguments.only in name}
    results = {
        name: list(measure(problem, arguments.rounds, arguments.slowest))
        for name, problem in tqdm(chosen.items(), desc="problems")
    }
    table = [["problem", *Row._fields], *([name, *row] for name, rows in results.items() for row in rows)]
    publish(files, lines(results, scaled), table, plot(results))


if __name__ == "__main__":
    main()
