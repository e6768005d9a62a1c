"""Names that have changed. The old names work, and warn once with the new one."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def renamed_arguments(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: ``renamed_arguments(old="new")`` makes a function take ``old=`` for ``new=``."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        named = function.__qualname__.partition(".__")[0]  # of a class, without __new__ or __call__

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if not new_names.keys() & kwargs.keys():
                return function(*args, **kwargs)
            arguments: dict[str, Any] = {}
            for name, value in kwargs.items():
                new = new_names.get(name, name)
                if new != name and new in kwargs:
                    raise TypeError(f"{named} got two values for {new}: {name} is its former name.")
                if new != name:
                    say_once(f"{named}({name}=...)", f"{new}=")
                arguments[new] = value
            return cast(Callable[..., R], function)(*args, **arguments)

        return call

    return decorate


@functools.cache
def say_once(old: str, new: str) -> None:
    """Warns that a name has changed, the first time."""
    warnings.warn(f"{old} is now {new}; the old name will go.", DeprecationWarning, stacklevel=3)
