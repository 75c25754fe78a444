"""What programs say of themselves: help, times, pictures."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import pytest
from matplotlib.axes import Axes

from isaacgym.viewer.page import Number
from legged_gym import LEGGED_GYM_ROOT_DIR, cli
from legged_gym.envs import task_registry
from legged_gym.scripts import curves, new_robot, play, sim2sim
from legged_gym.utils.helpers import get_args
from legged_gym.utils.logger import Logger
from rsl_rl.runners.training_log import duration
from rsl_rl.utils.signals import StopRequest

ROOT = Path(LEGGED_GYM_ROOT_DIR)
SCRIPTS = ROOT / "legged_gym" / "scripts"
NOTHING_UNLESS_GIVEN = {  # wishes that a program without them does not have
    *("--task_module", "--config", "--set", "--export", "--terrain", "--video", "--replay", "--json", "--scale"),
    *("--tables", "--compare", "--checkpoint_path"),
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (250.0, "4 min 10 s"),
        (4 * 3600 + 59, "4 h 0 min"),
        (5000.0, "1 h 23 min"),
        (190_800.0, "2 d 5 h"),
    ],
)
def test_times_are_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ctrl_c_is_answered_with_what_is_finished_first(capsys: pytest.CaptureFixture[str]) -> None:
    for request, words in ((StopRequest(), "this iteration"), (StopRequest("step"), "this step")):
        with request:
            signal.raise_signal(signal.SIGINT)
        assert request.requested and f"Stopping after {words};" in capsys.readouterr().out


def help_of(name: str, **environment: str) -> str:
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), "--help"]
    outer = {key: value for key, value in os.environ.items() if key != cli.RUNNING} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=outer | environment, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""  # no banners
    return done.stdout


def undecided(text: str) -> set[str]:
    """Flags of a help that take a value and tell neither a default nor, in usage, that they are needed."""
    usage, _, options = text.partition("options:")
    entries = re.split(r"\n  (?=-)", options)[1:]
    takes_value = [entry for entry in entries if re.match(r"(?:-\w \S+, )?--\w+ [A-Z{\[]", entry)]
    flags = {re.search(r"--\w+", entry)[0] for entry in takes_value if "default" not in entry}
    return {flag for flag in flags if f"[{flag} " in " ".join(usage.split())}


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("[a-z]*.py")))
def test_help_says_what_the_script_does_with_tasks_and_defaults_and_no_more(name: str) -> None:
    text = help_of(name)
    assert text.startswith(f"usage: {name}.py ")
    assert undecided(text) <= NOTHING_UNLESS_GIVEN
    if name in ("sim2sim", "curves", "new_robot"):
        return
    words = " ".join(text.split())
    assert f"--task TASK one of: {', '.join(task_registry.task_classes)}; default: aliengo" in words
    assert re.search(r"--viewer_port VIEWER_PORT port of the page; .*?; default: 0 ", words)


@pytest.mark.parametrize("parse", [get_args, sim2sim.get_args, curves.parse_args, new_robot.get_args])
def test_help_calls_the_program_as_the_user_did(
    parse: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv(cli.RUNNING, "himloco command")
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert capsys.readouterr().out.startswith("usage: himloco command [-h]")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--video_size", "640", "360"], "--video_size needs --video FILE"),
        (
            ["--video", "a.mp4", "--video_size", "8", "360"],
            "--video_size takes width and height from 16 to 4096 pixels",
        ),
    ],
)
def test_sizes_of_films_are_checked(flags: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        play.check_args(get_args(["--headless", *flags], extra=play.FLAGS))


@pytest.mark.slow
def test_a_film_has_the_size_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    flags = ["--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "1", "--agent", "zero"]
    flags += ["--video", str(path), "--video_size", "321", "180", "--num_steps", "4"]
    args = get_args(flags, extra=play.FLAGS)
    player = play.prepare(args)
    play.run_filmed(player, args, Logger(player.env.dt))
    assert iio.imread(path).shape == (2, 180, 322, 3)  # 25 pictures a second, even numbers


def test_a_plot_names_its_joint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    monkeypatch.setattr(Axes, "set", lambda self, **options: titles.append(options["title"]))
    Logger(0.02).plot_states(tmp_path / "plot.png", joint="FL_thigh_joint")
    assert [title for title in titles if title.startswith("FL_thigh_joint: ")] == [
        f"FL_thigh_joint: {quantity}" for quantity in ("position", "velocity", "torque", "torque over velocity")
    ]


class Slider:
    """Like viser's handle of a slider."""

    def __init__(self) -> None:
        self.value, self.min, self.max = 2.5, -3.0, 3.0


def test_a_slider_can_be_limited_to_what_was_trained() -> None:
    slider = Slider()
    number = Number(slider, -3.0, 3.0)
    number.read()
    number.limit(-1.0, 1.25)
    assert (slider.min, slider.max, slider.value) == (-1.0, 1.25, 1.25)
    slider.value = 2.0  # from a page that does not know yet
    assert number.read() == 1.25 and slider.value == 1.25
