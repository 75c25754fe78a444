"""An environment as other people write them for Isaac Gym, with nothing of legged_gym in it, learns with our runner.

Its code keeps the habits of such code on purpose: `np` and `torch` come from a star import, plain integers stand for
enums, tensors for handles and numbers, properties are set robot by robot in loops, tensors are edited in place.
"""
# ruff: noqa: F403, F405

from pathlib import Path

import pytest

from isaacgym import gymapi, gymtorch, gymutil
from isaacgym.terrain_utils import *
from isaacgym.torch_utils import *
from rsl_rl.runners import OnPolicyRunner
from tests.isaacgym.worlds import DEVICES

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
A1 = Path(__file__).resolve().parents[2] / "resources" / "robots" / "a1" / "urdf" / "a1.urdf"
NUM_ENVS = 8
TRAIN_CFG = {
    "runner": {
        "policy_class_name": "ActorCritic",
        "algorithm_class_name": "PPO",
        "num_steps_per_env": 12,
        "save_interval": 50,
    },
    "policy": {"actor_hidden_dims": [32], "critic_hidden_dims": [32]},
    "algorithm": {"num_learning_epochs": 2, "num_mini_batches": 2},
}


class BaseTask:
    def __init__(self, cfg, sim_device):
        self.gym = gymapi.acquire_gym()
        device_type, device_id = gymutil.parse_device_str(sim_device)
        self.cfg, self.device = cfg, sim_device
        self.num_envs, self.num_actions, self.num_obs, self.num_privileged_obs = cfg["num_envs"], 12, 45, None
        self.num_one_step_obs = self.num_obs
        params = gymapi.SimParams()
        gymutil.parse_sim_config(cfg["sim"], params)
        params.use_gpu_pipeline = device_type == "cuda"
        params.physx.contact_collection = gymapi.ContactCollection(2)
        self.sim = self.gym.create_sim(device_id, -1, gymapi.SIM_PHYSX, params)
        self.create_terrain()
        self.create_envs()
        self.gym.prepare_sim(self.sim)
        self.obs_buf = torch.zeros(self.num_envs, self.num_obs, device=self.device)
        self.rew_buf = torch.zeros(self.num_envs, device=self.device)
        self.reset_buf = torch.ones(self.num_envs, device=self.device, dtype=torch.long)
        self.episode_length_buf = torch.zeros(self.num_envs, device=self.device, dtype=torch.long)
        self.extras = {}
        self.viewer = self.gym.create_viewer(self.sim, gymapi.CameraProperties())
        self.gym.subscribe_viewer_keyboard_event(self.viewer, gymapi.KEY_ESCAPE, "QUIT")
        self.gym.viewer_camera_look_at(self.viewer, None, gymapi.Vec3(*cfg["camera"]), gymapi.Vec3(0, 0, 0))

    def get_observations(self):
        return self.obs_buf

    def get_privileged_observations(self):
        return None

    def reset(self):
        self.reset_idx(torch.arange(self.num_envs, device=self.device))
        return self.step(torch.zeros(self.num_envs, self.num_actions, device=self.device))[:2]

    def render(self):
        if self.gym.query_viewer_has_closed(self.viewer):
            raise SystemExit
        assert not any(event.action == "QUIT" for event in self.gym.query_viewer_action_events(self.viewer))
        self.gym.clear_lines(self.viewer)
        ball = gymutil.WireframeSphereGeometry(0.1, 4, 4, None, color=(1, 1, 0))
        pose = gymapi.Transform(gymapi.Vec3(*self.root_states[0, :3]), r=None)
        gymutil.draw_lines(ball, self.gym, self.viewer, self.envs[0], pose)
        self.gym.step_graphics(self.sim)
        self.gym.draw_viewer(self.viewer, self.sim, True)


class WalkingDog(BaseTask):
    def __init__(self, cfg, sim_device):
        super().__init__(cfg, sim_device)
        gym, sim, n = self.gym, self.sim, self.num_envs
        self.root_states = gymtorch.wrap_tensor(gym.acquire_actor_root_state_tensor(sim))
        self.dof_state = gymtorch.wrap_tensor(gym.acquire_dof_state_tensor(sim))
        self.contact_forces = gymtorch.wrap_tensor(gym.acquire_net_contact_force_tensor(sim)).view(n, -1, 3)
        self.body_states = gymtorch.wrap_tensor(gym.acquire_rigid_body_state_tensor(sim)).view(n, -1, 13)
        self.dof_pos, self.dof_vel = self.dof_state.view(n, -1, 2)[..., 0], self.dof_state.view(n, -1, 2)[..., 1]
        self.gravity_vec = to_torch(get_axis_params(-1.0, 2), device=self.device).repeat((n, 1))
        self.actions = torch.zeros(n, self.num_actions, device=self.device)
        self.commands = torch_rand_float(0.0, 1.0, (n, 3), device=self.device)
        self.max_episode_length = np.ceil(cfg["episode_length_s"] / (4 * cfg["sim"]["dt"]))
        self.actuator_network = torch.jit.load(cfg["actuator_net_file"]).to(self.device)

    def create_terrain(self):
        parts = [SubTerrain("terrain", width=60, length=60, vertical_scale=0.005, horizontal_scale=0.1) for _ in "ab"]
        np.random.seed(3)
        random_uniform_terrain(parts[0], -0.02, 0.02, step=0.005, downsampled_scale=0.2)
        pyramid_stairs_terrain(parts[1], step_width=0.3, step_height=0.05, platform_size=2.0)
        field = np.concatenate([part.height_field_raw for part in parts])
        vertices, triangles = convert_heightfield_to_trimesh(field, 0.1, 0.005, 0.75)
        params = gymapi.TriangleMeshParams()
        params.nb_vertices, params.nb_triangles = vertices.shape[0], triangles.shape[0]
        params.transform.p.x = params.transform.p.y = -1.0
        params.static_friction, params.dynamic_friction = 1, 1
        self.gym.add_triangle_mesh(self.sim, vertices.flatten(order="C"), triangles.flatten(order="C"), params)
        height = field[60 + 30, 30] * 0.005  # on top of the stairs
        self.env_origins = to_torch([[2.0, 2.0, 0.02], [8.0, 2.0, height]], device=self.device)
        self.env_origins = self.env_origins.repeat(self.num_envs // 2, 1)

    def create_envs(self):
        options = gymapi.AssetOptions()
        options.default_dof_drive_mode, options.collapse_fixed_joints = 3, True
        options.replace_cylinder_with_capsule, options.thickness = True, 0.01
        file = Path(self.cfg["urdf"])
        asset = self.gym.load_asset(self.sim, str(file.parent), file.name, options)
        dof_props = self.gym.get_asset_dof_properties(asset)
        dof_names, body_names = self.gym.get_asset_dof_names(asset), self.gym.get_asset_rigid_body_names(asset)
        self.torque_limits = to_torch(dof_props["effort"], device=self.device)
        self.default_dof_pos = to_torch([self.cfg["stance"][name[3:]] for name in dof_names], device=self.device)
        self.envs, self.actor_handles = [], []
        for i in range(self.num_envs):
            env = self.gym.create_env(self.sim, gymapi.Vec3(0.0, 0.0, 0.0), gymapi.Vec3(0.0, 0.0, 0.0), 2)
            start = gymapi.Transform(p=gymapi.Vec3(*(self.env_origins[i] + to_torch([0, 0, 0.42], device=self.device))))
            dog = self.gym.create_actor(env, asset, start, "dog", i, 1, 0)
            self.gym.set_actor_dof_properties(env, dog, dof_props)
            body_props = self.gym.get_actor_rigid_body_properties(env, dog)
            body_props[0].mass += np.random.uniform(-1.0, 1.0)
            self.gym.set_actor_rigid_body_properties(env, dog, body_props, recomputeInertia=True)
            self.envs.append(env)
            self.actor_handles.append(dog)
        assert self.gym.get_sim_dof_count(self.sim) == self.num_envs * self.gym.get_actor_dof_count(env, dog)
        feet = [name for name in body_names if "foot" in name]
        self.feet_indices = torch.zeros(len(feet), dtype=torch.long, device=self.device)
        for i in range(len(feet)):
            self.feet_indices[i] = self.gym.find_actor_rigid_body_handle(self.envs[0], self.actor_handles[0], feet[i])
        self.base_index = self.gym.find_actor_rigid_body_index(self.envs[0], 0, "base", gymapi.DOMAIN_ENV)

    def randomize_friction(self, env_ids):
        new_friction = torch_rand_float(0.2, 1.25, (self.num_envs, 1), device=self.device)
        for i in env_ids:
            props = self.gym.get_actor_rigid_shape_properties(self.envs[i], self.actor_handles[i])
            for s in range(len(props)):
                props[s].friction = new_friction[i]
            self.gym.set_actor_rigid_shape_properties(self.envs[i], self.actor_handles[i], props)

    def randomize_gravity(self):
        params = self.gym.get_sim_params(self.sim)
        params.gravity = gymapi.Vec3(*torch_rand_float(-0.5, 0.5, (1, 3), device=self.device)[0])
        params.gravity.z -= 9.81
        self.gym.set_sim_params(self.sim, params)

    def reset_idx(self, env_ids):
        if len(env_ids) == 0:
            return
        self.randomize_friction(env_ids)
        self.dof_pos[env_ids] = self.default_dof_pos * torch_rand_float(0.8, 1.2, (len(env_ids), 12), self.device)
        self.dof_vel[env_ids] = 0.0
        self.root_states[env_ids] = to_torch([0, 0, 0.42] + [0] * 3 + [1] + [0] * 6, device=self.device)
        self.root_states[env_ids, :3] += self.env_origins[env_ids]
        ids = env_ids.to(dtype=torch.int32)
        dofs, roots = gymtorch.unwrap_tensor(self.dof_state), gymtorch.unwrap_tensor(self.root_states)
        self.gym.set_dof_state_tensor_indexed(self.sim, dofs, gymtorch.unwrap_tensor(ids), len(ids))
        self.gym.set_actor_root_state_tensor_indexed(self.sim, roots, gymtorch.unwrap_tensor(ids), len(ids))
        self.episode_length_buf[env_ids] = 0

    def compute_torques(self, actions):
        error = 0.25 * actions + self.default_dof_pos - self.dof_pos
        with torch.no_grad():
            torques = self.actuator_network(torch.stack((error, self.dof_vel), dim=-1).view(-1, 2))
        return torch.clip(torques.view(self.num_envs, 12), -self.torque_limits, self.torque_limits)

    def step(self, actions):
        self.actions = torch.clip(actions, -10.0, 10.0).to(self.device)
        self.render()
        for _ in range(4):
            torques = gymtorch.unwrap_tensor(self.compute_torques(self.actions))
            self.gym.set_dof_actuation_force_tensor(self.sim, torques)
            self.gym.simulate(self.sim)
            self.gym.fetch_results(self.sim, True)
            self.gym.refresh_dof_state_tensor(self.sim)
        self.gym.refresh_actor_root_state_tensor(self.sim)
        self.gym.refresh_net_contact_force_tensor(self.sim)
        self.gym.refresh_rigid_body_state_tensor(self.sim)
        self.episode_length_buf += 1
        quat = self.root_states[:, 3:7]
        lin_vel = quat_rotate_inverse(quat, self.root_states[:, 7:10])
        fallen = self.contact_forces[:, self.base_index].norm(dim=-1) > 1.0
        time_outs = self.episode_length_buf > self.max_episode_length
        self.reset_buf = fallen | time_outs
        self.rew_buf[:] = torch.exp(-(lin_vel - self.commands).square().sum(dim=1))
        self.rew_buf += 0.1 * (self.contact_forces[:, self.feet_indices, 2] > 1.0).float().mean(dim=1)
        self.extras["time_outs"] = time_outs
        env_ids = self.reset_buf.nonzero(as_tuple=False).flatten()
        self.reset_idx(env_ids)
        self.compute_observations()
        return self.obs_buf, None, self.rew_buf, self.reset_buf, self.extras, env_ids, None

    def compute_observations(self):
        quat = self.root_states[:, 3:7]
        base_ang_vel = quat_rotate_inverse(quat, self.root_states[:, 10:13])
        gravity = quat_rotate_inverse(quat, self.gravity_vec)
        joints = (self.dof_pos - self.default_dof_pos, 0.05 * self.dof_vel, self.actions)
        self.obs_buf = torch.cat((self.commands, 0.25 * base_ang_vel, gravity, *joints), dim=-1)


@pytest.fixture(scope="module", params=DEVICES)
def dog(request, tmp_path_factory):
    torch.manual_seed(1)
    actuator = torch.nn.Linear(2, 1)
    actuator.weight.data[:], actuator.bias.data[:] = torch.tensor([[30.0, -0.8]]), 0.0
    net_file = str(tmp_path_factory.mktemp("actuator") / "net.pt")
    torch.jit.trace(actuator, torch.zeros(5, 2)).save(net_file)
    joints = {"hip_joint": 0.0, "thigh_joint": 0.9, "calf_joint": -1.7}
    sim = {"dt": 0.005, "substeps": 1, "up_axis": 1, "gravity": [0.0, 0.0, -9.81], "physx": {"contact_collection": 2}}
    paths = {"urdf": A1, "actuator_net_file": net_file}
    cfg = {"num_envs": NUM_ENVS, "episode_length_s": 0.4, "camera": [3, 3, 3], "stance": joints, "sim": sim, **paths}
    return WalkingDog(cfg, request.param)


def test_it_trains_with_our_runner(dog):
    runner = OnPolicyRunner(dog, TRAIN_CFG, log_dir=None, device=dog.device)
    before = [p.detach().clone() for p in runner.alg.actor_critic.parameters()]
    runner.learn(2, init_at_random_ep_len=True)
    after = list(runner.alg.actor_critic.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any((p != q).any() for p, q in zip(before, after, strict=True))


def test_it_stands_on_its_feet_under_the_scripted_actuators(dog):
    dog.max_episode_length = 1000
    dog.reset()
    weights = []
    for _ in range(100):  # 2 s; it is dropped, and its soft actuators let it bounce for half of that
        dog.step(torch.zeros(NUM_ENVS, 12, device=dog.device))
        weights.append(dog.contact_forces[:, dog.feet_indices, 2].sum(dim=1))
    height = dog.root_states[:, 2] - dog.env_origins[:, 2]
    assert ((height > 0.2) & (height < 0.4)).all()
    assert (dog.body_states[:, dog.feet_indices, 2] - dog.env_origins[:, None, 2]).abs().max() < 0.1
    masses = [sum(body.mass for body in dog.gym.get_actor_rigid_body_properties(env, 0)) for env in dog.envs]
    expected = 9.81 * torch.tensor(masses)
    assert torch.stack(weights[-40:]).mean(dim=0).cpu().numpy() == pytest.approx(expected.numpy(), rel=0.1)


def test_friction_set_in_a_loop_differs_between_robots(dog):
    dog.randomize_friction(torch.arange(NUM_ENVS))
    friction = [dog.gym.get_actor_rigid_shape_properties(env, 0)[0].friction for env in dog.envs]
    assert len(set(friction)) == NUM_ENVS and all(0.2 <= value <= 1.25 for value in friction)


def test_gravity_changed_through_sim_params_acts_on_falling_robots(dog):
    original = dog.gym.get_sim_params(dog.sim)
    dog.randomize_gravity()
    gravity = dog.gym.get_sim_params(dog.sim).gravity
    dog.root_states[:, 2] = 10.0
    dog.root_states[:, 7:] = 0.0
    dog.dof_pos[:] = dog.default_dof_pos  # at no stop, which would push
    dog.dof_vel[:] = 0.0
    dog.gym.set_dof_state_tensor(dog.sim, gymtorch.unwrap_tensor(dog.dof_state))
    dog.gym.set_actor_root_state_tensor(dog.sim, gymtorch.unwrap_tensor(dog.root_states))
    dog.gym.set_dof_actuation_force_tensor(
        dog.sim, gymtorch.unwrap_tensor(torch.zeros(NUM_ENVS, 12, device=dog.device))
    )
    dog.gym.simulate(dog.sim)
    dog.gym.refresh_actor_root_state_tensor(dog.sim)
    dog.gym.set_sim_params(dog.sim, original)
    expected = [0.005 * g for g in gravity]
    assert dog.root_states[3, 7:10].tolist() == pytest.approx(expected, abs=1e-4)
