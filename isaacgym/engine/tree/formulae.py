"""What one simulation step does to one link of a robot: the formulae of the tree engine.

The derivation is in tree.md. All spatial quantities of a robot are expressed in world axes at one point, the origin O
of its base, as (angular, linear) pairs, so that nothing is transformed on the way through the tree. Contacts and
inertia meet at the links: the Newton matrix H = M + JᵀDJ is that of links with inertia I + K, where K is what the
active contact rows of the link add, and Featherstone's articulated-body recursion solves with it in one sweep from the
leaves to the base and one back.

A link is a body with a joint, and the bodies that are fixed to it. Everything is generic in the scalar type: float32 in
simulations, float64 in tests against C MuJoCo.
"""

import functools
from types import SimpleNamespace

from isaacgym.engine.constraints import constraint_functions
from isaacgym.engine.scalars import types_of
from isaacgym.engine.tree.motion import motion_functions
from isaacgym.engine.tree.records import tree_records
from isaacgym.engine.tree.rows import row_functions
from isaacgym.engine.tree.spatial import spatial_functions


@functools.cache
def tree_functions(friction_loss: bool, scalar: type) -> SimpleNamespace:
    """Functions and records of the kernels, and the types of `scalar`.

    Args:
        friction_loss: whether any joint has Coulomb friction.
        scalar: wp.float32 or wp.float64.
    """
    parts = (types_of, tree_records, constraint_functions, spatial_functions, motion_functions)
    members = {name: value for part in parts for name, value in vars(part(scalar)).items()}
    return SimpleNamespace(**members | vars(row_functions(friction_loss, scalar)))
