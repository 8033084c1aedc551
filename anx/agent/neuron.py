"""Sensory neurons: what one input says, and what it says it about. All inputs share one set of weights."""

import torch
from torch import Tensor, nn

from anx.agent.base import State
from anx.agent.ops import check_positive, lstm_step, normalise
from anx.agent.still import StillFrames

OPEN = 2.0  # a forget gate's bias


class LSTMNeuron(nn.Module):
    """A recurrent neuron per input: keys come from an LSTM over [input, previous action]; values pass through.

    Tang & Ha 2021, equations 1 and 4 and appendix A (cart-pole and Ant).

    Args:
        features: features of one input, F.
        action_size: A.
        hidden_size: K, the LSTM's size and that of a key.
        one_bias: whether the LSTM has one bias; the authors' has two, of which only the sum counts.
        forget_bias: the forget gates' bias at the start, the other biases being 0 then. None: all biases start as any
            other parameter does.
    """

    def __init__(
        self,
        features: int,
        action_size: int,
        hidden_size: int = 8,
        *,
        one_bias: bool = True,
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        check_positive(hidden_size=hidden_size)
        self.key_size = hidden_size
        self.value_size = features
        self.cell = nn.LSTMCell(features + action_size, hidden_size)
        if one_bias:
            self.cell.register_parameter("bias_hh", None)
        self.forget_bias = forget_bias
        self._biases = [f"cell.{name}" for name, _ in self.cell.named_parameters() if name.startswith("bias")]
        if forget_bias is not None:
            self.own_start = self._biases
            self.open_gates()

    @torch.no_grad()
    def open_gates(self) -> None:
        """Let the forget gates start at `forget_bias`, without one at 2, which lets 88% through (Gers et al. 2000)."""
        for name in self._biases:
            self.get_parameter(name).zero_()
        forget = slice(self.key_size, 2 * self.key_size)  # input, forget, cell, output gate
        self.cell.bias_ih[forget] = OPEN if self.forget_bias is None else self.forget_bias

    def as_published(self) -> nn.Module:
        """A neuron like this one with the authors' two biases."""
        action_size = self.cell.input_size - self.value_size
        return LSTMNeuron(self.value_size, action_size, self.key_size, one_bias=False)

    def converted(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights with one bias or two -> with as many as this one has."""
        one, other = weights["cell.bias_ih"], weights.get("cell.bias_hh")
        if (other is None) == (self.cell.bias_hh is None):
            return weights
        if other is None:
            return {**weights, "cell.bias_hh": torch.zeros_like(one)}
        rest = {name: value for name, value in weights.items() if name != "cell.bias_hh"}
        return {**rest, "cell.bias_ih": one + other}

    def initial_state(self, num_inputs: int) -> State:
        """The hidden and the cell state, each [N, K], at the start of an episode."""
        zeros = self.cell.weight_hh.new_zeros(num_inputs, self.key_size)
        return zeros, zeros

    def forward(self, inputs: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, F], previous action [A], state -> keys [N, K], values [N, F], state."""
        hidden, memory = state
        action = previous_action.expand(inputs.shape[0], -1)  # [N, A]
        both = torch.cat([inputs, action], dim=-1)  # [N, F + A]
        hidden, memory = lstm_step(self.cell, both, hidden, memory)
        return hidden, inputs, (hidden, memory)

    def over_time(self, inputs: Tensor, previous_actions: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """What it says to T steps of B episodes, up to rounding: torch's own loop, with gradients.

        Inputs [B, T, N, F], previous actions [B, T, A], state [B, N, K] -> keys [B, T, N, K], values [B, T, N, F],
        state.
        """
        batch, steps, count, _ = inputs.shape
        seen = torch.cat([inputs, previous_actions.unsqueeze(2).expand(-1, -1, count, -1)], dim=-1)  # [B, T, N, F + A]
        seen = seen.transpose(0, 1).reshape(steps, batch * count, -1)
        cell, carried = self.cell, [each.reshape(1, batch * count, -1) for each in state]
        other = torch.zeros_like(cell.bias_ih) if cell.bias_hh is None else cell.bias_hh
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, other]
        with torch.autocast("cpu", enabled=False):  # in half precision some processors can't: those without AVX-512
            keys, hidden, memory = torch.lstm(seen, carried, weights, True, 1, 0.0, self.training, False, False)
        keys = keys.view(steps, batch, count, -1).transpose(0, 1)
        return keys, inputs, (hidden.view(batch, count, -1), memory.view(batch, count, -1))


class StackedNeuron(nn.Module):
    """A feed-forward neuron on stacked observations: one layer over [the newest inputs, previous action], then tanh.

    What it remembers of an input is the input itself, a few steps back; values pass through (Tang & Ha 2021,
    section 3).

    Args:
        features: features of one input, F.
        action_size: A.
        hidden_size: K, the size of a key.
        stack: S, how many inputs it sees, the newest included.
    """

    def __init__(self, features: int, action_size: int, hidden_size: int = 8, stack: int = 4) -> None:
        super().__init__()
        check_positive(hidden_size=hidden_size, stack=stack)
        self.key_size = hidden_size
        self.value_size = features
        self.older = (stack - 1) * features
        self.layer = nn.Linear(stack * features + action_size, hidden_size)

    def initial_state(self, num_inputs: int) -> State:
        """The inputs before the first one: 0, [N, (S - 1) * F]."""
        return (self.layer.weight.new_zeros(num_inputs, self.older),)

    def forward(self, inputs: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, F], previous action [A], state -> keys [N, K], values [N, F], state."""
        stacked = torch.cat([state[0], inputs], dim=-1)  # [N, S * F], oldest first
        action = previous_action.expand(inputs.shape[0], -1)  # [N, A]
        keys = self.layer(torch.cat([stacked, action], dim=-1)).tanh()
        return keys, inputs, (stacked[:, inputs.shape[1] :],)


class FrameDifferenceNeuron(nn.Module):
    """A stateless neuron for patches: keys are what moved and the previous action; values are the normalised frames.

    Tang & Ha 2021, section 4.3 and appendix A (Pong and CarRacing).

    Args:
        features: features of one input, frames * pixels.
        action_size: A.
        frames: stacked frames in one input, oldest first.
        normalise: whether values are layer-normalised, frame by frame.
        frames_first: whether a key goes frame by frame, as that of the authors' Pong, instead of pixel by pixel.
        apart: how many inputs may move before a rollout that takes still ones as one takes all inputs as they are (see
            `anx.agent.still`). It changes no number but for rounding: 16 of Pong's patches are enough in 99% of frames.
    """

    def __init__(
        self,
        features: int,
        action_size: int,
        frames: int = 4,
        *,
        normalise: bool = True,
        frames_first: bool = False,
        apart: int = 16,
    ) -> None:
        super().__init__()
        if frames < 2 or features % frames:
            raise ValueError(f"frames={frames} must be at least 2 and divide the input's {features} features")
        if apart < 0:
            raise ValueError(f"apart={apart} must be at least 0")
        self.frames = frames
        self.normalise = normalise
        self.frames_first = frames_first
        self.pixels = features // frames
        self.key_size = (frames - 1) * self.pixels + action_size
        self.value_size = features
        self.still_inputs = StillFrames(frames, self.pixels, normalise, apart)

    def initial_state(self, num_inputs: int) -> State:
        """No state."""
        return ()

    def forward(self, inputs: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, S * p], previous action [A] -> keys [N, (S - 1) * p + A], values [N, S * p], state."""
        count = inputs.shape[0]
        frames = inputs.reshape(count, self.frames, self.pixels)  # [N, S, p]
        moved = frames[:, 1:] - frames[:, :-1]  # [N, S - 1, p], newer minus older
        if not self.frames_first:
            moved = moved.transpose(1, 2)  # pixel by pixel, as most of the authors' weights expect
        moved = moved.reshape(count, -1)
        keys = torch.cat([moved, previous_action.expand(count, -1)], dim=-1)
        values = normalise(frames).reshape(count, -1) if self.normalise else inputs
        return keys, values, state


class PassThroughNeuron(nn.Module):
    """No neuron: keys and values are the input itself. The baseline without AttentionNeuron stands on it."""

    def __init__(self, features: int, action_size: int) -> None:
        super().__init__()
        self.key_size = self.value_size = features

    def initial_state(self, num_inputs: int) -> State:
        """No state."""
        return ()

    def forward(self, inputs: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, F] -> keys [N, F], values [N, F], state."""
        return inputs, inputs, state
