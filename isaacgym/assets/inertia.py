"""Inertias that no body can have, and the nearest ones that some body has.

The principal moments A ≤ B ≤ C of a body are positive, and A + B ≥ C, since each is a sum of two of the three second
moments of the mass. MuJoCo refuses anything else; files of CAD programs hold it often.
"""

from pathlib import Path

import numpy as np

from isaacgym.assets.notices import listed, notice

ROUNDING = 1e-6  # relative violation that is taken for rounding: corrected without a word
MIN_RATIO = 1e-3  # of a balanced inertia's least to its greatest moment
LEAST = 1e-14  # [kg], [kg·m²]: MuJoCo takes no less for a body that moves (mjEPS); less is none here
SMALL_MASS = 0.01  # [kg] of a moving body that has neither mass nor shapes with mass
# what is said, {} for the links
NO_MASS = f"moving links without mass, their own or their shapes', get {SMALL_MASS:g} kg: {{}}"
NO_INERTIA = "moving links without inertia get that of a ball of water: {}"
WATER = 1000.0  # [kg/m³] of the ball whose inertia a mass without one gets


def balanced(inertia: np.ndarray) -> tuple[np.ndarray, bool]:
    """A possible inertia near the given one, (3, 3), and whether they differ by more than rounding.

    Moments below 0 lose their sign, which CAD programs' mirroring changes. Then, if A + B < C, A and B grow by as much
    as each other until A + B = C. Moments of a possible inertia stay as they are.
    """
    given, axes = np.linalg.eigh(0.5 * (inertia + inertia.T))
    moments = np.abs(given)
    moments = np.maximum(moments, MIN_RATIO * moments.max()) if (given < LEAST).any() else moments
    order = np.argsort(moments)
    a, b, c = moments[order]
    # A little more than C: MuJoCo compares the moments that it computes itself, and these are rounded, too.
    missing = max(0.0, 0.5 * (c * (1.0 + ROUNDING) - a - b))
    moments[order[:2]] += missing
    if np.array_equal(moments, given):
        return inertia, False
    return axes @ np.diag(moments) @ axes.T, bool(np.abs(moments - given).max() > 2.0 * ROUNDING * c)


def has_moments(inertia: np.ndarray) -> bool:
    """Whether an inertia, in any form, is one."""
    return bool((np.abs(inertia) >= LEAST).any())


def ball_inertia(mass: float) -> np.ndarray:
    """Of a ball of water of this mass [kg], (3, 3) [kg·m²]."""
    radius = np.cbrt(0.75 * mass / (np.pi * WATER))
    return max(0.4 * mass * radius**2, 2.0 * LEAST) * np.eye(3)


class Balance:
    """Balances the inertias of a file's bodies, and says which ones changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._given: list[str] = []
        self._changes: list[str] = []

    def of(self, name: str, inertia: np.ndarray) -> np.ndarray:
        """A possible inertia for a body, (3, 3) [kg·m²]; no inertia at all stays none."""
        result, differs = balanced(inertia) if has_moments(inertia) else (inertia, False)
        if differs:
            self._given.append(f"'{name}' {_moments(inertia)}")
            self._changes.append(f"{self._given[-1]} to {_moments(result)}")
        return result

    def report(self, strict: bool) -> None:
        """One line about the bodies that changed; if `strict`, a ValueError instead."""
        if not self._changes:
            return
        problem = f"{self.path}: moments of inertia that no body has (positive, none above the sum of the other two)"
        if strict:
            raise ValueError(f"{problem}: {listed(self._given)} kg·m²; correct the file")
        notice(
            f"{problem} were changed: {listed(self._changes)} kg·m²; correct the file, or refuse it by "
            "AssetOptions.strict_inertia"
        )


def _moments(inertia: np.ndarray) -> str:
    return "(" + ", ".join(f"{moment:.3g}" for moment in np.linalg.eigvalsh(inertia)) + ")"
