"""Atari games whose consoles' memory can be read.

The emulator's vector environment gives frames, not memory. Its games are deterministic, so here each is played a second
time on a console of its own, with the same buttons: the memory of one is that of the other. Whoever needs no memory
does without, at no cost.
"""

import numpy as np

from anx.envs.atari import SKIP, Games
from anx.envs.vector import Answer, Array, Flags, Info, Options, Pixels, Readable, Seeds, chosen

BYTES = 128  # of a console's memory


class ReadableGames(Readable):
    """Games, and the consoles on which they are played a second time.

    Args:
        games: without sticky actions, whose random numbers the second console would not draw; with fire at the start.
        game: its name, as the emulator has it.
    """

    def __init__(self, games: Games, game: str) -> None:
        from ale_py import ALEInterface, LoggerMode, roms

        self.games = games
        self.num_envs = games.num_envs
        self.single_observation_space = games.single_observation_space
        self.single_action_space = games.single_action_space
        ALEInterface.setLoggerMode(LoggerMode.Error)
        self._consoles = [ALEInterface() for _ in range(self.num_envs)]
        cartridge = roms.get_rom_path(game)
        assert cartridge is not None, "the games found it, too"
        for console in self._consoles:
            console.setFloat("repeat_action_probability", 0.0)
            console.loadROM(cartridge)
        self._buttons = self._consoles[0].getMinimalActionSet()
        self._over = np.ones(self.num_envs, dtype=bool)  # games that wait for their reset

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Pixels, Info]:
        seen, info = self.games.reset(seed=seed, options=options)
        for slot in np.flatnonzero(chosen(options, self.num_envs)):
            self._start(int(slot), int(info["episode_frame_number"][slot]))
            self._over[slot] = False
        return seen, info

    def _start(self, slot: int, frames: int) -> None:
        """No-ops, and fire as the last of so many frames: how the emulator has begun."""
        from ale_py import Action

        console = self._consoles[slot]
        console.reset_game()
        for _ in range(frames - 1):
            console.act(Action.NOOP)
        console.act(Action.FIRE)

    def step_async(self, actions: Array) -> None:
        self.games.step_async(actions)
        for slot in np.flatnonzero(~self._over):
            for _ in range(SKIP):
                self._consoles[slot].act(self._buttons[int(actions[slot])])

    def step_wait(self) -> Answer:
        seen, reward, terminated, truncated, info = self.games.step_wait()
        self._check(info["episode_frame_number"], terminated | truncated)
        self._over |= terminated | truncated
        return seen, reward, terminated, truncated, info

    def _check(self, frames: Array, ended: Flags) -> None:
        """Raise RuntimeError where a console is not where its game is."""
        for slot in np.flatnonzero(~self._over & ~ended):
            if self._consoles[slot].getEpisodeFrameNumber() != frames[slot]:
                raise RuntimeError(f"the console beside game {slot} is at another frame than the game")

    def memory(self) -> Pixels:
        return np.stack([console.getRAM() for console in self._consoles])

    def render(self) -> tuple[Pixels, ...]:
        return self.games.render()

    def close(self, **kwargs: object) -> None:
        self.games.close(**kwargs)
