"""The gym's calls on actuators and tendons of MJCF files. Neither acts in the simulation: scripts set the forces."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from isaacgym.actors import Asset, Env
from isaacgym.gym_lookups import actor_of, index_in
from isaacgym.gym_types import ActuatorProperties, TendonProperties

ACTING = ("stiffness", "limit_stiffness", "damping")  # of tendons


class ActuatorCalls:
    """Mixin of `gymapi.Gym`. An actor's actuators and tendons are those of its asset."""

    # ---- actuators -------------------------------------------------------------------------------------------------

    def get_asset_actuator_count(self, asset: Asset) -> int:
        """Of actuators on joints."""
        return len(asset.robot.actuators)

    def get_asset_actuator_properties(self, asset: Asset) -> list[ActuatorProperties]:
        """Of actuators on joints, in the file's order; `motor_effort` is the gear times the gain."""
        return [actuator.copy() for actuator in asset.robot.actuators]

    def get_asset_actuator_name(self, asset: Asset, index: int) -> str:
        """The file's, or the joint's and the actuator's kind."""
        return asset.robot.actuators[index].name

    def get_asset_actuator_joint_name(self, asset: Asset, index: int) -> str:
        """The joint that the actuator moves."""
        return asset.robot.actuators[index].joint

    def find_asset_actuator_index(self, asset: Asset, name: str) -> int:
        """INVALID_HANDLE if there is none of this name."""
        return index_in([actuator.name for actuator in asset.robot.actuators], name)

    def get_actor_actuator_count(self, env: Env, actor: int) -> int:
        """As `get_asset_actuator_count`."""
        return self.get_asset_actuator_count(actor_of(env, actor).asset)

    def get_actor_actuator_properties(self, env: Env, actor: int) -> list[ActuatorProperties]:
        """As `get_asset_actuator_properties`."""
        return self.get_asset_actuator_properties(actor_of(env, actor).asset)

    # ---- tendons ---------------------------------------------------------------------------------------------------

    def get_asset_tendon_count(self, asset: Asset) -> int:
        """Of all tendons of the file."""
        return len(asset.robot.tendons)

    def get_asset_tendon_properties(self, asset: Asset) -> list[TendonProperties]:
        """Copies, in the file's order."""
        return [tendon.copy() for tendon in asset.robot.tendons]

    def get_asset_tendon_name(self, asset: Asset, index: int) -> str:
        """The file's, else tendon_<index>."""
        return asset.robot.tendons[index].name

    def find_asset_tendon_index(self, asset: Asset, name: str) -> int:
        """INVALID_HANDLE if there is none of this name."""
        return index_in([tendon.name for tendon in asset.robot.tendons], name)

    def set_asset_tendon_properties(self, asset: Asset, properties: Sequence[TendonProperties]) -> bool:
        """Kept, so that the getter shows them, and without effect, which a warning says once they are not 0."""
        if len(properties) != len(asset.robot.tendons):
            raise ValueError(f"the asset has {len(asset.robot.tendons)} tendons, got {len(properties)} properties")
        acting = [tendon.name for tendon in properties if any(getattr(tendon, name) for name in ACTING)]
        if acting:
            warnings.warn(f"tendons exert no force here, nor will {', '.join(acting)}", RuntimeWarning, stacklevel=2)
        asset.robot = replace(asset.robot, tendons=[tendon.copy() for tendon in properties])
        return True

    def get_actor_tendon_count(self, env: Env, actor: int) -> int:
        """As `get_asset_tendon_count`."""
        return self.get_asset_tendon_count(actor_of(env, actor).asset)

    def get_actor_tendon_properties(self, env: Env, actor: int) -> list[TendonProperties]:
        """As `get_asset_tendon_properties`."""
        return self.get_asset_tendon_properties(actor_of(env, actor).asset)

    def set_actor_tendon_properties(self, env: Env, actor: int, properties: Sequence[TendonProperties]) -> bool:
        """As `set_asset_tendon_properties`, of all actors of the asset."""
        return self.set_asset_tendon_properties(actor_of(env, actor).asset, properties)
