import pytest
import torch
from combinations import build
from worlds import FRAMES, NUMBERS

from anx.data.play import play
from anx.errors import ConfigError
from anx.population import get_vector
from anx.rollout.host import HostRollout
from anx.teachers.agent import AgentTeacher


@pytest.mark.parametrize(
    "names",
    [("scalar", "lstm", "attention", "linear", "linear"), ("patch", "stacked", "attention", "mlp", "linear")],
    ids="-".join,
)
def test_an_agent_that_teaches_plays_as_in_a_rollout(names):
    agent, world = build(names)
    agent.float()
    teacher = AgentTeacher(world, lambda *_: agent, weights="it")
    played = HostRollout(agent, world, slots=2, compile=False)(get_vector(agent).unsqueeze(0), 5, 1)
    episodes = sorted(play(world, teacher, 1, range(5), slots=2), key=lambda each: each.number)
    assert [len(each.rewards) for each in episodes] == played.steps[0].tolist()
    ours = torch.tensor([float(each.rewards.sum()) for each in episodes])
    torch.testing.assert_close(ours, played.returns[0], rtol=0, atol=1e-4)


def test_it_is_told_what_was_done_whoever_did_it():
    """A student acts, the agent says what it would do: after another action before, it says something else."""
    agent, world = build(("scalar", "lstm", "attention", "linear", "linear"))
    agent.float()

    class Still(AgentTeacher):
        def __call__(self, seen):
            return torch.zeros(len(seen.start), world.spec.action_size)

    teacher, student = (kind(world, lambda *_: agent, weights="it") for kind in (AgentTeacher, Still))
    (taught,) = play(world, teacher, 1, [0], player=student)
    (alone,) = play(world, teacher, 1, [0])
    assert (taught.actions == 0).all()
    assert (taught.scores[0] == alone.scores[0]).all()
    assert (taught.scores[1] != alone.scores[1]).any()


def test_an_agent_of_other_actions_is_refused():
    agent, _ = build(("scalar", "lstm", "attention", "linear", "linear"))
    with pytest.raises(ConfigError, match="weights=it is an agent of other actions than the environment's"):
        AgentTeacher(FRAMES, lambda *_: agent, weights="it")
    assert NUMBERS.spec.action_size == agent.action_size
