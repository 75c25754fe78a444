"""What an engine simulates, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineOptions:
    """What is simulated, and numbers that trade accuracy, memory and speed.

    Attributes:
        fixed_base: the robot's root stays where it is put.
        disable_gravity: gravity does not act on the robots.
        self_collision: bodies of a robot touch each other, except parent and child.
        deterministic: no thread of a GPU decides which contacts there are by being first.
        contacts_per_world: average capacity of the shared contact list.
        max_contacts: contacts of one world that still get constraint rows.
        iterations, ls_iterations: bounds of Newton's method and of its line search. Each robot stops when it is done:
            0.3 % of a walking policy's steps need more than 10 iterations, none 20.
        tolerance: relative improvement at which the solver stops.
        max_depenetration_velocity: bound of the speed at which deep contacts push out [m/s].
    """

    fixed_base: bool = False
    disable_gravity: bool = False
    self_collision: bool = False
    deterministic: bool = False
    contacts_per_world: int = 24
    max_contacts: int = 36
    iterations: int = 50
    ls_iterations: int = 20
    tolerance: float = 1e-6
    max_depenetration_velocity: float = 100.0
