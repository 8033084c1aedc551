"""The agent: splitter -> neuron -> pooler -> policy -> head, for one agent in one episode."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anx.agent.base import ACTUATOR_SIZE, Head, Neuron, Policy, Pooler, Prepared, Splitter, State
from anx.agent.ops import sinusoidal_table
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
    scores: Tensor  # [A]
    action: Tensor  # [A]


def start_search(agent: nn.Module, *, open_gates: bool = False) -> None:
    """Put the parameters where the search starts: at 0 (Tang & Ha 2021, appendix A), or at a module's `own_start`.

    Args:
        agent: or any part of one.
        open_gates: whether modules that have a method of that name, memories, start with what that gives them.
    """
    own = {id(each.get_parameter(name)) for each in agent.modules() for name in getattr(each, "own_start", ())}
    with torch.no_grad():
        for parameter in agent.parameters():
            if id(parameter) not in own:
                parameter.zero_()
    for module in agent.modules() if open_gates else ():
        getattr(module, "open_gates", lambda: None)()


class Agent(nn.Module):
    """One permutation-invariant agent. `anx.population` makes it many.

    Nothing recurrent lives on the module: state enters and leaves every call.

    Args:
        splitter: observation -> inputs [N, F].
        neuron: inputs, previous action, state -> keys, values, state.
        pooler: keys, values -> latent code [M, V].
        policy: latent code, previous action, state -> context [C], state.
        head: context, what each actuator is [A, E] -> scores [A].
        action_size: A.
        discrete: whether an action is the one with the highest score, one-hot; else each score's tanh.
        previous_action: whether the neuron sees the previous action [A]; else it was built for and gets [0].

    A search starts with all parameters at 0, but for those that a component, or any module in it, names in an attribute
    `own_start`: `own_start = ("table", "norm.weight")` keeps what its constructor gave them.
    """

    def __init__(
        self,
        splitter: Splitter,
        neuron: Neuron,
        pooler: Pooler,
        policy: Policy,
        head: Head,
        *,
        action_size: int,
        discrete: bool = False,
        previous_action: bool = True,
    ) -> None:
        super().__init__()
        self.splitter: Splitter = splitter
        self.neuron: Neuron = neuron
        self.pooler: Pooler = pooler
        self.policy: Policy = policy
        self.head: Head = head
        self.action_size = action_size
        self.discrete = discrete
        self.felt_size = action_size if previous_action else 0  # how much of it the neuron gets
        self.actuators: Tensor
        self.register_buffer("actuators", sinusoidal_table(action_size, ACTUATOR_SIZE), persistent=False)  # [A, E]

    @property
    def fixed_inputs(self) -> int | None:
        """N, for an agent that takes no other number of inputs; most take any."""
        return getattr(self.pooler, "fixed_inputs", None)

    def initial_state(self, num_inputs: int) -> AgentState:
        """The state at the start of an episode with N inputs; the previous action is 0."""
        blank = self.actuators.new_zeros(self.action_size)
        return AgentState(self.neuron.initial_state(num_inputs), self.policy.initial_state(), blank)

    def prepare(self) -> Prepared:
        """What depends on the parameters only: worked out once a rollout instead of once a step."""
        return self.pooler.prepare()

    def sense(self, inputs: Tensor, state: AgentState) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, F], state -> what the neurons say: keys [N, K], values [N, V], their state."""
        return self.neuron(inputs, state.previous_action[: self.felt_size], state.neuron)

    def act(self, latent: Tensor, neuron_state: State, state: AgentState) -> tuple[Tensor, Tensor, AgentState]:
        """Latent code [M, V], the neurons' new state, the state before -> scores [A], action [A], state."""
        context, policy_state = self.policy(latent, state.previous_action, state.policy)  # [C]
        scores = self.head(context, self.actuators)  # [A]
        action = self.as_action(scores)
        return scores, action, self._carry(AgentState(neuron_state, policy_state, action), state)

    def as_action(self, scores: Tensor) -> Tensor:
        """Scores [A] -> a continuous action in [-1, 1], or the best of A discrete actions as one-hot vector."""
        if self.discrete:
            return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)
        return scores.tanh()

    def forward(self, prepared: Prepared, inputs: Tensor, state: AgentState) -> tuple[Tensor, AgentState]:
        """Inputs [N, F] (the splitter's, perhaps perturbed), state -> action [A], state."""
        keys, values, neuron_state = self.sense(inputs, state)
        latent = self.pooler(prepared, keys, values)  # [M, V]
        _, action, after = self.act(latent, neuron_state, state)
        return action, after

    def explain(self, prepared: Prepared, inputs: Tensor, state: AgentState) -> tuple[Thought, AgentState]:
        """Like `forward`, with everything on the way to the action."""
        keys, values, neuron_state = self.sense(inputs, state)
        attention = self.pooler.attend(prepared, keys)
        latent = self.pooler(prepared, keys, values)
        scores, action, after = self.act(latent, neuron_state, state)
        return Thought(attention, latent, scores, action), after

    def _carry(self, new: AgentState, old: AgentState) -> AgentState:
        """The state for the next step, of the form of the last one's."""
        return AgentState(
            returned_as(new.neuron, old.neuron, type(self.neuron).__name__),
            returned_as(new.policy, old.policy, type(self.policy).__name__),
            returned_as(new.previous_action, old.previous_action, type(self.head).__name__),
        )
