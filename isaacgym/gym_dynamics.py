"""The gym's tensors about dynamics: joint forces, force sensors, Jacobians, mass matrices. Unused ones cost nothing."""

from isaacgym.actors import Actor, Asset, Env, ForceSensor
from isaacgym.assets.notices import counted
from isaacgym.gym_lookups import actor_of, offset_of
from isaacgym.gym_types import IndexDomain, Record, Tensor, Transform, Vec3
from isaacgym.simulation import Simulation


class ForceSensorProperties(Record):
    """What a force sensor reports. Only `use_world_frame` has an effect; see `create_asset_force_sensor`."""

    enable_forward_dynamics_forces: bool = True
    enable_constraint_solver_forces: bool = True
    use_world_frame: bool = False


class SpatialForce(Record):
    """Force [N] and torque [N·m]."""

    force: Vec3 = Vec3()
    torque: Vec3 = Vec3()


class SensorReading:
    """A force sensor of an actor, as `get_actor_force_sensor` gives it."""

    def __init__(self, sim: Simulation, row: int) -> None:
        """row: in the force sensor tensor."""
        self._sim, self._row = sim, row

    def get_forces(self) -> SpatialForce:
        """Of the last `simulate`; see `create_asset_force_sensor`."""
        self._sim.read_force_sensors()
        values = self._sim.force_sensors[self._row].tolist()
        return SpatialForce(Vec3(*values[:3]), Vec3(*values[3:]))

    def get_global_index(self) -> int:
        """Row in the force sensor tensor."""
        return self._row


class DynamicsCalls:
    """Mixin of `gymapi.Gym`."""

    # ---- joint forces ----------------------------------------------------------------------------------------------

    def enable_actor_dof_force_sensors(self, env: Env, actor: int) -> bool:
        """Before `prepare_sim`; DOF forces of other actors stay 0."""
        actor_of(env, actor).dof_force_sensors = True
        return True

    def acquire_dof_force_tensor(self, sim: Simulation) -> Tensor:
        """(num_envs · num_dofs) [N·m] or [N]; 0 for actors without `enable_actor_dof_force_sensors`."""
        return Tensor(sim.dof_forces)

    def refresh_dof_force_tensor(self, sim: Simulation) -> bool:
        """Force along each DOF in the last sub-step: of the drive or the actuation, with the property `damping`.

        Drives count with the force at the end of the sub-step, which is what acted. Forces of joint limits and of
        joint friction are not in it, nor is what the joint carries of the load.
        """
        sim.read_dof_forces()
        return True

    # ---- force sensors ---------------------------------------------------------------------------------------------

    def create_asset_force_sensor(
        self, asset: Asset, body_idx: int, local_pose: Transform, props: ForceSensorProperties | None = None
    ) -> int:
        """A frame at `local_pose` on a body of the asset, before actors are created from it. Returns its index.

        It reports the contacts of its body, which is what locomotion code reads it for (feet), and not gravity,
        applied forces or what neighbouring bodies transmit, whatever the two other properties say. Its axes are its
        own, or those of the world with `use_world_frame`.
        """
        if not 0 <= body_idx < len(asset.robot.bodies):
            raise ValueError(f"body index {body_idx}; the asset has {counted(len(asset.robot.bodies), 'body')}")
        if asset.has_actors:
            raise RuntimeError(
                f"create_asset_force_sensor after actors were created from '{asset.robot.name}'; create the asset's "
                "force sensors before create_actor"
            )
        world_axes = bool(getattr(props, "use_world_frame", False))
        asset.force_sensors.append(ForceSensor(body_idx, local_pose.copy(), world_axes))
        return len(asset.force_sensors) - 1

    def get_asset_force_sensor_count(self, asset: Asset) -> int:
        """Of those created so far."""
        return len(asset.force_sensors)

    def get_actor_force_sensor_count(self, env: Env, actor: int) -> int:
        """As `get_asset_force_sensor_count`."""
        return len(actor_of(env, actor).asset.force_sensors)

    def get_actor_force_sensor(self, env: Env, actor: int, index: int) -> SensorReading:
        """Sensor number `index` of the actor; after `prepare_sim`."""
        count = self.get_actor_force_sensor_count(env, actor)
        if not 0 <= index < count:
            raise IndexError(
                f"actor '{actor_of(env, actor).name}' has {count} force sensors, so none has number {index}"
            )
        return SensorReading(env.sim, offset_of(env, actor, IndexDomain.DOMAIN_SIM, "sensors") + index)

    def get_sim_force_sensor_count(self, sim: Simulation) -> int:
        """Of all envs: rows of the force sensor tensor."""
        return sum(len(actor.asset.force_sensors) for env in sim.envs for actor in env.actors)

    def acquire_force_sensor_tensor(self, sim: Simulation) -> Tensor:
        """(num_envs · num_sensors, 6): force [N], torque about the sensor's origin [N·m]; see the sensor's creation."""
        return Tensor(sim.force_sensors)

    def refresh_force_sensor_tensor(self, sim: Simulation) -> bool:
        """Mean over the sub-steps of the last `simulate`."""
        sim.read_force_sensors()
        return True

    # ---- Jacobians and mass matrices -------------------------------------------------------------------------------

    def acquire_jacobian_tensor(self, sim: Simulation, name: str) -> Tensor:
        """(num_envs, links, 6, 6 + num_dofs), or (num_envs, links - 1, 6, num_dofs) with a fixed base.

        Rows: velocity of the link's centre of mass, then its angular velocity, world axes, as in the rigid-body
        tensor. Columns: velocity of the base's centre of mass and its angular velocity, world axes, as in the root
        tensor; then the DOFs. A fixed base is no column, and no link. All envs have to hold the actor in the same
        place, with as many links and DOFs.
        """
        return Tensor(sim.jacobian(_actor_number(sim, name)))

    def refresh_jacobian_tensors(self, sim: Simulation) -> bool:
        """Of the present state, also of one set since the last `simulate`."""
        sim.read_jacobians()
        return True

    def acquire_mass_matrix_tensor(self, sim: Simulation, name: str) -> Tensor:
        """(num_envs, k, k), k = 6 + num_dofs, or num_dofs with a fixed base; coordinates of the Jacobian's columns.

        The armature of the DOFs is included. For a floating base the size is not documented; ours has the base.
        """
        return Tensor(sim.mass_matrix(_actor_number(sim, name)))

    def refresh_mass_matrix_tensors(self, sim: Simulation) -> bool:
        """Of the present state, also of one set since the last `simulate`."""
        sim.read_mass_matrices()
        return True


def _actor_number(sim: Simulation, name: str) -> int:
    """In every env, all of which hold it there, as large as in the first."""
    sim.prepare()
    names = [actor.name for actor in sim.envs[0].actors]
    if name not in names:
        raise ValueError(f"no actor is called '{name}' in env 0, which holds {', '.join(names)}")
    number = names.index(name)
    size = _size_of(sim.envs[0].actors[number])
    for env, *_ in sim.kinds[1:]:
        own = next((_size_of(actor) for actor in env.actors[number : number + 1] if actor.name == name), "none")
        if own != size:
            raise ValueError(
                f"Jacobians and mass matrices of '{name}' are one tensor, for which all envs must hold it in the same "
                f"place with as many bodies and DOFs, {size}; env {env.index} has {own}"
            )
    return number


def _size_of(actor: Actor) -> str:
    """What the shapes of its Jacobian and mass matrix follow from."""
    return f"{actor.counts.bodies} and {actor.counts.dofs} with a {'fixed' if actor.asset.fixed_base else 'free'} base"
