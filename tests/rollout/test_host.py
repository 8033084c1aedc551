from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from conftest import make_agent
from gymnasium.vector.utils import batch_space
from toys import Walk

from anx.envs.workers import Workers
from anx.perturb.inputs import Duplicate, Noise, Occlude, Shuffle
from anx.population import num_parameters, set_vector
from anx.rollout.host import HostRollout
from anx.rollout.jobs import Jobs, episode_seeds
from anx.rollout.slots import to_space
from anx.spec import Spec


class Flicker:
    """A game of random frames: the seed says how long it lasts; a step pays what the action and the frame say."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)
        self.left = self.random.randint(2, 12)
        self.frames = self.random.randint(0, 256, (4, 84, 84)).astype(np.uint8)

    def step(self, action):
        reward = float(action) * 0.25 + float(self.frames[0, 0, 0]) / 256
        self.frames = np.roll(self.frames, 1, 0)
        self.frames[-1] = self.random.randint(0, 256, (84, 84))
        self.left -= 1
        return reward, self.left <= 0


class Flickers(gymnasium.vector.VectorEnv):
    """Side by side, with the conventions of gymnasium's vector environments."""

    single_action_space = gymnasium.spaces.Discrete(6)

    def __init__(self, slots):
        self.num_envs = slots
        self.action_space = batch_space(self.single_action_space, slots)
        self.games = [None] * slots

    def observe(self):
        return np.stack([game.frames for game in self.games])

    def reset(self, *, seed, options=None):
        mask = options["reset_mask"] if options else np.ones(self.num_envs, dtype=bool)
        assert len(seed) == self.num_envs
        for slot in np.flatnonzero(mask):
            self.games[slot] = Flicker(seed[slot])
        return self.observe(), {}

    def step(self, actions):
        rewards, ended = zip(*(game.step(a) for game, a in zip(self.games, actions, strict=True)), strict=True)
        nothing = np.zeros(self.num_envs, dtype=bool)
        return self.observe(), np.array(rewards), np.array(ended), nothing, {}


class World:
    spec = Spec((4, 84, 84), tuple("abcdef"), max_steps=9, discrete=True)
    overlaps = False

    def make(self, slots, training, pictures=False):
        return Flickers(slots)


@pytest.fixture
def agent():
    return make_agent("+experiment=pong", "pooler.num_queries=9")[0]


def population_of(agent, candidates):
    return 0.3 * torch.randn(candidates, num_parameters(agent), generator=torch.Generator().manual_seed(0)).double()


def test_every_job_is_played_as_if_alone(agent):
    population, seeds = population_of(agent, 3), episode_seeds(5, 4)
    returns, lengths = torch.zeros(2, 3, 4)
    with torch.no_grad():
        for p in range(3):
            set_vector(agent, population[p])
            for r in range(4):
                game, state = Flicker(seeds[r]), agent.initial_state(196)
                for _ in range(World.spec.max_steps):
                    inputs = agent.splitter(torch.from_numpy(game.frames)).double()
                    action, state = agent(agent.prepare(), inputs, state)
                    reward, ended = game.step(int(action.argmax()))
                    returns[p, r] += reward
                    lengths[p, r] += 1
                    if ended:
                        break
    ours = HostRollout(agent, World(), slots=5)(population, 4, seed=5)
    torch.testing.assert_close(ours.returns.float(), returns, rtol=0, atol=1e-5)
    assert ours.steps.tolist() == lengths.tolist()
    assert lengths.min() < World.spec.max_steps == lengths.max()  # some games end by themselves, some are cut


@pytest.mark.parametrize("perturbations", [[], [Shuffle(every=2), Noise(3, 0.5)], [Duplicate()], [Occlude(0.3)]])
def test_fitness_is_the_same_for_any_number_of_slots(agent, perturbations):
    population = population_of(agent, 2)
    one, three, more = (HostRollout(agent, World(), slots=s)(population, 5, 1, perturbations) for s in (1, 3, 64))
    assert torch.equal(one.returns, three.returns)
    assert torch.equal(one.returns, more.returns)
    assert torch.equal(one.steps, more.steps)


def test_fitness_is_the_same_for_any_number_of_threads(agent):
    population = population_of(agent, 3)
    one, three = (HostRollout(agent, World(), slots=6, threads=t)(population, 5, 1, [Shuffle()]) for t in (1, 3))
    assert torch.equal(one.returns, three.returns)
    assert torch.equal(one.steps, three.steps)


def test_a_rollout_that_failed_in_the_middle_leaves_nothing_behind(agent):
    class Failing(World):
        failing = True

        def make(self, slots, training, pictures=False):
            envs = Flickers(slots)
            if self.failing:
                envs.step = lambda actions: 1 / 0
            return envs

    world = Failing()
    rollout, population = HostRollout(agent, world, slots=4, threads=2), population_of(agent, 2)
    with pytest.raises(ZeroDivisionError):
        rollout(population, 3, 1)
    world.failing = False
    calm = HostRollout(agent, World(), slots=4)(population, 3, 1)
    assert torch.equal(rollout(population, 3, 1).returns, calm.returns)


def test_more_episodes_leave_the_first_episodes_as_they_were():
    assert episode_seeds(3, 9)[:4].tolist() == episode_seeds(3, 4).tolist()
    assert len(set(episode_seeds(3, 1000).tolist())) == 1000


def test_a_trace_is_the_episode_that_the_rollout_plays(agent):
    rollout = HostRollout(agent, World(), slots=2)
    vector = population_of(agent, 1)[0]
    trace = rollout.trace(vector, 3, [Shuffle()])
    episodes = rollout(vector.unsqueeze(0), 1, 3, [Shuffle()])
    assert float(trace.rewards.sum()) == pytest.approx(float(episodes.returns), abs=1e-6)
    assert len(trace.rewards) == int(episodes.steps)
    assert trace.attention.shape[1:] == (196,)


def test_no_slots_are_refused(agent):
    with pytest.raises(ValueError, match=r"rollout\.slots=0 must be at least 1"):
        HostRollout(agent, World(), slots=0)


def test_continuous_actions_are_stretched_to_the_bounds_and_discrete_ones_are_the_greatest():
    box = gymnasium.spaces.Box(np.array([-1, 0, 0], np.float32), np.ones(3, np.float32))
    stretched = to_space(torch.tensor([[-1.0, -1.0, 1.0], [0.5, 0.0, 0.5]]), box)
    assert stretched.tolist() == [[-1, 0, 1], [0.5, 0.5, 0.75]]
    assert to_space(torch.tensor([[0.1, 0.9], [0.2, -3.0]]), gymnasium.spaces.Discrete(2)).tolist() == [1, 0]


def test_only_training_is_told_that_it_is(agent):
    told = []

    class Listening(World):
        def make(self, slots, training, pictures=False):
            told.append(training)
            return Flickers(slots)

    rollout = HostRollout(agent, Listening(), slots=2, threads=1)
    population = population_of(agent, 2)
    rollout(population, 1, 0, training=True)
    rollout(population, 1, 0, training=True)
    rollout(population, 1, 0)
    assert told == [True, False]


class Walks:
    spec = Spec((5,), ("push",), max_steps=9)
    overlaps = True

    def __init__(self, deadly=None, files=()):
        self.deadly, self.files = deadly, files

    def make(self, slots, training, pictures=False):
        return Workers(partial(Walk, self.deadly, self.files), slots, 2)


def test_jobs_whose_process_dies_are_played_again_to_the_same_end(tmp_path):
    agent, _ = make_agent()
    population = population_of(agent, 3)
    calm = HostRollout(agent, Walks(), slots=7)
    deadly = Walks(episode_seeds(2, 5)[3], [tmp_path / "first", tmp_path / "second"])
    eventful = HostRollout(agent, deadly, slots=7)
    theirs, ours = calm(population, 5, 2), eventful(population, 5, 2)
    assert (tmp_path / "second").exists()
    assert torch.equal(ours.returns, theirs.returns)
    assert torch.equal(ours.steps, theirs.steps)
    calm.close()
    eventful.close()


def test_the_third_death_of_a_job_ends_the_rollout_with_its_seed(tmp_path):
    agent, _ = make_agent()
    seed = episode_seeds(2, 4)[3]
    rollout = HostRollout(agent, Walks(seed, [tmp_path / str(i) for i in range(9)]), slots=4)
    with pytest.raises(RuntimeError, match=rf"died 3 times .* candidate 0, episode 3 .* seed {seed}"):
        rollout(population_of(agent, 1), 4, 2)
    assert len(list(tmp_path.iterdir())) == 3
    rollout.close()


def test_compiling_is_for_many_jobs_of_agents_that_merge_nothing(agent):
    jobs = Jobs(agent, population_of(agent, 2), 8, 0)
    assert HostRollout(agent, World())._compiled_step(jobs, (), 16) is None
    agent, _ = make_agent()
    rollout = HostRollout(agent, Walks())
    jobs = Jobs(agent, population_of(agent, 2), 7, 0)
    assert rollout._compiled_step(jobs, (), 14) is None
    step = rollout._compiled_step(jobs, (), 28)  # of two processes
    assert step is not None
    assert rollout._compiled_step(jobs, (), 28) is step


@pytest.mark.parametrize("perturbations", [[], [Shuffle(every=2), Noise(3, 0.5)]])
def test_slots_of_a_group_play_the_same_games_and_other_groups_others(agent, perturbations):
    one, group = population_of(agent, 1), torch.tensor([0, 0, 2, 1])
    ours = HostRollout(agent, World(), slots=3)(one.expand(4, -1), 2, 1, perturbations, group=group)
    alone = HostRollout(agent, World(), slots=3)(one, 6, 1, perturbations)
    assert torch.equal(ours.returns, alone.returns[0].view(3, 2)[group])
    assert torch.equal(ours.steps, alone.steps[0].view(3, 2)[group])
    assert len(alone.returns.unique()) == 6
