"""What a package shows to its users."""

import types


def public(module):
    """(name, object) of what a module exports, or defines if it lists no exports, and of the modules among that."""
    own = [name for name, member in vars(module).items() if getattr(member, "__module__", None) == module.__name__]
    for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
        member = getattr(module, name)
        yield from public(member) if isinstance(member, types.ModuleType) else [(name, member)]
