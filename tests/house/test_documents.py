"""Documents: their Python blocks run, one after another, their links lead somewhere, and their lines fit a window."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
BY_OTHERS = ("node_modules", "site-packages", "__pycache__", "build", "dist", "runs")
WIDTH = 100


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


def own(root):
    """Every Markdown file below a folder, in no hidden one and in none that a tool has filled."""
    for path in sorted(root.rglob("*.md")):
        folders = path.relative_to(root).parts[:-1]
        if not any(name.startswith(".") or name in BY_OTHERS for name in folders):
            yield path


def wide(root):
    """The lines that are longer than a window, by file and number."""
    return [
        f"{path.relative_to(root)}:{number}: {len(line)} characters"
        for path in own(root)
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if len(line) > WIDTH
    ]


def test_no_line_of_a_document_is_longer_than_a_window():
    assert {path.parent for path in own(ROOT)} >= {ROOT, ROOT / "docs", ROOT / "benchmarks" / "results"}
    assert wide(ROOT) == []


def test_a_line_that_is_too_long_is_found(tmp_path):
    for folder in (tmp_path / "docs", tmp_path / ".cache", tmp_path / "runs"):
        folder.mkdir()
        (folder / "page.md").write_text("é" * WIDTH + "\n" + "a" * (WIDTH + 1), encoding="utf-8")
    assert wide(tmp_path) == ["docs/page.md:2: 101 characters"]


def test_the_readme_has_its_commands_and_is_short():
    assert 'pip install -e ".[examples]" && python -m programs.train_cnn' in README
    assert 'pip install -e ".[dev]" && python -m pytest' in README
    assert len(README.split()) <= 1050  # words: a cap on lines makes them long
