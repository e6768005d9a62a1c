"""The documentation site: ``python -m sphinx -W -b html docs site``.

It is built without a network: formulas become MathML, which browsers set themselves, and notebooks are shown with the
outputs that they were committed with.
"""

import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

import nag_optax

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "nag_optax"
author = project_copyright = "The nag_optax maintainers"
release = nag_optax.__version__
SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"] + "/blob/main"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = "nag_optax"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
default_role = "py:obj"
highlight_language = "none"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def copy_notebooks() -> None:
    """Sphinx takes no page from beside its folder."""
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        (DOCS / "notebooks").mkdir(exist_ok=True)
        shutil.copy(notebook, DOCS / "notebooks")


def lead_outside(app: Any, name: str, source: list[str]) -> None:
    """Links to files that are no pages of the site lead to the repository."""
    up = r"\.\./" * (1 if name.startswith("notebooks/") else name.count("/") + 1)
    source[0] = re.sub(rf"\]\({up}docs/", "](/", source[0])
    source[0] = re.sub(rf"\]\({up}notebooks/(\w+)\.ipynb", r"](/notebooks/\1.ipynb", source[0])
    source[0] = re.sub(rf"(?<!!)\[([^\]]*)\]\({up}([^)]*)\)", rf"[\1]({SOURCE}/\2)", source[0])


def with_the_paper(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """A method's reference begins with the equations of its file, and formulas in prose are no markup."""
    module = sys.modules.get(getattr(documented, "__module__", ""))
    if what == "function" and module and module.__name__.split(".")[-1] == documented.__name__:
        lines[:0] = [*(module.__doc__ or "").split("\n"), ""]
    lines[:] = escaped(lines)


def escaped(lines: list[str]) -> Iterator[str]:
    """Bars and stars of prose, which reStructuredText would take for markup, with a backslash before them."""
    literal_from, example = None, False
    for line in lines:
        indent = len(line) - len(line.lstrip())
        example = (example and bool(line.strip())) or line.lstrip().startswith(">>>")
        if literal_from is not None and line.strip() and indent <= literal_from:
            literal_from = None
        if literal_from is None and not example:
            pieces = re.split(r"(``.*?``|`[^`]*`)", line)
            pieces[::2] = [re.sub(r"([|*])", r"\\\1", piece) for piece in pieces[::2]]
            yield "".join(pieces)
            if line.rstrip().endswith("::"):
                literal_from = indent
        else:
            yield line


def without_field_numbers(app: Any, what: str, name: str, documented: Any, skip: bool, options: Any) -> bool | None:
    """Skips what NamedTuple says of its fields: the attributes of the class say it better."""
    return True if (documented.__doc__ or "").startswith("Alias for field number") else None


def inline_formula(translator: Any, node: nodes.math) -> None:
    """A formula of a line."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def displayed_formula(translator: Any, node: nodes.math_block) -> None:
    """A formula of its own."""
    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """What Sphinx calls first."""
    copy_notebooks()
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.connect("source-read", lead_outside)
    app.connect("autodoc-process-docstring", with_the_paper, priority=400)  # before Napoleon
    app.connect("autodoc-skip-member", without_field_numbers)
