"""Properties of single actors that change in a prepared simulation: what they do, by hand, and how often it costs."""

from __future__ import annotations

import pytest
import torch

from isaacgym import gymapi, gymtorch
from tests.isaacgym.test_mixed_envs import ONE_LINK, MixedStage

GYM = gymapi.acquire_gym()
DT = 0.005  # [s]
INERTIA = 0.03 + 1.0 * 0.15**2  # [kg·m²] of the link of 1 kg about the shoulder
ARMATURES = [0.02, 0.05, 0.11]  # [kg·m²]


@pytest.fixture(params=["alike", "mixed"])
def stage(request, tmp_path):
    """Three envs of an arm of one joint that hangs without gravity; mixed: with a box in the second."""
    (tmp_path / "single.urdf").write_text(ONE_LINK)
    stage = MixedStage(gravity=0.0)
    arm, box = stage.arm(tmp_path / "single.urdf", fix_base_link=True, armature=0.01), stage.box(0.1, 0.1, 0.1)
    for number in range(3):
        beside = [(box, (3, 0, 1))] if request.param == "mixed" and number == 1 else []
        stage.env((arm, (0, 0, 1)), *beside, filter=1)
    stage.prepare()
    assert stage.sim.is_mixed == (request.param == "mixed")
    return stage


def set_armatures(stage) -> None:
    for env, armature in zip(stage.envs, ARMATURES, strict=True):
        properties = GYM.get_actor_dof_properties(env, 0)
        properties["armature"] = armature
        GYM.set_actor_dof_properties(env, 0, properties)


def push(stage) -> None:
    """By 1 N·m for a step."""
    GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torch.ones(3)))
    stage.step()


def test_armatures_set_in_a_loop_act_in_the_next_step(stage):
    set_armatures(stage)
    push(stage)
    assert stage.dof[:, 1].tolist() == pytest.approx([DT / (INERTIA + own) for own in ARMATURES], rel=1e-4)


def test_the_mass_matrix_has_armatures_set_since_the_last_step(stage):
    matrix = gymtorch.wrap_tensor(GYM.acquire_mass_matrix_tensor(stage.sim, "actor_0"))
    set_armatures(stage)
    GYM.refresh_mass_matrix_tensors(stage.sim)
    assert matrix.flatten().tolist() == pytest.approx([INERTIA + own for own in ARMATURES], rel=1e-5)


def test_the_engine_takes_over_a_loops_changes_at_once(stage, monkeypatch):
    """It costs as much for one actor as for all, so a loop over thousands would take minutes."""
    calls = []
    for name in ("update_dofs", "set_material", "set_body_properties"):
        method = getattr(stage.sim.engine, name)
        monkeypatch.setattr(stage.sim.engine, name, lambda *a, n=name, m=method: (calls.append(n), m(*a)))
    set_armatures(stage)
    for env in stage.envs:
        GYM.set_actor_rigid_body_properties(env, 0, GYM.get_actor_rigid_body_properties(env, 0))
        GYM.set_actor_rigid_shape_properties(env, 0, GYM.get_actor_rigid_shape_properties(env, 0))
    assert calls == []
    stage.step(2)
    assert calls.count("update_dofs") == calls.count("set_body_properties") == 1 and calls.count("set_material") <= 1


def test_position_targets_of_one_actor_leave_those_of_others(tmp_path):
    (tmp_path / "single.urdf").write_text(ONE_LINK)
    stage = MixedStage(gravity=0.0)
    arm = stage.load(tmp_path / "single.urdf", fix_base_link=True, default_dof_drive_mode=gymapi.DOF_MODE_POS)
    arm.dof_properties["stiffness"], arm.dof_properties["damping"] = 20.0, 4.0
    for count in (1, 2, 1):  # arms
        stage.env(*[(arm, (number, 0, 1)) for number in range(count)], filter=1)
    stage.prepare()
    for env, actor, target in ((2, 0, 0.5), (1, 1, -0.2), (0, 0, 0.3), (2, 0, 0.4)):
        GYM.set_actor_dof_position_targets(stage.envs[env], actor, [target])
    stage.step(600)
    assert stage.dof[:, 0].tolist() == pytest.approx([0.3, 0.0, -0.2, 0.4], abs=1e-3)


def test_a_snapshot_holds_a_mass_that_has_not_acted_yet(stage):
    bodies = GYM.get_actor_rigid_body_properties(stage.envs[2], 0)
    bodies[1].mass = 3.0
    GYM.set_actor_rigid_body_properties(stage.envs[2], 0, bodies)
    state = GYM.get_sim_snapshot(stage.sim)
    GYM.set_sim_snapshot(stage.sim, state)
    push(stage)
    expected = [DT / (INERTIA + 0.01)] * 2 + [DT / (INERTIA + 2.0 * 0.15**2 + 0.01)]
    assert stage.dof[:, 1].tolist() == pytest.approx(expected, rel=1e-4)


def test_friction_set_in_a_loop_is_read_back_at_once_and_slows_a_box():
    """Boxes that slide on ground of friction 1 stop after v² / ((1 + μ) · g)."""
    stage = MixedStage()
    for side in (0.1, 0.2, 0.1):
        stage.env((stage.box(2 * side, 2 * side, side), (0, 0, side / 2)))
    stage.prepare()
    stage.step(5)
    frictions = [1.0, 0.2, 0.6]
    for env, friction in zip(stage.envs, frictions, strict=True):
        shapes = GYM.get_actor_rigid_shape_properties(env, 0)
        shapes[0].friction = friction
        GYM.set_actor_rigid_shape_properties(env, 0, shapes)
        assert GYM.get_actor_rigid_shape_properties(env, 0)[0].friction == pytest.approx(friction)
    stage.root[:, 7] = 1.0
    GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.root))
    stage.step(100)
    assert stage.root[:, 0].tolist() == pytest.approx([1.0 / ((1.0 + own) * 9.81) for own in frictions], rel=0.1)
