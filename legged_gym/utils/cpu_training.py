"""What a training on a plane changes where there is no GPU: two cores have a hundredth of a GPU's samples."""

from typing import Any

from legged_gym.envs.base.quadruped_config import QuadrupedCfg

HIDDEN_DIMS = [256, 128, 64]  # of actor and critic
NUM_STEPS = 100  # an iteration
EPOCHS, MINI_BATCHES = 3, 6  # with 5 epochs of 4, as on a GPU, an iteration takes a quarter longer
ENTROPY_DECAY = [500, 750]  # [iterations]
MAX_ITERATIONS = 900
REWARD_FACTORS = {"action_rate": 0.3, "smoothness": 0.3, "lin_vel_z": 0.25, "dof_acc": 0.4}
BASE_HEIGHT = -10.0  # scale of the reward, where it is weaker and not off; with -1 Aliengo walks 10 cm too low
FOOT_CLEARANCE = -0.01  # scale of the reward, as Aliengo has it; feet that swing high are for stairs
# With the first two Aliengo walks forwards at half of the speed that is asked; room for a head is for stairs, too;
# where a fall costs, it stood for 200 iterations.
NO_REWARDS = ("progress", "collision", "trunk_clearance", "termination")
LEFT_OUT = ("push_robots", "disturbance", "randomize_payload_mass", "randomize_com_displacement", "delay")


def suit_cpu(env_cfg: Any, train_cfg: Any) -> bool:
    """Change the configs of a quadruped on a plane, in place, to those by which a CPU learns to walk.

    Other tasks stay as they are. Measured in docs/en/reference/results.md.

    Returns:
        Whether they are changed.
    """
    if not isinstance(env_cfg, QuadrupedCfg) or env_cfg.terrain.mesh_type != "plane":
        return False
    for name in LEFT_OUT:
        setattr(env_cfg.domain_rand, name, False)
    for name, factor in REWARD_FACTORS.items():
        setattr(env_cfg.rewards.scales, name, factor * getattr(env_cfg.rewards.scales, name))
    for name in NO_REWARDS:
        setattr(env_cfg.rewards.scales, name, 0.0)
    env_cfg.rewards.scales.foot_clearance = FOOT_CLEARANCE
    env_cfg.commands.keep_direction = False
    if BASE_HEIGHT < env_cfg.rewards.scales.base_height < 0.0:
        env_cfg.rewards.scales.base_height = BASE_HEIGHT
    train_cfg.policy.actor_hidden_dims, train_cfg.policy.critic_hidden_dims = list(HIDDEN_DIMS), list(HIDDEN_DIMS)
    train_cfg.algorithm.num_learning_epochs, train_cfg.algorithm.num_mini_batches = EPOCHS, MINI_BATCHES
    train_cfg.algorithm.entropy_decay = list(ENTROPY_DECAY)
    train_cfg.runner.num_steps_per_env, train_cfg.runner.max_iterations = NUM_STEPS, MAX_ITERATIONS
    return True
