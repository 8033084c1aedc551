import pytest
import torch

from anx.agent.policy import AttentionAgentPolicy, CNNPolicy, MLPPolicy, SharedReadoutPolicy


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


def test_the_cnn_sees_the_latents_as_a_square_picture():
    policy = CNNPolicy((400, 32), 6)
    layers = [policy.first, torch.nn.ReLU(), policy.second, torch.nn.ReLU(), torch.nn.Flatten()]
    net = torch.nn.Sequential(*layers, policy.hidden, torch.nn.ReLU(), policy.read)
    assert [tuple(p.shape) for p in policy.parameters()][::2] == [(64, 32, 4, 4), (64, 64, 3, 3), (512, 3136), (6, 512)]
    latent = torch.randn(400, 32)
    picture = torch.stack([latent[20 * row : 20 * row + 20] for row in range(20)]).permute(2, 0, 1)  # [V, row, column]
    torch.testing.assert_close(policy.scores(latent), net(picture.unsqueeze(0))[0])


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
    _, (hidden, _) = policy(latent, policy.initial_state())
    seen = torch.tensor([[2.5, 1.5, 0.5, 2.5]]) / 3  # row and column of the 7th, then of the 2nd
    torch.testing.assert_close(hidden, policy.cell(seen)[0][0])


def test_smoothing_mixes_in_the_last_latent_code_as_the_last_step_said():
    policy = AttentionAgentPolicy((9, 4), 2, num_chosen=2)
    latents, state = torch.randn(2, 9, 4), policy.initial_state()
    _, state = policy(latents[0], state)
    torch.testing.assert_close(state[2], latents[0])  # alpha starts at 0
    alpha = state[3]
    assert 0 < alpha < 1
    _, state = policy(latents[1], state)
    torch.testing.assert_close(state[2], (1 - alpha) * latents[1] + alpha * latents[0])
