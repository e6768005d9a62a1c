"""Maps as links of a chain: which leaves they take, and what is known behind them."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from nag_optax import eval_params, maps, nag, orthogonalize, scale_by_nag
from nag_optax.maps import MatrixAxes, hidden_matrices

RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RNG.standard_normal(shape), jnp.float32)


def applied(tx, updates):
    return tx.update(updates, tx.init(updates))[0]


LAYOUTS = {
    "dense": ((4, 6), MatrixAxes(0, 1), lambda x: x[None]),
    "PyTorch": ((6, 4), MatrixAxes(1, 0), lambda x: x.T[None]),
    "layers": ((3, 4, 6), MatrixAxes(1, 2), lambda x: x),
    "heads": ((4, 3, 6), MatrixAxes(0, 2), lambda x: x.transpose(1, 0, 2)),
    "heads, one matrix": ((4, 3, 6), MatrixAxes(0, (1, 2)), lambda x: x.reshape(1, 4, 18)),
    "convolution": ((3, 3, 2, 5), MatrixAxes((0, 1, 2), 3), lambda x: x.reshape(1, 18, 5)),
    "counted from the end": ((3, 4, 6), MatrixAxes(-2, -1), lambda x: x),
    "stacked convolutions": ((2, 3, 3, 2, 5), MatrixAxes((1, 2, 3), 4), lambda x: x.reshape(2, 18, 5)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_axes_say_what_is_a_matrix(layout):
    shape, axes, as_stack = LAYOUTS[layout]
    x = normal(*shape)
    ours = applied(orthogonalize(axes, dtype=jnp.float32), x)
    expected = maps.polar_factor(jnp.asarray(as_stack(np.asarray(x))), dtype=jnp.float32)
    np.testing.assert_allclose(as_stack(np.asarray(ours)), expected, atol=1e-5)
    count, inputs, outputs = axes.of(shape)
    assert as_stack(np.asarray(x)).shape == (count, inputs, outputs)


@pytest.mark.parametrize(
    ("scale", "factor"),
    [
        (None, lambda i, o: 1),
        ("spectral", lambda i, o: max(1, o / i) ** 0.5),
        ("rms", lambda i, o: 0.2 * max(i, o) ** 0.5),
    ],
)
@pytest.mark.parametrize("axes", [MatrixAxes(0, 1), MatrixAxes(1, 0)])
def test_scales_know_inputs_from_outputs(axes, scale, factor):
    x = normal(3, 12)
    _, inputs, outputs = axes.of(x.shape)
    ours, plain = (applied(orthogonalize(axes, scale=s, dtype=jnp.float32), x) for s in (scale, None))
    np.testing.assert_allclose(ours, factor(inputs, outputs) * plain, rtol=1e-6)


def test_another_map_may_be_given():
    x = normal(3, 4, 6)
    by_norm = orthogonalize(MatrixAxes(1, 2), map=lambda m: m / jnp.linalg.norm(m, axis=(-2, -1), keepdims=True))
    np.testing.assert_allclose(jnp.linalg.norm(applied(by_norm, x), axis=(1, 2)), 1, rtol=1e-6)
    with pytest.raises(ValueError, match="map must keep the shape"):
        applied(orthogonalize(map=lambda m: m[0]), normal(3, 4))


REFUSED = [
    (lambda x: orthogonalize(), (3, 4, 5), ValueError, "axes must say which axes of params"),
    (lambda x: orthogonalize(), (3,), ValueError, "axes must say which axes of params"),
    (lambda x: orthogonalize(MatrixAxes(0, 3)), (3, 4, 5), ValueError, "axes do not fit params"),
    (lambda x: orthogonalize(MatrixAxes(0, 0)), (3, 4), ValueError, "axes do not fit params"),
    (lambda x: orthogonalize(MatrixAxes(0, ())), (3, 4), ValueError, "axes do not fit params"),
    (lambda x: orthogonalize(lambda path, leaf: 3), (3, 4), TypeError, "axes must be MatrixAxes, or a function"),
    (lambda x: orthogonalize((0, 1)), (3, 4), TypeError, "axes must be MatrixAxes, or a function"),
    (lambda x: orthogonalize(lambda path: None), (3, 4), TypeError, "axes must be MatrixAxes, or a function"),
    (lambda x: orthogonalize(scale="max"), (3, 4), ValueError, "scale must be one of 'spectral', 'rms'"),
    (lambda x: orthogonalize(map=3.0), (3, 4), TypeError, "map must be a function of matrices"),
    (lambda x: maps.normalize_neurons(), (3,), ValueError, "axes must say which axes of params"),
]


@pytest.mark.parametrize(("make", "shape", "error", "words"), REFUSED)
def test_what_does_not_fit_is_refused_before_the_first_step(make, shape, error, words):
    with pytest.raises(error, match=words):
        make(None).init(jnp.ones(shape))


BEHIND = {"sign": maps.sign, "orthogonalize": orthogonalize, "normalize_neurons": maps.normalize_neurons}


@pytest.mark.parametrize("name", BEHIND)
class TestPoints:
    def test_there_is_none_behind_a_map(self, name):
        params = normal(3, 4)
        for tx in (
            optax.chain(scale_by_nag(0.9), BEHIND[name](), optax.scale_by_learning_rate(0.1)),
            optax.chain(nag(0.1), BEHIND[name]()),
        ):
            _, state = tx.update(params, tx.init(params), params)
            for rate in (0.1, None) if len(state) == 3 else (None,):
                with pytest.raises(ValueError, match="no base iterate behind a nonlinear map"):
                    eval_params(state, params, learning_rate=rate)

    def test_it_is_exact_behind_an_acceleration_of_mapped_gradients(self, name):
        tx, one = optax.chain(BEHIND[name](), nag(0.1, 0.9)), BEHIND[name]()
        params, state, of_map = normal(3, 4), None, None
        state, of_map = tx.init(params), one.init(params)
        for _ in range(5):
            gradient = normal(3, 4)
            mapped, of_map = one.update(gradient, of_map)
            expected = params - 0.1 * mapped  # x' = y - eta map(g)
            updates, state = tx.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
            np.testing.assert_allclose(eval_params(state, params), expected, atol=1e-6)


def test_signs_of_what_is_not_finite_are_nan():
    x = jnp.array([1.0, -2.0, 0.0, jnp.inf, -jnp.inf, jnp.nan])
    np.testing.assert_array_equal(applied(maps.sign(), x), [1, -1, 0, np.nan, np.nan, np.nan])


def test_neurons_are_equally_fast_and_the_norm_stays():
    tx, state = maps.normalize_neurons(0.9), None
    x = normal(20, 4) * jnp.array([1.0, 10.0, 0.1, 0.0])
    updates, state = tx.update(x, tx.init(x))
    speeds = jnp.sqrt(jnp.mean(updates**2, axis=0))
    np.testing.assert_allclose(speeds[:3], speeds[0], rtol=1e-5)
    assert speeds[3] == 0
    np.testing.assert_allclose(jnp.linalg.norm(updates), jnp.linalg.norm(x), rtol=1e-5)
    assert jax.tree.map(jnp.shape, state.mean_square) == (1, 4)


NAMES = {
    "['dense']['kernel']": True,
    "['layers_3']['attention']['query']['kernel']": True,
    "['MultiHeadDotProductAttention_0']['out']['kernel']": True,
    "['multi_head_attention']['kernel']": True,
    ".blocks[3].mlp.kernel.value": True,
    "['linear/w']": True,
    "w": True,
    "['embed']['kernel']": False,
    "['Embed_0']['embedding']": False,
    "['token_embedder']": False,
    "['wte']": False,
    "['lm_head']['kernel']": False,
    "['head']['kernel']": False,
    "['Head_0']['kernel']": False,
    "['unembed']": False,
    "['dense']['bias']": False,
    ".dense.bias.value": False,
    "['LayerNorm_0']['scale']": False,
    "['norm1']['weight']": False,
    "['conv1d']['kernel']": False,
    "['depthwise']['kernel']": False,
}


@pytest.mark.parametrize("path", NAMES)
def test_names_tell_hidden_matrices(path):
    assert hidden_matrices(path, jnp.ones((4, 6))) == (MatrixAxes(0, 1) if NAMES[path] else None)


def test_names_do_not_tell_layouts():
    for shape in ((2, 4, 6), (3, 3, 4, 6)):
        with pytest.raises(ValueError, match=r"\['layers'\]\['kernel'\] has more than one reading.*MatrixAxes\(1, 2\)"):
            hidden_matrices("['layers']['kernel']", jnp.ones(shape))
        assert hidden_matrices("['layers']['bias']", jnp.ones(shape)) is None


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("spec", [P("d"), P(None, "d"), P(None, None, "d"), P(None, "d", None)])
def test_matrices_in_parts_are_the_matrices(spec, axis_type):
    mesh = jax.make_mesh((8,), ("d",), axis_types=(axis_type,))
    x, tx = normal(8, 16, 24), orthogonalize(MatrixAxes(1, 2), dtype=jnp.float32)
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh):
        placed = jax.device_put(x, NamedSharding(mesh, spec))
        ours = jax.jit(lambda u: tx.update(u, tx.init(u))[0])(placed)
    np.testing.assert_allclose(ours, applied(tx, x), atol=1e-5)
    if axis_type == AxisType.Explicit:
        assert ours.sharding.is_equivalent_to(placed.sharding, 3)


def test_states_of_maps_survive_a_scan():
    tx = optax.chain(orthogonalize(), maps.normalize_neurons(), maps.sign())
    x = normal(4, 6)

    def body(state, u):
        updates, state = tx.update(u, state)
        return state, updates

    _, stacked = jax.lax.scan(body, tx.init(x), jnp.stack([x] * 3))
    chex.assert_tree_all_finite(stacked)


@pytest.mark.parametrize("inputs", [0.5, None, "a", ((0,),)])
def test_axes_that_are_no_integers_name_the_leaf(inputs):
    with pytest.raises(TypeError, match=r"axes do not fit \['w'\], of shape \(2, 3\): MatrixAxes must hold"):
        orthogonalize(MatrixAxes(inputs, 1)).init({"w": jnp.ones((2, 3))})
    orthogonalize(MatrixAxes(np.int64(0), 1)).init({"w": jnp.ones((2, 3))})


def test_an_empty_leaf_leaves_no_nan():
    tx, x = maps.normalize_neurons(), jnp.zeros((0, 4))
    assert jnp.isfinite(tx.update(x, tx.init(x))[1].mean_square).all()


def test_stacked_biases_of_haiku_are_no_matrices():
    for name in ("b", "offset"):
        assert hidden_matrices(f"['transformer/__layer_stack_no_per_layer/linear']['{name}']", jnp.ones((4, 8))) is None
