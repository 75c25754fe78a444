"""Which engine simulates a robot."""

from isaacgym.assets.description import RobotDescription
from isaacgym.assets.scene import Scene
from isaacgym.engine import start_warp
from isaacgym.engine.engine import Engine
from isaacgym.engine.mujoco.scene_engine import SceneEngine
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.terrain import Grounds, Terrain
from isaacgym.engine.tree.engine import TreeEngine

ENGINE_KINDS = ("auto", "tree", "mujoco")


def create_engine(
    kind: str,
    robot: RobotDescription,
    terrain: Terrain | Grounds,
    num_worlds: int,
    dt: float,
    device: str,
    *args,
    options: EngineOptions,
    quiet: bool = False,
    **kwargs,
) -> Engine:
    """The engine for a robot; arguments as for `Engine`.

    kind: "tree", "mujoco", or "auto" for the tree engine wherever it can do what `options` ask for. Says so in one line
    where it cannot, unless `quiet`.
    """
    start_warp()
    if kind not in ENGINE_KINDS:
        raise ValueError(f"unknown engine '{kind}'; choose one of {', '.join(ENGINE_KINDS)}")
    is_scene, is_varied = isinstance(robot, Scene), kwargs.get("variants") is not None
    is_fixed = all(root.fixed for root in robot.roots) if isinstance(robot, Scene) else options.fixed_base
    if is_scene and kind == "tree":
        raise ValueError("the tree engine cannot simulate several actors in an env; use --engine mujoco")
    if options.self_collision and kind == "tree":
        raise ValueError("the tree engine cannot collide bodies of a robot with each other; use --engine mujoco")
    if robot.couples_joints and kind == "tree":
        raise ValueError(
            "the tree engine cannot couple joints (<mimic>, MJCF's <equality> and <tendon>); use --engine mujoco"
        )
    is_still = is_fixed and not robot.dofs  # nothing of it can move
    use_tree = suits_tree(kind, robot, options) and not is_varied and not is_still
    if options.deterministic and not (use_tree or is_still) and device != "cpu":
        raise ValueError(
            "on a GPU, MuJoCo Warp gives other bits in every run; leave out --deterministic on, or use the tree engine "
            "(no --engine mujoco, no collisions of a robot with itself)"
        )
    if quiet or kind != "auto":
        pass
    elif is_varied and not is_scene:
        print("Actors come in many sizes: simulating with MuJoCo Warp, not with the tree engine.")
    elif is_scene:
        print("Envs have several actors: simulating with MuJoCo Warp, not with the tree engine.")
    elif robot.couples_joints:
        print("Joints of the robot act on others: simulating with MuJoCo Warp, not with the tree engine.")
    elif options.self_collision:
        print("Bodies of the robot collide with each other: simulating with MuJoCo Warp, not with the tree engine.")
    return (SceneEngine if is_scene else TreeEngine if use_tree else Engine)(
        robot, terrain, num_worlds, dt, device, *args, options=options, **kwargs
    )


def suits_tree(kind: str, robot: RobotDescription, options: EngineOptions) -> bool:
    """Whether `create_engine` takes the tree engine where all worlds have the same robot."""
    is_scene = isinstance(robot, Scene)
    return kind != "mujoco" and not options.self_collision and not robot.couples_joints and not is_scene
