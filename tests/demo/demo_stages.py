"""Stages that cost nothing: a world of four steps, and an agent that nobody has trained."""

from conftest import make_agent
from hydra.utils import instantiate

from anx.demo.stage import Stage


def make_stage(*overrides, **options):
    """A stage of the experiment that `overrides` describe, of few steps."""
    agent, env = make_agent(*overrides)
    rollout = instantiate({"_target_": f"anx.rollout.{KINDS[env.rollout]}"}, agent=agent, env=env)
    return Stage("test", None, agent, rollout, **options)


KINDS = {"device": "device.DeviceRollout", "host": "host.HostRollout"}
