"""What only a GPU runs, as far as it can be checked without one."""

import pytest
import warp as wp

from isaacgym.engine.contacts.terrain_contact import PROBE_LANES, probe_kernel
from isaacgym.engine.mujoco.newton import newton_kernel
from isaacgym.engine.terrain import Grid
from isaacgym.engine.tree.kernels import tree_kernels

H100 = 90  # compute capability


@pytest.mark.skipif(not wp.get_cuda_supported_archs(), reason="this build of Warp has no compiler for GPUs")
@pytest.mark.parametrize("name", ["probes", "step of 16 lanes", "step of 32 lanes in float64", "kinematics", "newton"])
def test_kernels_whose_threads_share_work_compile(name, tmp_path):
    kernel = {
        "probes": lambda: probe_kernel(Grid, PROBE_LANES),
        "step of 16 lanes": lambda: tree_kernels(13, 16, False, wp.float32).step,
        "step of 32 lanes in float64": lambda: tree_kernels(30, 32, True, wp.float64).step,
        "kinematics": lambda: tree_kernels(13, 16, False, wp.float32).kinematics,
        "newton": lambda: newton_kernel(18, 32),
    }[name]()
    (binary,) = wp.compile_aot_module(kernel.module, arch=H100, module_dir=tmp_path)
    assert binary.stat().st_size > 1000
