"""Convex and composite problems against JAXopt, scikit-learn and skglm, in one process, in float64.

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
import warnings
from collections import Counter

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

from benchmarks.convex_problems import jaxopt, problems
from benchmarks.report import add_out, heading, outputs, publish
from nag_optax import minimize, prox
from oracles.lassos import design

TARGETS = (1e-3, 1e-6, 1e-10)
LADDER = 10.0 ** -np.arange(-3, 14.25, 0.25)
PLATEAU = 8  # rungs without a change of the solution, two decades, after which it will not change any more
MAX_STEPS = 20_000
OURS, PEER = "nag_optax", "JAXopt"


def ours(problem):
    """``solve(tol) -> (x, steps, products)``."""

    def smooth(x):
        return problem.loss(problem.matrix @ x)

    @jax.jit
    def solve(start, tol):
        found = minimize(smooth, start, prox=problem.prox, tol=tol, max_steps=MAX_STEPS)
        return found.params, found.steps, 2 * found.state.gradients + found.state.values

    start = jnp.zeros(problem.matrix.shape[1])

    def call(tol):
        x, steps, products = jax.block_until_ready(solve(start, tol))
        return x, int(steps), int(products)

    return call


def theirs(problem):
    """The same for JAXopt, and a function that counts its products, by a callback in a run of its own: JAXopt does not
    say.
    """
    products = Counter()

    @jax.custom_vjp
    def counted(x):
        jax.debug.callback(lambda: products.update(n=1))
        return problem.matrix @ x

    def back(_, cotangent):
        jax.debug.callback(lambda: products.update(n=1))
        return (problem.matrix.T @ cotangent,)

    counted.defvjp(lambda x: (counted(x), None), back)

    def solver(product):
        def solve(start, tol):
            run = jaxopt.ProximalGradient(
                lambda x: problem.loss(product(x)), problem.jaxopt_prox, tol=tol, maxiter=MAX_STEPS
            )
            found = run.run(start, None)
            return found.params, found.state.iter_num

        return jax.jit(solve)

    plain, counting = solver(lambda x: problem.matrix @ x), solver(counted)

    start = jnp.zeros(problem.matrix.shape[1])

    def call(tol):
        x, steps = jax.block_until_ready(plain(start, tol))
        return x, int(steps), None

    def count(tol):
        products.clear()
        jax.block_until_ready(counting(start, tol))
        jax.effects_barrier()
        return products["n"]

    return call, count


def other(solve):
    """A solver that says nothing but its solution."""

    def call(tol):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged to this tolerance
            return np.asarray(solve(tol)), None, None

    return call


def climb(call, value, slowest):
    """(value, seconds, steps, products, tol) of one run for each tolerance, until one takes too long or the value has
    stopped to change; before its first change, the tolerance is only too loose.
    """
    call(1.0)  # compiles
    values = []
    for tol in LADDER:
        begin = time.perf_counter()
        x, steps, products = call(tol)
        seconds = time.perf_counter() - begin
        values.append(float(value(x)))
        yield values[-1], seconds, steps, products, tol
        finished = values[-1] != values[0] and np.ptp(values[-PLATEAU:]) <= 1e-13 * abs(values[-1])
        if seconds > slowest or finished:
            return


def measure(problem, rounds, slowest):
    """Rows of (solver, target, seconds, steps, products); None where a target was not reached."""
    peer, count_products = theirs(problem)
    solvers = {OURS: ours(problem), PEER: peer} | {k: other(s) for k, s in problem.others.items()}
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
            begin = time.perf_counter()
            solvers[name](tol)
            times[name, target].append(time.perf_counter() - begin)
    for name in runs:
        for target in TARGETS:
            if (name, target) not in chosen:
                yield name, target, None, None, None
                continue
            _, _, steps, products, tol = chosen[name, target]
            if name == PEER:
                products = count_products(tol)
            yield name, target, statistics.median(times[name, target]), steps, products


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


def cell(seconds, steps, products):
    """A row's figures in one cell."""
    if seconds is None:
        return "-"
    counts = "".join(f", {n} {unit}" for n, unit in ((steps, "steps"), (products, "products")) if n is not None)
    return f"{1e3 * seconds:.1f} ms{counts}"


def report(results, scaled):
    """The lines of the result."""
    yield from heading("Convex and composite problems", "benchmarks.convex")
    yield "| problem | solver | " + " | ".join(f"to {target:g}" for target in TARGETS) + " |"
    yield "|---|---|" + "---|" * len(TARGETS)
    for problem, rows in results.items():
        for name in dict.fromkeys(row[0] for row in rows):
            cells = [cell(*figures) for solver, _, *figures in rows if solver == name]
            yield f"| {problem} | {name} | " + " | ".join(cells) + " |"
    yield ""
    for target in TARGETS:
        pairs = [
            (a[2] / b[2], a[4] / b[4])
            for rows in results.values()
            for a in rows
            for b in rows
            if (a[0], b[0]) == (OURS, PEER) and a[1] == b[1] == target and a[2] and b[2]
        ]
        seconds, products = (np.exp(np.mean(np.log(column))) for column in zip(*pairs, strict=True))
        most = max(p for _, p in pairs)
        yield (
            f"To {target:g}, against JAXopt on the {len(pairs)} problems where it arrives, geometric means: "
            f"{seconds:.2f}x of its seconds, {products:.2f}x of its products (at most {most:.2f}x)."
        )
    yield ""
    descent = "scikit-learn, coordinate descent"
    for problem, rows in results.items():
        seconds = {row[0]: row[2] for row in rows if row[1] == TARGETS[-1]}
        if seconds.get(OURS) and seconds.get(descent):
            ratio = seconds[OURS] / seconds[descent]
            yield f"* {problem} to {TARGETS[-1]:g}: {ratio:.2f}x of the seconds of {descent}."
    yield ""
    for dtype, solved in scaled.items():
        yield f"One LASSO scaled 25 ways, {dtype}: {OURS} solves {solved[OURS]}, JAXopt {solved[PEER]}."


def plot(results):
    """Seconds to the middle target, a dot for each solver."""
    fig, ax = plt.subplots(figsize=(8, 0.42 * len(results) + 1.2), constrained_layout=True)
    names = list(dict.fromkeys(row[0] for rows in results.values() for row in rows))
    for name in names:
        points = [
            (row[2], i) for i, rows in enumerate(results.values()) for row in rows if row[:2] == (name, 1e-6) and row[2]
        ]
        if points:
            ax.plot(*zip(*points, strict=True), "o", ms=7, label=name, alpha=0.85)
    ax.set(xscale="log", xlabel="seconds to a relative suboptimality of 1e-6", yticks=range(len(results)))
    ax.set_yticklabels(results)
    ax.invert_yaxis()
    ax.grid(axis="x", color="#e8e8e8")
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Convex problems against JAXopt, scikit-learn and skglm.")
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
    table = [["problem", "solver", "target", "seconds", "steps", "products"]]
    table += [[name, *row] for name, rows in results.items() for row in rows]
    publish(files, report(results, scaled), table, plot(results))


if __name__ == "__main__":
    main()
