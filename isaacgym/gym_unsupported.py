"""What Isaac Gym documents and we do not do, and what to do instead, for one sentence in place of a bare name."""

from __future__ import annotations

# a word of a name → what is said of every such name; the first that fits
REASONS = {
    "soft": "soft bodies, cloth and fluids are not simulated",
    "particle": "soft bodies, cloth and fluids are not simulated",
    "pneumatic": "soft bodies, cloth and fluids are not simulated",
    "tet": "soft bodies, cloth and fluids are not simulated",
    "cloth": "soft bodies, cloth and fluids are not simulated",
    "sim_triangles": "soft bodies, cloth and fluids are not simulated",
    "usd": "USD is neither read nor written; load URDF or MJCF files with load_asset",
    "opensim": "only URDF and MJCF files are read, with load_asset",
    "load_": "only URDF and MJCF files are read, with load_asset",
    "tendon": "coefficients and offsets of tendons stay those of the file; set_asset_tendon_properties changes springs",
    "timers": "the engine has no such timers; use torch.profiler",
    "destroy_env": "single envs cannot be taken out; destroy_sim ends them all",
    "get_vec": "states of many envs are read from tensors (acquire_dof_state_tensor and the like)",
    "set_vec": "states of many envs are set with tensors (set_dof_state_tensor and the like)",
    "sensor": "of sensors there are cameras (create_camera_sensor) and force sensors (create_asset_force_sensor)",
}


def reason(name: str) -> str | None:
    """Why there is no such name, None if Isaac Gym has none either as far as we know."""
    return next((why for word, why in REASONS.items() if word in name.lower()), None)
