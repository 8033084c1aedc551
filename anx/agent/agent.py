"""The agent: splitter -> neuron -> pooler -> policy, for one agent in one episode."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from anx.agent.neuron import State
from anx.agent.pooler import AttentionPooler
from anx.agent.state import returned_as


class AgentState(NamedTuple):
    """What an agent carries from step to step of one episode."""

    neuron: State
    policy: State
    previous_action: Tensor  # [A]


class Thought(NamedTuple):
    """How an agent came to an action."""

    attention: Tensor  # [N, M]
    latent: Tensor  # [M, V]
    action: Tensor  # [A]


def start_search(agent: nn.Module) -> None:
    """Put the parameters where the search starts: at 0 (Tang & Ha 2021, appendix A), or at a module's `own_start`."""
    own = {id(each.get_parameter(name)) for each in agent.modules() for name in getattr(each, "own_start", ())}
    with torch.no_grad():
        for parameter in agent.parameters():
            if id(parameter) not in own:
                parameter.zero_()


class Agent(nn.Module):
    """One permutation-invariant agent. `anx.population` makes it many.

    Nothing recurrent lives on the module: state enters and leaves every call.

    Args:
        splitter: observation -> inputs [N, F].
        neuron: inputs, previous action, state -> keys, values, state.
        pooler: keys, values -> latent code [M, V].
        policy: latent code, state -> action [A], state.
        action_size: A.
        previous_action: whether the neuron sees the previous action [A]; else it was built for and gets [0].

    A search starts with all parameters at 0, but for those that a component, or any module in it, names in an attribute
    `own_start`: `own_start = ("table", "norm.weight")` keeps what its constructor gave them.
    """

    def __init__(
        self,
        splitter: nn.Module,
        neuron: nn.Module,
        pooler: nn.Module,
        policy: nn.Module,
        *,
        action_size: int,
        previous_action: bool = True,
    ) -> None:
        super().__init__()
        # A component is any module with the methods of its kind: nothing to inherit from.
        self.splitter: Any = splitter
        self.neuron: Any = neuron
        self.pooler: Any = pooler
        self.policy: Any = policy
        self.action_size = action_size
        self.seen_size = action_size if previous_action else 0

    def initial_state(self, num_inputs: int) -> AgentState:
        """The state at the start of an episode with N inputs; the previous action is 0."""
        parameter = next(self.parameters())
        blank = parameter.new_zeros(self.action_size)
        return AgentState(self.neuron.initial_state(num_inputs), self.policy.initial_state(), blank)

    def prepare(self) -> Any:
        """What depends on the parameters only: worked out once a rollout instead of once a step."""
        return self.pooler.prepare()

    def _sense(self, inputs: Tensor, state: AgentState) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, F], state -> what the neurons say: keys, values, state."""
        return self.neuron(inputs, state.previous_action[: self.seen_size], state.neuron)

    def explain(self, prepared: Any, inputs: Tensor, state: AgentState) -> tuple[Thought, AgentState]:
        """Like `forward`, with everything on the way to the action."""
        keys, values, neuron_state = self._sense(inputs, state)
        attention = self.pooler.attend(prepared, keys)
        latent = self.pooler(prepared, keys, values)
        action, policy_state = self.policy(latent, state.policy)
        return Thought(attention, latent, action), self._carry(AgentState(neuron_state, policy_state, action), state)

    @property
    def merges(self) -> bool:
        """Whether the neuron says which inputs have the same key, and the pooler can take them as one."""
        return hasattr(self.neuron, "still") and isinstance(self.pooler, AttentionPooler)

    def forward(
        self, prepared: Any, inputs: Tensor, state: AgentState, places: Tensor | None = None
    ) -> tuple[Tensor, AgentState]:
        """Inputs [N, F] (the splitter's, perhaps perturbed), state -> action [A], state.

        With `places` [A + 1] (see `anx.agent.still`) the same up to rounding: all inputs but the first A of them are
        still, and become one.
        """
        if places is None:
            keys, values, neuron_state = self._sense(inputs, state)
            latent = self.pooler(prepared, keys, values)  # [M, V]
        else:
            own, count = places[:-1], len(inputs)
            keys, values, neuron_state = self._sense(inputs[places], state)
            share = inputs.new_full((count,), 1 / (count - len(own))).scatter(0, own, 0.0)
            values = torch.cat([values[:-1], self.neuron.still_value(inputs, share).unsqueeze(0)])
            counts = torch.cat([inputs.new_ones(len(own)), inputs.new_full((1,), count - len(own))])
            latent = self.pooler(prepared, keys, values, counts)
        action, policy_state = self.policy(latent, state.policy)  # [A]
        return action, self._carry(AgentState(neuron_state, policy_state, action), state)

    def _carry(self, new: AgentState, old: AgentState) -> AgentState:
        """The state for the next step, of the form of the last one's."""
        neuron, policy = type(self.neuron).__name__, type(self.policy).__name__
        return AgentState(
            returned_as(new.neuron, old.neuron, neuron),
            returned_as(new.policy, old.policy, policy),
            returned_as(new.previous_action, old.previous_action, policy),
        )
