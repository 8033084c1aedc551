import sys

import pytest

from anx.envs.ant import Ant
from anx.envs.car_racing import CarRacing
from anx.envs.pong import Pong
from anx.errors import ConfigError

SIMULATORS = [
    (Ant, "pybullet", r"env=ant needs PyBullet: pip install 'anx\[ant\]'"),
    (Pong, "ale_py.vector_env", r"env=pong needs the Arcade Learning Environment: pip install 'anx\[atari\]'"),
    (CarRacing, "envpool", r"env=car_racing needs Box2D: pip install 'anx\[car-racing\]'"),
]


@pytest.mark.parametrize(("env", "module", "says"), SIMULATORS)
def test_a_missing_simulator_is_named_in_one_line_with_what_installs_it(env, module, says, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    monkeypatch.setattr("anx.envs.car_racing.env.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"^{says}$"):
        env().make(2, training=True)
