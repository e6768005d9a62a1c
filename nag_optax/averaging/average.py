"""A method of five numbers on the updates of an inner optimizer, which knows its points whatever the inner one does."""

from typing import Any

import optax

from nag_optax.engine.accelerate import AccelerateState, accelerate
from nag_optax.engine.coefficients import Rule
from nag_optax.validation import check_transformation


class AverageState(AccelerateState):
    """State of a method around an inner optimizer: an `AccelerateState` whose gradients are finished updates.

    Its points do not depend on how these came about: no link before it in a chain is asked.
    """

    __slots__ = ()
    knows_all = True


def around(inner: optax.GradientTransformation, rule: Rule, accumulator_dtype: Any) -> Any:
    """The rule on the updates of an inner optimizer.

    Args:
      inner: the optimizer, with its own learning rate.
      rule: with the inner updates as gradients; they point downhill, so its ``lead`` and ``step_size`` are negative.
      accumulator_dtype: see `nag_optax.accelerate`.
    """
    check_transformation("inner", inner)
    chain = optax.with_extra_args_support(optax.chain(inner, accelerate(rule, accumulator_dtype=accumulator_dtype)))

    def init(params: Any) -> tuple[Any, AverageState]:
        whole: Any = chain.init(params)
        of_inner, of_rule = whole
        return of_inner, AverageState(*of_rule)

    return optax.GradientTransformationExtraArgs(init, chain.update)
