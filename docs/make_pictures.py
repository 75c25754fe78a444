"""Draw the documentation's pictures anew.

python docs/make_pictures.py terrain                      # docs/assets/terrain.webp
python docs/make_pictures.py page --task go2              # docs/assets/page.webp; needs playwright and Chromium
python docs/make_pictures.py climb --task go2             # docs/assets/climb_go2.webp, an animation
python docs/make_pictures.py strip --task go2             # docs/assets/strip_go2.webp, eight moments of such a climb
python docs/make_pictures.py curves logs/rough_go2        # docs/assets/curves.webp, with a line where robots walk

page, climb and strip let a policy walk as play.py does; --checkpoint_path and play.py's other flags choose which.
The pictures that are there: climb and strip --task aliengo --checkpoint_path aliengo, and
strip --task go2 --checkpoint_path go2 --command 1 0 0 (the others alike), as docs/build/policy_table.py's captions say.
curves takes folders of runs, as legged_gym.scripts.curves does.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from isaacgym import gymtorch
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gymapi import Vec3
from isaacgym.headless_viewer import looking_at
from isaacgym.viewer.follow_camera import FollowCamera
from isaacgym.viewer.renderer import Renderer
from legged_gym.envs import task_registry
from legged_gym.fonts import use_fonts_for
from legged_gym.runs.curves import Run, group_runs, spread
from legged_gym.scripts import play
from legged_gym.scripts.curves import DPI, draw_group, read_runs
from legged_gym.utils.helpers import get_args, user_errors
from legged_gym.utils.terrain import TYPE_NAMES

ASSETS = Path(__file__).parent / "assets"
QUALITIES = range(85, 25, -10)  # of WebP, of 100; the first one that makes a file small enough is taken
MAX_PICTURE, MAX_ANIMATION = 300_000, 3_000_000  # [bytes]
TERRAIN_LEVEL = 6
CLIMB_FPS = 50 / 3  # every third policy step
FILM_ROBOTS = 8  # that climb; the best one is drawn
FILM_STEPS, SETTLE_STEPS = 450, 25  # of the policy, 50 a second; the latter before the film begins
FILM_SIZE = (560, 350)  # [pixels]
FILM_TILE = 14.0  # [m] along each side, so that stairs go on for 5.7 m
FILM_HEIGHTS_AWAY = 4.2  # distance of the camera in heights of the robot's start
STRIP_PICTURES = 8
CURVES = {
    "Train/mean_episode_length": "Mean episode length [steps]",
    "Train/falls_per_minute": "Falls per robot and minute",
    "Episode/rew_tracking_lin_vel": "Reward for linear tracking, 1 at best",
    "Episode/terrain_level_stairs_up": "Mean level on stairs up",
}
# A minute: a curriculum has robots fall on what they cannot do yet. Of 1: robots that stand have 0.2 to 0.3.
WALKS_FALLS, WALKS_TRACKING = 3.0, 0.5
WALKS_OVER = 20  # iterations
PORT = 8099
PATIENCE_S, PAGE_S = 120, 60  # until the page is served, and then until all is drawn without a GPU


def save(path: Path, pictures: list[Any], **options: Any) -> None:
    frames = [picture if isinstance(picture, Image.Image) else Image.fromarray(picture) for picture in pictures]
    limit = MAX_ANIMATION if len(frames) > 1 else MAX_PICTURE
    for quality in QUALITIES:
        file = io.BytesIO()
        frames[0].save(
            file, "WebP", quality=quality, method=4, save_all=len(frames) > 1, append_images=frames[1:], **options
        )
        if file.tell() < limit:
            path.write_bytes(file.getvalue())
            print(f"Drawn: {path}, {file.tell() / 1e3:.0f} kB")
            return
    raise ValueError(f"{path} would take {file.tell() / 1e6:.1f} MB, and may take {limit / 1e6:g}: draw fewer steps")


def terrain() -> None:
    """One tile of each type at the same level, named."""
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    env_cfg.terrain.num_cols, env_cfg.env.num_envs = len(TYPE_NAMES), len(TYPE_NAMES)
    env_cfg.terrain.terrain_proportions = {name: 1 / len(TYPE_NAMES) for name in TYPE_NAMES}
    env, _ = task_registry.make_env("aliengo", get_args(["--headless", "--sim_device", "cpu"]), env_cfg)
    renderer = Renderer(env.sim, width=400, height=300, samples=2)
    tiles = []
    for column, name in enumerate(TYPE_NAMES):
        centre = env.terrain_origins[TERRAIN_LEVEL, column].cpu().numpy().astype(float)
        env.root_states[column, :3] = torch.tensor(centre) + torch.tensor([0.0, 0.0, 0.40])
        eye = centre + (-6.5, -5.5, 5.5)
        tiles.append((name, centre, eye))
    env.gym.set_actor_root_state_tensor(env.sim, gymtorch.unwrap_tensor(env.root_states))
    env.gym.simulate(env.sim)
    columns = 3
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * renderer.width, rows * renderer.height), "white")
    for number, (name, centre, eye) in enumerate(tiles):
        picture = Image.fromarray(renderer.render(looking_at(Vec3(*eye), Vec3(*centre)), [number]))
        ImageDraw.Draw(picture).text((10, 8), name, fill="black", font_size=22)
        sheet.paste(picture, (number % columns * renderer.width, number // columns * renderer.height))
    save(ASSETS / "terrain.webp", [sheet])


class Recording:
    """What a Renderer reads of a simulation, as it was at the moments kept."""

    def __init__(self, sim: Any) -> None:
        self.device, self.envs, self.robot, self.terrain = sim.device, sim.envs, sim.robot, sim.terrain
        self._sim = sim
        self.moments: list[Tensor] = []  # states of all bodies, (num_envs, num_bodies, STATE_WIDTH)
        self.shown = 0  # index of a moment

    def keep(self) -> None:
        states = torch.zeros(len(self.envs), len(self.robot.bodies), STATE_WIDTH, device=self.device)
        self._sim.read_body_states_w(states)
        self.moments.append(states)

    def read_body_states_w(self, states: Tensor) -> None:
        states.copy_(self.moments[self.shown])


def player_of(flags: list[str]) -> tuple[Any, Any]:
    """A policy on stairs upwards, as `play.py` has it, unless the flags say otherwise; tiles are longer."""
    usual = ["--headless", "--terrain", "stairs_up", "--level", "6", "--command", "0.8", "0", "0"]
    args = get_args([*usual, "--num_envs", str(FILM_ROBOTS), "--num_steps", str(FILM_STEPS), *flags], extra=play.FLAGS)
    env_cfg, train_cfg = task_registry.get_cfgs(args.task)
    env_cfg.terrain.terrain_length = env_cfg.terrain.terrain_width = FILM_TILE
    robot_class, args.task = task_registry.get_task_class(args.task), f"{args.task} on long stairs"
    task_registry.register(args.task, robot_class, env_cfg, train_cfg)
    return args, play.prepare(args)


@torch.inference_mode()
def record(player: Any, num_steps: int) -> tuple[Recording, int]:
    """A walk of all robots, CLIMB_FPS moments a second, and the robot that gets highest in one episode."""
    env = player.env
    recording, every = Recording(env.sim), round(1 / (CLIMB_FPS * env.dt))
    env.reset()
    obs, ended = env.get_observations(), torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    start = env.root_states[:, 2].clone()
    for step in range(SETTLE_STEPS + num_steps):
        obs, *_ = result = env.step(player.agent(obs))
        ended |= result.dones
        if step >= SETTLE_STEPS and step % every == 0:
            recording.keep()
    climbed = (env.root_states[:, 2] - start).masked_fill(ended, -1.0)
    best = int(climbed.argmax())
    print(f"{int((~ended).sum())} of {env.num_envs} robots did not fall; drawn: robot {best}, {climbed[best]:.1f} m up")
    return recording, best


def walk(flags: list[str], num_pictures: int | None = None) -> tuple[str, list[Any]]:
    """Name of the robot and pictures of its walk: so many, evenly spread, or CLIMB_FPS a second."""
    args, player = player_of(flags)
    recording, robot = record(player, args.num_steps)
    renderer = Renderer(recording, *FILM_SIZE, samples=2)
    camera = FollowCamera(renderer, robot, FILM_HEIGHTS_AWAY * player.env.cfg.init_state.pos[2])
    num_moments = len(recording.moments)
    chosen = np.linspace(0, num_moments - 1, num_pictures or num_moments).round().astype(int).tolist()
    interval_s = num_moments / CLIMB_FPS / len(chosen)
    pictures = []
    for recording.shown in chosen:
        base = recording.moments[recording.shown][robot, 0, :3].cpu().numpy().astype(float)
        pictures.append(renderer.render(camera.pose(base, interval_s), [robot]))
    return player.env.cfg.asset.name, pictures


def climb(flags: list[str]) -> None:
    robot, pictures = walk(flags)
    save(ASSETS / f"climb_{robot}.webp", pictures, duration=round(1000 / CLIMB_FPS), loop=0)


def strip(flags: list[str]) -> None:
    robot, pictures = walk(flags, STRIP_PICTURES)
    half = STRIP_PICTURES // 2
    rows = [np.concatenate(row, axis=1) for row in (pictures[:half], pictures[half:])]
    save(ASSETS / f"strip_{robot}.webp", [np.concatenate(rows)])


def first_walking(run: Run) -> float:
    """The iteration at which robots of a run follow commands without falling, by means over WALKS_OVER iterations."""
    tags = ("Train/falls_per_minute", "Episode/rew_tracking_lin_vel")
    falls, tracking = (spread([run.curves[tag]]) for tag in tags)
    _, of_falls, of_tracking = np.intersect1d(falls.x, tracking.x, return_indices=True)
    window = np.ones(WALKS_OVER) / WALKS_OVER
    means = [np.convolve(values, window, "valid") for values in (falls.mean[of_falls], tracking.mean[of_tracking])]
    walks = (means[0] < WALKS_FALLS) & (means[1] > WALKS_TRACKING)
    if len(of_falls) < WALKS_OVER or not walks.any():
        raise ValueError(
            f"{run.folder}: robots do not walk yet, which takes {WALKS_OVER} iterations with fewer falls a minute than "
            f"{WALKS_FALLS:g} and a reward for linear tracking above {WALKS_TRACKING:g}"
        )
    return float(falls.x[of_falls][int(walks.argmax()) + WALKS_OVER - 1])


def curves(folders: list[str]) -> None:
    """Four curves of runs, with a line from where on all of them walk."""
    from matplotlib.figure import Figure  # slow to import

    runs = read_runs([Path(folder) for folder in folders])
    walking, groups = max(first_walking(run) for run in runs), group_runs(runs)
    use_fonts_for("".join(group.label for group in groups))
    figure = Figure(figsize=(9.0, 5.2), dpi=DPI, layout="constrained")
    for axis, (tag, title) in zip(figure.subplots(2, 2).ravel(), CURVES.items(), strict=True):
        for number, group in enumerate(groups):
            draw_group(axis, group, tag, "iteration", color=f"C{number}")
        axis.axvline(walking, color="black", linestyle="--", linewidth=1.0)
        axis.set(title=title, xlabel="iteration")
        axis.grid(alpha=0.3)
        if tag == "Train/falls_per_minute":  # where curves leave room for words
            words = f"it walks here, at iteration {walking:.0f}"
            axis.annotate(words, (walking, 0.85), (6, 0), ("data", "axes fraction"), "offset points", va="center")
    lines = {label: line for axis in figure.axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center")
    file = io.BytesIO()
    figure.savefig(file)
    save(ASSETS / "curves.webp", [Image.open(file).convert("RGB")])


def wait_until_served(url: str) -> None:
    for _ in range(PATIENCE_S):
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(1)
    raise ValueError(f"no page at {url} after {PATIENCE_S} s")


def page(flags: list[str]) -> None:
    """The page of play.py in a browser, after a few seconds."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    script = [sys.executable, play.__file__, "--viewer_port", str(PORT), "--num_envs", "4", "--terrain", "stairs_up"]
    player = subprocess.Popen([*script, *flags], env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        with sync_playwright() as playwright:
            flags_gl = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
            browser = playwright.chromium.launch(executable_path=chromium, args=flags_gl)
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.set_default_timeout(PATIENCE_S * 1000)
            url = f"http://127.0.0.1:{PORT}"
            wait_until_served(url)
            tab.goto(url, wait_until="commit")
            tab.get_by_label("Contact forces").check()
            time.sleep(PAGE_S)
            for notice in tab.locator(".mantine-Notification-closeButton").all():  # that WebGL has no GPU
                notice.click()
            tab.mouse.move(1, 1)  # away from what explains itself
            time.sleep(2.0)
            print(f"Title: {tab.title()}")
            picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
            browser.close()
    finally:
        player.terminate()
        player.wait(60)
    save(ASSETS / "page.webp", [picture])


if __name__ == "__main__":
    with user_errors():
        kind, *rest = sys.argv[1:] or [""]
        sys.argv = sys.argv[:1]
        if kind == "terrain":
            terrain()
        elif kind in ("page", "climb", "strip", "curves"):
            {"page": page, "climb": climb, "strip": strip, "curves": curves}[kind](rest)
        else:
            raise ValueError(f"draw terrain, page, climb, strip or curves, not '{kind}'")
