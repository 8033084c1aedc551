"""What is recorded is there again when it is read: as a whole, or in lessons."""

import errno
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from worlds import FRAMES, NUMBERS

from anx.data.folder import Folder
from anx.data.growing import Growing
from anx.data.layout import Layout
from anx.data.lessons import RecordedLessons
from anx.data.play import Episode, play
from anx.errors import ConfigError
from anx.teachers.base import Teacher

SETTINGS = {"seed": 1, "env": {"max_steps": 4}}


class Sums(Teacher):
    """Says what it sees, summed up."""

    def __init__(self, world):
        self.size = world.spec.action_size

    def __call__(self, seen):
        total = torch.from_numpy(seen.observations).float().flatten(1).sum(1, keepdim=True)
        return total * torch.linspace(-0.1, 0.1, self.size) - seen.previous_actions


def layout_of(world, stacks=False):
    return Layout(world.spec.observation_shape, world.spec.action_size, world.spec.discrete, stacks)


def episodes_of(world, numbers=range(5)):
    return list(play(world, Sums(world), 1, numbers, slots=2))


def write(path, layout, episodes, settings=SETTINGS):
    with Folder(path, layout, settings) as folder:
        for episode in episodes:
            folder.append(episode)


def film(number, steps, shape=(4, 2, 3)):
    """An episode of a stack of frames, of which each step brings one."""
    random = np.random.default_rng(number)
    frames = random.integers(0, 256, (steps + shape[0] - 1, *shape[1:])).astype(np.uint8)
    stacks = np.stack([frames[t : t + shape[0]] for t in range(steps)])
    actions = np.eye(3, dtype=np.float32)[random.integers(3, size=steps)]
    scores = random.normal(size=(steps, 3)).astype(np.float32)
    return Episode(number, stacks, actions, scores, np.ones(steps, np.float32))


@pytest.mark.parametrize("length", [1, 3, None])
@pytest.mark.parametrize("world", [NUMBERS, FRAMES], ids=["numbers", "frames"])
def test_lessons_are_what_was_played(world, length, tmp_path):
    episodes = episodes_of(world)
    if world is FRAMES:  # the world's are floats
        episodes = [each._replace(observations=each.observations.astype(np.uint8)) for each in episodes]
    write(tmp_path, layout_of(world), episodes)
    assert_lessons(tmp_path, episodes, length)


@pytest.mark.parametrize("length", [1, 4, 5, None])
def test_frames_that_are_kept_once_are_stacked_again(length, tmp_path):
    episodes = [film(2, 9), film(0, 1), film(1, 12)]
    layout = Layout((4, 2, 3), 3, True, stacks=True)
    write(tmp_path, layout, episodes)
    assert_lessons(tmp_path, episodes, length)
    assert len(np.load(tmp_path / "observations.npy")) == 9 + 1 + 12 + 3 * 3


def assert_lessons(path, episodes, length):
    lessons, at = RecordedLessons(str(path), length=length), 0
    for episode in sorted(episodes, key=lambda each: each.number):
        before = np.concatenate([np.zeros_like(episode.actions[:1]), episode.actions[:-1]])
        for start in range(0, len(episode.rewards), lessons.length):
            lesson, count = lessons[at], min(lessons.length, len(episode.rewards) - start)
            here = slice(start, start + count)
            assert lesson.weights.tolist() == [1.0] * count + [0.0] * (lessons.length - count)
            assert np.array_equal(lesson.observations[:count].numpy(), episode.observations[here])
            assert np.array_equal(lesson.previous_actions[:count].numpy(), before[here])
            assert np.array_equal(lesson.scores[:count].numpy(), episode.scores[here])
            assert all(len(each) == lessons.length for each in lesson)
            at += 1
    assert at == len(lessons)
    with pytest.raises(IndexError):
        lessons[at]


def test_of_steps_that_look_the_same_after_the_same_action_the_first_is_the_only_lesson(tmp_path):
    one, other = film(0, 9), film(1, 7)
    again = one._replace(number=2)  # the same game: not a new step
    branch = one._replace(number=3, actions=np.roll(one.actions, 1, axis=1))  # the same frames after other actions
    write(tmp_path, Layout((4, 2, 3), 3, True, stacks=True), [one, other, again, branch])
    every, unique = RecordedLessons(str(tmp_path)), RecordedLessons(str(tmp_path), unique=True)
    expected = [*range(9 + 7), *range(9 + 7 + 9 + 1, len(every))]  # a game's first step follows no action
    assert len(unique) == len(expected)
    for ours, number in zip(map(unique.__getitem__, range(len(unique))), expected, strict=True):
        assert all(torch.equal(*each) for each in zip(ours, every[number], strict=True))
    with pytest.raises(ValueError, match=r"^unique=true is for single steps, length=1; length=4$"):
        RecordedLessons(str(tmp_path), length=4, unique=True)


def test_lessons_come_in_batches_and_to_other_processes(tmp_path):
    write(tmp_path, Layout((4, 2, 3), 3, True, stacks=True), [film(0, 9), film(1, 7)])
    lessons = RecordedLessons(str(tmp_path), length=4)
    batch = next(iter(DataLoader(lessons, batch_size=3)))
    assert batch.observations.shape == (3, 4, 4, 2, 3)
    assert len(pickle.dumps(lessons)) < 4000, "the arrays stay on disk"
    assert torch.equal(pickle.loads(pickle.dumps(lessons))[2].scores, lessons[2].scores)


def test_a_recording_goes_on_and_is_as_one_that_was_never_interrupted(tmp_path):
    episodes = episodes_of(NUMBERS)
    write(tmp_path / "one", layout_of(NUMBERS), episodes)
    write(tmp_path / "two", layout_of(NUMBERS), episodes[:2])
    with (tmp_path / "two" / "scores.npy").open("ab") as file:  # killed in the middle of the third
        file.write(b"half of a row")
    with Folder(tmp_path / "two", layout_of(NUMBERS), SETTINGS) as folder:
        assert folder.episodes["number"].tolist() == [each.number for each in episodes[:2]]
        for episode in episodes[2:]:
            folder.append(episode)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_lessons_know_where_they_are_from_and_the_first_episodes_are_chosen(tmp_path):
    write(tmp_path, layout_of(NUMBERS), episodes_of(NUMBERS))
    assert RecordedLessons(str(tmp_path)).env == {"max_steps": 4}
    assert RecordedLessons(str(tmp_path), episodes=2).episodes["number"].tolist() == [0, 1]
    with pytest.raises(ConfigError, match=r"data.path=.* holds 5 episodes"):
        RecordedLessons(str(tmp_path), episodes=6)
    with pytest.raises(ConfigError, match="holds no recorded episodes"):
        RecordedLessons(str(tmp_path / "elsewhere"))


def test_a_folder_of_other_settings_is_refused_by_name(tmp_path):
    write(tmp_path, layout_of(NUMBERS), episodes_of(NUMBERS, [0]))
    with pytest.raises(ConfigError, match=r"was recorded with env.max_steps=4, not 5; choose another folder"):
        Folder(tmp_path, layout_of(NUMBERS), {"seed": 1, "env": {"max_steps": 5}})
    with pytest.raises(ConfigError, match=r"layout.observation_shape"):
        Folder(tmp_path, layout_of(FRAMES), SETTINGS)


def test_a_folder_has_one_writer(tmp_path):
    with (
        Folder(tmp_path, layout_of(NUMBERS), SETTINGS),
        pytest.raises(ConfigError, match="is being recorded to by another process"),
    ):
        Folder(tmp_path, layout_of(NUMBERS), SETTINGS)


def test_a_full_disk_is_one_line_and_keeps_what_was_there(tmp_path, monkeypatch):
    episodes = episodes_of(NUMBERS, [0, 1])
    with Folder(tmp_path, layout_of(NUMBERS), SETTINGS) as folder:
        folder.append(episodes[0])

        def full(self, rows):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Growing, "append", full)
        with pytest.raises(ConfigError, match=r"the disk is full after 1 episodes, which are kept") as error:
            folder.append(episodes[1])
    assert "\n" not in str(error.value)
    assert len(RecordedLessons(str(tmp_path), length=None)) == 1


def test_an_episode_does_not_depend_on_those_beside_it():
    alone = {
        each.number: each for number in range(4) for each in play(NUMBERS, Sums(NUMBERS), 1, [number], epsilon=0.5)
    }
    for each in play(NUMBERS, Sums(NUMBERS), 1, range(4), slots=3, epsilon=0.5):
        for ours, theirs in zip(each, alone[each.number], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
