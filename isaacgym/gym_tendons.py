"""The gym's calls on tendons of MJCF files. Fixed ones, over joints, act; others only have names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isaacgym.actors import Asset, Env
from isaacgym.assets.description import FixedTendon
from isaacgym.assets.notices import counted, notice
from isaacgym.gym_lookups import actor_of, index_in
from isaacgym.gym_types import TendonProperties


class TendonCalls:
    """Mixin of `gymapi.Gym`. An actor's tendons are those of its asset."""

    # ---- names and numbers -----------------------------------------------------------------------------------------

    def get_asset_tendon_count(self, asset: Asset) -> int:
        """Of all tendons of the file."""
        return len(asset.robot.tendons)

    def get_asset_tendon_name(self, asset: Asset, index: int) -> str:
        """The file's, else tendon_<index>."""
        return asset.robot.tendons[index].name

    def find_asset_tendon_index(self, asset: Asset, name: str) -> int:
        """INVALID_HANDLE if there is none of this name."""
        return index_in([tendon.name for tendon in asset.robot.tendons], name)

    def get_actor_tendon_count(self, env: Env, actor: int) -> int:
        """As `get_asset_tendon_count`."""
        return self.get_asset_tendon_count(actor_of(env, actor).asset)

    def get_actor_tendon_name(self, env: Env, actor: int, index: int) -> str:
        """As `get_asset_tendon_name`."""
        return self.get_asset_tendon_name(actor_of(env, actor).asset, index)

    def find_actor_tendon_index(self, env: Env, actor: int, name: str) -> int:
        """As `find_asset_tendon_index`."""
        return self.find_asset_tendon_index(actor_of(env, actor).asset, name)

    # ---- properties ------------------------------------------------------------------------------------------------

    def get_asset_tendon_properties(self, asset: Asset) -> list[TendonProperties]:
        """Copies, in the file's order."""
        return [tendon.copy() for tendon in asset.robot.tendons]

    def set_asset_tendon_properties(self, asset: Asset, properties: Sequence[TendonProperties]) -> bool:
        """Of simulations prepared from now on: springs, dampers and limits of fixed tendons.

        As in MuJoCo limits are stiff: `limit_stiffness` has no effect, which is said once.
        """
        if len(properties) != len(asset.robot.tendons):
            own = counted(len(asset.robot.tendons), "tendon")
            raise ValueError(f"the asset has {own}, got properties of {len(properties)}")
        pairs = list(zip(properties, asset.robot.tendons, strict=True))
        if any(given.limit_stiffness != own.limit_stiffness for given, own in pairs):
            notice("TendonProperties.limit_stiffness: without effect, tendons' limits are as stiff as joints'")
        given_by_name = {tendon.name: tendon for tendon in properties}
        asset.robot = replace(
            asset.robot,
            tendons=[tendon.copy() for tendon in properties],
            fixed_tendons=tuple(_changed(own, given_by_name[own.name]) for own in asset.robot.fixed_tendons),
        )
        return True

    def get_actor_tendon_properties(self, env: Env, actor: int) -> list[TendonProperties]:
        """As `get_asset_tendon_properties`."""
        return self.get_asset_tendon_properties(actor_of(env, actor).asset)

    def set_actor_tendon_properties(self, env: Env, actor: int, properties: Sequence[TendonProperties]) -> bool:
        """As `set_asset_tendon_properties`, of all actors of the asset; in a running simulation without effect."""
        asset = actor_of(env, actor).asset
        if env.sim.engine is not None and list(properties) != asset.robot.tendons:
            notice("tendons of a running simulation keep their properties; set them before prepare_sim")
        return self.set_asset_tendon_properties(asset, properties)

    # ---- joints of fixed tendons -----------------------------------------------------------------------------------

    def get_asset_fixed_tendon_joint_coefficients(self, asset: Asset, tendon: int) -> list[float]:
        """What positions of the tendon's joints are multiplied with."""
        return [coefficient for _, coefficient in _fixed(asset, tendon).joints]

    def get_asset_fixed_tendon_joint_name(self, asset: Asset, tendon: int, joint: int) -> str:
        """Of joint number `joint` of the tendon's."""
        return _fixed(asset, tendon).joints[joint][0]

    def get_actor_fixed_tendon_joint_coefficients(self, env: Env, actor: int, tendon: int) -> list[float]:
        """As `get_asset_fixed_tendon_joint_coefficients`."""
        return self.get_asset_fixed_tendon_joint_coefficients(actor_of(env, actor).asset, tendon)

    def get_actor_fixed_tendon_joint_name(self, env: Env, actor: int, tendon: int, joint: int) -> str:
        """As `get_asset_fixed_tendon_joint_name`."""
        return self.get_asset_fixed_tendon_joint_name(actor_of(env, actor).asset, tendon, joint)


def _fixed(asset: Asset, index: int) -> FixedTendon:
    name = asset.robot.tendons[index].name
    found = [tendon for tendon in asset.robot.fixed_tendons if tendon.name == name]
    if not found:
        raise ValueError(f"tendon '{name}' is no fixed one: it is along a path, not over joints")
    return found[0]


def _changed(own: FixedTendon, given: TendonProperties) -> FixedTendon:
    """The tendon with the properties of a script."""
    limited = given.is_fixed_limited
    rest = own.rest if given.fixed_spring_rest_length == own.rest[0] else (given.fixed_spring_rest_length,) * 2
    return replace(
        own,
        stiffness=given.stiffness,
        damping=given.damping,
        rest=rest,
        lower=given.fixed_lower_limit if limited else -float("inf"),
        upper=given.fixed_upper_limit if limited else float("inf"),
    )
