"""Muon: Nesterov's momentum, orthogonalised.

Jordan et al. (2024), https://kellerjordan.github.io/posts/muon, for every matrix of a hidden layer ::

    m_{k+1} = mu_k m_k + (1 - mu_k) g_k
    u       = mu_{k+1} m_{k+1} + (1 - mu_k) g_k                     Nesterov's direction; mu_k for both in the code
    y_{k+1} = y_k - learning_rate scale polar(u)

with the polar factor by polynomials (`nag_optax.maps.polar_factor`), and a factor of the shape, see `orthogonalize`.
The map is blind to the length of u: it needs no bias correction, and the velocity may be a sum or a mean of gradients.
For a constant momentum that is the same method; when the momentum changes, it is not, and the mean is Jordan's. The
momentum is here an estimate of the gradient: there is no base iterate behind a map. `nag_optax.ema_nesterov` and `gpa`
go around Muon, and have one.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from jax import Array

from nag_optax.engine.accelerate import accelerate
from nag_optax.engine.coefficients import Coefficients, Rule
from nag_optax.links.root_mean_square import over_root_mean_square
from nag_optax.links.weight_decay import is_off, own_decay
from nag_optax.maps.map_state import NO_POINT
from nag_optax.maps.mapped import mapped
from nag_optax.maps.matrix_axes import AxesOf, Finder
from nag_optax.maps.neurons import normalize_neurons
from nag_optax.maps.orthogonalize import orthogonalize
from nag_optax.maps.polar_factor import Polynomial
from nag_optax.maps.router import are_matrices, by_name
from nag_optax.masks import flags_of
from nag_optax.methods.nag import nag_rule
from nag_optax.momenta import Momentum
from nag_optax.readings import Question, Readings
from nag_optax.scalars import Scalar, mixing, scalar_at
from nag_optax.trees import beside
from nag_optax.validation import as_dtype, check_choice, check_number, check_transformation, leaf_name


class MuonState(NamedTuple):
    """State of Muon; it has no base iterate.

    Attributes:
      matrices: state of the matrices; its one buffer is their velocity.
      fallback: state of the fallback.
    """

    matrices: Any
    fallback: Any

    @property
    def step(self) -> Array:
        """Updates so far, int32."""
        return self.matrices.step

    def readings(self, question: Question) -> Readings:
        """Raises ValueError."""
        raise ValueError(NO_POINT)


def muon(
    learning_rate: optax.ScalarOrSchedule,
    momentum: Momentum = 0.95,
    *,
    lookahead: optax.ScalarOrSchedule = 1.0,
    velocity: str = "mean",
    axes: AxesOf = None,
    polynomial: Polynomial = "quintic",
    dtype: Any = "bfloat16",
    scale: str | None = "rms",
    map: Callable[[Array], Array] | None = None,
    neurons: Scalar | None = None,
    fallback: optax.GradientTransformation | None = None,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any | Callable[[Any], Any] | None = None,
    accumulator_dtype: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Muon for the matrices of hidden layers, and another optimizer for everything else; `nag_optax.muon_table` shows
    who gets what.

    Args:
      learning_rate: at least 0; a number or a schedule. With ``scale="rms"`` it is that of AdamW.
      momentum: mu in [0, 1): a number, a schedule or a sequence, as in `nag_optax.nag`.
      lookahead: at least 0, as in `nag_optax.nag`: 1 is Nesterov's direction, 0 the velocity alone.
      velocity: "mean" or "gradient", as in `nag_optax.scale_by_nag`; they differ where the momentum changes.
      axes: which axes of a leaf are a matrix, see `nag_optax.orthogonalize`; None from the function for what the
        fallback trains. By default `nag_optax.maps.hidden_matrices`, which knows names, and refuses to guess.
      polynomial, dtype, map: of the polar factor, see `nag_optax.orthogonalize`.
      scale: "rms", "spectral" (Jordan's) or None, see `nag_optax.orthogonalize`.
      neurons: decay b2, in [0, 1), of the second moments of NorMuon, see `nag_optax.maps.normalize_neurons`; None
        without.
      fallback: any transformation, with a learning rate and a weight decay of its own. By default AdamW with those of
        Muon, b1 = 0.9 and b2 = 0.95; only with ``scale="rms"``, since other scales have another learning rate.
      weight_decay, mask: decoupled weight decay, see `nag_optax.decayed`; not for what a given fallback trains.
      accumulator_dtype: of the velocity, see `nag_optax.accelerate`; bfloat16 is fine.

    Returns:
      A gradient transformation. There is no base iterate behind a map: `nag_optax.eval_params` refuses.

    Raises:
      ValueError: for an ``accumulator_dtype`` of one byte: the map lifts small singular values, and the rounding of the
        velocity with them (`orthogonalize` behind `scale_by_nag` takes it). In ``init``, for a leaf whose layout
        ``axes`` do not tell, and for one that needs a ``fallback``.

    >>> import jax.numpy as jnp, optax
    >>> from nag_optax import muon
    >>> params = {"dense": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}}
    >>> tx = muon(0.1, dtype=jnp.float32, polynomial="polar_express")
    >>> updates, state = tx.update(params, tx.init(params), params)
    >>> updates["dense"]["kernel"].round(4)  # 0.2 sqrt(2) times the learning rate, along the diagonal
    Array([[-0.0283, -0.    ],
           [-0.    , -0.0283]], dtype=float32)
    """
    stored = as_dtype("accumulator_dtype", accumulator_dtype)
    if stored is not None and stored.itemsize == 1:
        raise ValueError(
            f"accumulator_dtype must have at least 16 bits for muon, got {stored}: the polar factor lifts the rounding "
            "of small singular values to the size of the large ones; bfloat16 is fine. If you want it all the same: "
            "optax.chain(scale_by_nag(0.95, accumulator_dtype=jnp.int8), orthogonalize(...), ...)."
        )
    if fallback is not None:
        check_transformation("fallback", fallback)
    check_choice("velocity", velocity, ("mean", "gradient"))
    rule, axes_of = nag_rule(1.0, momentum, lookahead, velocity), by_name(axes)
    map_links = [orthogonalize(axes_of, polynomial=polynomial, dtype=dtype, scale=scale, map=map)]
    if neurons is not None:
        check_number("neurons", neurons, at_least=0, below=1)
        map_links.append(normalize_neurons(neurons, axes_of))

    def at(rate: Any) -> optax.GradientTransformationExtraArgs:
        matrices = mapped(rule, optax.chain(*map_links), rate, accumulator_dtype)
        return _routed(matrices, _adam(rate) if fallback is None else fallback, axes_of, check)

    def check(flags: Any) -> None:
        for path, is_matrix in jax.tree_util.tree_leaves_with_path(flags):
            if fallback is None and scale != "rms" and not is_matrix:
                raise ValueError(
                    f"fallback must be given for {leaf_name(path)}, which is no hidden matrix: AdamW has another "
                    f"learning rate than scale={scale!r}."
                )

    if fallback is not None and not is_off(weight_decay):
        mask = _only_matrices(axes_of, mask)
    return own_decay(at, learning_rate, weight_decay, mask)


def _adam(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformationExtraArgs:
    """Adam with b1 = 0.9 and b2 = 0.95, in five numbers and a root mean square."""
    b1, b2, eps = 0.9, 0.95, 1e-8

    def numbers(count, age, product):
        eta, product = scalar_at(learning_rate, count), product * b1
        c = Coefficients(
            decay=b1,
            gain=1 - b1,
            lead=eta / (1 - product),
            step_size=0,
            readout=0,
            hyperparams={"learning_rate": eta, "momentum": b1},
        )
        return c, product

    return over_root_mean_square(accelerate(Rule(lambda: 1.0, numbers)), b2, eps)


def _routed(
    matrices: optax.GradientTransformation,
    fallback: optax.GradientTransformation,
    axes_of: Finder,
    check: Callable[[Any], None],
) -> optax.GradientTransformationExtraArgs:
    """Matrices by one transformation, everything else by the other."""
    fallback = optax.with_extra_args_support(fallback)

    def init(params: Any) -> MuonState:
        flags = are_matrices(axes_of, params)
        check(flags)
        return MuonState(matrices.init(_part(flags, params)), fallback.init(_part(_other(flags), params)))

    @mixing
    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, MuonState]:
        flags = are_matrices(axes_of, updates)
        params = beside(updates, params)

        def of(tx: Any, flags: Any, state: Any) -> tuple[Any, Any]:
            return tx.update(_part(flags, updates), state, None if params is None else _part(flags, params), **extra)

        ours, of_matrices = of(matrices, flags, state.matrices)
        theirs, of_others = of(fallback, _other(flags), state.fallback)
        whole = jax.tree.map(lambda is_matrix, u, v: u if is_matrix else v, flags, ours, theirs)
        return whole, MuonState(of_matrices, of_others)

    return optax.GradientTransformationExtraArgs(init, update)


def _other(flags: Any) -> Any:
    return jax.tree.map(operator.not_, flags)


def _part(flags: Any, tree: Any) -> Any:
    """The leaves that are marked; Optax' stand-in for nothing in the place of others."""
    return jax.tree.map(lambda flag, x: x if flag else optax.MaskedNode(), flags, tree)


def _only_matrices(axes_of: Finder, mask: Any) -> Callable[[Any], Any]:
    """The mask, where it marks matrices."""

    def both(params: Any) -> Any:
        flags, given = are_matrices(axes_of, params), True if mask is None else flags_of("mask", mask, params)
        return jax.tree.map(lambda decays, part: jax.tree.map(lambda f: f and bool(decays), part), given, flags)

    return both
