"""The documents' Python blocks run, one after another, as a reader would type them, and their links lead somewhere."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def executed(name):
    """What the blocks of a document define."""
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL):
        exec(compile(block, name, "exec"), namespace)
    return namespace


def test_the_readme_s_blocks_run_in_order():
    namespace = executed("README.md")
    assert jnp.all(namespace["evaluated"]["w"] != namespace["params"]["w"])
    namespace["tx"].init(namespace["params"])


def test_the_method_that_the_documentation_adds_attains_its_bound():
    namespace = executed("docs/methods.md")
    assert jnp.isclose(jnp.abs(namespace["params"]).max(), namespace["bound"], rtol=1e-4)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_has_its_commands_and_is_short():
    assert 'pip install -e ".[examples]" && python -m programs.train_cnn' in README
    assert 'pip install -e ".[dev]" && python -m pytest' in README
    assert len(README.split()) <= 1050  # words: a cap on lines makes them long
