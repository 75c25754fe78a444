"""The gym's calls on actuators of MJCF files.

They say what drives DOFs have where AssetOptions.default_dof_drive_mode is DOF_MODE_NONE: motors DOF_MODE_EFFORT,
position servos DOF_MODE_POS with their gain as stiffness, velocity servos DOF_MODE_VEL with theirs as damping. Forces
and targets are what scripts set; a motor's gear is for them to multiply with.
"""

from __future__ import annotations

from isaacgym.actors import Asset, Env
from isaacgym.gym_lookups import actor_of, index_in
from isaacgym.gym_types import ActuatorProperties


class ActuatorCalls:
    """Mixin of `gymapi.Gym`. An actor's actuators are those of its asset."""

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

    def get_actor_actuator_name(self, env: Env, actor: int, index: int) -> str:
        """As `get_asset_actuator_name`."""
        return self.get_asset_actuator_name(actor_of(env, actor).asset, index)

    def get_actor_actuator_joint_name(self, env: Env, actor: int, index: int) -> str:
        """As `get_asset_actuator_joint_name`."""
        return self.get_asset_actuator_joint_name(actor_of(env, actor).asset, index)

    def find_actor_actuator_index(self, env: Env, actor: int, name: str) -> int:
        """As `find_asset_actuator_index`."""
        return self.find_asset_actuator_index(actor_of(env, actor).asset, name)
