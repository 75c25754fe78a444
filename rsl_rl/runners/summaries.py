"""What TensorBoard shows of a run besides curves: hyper-parameters, texts, figures, and how curves are arranged."""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from torch.utils.tensorboard.summary import custom_scalars, text

CurveLayout = Mapping[str, Mapping[str, Sequence[str]]]  # category → chart → regular expressions of tags
PNG_SIGNATURE, PNG_SIZE = b"\x89PNG\r\n\x1a\n", struct.Struct(">16xII")  # width and height [pixels]
RGBA = 4  # TensorBoard's number for the colour space


class RunDescription(NamedTuple):
    """What a run tells about itself when it starts."""

    hyper_parameters: Mapping[str, bool | float | str] = {}  # columns of TensorBoard's page HPARAMS
    texts: Mapping[str, str] = {}  # tag → Markdown


def description_summaries(description: RunDescription, layout: CurveLayout) -> list[Summary]:
    """For the run's own event file: torch's `SummaryWriter.add_hparams` would make a second run of it."""
    summaries = [text(tag, content) for tag, content in description.texts.items()]
    if description.hyper_parameters:
        summaries.append(hparams_pb(dict(description.hyper_parameters)))
    if layout:
        charts = {
            category: {title: ["Multiline", list(tags)] for title, tags in charts.items()}
            for category, charts in layout.items()
        }
        summaries.append(custom_scalars(charts))
    return summaries


def figure_summary(tag: str, png: bytes) -> Summary:
    """An image, encoded as PNG."""
    if not png.startswith(PNG_SIGNATURE):
        raise ValueError(f"the figure '{tag}' is not a PNG image")
    width, height = PNG_SIZE.unpack_from(png)
    image = Summary.Image(width=width, height=height, colorspace=RGBA, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=image)])
