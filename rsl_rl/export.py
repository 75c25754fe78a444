"""Trained policies as files that need no Python code of ours."""

import importlib.util
import io
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from rsl_rl.modules import ActorCritic
from rsl_rl.utils.files import StrPath, write_whole

METADATA = "metadata"  # key, in both kinds of file, of the JSON text that describes inputs and outputs
INPUT, OUTPUT = "observations", "actions"  # names in the ONNX graph
ONNX_OPSET = 17
HOW_TO_INSTALL_ONNX = "writing ONNX files needs the package onnx: pip install -e '.[export]'"
# torch never frees what a trace has allocated, so that a training traces its policy once and fills in new parameters.
_traced: WeakKeyDictionary[ActorCritic, torch.jit.ScriptModule] = WeakKeyDictionary()


def export_policy_as_jit(actor_critic: ActorCritic, path: StrPath, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a TorchScript file, whole or not at all, to be loaded by `torch.jit.load` or libtorch on the CPU.

    The module maps observation histories (N, num_obs), newest frame first, to mean actions (N, num_actions).

    Args:
        metadata: anything that JSON holds; stored as the extra file METADATA.
    """
    module, example = _module_and_example(actor_critic)
    # The networks have no branches that depend on data, so a trace holds for every input and batch size.
    if actor_critic not in _traced:
        _traced[actor_critic] = torch.jit.trace(module, example)
    _traced[actor_critic].load_state_dict(module.state_dict())
    buffer = io.BytesIO()
    torch.jit.save(_traced[actor_critic], buffer, _extra_files={METADATA: json.dumps(metadata or {})})
    write_whole(path, buffer.getbuffer())


def export_policy_as_onnx(actor_critic: ActorCritic, path: StrPath, metadata: Mapping[str, Any] | None = None) -> None:
    """Write an ONNX file with the same inputs and outputs; `metadata` becomes the model's property METADATA."""
    if not onnx_is_installed():
        raise ValueError(HOW_TO_INSTALL_ONNX)
    import onnx  # an optional dependency

    module, example = _module_and_example(actor_critic)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch's newer exporter needs onnxscript, which these networks do not.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (example,),
            str(Path(folder, "policy.onnx")),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=ONNX_OPSET,
            dynamo=False,
        )
        model = onnx.load(Path(folder, "policy.onnx"))
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata or {})})
    onnx.checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString())


def onnx_is_installed() -> bool:
    return importlib.util.find_spec("onnx") is not None


def _module_and_example(actor_critic: ActorCritic) -> tuple[torch.nn.Module, torch.Tensor]:
    """What acts, on the CPU, and an input for it."""
    module = actor_critic.inference_module().requires_grad_(False)
    return module, torch.zeros(1, actor_critic.num_actor_obs)
