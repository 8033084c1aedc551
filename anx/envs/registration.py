"""This project's environment in gymnasium's registry, under the id anx/CartPoleSwingUpHarder-v0.

Importing anx registers nothing. gymnasium imports what an id names before its colon:
`gymnasium.make("anx.envs.registration:anx/CartPoleSwingUpHarder-v0")`.
"""

import gymnasium

ID = "anx/CartPoleSwingUpHarder-v0"


def register() -> None:
    """Register what is not registered yet."""
    if ID not in gymnasium.registry:
        gymnasium.register(id=ID, entry_point="anx.envs.cartpole_gymnasium:CartPoleEnv", max_episode_steps=1000)


register()
