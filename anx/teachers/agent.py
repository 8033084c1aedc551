"""An agent as a teacher."""

from collections.abc import Callable, Sequence

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.spec import Specified
from anx.teachers.acting import Acting

Load = Callable[[str, Sequence[str], Sequence[str]], Agent]


class AgentTeacher(Acting):
    """The agent in a file, whose scores a student may learn.

    Args:
        env: whose observations and actions the agent must know.
        load: a file, overrides and trust -> its agent, in the precision in which agents are evaluated.
        weights: its file, or anx:NAME, one that ships.
        overrides: as of `python -m anx.evaluate`, on top of what the file says; an .npz file needs its experiment:
            ['+experiment=ant'].
        trust: packages whose components the file may name.
    """

    def __init__(
        self, env: Specified, load: Load, *, weights: str, overrides: Sequence[str] = (), trust: Sequence[str] = ()
    ) -> None:
        agent = load(weights, overrides, trust)
        if (agent.action_size, agent.discrete) != (env.spec.action_size, env.spec.discrete):
            raise ConfigError(f"weights={weights} is an agent of other actions than the environment's")
        super().__init__(agent, merge=False)
