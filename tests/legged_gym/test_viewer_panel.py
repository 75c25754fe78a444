"""The page of a LeggedRobot: its controls, by themselves and in a real browser."""

import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from small_envs import small_cfg

from legged_gym.envs import task_registry
from legged_gym.scripts.play import until_stopped
from legged_gym.utils.helpers import get_args

pytest.importorskip("viser", reason="the viewer's tests need the package viser")

FLOAT32 = 1e-5  # [m], [m/s] rounding of float32
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER_FLAGS = [
    *("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE_S = 90.0  # [s] for a browser that draws without a GPU


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def shown_env(task: str, *flags: str) -> Any:
    args = get_args(["--sim_device", "cpu", "--viewer_port", str(free_port()), "--seed", "3", *flags])
    cfg = small_cfg(task)
    cfg.commands.heading_command = task == "aliengo"
    return task_registry.make_env(task, args, cfg)[0]


@pytest.fixture(scope="module")
def env() -> Iterator[Any]:
    """Robots on rough terrain with a page, following headings."""
    env = shown_env("aliengo")
    yield env
    env.gym.destroy_viewer(env.viewer)


@pytest.fixture
def panel(env: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The panel on a page that seems to be watched, with every control at its start."""
    monkeypatch.setattr("isaacgym.viewer.page.Page.watched", True)
    panel = env._panel
    for control in (panel._override, panel._all_robots, panel._show_forces, panel._show_scan):
        control.value = False
    env.viewer._robot.show(0)
    env.viewer.pace._speed.value = "max"
    return panel


def render(env: Any) -> None:
    env.viewer._next_frame = 0.0
    env.render()


def steps(env: Any, number: int) -> None:
    for _ in range(number):
        env.step(torch.zeros(env.num_envs, env.num_actions))


# -- the command line


@pytest.mark.parametrize(
    ("flags", "headless", "viewer"),
    [
        ([], False, "auto"),
        (["--headless"], True, "auto"),
        (["--headless", "--viewer", "web"], False, "web"),
        (["--viewer", "none"], True, "none"),
    ],
)
def test_flags_choose_the_viewer(flags: list[str], headless: bool, viewer: str) -> None:
    from legged_gym.utils.helpers import parse_sim_params

    args = get_args(["--sim_device", "cpu", "--viewer_port", "8090", "--viewer_host", "0.0.0.0", *flags])
    params = parse_sim_params(args, {})
    assert (args.headless, params.viewer, params.viewer_host, params.viewer_port) == (headless, viewer, "0.0.0.0", 8090)


def test_an_unknown_viewer_is_refused() -> None:
    with pytest.raises(ValueError, match="--viewer is 'web' or 'none', not 'window'"):
        get_args(["--sim_device", "cpu", "--viewer", "window"])


def test_an_environment_without_a_viewer_renders_nothing(flat_env: Any) -> None:
    assert flat_env.viewer is None
    flat_env.render()


# -- commands


def test_sliders_command_the_chosen_robot_alone(env: Any, panel: Any) -> None:
    before = env.commands.clone()
    env.viewer._robot.show(2)
    panel._override.value = True
    for slider, value in zip(panel._sliders, (0.7, -0.4, 0.3), strict=True):
        slider.control.value = value
    render(env)
    assert env.commands[2, :3].tolist() == pytest.approx([0.7, -0.4, 0.3])
    others = [0, 1, 3, 4, 5]
    assert torch.equal(env.commands[others], before[others])


def test_sliders_command_all_robots_also_where_a_heading_steers(env: Any, panel: Any) -> None:
    """The environment would turn robots by 0.5/s times the error of their heading."""
    panel._override.value = panel._all_robots.value = True
    for slider, value in zip(panel._sliders, (1.1, 0.2, -0.45), strict=True):
        slider.control.value = value
    render(env)
    assert env.cfg.commands.heading_command
    env._update_heading_commands()
    assert env.commands[:, :3].numpy() == pytest.approx(np.tile([1.1, 0.2, -0.45], (6, 1)), abs=1e-4)


def test_bad_values_of_a_slider_never_reach_the_commands(env: Any, panel: Any) -> None:
    panel._override.value = True
    panel._sliders[0].control.value = 0.6
    render(env)
    for bad in (float("nan"), float("inf"), 3.01, -1e9):
        panel._sliders[0].control.value = bad
        render(env)
        assert env.commands[0, 0].item() == pytest.approx(0.6)


def test_the_environment_commands_again_once_the_sliders_do_not(env: Any, panel: Any) -> None:
    panel._override.value = True
    panel._sliders[1].control.value = 1.0  # beside the range below
    render(env)
    env.cfg.commands.ranges.lin_vel_x, env.command_ranges["lin_vel_y"] = [0.5, 0.5], [-0.25, -0.25]
    panel._override.value = False
    render(env)
    assert env.commands[0, 1].item() == pytest.approx(-0.25)
    assert all(slider.control.disabled for slider in panel._sliders)


# -- overlays and curves


def test_force_lines_start_at_the_feet_and_carry_the_weight(env: Any, panel: Any) -> None:
    env.reset()
    steps(env, 40)  # they fall and stand
    panel._show_forces.value = True
    env.viewer._count.show(3)
    render(env)
    lines = env.viewer.marks._handles["contact_forces"].points.reshape(3, 4, 2, 3) + env.viewer.marks.origin
    feet = env.rigid_body_states.view(6, -1, 13)[:3, env.feet_indices, :3].numpy()
    assert lines[:, :, 0] == pytest.approx(feet, abs=FLOAT32)
    forces = env.contact_forces[:3, env.feet_indices].numpy()
    assert np.abs(forces[..., 2]).max() > 10.0
    assert (lines[:, :, 1] - lines[:, :, 0]) / 0.003 == pytest.approx(forces, abs=0.01)
    panel._show_forces.value = False
    render(env)
    assert "contact_forces" not in env.viewer.marks._handles


def test_scan_points_lie_on_the_terrain_around_the_chosen_robot(env: Any, panel: Any) -> None:
    env.viewer._robot.show(4)
    panel._show_scan.value = True
    steps(env, 1)
    render(env)
    points = env.viewer.marks._handles["height_scan"].points + env.viewer.marks.origin
    assert points.shape == (187, 3)
    assert points[:, :2].mean(axis=0) == pytest.approx(env.root_states[4, :2].numpy(), abs=1e-3)  # a symmetric grid
    cells = np.floor((points[:, :2] + env.cfg.terrain.border_size) / 0.1 + 1e-4).astype(int)
    samples = env.terrain.height_field_raw * env.cfg.terrain.vertical_scale
    around = np.stack([samples[cells[:, 0] + i, cells[:, 1] + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    lift = 0.02
    assert (points[:, 2] - lift >= around.min(axis=0) - FLOAT32).all()
    assert (points[:, 2] - lift <= around.max(axis=0) + FLOAT32).all()


def test_curves_hold_commands_and_velocities_over_time(env: Any, panel: Any) -> None:
    env.viewer._robot.show(1)
    seen = []
    for _ in range(5):
        seen.append([*env.commands[1, :3].tolist(), *env.base_lin_vel[1, :2].tolist(), env.base_ang_vel[1, 2].item()])
        panel._next_curve = env.viewer._next_frame = 0.0
        steps(env, 1)  # draws before it steps
    drawn = [np.stack(plot.data) for plot in panel._plots]
    for axis, (times, command, velocity) in enumerate(drawn):
        assert np.diff(times) == pytest.approx(0.02)
        assert command == pytest.approx([row[axis] for row in seen])
        assert velocity == pytest.approx([row[3 + axis] for row in seen])


def test_watching_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments of one seed, one of them watched with all overlays on."""
    states = []
    for is_watched in (False, True):
        monkeypatch.setattr("isaacgym.viewer.page.Page.watched", is_watched)
        env = shown_env("aliengo")
        env._panel._show_forces.value = env._panel._show_scan.value = is_watched
        torch.manual_seed(5)
        env.reset()
        for _ in range(30):
            env.viewer._next_frame = 0.0
            env.step(torch.randn(env.num_envs, env.num_actions))
        assert ("contact_forces" in env.viewer.marks._handles) == is_watched
        states.append((env.root_states.clone(), env.dof_pos.clone(), env.obs_buf.clone(), env.commands.clone()))
        env.gym.destroy_viewer(env.viewer)
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


def test_the_quit_button_is_ctrl_c_and_v_switches_the_drawing(env: Any, panel: Any) -> None:
    env.viewer._report("toggle_viewer_sync", None)
    env.render()
    assert not env.enable_viewer_sync
    env.viewer._report("toggle_viewer_sync", None)
    env.render()
    assert env.enable_viewer_sync
    env.viewer._report("QUIT", None)
    with pytest.raises(KeyboardInterrupt):
        env.render()


def test_a_watched_player_goes_on_until_ctrl_c() -> None:
    played = []
    for step in until_stopped(count()):
        played.append(step)
        if step == 7:
            signal.raise_signal(signal.SIGINT)
    assert played == list(range(8))


# -- in a browser


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of a headless browser that draws WebGL in software."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser's tests need the package playwright")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser found, looked for {', '.join(BROWSERS)}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 900, "height": 1100})
        page.set_default_timeout(PATIENCE_S * 1000)
        yield page
        browser.close()


class Stepping(threading.Thread):
    """Steps an environment until the end of the `with` block; `count` says how often."""

    def __init__(self, env: Any) -> None:
        super().__init__(daemon=True)
        self.env, self.count, self.is_ending = env, 0, False

    def run(self) -> None:
        while not self.is_ending:
            steps(self.env, 1)
            self.count += 1
            time.sleep(0.02)  # leaves time to the browser

    def __enter__(self) -> "Stepping":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_ending = True
        self.env.viewer.pace._pause.value = False
        self.join(timeout=PATIENCE_S)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)


def orange_share(page: Any) -> float:
    """Share of the picture's pixels that have the chosen robot's colour, away from the panel."""
    import matplotlib.image

    pixels = matplotlib.image.imread(BytesIO(page.screenshot()))[:, :550, :3]
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return float(((red > 1.25 * green) & (green > 1.15 * blue) & (red > 0.3)).mean())


@pytest.mark.slow
def test_a_browser_shows_robots_and_its_controls_reach_the_environment(page: Any) -> None:
    env = shown_env("aliengo_flat")
    env.viewer._count.show(3)
    with Stepping(env) as stepping:
        page.goto(env.viewer.page.url)
        page.get_by_label("Override").wait_for()
        assert page.title() == "HIMLoco: aliengo"
        wait_for(lambda: env.viewer.watched, "the connection")
        wait_for(lambda: orange_share(page) > 0.002, "the chosen robot")

        page.get_by_label("Override").check()
        wait_for(lambda: env._panel._overridden is not None, "the override")
        page.get_by_role("slider").nth(1).press("End")  # the first one is the number of robots
        wait_for(lambda: env.commands[0, 0].item() == pytest.approx(3.0), "the slider's command")

        page.get_by_label("Pause").check()
        wait_for(lambda: env.viewer.pace.paused, "the pause")
        time.sleep(0.5)  # a step that had begun
        count = stepping.count
        time.sleep(1.0)
        assert stepping.count == count
        page.get_by_role("button", name="Single step").click()
        wait_for(lambda: stepping.count > count, "a single step")
        time.sleep(0.5)
        assert stepping.count == count + 1
        page.get_by_label("Pause").uncheck()
        wait_for(lambda: stepping.count > count + 1, "going on")

        page.get_by_role("button", name="Toggle viewer sync").click()
        wait_for(lambda: not env.enable_viewer_sync, "the button")
        page.locator("canvas").first.focus()
        page.keyboard.press("v")
        wait_for(lambda: env.enable_viewer_sync, "the key")
        page.goto("about:blank")
        wait_for(lambda: not env.viewer.watched, "the connection's end")
    env.gym.destroy_viewer(env.viewer)
