"""The types through which you can plug your own parts into the library.

    a method              `Rule`, five numbers a step, for `nag_optax.accelerate`
    a momentum sequence   `MomentumSequence`, or any Optax schedule, for ``momentum=``
    a restart test        `RestartTest`, a function of `Evidence` that returns a `Verdict`, for ``restart=``
    a proximal operator   `Prox`, for ``prox=``
    a solver method       `Method`, two functions on a `Point`, for ``minimize(method=)``
    a readable state      `Readable`, one method of the state's class, for `nag_optax.eval_params`
    a later link          `Follower`, one method of its state's class, for what stands before it in a chain

``docs/extend.md`` has a complete example of each; here is a method.

>>> from nag_optax import accelerate, extend
>>> tx = accelerate(extend.Rule(tuple, lambda count, age, carry: (extend.from_two_step(0.9, 0.1, 0.9), carry)))
"""

from nag_optax.engine.coefficients import (
    Coefficients,
    Rule,
    from_coupling,
    from_momentum_and_correction,
    from_two_step,
)
from nag_optax.engine.restart import Evidence, RestartTest, Verdict
from nag_optax.momenta import MomentumSequence
from nag_optax.prox import Prox
from nag_optax.readings import BaseIterate, Follower, Question, Readable, Reading, Readings, ahead, joined, kept, scaled
from nag_optax.solve.backtracking import full_backtracking
from nag_optax.solve.by_transformation import by_transformation
from nag_optax.solve.method import Method, Point, Problem, start

__all__ = [
    "BaseIterate",
    "Coefficients",
    "Evidence",
    "Follower",
    "Method",
    "MomentumSequence",
    "Point",
    "Problem",
    "Prox",
    "Question",
    "Readable",
    "Reading",
    "Readings",
    "RestartTest",
    "Rule",
    "Verdict",
    "ahead",
    "by_transformation",
    "from_coupling",
    "from_momentum_and_correction",
    "from_two_step",
    "full_backtracking",
    "joined",
    "kept",
    "scaled",
    "start",
]
