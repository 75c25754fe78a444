"""Delay and draws."""

import torch

from legged_gym.envs.aliengo.aliengo_config import AliengoRoughCfg
from legged_gym.envs.base.domain_rand import delayed_actions, draw_bodies, draw_motors

N = 2000


def test_actions_arrive_after_their_delay() -> None:
    last, now = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[10.0], [20.0], [30.0]])
    delayed = delayed_actions(last, now, torch.tensor([[0], [1], [3]]), decimation=4)
    assert delayed[..., 0].tolist() == [[10, 10, 10, 10], [2, 20, 20, 20], [3, 3, 3, 30]]


def test_draws_fill_their_configured_ranges() -> None:
    cfg = AliengoRoughCfg().domain_rand
    bodies, motors = draw_bodies(cfg, N, 17, "cpu"), draw_motors(cfg, N, "cpu")
    for values, (low, high) in (
        (bodies.payload, (-1.0, 2.0)),
        (bodies.com_displacement, (-0.05, 0.05)),
        (motors.motor_strength, (0.9, 1.1)),
        (motors.kp, (0.9, 1.1)),
        (motors.kd, (0.9, 1.1)),
    ):
        margin = 0.02 * (high - low)
        assert low <= values.min() < low + margin and high - margin < values.max() <= high
    assert bodies.payload.shape == (N, 1) and bodies.com_displacement.shape == (N, 3)


def test_switched_off_variations_are_neutral() -> None:
    cfg = AliengoRoughCfg().domain_rand
    cfg.randomize_payload_mass = cfg.randomize_com_displacement = False
    cfg.randomize_motor_strength = cfg.randomize_kp = cfg.randomize_kd = False
    bodies, motors = draw_bodies(cfg, 3, 17, "cpu"), draw_motors(cfg, 3, "cpu")
    assert not bodies.payload.any() and not bodies.com_displacement.any()
    assert (bodies.link_mass_factors == 1).all()
    assert all((values == 1).all() for values in motors)
