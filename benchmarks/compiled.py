"""The bytes that an update moves on a GPU, counted in XLA's program for it: no GPU is needed.

    pip install "jax[cuda12]"
    python -m benchmarks.compiled

JAX compiles for a GPU that is only described. Of the optimized program, every operation that touches arrays of the
parameter's size reads its operands from memory and writes its results there; their sizes add up to the bytes of a step.
What a cache saves, and the time, only a GPU can tell: ``python -m benchmarks.update --parameters 1000000000``.
"""

import argparse
import math
import os
import re
from typing import NamedTuple

os.environ["JAX_PLATFORMS"] = "cpu"  # no GPU is looked for

import jax
import jax.numpy as jnp
import optax
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.report import add_out, heading, outputs, publish
from benchmarks.steps import training_step
from nag_optax import compensated, nag, stochastic_rounding

H200 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448 shared_memory_per_core: 233472
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 4800000000000 l2_cache_size: 52428800 device_memory_size: 150000000000
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  cuda_compute_capability { major: 9 }
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
runtime_version { major: 12 minor: 9 }
device_description_str: "NVIDIA H200"
"""
SHAPE = (32_768, 32_768)

PEERS = {
    "float32": ("optax.sgd(nesterov=True)", optax.sgd(0.1, 0.9, nesterov=True)),
    "bfloat16": (
        "optax.sgd(nesterov=True), float32 accumulator",
        optax.sgd(0.1, 0.9, nesterov=True, accumulator_dtype=jnp.float32),
    ),
}
OURS = {
    "float32": {
        "nag": nag(0.1, 0.9),
        "nag, restart=gradient": nag(0.1, 0.9, restart="gradient"),
        "nag, int8 state": nag(0.1, 0.9, accumulator_dtype=jnp.int8),
    },
    "bfloat16": {
        "nag, float32 state": nag(0.1, 0.9, accumulator_dtype=jnp.float32),
        "nag, float32 state, compensated": optax.chain(nag(0.1, 0.9, accumulator_dtype=jnp.float32), compensated()),
        "nag, int8 state": nag(0.1, 0.9, accumulator_dtype=jnp.int8),
        "nag, int8 state, stochastic_rounding": optax.chain(
            nag(0.1, 0.9, accumulator_dtype=jnp.int8), stochastic_rounding(0)
        ),
    },
}
WIDTHS = {"f32": 4, "bf16": 2, "s8": 1}
ARRAY = re.compile(r"\b(f32|bf16|s8)\[([\d,]+)\]")
OPERATION = re.compile(r"(?:ROOT )?%(\S+) = (.*?) (fusion|copy|custom-call)\((.*?)\)(.*)")


class Kernel(NamedTuple):
    """An operation of a program.

    Attributes:
      is_product: whether it multiplies matrices.
      moved: bytes that it reads and writes.
    """

    is_product: bool
    moved: int


def program(params, tx):
    """The optimized program of a donated step for an H200, as text."""
    topology = topologies.get_topology_desc(platform="cuda", target_config=H200, topology="1x1x1")
    sharding = NamedSharding(topologies.make_mesh(topology, (1,), ("gpu",)), PartitionSpec())
    arguments = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        (params, jax.eval_shape(tx.init, params), params),
    )
    return jax.jit(training_step(tx), donate_argnums=(0, 1)).lower(*arguments).compile().as_text()


def kernels(text):
    """The operations of a program."""
    body = text[text.index("ENTRY") :]
    sizes = {}
    for name, types in re.findall(r"%(\S+) = (\(.*?\)|\S+) [\w-]+\(", body):
        sizes[name] = sum(WIDTHS[kind] * math.prod(map(int, shape.split(","))) for kind, shape in ARRAY.findall(types))
    for name, _, _, operands, attributes in OPERATION.findall(body):
        read = sum(sizes.get(operand, 0) for operand in re.findall(r"%([\w.\-]+)", operands))
        yield Kernel("gemm" in name + attributes, sizes[name] + read)


def passes(dtype, tx):
    """Bytes a parameter of every operation on arrays of at least a thousandth of the parameter."""
    moved = [kernel.moved / math.prod(SHAPE) for kernel in kernels(program(jax.ShapeDtypeStruct(SHAPE, dtype), tx))]
    return [x for x in moved if x > 1e-3]


def main():
    """Counts, prints, writes."""
    parser = argparse.ArgumentParser(description="The bytes that an update moves on a GPU, counted without one.")
    add_out(parser, ".md")
    files = outputs(parser, parser.parse_args())
    lines = [
        *heading("Bytes of one update in XLA's program for an NVIDIA H200", "benchmarks.compiled"),
        f"One leaf of {SHAPE[0]:,} x {SHAPE[1]:,}, params donated. Counted, not timed: no GPU was there.",
        "",
        "| step | params | bytes a parameter | ratio | passes |",
        "|---|---|---|---|---|",
    ]
    for dtype, (peer, peers_tx) in PEERS.items():
        of_peer = passes(dtype, peers_tx)
        counted = {peer: of_peer} | {name: passes(dtype, tx) for name, tx in OURS[dtype].items()}
        for name, each in counted.items():
            shown = " + ".join(f"{x:.2f}" for x in each)
            lines.append(f"| {name} | {dtype} | {sum(each):.2f} | {sum(each) / sum(of_peer):.2f} | {shown} |")
    publish(files, lines)


if __name__ == "__main__":
    main()
