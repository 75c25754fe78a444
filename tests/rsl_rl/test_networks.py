"""Names, shapes, sizes and gradients of the networks; the exported policy."""

import copy

import pytest
import torch

from rsl_rl.export import export_policy_as_jit
from rsl_rl.modules import ActorCritic, HIMActorCritic
from rsl_rl.modules.him_actor_critic import infer_temporal_steps, network_sizes
from rsl_rl.modules.mlp import fast_dtype, make_mlp, mixed_precision

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


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(("dtype", "bits"), [(torch.float16, 10), (torch.bfloat16, 7)])
def test_mixed_precision_rounds_to_its_bits_forward_and_backward(device, dtype, bits):
    mlp = make_mlp([45, 64, 40, 12], "elu").to(device)  # 45 numbers are padded to 48
    exact = torch.nn.Sequential(*copy.deepcopy(list(mlp))).double()
    x = torch.randn(20_000, 45, device=device, requires_grad=True)
    x_exact = x.detach().double().requires_grad_()
    with mixed_precision(dtype):
        output = mlp(x)
    assert output.dtype == torch.float32
    expected = exact(x_exact)
    half_a_unit = 2 ** -(bits + 1)
    # two hidden layers, three roundings of up to half a unit of the last bit in each
    assert (output - expected).norm() < 3 * half_a_unit * expected.norm()
    target = torch.randn(20_000, 12, device=device)
    # float16 could not hold the gradients of a sample, 1e-6, if they were not scaled
    (output - target).square().mean().backward()
    (expected - target).square().mean().backward()
    for own, other in zip([x, *mlp.parameters()], [x_exact, *exact.parameters()], strict=True):
        assert (own.grad - other.grad).norm() < 4 * half_a_unit * other.grad.norm()


@pytest.mark.parametrize(
    ("instructions", "dtype"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({"avx512_f": True}, None)],
)
def test_a_cpu_learns_in_bfloat16_only_if_it_multiplies_that(instructions, dtype, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions, raising=False)
    assert fast_dtype("cpu") == dtype
    assert fast_dtype("cuda:1") == torch.float16


def test_mixed_precision_leaves_sequences_alone():
    mlp, x = make_mlp([6, 16, 3], "relu"), torch.randn(4, 5, 6)
    with mixed_precision(torch.float16):
        assert torch.equal(mlp(x), torch.nn.Sequential(*mlp)(x))


@pytest.mark.parametrize("widths", [([], [7]), ([16], [24, 8]), ([512, 256, 128], [5, 4, 3, 2])])
def test_sizes_are_read_from_parameters(widths):
    actor, critic = widths
    hidden = {"actor_hidden_dims": actor, "critic_hidden_dims": critic}
    him = HIMActorCritic(450, 60, 45, 12, temporal_steps=10, **hidden)
    assert network_sizes(him.state_dict(), 45) == {**hidden, "temporal_steps": 10}
    assert network_sizes(ActorCritic(90, 60, 12, **hidden).state_dict(), 45) == hidden
