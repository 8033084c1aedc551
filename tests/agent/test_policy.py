import pytest
import torch

from anx.agent.policy import AttentionAgentPolicy, CNNPolicy, MLPPolicy, SharedReadoutPolicy


def context(policy, latent):
    """What a policy makes of a latent code after an action of 0."""
    return policy(latent, torch.zeros(6), policy.initial_state())[0]


def test_without_hidden_layers_the_context_is_the_latent_code():
    policy = MLPPolicy((16, 3), 6)
    latent = torch.randn(16, 3)
    assert torch.equal(context(policy, latent), latent.flatten())
    assert policy.context_size == 48
    assert list(policy.parameters()) == []


def test_every_hidden_layer_has_a_tanh():
    policy = MLPPolicy((4, 2), 6, hidden_sizes=[5, 3])
    latent = torch.randn(4, 2)
    first, last = policy.layers
    torch.testing.assert_close(context(policy, latent), last(first(latent.reshape(-1)).tanh()).tanh())


def test_the_shared_readout_treats_every_latent_alike_and_then_by_its_place():
    policy = SharedReadoutPolicy((400, 32), 6, channels=2)
    assert sum(p.numel() for p in policy.parameters()) + (policy.context_size + 1) * 6 == 4872
    latent = torch.randn(400, 32)
    reduced = torch.stack([policy.reduce(row).tanh() for row in latent])
    torch.testing.assert_close(context(policy, latent), reduced.flatten())


def test_the_cnn_sees_the_latents_as_a_square_picture():
    policy = CNNPolicy((400, 32), 6)
    layers = [policy.first, torch.nn.ReLU(), policy.second, torch.nn.ReLU(), torch.nn.Flatten()]
    net = torch.nn.Sequential(*layers, policy.hidden, torch.nn.ReLU())
    assert [tuple(p.shape) for p in policy.parameters()][::2] == [(64, 32, 4, 4), (64, 64, 3, 3), (512, 3136)]
    latent = torch.randn(400, 32)
    picture = torch.stack([latent[20 * row : 20 * row + 20] for row in range(20)]).permute(2, 0, 1)  # [V, row, column]
    torch.testing.assert_close(context(policy, latent), net(picture.unsqueeze(0))[0])


POLICIES = [
    MLPPolicy((64, 4), 6),
    MLPPolicy((64, 4), 6, hidden_sizes=[7, 5]),
    SharedReadoutPolicy((64, 4), 6),
    CNNPolicy((64, 4), 6, channels=2, hidden_size=9),
    AttentionAgentPolicy((64, 4), 6),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_a_context_has_the_size_that_the_policy_says(policy):
    assert context(policy, torch.randn(64, 4)).shape == (policy.context_size,)


@pytest.mark.parametrize("policy", [CNNPolicy, AttentionAgentPolicy])
def test_latents_that_fill_no_square_are_refused_with_the_nearest_that_do(policy):
    with pytest.raises(ValueError, match=r"pooler\.num_queries=390 is no square number; the nearest are 361 and 400"):
        policy((390, 32), 6)


def test_too_few_latents_for_the_cnn_are_refused():
    with pytest.raises(ValueError, match=r"pooler\.num_queries of at least 64"):
        CNNPolicy((49, 32), 6)


def test_attention_agent_sees_where_the_latents_with_most_votes_lie():
    policy = AttentionAgentPolicy((9, 4), 2, num_chosen=2, mixing_size=None, offset=0.5, extent=3)
    with torch.no_grad():
        for layer in (policy.query, policy.key):
            layer.weight.copy_(torch.eye(4))
            layer.bias.zero_()
    latent = torch.zeros(9, 4)
    latent[7, 0], latent[2, 0] = 3.0, 1.5  # the 7th votes for itself, all others alike
    votes = policy.votes(latent)
    assert votes.argsort(descending=True)[:2].tolist() == [7, 2]
    assert float(votes.sum()) == pytest.approx(9, abs=1e-5)
    given, (hidden, _) = policy(latent, torch.zeros(2), policy.initial_state())
    seen = torch.tensor([[2.5, 1.5, 0.5, 2.5]]) / 3  # row and column of the 7th, then of the 2nd
    torch.testing.assert_close(hidden, policy.cell(seen)[0][0])
    assert torch.equal(given, hidden)


def test_smoothing_mixes_in_the_last_latent_code_as_the_last_step_and_its_action_said():
    policy = AttentionAgentPolicy((9, 4), 2, num_chosen=2)
    latents, action = torch.randn(3, 9, 4), torch.randn(2)
    _, state = policy(latents[0], torch.zeros(2), policy.initial_state())
    torch.testing.assert_close(state[2], latents[0])  # there is nothing yet to mix in
    smoothed = latents[0]
    for latent in latents[1:]:
        alpha = policy.mixing(torch.cat([state[0], action]))
        assert 0 < alpha < 1
        smoothed = (1 - alpha) * latent + alpha * smoothed
        _, state = policy(latent, action, state)
        torch.testing.assert_close(state[2], smoothed)
