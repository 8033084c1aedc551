"""A scripted player of Pong that reads the console's memory."""

from collections.abc import Sequence
from itertools import product
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from anx.envs.vector import Pixels
from anx.errors import ConfigError
from anx.spec import Specified
from anx.teachers import table_tennis as game
from anx.teachers.base import Seen, Teacher

SKIP = 4  # frames a step
MIDDLE = 7  # of the paddle: the ball's y minus its own
BUTTONS = ("noop", "fire", "right", "left", "right and fire", "left and fire")
TURNS = (0, 0, -1, 1, -1, 1)  # of the wheel, by each button: right is up
PRESSED = {0: 0, -1: 2, 1: 3}  # the button for each turn
SIDES = {"up": -1, "down": 1}
FASTER = {0: 1, 2: 4, 3: 5}  # the same with fire: a ball that is hit then flies faster
BESIDE = -100.0  # what a plan is worth that misses the ball


class Stance(NamedTuple):
    """What the player knows of its own paddle beyond what is in memory."""

    paddle: int
    wheel: float  # where it is turned to; the paddle follows it


class Plan(NamedTuple):
    """The next steps' turns of the wheel, and what comes of them."""

    worth: float
    turns: tuple[int, ...]
    fire: bool


class PongTeacher(Teacher):
    """Works out where the ball will cross its paddle's line, walls included, and tries in its mind all turns of the
    wheel in the last steps before: it takes those with which the ball leaves the paddle such that the enemy, who is as
    predictable, misses it; far from the enemy if it can, not too close to the paddle's end, with few buttons pressed.

    Args:
        env: Pong.
        horizon: steps before the ball arrives in which all turns are tried, three to the power of so many.
        guard: pixels from the paddle's ends within which a hit counts as risky.
        caution: what a pixel of them is worth, in pixels by which the enemy misses.
        enough: pixels by which the enemy misses; more is worth nothing.
        rest: where the paddle waits while the ball flies away, from 50 (top) to 192.
        hold: the button, up or down, that is pressed instead while the ball flies away: the wheel turns to its stop,
            so that wherever the paddle was, it is at the same place afterwards.
    """

    reads_memory = True

    def __init__(
        self,
        env: Specified,
        *,
        horizon: int = 3,
        guard: float = 1.0,
        caution: float = 4.0,
        enough: float = 8.0,
        rest: int = 120,
        hold: Literal["up", "down"] | None = None,
    ) -> None:
        if env.spec.actuators != BUTTONS:
            raise ConfigError("teacher=pong plays Pong only; allowed: env=pong")
        if not 1 <= horizon <= 6:
            raise ValueError(f"horizon={horizon} must be from 1 to 6")
        if hold not in (None, *SIDES):
            raise ValueError(f"hold={hold} must be null, up or down")
        if not 50 <= rest <= 192:
            raise ValueError(f"rest={rest} must be from 50 to 192")
        self.horizon = horizon
        self.guard = guard
        self.caution = caution
        self.enough = enough
        self.rest = rest
        self.held = None if hold is None else PRESSED[SIDES[hold]]
        self._stances: list[Stance | None] = []

    def __call__(self, seen: Seen) -> Tensor:
        """A one for the button to press, [S, 6]."""
        if len(self._stances) != len(seen.start):
            self._stances = [None] * len(seen.start)
        done = seen.previous_actions.argmax(-1).tolist()
        buttons = [self._press(slot, bool(new), seen.memory[slot], done[slot]) for slot, new in enumerate(seen.start)]
        return F.one_hot(torch.tensor(buttons), len(BUTTONS)).float()

    def _press(self, slot: int, new: bool, memory: Pixels, done: int) -> int:
        table = game.read(memory)
        before = self._stances[slot]
        if new or before is None:
            stance = Stance(table.paddle, table.paddle + 1.0 if table.wheel is None else table.wheel)
        else:
            stance = carried_on(before, table, TURNS[done])
        self._stances[slot] = stance
        if table.y == 0 or table.right <= 0:
            return towards(stance.wheel, self.rest) if self.held is None else self.held
        if table.frames_left > SKIP * (self.horizon + 1):
            return towards(stance.wheel, table.crossing - MIDDLE)
        plan = self.plan(table, stance)
        button = PRESSED[plan.turns[0]]
        return FASTER[button] if plan.fire and table.frames_left <= SKIP else button

    def plan(self, table: game.Table, stance: Stance) -> Plan:
        """The best turns of the wheel until the ball is here."""
        misses = self._misses(table)
        steps = max(1, min(-(-table.frames_left // SKIP), self.horizon))
        return max((self._judge(table, stance, turns, misses) for turns in product(PRESSED, repeat=steps)), key=worth)

    def _misses(self, table: game.Table) -> dict[tuple[int, bool], float]:
        """By how much the enemy misses a ball that leaves the paddle so steeply, hit with fire or without."""
        enemy, time = game.enemy_at_crossing(table), table.time + table.frames_left
        return {
            (down, fire): min(
                self.enough,
                game.missed_by(table.crossing, min(game.FASTEST, table.right + fire), down, enemy, time),
            )
            for down in range(-2, 3)
            for fire in (False, True)
        }

    def _judge(
        self, table: game.Table, stance: Stance, turns: tuple[int, ...], misses: dict[tuple[int, bool], float]
    ) -> Plan:
        """What becomes of turns of the wheel."""
        paddle, wheel = shown_after(stance, table.time, turns, table.frames_left)
        offset = table.crossing - paddle
        inside = min(offset - game.LEAST, game.MOST - offset)
        effort = 0.01 * sum(map(abs, turns))
        if any(turns) and not game.LOWEST - 1 <= wheel <= game.HIGHEST + 1:  # the console loses track of it there
            return Plan(2 * BESIDE, turns, False)
        if inside < 0:
            return Plan(BESIDE + inside - effort, turns, False)
        ends = [game.down_after(min(game.MOST, max(game.LEAST, offset + error))) for error in (-0.5, 0.5)]
        miss, fire = max((min(misses[down, fire] for down in ends) - 0.02 * fire, fire) for fire in (False, True))
        return Plan(miss + self.caution * min(inside, self.guard) - effort, turns, fire)


def worth(plan: Plan) -> float:
    return plan.worth


def carried_on(before: Stance, table: game.Table, turn: int) -> Stance:
    """The stance after a step with that turn of the wheel: where it leads, and what the memory says against it."""
    paddle, wheel = before
    for time in range(table.time - SKIP + 1, table.time + 1):
        wheel += game.TURN * turn
        paddle = game.moved(paddle, wheel, time)
    if table.wheel is not None:
        return Stance(table.paddle, table.wheel)
    surprise = table.paddle - paddle
    # An error of the wheel is in the paddle by half, and by half of what the first half left.
    return Stance(table.paddle, wheel + surprise / 0.75 if abs(surprise) > 1 else wheel)


def shown_after(stance: Stance, time: int, turns: Sequence[int], frames: int) -> tuple[int, float]:
    """The paddle that a ball meets after so many frames, and the wheel then; after the last turn it stands still."""
    paddle, wheel = stance
    shown = paddle
    for frame in range(frames):
        step = frame // SKIP
        wheel += game.TURN * turns[step] if step < len(turns) else 0.0
        shown, paddle = paddle, game.moved(paddle, wheel, time + frame + 1)
    return shown, wheel


def towards(wheel: float, place: float) -> int:
    """The button that brings the wheel closer to a place; a step turns it by 23 pixels."""
    way = min(192.0, max(50.0, place)) - wheel
    return 0 if abs(way) < 13 else PRESSED[1 if way > 0 else -1]
