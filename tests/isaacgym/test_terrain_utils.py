"""Terrain generators on small fields computed by hand, and properties of the triangle mesh."""

import time

import numpy as np
import pytest

from isaacgym import terrain_utils as tu
from isaacgym.terrain_utils import SubTerrain, convert_heightfield_to_trimesh

HS, VS = 0.1, 0.005
TOL = 1e-5  # float32 vertices some metres from the origin


def terrain(width=8, length=8, vertical_scale=1.0, horizontal_scale=1.0):
    return SubTerrain("test", width, length, vertical_scale, horizontal_scale)


@pytest.fixture(autouse=True)
def rng():
    """Seeds the global generator that the terrain uses; returns a second one at the same point of the same stream."""
    np.random.seed(5)  # noqa: NPY002
    return np.random.RandomState(5)


# --- Generators -----------------------------------------------------------------------------------------------------


def test_a_subterrain_is_flat_int16_of_width_by_length():
    field = SubTerrain(width=3, length=5).height_field_raw
    assert field.shape == (3, 5) and field.dtype == np.int16 and not field.any()


def test_slope_rises_along_x():
    field = tu.sloped_terrain(terrain(4, 2), slope=2).height_field_raw  # top: 2 * 4 = 8; 8 i / 4
    np.testing.assert_array_equal(field, [[0, 0], [2, 2], [4, 4], [6, 6]])


def test_pyramid_slope_is_cut_at_the_platform():
    field = tu.pyramid_sloped_terrain(terrain(8, 8), slope=4, platform_size=4).height_field_raw
    # top = 4 * 8 / 2 = 16; ramps (0, 1, 2, 3, 4, 3, 2, 1) / 4 in both directions; cut at sample [2, 2]: 16 * 0.5 * 0.5
    ramp = np.array([0, 1, 2, 3, 4, 3, 2, 1])
    np.testing.assert_array_equal(field, np.minimum(np.outer(ramp, ramp), 4))
    pit = tu.pyramid_sloped_terrain(terrain(8, 8), slope=-4, platform_size=4).height_field_raw
    np.testing.assert_array_equal(pit, -field)


def test_stairs_leave_the_rest_behind_the_last_whole_step():
    field = tu.stairs_terrain(terrain(7, 2), step_width=3, step_height=-5).height_field_raw
    np.testing.assert_array_equal(field[:, 0], [-5, -5, -5, -10, -10, -10, 0])


def test_pyramid_stairs_count_inwards_to_the_platform():
    field = tu.pyramid_stairs_terrain(terrain(9, 9), step_width=1, step_height=2, platform_size=3).height_field_raw
    ring = np.minimum(np.arange(9), np.arange(9)[::-1])
    np.testing.assert_array_equal(field, 2 * np.minimum(np.minimum(ring[:, None], ring[None, :]), 3))


def test_pyramid_stairs_truncate_metres_to_samples():
    field = tu.pyramid_stairs_terrain(terrain(80, 80, VS, HS), 0.31, 0.18, platform_size=3.0).height_field_raw
    assert field[2, 40] == 0 and field[3, 40] == 36 and field[6, 40] == 72
    assert field.max() == 36 * 9  # 80 - 2 * 3 k > 30 holds for k < 9


@pytest.mark.parametrize("make", [tu.stairs_terrain, tu.pyramid_stairs_terrain])
def test_steps_narrower_than_a_sample_are_refused(make):
    with pytest.raises(ValueError, match="below the horizontal scale"):
        make(terrain(), 0.5, 1)


def test_waves_are_a_cosine_along_y_plus_a_sine_along_x():
    field = tu.wave_terrain(terrain(8, 8), num_waves=1, amplitude=200.0).height_field_raw
    # amplitude 100; cos at y = 0, 2, 4: 1, 0, -1; sin at x = 0, 2, 4: 0, 1, 0
    assert [field[0, 0], field[0, 4], field[2, 0], field[2, 4], field[2, 2]] == [100, -100, 200, 0, 100]
    assert not tu.wave_terrain(terrain(), num_waves=0).height_field_raw.any()


def test_uniform_noise_without_downsampling_is_the_random_choice_itself(rng):
    field = tu.random_uniform_terrain(terrain(6, 4), -3, 3, step=2).height_field_raw
    np.testing.assert_array_equal(field, rng.choice([-3, -1, 1, 3], (6, 4)))


def test_uniform_noise_is_interpolated_linearly_along_each_axis(rng):
    t = SubTerrain("test", 9, 5, 1.0, 1.0)
    field = tu.random_uniform_terrain(t, -100, 100, step=1, downsampled_scale=2.5).height_field_raw
    coarse = rng.choice(np.arange(-100, 101), (3, 2)).astype(float)
    along_x = np.array([np.interp(np.linspace(0, 9, 9), np.linspace(0, 9, 3), column) for column in coarse.T]).T
    expected = np.array([np.interp(np.linspace(0, 5, 5), np.linspace(0, 5, 2), row) for row in along_x])
    assert np.abs(field - expected).max() <= 0.5 + 1e-9


def test_uniform_noise_adds_to_what_is_there():
    t = tu.stairs_terrain(terrain(4, 4), 2, 100)
    field = tu.random_uniform_terrain(t, -1, 1).height_field_raw
    assert np.abs(field[:2] - 100).max() <= 1 and np.abs(field[2:] - 200).max() <= 1


def test_obstacles_follow_the_documented_order_of_random_numbers(rng):
    t = terrain(40, 60, VS, HS)
    field = tu.discrete_obstacles_terrain(t, 0.15, 1.0, 2.0, num_rects=5, platform_size=0.4).height_field_raw
    expected = np.zeros((40, 60))
    height = int(0.15 / VS)
    for _ in range(5):
        width, length = rng.choice([10, 14, 18]), rng.choice([10, 14, 18])
        i, j = rng.choice(range(0, 40 - width, 4)), rng.choice(range(0, 60 - length, 4))
        expected[i : i + width, j : j + length] = rng.choice([-height, -height // 2, height // 2, height])
    expected[18:22, 28:32] = 0
    np.testing.assert_array_equal(field, expected)


@pytest.mark.parametrize("shape", [(20, 30), (30, 20)])
def test_stepping_stones_by_the_documented_order_of_random_numbers(shape, rng):
    t = terrain(*shape)
    field = tu.stepping_stones_terrain(t, 3, 2, max_height=4, platform_size=6, depth=-50).height_field_raw
    expected = np.full(shape, -50)
    long_axis_is_x = shape[0] > shape[1]
    across, along = min(shape), max(shape)

    def fill(c0, c1, a0, a1):
        height = rng.choice(np.arange(-5, 4))
        for c in range(max(c0, 0), min(c1, across)):
            for a in range(a0, min(a1, along)):
                expected[(a, c) if long_axis_is_x else (c, a)] = height

    row = 0
    while row < along:
        start = rng.randint(0, 3)
        fill(0, start - 2, row, row + 3)
        while start < across:
            fill(start, start + 3, row, row + 3)
            start += 5
        row += 5
    cx, cy = shape[0] // 2, shape[1] // 2
    expected[cx - 3 : cx + 3, cy - 3 : cy + 3] = 0
    np.testing.assert_array_equal(field, expected)


def test_flat_stepping_stones_are_one_unit_low():
    field = tu.stepping_stones_terrain(terrain(20, 20), 3, 2, max_height=0, platform_size=2).height_field_raw
    assert set(np.unique(field)) == {-10, -1, 0}


# --- Triangle mesh --------------------------------------------------------------------------------------------------


def normals(vertices, triangles):
    """Twice each triangle's area vector [m²], in double precision."""
    a, b, c = (vertices[triangles[:, k]].astype(float) for k in range(3))
    return np.cross(b - a, c - a)


def test_a_mesh_without_threshold_is_the_height_field():
    field = np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int16)
    vertices, triangles = convert_heightfield_to_trimesh(field, 0.5, 0.1)
    assert vertices.dtype == np.float32 and triangles.dtype == np.uint32
    np.testing.assert_allclose(vertices[4], [0.5, 0.5, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(triangles, [[0, 4, 1], [0, 3, 4], [1, 5, 2], [1, 4, 5]])


def test_a_high_step_becomes_a_vertical_wall_and_a_low_one_stays_a_slope():
    # Threshold 0.75 * HS / VS = 15 units. Along x: a step up of 36 between rows 1 and 2, of 15 between rows 3 and 4.
    field = np.repeat(np.array([[0], [0], [36], [36], [51], [51]], dtype=np.int16), 3, axis=1)
    vertices, triangles = convert_heightfield_to_trimesh(field, HS, VS, 0.75)
    x = vertices.reshape(6, 3, 3)[..., 0]
    np.testing.assert_allclose(x[:, 1], [0, 0.2, 0.2, 0.3, 0.4, 0.5], atol=TOL)  # row 1 moved under row 2
    wall = normals(vertices, triangles).reshape(5, 2, 2, 3)[1]
    np.testing.assert_allclose(wall[..., 1:], 0, atol=TOL)
    # The wall's foot is sheared by one cell along y, which empties a triangle at the border; none faces uphill.
    np.testing.assert_allclose(wall[..., 0], [[-0.018, -0.018], [0, -0.018]], atol=TOL)


def test_a_step_down_pulls_the_lower_vertex_back():
    field = np.array([[36] * 3, [36] * 3, [0] * 3, [0] * 3], dtype=np.int16)
    for transpose in (False, True):
        vertices, _ = convert_heightfield_to_trimesh(field.T if transpose else field, HS, VS, 0.75)
        grid = vertices.reshape(*(field.T if transpose else field).shape, 3)
        line = grid[1, :, 1] if transpose else grid[:, 1, 0]
        np.testing.assert_allclose(line, [0, 0.1, 0.1, 0.3], atol=TOL)


def test_an_outer_corner_is_pulled_in_along_the_diagonal():
    field = np.zeros((3, 3), dtype=np.int16)
    field[2, 2] = 100  # only seen diagonally from [1, 1]
    vertices, _ = convert_heightfield_to_trimesh(field, 1.0, 0.1, 1.0)
    grid = vertices.reshape(3, 3, 3)
    np.testing.assert_allclose(grid[1, 1, :2], [2, 2])
    np.testing.assert_allclose(grid[1, 2, :2], [2, 2])
    np.testing.assert_allclose(grid[2, 1, :2], [2, 2])


def mesh_of_pyramid(step_height):
    t = tu.pyramid_stairs_terrain(terrain(80, 80, VS, HS), 0.31, step_height, platform_size=3.0)
    vertices, triangles = convert_heightfield_to_trimesh(t.height_field_raw, HS, VS, 0.75)
    return normals(vertices, triangles)[:, 2], np.ptp(vertices[triangles][:, :, 2], axis=1) > 0.1


def test_stairs_up_have_vertical_walls_and_no_triangle_faces_down():
    level_area, steep = mesh_of_pyramid(0.2)
    assert steep.any()
    np.testing.assert_allclose(level_area[steep], 0, atol=TOL)
    np.testing.assert_allclose(level_area[~steep], np.maximum(level_area[~steep], 0), atol=TOL)
    assert level_area.sum() / 2 == pytest.approx(7.9 * 7.9, abs=1e-3)  # treads cover the patch exactly once


def test_stairs_down_fold_one_triangle_at_two_corners_of_each_ring():
    # The formula looks along x, y and one diagonal; at inner corners on the other diagonal one triangle turns over.
    level_area, steep = mesh_of_pyramid(-0.2)
    folded = level_area < -TOL
    assert folded.sum() == 2 * 9 and steep[folded].all()
    np.testing.assert_allclose(level_area[folded] / 2, -HS * HS / 2, atol=TOL)
    np.testing.assert_allclose(level_area[steep & ~folded], 0, atol=TOL)


def test_obstacles_fold_hardly_any_triangle():
    t = tu.discrete_obstacles_terrain(terrain(80, 80, VS, HS), 0.2, 1.0, 2.0, 20, platform_size=3.0)
    level_area = normals(*convert_heightfield_to_trimesh(t.height_field_raw, HS, VS, 0.75))[:, 2]
    assert (level_area < -TOL).sum() <= 3 * 20


def test_differences_beyond_int16_do_not_wrap():
    field = np.array([[-30000] * 2, [30000] * 2, [30000] * 2], dtype=np.int16)
    vertices, _ = convert_heightfield_to_trimesh(field, 1.0, 0.1, 1.0)
    np.testing.assert_allclose(vertices[:2, 0], 1.0)


def test_a_large_map_converts_fast(rng):
    field = rng.randint(-100, 100, (1300, 2100)).astype(np.int16)
    start = time.perf_counter()
    convert_heightfield_to_trimesh(field, HS, VS, 0.75)
    assert time.perf_counter() - start < 2.0
