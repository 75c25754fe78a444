"""The mechanism behind all structs: a class body that lists typed fields, and conversion to their types."""

import difflib
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Self

import numpy as np


def _coerce(kind: type[Any], value: Any) -> Any:
    """Convert a value, possibly a one-element tensor or array, to a field's type; raises TypeError or ValueError."""
    if issubclass(kind, Record):
        if isinstance(value, kind):
            return value.copy()
        if isinstance(value, np.void):  # a record of an array of states
            value = value.item()
        if isinstance(value, Record | str) or not hasattr(value, "__iter__"):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return kind(*value)
    if hasattr(value, "item"):  # torch and numpy scalars, also of shape (1,)
        value = value.item()
    if kind is str:
        if not isinstance(value, str):
            raise TypeError(f"expected text, got {type(value).__name__}")
        return value
    if isinstance(value, str) or value is None:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    if issubclass(kind, int) and kind is not bool and value != int(value):
        raise TypeError(f"expected a whole number, got {value!r}")
    return kind(int(value)) if issubclass(kind, IntEnum) else kind(value)


def as_single(value: float) -> float:
    """The nearest number in single precision."""
    return float(np.float32(value))


def shortest(value: float) -> float:
    """The number of fewest digits that single precision rounds to this one: 0.005 for 0.004999999888241291."""
    return float(str(np.float32(value)))


class Record:
    """A struct with typed, converting fields. Positional and keyword arguments fill fields; None means the default."""

    _kinds: dict[str, type[Any]] = {}
    _defaults: dict[str, Any] = {}
    _nested: list[str] = []  # fields that are records
    _single = False  # floats are rounded to single precision, which is what they read as

    def __init_subclass__(cls) -> None:
        own = dict(cls.__dict__.get("__annotations__", {}))
        cls._kinds = {**cls._kinds, **own}
        cls._defaults = {**cls._defaults, **{name: getattr(cls, name) for name in own}}
        for name in own:
            delattr(cls, name)  # a field lives in the instance only
        cls._nested = [name for name, kind in cls._kinds.items() if issubclass(kind, Record)]
        if cls._single:
            cls._defaults |= {name: as_single(value) for name, value in cls._defaults.items() if type(value) is float}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = self.__dict__
        fields.update(self._defaults)
        for name in self._nested:
            fields[name] = fields[name].copy()
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__} takes at most {len(fields)} values, got {len(args)}")
        for name, value in (*zip(self._kinds, args, strict=False), *kwargs.items()):
            if value is not None:
                setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._kinds.get(name)
        if kind is float and type(value) is float:  # the common case, worth a shortcut
            self.__dict__[name] = as_single(value) if self._single else value
            return
        if kind is None:
            close = difflib.get_close_matches(name, self._kinds, n=1, cutoff=0.0)
            raise AttributeError(f"{type(self).__name__} has no field '{name}'; did you mean '{close[0]}'?")
        try:
            value = _coerce(kind, value)
            self.__dict__[name] = as_single(value) if self._single and kind is float else value
        except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: torch, on tensors of several elements
            raise type(error)(f"{type(self).__name__}.{name}: {error}") from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not self._kinds:
            raise AttributeError(name)
        close = difflib.get_close_matches(name, self._kinds, n=1, cutoff=0.0)
        raise AttributeError(f"{type(self).__name__} has no field '{name}'; did you mean '{close[0]}'?")

    def copy(self) -> Self:
        """A deep copy."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        for name in self._nested:
            twin.__dict__[name] = twin.__dict__[name].copy()
        return twin

    __copy__ = copy

    @classmethod
    def of(cls, *values: Any) -> Self:
        """All fields in their order; types are not converted nor checked, which takes a fraction of the time."""
        new = object.__new__(cls)
        new.__dict__.update(zip(cls._kinds, values, strict=True))
        return new

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class Sequence(Record):
    """A record that is also a fixed-length sequence of its fields."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__dict__.values())

    def __len__(self) -> int:
        return len(self.__dict__)

    def __getitem__(self, index: int | slice) -> Any:
        return tuple(self)[index]

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, tuple(self._kinds)[index], value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{v:.6f}' if isinstance(v, float) else repr(v) for v in self)})"
