import pytest
import torch

from anx.agent.policy import MLPPolicy, SharedReadoutPolicy


def test_without_hidden_layers_the_policy_is_linear_and_tanh():
    policy = MLPPolicy((16, 1), 2)
    latent = torch.randn(16, 1)
    (layer,) = policy.layers
    torch.testing.assert_close(policy(latent, ())[0], (layer.weight @ latent[:, 0] + layer.bias).tanh())


def test_hidden_layers_have_a_tanh_between_them():
    policy = MLPPolicy((4, 2), 3, hidden_sizes=[5])
    latent = torch.randn(4, 2)
    first, last = policy.layers
    torch.testing.assert_close(policy(latent, ())[0], last(first(latent.reshape(-1)).tanh()).tanh())


def test_a_discrete_action_is_the_one_hot_of_the_highest_score():
    policy = MLPPolicy((4, 2), 6, output="one_hot")
    latent = torch.randn(4, 2)
    action, _ = policy(latent, ())
    assert sorted(action.tolist()) == [0, 0, 0, 0, 0, 1]
    assert action.argmax() == policy.layers[0](latent.reshape(-1)).argmax()


def test_the_shared_readout_treats_every_latent_alike_and_then_by_its_place():
    policy = SharedReadoutPolicy((400, 32), 6, channels=2)
    assert sum(p.numel() for p in policy.parameters()) == 4872
    latent = torch.randn(400, 32)
    reduced = torch.stack([policy.reduce(row).tanh() for row in latent])
    assert policy(latent, ())[0].argmax() == policy.read(reduced.reshape(-1)).argmax()


def test_an_unknown_output_is_refused():
    with pytest.raises(ValueError, match=r"policy\.output=softmax is not one of tanh, one_hot"):
        MLPPolicy((4, 2), 6, output="softmax")
