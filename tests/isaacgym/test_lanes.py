"""What only a GPU runs, as far as it can be checked without one."""

import numpy as np
import pytest
import warp as wp

from isaacgym.engine.contacts.terrain_contact import PROBE_LANES, probe_kernel
from isaacgym.engine.mujoco.newton import newton_kernel
from isaacgym.engine.terrain import Grid
from isaacgym.engine.tree.balance import NUM_CLASSES, count_world, make_order, order_world
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


def test_worlds_are_ordered_from_the_slowest_to_the_fastest():
    @wp.kernel(module="unique", enable_backward=False)
    def count(iterations: wp.array(dtype=int), counts: wp.array(dtype=int), rank: wp.array(dtype=int)):
        count_world(wp.tid(), iterations, counts, rank)

    @wp.kernel(module="unique", enable_backward=False)
    def put_in_order(
        iterations: wp.array(dtype=int),
        counts: wp.array(dtype=int),
        rank: wp.array(dtype=int),
        order: wp.array(dtype=int),
    ):
        order_world(wp.tid(), iterations, counts, rank, order)

    iterations = np.random.default_rng(0).integers(0, NUM_CLASSES + 5, 1000)
    with wp.ScopedDevice("cpu"):
        arrays, sorting = wp.array(iterations, dtype=int), make_order(len(iterations))
        wp.launch(count, len(iterations), [arrays, sorting.counts, sorting.rank])
        wp.launch(put_in_order, len(iterations), [arrays, *sorting])
    order = sorting.order.numpy()
    assert sorted(order) == list(range(len(iterations)))
    assert (np.diff(iterations[order].clip(max=NUM_CLASSES - 1)) <= 0).all()
