import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gym_types as gt
from isaacgym.gym_types import Mat33, Quat, Transform, Vec3

TOL = 1e-12  # double precision


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.array([0.5]), np.array(0.5), torch.tensor(0.5), torch.tensor([0.5])],
    ids=["float", "numpy scalar", "numpy (1,)", "numpy 0-d", "torch 0-d", "torch (1,)"],
)
def test_float_fields_take_anything_that_is_one_number(value):
    shape = gt.RigidShapeProperties()
    shape.friction = value
    assert type(shape.friction) is float and shape.friction == 0.5


def test_a_vector_is_made_from_tensor_elements_and_unpacks():
    v = Vec3(*torch.tensor([1.0, 2.0, 3.0]))
    assert list(v) == [1.0, 2.0, 3.0] and (v.y, v[2], len(v)) == (2.0, 3.0, 3)
    v[0] = 7
    assert v == Vec3(7, 2, 3)


def test_enum_fields_take_plain_integers_and_compare_with_them():
    params = gt.SimParams()
    params.up_axis = 1
    params.physx.contact_collection = torch.tensor(1)
    assert params.up_axis is gt.UP_AXIS_Z
    assert params.physx.contact_collection == 1 == gt.ContactCollection(1) == gt.CC_LAST_SUBSTEP
    with pytest.raises(ValueError, match="SimParams.up_axis: 7 is not a valid UpAxis"):
        params.up_axis = 7


def test_vector_fields_take_sequences_and_copy_on_assignment():
    params, gravity = gt.SimParams(), Vec3(0, 0, -9.81)
    params.gravity = gravity
    gravity.z = 5.0
    assert params.gravity == Vec3(0, 0, -9.81)
    params.gravity = [1, 2, 3]
    assert params.gravity == Vec3(1, 2, 3)


def test_defaults_are_not_shared_between_instances():
    first, second = gt.SimParams(), gt.SimParams()
    first.physx.num_threads = 99
    first.gravity.x = 5.0
    assert second.physx.num_threads == 4 and second.gravity.x == 0.0


@pytest.mark.parametrize("value", [torch.zeros(3), "high", None, Vec3()], ids=["vector", "text", "None", "Vec3"])
def test_wrong_values_are_refused_with_the_fields_name(value):
    with pytest.raises((TypeError, ValueError, RuntimeError), match="RigidBodyProperties.mass"):
        gt.RigidBodyProperties().mass = value


def test_a_fraction_is_no_whole_number():
    with pytest.raises(TypeError, match="whole number"):
        gt.SimParams().substeps = 2.5


def test_misspelt_fields_name_the_nearest_one():
    with pytest.raises(
        AttributeError, match="AssetOptions has no field 'colapse_fixed_joint'.*'collapse_fixed_joints'"
    ):
        gt.AssetOptions().colapse_fixed_joint = True
    with pytest.raises(AttributeError, match="did you mean 'friction'"):
        _ = gt.RigidShapeProperties().fricton


def test_copies_and_pickles_are_equal_and_independent():
    params = gt.SimParams(dt=0.005)
    params.physx.contact_offset = 0.125
    for twin in (copy.copy(params), copy.deepcopy(params), pickle.loads(pickle.dumps(params))):
        assert twin == params
        twin.physx.contact_offset = 0.5
        assert params.physx.contact_offset == 0.125


def test_documented_defaults():
    params = gt.SimParams()
    assert (params.dt, params.substeps, params.up_axis) == (np.float32(1 / 60), 2, gt.UP_AXIS_Y)
    physx = params.physx
    assert (physx.num_threads, physx.solver_type, physx.num_position_iterations, physx.num_velocity_iterations) == (
        4,
        1,
        4,
        1,
    )
    offsets = np.float32([physx.contact_offset, physx.rest_offset, physx.bounce_threshold_velocity])
    assert (offsets == np.float32([0.02, 0.01, 0.2])).all()
    assert (physx.max_depenetration_velocity, physx.contact_collection) == (100.0, gt.CC_ALL_SUBSTEPS)
    assert (gt.CameraProperties().width, gt.CameraProperties().height) == (1600, 900)
    assert gt.INVALID_HANDLE == -1


def test_enum_values_are_isaac_gyms():
    assert [gt.DOF_MODE_NONE, gt.DOF_MODE_POS, gt.DOF_MODE_VEL, gt.DOF_MODE_EFFORT] == [0, 1, 2, 3]
    assert [gt.STATE_NONE, gt.STATE_POS, gt.STATE_VEL, gt.STATE_ALL] == [0, 1, 2, 3]
    assert [gt.CC_NEVER, gt.CC_LAST_SUBSTEP, gt.CC_ALL_SUBSTEPS] == [0, 1, 2]
    assert [gt.RIGID_BODY_NONE, gt.RIGID_BODY_DISABLE_GRAVITY, gt.RIGID_BODY_DISABLE_SIMULATION] == [0, 1, 2]


def test_every_key_that_callers_use_exists():
    keys = "ESCAPE V A D F LEFT_BRACKET R RIGHT_BRACKET S SPACE W DOWN LEFT RIGHT T UP B C COMMA E EQUAL G I J K L M"
    for key in [*keys.split(), "MINUS", "O", "P", "PERIOD", "Q", "U", "X"]:
        assert getattr(gt, f"KEY_{key}") is gt.KeyboardInput[f"KEY_{key}"]


def test_dof_properties_have_the_documented_field_order():
    names = ("hasLimits", "lower", "upper", "driveMode", "velocity", "effort", "stiffness", "damping", "friction")
    assert gt.DOF_PROPERTIES_DTYPE.names == (*names, "armature")


# --- Geometry against scipy -----------------------------------------------------------------------------------------

A, B = Quat(0.1, 0.2, 0.3, 0.9).normalize(), Quat(-0.5, 0.1, 0.7, 0.2).normalize()
V = Vec3(2, 3, 5)


def as_scipy(q):
    return Rotation.from_quat(list(q))


def test_quaternion_algebra_equals_scipys():
    np.testing.assert_allclose(list(A.rotate(V)), as_scipy(A).apply(list(V)), atol=TOL)
    np.testing.assert_allclose(list((A * B).rotate(V)), (as_scipy(A) * as_scipy(B)).apply(list(V)), atol=TOL)
    np.testing.assert_allclose(list(A.inverse().rotate(A.rotate(V))), list(V), atol=TOL)


def test_quaternions_from_angles_equal_scipys():
    axis = Vec3(1, 2, 2)
    expected = Rotation.from_rotvec(0.7 * np.array([1, 2, 2]) / 3)
    np.testing.assert_allclose(list(Quat.from_axis_angle(axis, 0.7)), expected.as_quat(), atol=TOL)
    roll_pitch_yaw = (0.2, -0.4, 1.1)
    q = Quat.from_euler_zyx(*roll_pitch_yaw)
    np.testing.assert_allclose(list(q), Rotation.from_euler("xyz", roll_pitch_yaw).as_quat(), atol=TOL)
    assert q.to_euler_zyx() == pytest.approx(roll_pitch_yaw)


def test_transforms_compose_and_invert():
    first, second = Transform(Vec3(1, 2, 3), A), Transform(Vec3(-4, 0, 7), B)
    expected = as_scipy(A).apply(as_scipy(B).apply(list(V)) + [-4, 0, 7]) + [1, 2, 3]
    np.testing.assert_allclose(list((first * second).transform_point(V)), expected, atol=TOL)
    np.testing.assert_allclose(list(first.inverse().transform_point(first.transform_point(V))), list(V), atol=TOL)
    np.testing.assert_allclose(list(first.transform_vector(V)), as_scipy(A).apply(list(V)), atol=TOL)
    np.testing.assert_allclose(first.transform_points(np.array([list(V)]))[0], list(first.transform_point(V)), atol=TOL)


def test_a_transform_defaults_to_identity_also_with_none():
    assert Transform() == Transform(None, None) == Transform(Vec3(), r=None) == Transform(r=Quat(0, 0, 0, 1))
    assert Transform(Vec3(1, 2, 3), r=None).p == Vec3(1, 2, 3)


def test_matrices_take_rows():
    inertia = Mat33(Vec3(1, 2, 3), (4, 5, 6), [7, 8, 9])
    assert inertia.y.z == inertia[1][2] == 6.0


def test_a_tensor_descriptor_shows_the_tensor_behind_it():
    tensor = torch.arange(6, dtype=torch.float32).view(2, 3)
    descriptor = gt.Tensor(tensor)
    assert descriptor.data_ptr == descriptor.data_address == tensor.data_ptr()
    assert (descriptor.shape, descriptor.ndim, descriptor.device) == ((2, 3), 2, -1)
    assert descriptor.dtype == gt.DTYPE_FLOAT32
