"""A page without a server: the demo's page, with the world and the agent in it instead of a simulation elsewhere."""

import base64
import json
import re
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig

from anx.demo.frames import describe
from anx.demo.stage import Stage
from anx.envs.base import TorchEnvironment
from anx.envs.cartpole import CartPoleState
from anx.files import write_whole
from anx.population import with_vector
from anx.portable.port import check_portable, in_base64, port

SEEDS = 128  # whose episodes begin as torch draws them; those of others are drawn by the page
OURS = "anx.portable"
DEMOS = "anx.demo"
STYLE = "#picture { cursor: grab; touch-action: pan-y; }\n#picture:active { cursor: grabbing; }\n"


def write_page(stage: Stage, config: DictConfig, path: Path) -> None:
    """Write a page in which an agent plays, as one file.

    Args:
        stage: what is played.
        config: that it was built of.
        path: of the page.

    Raises:
        ConfigError: the page lacks a part of this agent, or its world.
    """
    check_portable(config)
    agent = with_vector(stage.agent, stage.vector())
    with closing(stage.open()) as world:
        hello = describe(stage, world)
    told = {
        "hello": hello,
        "agent": port(agent, config),
        "starts": in_base64(starts(stage)),
        "controls": stage.controls.as_values(),
        "seed": stage.seed,
    }
    write_whole(path, page(told))


def starts(stage: Stage) -> torch.Tensor:
    """How the episodes of the first seeds begin, [seeds, 4]."""
    env = cast(TorchEnvironment[CartPoleState], stage.rollout.env)
    return torch.stack([torch.cat(env.reset(1, torch.Generator().manual_seed(seed))) for seed in range(SEEDS)])


def page(told: dict[str, object]) -> str:
    """The demo's page with everything in it that it would fetch, and `told` for the simulation."""
    modules = {**scripts(DEMOS), **scripts(OURS)}  # ours, of the same name, instead of theirs
    addresses = {f"anx/{name}": address_of("text/javascript", bare(text)) for name, text in modules.items()}
    html = text_of(DEMOS, "index.html")
    icon = address_of("image/svg+xml", text_of(DEMOS, "icon.svg"))
    html = put(html, 'href="icon.svg"', f'href="{icon}"')
    style = f"<style>\n{text_of(DEMOS, 'style.css')}{STYLE}</style>"
    html = put(html, '<link rel="stylesheet" href="style.css">', style)
    program = "\n".join(
        [
            script("application/json", json.dumps(told), 'id="agent"'),
            script("importmap", json.dumps({"imports": addresses})),
            script("module", 'import "anx/main.js";'),
        ]
    )
    return put(html, '<script type="module" src="main.js"></script>', program)


def scripts(package: str) -> dict[str, str]:
    """The modules of a page, by name."""
    texts = files(package).joinpath("page").iterdir()
    return {each.name: each.read_text("utf-8") for each in texts if each.name.endswith(".js")}


def text_of(package: str, name: str) -> str:
    return files(package).joinpath("page", name).read_text("utf-8")


def bare(module: str) -> str:
    """A module that imports others by names instead of paths: there are none in one file."""
    return re.sub(r'(from|import) "\./', r'\1 "anx/', module)


def address_of(kind: str, text: str) -> str:
    """A text as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def script(kind: str, text: str, attributes: str = "") -> str:
    safe = text.replace("<", r"\u003c")  # nothing in it ends it
    return f'<script type="{kind}" {attributes}>{safe}</script>'.replace(" >", ">", 1)


def put(html: str, place: str, content: str) -> str:
    """A page with something else in one place, which it has once."""
    assert html.count(place) == 1, place
    return html.replace(place, content)
