"""One browser's simulation, in a thread of its own, at its own speed."""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress

import torch
from torch import Tensor

from anx.agent.agent import Thought
from anx.demo.controls import Command, Values
from anx.demo.frames import Tally, describe, pack
from anx.demo.player import Player
from anx.demo.stage import Stage
from anx.errors import ConfigError
from anx.rollout.trace import Moment, on_cpu
from anx.rollout.world import World
from anx.seeds import LARGEST
from anx.views.patches import Pixels, patches_of

log = logging.getLogger(__name__)

MAX_FPS = 50  # as in films
IN_FLIGHT = 2  # frames that a browser has not said it has seen
REST = 1.5  # seconds between two episodes
LATE = 0.1  # seconds behind from which on the simulation is slower than it should be, instead of catching up
MOST_WAITING = 100  # commands

Send = Callable[[bytes | Values | None], None]


class Session:
    """Steps an agent through one episode after the other and sends what there is to see.

    Args:
        stage: what is played.
        send: takes frames, other messages, and at last None; called by the session's thread.
    """

    def __init__(self, stage: Stage, send: Send) -> None:
        self.stage = stage
        self._send = send
        self._commands: queue.Queue[Command | None] = queue.Queue(MOST_WAITING)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="anx demo", daemon=True)
        self._does: dict[str, Callable[[Values], None]] = {
            "set": self._set,
            "shuffle": lambda values: self._again("shuffle", "shuffle"),
            "permute": lambda values: self._again("permute", "permute_actuators"),
            "pause": self._pause,
            "step": self._step,
            "speed": self._speed,
            "restart": self._restart,
            "seen": self._seen,
        }
        self.controls, self.seed = stage.controls, stage.seed
        self.paused, self.speed = False, 1.0
        self.frames, self.seen = 0, 0
        spec = stage.rollout.env.spec
        self.patches = patches_of(stage.rollout) if len(spec.observation_shape) > 1 else None

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def ask(self, command: Command) -> None:
        """Let the simulation do something; ConfigError where it can't keep up."""
        try:
            self._commands.put_nowait(command)
        except queue.Full:
            raise ConfigError(f"{MOST_WAITING} messages wait already") from None

    def close(self) -> None:
        """End the simulation, soon."""
        self._closed.set()
        with suppress(queue.Full):  # then it is awake
            self._commands.put_nowait(None)

    def _run(self) -> None:
        try:
            with torch.inference_mode(), closing(self.stage.open()) as world:
                self._play(world)
        except Exception:
            log.exception("a simulation has failed")
            self._send({"failed": "the simulation has failed; its reason is where the demo was started"})
        finally:
            self._send(None)

    def _play(self, world: World) -> None:
        self.world = world
        self.player = Player(self.stage.agent, self.stage.vector(), world.spec, self.stage.fixed)
        self._send({"hello": describe(self.stage, world)})
        self._begin(self.seed)
        while not self._closed.is_set():
            if (command := self._next()) is not None:
                self._obey(command)
            elif not self._closed.is_set():
                self._go_on()

    def _next(self) -> Command | None:
        """The next command; None when it is time for the next step."""
        try:
            if self.paused or self._unseen():
                return self._commands.get()
            return self._commands.get(timeout=max(0.0, self.due - time.monotonic()))
        except queue.Empty:
            return None

    def _unseen(self) -> bool:
        """Whether nobody has looked for so long that there is no sense in going on."""
        return self.frames - self.seen >= IN_FLIGHT and time.monotonic() - self.sent > REST

    def _obey(self, command: Command) -> None:
        try:
            self._does[command.do](command.values)
        except ConfigError as error:  # what somebody asked for, and can't have
            self._send({"refused": str(error)})
            self._tell()

    def _go_on(self) -> None:
        """The next step, or, after an episode, the next one."""
        if self.tally.over:
            self._begin((self.seed + 1) % (LARGEST + 1))
        else:
            self._advance()
        now = time.monotonic()
        if self.tally.over:
            self.due = now + REST
        else:
            self.due = max(self.due, now - LATE) + 1 / (self.world.spec.fps * self.speed) if self.speed else now

    def _begin(self, seed: int) -> None:
        self.seed = seed
        self.observation, own = self.world.reset(seed)
        self.player.begin(self.controls, own)
        self.tally = Tally(seed, 0, 0.0, None)
        self.due = time.monotonic()
        self._tell()
        self._look()

    def _look(self) -> None:
        """A frame of how things stand, without a step."""
        inputs, thought = self.player.look(self.observation)
        self._show(inputs, thought, self.observation, self._picture())

    def _picture(self) -> Pixels | None:
        return self.world.picture() if self.stage.rollout.env.has_pictures else None

    def _advance(self) -> None:
        """One step, and the frame of it, if it is time for one."""
        seen = self.observation
        inputs, thought = self.player.think(seen)
        shown = self._is_due()
        picture = self._picture() if shown else None
        self.observation, reward, ended = self.world.step(self.player.reach(thought.action))
        step = self.tally.step + 1
        over = "ended" if ended else "time is up" if step == self.world.spec.max_steps else None
        self.tally = Tally(self.seed, step, self.tally.total + float(reward), over)
        if shown or over:
            self._show(inputs, thought, seen, self._picture() if over else picture)

    def _is_due(self) -> bool:
        """Whether a frame of the next step is worth its while: to be seen, and not at the cost of the speed."""
        if self.paused:
            return True
        since, late = time.monotonic() - self.sent, time.monotonic() - self.due
        every = math.ceil(self.world.spec.fps * self.speed / MAX_FPS) if self.speed else 1
        if self.tally.step % every or self.frames - self.seen >= IN_FLIGHT or since < 0.5 / MAX_FPS:
            return False
        return late < 0.5 * LATE or since > LATE

    def _show(self, inputs: Tensor, thought: Thought, observation: Tensor, picture: Pixels | None) -> None:
        self.frames += 1
        self.sent = time.monotonic()
        moment = on_cpu(Moment(observation, inputs, self.player.origins(), *thought, torch.tensor(0.0), picture))
        self._send(pack(self.frames, moment, self.tally, self.player.gain, self.patches, self.player.drives()))

    def _tell(self) -> None:
        """How things stand: what a browser shows of its controls."""
        state = {"paused": self.paused, "speed": self.speed or None, "seed": self.seed}
        self._send({"state": {**self.controls.as_values(), **state}})

    def _set(self, values: Values) -> None:
        controls, offered = self.controls.with_values(values), self.stage.rollout.env.backgrounds
        if controls.background not in (None, *offered):
            wrong = str(controls.background)[:40]
            raise ConfigError(f"background={wrong} is unknown; allowed: {', '.join(offered) or 'none'}")
        try:
            self.player.disturb(controls)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if controls.background != self.controls.background:
            self.world.change_background(controls.background)
        self.controls = controls
        self._changed()

    def _again(self, control: str, name: str) -> None:
        """What a control switches on draws anew, or is switched on."""
        if self.controls.as_values()[control]:
            self.player.again(name)
            self._changed()
        else:
            self._set({control: True})

    def _changed(self) -> None:
        self._tell()
        if self.paused and not self.tally.over:
            self._look()

    def _pause(self, values: Values) -> None:
        self.paused = bool(values.get("on", not self.paused))
        self.due = self.sent = time.monotonic()
        self._tell()

    def _step(self, values: Values) -> None:
        if not self.paused:
            self._pause({"on": True})
        self._go_on()

    def _speed(self, values: Values) -> None:
        times = values.get("times", 1.0)
        self.speed = float(times) if isinstance(times, int | float) else 0.0  # null: as fast as it goes
        self.due = time.monotonic()
        self._tell()

    def _restart(self, values: Values) -> None:
        seed = values.get("seed")
        self._begin(seed if isinstance(seed, int) else self.seed)

    def _seen(self, values: Values) -> None:
        frame = values.get("frame")
        if isinstance(frame, int) and self.seen < frame <= self.frames:
            self.seen = frame
