"""Pages for people who come from another library: pairs of expressions, theirs and ours, in blocks and in tables."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[2] / "docs"


class Page(NamedTuple):
    """What a page has to run.

    Attributes:
      definitions: the Python blocks that define what later ones use.
      blocks: the pairs of every other block, a list for each.
      rows: the pairs of tables: rows of two cells, each of which is code.
    """

    definitions: list[str]
    blocks: list[list[tuple[str, str]]]
    rows: list[tuple[str, str]]

    @property
    def pairs(self):
        return self.rows + [pair for block in self.blocks for pair in block]


def read(name):
    """The page docs/``name``."""
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return Page(
        definitions=[block for block in blocks if not begins_with_an_expression(block)],
        blocks=[pairs(block) for block in blocks if begins_with_an_expression(block)],
        rows=re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", text, flags=re.MULTILINE),
    )


def begins_with_an_expression(block):
    """Whether a block is one of pairs."""
    return isinstance(ast.parse(block).body[0], ast.Expr)


def pairs(block):
    """(theirs, ours) of a block's expressions, by turns."""
    expressions = ast.parse(block).body
    assert all(isinstance(expression, ast.Expr) for expression in expressions), block
    sources = [ast.unparse(expression) for expression in expressions]
    return list(zip(sources[::2], sources[1::2], strict=True))


def define(page, names):
    """Runs the definitions, one after another. None replaces what another one defined: pairs may run in any order."""
    for block in page.definitions:
        before = dict(names)
        exec(block, names)
        replaced = [name for name in before if names[name] is not before[name]]
        assert not replaced, f"{replaced} are defined twice"
    return names
