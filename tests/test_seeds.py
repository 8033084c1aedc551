import itertools

import pytest
import torch
from conftest import make_agent

from anx.perturb.inputs import Noise, Shuffle
from anx.perturb.pipeline import Pipeline
from anx.rollout.jobs import episode_seeds
from anx.seeds import PERTURBATIONS, STUDY, TEST, TRAINING, VALIDATION, derive_seed


def state_of(seed):
    return torch.Generator().manual_seed(seed).get_state().numpy().tobytes()


def test_no_two_streams_of_neighbouring_seeds_have_a_generators_state_in_common():
    paths = [(stream, place) for stream in (PERTURBATIONS, STUDY) for place in range(1, 21)]
    paths += [(TRAINING, generation) for generation in range(20)] + [(VALIDATION,), (TEST,)]
    derived = [derive_seed(seed, *path) for seed, path in itertools.product(range(50), paths)]
    episodes = [int(own) for seed in range(50) for own in episode_seeds(seed, 20)]
    states = {state_of(seed) for seed in [*range(50), *derived, *episodes]}
    assert len(states) == 50 * (1 + len(paths) + 20)


def test_what_perturbations_draw_has_nothing_in_common_with_neighbours_or_with_the_environments_draws():
    agent, _ = make_agent()
    drawn = []
    for seed in range(20):
        pipeline = Pipeline(agent, [Noise(5, 1.0), Noise(5, 1.0)], 4, seed)
        pipeline.draw(0)
        environments = torch.randn(4, 5, 1, generator=torch.Generator().manual_seed(seed))
        drawn += [*pipeline.drawn, environments]
    values = torch.stack(drawn).flatten().tolist()
    assert len(set(values)) == len(values) == 20 * 3 * 20


def test_a_second_perturbation_leaves_the_firsts_draws_as_they_were():
    agent, _ = make_agent()
    one, two = (Pipeline(agent, perturbations, 9, 3) for perturbations in ([Shuffle()], [Shuffle(), Noise()]))
    one.draw(0)
    two.draw(0)
    assert torch.equal(one.drawn[0], two.drawn[0])


@pytest.mark.parametrize("path", [(2**32, 1), (0, -1)])
def test_what_two_paths_might_share_is_refused(path):
    with pytest.raises(ValueError, match=rf"seed={path[0]} .* must be from 0 to 4294967295"):
        derive_seed(*path)
