"""Where the time of a training iteration goes: python legged_gym/scripts/benchmark.py --task aliengo

Every row is the median over --repeats blocks; a block waits for the device before and after. Actions are random, so
robots move, fall and reset as in the first iterations of a training. The simulation alone runs between such actions.

On N GPUs: torchrun --nproc_per_node=N legged_gym/scripts/benchmark.py --task aliengo. Then times are those of the
slowest GPU, and rates count the robots of all.
"""

import time

STARTED = time.perf_counter()  # before the imports, which are part of the start

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

try:
    import legged_gym  # noqa: F401 -- before torch, whose threads it tells how to wait
except ModuleNotFoundError:
    raise SystemExit("error: legged_gym is not installed: run `pip install -e .` in the repository's folder") from None

import torch

from isaacgym.assets.notices import counted
from legged_gym.cli import interruptible
from legged_gym.envs import task_registry
from legged_gym.evaluation.yardsticks import Yardstick, c_mujoco, native_height_field
from legged_gym.files import check_writable
from legged_gym.progress import Progress
from legged_gym.utils.helpers import choose_fusion, get_args, user_errors
from rsl_rl.utils import ranks
from rsl_rl.utils.recorded import Recorded

WARM_UP_STEPS = 30  # policy steps: robots have landed, graphs are recorded
BLOCK_STEPS = 20  # policy steps timed at once
SIMULATED_STEPS = 5  # policy steps of simulation alone at once, in which the torques of the last action hold
STIR_STEPS = 5  # policy steps with new actions between such blocks
C_MUJOCO_STEPS, HEIGHT_FIELD_STEPS = 2000, 20  # simulation steps timed at once
PROFILED_KERNELS = 30  # the most expensive ones
ROWS = ("simulation_s", "env_step_s", "act_store_s", "update_s", "iteration_s")  # that each rank measures
PACKAGES = ("torch", "warp-lang", "mujoco-warp", "mujoco")

FLAGS = [
    {"name": "--repeats", "type": int, "default": 5, "help": "blocks per row; the median counts"},
    {"name": "--json", "type": str, "default": "", "help": "also write the table to this file"},
    {"name": "--compare", "action": "store_true", "help": "also time C MuJoCo and MuJoCo's own height fields"},
    {"name": "--scale", "type": int, "nargs": "+", "help": "numbers of robots to measure one after the other"},
    {"name": "--profile", "action": "store_true", "help": "also list the kernels that an iteration's time goes to"},
]


class Stopwatch:
    """Times blocks of work on one device."""

    def __init__(self, device: str, repeats: int, on_block: Callable[[], Any] = lambda: None) -> None:
        """on_block: called after every block."""
        self.device = torch.device(device)
        self.repeats, self._on_block = repeats, on_block

    def median(self, work: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> float:
        """Seconds of one call of `work`, median over the repeats; `before` is called ahead of each and not timed."""
        return statistics.median(self._once(work, before) for _ in range(self.repeats))

    def _once(self, work: Callable[[], Any], before: Callable[[], Any]) -> float:
        before()
        self._wait()
        start = time.perf_counter()
        work()
        self._wait()
        spent = time.perf_counter() - start
        self._on_block()
        return spent

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure(env: Any, runner: Any, watch: Stopwatch) -> dict[str, float]:
    """Seconds per policy step (first rows) and per iteration, and what follows from them."""
    alg, steps = runner.alg, runner.num_steps_per_env
    obs, critic_obs = runner.env.get_observations(), runner.env.get_privileged_observations()
    actions = torch.randn(env.num_envs, env.num_actions, device=env.device)

    def simulate() -> None:
        for _ in range(SIMULATED_STEPS * env.cfg.control.decimation):
            env.gym.simulate(env.sim)

    def step_env() -> None:
        for _ in range(BLOCK_STEPS):
            env.step(actions.normal_())

    def stir() -> None:
        for _ in range(STIR_STEPS):
            env.step(actions.normal_())

    def act_and_store() -> None:
        for _ in range(steps):
            alg.act(obs, critic_obs)
            alg.process_env_step(env.rew_buf, env.reset_buf, env.extras, critic_obs)
        alg.storage.clear()

    with torch.inference_mode():
        for _ in range(WARM_UP_STEPS):
            env.step(actions.normal_())
        env_step = watch.median(step_env) / BLOCK_STEPS
        simulation = watch.median(simulate, before=stir) / SIMULATED_STEPS
        act_store = watch.median(act_and_store)
    runner.learn(1)  # warms the learner up and records what it records
    iteration = watch.median(lambda: runner.learn(1))

    def learn() -> None:
        alg.storage.step = steps  # the last rollout is still there
        alg.update()

    update = watch.median(learn)
    own = dict(zip(ROWS, (simulation, env_step, act_store, update, iteration), strict=True))
    if ranks.num_ranks() > 1:
        own["communication_s"] = communication(runner, watch)
    all_ranks, robots = ranks.gather(own), env.num_envs * ranks.num_ranks()
    rows = {name: max(other[name] for other in all_ranks) for name in own}
    return rows | {
        "simulation_steps_per_s": robots / rows["simulation_s"],
        "env_steps_per_s": robots / rows["env_step_s"],
        "training_steps_per_s": robots * steps / rows["iteration_s"],
    }


def communication(runner: Any, watch: Stopwatch) -> float:
    """Seconds of an iteration's messages between ranks, one after the other and without anything to wait for."""
    before = ranks.traffic.copy()
    runner.learn(1)
    sizes = list((ranks.traffic - before).elements())  # [bytes]; 0: Python's objects
    tensors = {size: torch.zeros(size // 4, device=runner.device) for size in set(sizes)}

    def exchange() -> None:
        for size in sizes:
            if size:
                ranks.add_(tensors[size])
            else:
                ranks.gather(None)

    exchange()
    return watch.median(exchange)


def time_yardstick(yardstick: Yardstick, steps: int, watch: Stopwatch) -> float:
    """Seconds of one simulation step, median over the repeats of that many steps from the start on."""

    def simulate() -> None:
        for _ in range(steps):
            yardstick.step()

    yardstick.reset()
    yardstick.step()  # compiles
    return watch.median(simulate, before=yardstick.reset) / steps


def table(rows: dict[str, float]) -> str:
    """The measurements as text."""
    lines = [
        ("simulation alone, one policy step", f"{rows['simulation_s'] * 1e3:.2f} ms"),
        ("env.step with random actions", f"{rows['env_step_s'] * 1e3:.2f} ms"),
        ("  of it around the simulation", f"{(rows['env_step_s'] - rows['simulation_s']) * 1e3:.2f} ms"),
        ("act + store, one iteration", f"{rows['act_store_s']:.3f} s"),
        ("update, one iteration", f"{rows['update_s']:.3f} s"),
        ("whole iteration", f"{rows['iteration_s']:.3f} s"),
        ("simulation alone", f"{rows['simulation_steps_per_s']:,.0f} policy steps/s"),
        ("training", f"{rows['training_steps_per_s']:,.0f} policy steps/s"),
        ("start to first step", f"{rows['start_s']:.1f} s"),
    ]
    if "communication_s" in rows:
        share = rows["communication_s"] / rows["iteration_s"]
        lines.insert(6, ("  of it messages between GPUs", f"{rows['communication_s'] * 1e3:.2f} ms ({share:.1%})"))
    if "c_mujoco_step_s" in rows:
        ratio = rows["c_mujoco_step_s"] / rows["robot_step_s"]
        lines.append(("simulation step of one robot", f"{rows['robot_step_s'] * 1e6:.2f} us"))
        lines.append(("C MuJoCo on a plane, one thread", f"{rows['c_mujoco_step_s'] * 1e6:.2f} us ({ratio:.1f} x)"))
        ratio = rows["height_field_step_s"] / rows["robot_step_s"]
        lines.append(("MuJoCo Warp's own height field", f"{rows['height_field_step_s'] * 1e6:.2f} us ({ratio:.1f} x)"))
    if "gpu_memory_gb" in rows:
        lines.append(("GPU memory in use", f"{rows['gpu_memory_gb']:.2f} GB"))
    return "\n".join(f"{name:<36}{value:>28}" for name, value in lines)


def profile(runner: Any) -> str:
    """The kernels of one iteration (on a CPU torch's operators), most expensive first: time and number of launches."""
    on_gpu = runner.device.type == "cuda"
    with torch.profiler.profile() as profiler:
        runner.learn(1)
    kind = torch.autograd.DeviceType.CUDA if on_gpu else torch.autograd.DeviceType.CPU
    kernels = [kernel for kernel in profiler.key_averages() if kernel.device_type == kind]
    spent = {id(k): (k.self_device_time_total if on_gpu else k.self_cpu_time_total) / 1e3 for k in kernels}  # [ms]
    total, count = sum(spent.values()), sum(kernel.count for kernel in kernels)
    lines = [f"{'one iteration':<70}{total:>12.2f} ms{count:>10}"]
    for kernel in sorted(kernels, key=lambda k: -spent[id(k)])[:PROFILED_KERNELS]:
        lines.append(f"{kernel.key[:68]:<70}{spent[id(kernel)]:>12.2f} ms{kernel.count:>10}")
    return "\n".join(lines)


def scaling_table(argv: list[str], sizes: list[int]) -> str:
    """Measure each number of robots in a process of its own. argv: the other flags."""
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            print(f"Measuring {counted(size, 'robot')} …", flush=True)
            path = f"{folder}/{size}.json"
            command = [sys.executable, __file__, *argv, "--num_envs", str(size), "--json", path]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise ValueError(result.stderr.strip().splitlines()[-1].removeprefix("error: "))
            with open(path, encoding="utf-8") as file:
                columns.append(json.load(file))
            speed = "{training_steps_per_s:,.0f} policy steps/s, {iteration_s:.3f} s an iteration".format(**columns[-1])
            print(f"  {speed}", flush=True)
    rows = {
        "robots": [f"{column['num_envs']}" for column in columns],
        "simulation alone [policy steps/s]": [f"{column['simulation_steps_per_s']:,.0f}" for column in columns],
        "env.step around it [ms]": [f"{(c['env_step_s'] - c['simulation_s']) * 1e3:.2f}" for c in columns],
        "act + store [s]": [f"{column['act_store_s']:.3f}" for column in columns],
        "update [s]": [f"{column['update_s']:.3f}" for column in columns],
        "whole iteration [s]": [f"{column['iteration_s']:.3f}" for column in columns],
        "training [policy steps/s]": [f"{column['training_steps_per_s']:,.0f}" for column in columns],
    }
    if all("gpu_memory_gb" in column for column in columns):
        rows["GPU memory [GB]"] = [f"{column['gpu_memory_gb']:.2f}" for column in columns]
        rows["  of it per robot [MB]"] = [f"{c['gpu_memory_gb'] * 1e3 / c['num_envs']:.2f}" for c in columns]
    return "\n".join(f"{name:<36}" + "".join(f"{value:>14}" for value in values) for name, values in rows.items())


def without_scale(argv: list[str]) -> list[str]:
    """The command line without --scale and its numbers."""
    start = argv.index("--scale")
    rest = argv[start + 1 :]
    while rest and rest[0].isdigit():
        rest = rest[1:]
    return argv[:start] + rest


def device_name(device: str) -> str:
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}, {torch.get_num_threads()} torch threads"


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """Build the task, measure, print and write the results."""
    with user_errors():
        choose_fusion(args)
        if args.repeats < 1:
            raise ValueError(f"--repeats must be at least 1, got {args.repeats}")
        if args.json and ranks.rank() == 0:
            check_writable(args.json, "--json")
        env, _ = task_registry.make_env(args.task, args)
        if args.compare and env.terrain is None:
            raise ValueError("--compare needs a height field; choose a rough task, such as --task aliengo")
        runner, _ = task_registry.make_alg_runner(env, args.task, args, log_root=None)
    start_s = time.perf_counter() - STARTED
    measured_rows = len(ROWS) + (ranks.num_ranks() > 1)
    progress = Progress(f"Measuring {counted(env.num_envs, 'robot')}", measured_rows * args.repeats)
    on_block = progress.add if ranks.rank() == 0 else lambda: None
    rows = measure(env, runner, Stopwatch(args.sim_device, args.repeats, on_block))
    rows["start_s"] = start_s
    if torch.device(args.sim_device).type == "cuda":
        free, total = torch.cuda.mem_get_info(args.sim_device)
        rows["gpu_memory_gb"] = (total - free) / 1e9
    rows["robot_step_s"] = rows["simulation_s"] / env.cfg.control.decimation / env.num_envs
    if args.compare:
        rows["c_mujoco_step_s"] = time_yardstick(c_mujoco(env), C_MUJOCO_STEPS, Stopwatch("cpu", args.repeats))
        watch = Stopwatch(args.sim_device, args.repeats)
        step_s = time_yardstick(native_height_field(env), HEIGHT_FIELD_STEPS, watch)
        rows["height_field_step_s"] = step_s / env.num_envs  # of one robot
    about = {
        "task": args.task,
        "engine": type(env.sim.engine).__name__,
        "device": device_name(args.sim_device),
        "ranks": ranks.num_ranks(),
        "num_envs": env.num_envs,  # of a rank
        "steps_per_iteration": runner.num_steps_per_env,
        "repeats": args.repeats,
        "fusion": "on" if Recorded.fuses else "off",
        "hidden_dtype": str(runner.alg.hidden_dtype or torch.float32).removeprefix("torch."),
        "overflows": int(env.sim.engine.overflow_count()),
        "faults": int(env.fault_count),
        **{package: version(package) for package in PACKAGES},
    }
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(table(rows))
    if args.json and ranks.rank() == 0:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({**about, **rows}, file, indent=1)
    if args.profile:
        print(profile(runner))
    return rows


if __name__ == "__main__":
    with interruptible():
        try:
            with user_errors():
                ranks.join()
                arguments = get_args(extra=FLAGS)
                if arguments.scale is not None:
                    if ranks.num_ranks() > 1:
                        raise ValueError("--scale measures in processes of its own; without torchrun, please")
                    print(scaling_table(without_scale(sys.argv[1:]), arguments.scale))
                    raise SystemExit
            benchmark(arguments)
            ranks.leave()
        except ranks.RankLostError as error:
            raise SystemExit(1) from error
