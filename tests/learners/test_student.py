"""What a student says to whole episodes is what the agent says step by step, and so are its gradients."""

import pytest
import torch
from conftest import make_agent

from anx.agent.still import merges
from anx.learners.student import Student
from anx.perturb.inputs import Noise, Occlude, Shuffle
from anx.perturb.pipeline import Pipeline

EPISODES, STEPS = 3, 6
PONG = ["+experiment=pong", "policy=cnn", "pooler.num_queries=64", "policy.channels=4", "policy.hidden_size=8"]
AGENTS = {
    "recurrent neurons": ["+experiment=cartpole"],
    "stacked neurons": ["+experiment=cartpole", "neuron=stacked"],
    "patches": PONG,
    "a policy with a memory": ["+experiment=car_racing", "pooler.num_queries=16"],
}


def episodes(env, length=STEPS):
    """Observations [B, T, ...] and previous actions [B, T, A]; frames in which little moves."""
    spec, generator = env.spec, torch.Generator().manual_seed(0)
    previous = torch.rand(EPISODES, length, spec.action_size, generator=generator, dtype=torch.float64)
    if len(spec.observation_shape) == 1:
        return torch.randn(EPISODES, length, *spec.observation_shape, generator=generator).double(), previous
    still = torch.randint(256, (EPISODES, length, 1, *spec.observation_shape[1:]), generator=generator)
    frames = still.expand(-1, -1, spec.observation_shape[0], -1, -1).clone()
    frames[..., :12, :20] = torch.randint(256, frames[..., :12, :20].shape, generator=generator)
    frames[0, 0] = torch.randint(256, frames[0, 0].shape, generator=generator)  # where all moves
    return frames.to(torch.uint8), previous


def one_by_one(agent, observations, previous, pipeline):
    """The scores [B, T, A] of an agent that steps, one episode after the other; at most one draw an episode."""
    pipeline.draw(0)
    said = []
    for episode in range(len(observations)):
        state, drawn = agent.initial_state(pipeline.num_inputs), pipeline.at(torch.tensor(episode))
        for step in range(observations.shape[1]):
            inputs = pipeline.batched(0)(observations[episode, step], drawn).double()
            state = state._replace(previous_action=previous[episode, step])
            thought, state = agent.explain(agent.prepare(), inputs, state)
            said.append(thought.scores)
    return torch.stack(said).unflatten(0, observations.shape[:2])


@pytest.mark.parametrize("overrides", AGENTS.values(), ids=AGENTS)
def test_episodes_at_once_are_steps_one_by_one(overrides):
    agent, env = make_agent(*overrides)
    observations, previous = episodes(env, length=3)
    chosen, every = (Shuffle(), Occlude(0.25)), torch.arange(EPISODES)
    ours = Student(agent, chosen).scores(observations, previous, Pipeline(agent, chosen, EPISODES, 7), every)
    theirs = one_by_one(agent, observations, previous, Pipeline(agent, chosen, EPISODES, 7))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert ours.std() > 1e-3


def test_a_part_of_a_batch_meets_what_it_meets_in_the_whole():
    agent, env = make_agent("+experiment=cartpole")
    observations, previous = episodes(env)
    chosen, part = (Shuffle(every=2), Noise()), torch.tensor([0, 2])

    def scores(rows):
        own = Pipeline(agent, chosen, EPISODES, 7)
        return Student(agent, chosen).scores(observations[rows], previous[rows], own, rows)

    torch.testing.assert_close(scores(part), scores(torch.arange(EPISODES))[part])


def gradients(agent, student, observations, previous):
    agent.zero_grad()
    pipeline = Pipeline(agent, student.perturbations, EPISODES, 7)
    scores = student.scores(observations, previous, pipeline, torch.arange(EPISODES))
    scores.square().mean().backward()
    return {name: parameter.grad.clone() for name, parameter in agent.named_parameters()}


@pytest.mark.parametrize("activation", ["softmax", "tanh"])
def test_merged_still_inputs_have_the_gradients_of_all(activation):
    agent, env = make_agent(*PONG, f"pooler.activation={activation}", sigma=0.1)
    assert merges(agent)
    observations, previous = episodes(env, length=2)
    ours, theirs = (
        gradients(agent, Student(agent, [Occlude(0.3)], merge=merge), observations, previous) for merge in (True, False)
    )
    for name, theirs_own in theirs.items():
        scale = theirs_own.abs().max().clamp(min=1e-6)
        torch.testing.assert_close(ours[name] / scale, theirs_own / scale, rtol=0, atol=1e-5, msg=name)


def test_gradients_go_through_what_is_carried_and_not_beyond_where_they_are_cut_off():
    agent, env = make_agent("+experiment=cartpole")
    observations, previous = episodes(env)
    for truncate, reaches in ((None, 0), (6, 0), (4, 4), (1, 5)):
        seen = observations.clone().requires_grad_()
        student = Student(agent, truncate=truncate)
        scores = student.scores(seen, previous, Pipeline(agent, (), EPISODES, 7), torch.arange(EPISODES))
        scores[:, -1].sum().backward()
        touched = seen.grad.abs().sum(dim=(0, 2)) > 0
        assert touched.tolist() == [step >= reaches for step in range(STEPS)]
