"""A small decoder-only transformer with `flax.nnx`: tokens [N, T] to logits [N, T, vocabulary]."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class Block(nnx.Module):
    """Causal attention and a dense layer, each added to its input."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs):
        self.norms = nnx.List(nnx.RMSNorm(width, rngs=rngs) for _ in range(2))
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, use_bias=False, rngs=rngs)
        self.expand = nnx.Linear(width, 4 * width, rngs=rngs)
        self.contract = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x):
        """Activations [N, T, width] of the next block."""
        mask = nnx.make_causal_mask(jnp.zeros(x.shape[:2]))
        x = x + self.attention(self.norms[0](x), mask=mask)
        return x + self.contract(nnx.gelu(self.expand(self.norms[1](x))))


class Transformer(nnx.Module):
    """Embedding, blocks, and the embedding again as the output layer."""

    def __init__(self, vocabulary: int, length: int, width: int, depth: int, heads: int, rngs: nnx.Rngs):
        self.tokens = nnx.Embed(vocabulary, width, embedding_init=nnx.initializers.normal(0.02), rngs=rngs)
        self.positions = nnx.Embed(length, width, embedding_init=nnx.initializers.normal(0.02), rngs=rngs)
        self.blocks = nnx.List(Block(width, heads, rngs) for _ in range(depth))
        self.norm = nnx.RMSNorm(width, rngs=rngs)

    def __call__(self, tokens):
        """Logits of the token that follows each of ``tokens``."""
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.tokens.attend(self.norm(x))


def create(seed: int, **sizes: int):
    """(graph definition, params): a model taken apart into what is static and an ordinary pytree."""
    graph, params = nnx.split(Transformer(**sizes, rngs=nnx.Rngs(seed)), nnx.Param)
    return graph, nnx.to_pure_dict(params)


def loss(graph, params, tokens: jax.Array) -> jax.Array:
    """Mean cross-entropy of the next token in nats; tokens [N, T + 1]."""
    logits = nnx.merge(graph, params)(tokens[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()
