"""Names, shapes, sizes and gradients of the networks; the exported policy."""

import pytest
import torch

from rsl_rl.export import export_policy_as_jit
from rsl_rl.modules import ActorCritic, HIMActorCritic
from rsl_rl.modules.him_actor_critic import infer_temporal_steps
from rsl_rl.modules.mlp import LinearProduct, make_mlp

SMALL = {"actor_hidden_dims": [16], "critic_hidden_dims": [16]}

# Written out from the specification: Linear layers at even places, weight before bias.
EXPECTED_PARAMETERS = {
    "std": (12,),
    "estimator.encoder.0.weight": (128, 270),
    "estimator.encoder.0.bias": (128,),
    "estimator.encoder.2.weight": (64, 128),
    "estimator.encoder.2.bias": (64,),
    "estimator.encoder.4.weight": (19, 64),
    "estimator.encoder.4.bias": (19,),
    "estimator.target.0.weight": (128, 45),
    "estimator.target.0.bias": (128,),
    "estimator.target.2.weight": (64, 128),
    "estimator.target.2.bias": (64,),
    "estimator.target.4.weight": (16, 64),
    "estimator.target.4.bias": (16,),
    "estimator.proto.weight": (32, 16),
    "actor.0.weight": (512, 64),
    "actor.0.bias": (512,),
    "actor.2.weight": (256, 512),
    "actor.2.bias": (256,),
    "actor.4.weight": (128, 256),
    "actor.4.bias": (128,),
    "actor.6.weight": (12, 128),
    "actor.6.bias": (12,),
    "critic.0.weight": (512, 238),
    "critic.0.bias": (512,),
    "critic.2.weight": (256, 512),
    "critic.2.bias": (256,),
    "critic.4.weight": (128, 256),
    "critic.4.bias": (128,),
    "critic.6.weight": (1, 128),
    "critic.6.bias": (1,),
}


@pytest.fixture
def him() -> HIMActorCritic:
    return HIMActorCritic(30, 20, 10, 4, temporal_steps=3, **SMALL)


def test_parameters_have_the_published_names_order_and_shapes():
    network = HIMActorCritic(270, 238, 45, 12, temporal_steps=6)
    assert [(name, tuple(p.shape)) for name, p in network.state_dict().items()] == list(EXPECTED_PARAMETERS.items())
    # The optimiser's state numbers parameters in this order.
    assert [name for name, _ in network.named_parameters()] == list(EXPECTED_PARAMETERS)


def test_history_length_is_read_from_a_checkpoint():
    assert infer_temporal_steps(HIMActorCritic(270, 238, 45, 12, temporal_steps=6).state_dict(), 45) == 6


def test_history_length_must_match_the_observation():
    with pytest.raises(ValueError, match=r"450 numbers, but policy.temporal_steps = 6 frames of 45 make 270"):
        HIMActorCritic(450, 238, 45, 12, temporal_steps=6)


def test_critic_must_see_the_velocity():
    with pytest.raises(ValueError, match=r"45 \+ 3"):
        HIMActorCritic(450, 45, 45, 12)


def test_unknown_activation_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown activation 'swish'; known: elu"):
        make_mlp([1, 2, 3], "swish")


def test_actor_sees_newest_frame_velocity_and_latent(him):
    history = torch.randn(5, 30)
    code = him.estimator.encoder(history)
    latent = code[:, 3:] / code[:, 3:].norm(dim=1, keepdim=True)
    expected = him.actor(torch.cat((history[:, :10], code[:, :3], latent), dim=1))
    assert torch.allclose(him.act_inference(history), expected, atol=1e-6)


def test_policy_gives_no_gradient_to_the_estimator(him):
    actions = him.act(torch.randn(5, 30))
    (him.get_actions_log_prob(actions).sum() + him.entropy.sum()).backward()
    assert all(p.grad is None for p in him.estimator.parameters())
    assert him.actor[0].weight.grad.abs().sum() > 0


def test_log_prob_and_entropy_sum_over_actions(him):
    actions = him.act(torch.randn(5, 30))
    independent = torch.distributions.MultivariateNormal(him.action_mean, torch.diag(him.std.square()))
    assert torch.allclose(him.get_actions_log_prob(actions), independent.log_prob(actions), atol=1e-5)
    assert torch.allclose(him.entropy, independent.entropy(), atol=1e-5)


@pytest.mark.parametrize("family", ["him", "plain"])
def test_exported_policy_gives_the_mean_actions(family, him, tmp_path):
    network = him if family == "him" else ActorCritic(30, 20, 4, **SMALL)
    path = tmp_path / "exported" / "policy.pt"
    export_policy_as_jit(network, path)
    policy = torch.jit.load(path, map_location="cpu")
    for num_envs in (1, 7):
        history = torch.randn(num_envs, 30)
        assert torch.allclose(policy(history), network.act_inference(history), atol=1e-6)


def test_a_linear_product_has_the_gradient_of_its_differences():
    shapes = [(7, 3), (5, 3), (5,)]
    x, weight, bias = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes)
    assert torch.equal(LinearProduct.apply(x, weight, bias), torch.nn.functional.linear(x, weight, bias))
    assert torch.autograd.gradcheck(LinearProduct.apply, (x, weight, bias))
    assert torch.autograd.gradcheck(LinearProduct.apply, (x.detach(), weight, bias))


@pytest.mark.gpu
def test_networks_on_a_gpu_have_the_gradients_of_plain_layers():
    ours = make_mlp([45, 64, 12], "elu").cuda()
    plain = torch.nn.Sequential(torch.nn.Linear(45, 64), torch.nn.ELU(), torch.nn.Linear(64, 12)).cuda()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(10_000, 45, device="cuda")
    for network in (ours, plain):
        network(x).square().mean().backward()
    for own, other in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(own.grad, other.grad, rtol=1e-4, atol=1e-7)
