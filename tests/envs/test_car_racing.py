import multiprocessing
from importlib.util import find_spec

import gymnasium
import numpy as np
import pytest
from PIL import Image

from anx.envs.car_racing import CarRacing
from anx.envs.car_racing.cars import Cars
from anx.envs.car_racing.look import SIZE, Look, replace_grass
from anx.envs.vector import AtOnce

SIMULATORS = [
    pytest.param("envpool", marks=pytest.mark.skipif(not find_spec("envpool"), reason="needs EnvPool")),
    pytest.param(
        "gymnasium", marks=[pytest.mark.slow, pytest.mark.skipif(not find_spec("Box2D"), reason="needs Box2D")]
    ),
]


@pytest.fixture
def make():
    opened = []

    def open_cars(slots, training=False, pictures=False, **options):
        opened.append(CarRacing(**options).make(slots, training, pictures))
        return opened[-1]

    yield open_cars
    for cars in opened:
        cars.close()


def drive(cars, seeds, steps, first=0):
    """Frames [steps + 1, slots, ...] and rewards [steps, slots] under fixed actions."""
    frames, rewards = [cars.reset(seed=seeds)[0].copy()], []
    for t in range(first, first + steps):
        action = np.tile([0.3 * np.sin(t), 0.5, 0.0], (len(seeds), 1)).astype(np.float32)
        observation, reward, *_ = cars.step(action)
        frames.append(observation.copy())
        rewards.append(reward)
    return np.stack(frames), np.stack(rewards)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_seed_is_a_track_whatever_slot_it_is_driven_in(make, simulator):
    cars = make(3, simulator=simulator, processes=2)
    frames, rewards = drive(cars, [4, 5, 4], 30)
    assert frames.shape[1:] == (3, *CarRacing().spec.observation_shape)
    assert frames.dtype == np.uint8
    assert np.array_equal(frames[:, 0], frames[:, 2])
    assert np.array_equal(rewards[:, 0], rewards[:, 2])
    assert not np.array_equal(frames[:, 0], frames[:, 1])
    again, _ = drive(cars, [5, 4, 4], 30)
    assert np.array_equal(again[:, 0], frames[:, 1])


@pytest.mark.skipif(not find_spec("Box2D"), reason="needs Box2D")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_gymnasiums_cars_drive_the_same_in_processes_of_every_start_method(make, method, monkeypatch):
    monkeypatch.setattr("anx.envs.workers.START_METHOD", method)
    alone, other = (make(1, pictures=here, simulator="gymnasium", processes=1) for here in (True, False))
    for ours, theirs in zip(drive(alone, [4], 10), drive(other, [4], 10), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_only_the_slots_that_are_asked_for_are_reset(make, simulator):
    cars = make(2, simulator=simulator, processes=1)
    frames, _ = drive(cars, [4, 5], 10)
    after, _ = cars.reset(seed=[7, 8], options={"reset_mask": np.array([False, True])})
    assert np.array_equal(after[0], frames[-1, 0])
    fresh, _ = make(1, simulator=simulator, processes=1).reset(seed=[8])
    assert np.array_equal(after[1], fresh[0])


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_person_sees_the_car_from_above_without_a_display(make, simulator, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    cars = make(1, pictures=True, simulator=simulator)
    cars.reset(seed=[1])
    cars.step(np.zeros((1, 3), np.float32))
    (picture,) = cars.render()
    assert picture.shape == (400, 600, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4


class Simulators(gymnasium.vector.VectorEnv):
    """Two cars: pictures of one colour that counts the steps, rewards as told."""

    single_action_space = action_space = gymnasium.spaces.Box(-1, 1, (3,))
    num_envs = 2

    def __init__(self, rewards):
        self.rewards = rewards

    def picture(self):
        return np.full((2, SIZE, SIZE, 3), self.t, np.uint8)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return self.picture(), {}

    def step(self, actions):
        self.t += 1
        nothing = np.zeros(2, dtype=bool)
        return self.picture(), np.array(self.rewards[self.t - 1]), nothing, nothing, {}


def ends(rewards, patience):
    cars = Cars(AtOnce(Simulators(rewards)), Look(4, False, None), patience)
    cars.reset(seed=[0, 1])
    return [cars.step(np.zeros((2, 3)))[3].tolist() for _ in rewards]


def test_steps_of_negative_reward_in_a_row_end_an_episode_in_training_only():
    rewards = [(-0.1, -0.1), (-0.1, 3.0), (-0.1, -0.1), (-0.1, -0.1)]
    assert ends(rewards, 3) == [[False, False], [False, False], [True, False], [True, False]]
    assert ends(rewards, None) == [[False, False]] * 4
    for training, patience in ((True, 7), (False, None)):
        cars = CarRacing(patience=7).make(1, training)
        assert cars.patience == patience
        cars.close()


def test_the_first_frame_fills_the_stack_and_new_ones_come_last():
    cars = Cars(AtOnce(Simulators([(0, 0)] * 9)), Look(4, False, None), None)
    observation, _ = cars.reset(seed=[0, 1])
    assert observation[0, :, 0, 0].tolist() == [0, 0, 0, 0]
    for t in range(1, 6):
        observation, *_ = cars.step(np.zeros((2, 3)))
        assert observation[0, :, 0, 0].tolist() == [max(t - 3, 0), max(t - 2, 0), max(t - 1, 0), t]


def test_gray_is_the_usual_one_and_the_indicators_are_blank():
    random = np.random.RandomState(0).randint(0, 256, (2, SIZE, SIZE, 3)).astype(np.uint8)
    (gray,) = Look(4, False, None).frame(random).transpose(1, 0, 2, 3)
    theirs = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in random])
    assert np.abs(gray[:, :84].astype(int) - theirs[:, :84]).max() <= 1
    assert not gray[:, 84:].any()
    assert np.array_equal(Look(1, True, None).frame(random), random.transpose(0, 3, 1, 2))


def test_a_background_takes_the_place_of_the_grass_and_of_nothing_else():
    picture = np.array([[[102, 204, 102], [102, 230, 102], [102, 203, 102], [107, 107, 107]]], np.uint8)
    background = np.full((1, 4, 3), 9, np.uint8)
    assert replace_grass(picture, background).tolist() == [[[9] * 3, [9] * 3, [102, 203, 102], [107] * 3]]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_background_is_a_file_or_comes_along_by_name(make, simulator, tmp_path):
    Image.new("RGB", (30, 20), (255, 0, 255)).save(tmp_path / "pink.jpg")
    grass, _ = drive(make(1, simulator=simulator), [3], 60)
    pink, _ = drive(make(1, simulator=simulator, background=str(tmp_path / "pink.jpg")), [3], 60)
    named, _ = drive(make(1, simulator=simulator, background="clouds"), [3], 60)
    last = -1, 0, -1
    replaced = grass[last] != pink[last]
    assert 0.2 < replaced.mean() < 0.95
    assert len(np.unique(pink[last][replaced])) == 1
    differs = named[last] != grass[last]
    assert not differs[~replaced].any()
    assert differs[replaced].mean() > 0.9  # a cloud may be as gray as grass


def test_a_background_that_is_no_picture_is_refused_by_name(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path / "text.png", tmp_path / "missing.png"):
        with pytest.raises(ValueError, match=r"^background=.* one of clouds, hills, mosaic, stripes"):
            CarRacing(background=str(path))
