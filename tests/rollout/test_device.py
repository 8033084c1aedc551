import math
from typing import NamedTuple

import pytest
import torch
from conftest import make_agent, needs_compiler
from torch import Tensor

from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.perturb.inputs import Duplicate, Noise, Occlude, Shuffle
from anx.population import get_vector, num_parameters, set_vector
from anx.rollout.batch import arrange
from anx.rollout.device import DeviceRollout
from anx.spec import Spec

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(autouse=True)
def _skip_without_cuda(request):
    if request.node.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


def random_population(agent, candidates, sigma=0.3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return sigma * torch.randn(candidates, num_parameters(agent), generator=generator, dtype=dtype)


def one_by_one(agent, env, population, episodes, seed, order=None):
    """The returns and lengths [P, R] of plain loops over candidates, episodes and steps."""
    starts = env.reset(episodes, torch.Generator().manual_seed(seed))
    returns, lengths = torch.zeros(2, len(population), episodes, dtype=population.dtype)
    for p, vector in enumerate(population):
        set_vector(agent, vector)
        prepared = agent.prepare()
        for r in range(episodes):
            world = type(starts)(*(x[r].to(population) for x in starts))
            state = agent.initial_state(5)
            for _ in range(env.spec.max_steps):
                action, state = agent(prepared, agent.splitter(env.observe(world)), state)
                world, reward, done = env.step(world, action)
                returns[p, r] += reward
                lengths[p, r] += 1
                if done:
                    break
    return returns, lengths


@pytest.mark.parametrize("device", DEVICES)
def test_a_population_is_rolled_out_as_in_plain_loops(device):
    agent, _ = make_agent()
    env = CartPoleSwingUpHarder(max_steps=150)
    population = random_population(agent, 3)
    with torch.no_grad():
        returns, lengths = one_by_one(agent, env, population, 4, seed=5)
    rollout = DeviceRollout(agent.to(device), env, compile=False)
    ours = rollout(population.to(device), 4, seed=5)
    torch.testing.assert_close(ours.returns.cpu(), returns, rtol=0, atol=1e-5)
    assert ours.steps.tolist() == lengths.tolist()
    assert 1 < lengths.min() < lengths.max() == 150  # some episodes ended, some did not


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda"])  # on the CPU it is a contract of every component
def test_a_compiled_rollout_gives_the_returns_of_an_eager_one_for_any_number_of_candidates(device):
    agent, _ = make_agent()
    agent.to(device).float()
    env = CartPoleSwingUpHarder(max_steps=60)
    compiled = DeviceRollout(agent, env, compile=True, compact_every=10)
    eager = DeviceRollout(agent, env, compile=False)
    for candidates, episodes in ((8, 5), (3, 4), (1, 1)):
        population = random_population(agent, candidates, dtype=torch.float32).to(device)
        ours, theirs = compiled(population, episodes, 1), eager(population, episodes, 1)
        torch.testing.assert_close(ours.returns, theirs.returns, rtol=0, atol=1e-3)
        assert torch.equal(ours.steps, theirs.steps)


def test_auto_compiles_only_a_hundred_jobs_of_several_candidates_or_of_one_played_time_and_again():
    agent, _ = make_agent()
    rollout = DeviceRollout(agent, CartPoleSwingUpHarder())
    assert not rollout.compiles(1, 4000)
    assert not rollout.compiles(6, 16)
    assert rollout.compiles(7, 16)
    assert not rollout.compiles(1, 99, repeated=True)
    assert rollout.compiles(1, 100, repeated=True)


@pytest.mark.parametrize("compact_every", [1, 7, 1000])
def test_dropping_ended_episodes_changes_nothing(compact_every):
    agent, _ = make_agent()
    population = random_population(agent, 5)
    env = CartPoleSwingUpHarder(max_steps=200)
    kept = DeviceRollout(agent, env, compile=False, compact_every=10_000)(population, 6, 2)
    dropped = DeviceRollout(agent, env, compile=False, compact_every=compact_every)(population, 6, 2)
    torch.testing.assert_close(dropped.returns, kept.returns, rtol=0, atol=1e-5)
    assert torch.equal(dropped.steps, kept.steps)


class Countdown(NamedTuple):
    left: Tensor


class EndsEarly:
    """Episode r ends after r + 1 steps, and pays 1 a step, after its end too."""

    spec = Spec((5,), ("push",), max_steps=20)

    def reset(self, episodes, generator):
        return Countdown(torch.arange(1.0, episodes + 1))

    def observe(self, state):
        return state.left.unsqueeze(-1).expand(*state.left.shape, 5)

    def step(self, state, action):
        left = state.left - 1
        return Countdown(left), torch.ones_like(left), left <= 0


@pytest.mark.parametrize("compact_every", [1, 100])
def test_reward_after_the_end_is_never_counted(compact_every):
    agent, _ = make_agent()
    rollout = DeviceRollout(agent, EndsEarly(), compile=False, compact_every=compact_every)
    episodes = rollout(random_population(agent, 2), 25, seed=0)
    expected = [min(r + 1, 20) for r in range(25)]
    assert episodes.returns.tolist() == [expected] * 2
    assert episodes.steps.tolist() == [expected] * 2


def test_candidates_share_their_episodes_and_seeds_change_them():
    agent, _ = make_agent()
    rollout = DeviceRollout(agent, CartPoleSwingUpHarder(max_steps=100), compile=False)
    twins = random_population(agent, 1).expand(2, -1)
    first, again, other = (rollout(twins, 8, seed).returns for seed in (0, 0, 1))
    assert torch.equal(first[0], first[1])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("perturbation", [Shuffle(), Duplicate(1), Occlude(0.0)], ids=lambda p: type(p).__name__)
def test_perturbations_that_take_nothing_away_change_no_return(perturbation):
    agent, _ = make_agent()
    rollout = DeviceRollout(agent, CartPoleSwingUpHarder(max_steps=300), compile=False)
    population = random_population(agent, 3)
    plain = rollout(population, 10, 0).returns
    assert torch.equal(rollout(population, 10, 0, [perturbation]).returns, plain)


def test_perturbations_that_matter_change_returns_the_same_way_each_time():
    agent, _ = make_agent()
    rollout = DeviceRollout(agent, CartPoleSwingUpHarder(max_steps=300), compile=False)
    population = random_population(agent, 3)
    plain = rollout(population, 10, 0).returns
    for perturbation in (Shuffle(every=20), Noise(5, 0.5), Occlude(0.4), Duplicate(3)):
        first, again = (rollout(population, 10, 0, [perturbation]).returns for _ in range(2))
        assert torch.equal(first, again)
        assert not torch.equal(first, plain)


def test_a_trace_is_the_episode_that_the_rollout_plays():
    agent, env = make_agent()
    rollout = DeviceRollout(agent, env, compile=False)
    vector = random_population(agent, 1)[0]
    trace = rollout.trace(vector, 3, [Shuffle()])
    episodes = rollout(vector.unsqueeze(0), 1, 3, [Shuffle()])
    assert float(trace.rewards.sum()) == pytest.approx(float(episodes.returns), abs=1e-6)
    assert len(trace.rewards) == int(episodes.steps)
    for moment, observation, origins in zip(
        rollout.watch(vector, 3, [Shuffle()]), trace.observations, trace.origins, strict=True
    ):
        assert torch.equal(observation[origins], moment.inputs[:, 0])


def test_watching_leaves_the_agent_as_it_was():
    agent, env = make_agent()
    before = get_vector(agent).clone()
    moment = next(DeviceRollout(agent, env).watch(torch.zeros(433), 3))
    assert moment.action.dtype == torch.float32
    assert float(moment.action) == 0
    assert torch.equal(get_vector(agent), before)  # double precision, other parameters


@pytest.mark.parametrize(("candidates", "episodes"), [(5, 4), (1, 1300)])
def test_an_uncompiled_rollout_gives_the_same_on_any_number_of_cores(candidates, episodes):
    agent, _ = make_agent()
    env = CartPoleSwingUpHarder(max_steps=30)
    population = random_population(agent, candidates)
    one, three = (DeviceRollout(agent, env, compile=False, threads=t)(population, episodes, 2) for t in (1, 3))
    assert torch.equal(one.returns, three.returns)
    assert torch.equal(one.steps, three.steps)


class Spun(CartPoleSwingUpHarder):
    """The second episode's pole has turned many times."""

    def reset(self, episodes, generator):
        start = super().reset(episodes, generator)
        return start._replace(theta=start.theta + 100 * math.pi * (torch.arange(episodes) == 1))


@pytest.mark.exhaustive
@needs_compiler
def test_a_compiled_rollout_gives_the_same_on_any_number_of_cores():
    agent, _ = make_agent()
    population = random_population(agent, 6).float()
    # 40 episodes are two vectors of 16 and a half: on more cores a candidate's have other neighbours.
    rollout = DeviceRollout(agent.float(), Spun(max_steps=70), compile=True, threads=1)
    one = rollout(population, 40, 2)
    for threads in (2, 3):
        rollout.threads = threads
        other = rollout(population, 40, 2)
        assert torch.equal(one.returns, other.returns)
        assert torch.equal(one.steps, other.steps)


def test_one_rollout_plays_both_precisions_and_leaves_its_agent_alone():
    agent, _ = make_agent()
    before = {name: value.clone() for name, value in agent.float().state_dict(keep_vars=False).items()}
    rollout = DeviceRollout(agent, CartPoleSwingUpHarder(max_steps=40), compile=False)
    population = random_population(agent, 2)
    double, single = rollout(population, 3, 0).returns, rollout(population.float(), 3, 0).returns
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-3)
    assert all(torch.equal(agent.state_dict()[name], value) for name, value in before.items())


def test_jobs_are_arranged_so_that_a_row_holds_one_candidates_jobs():
    candidate = torch.tensor([0, 0, 0, 2, 3, 3])
    row, source, valid = arrange(candidate, lanes=2, multiple=4)
    assert row.tolist() == [0, 0, 2, 3]
    assert source[valid].tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(candidate[source], row.unsqueeze(1).expand(-1, 2))
    row, source, valid = arrange(candidate, lanes=2, multiple=3)
    assert len(row) == 6
    assert valid.sum() == 6
    assert torch.equal(candidate[source], row.unsqueeze(1).expand(-1, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compile": "always"}, r"rollout\.compile=always is not one of auto, true, false"),
        ({"compact_every": 0}, r"rollout\.compact_every=0"),
        ({"lanes": -1}, r"rollout\.lanes=-1"),
    ],
)
def test_impossible_options_are_refused_by_name(options, message):
    agent, env = make_agent()
    with pytest.raises(ValueError, match=message):
        DeviceRollout(agent, env, **options)


GROUP = torch.tensor([0, 0, 1, 2, 2, 2])


PERTURBED = [Shuffle(every=40), Noise(2, 0.5)]


@pytest.mark.parametrize(
    ("compile", "perturbations"),
    [
        (False, []),
        (False, PERTURBED),
        pytest.param(True, PERTURBED, marks=[needs_compiler, pytest.mark.exhaustive]),  # which draw by group, too
    ],
)
def test_candidates_of_a_group_play_the_same_episodes_and_other_groups_others(perturbations, compile):
    agent, _ = make_agent()
    rollout = DeviceRollout(agent, CartPoleSwingUpHarder(max_steps=120), compile=compile, lanes=1)  # of one form
    one = random_population(agent, 1)
    for episodes in (1, 3):
        ours = rollout(one.expand(6, -1), episodes, 5, perturbations, group=GROUP)
        alone = rollout(one, 3 * episodes, 5, perturbations)  # all that they play
        for candidate, group in enumerate(GROUP.tolist()):
            own = slice(group * episodes, (group + 1) * episodes)
            torch.testing.assert_close(ours.returns[candidate], alone.returns[0, own], rtol=0, atol=1e-4)
            assert torch.equal(ours.steps[candidate], alone.steps[0, own])
        assert len(alone.returns.unique()) == 3 * episodes
