from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anx.data.base import Lesson
from anx.data.play import play, remind
from anx.envs.pong import Pong
from anx.errors import ConfigError
from anx.teachers.base import Seen, Teacher
from anx.teachers.consistent import Consistent, bag
from anx.teachers.pong import PongTeacher

FRAMES = SimpleNamespace(spec=SimpleNamespace(observation_shape=(2, 6, 6)))


class Counting(Teacher):
    """Says something else each time."""

    def __init__(self, env):
        self.asked = 0.0

    def __call__(self, seen):
        self.asked += 1
        return torch.full((len(seen.start), 3), self.asked)


def seen(frames, before=0):
    previous = torch.nn.functional.one_hot(torch.tensor([before]), 3).float()
    return Seen(np.array([False]), frames[None], previous, np.zeros((1, 0), np.uint8), np.array([0]))


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (2, 6, 6), dtype=np.uint8)


def test_what_looks_the_same_in_shuffled_patches_is_answered_as_the_first_time(frames):
    held = Consistent(FRAMES, teacher=Counting, patch=3)
    first = held(seen(frames))
    turned = np.roll(frames, 3, axis=2)  # two columns of patches change places
    assert not np.array_equal(turned, frames)
    assert held(seen(turned)).equal(first)
    assert held(seen(frames)).equal(first)
    assert not held(seen(frames, before=1)).equal(first), "another previous action is another question"
    moved = np.roll(frames, 1, axis=2)
    assert not held(seen(moved)).equal(first), "pixels that move from patch to patch are seen"


def test_patches_keep_their_own_frames_and_pixels_in_order(frames):
    assert bag(frames, 3) != bag(frames[::-1], 3)
    assert bag(frames, 3) != bag(frames[:, ::-1], 3)
    assert len(bag(frames, 3)) == frames.size


def test_patches_in_which_nothing_moves_are_left_out_if_asked(frames):
    one = frames.copy()
    one[1] = one[0]
    one[1, 0, 0] += 1  # in the first patch something moves
    other = one.copy()
    other[:, 5, 5] += 1  # the last one is still, and another
    assert bag(one, 3) != bag(other, 3)
    assert bag(one, 3, still=False) == bag(other, 3, still=False) != b""
    assert bag(one[:1], 3, still=False) == b""


def test_it_keeps_its_word_over_the_end_of_a_process(frames):
    observation, none = torch.from_numpy(frames), torch.zeros(3)
    said = torch.tensor([0.0, 7.0, 0.0])
    both = Lesson(observation.expand(2, 2, 6, 6), none.expand(2, 3), torch.stack([said, none]), torch.tensor([1, 0]))
    held = Consistent(FRAMES, teacher=Counting, patch=3)
    remind(held, [both])
    assert len(held.said) == 1, "the second step is behind the episode's end"
    start = seen(frames)._replace(previous_actions=none[None])
    assert held(start)[0].equal(said)


def test_it_is_for_frames_of_whole_patches():
    with pytest.raises(ConfigError, match=r"teacher.patch=5: .* observations are \[2, 6, 6\]"):
        Consistent(FRAMES, teacher=Counting, patch=5)


def test_held_to_its_word_the_scripted_player_of_pong_still_wins():
    pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")
    env = Pong(max_steps=220, threads=1, score=False)
    teacher = Consistent(env, teacher=partial(PongTeacher, rest=110), still=False)
    answers: dict[tuple[bytes, bytes], int] = {}
    for episode in play(env, teacher, 0, range(3), slots=3):
        assert episode.rewards.sum() >= 2
        before = np.concatenate([np.zeros_like(episode.actions[:1]), episode.actions[:-1]])
        for observation, action, scores in zip(episode.observations, before, episode.scores, strict=True):
            question = (bag(observation, 6, still=False), action.tobytes())
            assert answers.setdefault(question, int(scores.argmax())) == int(scores.argmax())
