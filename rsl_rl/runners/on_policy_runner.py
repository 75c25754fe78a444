"""The training loop: collect a rollout, learn from it, log, save."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from rsl_rl.algorithms import PPO
from rsl_rl.env import StepResult, VecEnv
from rsl_rl.modules import ActorCritic, HIMActorCritic
from rsl_rl.runners.checkpoint import (
    load_parameters,
    read_checkpoint,
    read_data,
    remove_old_files,
    state_file,
    write_checkpoint,
)
from rsl_rl.runners.curve_file import cut_curves
from rsl_rl.runners.episode_stats import EpisodeStats, EpisodeSummary
from rsl_rl.runners.faults import MAX_SKIPPED_STEPS, TrainingDivergedError, broken_envs, dump_fault, dump_rollout
from rsl_rl.runners.summaries import RunDescription
from rsl_rl.runners.training_log import IterationReport, TrainingLog
from rsl_rl.utils import ranks
from rsl_rl.utils.config import config_keys, find_class, select_config
from rsl_rl.utils.console import tell
from rsl_rl.utils.files import StrPath, remove_temporaries
from rsl_rl.utils.random_state import random_state, set_random_state
from rsl_rl.utils.signals import StopRequest


class OnPolicyRunner:
    """Trains a policy in an environment; with several ranks, the same one in an environment each, see utils/ranks.py.

    `learn`, `save` and `load` then have to be called on every rank, with the same arguments.

    Args:
        env: the environment; it is reset here.
        train_cfg: the sections "runner", "algorithm" and "policy" as dicts.
        log_dir: where curves and checkpoints go; None: nothing is logged or saved.
        device: where the networks learn.
    """

    policy_classes: ClassVar[Mapping[str, type[ActorCritic]]] = {"ActorCritic": ActorCritic}
    algorithm_classes: ClassVar[Mapping[str, type[PPO]]] = {"PPO": PPO}
    # A task's config describes the HIM policy; the baseline trains from the same one.
    ignored_policy_keys: ClassVar[set[str]] = config_keys(HIMActorCritic)
    loss_tags: ClassVar[Mapping[str, str]] = {}  # loss → name of its TensorBoard curve, where they differ

    def __init__(
        self,
        env: VecEnv,
        train_cfg: Mapping[str, Any],
        log_dir: StrPath | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cfg = train_cfg["runner"]
        self.env = env
        self.device = torch.device(device)
        self.log_dir = None if log_dir is None else os.fspath(log_dir)
        self.num_steps_per_env = self.cfg["num_steps_per_env"]
        self.save_interval = self.cfg["save_interval"]
        self.keep = self.cfg.get("keep")  # newest checkpoints that stay on the disk; None: all
        self.figure_interval = self.cfg.get("figure_interval")  # [iterations] between figures; None: none
        self.description = RunDescription()  # for TensorBoard; to be set before the first `learn`
        # Called with (folder, iteration) after each checkpoint, whose companions are policy_<iteration>.*
        self.after_save: Callable[[str, int], None] | None = None

        self.alg = self._make_algorithm(train_cfg["policy"], train_cfg["algorithm"])
        mirror = getattr(env, "mirror", None) if self.alg.mirror_fraction > 0 else None
        self.alg.mirror = None if mirror is None else mirror.to(self.device)
        ranks.share_parameters(self.alg.actor_critic)
        self.alg.init_storage(
            env.num_envs, self.num_steps_per_env, [env.num_obs], [self.num_critic_obs], [env.num_actions]
        )
        self._logs = False  # the first `learn` had a folder
        self.training_log: TrainingLog | None = None  # opened by it, on the first rank
        self.stop_request = StopRequest()
        self.current_learning_iteration = 0  # completed iterations = number of the next one
        self.tot_timesteps = 0  # over all envs, resumed runs included
        self.tot_time = 0.0  # [s], likewise
        self.stats = EpisodeStats(env.num_envs, self.num_steps_per_env, self.device, getattr(env, "dt", None))
        self.resumed_from: str | None = None  # path of the checkpoint that `load` read last
        self.newest_file: str | None = None  # path of the last checkpoint that `learn` saved
        self.saved_iterations = 0  # completed iterations in it
        self._episodes_restored = False  # `load` put back the env as it was
        with torch.inference_mode():  # as its steps: torch.compile traces what it fuses once more in another mode
            self.env.reset()

    @property
    def num_critic_obs(self) -> int:
        return self.env.num_obs if self.env.num_privileged_obs is None else self.env.num_privileged_obs

    def _make_algorithm(self, policy_cfg: Mapping[str, Any], algorithm_cfg: Mapping[str, Any]) -> PPO:
        policy_class = find_class(self.policy_classes, self.cfg["policy_class_name"], "policy class")
        algorithm_class = find_class(self.algorithm_classes, self.cfg["algorithm_class_name"], "algorithm class")
        policy_kwargs = select_config(policy_class, policy_cfg, "policy", self.ignored_policy_keys)
        algorithm_kwargs = select_config(algorithm_class, algorithm_cfg, "algorithm")
        actor_critic = policy_class(*self._network_sizes(), **policy_kwargs)
        return algorithm_class(actor_critic, device=self.device, **algorithm_kwargs)

    def _network_sizes(self) -> tuple[int, ...]:
        """Positional arguments of the policy class."""
        return self.env.num_obs, self.num_critic_obs, self.env.num_actions

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Train for some more iterations, or until SIGINT or SIGTERM asks to stop: then the iteration is finished.

        Args:
            init_at_random_ep_len: start episodes at random ages, so that they do not all time out together.
        """
        if self.log_dir is not None and not self._logs:
            self._logs = True
            self.training_log = self._open_log(self.log_dir) if ranks.rank() == 0 else None
        if init_at_random_ep_len and not self._episodes_restored:
            self._randomize_episode_ages()
        self._episodes_restored = False
        obs, critic_obs = self._initial_observations()
        self.alg.actor_critic.train()
        learn_start = self._now()
        first_iteration = self.current_learning_iteration
        end_iteration = first_iteration + num_learning_iterations
        first_skipped = self.alg.skipped_steps

        with self.stop_request:
            for it in range(first_iteration, end_iteration):
                start = self._now()
                obs, critic_obs = self._collect_rollout(obs, critic_obs)
                collected = self._now()
                self.alg.compute_returns(critic_obs)
                self.alg.begin_iteration(it)
                skipped_before = self.alg.skipped_steps
                losses = self.alg.update()
                end = self._now()

                self.current_learning_iteration = it + 1
                self.tot_timesteps += self._steps_per_iteration
                self.tot_time += end - start
                episodes = self.stats.summarize() if self._logs else None
                if self.training_log is not None and episodes is not None:
                    seconds_per_iteration = (end - learn_start) / (it + 1 - first_iteration)
                    report = self._report(
                        it,
                        end_iteration,
                        times=(collected - start, end - collected),
                        losses=losses._asdict(),
                        episodes=episodes,
                        eta_s=seconds_per_iteration * (end_iteration - it - 1),
                    )
                    self.training_log.write(report)
                    if self.figure_interval and it % self.figure_interval == 0 and hasattr(self.env, "figures"):
                        self.training_log.write_figures(self.env.figures(), it)
                self._handle_faults(it, skipped_before, first_skipped)
                if it % self.save_interval == 0:
                    self._try_to_save(it)
                if any(ranks.gather(self.stop_request.requested)):
                    self.stop_request.requested = True
                    break
            self._try_to_save(self.current_learning_iteration)

    @property
    def _steps_per_iteration(self) -> int:
        """Env steps, over all envs of all ranks."""
        return self.num_steps_per_env * self.env.num_envs * ranks.num_ranks()

    def _handle_faults(self, iteration: int, skipped_before: int, first_skipped: int) -> None:
        """Tell about robots and gradient steps that broke in this iteration; end the run if it learns no more."""
        record = self.env.take_fault_record() if hasattr(self.env, "take_fault_record") else None
        records = [own for own in ranks.gather(record) if own is not None]
        if records and ranks.rank() == 0:
            dump_fault(self.log_dir, iteration, records[0])
        if self.alg.skipped_steps > skipped_before:
            number = self.alg.skipped_steps - skipped_before
            is_float16 = self.alg.hidden_dtype == torch.float16
            hint = " (float16 ends at 65504: algorithm.mixed_precision = False)" if is_float16 else ""
            reason = f"a loss or gradient was not finite{hint}"
            tell(f"In iteration {iteration} {reason}; gradient steps left out: {number}.")
        if self.alg.skipped_steps - first_skipped < MAX_SKIPPED_STEPS:
            return
        self._try_to_save(self.current_learning_iteration)  # the networks are as they were before the first such step
        dump = "" if self.log_dir is None else f"; the last rollout is in {self._dump_rollout(self.log_dir, iteration)}"
        raise TrainingDivergedError(f"{MAX_SKIPPED_STEPS} gradient steps were not finite: training stops{dump}")

    def _dump_rollout(self, folder: str, iteration: int) -> str:
        """Path of the file, or why there is none. Of several ranks, one writes in whose rollout something broke."""
        told = ""
        broken = ranks.gather(bool(broken_envs(self.alg.rollout).any()))
        writer = broken.index(True) if any(broken) else 0
        if ranks.rank() == writer:
            try:
                told = str(dump_rollout(folder, iteration, self.alg.rollout))
            except OSError as error:
                told = f"no file, since the disk refuses it ({error})"
        return ranks.gather(told)[writer]

    @torch.inference_mode()
    def _randomize_episode_ages(self) -> None:
        ages = self.env.episode_length_buf
        ages[:] = torch.randint_like(ages, high=int(self.env.max_episode_length))

    def _initial_observations(self) -> tuple[Tensor, Tensor]:
        return self._to_device(self.env.get_observations(), self.env.get_privileged_observations())

    def _to_device(self, obs: Tensor, privileged_obs: Tensor | None) -> tuple[Tensor, Tensor]:
        """The actor's and the critic's observation."""
        critic_obs = obs if privileged_obs is None else privileged_obs
        return obs.to(self.device), critic_obs.to(self.device)

    @torch.inference_mode()
    def _collect_rollout(self, obs: Tensor, critic_obs: Tensor) -> tuple[Tensor, Tensor]:
        """Act for one rollout, store it, and return the observations after its last step."""
        self.stats.begin_rollout()
        for _ in range(self.num_steps_per_env):
            actions = self.alg.act(obs, critic_obs)
            result = StepResult.of(self.env.step(actions))
            obs, critic_obs = self._to_device(result.obs, result.privileged_obs)
            result = replace(result, rewards=result.rewards.to(self.device), dones=result.dones.to(self.device))
            self._process_step(result, critic_obs)
            self.stats.add_step(result.rewards, result.dones, result.extras)
        return obs, critic_obs

    def _process_step(self, result: StepResult, critic_obs: Tensor) -> None:
        self.alg.process_env_step(result.rewards, result.dones, result.extras)

    def _now(self) -> float:
        """Seconds on a clock, once the device has finished what was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _report(
        self,
        iteration: int,
        end_iteration: int,
        times: tuple[float, float],
        losses: dict[str, float],
        episodes: EpisodeSummary,
        eta_s: float,
    ) -> IterationReport:
        return IterationReport(
            iteration=iteration,
            end_iteration=end_iteration,
            num_steps=self._steps_per_iteration,
            collection_time=times[0],
            learning_time=times[1],
            losses=losses,
            learning_rate=self.alg.learning_rate,
            noise_std=self.alg.actor_critic.std.mean().item(),
            episodes=episodes,
            tot_timesteps=self.tot_timesteps,
            tot_time=self.tot_time,
            eta_s=eta_s,
            gpu_memory_gb=self._gpu_memory_gb(),
            skipped_steps=self.alg.skipped_steps,
        )

    def _gpu_memory_gb(self) -> float | None:
        """Memory in use on the GPU, the simulator's included, which torch's own count leaves out."""
        if self.device.type != "cuda":
            return None
        free_bytes, total_bytes = torch.cuda.mem_get_info(self.device)
        return (total_bytes - free_bytes) / 1e9

    def _try_to_save(self, iteration: int) -> None:
        """Save model_<iteration>.pt and what an exact continuation needs beside it, and drop what is too old.

        A full or failing disk costs these files, not the training. A death at any moment leaves the newest checkpoint
        whole, and beside it the state that belongs to it: the state is written first, and old ones are deleted last.
        """
        if self.log_dir is None:
            return
        path = os.path.join(self.log_dir, f"model_{iteration}.pt")
        try:
            if hasattr(self.env, "get_state"):
                file = state_file(self.log_dir, self.current_learning_iteration, ranks.rank())
                state = self._run_state(self.env.get_state())
                ranks.all_do(lambda: write_checkpoint(file, state))
            self.save(path, iteration=iteration)
            self.newest_file, self.saved_iterations = path, self.current_learning_iteration
            remove_old_files(self.log_dir, self.current_learning_iteration, self.keep)
        except OSError as error:
            tell(f"Cannot save {path}, training goes on: {error}")
        else:
            if self.after_save is not None and ranks.rank() == 0:
                self.after_save(self.log_dir, iteration)

    @property
    def is_saved(self) -> bool:
        """The last iteration is on the disk."""
        return self.saved_iterations == self.current_learning_iteration

    def _open_log(self, folder: str) -> TrainingLog:
        """Start to log; in the folder of a run that goes on, clear away what came after its newest checkpoint."""
        try:
            remove_temporaries(folder)
            cut_curves(folder, self.current_learning_iteration)
        except OSError as error:
            tell(f"Cannot tidy up {folder}, curves may overlap: {error}")
        log = TrainingLog(folder, self.loss_tags)
        log.describe(self.description, getattr(self.env, "curve_layout", {}), self.current_learning_iteration)
        return log

    def _run_state(self, env_state: dict[str, Any]) -> dict[str, Any]:
        """What an exact continuation needs beside the checkpoint."""
        return {
            "completed_iterations": self.current_learning_iteration,
            "env": env_state,
            "episodes": self.stats.state(),
            "random": random_state(),
            "ranks": ranks.num_ranks(),
        }

    def save(self, path: StrPath, infos: Any = None, iteration: int | None = None) -> None:
        """Write a checkpoint, whole or not at all; of several ranks, the first one writes, with the curriculum of all.

        `iter` in the file is the number in the file's name: the last iteration done for a file saved inside the loop,
        the count of iterations for the one at the end. `completed_iterations` is the count in both, and so the number
        of the iteration at which a resumed run goes on.

        Args:
            infos: anything that `torch.load(weights_only=True)` reads.
            iteration: default: the number of completed iterations.
        """
        contents = {
            "model_state_dict": self.alg.actor_critic.state_dict(),
            **self.alg.optimizer_states(),
            "iter": self.current_learning_iteration if iteration is None else iteration,
            "infos": infos,
            "completed_iterations": self.current_learning_iteration,
            "learning_rate": self.alg.learning_rate,
            "tot_timesteps": self.tot_timesteps,
            "tot_time": self.tot_time,
        }
        if hasattr(self.env, "get_curriculum_state"):
            contents["env_state"] = self.env.get_curriculum_state()
        ranks.check_alike(self.alg.actor_critic.state_dict().values(), "parameters")
        ranks.all_do(lambda: write_checkpoint(path, contents) if ranks.rank() == 0 else None)

    def load(self, path: StrPath, load_optimizer: bool = True) -> Any:
        """Read a checkpoint, ours or a published one, and return its `infos`.

        Args:
            load_optimizer: also take over what only further training needs: the optimisers' moments, the learning rate
                and, from the file beside the newest checkpoint, the env and the random generators as they were, so
                that training goes on as if it had never ended. Without that file the env takes over the curriculum
                only; this is said on the console.
        """
        checkpoint = read_checkpoint(path, self.device)
        parameters = checkpoint["model_state_dict"]
        load_parameters(self.alg.actor_critic, parameters, path, hint=self._mismatch_hint(parameters))
        completed = checkpoint.get("completed_iterations", checkpoint.get("iter", 0))
        counts = (completed, checkpoint.get("tot_timesteps", 0), checkpoint.get("tot_time", 0.0))
        if not all(isinstance(count, int | float) and count >= 0 for count in counts):
            raise ValueError(f"{path} is not a checkpoint: its counts of iterations, steps and seconds are {counts}")
        self.current_learning_iteration, self.tot_timesteps, self.tot_time = int(completed), int(counts[1]), counts[2]
        self.saved_iterations, self.newest_file = self.current_learning_iteration, os.fspath(path)
        self.resumed_from = os.fspath(path)
        if load_optimizer:
            self._load_training_state(checkpoint, path)
        return checkpoint.get("infos")

    def _mismatch_hint(self, parameters: Mapping[str, Tensor]) -> str:
        """The end of the error sentence for parameters that do not fit."""
        return "; choose the task that it was trained on"

    def _load_training_state(self, checkpoint: dict[str, Any], path: StrPath) -> None:
        try:
            if "optimizer_state_dict" in checkpoint:
                self.alg.load_optimizer_states(checkpoint)
            else:
                tell(f"{path} holds no moments: the optimisers start afresh.")
                self.alg.learning_rate = checkpoint.get("learning_rate", self.alg.learning_rate)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ValueError(
                f"the optimiser state in {path} does not fit ({error}); load_optimizer=False starts it afresh"
            ) from error
        problem = None
        try:
            self._restore_run(Path(path))
        except ValueError as error:
            problem = str(error)
        problems = [own for own in ranks.gather(problem) if own is not None]
        self._episodes_restored = not problems
        if problems:
            tell(f"Not restored: the simulation, running episodes and random generators; {problems[0]}.")
            if "env_state" in checkpoint and hasattr(self.env, "set_curriculum_state"):
                self.env.set_curriculum_state(checkpoint["env_state"])

    def _restore_run(self, checkpoint: Path) -> None:
        """Put back what `_run_state` gave. A file that does not fit is a ValueError and changes nothing."""
        if not hasattr(self.env, "set_state"):
            raise ValueError("the environment has no set_state")
        path = state_file(checkpoint.parent, self.current_learning_iteration, ranks.rank())
        if not path.is_file():
            raise ValueError(
                f"there is no {path.name} beside {checkpoint.name} (it is numbered by completed iterations, and only "
                "that of a run's newest checkpoint stays)"
            )
        state = read_data(path, "cpu")
        if not {"env", "episodes", "random"} <= state.keys():
            raise ValueError(f"{path} is not the state of a run")
        saved_ranks = state.get("ranks", 1)
        if saved_ranks != ranks.num_ranks():
            raise ValueError(f"the number of ranks (GPUs) was {saved_ranks} and is {ranks.num_ranks()}")
        self.env.set_state(state["env"])
        self.stats.load_state(state["episodes"])
        set_random_state(state["random"])

    def get_inference_policy(self, device: torch.device | str | None = None) -> Any:
        """The policy as a function: observations (N, num_obs) → mean actions (N, num_actions)."""
        self.alg.actor_critic.eval()
        if device is not None:
            self.alg.actor_critic.to(device)
        return self.alg.actor_critic.act_inference
