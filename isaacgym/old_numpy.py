"""Names that NumPy has dropped since 1.20 and that code of Isaac Gym's age uses, given back on their first use."""

from __future__ import annotations

import builtins
from functools import partial
from typing import Any

import numpy as np

OLD_NAMES: dict[str, Any] = {
    **{name: getattr(builtins, name) for name in ("int", "float", "bool", "complex", "object", "str")},
    "long": int,
    "unicode": str,
    **dict.fromkeys(("Inf", "Infinity", "infty", "PINF"), np.inf),
    "NINF": -np.inf,
    **dict.fromkeys(("NaN", "NAN"), np.nan),
    "float_": np.float64,
    "complex_": np.complex128,
    "unicode_": np.str_,
    "string_": np.bytes_,
    "alltrue": np.all,
    "sometrue": np.any,
    "product": np.prod,
    "cumproduct": np.cumprod,
    "in1d": np.isin,
    "round_": np.round,
    "trapz": np.trapezoid,
    "mat": np.asmatrix,
    "asscalar": np.ndarray.item,
    "msort": partial(np.sort, axis=0),
    "asfarray": partial(np.asarray, dtype=np.float64),
}


def give_back_old_names() -> None:
    """Have `np.int` and the like work again; one line says so when the first of them is used."""
    numpys_own = np.__getattr__

    def old_name(name: str) -> Any:
        if name not in OLD_NAMES:
            return numpys_own(name)
        for each in OLD_NAMES.keys() - vars(np).keys():
            setattr(np, each, OLD_NAMES[each])
        print(f"NumPy {np.__version__} has no np.{name}; isaacgym gives this and other names of old NumPy back")
        return OLD_NAMES[name]

    np.__getattr__ = old_name  # type: ignore[method-assign]  # a module's hook for names that it lacks
