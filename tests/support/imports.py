"""What a Python file imports."""

import ast


def imported(path):
    """Full names of the modules that a file imports, by a statement or by a function that takes the name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "importorskip", "__import__", "find_spec", "spec_from_file_location"):
                yield from (str(part.value) for part in node.args if isinstance(part, ast.Constant))
