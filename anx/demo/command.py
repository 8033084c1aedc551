"""`python -m anx.demo`: from a configuration to a server that is reachable, until it is interrupted."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

import torch
from aiohttp import web
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.demo.controls import CONTROLS, Controls
from anx.demo.gate import LOOPBACK, is_loopback
from anx.demo.player import Player
from anx.demo.server import Server
from anx.demo.stage import Stage
from anx.errors import ConfigError
from anx.experiment.build import build_perturbations, build_rollout, option
from anx.experiment.config.ablation import check_ablations
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer, fits
from anx.experiment.evaluation import arguments_by_name, build_evaluation, check_playing, find_device
from anx.experiment.file_base import find_base, read_override
from anx.perturb.base import Perturbation
from anx.rollout.base import Rollout
from anx.seeds import LARGEST
from anx.signals import Interrupted, handle, interrupt, interruptible

log = logging.getLogger(__name__)

PROGRAM = "demo"  # the name of its configuration

# The perturbations that the page has controls for: those of their arguments, and one that switches it on.
CONTROLLED: dict[str, dict[str, str]] = {
    "occlude": {"ratio": "ratio"},
    "duplicate": {"times": "times"},
    "noise": {"channels": "channels", "sigma": "sigma"},
    "shuffle": {"every": "every"},
    "permute_actuators": {},
    "drop_actuators": {"ratio": "dropped"},
}
SWITCHES = {"shuffle": "shuffle", "permute_actuators": "permute"}


class Address(NamedTuple):
    """Where a server is to be reached."""

    host: str
    port: int
    names: tuple[str, ...]  # that it goes by


def demo(config: DictConfig) -> None:
    """Serve what `config` asks for until SIGINT or SIGTERM."""
    address, stage = read_address(config), build_stage(config)
    torch.set_num_threads(1)  # an agent's step is small, and simulations run side by side
    with closing(stage.rollout):
        try_out(stage)
        server = Server(stage, config.sessions, address.names)
        with interruptible():
            number = asyncio.run(serve(server, address))
    raise Interrupted(number)


def read_address(config: DictConfig) -> Address:
    """Where to serve; ConfigError where a value is none."""
    check_integer("port", config.port, least=0, most=65535)
    check_integer("sessions", config.sessions, least=1)
    names = OmegaConf.to_container(config.names) if OmegaConf.is_list(config.names) else None
    if not fits(names, list[str]):
        raise ConfigError(f"names={config.names} must be a list of host names")
    if not fits(config.host, str) or not config.host:
        raise ConfigError(f"host={config.host} must be a name or an address of this machine")
    return Address(config.host, config.port, (*LOOPBACK, config.host.lower(), *map(str.lower, names or ())))


def build_stage(config: DictConfig) -> Stage:
    """What `config` wants to be played."""
    check_integer("seed", config.seed, least=0, most=LARGEST)
    agent, rollout, perturbations = build(config)
    controls, fixed = Controls(), []
    for (name, arguments), perturbation in zip(
        arguments_by_name(config.perturbations).items(), perturbations, strict=True
    ):
        if name in CONTROLLED:
            for key, control in CONTROLLED[name].items():
                if key in arguments:
                    CONTROLS[control].check(f"perturbations.{name}.{key}", arguments[key])
                    controls = controls.with_values({control: arguments[key]})
            if name in SWITCHES:
                controls = controls.with_values({SWITCHES[name]: True})
        else:
            fixed.append(perturbation)
    world = getattr(rollout.env, "id", option(config, "env").partition("=")[2])  # gymnasium's have one
    return Stage(world, config.weights, agent, rollout, config.seed, controls, fixed)


def build(config: DictConfig) -> tuple[Agent, Rollout, Sequence[Perturbation]]:
    """The agent of `config`, trained or not, and where it acts."""
    if config.weights is not None:
        return build_evaluation(config)
    from lightning import seed_everything  # seconds: an agent with weights goes without

    check_ablations(config)
    check_playing(config)
    device = find_device(config.device)
    seed_everything(config.seed, verbose=False)  # an untrained agent's numbers are drawn
    agent, rollout = build_rollout(config)
    agent.to(device)
    return agent, rollout, build_perturbations(config.perturbations, agent)


@torch.inference_mode()
def try_out(stage: Stage) -> None:
    """A first step, so that what is missing is said before anybody looks."""
    with closing(stage.open()) as world:
        observation, seed = world.reset(stage.seed)
        player = Player(stage.agent, stage.vector(), world.spec, stage.fixed)
        player.begin(stage.controls, seed)
        world.step(player.reach(player.think(observation)[1].action))
        if stage.rollout.env.has_pictures:
            world.picture()


async def serve(server: Server, address: Address) -> int:
    """Serve until a signal comes; returns its number."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not ended.done():
            ended.set_result(number)

    def signalled(number: int, frame: object = None) -> None:  # between two instructions of anything: the loop ends it
        loop.call_soon_threadsafe(end, number)

    runner = web.AppRunner(server.app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"host={address.host} port={address.port} can't be served at ({reason})") from None
        handle(signalled)
        say_where(runner, address)
        number = await ended
        handle(interrupt)  # a second one ends it at once
        return number
    finally:
        await runner.cleanup()


def say_where(runner: web.AppRunner, address: Address) -> None:
    """Tell the address of the page, and who reaches it."""
    port = runner.addresses[0][1]
    name = f"[{address.host}]" if ":" in address.host else address.host
    if not is_loopback(address.host):
        log.warning("host=%s: whoever reaches this machine can play", address.host)
        name = "127.0.0.1" if address.host in ("0.0.0.0", "::") else name
    log.info("http://%s:%d  (Ctrl-C ends it)", name, port)


def main() -> None:
    with one_line_errors():
        weights, trust, experiment = (read_override(sys.argv[1:], key) for key in ("weights", "trust", "experiment"))
        base = find_base(weights, trust, experiment, PROGRAM)
    run_main(demo, base)
