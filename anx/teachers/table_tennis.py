"""Pong as the console computes it, worked out from its memory: where the ball flies and how the paddles move.

Positions are bytes of the memory: the ball's x grows to the right, where our paddle is, y grows downwards. Times are
frames. All was measured on the console; the teacher's record against it is the proof.
"""

from math import ceil
from typing import NamedTuple

from anx.envs.vector import Pixels

# Bytes of the memory.
TIME, BALL_X, BALL_Y, ENEMY_Y, PADDLE_Y, FALL, DRIFT, NEXT_PADDLE_Y, WHEEL = 8, 49, 54, 50, 51, 56, 58, 60, 4

TOP, BOTTOM = 44.5, 205.5  # walls, as the ball's y sees them
OURS, THEIRS = 188, 68  # the ball's x at which a paddle meets it
LEAST, MOST = -2, 16  # the ball's y minus a paddle's, where they meet
FASTEST = 4  # pixels a frame, sideways
TURN = 5.75  # of the paddle's wheel in a frame with a button pressed
LOWEST, HIGHEST = 38, 204  # what the console reads of a wheel


class Table(NamedTuple):
    """A moment of the game."""

    time: int
    x: int
    y: int  # of the ball; 0: there is none
    right: int  # pixels a frame; negative: it flies from us
    down: int  # pixels a frame
    enemy: int
    paddle: int  # as it will be shown
    wheel: float | None  # as it was read in this frame; None: in this frame it was not

    @property
    def frames_left(self) -> int:
        """Until the ball is at our paddle."""
        return max(0, ceil((OURS - self.x) / self.right))

    @property
    def crossing(self) -> float:
        """The ball's y when it is there."""
        return folded(self.y + self.down * self.frames_left)


def read(memory: Pixels) -> Table:
    """A console's memory [128] -> what is on the table."""
    bytes_ = memory.tolist()
    wheel = bytes_[WHEEL] + 0.5 if bytes_[TIME] % 2 == 0 else None  # in the other frames it is the enemy's
    right, down = -signed(bytes_[DRIFT]), signed(bytes_[FALL])
    x, y, enemy, paddle = (bytes_[place] for place in (BALL_X, BALL_Y, ENEMY_Y, NEXT_PADDLE_Y))
    return Table(bytes_[TIME], x, y, right, down, enemy, paddle, wheel)


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def folded(y: float) -> float:
    """Where a ball is that would be at `y` if there were no walls."""
    span = BOTTOM - TOP
    beyond = (y - TOP) % (2 * span)
    return TOP + min(beyond, 2 * span - beyond)


def moved(paddle: int, wheel: float, time: int) -> int:
    """The paddle after frame `time`: every other frame it goes half of the way to where the wheel is read."""
    if time % 2:
        return paddle
    return (paddle + min(HIGHEST, max(LOWEST, 2 * int(wheel // 2)))) // 2


def followed(enemy: int, y: float, time: int) -> int:
    """The enemy's paddle after frame `time`: it follows the ball by 2 pixels, but rests every eighth frame."""
    if time % 8 == 0 or abs(y - enemy) <= 1:
        return enemy
    return enemy + (2 if y > enemy else -2)


def down_after(offset: float) -> int:
    """How a ball goes on that has met a paddle at `offset`, its y minus the paddle's: steeply from the edges."""
    return max(-2, min(2, ceil(offset / 4) - 2))


def enemy_at_crossing(table: Table) -> int:
    """Where the enemy will be when the ball is at our paddle."""
    enemy = table.enemy
    for frame in range(1, table.frames_left + 1):
        enemy = followed(enemy, folded(table.y + table.down * frame), table.time + frame)
    return enemy


def missed_by(y: float, left: int, down: int, enemy: int, time: int) -> float:
    """By how many pixels the enemy will miss a ball that leaves our paddle at `y`; negative: it will not."""
    x, free = OURS, y
    while x > THEIRS:
        x, free, time = x - left, free + down, time + 1
        enemy = followed(enemy, folded(free), time)
    offset = folded(free) - enemy
    return max(LEAST - offset, offset - MOST)
