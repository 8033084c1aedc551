"""Whether a run fits this machine, before it starts."""

import os
from typing import Any

from omegaconf import DictConfig

from anx.errors import ConfigError

BYTES = 8  # of a number of double precision


def check_memory(config: DictConfig, parameters: int) -> None:
    """Raise ConfigError where the least that a run has to hold at once is more than all memory.

    Args:
        config: of the run; its counts are integers.
        parameters: D, of the agent.
    """
    learner, popsize = config.learner, config.optimizer.popsize
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else float("inf")
    needs: list[tuple[str, Any, int]] = [  # a key, its value, numbers to hold
        ("optimizer.popsize", popsize, popsize * parameters),
        ("learner.rollouts", learner.get("rollouts", 1), popsize * learner.get("rollouts", 1)),
        *(
            (f"learner.{key}", learner.get(key, 1), learner.get(key, 1))
            for key in ("validation_episodes", "test_episodes")
        ),
    ]
    for key, value, numbers in needs:
        if numbers * BYTES > memory:
            raise ConfigError(
                f"{key}={value} needs {numbers * BYTES / 1e9:,.0f} GB of memory at least; this machine has "
                f"{memory / 1e9:,.0f} GB"
            )
