"""Types of the tree engine's arguments and variables: links, bodies, contact rows, joints."""

import functools
from types import SimpleNamespace

import warp as wp

from isaacgym.engine.scalars import types_of

WELD, HINGE, SLIDE, FREE = 0, 1, 2, 3  # how a link moves against its parent; a root is welded or free


@functools.cache
def tree_records(scalar: type) -> SimpleNamespace:
    """scalar: wp.float32 or wp.float64."""
    t = types_of(scalar)
    vec2, vec3, vec5, quat, mat33 = t.vec2, t.vec3, t.vec5, t.quat, t.mat33

    @wp.struct
    class Link:
        level: int  # in the sweeps, 0: root, -1: no link; parents come before their children
        parent: int
        joint: int  # WELD, HINGE, SLIDE or FREE
        dof: int  # first coordinate in qvel
        q: int  # and in qpos
        first_body: int  # the link's bodies are a chain that ends with 0
        axis: vec3  # of a hinge or slide, in the link's frame
        pos: vec3  # of the link's frame in its parent's [m]; the root's is body_pos[world, 1]
        rot: quat
        lower: scalar  # joint limits; beyond any angle where there is none
        upper: scalar

    @wp.struct
    class Body:
        next: int  # of the same link; 0: none
        offset: vec3  # of the body's frame in its link's [m]
        turn: quat

    @wp.struct
    class Inertia:
        mass: scalar
        moment: vec3  # mass times centre of mass
        about: mat33  # rotational inertia about the frame's origin

    @wp.struct
    class Settings:
        max_iterations: int
        max_searches: int
        tolerance: scalar
        improvement: scalar  # per unit of gradientᵀ H⁻¹ gradient, as MuJoCo scales it
        dt: scalar
        limit_solref: vec2
        limit_solimp: vec5
        friction_solref: vec2
        friction_solimp: vec5

    @wp.struct
    class Row:
        arm: vec3  # the contact's position relative to O
        friction: scalar
        d: scalar  # D of each edge of the pyramid
        residual: vec3  # J qacc - reference along normal and tangents; see pyramid_force
        change: vec3  # of the residual along the search direction

    @wp.struct
    class Joint:
        """A link's joint during the solution."""

        acceleration: scalar
        applied: scalar  # force
        inertia: scalar  # armature and what drives add
        limit_sign: scalar  # 0: not at a limit
        limit_d: scalar
        limit_reference: scalar
        loss: scalar  # bound of the Coulomb friction, 0: none
        loss_d: scalar
        loss_reference: scalar
        direction: scalar

    return SimpleNamespace(**locals())
