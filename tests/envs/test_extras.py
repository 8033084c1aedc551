import sys

import pytest

from anx.envs.ant import Ant
from anx.envs.ant_mujoco import AntMujoco
from anx.envs.car_racing import CarRacing
from anx.envs.pong import Pong
from anx.errors import ConfigError

SIMULATORS = [
    (Ant, "pybullet", r"env=ant needs PyBullet: pip install 'anx\[ant\]'"),
    (AntMujoco, "mujoco", r"env=ant_mujoco needs MuJoCo: pip install 'anx\[mujoco\]'"),
    (Pong, "ale_py.vector_env", r"env=pong needs the Arcade Learning Environment: pip install 'anx\[atari\]'"),
    (CarRacing, "envpool", r"env=car_racing needs Box2D: pip install 'anx\[car-racing\]'"),
]


@pytest.mark.parametrize(("env", "module", "says"), SIMULATORS)
def test_a_missing_simulator_is_named_in_one_line_with_what_installs_it(env, module, says, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    monkeypatch.setattr("anx.envs.car_racing.env.find_spec", lambda name: None)
    monkeypatch.setattr("sys.version_info", (3, 11, 7))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(ConfigError, match=rf"^{says}$"):
        env().make(2, training=True)


def test_where_a_simulator_has_no_wheel_the_ways_out_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pybullet", None)
    monkeypatch.setattr("sys.version_info", (3, 13, 0))
    with pytest.raises(ConfigError) as refused:
        Ant().make(2, training=True)
    assert str(refused.value) == (
        "env=ant needs PyBullet, whose wheels are for Python 3.11 and older on Linux (x86-64): take that (make clean "
        "setup PYTHON=python3.11), compile it (pip install pybullet), or +experiment=ant_mujoco"
    )
