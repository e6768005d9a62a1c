"""Values that an argument may have by mistake, by what they are called."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_optax import momenta, prox, restart

SCHEDULES = {
    "schedule of vectors": lambda count: jnp.ones(3),
    "schedule of words": lambda count: "0.1",
    "schedule of None": lambda count: None,
    "schedule of NaN": lambda count: jnp.nan,
    "schedule of the negative": lambda count: -1.0,
    "schedule without count": lambda: 0.1,
}
NOT_CALLED = {
    "momenta.nesterov": momenta.nesterov,
    "momenta.polynomial": momenta.polynomial,
    "momenta.chambolle_pock": momenta.chambolle_pock,
    "optax.cosine_decay_schedule": optax.cosine_decay_schedule,
    "prox.l1": prox.l1,
    "prox.box": prox.box,
    "restart.every": restart.every,
    "optax.sgd": optax.sgd,
    "float": float,
    "optax.projections.projection_simplex": optax.projections.projection_simplex,
}
ARRAYS = {
    "numpy vector": np.ones(3),
    "jax vector": jnp.ones(3),
    "jax -1": jnp.asarray(-1.0),
    "jax nan": jnp.asarray(jnp.nan),
    "jax inf": jnp.asarray(jnp.inf),
    "jax 1e30": jnp.asarray(1e30),
    "jax int -1": jnp.asarray(-1),
    "jax True": jnp.asarray(True),
    "jax 1j": jnp.asarray(1j),
    "jax key": jax.random.key(0),
    "numpy -1": np.float32(-1),
    "numpy words": np.asarray(["0.1"]),
    "numpy True": np.True_,
}
NUMBERS = {
    "-1": -1,
    "-0.5": -0.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "1e300": 1e300,
    "10**400": 10**400,
    "10**12": 10**12,
    "0": 0,
    "2.5": 2.5,
    "1j": 1j,
    "True": True,
}
CONTAINERS = {
    "None": None,
    "()": (),
    "[]": [],
    "{}": {},
    "[0.1]": [0.1],
    "(0.1, 0.2, 0.3)": (0.1, 0.2, 0.3),
    "{'x': 0.1}": {"x": 0.1},
    "object": object(),
    "ShapeDtypeStruct": jax.ShapeDtypeStruct((), jnp.float32),
    "module": momenta,
}
WORDS = {"''": "", "'no'": "no", "'0.1'": "0.1", "b'x'": b"x"}
DTYPES = {"int32": jnp.int32, "'complex64'": "complex64", "'nonsense'": "nonsense", "object dtype": np.dtype(object)}
MALFORMED = SCHEDULES | NOT_CALLED | ARRAYS | NUMBERS | CONTAINERS | WORDS | DTYPES
