"""The gym's calls on attractors, which pull bodies to poses; see `isaacgym.attractors`."""

from __future__ import annotations

from isaacgym.actors import Env
from isaacgym.assets.notices import counted
from isaacgym.gym_types import INVALID_HANDLE, AttractorProperties, Axis, Transform

GROUPS = (Axis.AXIS_TRANSLATION, Axis.AXIS_ROTATION)


class AttractorCalls:
    """Mixin of `gymapi.Gym`. A handle is an attractor's number in its env."""

    def create_rigid_body_attractor(self, env: Env, properties: AttractorProperties) -> int:
        """At any time. While it acts, a stiff one makes its body's centre of mass the attracted point.

        Velocities in tensors, which are those of centres of mass, are that point's then.
        """
        _check(env, properties)
        env.attractors.append(properties.copy())
        env.sim.attractors_changed()
        return len(env.attractors) - 1

    def set_attractor_target(self, env: Env, attractor: int, target: Transform) -> None:
        """Pose in the env, from the next `simulate` on."""
        properties = _attractor(env, attractor)
        properties.target = target
        if env.sim.attractors is not None:
            env.sim.attractors.set_target(env, int(attractor), properties.target)

    def set_attractor_properties(self, env: Env, attractor: int, properties: AttractorProperties) -> None:
        """All of them; for the target alone `set_attractor_target` is faster."""
        _attractor(env, attractor)
        _check(env, properties)
        env.attractors[int(attractor)] = properties.copy()
        env.sim.attractors_changed()

    def get_attractor_properties(self, env: Env, attractor: int) -> AttractorProperties:
        """A copy."""
        return _attractor(env, attractor).copy()


def _attractor(env: Env, handle: int) -> AttractorProperties:
    if not 0 <= int(handle) < len(env.attractors):
        raise IndexError(
            f"env {env.index} has {counted(len(env.attractors), 'attractor')}, so none has the handle {int(handle)}"
        )
    return env.attractors[int(handle)]


def _check(env: Env, properties: AttractorProperties) -> None:
    num_bodies = sum(len(actor.mass) for actor in env.actors)
    if not INVALID_HANDLE < properties.rigid_handle < num_bodies:
        raise ValueError(
            f"an attractor's rigid_handle is {properties.rigid_handle}, but env {env.index} has "
            f"{counted(num_bodies, 'body')}; find_actor_rigid_body_handle finds them"
        )
    if min(properties.stiffness, properties.damping) < 0.0:
        raise ValueError("stiffness and damping of attractors are at least 0")
    if any(properties.axes & group not in (0, group) for group in GROUPS):
        raise ValueError(
            f"attractors act along all axes or none, and about all or none, but axes is {properties.axes}; "
            "use AXIS_TRANSLATION, AXIS_ROTATION or AXIS_ALL"
        )
