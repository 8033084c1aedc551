"""Environments for tests, in a module that processes import quickly."""

import os
import signal
import time

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Counter(gymnasium.Env):
    """Counts to its seed; a step pays its action."""

    observation_space = Box(-np.inf, np.inf, (2, 1), np.float32)
    action_space = Box(-1, 1, (1,), np.float32)

    def __init__(self, limit=99):
        self.limit = limit

    def observe(self):
        return np.array([[self.count], [self.until]], np.float32)

    def reset(self, *, seed=None, options=None):
        self.count, self.until = 0, seed
        return self.observe(), {}

    def step(self, action):
        self.count += 1
        return self.observe(), float(action[0]), self.count >= self.until, self.count >= self.limit, {}


class Mortal(Counter):
    """Takes its process with it at an action of 1, once or, without a file, each time."""

    def __init__(self, once=None):
        super().__init__()
        self.once = once

    def step(self, action):
        if action == 1 and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


class Tidy(Counter):
    """Leaves a file when it is closed; sleeps at an action of 1, and fails at -1."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def step(self, action):
        if action == 1:
            time.sleep(600)
        if action == -1:
            raise ZeroDivisionError("of a toy")
        return super().step(action)

    def close(self):
        self.file.touch()


class Walk(gymnasium.Env):
    """Random observations for as many steps as its seed says; takes its process with it at a seed, once a file."""

    observation_space = Box(-9, 9, (5,), np.float32)
    action_space = Box(-1, 1, (1,), np.float32)

    def __init__(self, deadly, files):
        self.deadly, self.files = deadly, files

    def reset(self, *, seed=None, options=None):
        self.own, self.left = seed, 3 + seed % 5
        self.random = np.random.RandomState(seed)
        return self.observe(), {}

    def observe(self):
        return self.random.randn(5).astype(np.float32)

    def step(self, action):
        self.left -= 1
        if self.own == self.deadly and self.left == 1:
            for file in self.files:
                if not file.exists():
                    file.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
        return self.observe(), float(action[0]), self.left <= 0, False, {}


class Pixels(gymnasium.Env):
    """A frame that is all seed; a step pays the index of its action, which the environment remembers."""

    observation_space = Box(0, 255, (3, 4), np.uint8)
    action_space = Discrete(6)

    def reset(self, *, seed=None, options=None):
        self.seen, self.taken = np.full((3, 4), seed, np.uint8), []
        return self.seen, {}

    def step(self, action):
        self.taken.append(action)
        return self.seen, float(sum(self.taken)), False, False, {}
