"""One step of an agent as a function of tensors alone: what can be written down as a graph."""

from torch import Tensor, nn

from anx.agent.agent import Agent, AgentState
from anx.internal.pytree import tree_leaves, tree_structure, tree_unflatten

PREVIOUS_ACTION = "previous_action"


class Step(nn.Module):
    """What an agent sees and carries -> its action, what it carries on, and how it came to that action.

    It carries the previous action and the states of its parts. An action is the next step's previous one: the outputs
    begin with what the next step takes, in the same order.

    Args:
        agent: whose step it is.
        split: whether it takes an observation, which it splits itself; else the sensory inputs [N, F].
    """

    def __init__(self, agent: Agent, *, split: bool = True) -> None:
        super().__init__()
        self.agent = agent
        self.split = split
        state = agent.initial_state(agent.splitter.num_inputs)
        self.form = tree_structure((state.neuron, state.policy))
        parts = {"neuron": state.neuron, "policy": state.policy}
        states = [f"{part}_state_{i}" for part, own in parts.items() for i in range(len(tree_leaves(own)))]
        self.carried = [PREVIOUS_ACTION, *states]
        keys = agent.actuators.new_zeros(1, agent.neuron.key_size)
        self.attends = agent.pooler.attend(agent.prepare(), keys).shape[1] > 0

    @property
    def inputs(self) -> list[str]:
        """What is taken, by name."""
        return ["observation" if self.split else "inputs", *self.carried]

    @property
    def outputs(self) -> list[str]:
        """What is given, by name."""
        carried = ["action", *(f"next_{name}" for name in self.carried[1:])]
        return [*carried, "scores", "latent", *(["attention"] if self.attends else [])]

    def start(self, num_inputs: int) -> list[Tensor]:
        """What is carried into an episode with N inputs: each a tensor of its own, whatever a part makes them of."""
        state = self.agent.initial_state(num_inputs)
        return [each.clone() for each in (state.previous_action, *tree_leaves((state.neuron, state.policy)))]

    def forward(self, seen: Tensor, previous_action: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Observation [...] or inputs [N, F], previous action [A], states -> as `outputs` says."""
        inputs = self.agent.splitter(seen) if self.split else seen  # [N, F]
        before = AgentState(*tree_unflatten(states, self.form), previous_action)
        thought, after = self.agent.explain(self.agent.prepare(), inputs, before)
        given = [thought.action, *tree_leaves((after.neuron, after.policy)), thought.scores, thought.latent]
        return (*given, thought.attention) if self.attends else tuple(given)
