"""This project's environment in gymnasium's registry: `gymnasium.make("anx/CartPoleSwingUpHarder-v0")`.

An installed anx is a plugin that gymnasium loads by itself; elsewhere the id names this module,
`gymnasium.make("anx.envs.registration:anx/CartPoleSwingUpHarder-v0")`.
"""

import gymnasium

ID = "anx/CartPoleSwingUpHarder-v0"


def register() -> None:
    """Register what is not registered yet."""
    if ID not in gymnasium.registry:
        gymnasium.register(id=ID, entry_point="anx.envs.gym:CartPoleEnv", max_episode_steps=1000)


register()
