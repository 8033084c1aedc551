"""`python -m anx.demo`, but for the server."""

import signal
import socket
import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import anx.demo.command
from anx.demo.controls import Controls
from anx.perturb.inputs import Shuffle
from anx.population import get_vector


@pytest.fixture
def demo(monkeypatch, capsys):
    """Runs anx.demo's command line in this process; returns its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        with pytest.raises(SystemExit) as end:
            anx.demo.command.main()
        return end.value.code, capsys.readouterr().err

    return run


@pytest.fixture
def served(demo, monkeypatch):
    """Runs it as if it were interrupted at once; returns the server and where it was to be reached."""
    found = []

    async def serve(server, address):
        found.extend([server, address])
        return signal.SIGINT

    def run(*arguments):
        monkeypatch.setattr(anx.demo.command, "serve", serve)
        monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
        found.clear()
        assert demo(*arguments)[0] == 130
        return found

    return run


def test_an_agent_that_ships_is_served_to_this_machine_alone(served):
    server, address = served("weights=anx:cartpole", "seed=3")
    assert address == ("127.0.0.1", 8765, ("127.0.0.1", "localhost", "::1", "127.0.0.1"))
    assert server.most == 4
    assert server.stage.seed == 3
    assert server.stage.controls == Controls()
    assert server.stage.weights == "anx:cartpole"


def test_perturbations_are_there_from_the_start_those_of_ones_own_for_good(served):
    shuffled = ["perturbations=[shuffle,noise]", "perturbations.shuffle.every=50", "perturbations.noise.channels=2"]
    own = "+perturbations.mine={_target_: anx.perturb.inputs.Shuffle, every: 7}"
    stage = served("weights=anx:cartpole", *shuffled, own)[0].stage
    assert stage.controls == Controls(channels=2, shuffle=True, every=50)
    (fixed,) = stage.fixed
    assert isinstance(fixed, Shuffle)
    assert fixed.every == 7


def test_without_weights_an_agent_is_drawn_from_the_seed(served):
    vectors = [get_vector(served(f"seed={seed}")[0].stage.agent) for seed in (1, 1, 2)]
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])
    assert vectors[0].std() > 0.01


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["port=70000"], "port=70000 must be an integer, at most 65535"),
        (["sessions=0"], "sessions=0 must be an integer, at least 1"),
        (["host=null"], "host=None must be a name or an address of this machine"),
        (["names=3"], "names=3 must be a list of host names"),
        (["host=no.such.host.invalid"], "host=no.such.host.invalid port=8765 can't be served at ("),
        (["weights=nowhere.safetensors"], "weights=nowhere.safetensors"),
        (["perturbations=[noise]", "perturbations.noise.channels=80"], "perturbations.noise.channels=80 must be an"),
        (["perturbations=[occlude]", "perturbations.occlude.ratio=0.95"], "perturbations.occlude.ratio=0.95 removes"),
        (["episodes=3"], "episodes"),
    ],
)
def test_what_is_wrong_is_one_line(demo, arguments, says):
    code, said = demo(*arguments)
    assert code == 2
    assert says in said
    assert said.count("\n") == 1


def test_a_port_that_is_taken_is_named(demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = demo(f"port={taken.getsockname()[1]}")
    assert code == 2
    assert "can't be served at (" in said
