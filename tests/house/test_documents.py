"""Documents: their Python blocks run, one after another, their links lead somewhere, and their lines fit a window."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

from nag_optax import eval_params

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/reference/*.md")]
BY_OTHERS = ("node_modules", "site-packages", "__pycache__", "build", "dist", "runs", "site")
WIDTH = 100
WORDS = 450
ELSEWHERE = {  # pages whose blocks other tests run, and look at what they make
    "cookbook.md": "house/test_cookbook.py",
    "extend.md": "house/test_extend.py",
    "from_jaxopt.md": "ecosystem/test_from_jaxopt.py",
    "from_scikit_learn.md": "ecosystem/test_from_scikit_learn.py",
    "interop.md": "ecosystem/test_interop.py",
}

NEEDS = {"theory.md": "clarabel"}  # of an extra
SHORTER = {"docs/evidence.md": {"4000": "4", "(1, 10, 50, 250)": "(10,)"}}  # its training takes a minute


def blocks(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL)


def executed(name):
    """What the blocks of a document define."""
    namespace = {}
    for block in blocks(ROOT / name):
        for long, short in SHORTER.get(str(name), {}).items():
            assert long in block
            block = block.replace(long, short)
        exec(compile(block, name, "exec"), namespace)
    return namespace


def test_the_readme_s_blocks_run_in_order():
    namespace = executed("README.md")
    assert jnp.all(namespace["evaluated"]["w"] != namespace["params"]["w"])
    namespace["tx"].init(namespace["params"])


def test_the_readme_s_schedule_reaches_the_momentum_that_it_names():
    ((schedule, top, steps),) = re.findall(r"momenta\.(\w+)\(([\d.]+), steps=([\d_]+)\)", README)
    momentum = getattr(executed("README.md")["momenta"], schedule)(float(top), steps=int(steps))
    assert float(momentum(int(steps) // 2)) == pytest.approx(float(top))


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if blocks(p)], ids=lambda path: path.name)
def test_every_block_of_a_page_is_run(path):
    if path.name in ELSEWHERE:
        other = (ROOT / "tests" / ELSEWHERE[path.name]).read_text()
        assert path.name in other or path.stem in other
    else:
        pytest.importorskip(NEEDS.get(path.name, "flax.linen"))
        executed(path.relative_to(ROOT))


def test_the_first_training_of_the_documentation_ends_lower_at_its_base_iterate():
    names = executed("docs/train.md")
    assert names["test_loss"] < names["loss_fn"]({"w": jnp.ones(2)}) / 10
    eval_params(names["optimizer"].opt_state, names["nnx"].state(names["module"], names["nnx"].Param))


def test_the_method_that_the_documentation_adds_attains_its_bound():
    namespace = executed("docs/methods.md")
    assert jnp.isclose(jnp.abs(namespace["params"]).max(), namespace["bound"], rtol=1e-4)


def anchors(path):
    """What a link may point at in a page, as GitHub and MyST name headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", document.read_text()):
        page = document.parent / target if target else document
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), f"{target}#{anchor}"


def test_the_readme_s_picture_is_in_the_repository():
    (address,) = re.findall(r"^\[picture\]: (.*)$", README, flags=re.MULTILINE)
    assert (ROOT / address.partition("/main/")[2]).is_file() and address.startswith("https://")


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
    assert len(README.split()) <= WORDS  # a cap on lines makes them long
