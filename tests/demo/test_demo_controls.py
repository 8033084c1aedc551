import json

import pytest

from anx.demo.controls import Controls, read_command
from anx.errors import ConfigError


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("", "a message must be JSON"),
        ("[" * 5000, "a message must be JSON"),
        ("[1]", 'a message must be {"do": one of set, shuffle, permute, pause'),
        ('{"do": ["set"]}', 'a message must be {"do": one of'),
        ('{"do": "format"}', 'a message must be {"do": one of'),
        ('{"do": "set", "colour": 1}', "set: colour is unknown; allowed: ratio, times, channels"),
        ('{"do": "shuffle", "now": true}', "shuffle: now is unknown; allowed: nothing"),
        ('{"do": "set", "ratio": "much"}', 'ratio="much" must be a number from 0 to 0.95'),
        ('{"do": "set", "ratio": NaN}', "ratio=NaN must be a number from 0 to 0.95"),
        ('{"do": "set", "times": 2.5}', "times=2.5 must be an integer from 1 to 4"),
        ('{"do": "set", "times": true}', "times=true must be an integer from 1 to 4"),
        ('{"do": "set", "channels": 1e9}', "channels=1000000000.0 must be an integer from 0 to 50"),
        ('{"do": "set", "shuffle": 1}', "shuffle=1 must be true or false"),
        ('{"do": "set", "every": 0}', "every=0 must be an integer from 1 to 10000, or null"),
        ('{"do": "set", "background": ["/etc/passwd"]}', 'background=["/etc/passwd"] must be a text, or null'),
        ('{"do": "speed", "times": 0}', "times=0 must be a number from 0.05 to 20, or null"),
        ('{"do": "restart", "seed": -1}', "seed=-1 must be an integer from 0 to"),
        ('{"do": "seen", "frame": null}', "frame=null must be an integer from 0"),
    ],
)
def test_what_is_no_command_is_refused_in_words(message, says):
    with pytest.raises(ConfigError) as refused:
        read_command(message)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 160


def test_a_command_is_read_with_its_values():
    assert read_command(json.dumps({"do": "set", "ratio": 0, "every": None})) == ("set", {"ratio": 0, "every": None})
    assert read_command('{"do": "speed", "times": null}') == ("speed", {"times": None})


def test_only_perturbations_that_do_something_are_there_in_their_order():
    assert Controls().perturbations() == {}
    all_of_them = Controls(ratio=0.2, times=2, channels=1, shuffle=True, every=7, permute=True, dropped=0.5)
    perturbations = all_of_them.perturbations()
    assert list(perturbations) == ["occlude", "duplicate", "noise", "shuffle", "permute_actuators", "drop_actuators"]
    assert perturbations["shuffle"].every == 7
    assert perturbations["drop_actuators"].ratio == 0.5
