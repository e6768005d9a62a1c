"""The README's Python blocks run, one after another, as a reader would type them."""

import re
from pathlib import Path

import jax.numpy as jnp

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_code_blocks_run_in_order():
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert len(blocks) == 3
    assert jnp.all(namespace["evaluated"]["w"] != namespace["params"]["w"])
    namespace["tx"].init(namespace["params"])


def test_commands_and_links_are_there():
    assert 'pip install -e ".[examples]" && python examples/train_cnn.py' in README
    assert 'pip install -e ".[dev]" && python -m pytest' in README
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (Path(__file__).parents[2] / target).exists(), target


def test_is_short():
    assert len(README.splitlines()) <= 120
