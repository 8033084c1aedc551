"""What an agent's parts are: any `nn.Module` that has these methods and attributes; there is nothing to inherit from.

Each is written for one agent in one episode. N inputs of F features each; K and V are the sizes of a neuron's keys and
values, M x V' that of the latent code, C that of the context, A the number of actuators.
"""

from typing import Protocol

from torch import Tensor

State = tuple[Tensor, ...]  # what a part carries from step to step of an episode
Prepared = tuple[Tensor, ...]  # what a pooler has worked out of its parameters alone

ACTUATOR_SIZE = 8  # E, numbers that say what an actuator is


class Splitter(Protocol):
    """One observation -> N sensory inputs. Built with `observation_shape`."""

    num_inputs: int  # N
    features: int  # F

    def __call__(self, observation: Tensor) -> Tensor:
        """Observation [...], as the environment gives it -> inputs [N, F]."""


class Neuron(Protocol):
    """What each input says: a key, what it says it about; and a value. Built with `features` and `action_size`.

    It may say which inputs are still, in an attribute `still_inputs` (see `anx.agent.still`). One with a memory that
    has a quick way through whole episodes offers it as a method `over_time` (see `anx.agent.neuron.LSTMNeuron`), for
    students; one whose gates can start open, as a method `open_gates`, for searches.
    """

    key_size: int  # K
    value_size: int  # V

    def initial_state(self, num_inputs: int) -> State:
        """The state of N inputs at the start of an episode."""

    def __call__(self, inputs: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Inputs [N, F], previous action [A], or [0] if it sees none -> keys [N, K], values [N, V], state."""


class Pooler(Protocol):
    """What N neurons say -> a latent code of fixed size. Built with `key_size`, `value_size` and `num_inputs`.

    One that takes no other number of inputs than it was built for has that in an attribute `fixed_inputs`; one that
    takes `counts`, how many inputs each row stands for, says `takes_counts = True` (see `anx.agent.still`).
    """

    latent_shape: tuple[int, int]  # (M, V')

    def prepare(self) -> Prepared:
        """What depends on the parameters only: worked out once a rollout instead of once a step."""

    def attend(self, prepared: Prepared, keys: Tensor) -> Tensor:
        """Keys [N, K] -> attention weights [N, M]; [N, 0] without attention."""

    def __call__(self, prepared: Prepared, keys: Tensor, values: Tensor) -> Tensor:
        """Keys [N, K], values [N, V] -> latent code [M, V']."""


class Policy(Protocol):
    """The trunk of a policy: the latent code -> a context for the head. Built with `latent_shape` and `action_size`."""

    context_size: int  # C

    def initial_state(self) -> State:
        """The state at the start of an episode."""

    def __call__(self, latent: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, State]:
        """Latent code [M, V'], previous action [A], 0 at first, state -> context [C], state."""


class Head(Protocol):
    """The head of a policy: the context -> a score for each actuator. Built with `context_size` and `action_size`."""

    def __call__(self, context: Tensor, actuators: Tensor) -> Tensor:
        """Context [C], what each actuator is [A, E] -> scores [A]."""
