"""Draw the documentation's pictures anew.

python docs/make_pictures.py terrain                      # docs/assets/terrain.webp
python docs/make_pictures.py page                         # docs/assets/page.webp; needs playwright and Chromium
python docs/make_pictures.py climb --task go2             # docs/assets/climb_go2.webp, an animation
python docs/make_pictures.py strip --task go2             # docs/assets/strip_go2.webp, eight moments of the same climb

climb and strip let a policy walk as play.py does; --checkpoint_path and play.py's other flags choose which.
"""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from isaacgym import gymtorch
from isaacgym.gymapi import Vec3
from isaacgym.headless_viewer import looking_at
from isaacgym.viewer.follow_camera import FollowCamera
from isaacgym.viewer.renderer import Renderer
from legged_gym.envs import task_registry
from legged_gym.scripts import play
from legged_gym.utils.helpers import get_args, user_errors
from legged_gym.utils.terrain import TYPE_NAMES

ASSETS = Path(__file__).parent / "assets"
QUALITY = 80  # of WebP, from 0 to 100
TERRAIN_LEVEL = 6
CLIMB_FPS = 12.5  # every fourth policy step
STRIP_PICTURES = 8
PORT = 8099
PATIENCE_S, PAGE_S = 120, 60  # until the page is served, and then until all is drawn without a GPU


def save(path: Path, pictures: list[Any], **options: Any) -> None:
    frames = [picture if isinstance(picture, Image.Image) else Image.fromarray(picture) for picture in pictures]
    frames[0].save(path, quality=QUALITY, method=6, save_all=len(frames) > 1, append_images=frames[1:], **options)
    print(f"Drawn: {path}, {path.stat().st_size / 1e3:.0f} kB")


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
    columns = 4
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * renderer.width, rows * renderer.height), "white")
    for number, (name, centre, eye) in enumerate(tiles):
        picture = Image.fromarray(renderer.render(looking_at(Vec3(*eye), Vec3(*centre)), [number]))
        ImageDraw.Draw(picture).text((10, 8), name, fill="black", font_size=22)
        sheet.paste(picture, (number % columns * renderer.width, number // columns * renderer.height))
    save(ASSETS / "terrain.webp", [sheet])


def player_of(flags: list[str]) -> tuple[Any, Any]:
    """A policy on stairs upwards, as `play.py` has it, unless the flags say otherwise."""
    usual = ["--headless", "--terrain", "stairs_up", "--level", "6", "--command", "0.8", "0", "0", "--num_envs", "1"]
    args = get_args([*usual, *flags], extra=play.FLAGS)
    return args, play.prepare(args)


@torch.inference_mode()
def walk(player: Any, num_steps: int) -> list[Any]:
    """Pictures of a walk, CLIMB_FPS a second."""
    env = player.env
    camera = FollowCamera(Renderer(env.sim, width=480, height=300, samples=2), 0)
    every = round(1 / (CLIMB_FPS * env.dt))
    env.reset()
    obs, pictures = env.get_observations(), []
    for step in range(num_steps):
        obs = env.step(player.agent(obs)).obs
        if step % every == 0:
            pictures.append(camera.picture(every * env.dt))
    return pictures


def climb(flags: list[str]) -> None:
    args, player = player_of(["--num_steps", "400", *flags])
    pictures = walk(player, args.num_steps)
    save(ASSETS / f"climb_{args.task}.webp", pictures, duration=round(1000 / CLIMB_FPS), loop=0)


def strip(flags: list[str]) -> None:
    args, player = player_of(["--num_steps", "400", *flags])
    pictures = walk(player, args.num_steps)
    chosen = [pictures[k] for k in np.linspace(0, len(pictures) - 1, STRIP_PICTURES).astype(int)]
    rows = [
        np.concatenate(chosen[: STRIP_PICTURES // 2], axis=1),
        np.concatenate(chosen[STRIP_PICTURES // 2 :], axis=1),
    ]
    save(ASSETS / f"strip_{args.task}.webp", [np.concatenate(rows)])


def wait_until_served() -> None:
    for _ in range(PATIENCE_S):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        time.sleep(1)
    raise ValueError(f"no page on port {PORT} after {PATIENCE_S} s")


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
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            wait_until_served()
            tab.goto(f"http://127.0.0.1:{PORT}", wait_until="commit", timeout=120_000)
            time.sleep(PAGE_S)
            print(f"Title: {tab.title()}")
            picture = Image.open(io.BytesIO(tab.screenshot(timeout=120_000))).convert("RGB")
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
        elif kind in ("page", "climb", "strip"):
            {"page": page, "climb": climb, "strip": strip}[kind](rest)
        else:
            raise ValueError(f"draw terrain, page, climb or strip, not '{kind}'")
