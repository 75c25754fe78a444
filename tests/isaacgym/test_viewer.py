"""The viewer without a browser: what is drawn, when a page opens, and what the page may send."""

import socket
import time

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch, gymutil
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.terrain import Grid, Mesh
from isaacgym.viewer import viewer as viewers

pytest.importorskip("viser", reason="the viewer's tests need the package viser")
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from isaacgym.viewer import ground
from isaacgym.viewer.pace import Pace
from isaacgym.viewer.page import Number, Page, is_own_page
from isaacgym.viewer.robot_parts import Part, robot_parts

GYM = gymapi.acquire_gym()
FLOAT32 = 1e-5  # [m] rounding of float32 at a few metres
INERTIA = '<inertial><mass value="1"/><inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial>'
BOX = '<collision><geometry><box size="0.2 0.3 0.1"/></geometry></collision>'


def urdf(folder, *links: str, name: str = "thing"):
    """A chain of links joined by hinges; links: inner XML."""
    bodies = "".join(f'<link name="link{i}">{INERTIA}{inner}</link>' for i, inner in enumerate(links))
    joints = "".join(
        f'<joint name="joint{i}" type="continuous"><parent link="link{i - 1}"/><child link="link{i}"/>'
        '<origin xyz="0 0 0.4"/><axis xyz="0 1 0"/></joint>'
        for i in range(1, len(links))
    )
    path = folder / f"{name}.urdf"
    path.write_text(f'<robot name="{name}">{bodies}{joints}</robot>')
    return path


def parts_of(folder, *links: str) -> list[Part]:
    return robot_parts(load_urdf(urdf(folder, *links), gymapi.AssetOptions()))


def visual(geometry: str, origin: str = "", rgba: str = "1 0.5 0 1") -> str:
    return (
        f'<visual>{origin}<geometry>{geometry}</geometry><material name="m"><color rgba="{rgba}"/></material></visual>'
    )


# ---- robots ------------------------------------------------------------------------------------------------------


def test_a_box_is_turned_and_moved_as_its_visual_says(tmp_path):
    origin = '<origin xyz="1 2 3" rpy="0 0 1.5707963267948966"/>'
    (part,) = parts_of(tmp_path, visual('<box size="0.2 0.6 1.0"/>', origin))
    corners = {tuple(corner) for corner in part.vertices.astype(float).round(4).tolist()}
    assert corners == {(x, y, z) for x in (0.7, 1.3) for y in (1.9, 2.1) for z in (2.5, 3.5)}
    assert (part.color, part.bodies, len(part.faces)) == ((255, 128, 0), [0], 12)


@pytest.mark.parametrize(
    ("geometry", "half"),
    [
        ('<sphere radius="0.3"/>', (0.3, 0.3, 0.3)),
        ('<cylinder radius="0.2" length="1.0"/>', (0.2, 0.2, 0.5)),
        ('<capsule radius="0.2" length="1.0"/>', (0.2, 0.2, 0.7)),
    ],
)
def test_round_shapes_have_their_size(tmp_path, geometry, half):
    (part,) = parts_of(tmp_path, visual(geometry))
    assert part.vertices.max(axis=0) == pytest.approx(half, rel=0.02)  # inscribed polygons
    assert part.vertices.min(axis=0) == pytest.approx(-np.array(half), rel=0.02)


def test_faces_look_outwards(tmp_path):
    for part in parts_of(tmp_path, visual('<capsule radius="0.2" length="1.0"/>') + visual('<box size="1 2 3"/>')):
        a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
        assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0.0).all()


def test_bodies_that_look_alike_are_one_part_and_colours_are_several(tmp_path):
    ball, box = visual('<sphere radius="0.1"/>', rgba="0 0 1 1"), visual('<box size="1 2 3"/>', rgba="1 0 0 1")
    parts = parts_of(tmp_path, ball, box + ball, ball)
    assert {part.color: part.bodies for part in parts} == {(0, 0, 255): [0, 1, 2], (255, 0, 0): [1]}


def test_visual_meshes_come_from_their_files_scaled(tmp_path):
    (tmp_path / "wedge.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    (part,) = parts_of(tmp_path, visual('<mesh filename="wedge.obj" scale="2 3 5"/>'))
    assert {tuple(v) for v in part.vertices.tolist()} == {(0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 5)}
    assert len(part.faces) == 4


@pytest.mark.parametrize("name", ["broken.stl", "broken.obj", "broken.dae", "broken.glb", "broken.xyz"])
@pytest.mark.parametrize("content", [b"", b"no mesh\n", b"\0" * 300])
def test_collision_shapes_stand_for_visuals_that_cannot_be_read(tmp_path, capsys, name, content):
    (tmp_path / name).write_bytes(content)
    box = '<collision><geometry><box size="0.2 0.2 0.2"/></geometry></collision>'
    (part,) = parts_of(tmp_path, visual(f'<mesh filename="{name}"/>') + box)
    assert len(part.faces) == 12
    assert f"missing visual meshes, such as {tmp_path / name}" in capsys.readouterr().out


def test_collision_shapes_stand_for_missing_visuals(tmp_path, capsys):
    (part,) = parts_of(tmp_path, visual('<mesh filename="nowhere.stl"/>') + BOX)
    assert np.ptp(part.vertices, axis=0) == pytest.approx([0.2, 0.3, 0.1])
    assert "nowhere.stl" in capsys.readouterr().out


# ---- ground ------------------------------------------------------------------------------------------------------


def hilly_grid() -> Grid:
    heights = np.random.default_rng(1).uniform(0.0, 0.4, (150, 200))
    return Grid.from_heights(heights, (-3.0, 2.0, 0.0), 0.1)


def ground_area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, corner], :2] for corner in range(3))
    (x1, y1), (x2, y2) = (b - a).T, (c - a).T
    assert (x1 * y2 - x2 * y1 > -1e-6).all()  # all faces look up, or stand upright
    return float((x1 * y2 - x2 * y1).sum() / 2.0)


def test_chunks_and_the_rest_cover_the_grid_once():
    grid = hilly_grid()
    chunks = [(0, 1), (1, 2), (2, 3)]
    coarse = ground.CoarseGrid(grid)
    area = ground_area(coarse.surface.vertices, coarse.faces_without(chunks))
    for chunk in chunks:
        area += ground_area(*ground.chunk_surface(grid, chunk))
    assert area == pytest.approx(14.9 * 19.9, rel=1e-5)
    assert ground_area(*coarse.surface) == pytest.approx(14.9 * 19.9, rel=1e-5)


def test_a_chunk_has_the_grids_own_vertices():
    grid = hilly_grid()
    surface = ground.chunk_surface(grid, (1, 2))
    assert surface.vertices[: 65 * 65].reshape(65, 65, 3) == pytest.approx(grid.vertices[64:129, 128:193])


def test_a_chunk_hangs_down_all_around_its_edge():
    vertices, faces = ground.chunk_surface(hilly_grid(), (1, 1))
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    hem, skirt = vertices[65 * 65 :], faces[2 * 64 * 64 :]
    assert len(hem) == 4 * 64 and len(skirt) == 2 * 4 * 64
    on_edge = (np.abs(hem[:, :2] - low) < 1e-4) | (np.abs(hem[:, :2] - high) < 1e-4)
    assert on_edge.any(axis=1).all()
    sides = [np.ptp(vertices[triangle], axis=0) for triangle in skirt]
    assert all(min(side[:2]) < 1e-4 and 0.09 < max(side[:2]) < 0.11 and side[2] > 0.2 for side in sides)


def test_detail_is_where_robots_are_the_chosen_one_first():
    """The map's corner is at (-3, 2) and a chunk 6.4 m wide, so x = 9.9 begins chunk 2; it reaches 5 m around."""
    near = ground.chunks_near(hilly_grid(), np.array([[10.9, 3.0, 0.0], [-2.0, 20.0, 0.0]]))
    assert near[0] in {(1, 0), (2, 0)} and set(near[:2]) == {(1, 0), (2, 0)}
    assert set(near) == {(1, 0), (2, 0), (0, 2), (0, 3)}
    outside = ground.chunks_near(hilly_grid(), np.array([[-500.0, 500.0, 0.0]]))
    assert outside == [(0, 3)]


def test_a_large_mesh_is_thinned_to_what_a_browser_takes():
    x, y = np.meshgrid(np.linspace(0, 10, 80), np.linspace(0, 20, 90), indexing="ij")
    vertices = np.stack([x, y, np.sin(x)], axis=-1).reshape(-1, 3).astype(np.float32)
    v00 = (np.arange(79)[:, None] * 90 + np.arange(89)).ravel()
    faces = np.concatenate([np.stack([v00, v00 + 91, v00 + 1], 1), np.stack([v00, v00 + 90, v00 + 91], 1)])
    whole = ground.mesh_surface(Mesh(vertices, faces))
    assert (whole.vertices == vertices).all() and (whole.faces == faces).all()
    thin = ground.mesh_surface(Mesh(vertices, faces), max_triangles=1000)
    assert 100 < len(thin.faces) <= 1000
    assert ground_area(*thin) == pytest.approx(200.0, rel=0.15)
    assert thin.vertices[:, 2] == pytest.approx(np.sin(thin.vertices[:, 0]), abs=0.1)


# ---- when a page opens -------------------------------------------------------------------------------------------


def simulation(folder, num_envs: int = 3, graphics: int = 0, **params):
    """Robots of two boxes above a plane, each env 2 m from the last one."""
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, -9.81), **params)
    sim = GYM.create_sim(0, graphics, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    path = urdf(folder, BOX, BOX)
    asset = GYM.load_asset(sim, str(path.parent), path.name)
    for _ in range(num_envs):
        env = GYM.create_env(sim, gymapi.Vec3(-1, -1, 0), gymapi.Vec3(1, 1, 1), num_envs)
        GYM.create_actor(env, asset, gymapi.Transform(p=gymapi.Vec3(0.1, 0.2, 1.0)), "robot", env.index, 1)
    GYM.prepare_sim(sim)
    return sim


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def sim(tmp_path):
    sim = simulation(tmp_path, viewer_port=free_port())
    yield sim
    GYM.destroy_viewer(sim.viewer)


@pytest.fixture
def viewer(sim):
    return GYM.create_viewer(sim, gymapi.CameraProperties())


@pytest.fixture
def watched(viewer, monkeypatch):
    """A viewer that believes a browser shows its page."""
    monkeypatch.setattr(Page, "watched", True)
    return viewer


@pytest.mark.parametrize("options", [{"graphics": -1}, {"viewer": "none"}])
def test_headless_simulations_open_no_page(tmp_path, options):
    viewer = GYM.create_viewer(simulation(tmp_path, 1, **options), gymapi.CameraProperties())
    assert not hasattr(viewer, "page")
    GYM.draw_viewer(viewer, None, True)


def test_without_viser_a_line_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(viewers, "find_spec", lambda name: None)
    viewer = GYM.create_viewer(simulation(tmp_path, 1), gymapi.CameraProperties())
    assert not hasattr(viewer, "page")
    assert 'pip install -e ".[viewer]"' in capsys.readouterr().out
    with pytest.raises(ValueError, match=r'needs the package viser: pip install -e "\.\[viewer\]"'):
        GYM.create_viewer(simulation(tmp_path, 1, viewer="web"), gymapi.CameraProperties())


def test_a_port_in_use_is_said_in_one_sentence(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"^the viewer cannot use port {port} on 127.0.0.1 .*; choose another"):
            GYM.create_viewer(simulation(tmp_path, 1, viewer_port=port), gymapi.CameraProperties())


def test_a_host_that_is_not_here_is_said_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"cannot use port \d+ on 192.0.2.1"):  # reserved for documentation
        GYM.create_viewer(simulation(tmp_path, 1, viewer_port=8080, viewer_host="192.0.2.1"), gymapi.CameraProperties())


def test_a_host_without_an_address_is_not_said_to_be_busy(tmp_path):
    with pytest.raises(ValueError, match=r"the viewer's host '300\.1\.1\.1' has no address"):
        GYM.create_viewer(simulation(tmp_path, 1, viewer_host="300.1.1.1"), gymapi.CameraProperties())


def test_two_simulations_get_two_ports(tmp_path):
    pages = [GYM.create_viewer(simulation(tmp_path, 1), gymapi.CameraProperties()) for _ in range(2)]
    ports = {viewer.page.server.get_port() for viewer in pages}
    for viewer in pages:
        GYM.destroy_viewer(viewer)
    assert len(ports) == 2 and min(ports) >= 8080
    assert all(GYM.query_viewer_has_closed(viewer) for viewer in pages)


def test_nothing_is_read_or_sent_while_no_browser_shows_the_page(sim, viewer, monkeypatch):
    GYM.draw_viewer(viewer, sim, True)
    messages = viewer.page.server._websock_server._broadcast_buffer
    sent = messages.message_counter
    monkeypatch.setattr(sim.engine, "read_body_states", None)  # calling it would raise
    viewer.layers.append(lambda: pytest.fail("drawn"))
    start = time.monotonic()
    for _ in range(50):
        GYM.simulate(sim)
        GYM.add_lines(viewer, None, 1, np.zeros(6), np.zeros(3))
        GYM.draw_viewer(viewer, sim, True)
        GYM.sync_frame_time(sim)
        GYM.clear_lines(viewer)
    assert messages.message_counter == sent
    assert viewer.pace._wall <= start  # nor waited


# ---- what is sent ------------------------------------------------------------------------------------------------


def test_poses_sent_are_those_of_the_bodies_in_the_world(sim, watched):
    sim.root_states[:, 3:7] = torch.tensor([[0.1, 0.2, 0.3, 0.9], [0.5, 0.5, 0.5, 0.5], [0.0, 0.6, 0.0, 0.8]])
    GYM.set_actor_root_state_tensor(sim, gymtorch.unwrap_tensor(sim.root_states))
    GYM.simulate(sim)
    watched._robot.show(1)
    GYM.draw_viewer(watched, sim, True)
    GYM.refresh_rigid_body_state_tensor(sim)
    states = sim.body_states.view(3, 2, 13)[[1, 2, 0]].double().numpy()
    states[..., 0] += np.array([2.0, 4.0, 0.0])[:, None]  # origins of the envs
    (batch,) = watched._robots.batches  # both bodies look alike
    assert batch.batched_positions.reshape(3, 2, 3) == pytest.approx(states[..., :3], abs=FLOAT32)
    corner = np.array([0.1, 0.15, 0.05])
    drawn = Rotation.from_quat(batch.batched_wxyzs, scalar_first=True).apply(corner)
    assert drawn.reshape(3, 2, 3) == pytest.approx(
        Rotation.from_quat(states[..., 3:7].reshape(-1, 4)).apply(corner).reshape(3, 2, 3), abs=FLOAT32
    )


def test_envs_that_hold_different_things_are_sent_each_as_it_looks(monkeypatch):
    """Boxes of two sizes in turns, of which the second is the chosen one, and a ball beside a box."""
    monkeypatch.setattr(Page, "watched", True)
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, 0.0), viewer_port=free_port())
    sim = GYM.create_sim(0, 0, gymapi.SIM_PHYSX, params)
    small, large = (GYM.create_box(sim, side, side, side, gymapi.AssetOptions()) for side in (0.1, 0.2))
    ball = GYM.create_sphere(sim, 0.1, gymapi.AssetOptions())
    for k, things in enumerate([[small], [large], [small], [ball, small]]):
        env = GYM.create_env(sim, gymapi.Vec3(-1, -1, 0), gymapi.Vec3(1, 1, 1), 4)
        for number, thing in enumerate(things):
            GYM.create_actor(env, thing, gymapi.Transform(p=gymapi.Vec3(0.1 * k, number, 1.0)), "thing", k, 1)
    GYM.prepare_sim(sim)
    GYM.simulate(sim)
    viewer = GYM.create_viewer(sim, gymapi.CameraProperties())
    viewer._robot.show(1)
    GYM.draw_viewer(viewer, sim, True)
    sent = [(np.ptp(batch.vertices[:, 0]), batch.batched_positions[:, 0]) for batch in viewer._robots.batches]
    sent = sorted((round(float(width), 2), sorted(round(x, 2) for x in places.tolist())) for width, places in sent)
    # widths, and places in the world along x: the envs' origins are 2 m apart
    assert sent == [(0.1, [0.0, 4.2]), (0.1, [6.3]), (0.2, [2.1]), (0.2, [6.3])]
    GYM.destroy_viewer(viewer)


def test_the_followed_robot_stays_in_the_middle_while_the_ground_moves(sim, watched):
    watched.follow(2)
    GYM.simulate(sim)
    GYM.draw_viewer(watched, sim, True)
    base = sim.root_states[2, :3].double().numpy() + np.array([4.0, 0.0, 0.0])
    assert watched._robots.batches[0].batched_positions[0] == pytest.approx(np.zeros(3), abs=1e-3)  # it fell 0.1 mm
    assert watched._ground._frame.position == pytest.approx(-base, abs=1e-3)


def test_only_as_many_robots_as_chosen_are_sent(sim, watched):
    watched._count.show(2)
    GYM.simulate(sim)
    GYM.draw_viewer(watched, sim, True)
    assert watched.shown.tolist() == [0, 1] and len(watched._robots.batches[0].batched_positions) == 4


def test_the_slider_shows_no_more_robots_than_there_are(sim, watched):
    watched._count.show(50)
    GYM.draw_viewer(watched, sim, True)
    assert watched._count.control.value == len(watched.shown) == len(sim.envs)


def test_lines_count_from_the_origin_of_an_env_until_they_are_cleared(sim, watched):
    GYM.simulate(sim)
    vertices = np.array([1, 2, 3, 4, 5, 6], dtype=np.float32)
    GYM.add_lines(watched, sim.envs[1], 1, vertices, np.array([1.0, 0.5, 0.0], dtype=np.float32))
    gymutil.draw_line(gymapi.Vec3(0, 0, 0), gymapi.Vec3(0, 0, 1), gymapi.Vec3(0, 1, 0), GYM, watched, None)
    GYM.draw_viewer(watched, sim, True)
    lines = watched.marks._handles["lines"]
    assert lines.points.tolist() == [[[3, 2, 3], [6, 5, 6]], [[0, 0, 0], [0, 0, 1]]]
    assert lines.colors[:, 0].tolist() == [[255, 127, 0], [0, 255, 0]]
    GYM.clear_lines(watched)
    watched._next_frame = 0.0
    GYM.draw_viewer(watched, sim, True)
    assert watched.marks._handles == {}
    with pytest.raises(ValueError, match="num_lines = 2 means 12 coordinates and 6 colour values, got 6 and 3"):
        GYM.add_lines(watched, None, 2, vertices, np.zeros(3))


# ---- what the page may send --------------------------------------------------------------------------------------


class Control:
    value = 0.5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 2.1, -2.1, 1e300])
def test_a_number_that_is_not_finite_or_beyond_its_bounds_is_refused(bad):
    number = Number(Control(), -2.0, 2.0)
    number.control.value = 1.5
    assert number.read() == 1.5
    number.control.value = bad
    assert number.read() == 1.5 and number.control.value == 1.5


def test_a_robot_that_does_not_exist_is_refused(sim, watched):
    GYM.simulate(sim)
    for wish in (3, 10**6, -1):
        watched._robot.control.value = wish
        assert watched.robot in (0, 2)
        assert watched._robot.control.value == watched.robot


@pytest.mark.parametrize(
    ("origin", "host", "local", "own"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True, True),
        ("http://localhost:9000", "localhost:9000", True, True),  # through a tunnel
        ("http://evil.example", "127.0.0.1:8080", True, False),
        ("http://evil.example:8080", "evil.example:8080", True, False),  # a name rebound to this machine
        ("http://robots.lab:8080", "robots.lab:8080", False, True),
        ("http://evil.example", "robots.lab:8080", False, False),
        ("null", "127.0.0.1:8080", True, False),
        (None, "127.0.0.1:8080", True, False),
    ],
)
def test_pages_of_other_sites_are_told_from_the_own_one(origin, host, local, own):
    assert is_own_page(origin, host, local) == own


def test_a_connection_from_another_site_is_closed_and_not_heard(viewer):
    import viser

    port = viewer.page.server.get_port()
    options = {"subprotocols": [f"viser-v{viser.__version__}"], "max_size": None, "compression": None}
    with connect(f"ws://127.0.0.1:{port}", origin="http://evil.example", **options) as other:
        with pytest.raises(ConnectionClosed) as closing:
            other.recv(timeout=20)
        assert closing.value.rcvd.code == 1008
    with connect(f"ws://127.0.0.1:{port}", origin=f"http://127.0.0.1:{port}", **options) as own:
        assert len(own.recv(timeout=20)) > 0


def test_the_page_offers_no_tunnel_and_takes_no_files(viewer):
    from viser import _messages

    handled = viewer.page.server._websock_server._incoming_handlers
    assert _messages.GuiUpdateMessage in handled
    assert not {_messages.ShareUrlRequest, _messages.FileTransferStartUpload, _messages.FileTransferPart} & set(handled)


# ---- pace --------------------------------------------------------------------------------------------------------


class Clock:
    """Stands for `time`: sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("isaacgym.viewer.pace.time", clock)
    return clock


@pytest.mark.parametrize(("speed", "seconds"), [("1 x", 2.0), ("0.25 x", 8.0), ("4 x", 0.5), ("max", 0.0)])
def test_simulated_time_passes_at_the_chosen_speed(viewer, clock, speed, seconds):
    viewer.pace._speed.value = speed
    viewer.pace.wait(50.0)  # after an unwatched time
    assert clock.slept == 0.0
    for step in range(1, 101):
        clock.now += 0.001  # what the step itself takes
        viewer.pace.wait(50.0 + 0.02 * step)
    assert clock.now - 1000.0 == pytest.approx(max(seconds, 0.1), rel=1e-6)


def test_a_long_interruption_is_not_caught_up(viewer, clock):
    viewer.pace.wait(1.0)
    clock.now += 30.0
    viewer.pace.wait(1.02)
    viewer.pace.wait(1.04)
    assert clock.slept == pytest.approx(0.02)


def test_pause_holds_but_for_single_steps(viewer):
    pace: Pace = viewer.pace
    assert not pace.holds()
    pace._pause.value = True
    assert pace.holds()
    pace._steps.put(None)
    assert [pace.holds(), pace.holds()] == [False, True]
