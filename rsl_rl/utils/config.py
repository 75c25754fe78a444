"""From names and keys in a config to classes and their arguments."""

import inspect
from collections.abc import Mapping, Set
from typing import Any, TypeVar

T = TypeVar("T")


def find_class(table: Mapping[str, type[T]], name: str, what: str) -> type[T]:
    """The class called `name`; `what` says in the error which kind of class was asked for."""
    if name not in table:
        raise ValueError(f"unknown {what} '{name}'; known: {', '.join(table)}")
    return table[name]


def config_keys(cls: type[object]) -> set[str]:
    """Config keys of a class: the keyword-only arguments of its constructor and its bases' constructors."""
    constructors = [vars(base)["__init__"] for base in cls.__mro__ if inspect.isfunction(vars(base).get("__init__"))]
    parameters = [p for constructor in constructors for p in inspect.signature(constructor).parameters.values()]
    return {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def select_config(
    cls: type[object], config: Mapping[str, Any], what: str, ignored: Set[str] = frozenset()
) -> dict[str, Any]:
    """The entries of `config` that `cls` takes; a key that is neither known nor in `ignored` is an error."""
    known = config_keys(cls)
    unknown = sorted(set(config) - known - ignored)
    if unknown:
        raise ValueError(
            f"unknown {what} config key(s) {', '.join(unknown)} for {cls.__name__}; known: {', '.join(sorted(known))}"
        )
    return {key: value for key, value in config.items() if key in known}
