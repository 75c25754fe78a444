"""The state of a simulation out and in, so that it goes on exactly as it would have.

What follows from the state (poses, contacts, inertia) is not kept: the engine computes it anew before the next step.
"""

import numpy as np
import torch
from torch import Tensor

from isaacgym.simulation import Simulation

ACTOR_ARRAYS = ("mass", "com", "inertia", "friction", "restitution")  # what actors answer to questions about them


def save(sim: Simulation) -> dict[str, Tensor]:
    """Copies on the host, by name."""
    sim.send_changes()
    live = {name: tensor.detach().cpu().clone() for name, tensor in _live_tensors(sim).items()}
    arrays = {f"actors.{name}": torch.from_numpy(sim.of_actors(name)) for name in ACTOR_ARRAYS}
    return live | arrays


def load(sim: Simulation, state: dict[str, Tensor]) -> None:
    """Take over what `save` gave; a state of other names or sizes is a ValueError and changes nothing."""
    live = _live_tensors(sim)
    arrays = {f"actors.{name}": torch.from_numpy(sim.of_actors(name)) for name in ACTOR_ARRAYS}
    check_tensors(live | arrays, state)
    for name, tensor in live.items():
        tensor.copy_(state[name])
    for name in ACTOR_ARRAYS:
        values = np.concatenate(list(state[f"actors.{name}"].numpy()))
        first = 0
        for actor in (actor for env in sim.envs for actor in env.actors):
            count = len(getattr(actor, name))
            setattr(actor, name, values[first : first + count].copy())
            first += count
    sim.changed.clear()
    sim.running.state_changed()


def check_tensors(own: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    """Refuse tensors that cannot be copied into one's own."""
    for name in own.keys() ^ given.keys():
        raise ValueError(f"it was saved {'without' if name in own else 'with'} '{name}'")
    for name, tensor in own.items():
        if not isinstance(given[name], Tensor) or given[name].shape != tensor.shape:
            shape = tuple(getattr(given[name], "shape", ()))
            raise ValueError(f"'{name}' was saved with the shape {shape} and is {tuple(tensor.shape)} here")


def _live_tensors(sim: Simulation) -> dict[str, Tensor]:
    mirrors = ("root_states", "dof_states", "body_states", "contact_forces", "dof_forces", "_last_dof_forces")
    own = {f"sim.{name}": getattr(sim, name) for name in mirrors}
    return own | {f"engine.{name}": tensor for name, tensor in sim.running.state_tensors().items()}
