"""Trained policies as files that need no Python code of ours."""

import importlib.util
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rsl_rl.modules import ActorCritic
from rsl_rl.utils.files import StrPath

METADATA = "metadata"  # key, in both kinds of file, of the JSON text that describes inputs and outputs
INPUT, OUTPUT = "observations", "actions"  # names in the ONNX graph
ONNX_OPSET = 17
HOW_TO_INSTALL_ONNX = "writing ONNX files needs the package onnx: pip install -e '.[export]'"


def export_policy_as_jit(actor_critic: ActorCritic, path: StrPath, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a TorchScript file, to be loaded by `torch.jit.load` or libtorch on the CPU.

    The module maps observation histories (N, num_obs), newest frame first, to mean actions (N, num_actions).

    Args:
        metadata: anything that JSON holds; stored as the extra file METADATA.
    """
    module, example = _module_and_example(actor_critic)
    # The networks have no branches that depend on data, so a trace holds for every input and batch size.
    traced = torch.jit.trace(module, example)
    torch.jit.save(traced, str(_with_folder(path)), _extra_files={METADATA: json.dumps(metadata or {})})


def export_policy_as_onnx(actor_critic: ActorCritic, path: StrPath, metadata: Mapping[str, Any] | None = None) -> None:
    """Write an ONNX file with the same inputs and outputs; `metadata` becomes the model's property METADATA."""
    if not onnx_is_installed():
        raise ValueError(HOW_TO_INSTALL_ONNX)
    import onnx  # an optional dependency

    path = _with_folder(path)
    module, example = _module_and_example(actor_critic)
    with warnings.catch_warnings():
        # torch's newer exporter needs onnxscript, which these networks do not.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=ONNX_OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata or {})})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def onnx_is_installed() -> bool:
    return importlib.util.find_spec("onnx") is not None


def _module_and_example(actor_critic: ActorCritic) -> tuple[torch.nn.Module, torch.Tensor]:
    """What acts, on the CPU, and an input for it."""
    module = actor_critic.inference_module().requires_grad_(False)
    return module, torch.zeros(1, actor_critic.num_actor_obs)


def _with_folder(path: StrPath) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
