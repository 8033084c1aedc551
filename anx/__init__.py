"""anx: a modular experiment framework for permutation-invariant agents."""

import gymnasium

__version__ = "0.1.0"

gymnasium.register(id="anx/CartPoleSwingUpHarder-v0", entry_point="anx.envs.gym:CartPoleEnv", max_episode_steps=1000)
