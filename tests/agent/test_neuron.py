import pytest
import torch

from anx.agent.agent import start_search
from anx.agent.neuron import FrameDifferenceNeuron, LSTMNeuron, StackedNeuron


def test_the_lstm_neuron_is_torchs_lstm_cell_for_every_input():
    neuron = LSTMNeuron(features=2, action_size=3, hidden_size=8)
    inputs, action = torch.randn(5, 2), torch.randn(3)
    state = (torch.randn(5, 8), torch.randn(5, 8))
    keys, values, (hidden, memory) = neuron(inputs, action, state)
    for n in range(5):
        theirs = neuron.cell(torch.cat([inputs[n], action]), (state[0][n], state[1][n]))
        torch.testing.assert_close(hidden[n], theirs[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(memory[n], theirs[1], rtol=0, atol=1e-6)
    assert torch.equal(keys, hidden)
    assert torch.equal(values, inputs)


def test_a_recurrent_state_stays_with_its_position_when_inputs_move():
    neuron = LSTMNeuron(features=1, action_size=1, hidden_size=4)
    first, second = torch.randn(3, 1), torch.randn(3, 1)
    order = torch.tensor([2, 0, 1])
    _, _, state = neuron(first, torch.zeros(1), neuron.initial_state(3))
    _, _, moved = neuron(second[order], torch.zeros(1), state)
    _, _, alone = neuron(second[order][:1], torch.zeros(1), tuple(s[:1] for s in state))
    torch.testing.assert_close(moved[0][:1], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("one_bias", [True, False])
def test_a_forget_bias_is_where_a_search_starts_and_what_a_memory_lasts_by(one_bias):
    neuron = LSTMNeuron(features=1, action_size=1, hidden_size=4, one_bias=one_bias, forget_bias=2.0)
    start_search(neuron)
    memory = torch.randn(3, 4)
    _, _, (hidden, later) = neuron(torch.randn(3, 1), torch.ones(1), (torch.randn(3, 4), memory))
    torch.testing.assert_close(later, memory * torch.tensor(2.0).sigmoid(), rtol=0, atol=1e-6)  # nothing else is let in
    torch.testing.assert_close(hidden, 0.5 * later.tanh(), rtol=0, atol=1e-6)
    assert sum(int(each.count_nonzero()) for each in neuron.parameters()) == 4


@pytest.mark.parametrize("stack", [1, 3])
def test_the_stacked_neuron_sees_the_last_inputs_oldest_first_and_nothing_older(stack):
    neuron = StackedNeuron(features=2, action_size=3, hidden_size=4, stack=stack)
    episode, action = torch.randn(6, 5, 2), torch.randn(3)  # [T, N, F]
    state = neuron.initial_state(5)
    for t, inputs in enumerate(episode):
        keys, values, state = neuron(inputs, action, state)
        assert torch.equal(values, inputs)
        for n in range(5):
            seen = [episode[s, n] if s >= 0 else torch.zeros(2) for s in range(t - stack + 1, t + 1)]
            theirs = neuron.layer(torch.cat([*seen, action])).tanh()
            torch.testing.assert_close(keys[n], theirs, rtol=0, atol=1e-6)


def test_values_that_are_not_normalised_are_the_frames_as_they_are():
    neuron = FrameDifferenceNeuron(12, action_size=2, frames=3, normalise=False)
    inputs = torch.rand(6, 12)
    keys, values, _ = neuron(inputs, torch.zeros(2), ())
    assert torch.equal(values, inputs)
    assert torch.equal(keys, FrameDifferenceNeuron(12, action_size=2, frames=3)(inputs, torch.zeros(2), ())[0])


def test_frame_difference_keys_and_values_are_those_of_a_plain_loop():
    pixels, frames = 4, 3
    neuron = FrameDifferenceNeuron(frames * pixels, action_size=2, frames=frames)
    inputs, action = torch.rand(6, frames * pixels), torch.tensor([0.0, 1.0])
    keys, values, _ = neuron(inputs, action, ())
    for n in range(6):
        patch = inputs[n].reshape(frames, pixels)
        key = [float(patch[f + 1, p] - patch[f, p]) for p in range(pixels) for f in range(frames - 1)]
        torch.testing.assert_close(keys[n], torch.tensor([*key, *action.tolist()]))
        centred = patch - patch.mean(1, keepdim=True)
        value = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        torch.testing.assert_close(values[n], value.reshape(-1), rtol=1e-5, atol=1e-5)
    assert keys.shape == (6, neuron.key_size)
    assert values.shape == (6, neuron.value_size)


def test_frames_that_do_not_divide_the_features_are_refused():
    with pytest.raises(ValueError, match=r"frames=5 .* 144 features"):
        FrameDifferenceNeuron(144, 6, frames=5)
