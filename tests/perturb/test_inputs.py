import pytest
import torch

from anx.perturb.inputs import Duplicate, Noise, Occlude, Shuffle


def generator():
    return torch.Generator().manual_seed(0)


def test_shuffle_keeps_one_order_an_episode_and_every_input():
    shuffle = Shuffle()
    orders = shuffle.draw(0, 3, 28, 1, generator())
    assert shuffle.draw(1, 3, 28, 1, generator()) is None
    inputs = torch.rand(28, 1)
    for order in orders:
        assert torch.equal(shuffle.apply(inputs, order).sort(0).values, inputs.sort(0).values)
    assert not torch.equal(orders[0], orders[1])


def test_shuffle_draws_a_new_order_every_so_many_steps():
    shuffle = Shuffle(every=3)
    assert [shuffle.draw(t, 1, 5, 1, generator()) is not None for t in range(7)] == [True, False, False] * 2 + [True]


def test_duplicate_repeats_every_input():
    duplicate = Duplicate(times=3)
    out = duplicate.apply(torch.tensor([[1.0], [2.0]]), torch.zeros(0))
    assert sorted(out.flatten().tolist()) == [1, 1, 1, 2, 2, 2]
    assert duplicate.num_inputs(2) == 6


def test_noise_adds_inputs_of_its_standard_deviation_anew_each_step():
    noise = Noise(channels=100, sigma=0.1)
    source = generator()
    first, second = (noise.draw(t, 50, 5, 2, source) for t in (0, 1))
    assert not torch.equal(first, second)
    assert float(first.std()) == pytest.approx(0.1, rel=0.05)
    out = noise.apply(torch.ones(5, 2), first[0])
    assert out.shape == (noise.num_inputs(5), 2)
    assert torch.equal(out[:5], torch.ones(5, 2))


def test_occlude_keeps_the_same_share_of_inputs_for_the_episode():
    occlude = Occlude(ratio=0.25)
    kept = occlude.draw(0, 2, 196, 1, generator())
    assert occlude.draw(1, 2, 196, 1, generator()) is None
    assert occlude.apply(torch.rand(196, 1), kept[0]).shape == (147, 1)
    assert len(set(kept[0].tolist())) == 147
    assert not torch.equal(kept[0], kept[1])


def test_occluding_every_input_is_refused():
    with pytest.raises(ValueError, match=r"^ratio=0\.95 removes all 5 inputs; allowed: less than 0\.9"):
        Occlude(ratio=0.95).num_inputs(5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Shuffle(every=0),
        lambda: Duplicate(times=0),
        lambda: Noise(channels=-1),
        lambda: Noise(sigma=-0.1),
        lambda: Occlude(ratio=1.0),
        lambda: Occlude(ratio=-0.1),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=r"^\w+="):
        wrong()
