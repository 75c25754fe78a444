"""What TensorBoard reads back of a run besides its curves."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from point_mass import ResumablePointMassEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.runners.summaries import RunDescription, figure_summary

HYPER_PARAMETERS = {"algorithm.gamma": 0.9, "task": "point", "clipped": True, "seed": 3}
LAYOUT = {"Reward": {"all": ["Reward/.*"], "none": ["Loss/.*", "Perf/.*"]}}


def picture(value: int) -> np.ndarray:
    """(height 5, width 7, RGBA)."""
    return np.full((5, 7, 4), value, dtype=np.uint8)


class DrawingEnv(ResumablePointMassEnv):
    """Gives pictures as bright as the number of those it gave before."""

    curve_layout = LAYOUT

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        self.num_pictures = 0

    def figures(self) -> dict[str, bytes]:
        buffer = io.BytesIO()
        Image.fromarray(picture(self.num_pictures)).save(buffer, format="png")
        self.num_pictures += 1
        return {"State/brightness": buffer.getvalue()}


def make_runner(cfg: dict, folder: Path) -> HIMOnPolicyRunner:
    runner = HIMOnPolicyRunner(DrawingEnv(8), cfg, folder)
    runner.description = RunDescription(HYPER_PARAMETERS, {"config/env": "**wind**"})
    return runner


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def test_the_description_is_read_back_from_the_runs_only_file(him_cfg, tmp_path):
    make_runner(him_cfg, tmp_path).learn(1)
    assert len(list(tmp_path.rglob("events.*"))) == 1
    events = read(tmp_path)
    session = parse_session_start_info_plugin_data(events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content)
    told = {name: getattr(value, value.WhichOneof("kind")) for name, value in session.hparams.items()}
    assert told == HYPER_PARAMETERS
    (text,) = events.Tensors("config/env/text_summary")
    assert text.tensor_proto.string_val[0] == b"**wind**"
    (layout,) = events.Tensors("custom_scalars__config__")
    (category,) = Layout.FromString(layout.tensor_proto.string_val[0]).category
    assert category.title == "Reward"
    assert {chart.title: list(chart.multiline.tag) for chart in category.chart} == LAYOUT["Reward"]


def test_figures_are_drawn_every_interval(him_cfg, tmp_path):
    him_cfg["runner"]["figure_interval"] = 2
    make_runner(him_cfg, tmp_path).learn(5)
    figures = read(tmp_path).Images("State/brightness")
    assert [figure.step for figure in figures] == [0, 2, 4]
    for number, figure in enumerate(figures):
        assert (figure.width, figure.height) == (7, 5)
        pixels = np.asarray(Image.open(io.BytesIO(figure.encoded_image_string)))
        assert (pixels == picture(number)).all()


def test_no_figure_is_drawn_unasked(him_cfg, tmp_path):
    runner = make_runner(him_cfg, tmp_path)
    runner.learn(2)
    assert runner.env.num_pictures == 0


def test_figures_and_descriptions_do_not_overlap_where_a_run_goes_on(him_cfg, tmp_path):
    him_cfg["runner"] |= {"save_interval": 2, "figure_interval": 1}
    make_runner(him_cfg, tmp_path).learn(6)
    for _ in range(2):
        resumed = make_runner(him_cfg, tmp_path)
        resumed.load(tmp_path / "model_2.pt")
        resumed.learn(4)
    events = read(tmp_path)
    assert [figure.step for figure in events.Images("State/brightness")] == list(range(7))
    assert [event.step for event in events.Scalars("Loss/surrogate")] == list(range(7))
    assert [text.step for text in events.Tensors("config/env/text_summary")] == [0, 3]


def test_a_figure_that_is_no_png_is_refused():
    with pytest.raises(ValueError, match="the figure 'State/x' is not a PNG image"):
        figure_summary("State/x", b"GIF89a")
