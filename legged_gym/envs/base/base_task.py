"""What every task on the simulator has: a device, buffers, and a simulation that is ready to step."""

import signal
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from isaacgym import gymapi, gymutil
from isaacgym.engine.progress import heartbeat
from rsl_rl.env.vec_env import StepResult
from rsl_rl.utils.recorded import Recorded

FUSING = "Preparing the step (torch.compile fuses its kernels on the first run on this machine)"


class BaseTask:
    """Owns the simulation and the buffers that the learner reads.

    A subclass sets the sizes in `_define_observations`, builds the scene in `create_sim`, and steps it.
    """

    def __init__(
        self, cfg: Any, sim_params: gymapi.SimParams, physics_engine: Any, sim_device: str, headless: bool
    ) -> None:
        """sim_device: cpu, cuda or cuda:N. Without `headless` there is a viewer."""
        self.gym = gymapi.acquire_gym()
        self.cfg = cfg
        self.sim_params = sim_params
        self.physics_engine = physics_engine
        self.sim_device = sim_device
        self.sim_device_type, self.sim_device_id = gymutil.parse_device_str(sim_device)
        on_gpu = self.sim_device_type == "cuda" and sim_params.use_gpu_pipeline
        self.device = sim_device if on_gpu else "cpu"  # where the tensors live
        self.headless = headless
        self.graphics_device_id = -1 if headless else self.sim_device_id
        self.num_envs = cfg.env.num_envs
        self.num_actions = cfg.env.num_actions
        self._define_observations()
        self._allocate_results()
        self.create_sim()
        self.gym.prepare_sim(self.sim)
        self.viewer = None
        self.enable_viewer_sync = True  # the viewer shows every step
        if not headless:
            self._create_viewer()

    def _create_viewer(self) -> None:
        """Open a viewer whose keys stop the program and switch the drawing."""
        self.viewer = self.gym.create_viewer(self.sim, gymapi.CameraProperties())
        self.gym.subscribe_viewer_keyboard_event(self.viewer, gymapi.KEY_ESCAPE, "QUIT")
        self.gym.subscribe_viewer_keyboard_event(self.viewer, gymapi.KEY_V, "toggle_viewer_sync")
        position, target = (gymapi.Vec3(*point) for point in (self.cfg.viewer.pos, self.cfg.viewer.lookat))
        self.gym.viewer_camera_look_at(self.viewer, None, position, target)

    def _define_observations(self) -> None:
        """Set num_one_step_obs, num_obs and num_privileged_obs."""
        raise NotImplementedError

    def _allocate_results(self) -> None:
        """Allocate what `step` returns."""
        n, device = self.num_envs, self.device
        self.obs_buf = torch.zeros(n, self.num_obs, device=device)
        self.privileged_obs_buf = torch.zeros(n, self.num_privileged_obs, device=device)
        self.termination_privileged_obs_buf = torch.zeros_like(self.privileged_obs_buf)  # before a reset
        self.rew_buf = torch.zeros(n, device=device)
        self.reset_buf = torch.ones(n, dtype=torch.bool, device=device)  # the episode ended in this step
        self.time_out_buf = torch.zeros(n, dtype=torch.bool, device=device)  # it ended by time
        self.episode_length_buf = torch.zeros(n, dtype=torch.long, device=device)  # age [policy steps]
        self.extras: dict[str, Any] = {}

    def create_sim(self) -> None:
        """Create self.sim and everything in it."""
        raise NotImplementedError

    def get_observations(self) -> Tensor:
        """The actor's input, (num_envs, num_obs); overwritten by the next step."""
        return self.obs_buf

    def get_privileged_observations(self) -> Tensor:
        """The critic's input, (num_envs, num_privileged_obs); overwritten by the next step."""
        return self.privileged_obs_buf

    def reset_idx(self, env_ids: Tensor) -> None:
        """Start a new episode in the given environments: (D,) int64, or a (num_envs,) bool mask."""
        raise NotImplementedError

    def reset(self) -> tuple[Tensor, Tensor]:
        """Start a new episode everywhere and take one step with zero actions. Returns both observations."""
        with heartbeat(FUSING) if Recorded.fuses else nullcontext():
            self.reset_idx(torch.arange(self.num_envs, device=self.device))
            result = self.step(torch.zeros(self.num_envs, self.num_actions, device=self.device))
        return result.obs, result.privileged_obs

    def step(self, actions: Tensor) -> StepResult:
        """Advance by one policy step. actions: (num_envs, num_actions)."""
        raise NotImplementedError

    def render(self) -> None:
        """Draw the viewer, if there is one, and do what its keys ask for. Quitting is what Ctrl-C is."""
        if self.viewer is None:
            return
        for event in self.gym.query_viewer_action_events(self.viewer):
            if event.action == "QUIT" and event.value > 0:
                if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start programs in the background
                    raise KeyboardInterrupt
                signal.raise_signal(signal.SIGINT)
            elif event.action == "toggle_viewer_sync" and event.value > 0:
                self.enable_viewer_sync = not self.enable_viewer_sync
        if self.enable_viewer_sync:
            self.gym.step_graphics(self.sim)
            self.gym.draw_viewer(self.viewer, self.sim, True)
            self.gym.sync_frame_time(self.sim)
        else:
            self.gym.poll_viewer_events(self.viewer)
