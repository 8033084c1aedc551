import pytest

from anx.envs.ant import Ant
from anx.envs.car_racing import CarRacing
from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.envs.pong import Pong

COUNTS = [
    *[(env, "max_steps", 1, 10**8) for env in (Ant, CarRacing, CartPoleSwingUpHarder, Pong)],
    (Ant, "processes", 0, 1024),
    (CarRacing, "processes", 0, 1024),
    (CarRacing, "frames", 1, 100),
    (CarRacing, "patience", 1, 10**8),
    (Pong, "threads", 0, 1024),
]


@pytest.mark.parametrize(("env", "name", "least", "most"), COUNTS)
def test_counts_beyond_what_is_possible_are_refused_by_name(env, name, least, most):
    for value in (least, most):
        made = env(**{name: value})
        assert getattr(made.spec if name == "max_steps" else made, name) == value
    for value in (least - 1, most + 1, 2**31, 1.5):
        with pytest.raises(ValueError, match=rf"^{name}={value} .* at least {least} and at most {most}"):
            env(**{name: value})
