"""All chunks of a generation through an engine, however many of its processes die, join or are slow."""

import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import NamedTuple

from anx.errors import ConfigError
from anx.rollout.chunk import Chunk, Played, play
from anx.rollout.engine import Engine, EngineLostError, Said, WorkersDiedError

LOOK = 1.0  # seconds between two looks at the engine and at what is slow


class Collected(NamedTuple):
    """What became of a generation's chunks."""

    played: list[Played]  # in the order of the chunks
    workers: int  # that there were at the end
    seconds: float
    redone: int  # chunks that were sent again: their process died, or was slow


def collect(engine: Engine, chunks: Sequence[Chunk]) -> Collected:
    """Send all chunks, and wait until each has been played once.

    Raises:
        EngineLostError: the engine is gone.
        ConfigError: a chunk kills whoever plays it, or a worker cannot play it; the message names its candidates.
    """
    collecting = Collecting(engine, chunks)
    try:
        return collecting.run()
    finally:
        collecting.cancel()


class Collecting:
    """One generation on its way."""

    def __init__(self, engine: Engine, chunks: Sequence[Chunk]) -> None:
        self._engine = engine
        self._chunks = chunks
        self._waiting: dict[Future[Played], int] = {}  # and which chunk it is
        self._played: dict[int, Played] = {}
        self._accused: set[int] = set()  # chunks whose workers have died
        self._again = 0

    def run(self) -> Collected:
        start, redone = time.monotonic(), Said(self._engine).redone
        for index in range(len(self._chunks)):
            self._send(index)
        race = Race()
        while len(self._played) < len(self._chunks):
            done, _ = wait(self._waiting, timeout=LOOK, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=self._waiting.__getitem__):
                self._take(self._waiting.pop(future), future)
            if done:
                race.begin_anew()
            else:
                self._look(race)
        played = [self._played[index] for index in range(len(self._chunks))]
        said = Said(self._engine)
        return Collected(played, self._workers(said), time.monotonic() - start, self._again + said.redone - redone)

    def _send(self, index: int) -> None:
        try:
            self._waiting[self._engine.submit(play, self._chunks[index])] = index
        except BrokenExecutor as error:
            raise lost(error) from error

    def _look(self, race: "Race") -> None:
        """Nothing has come for a while: is the engine there, and is anybody slow?"""
        said = Said(self._engine)
        if said.lost:
            raise EngineLostError("cluster: it is gone, and what was sent to it with it")
        missing = [index for index in range(len(self._chunks)) if index not in self._played]
        if len(missing) < self._workers(said) and race.is_due(self._played.values()):
            for index in missing:
                self._send(index)
            self._again += len(missing)

    def _workers(self, said: Said) -> int:
        return said.workers or len({each.worker for each in self._played.values()})

    def _take(self, index: int, future: Future[Played]) -> None:
        """What came of sending a chunk; of one that was raced, the first result counts."""
        if index in self._played:
            return
        try:
            self._played[index] = future.result()
        except (BrokenExecutor, CancelledError) as error:
            raise lost(error) from error
        except WorkersDiedError as error:
            self._accuse(index, error)

    def _accuse(self, index: int, error: WorkersDiedError) -> None:
        """Raise where it is the chunk that kills its workers, not somebody who kills all before they get anything done:
        once others have been played, or at the second time."""
        if self._played or index in self._accused:
            raise ConfigError(
                f"cluster: {error} that played {self._chunks[index]}; play them in one process"
            ) from error
        self._accused.add(index)
        self._send(index)
        self._again += 1

    def cancel(self) -> None:
        """Whatever has not begun need not begin any more."""
        for future in self._waiting:
            future.cancel()


class Race:
    """Decides when chunks that somebody is slow with are given to others, too: once nothing has come for as long as the
    slowest chunk took; then again after twice that."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._patience = 1

    def begin_anew(self) -> None:
        """Something has come."""
        self._since = time.monotonic()

    def is_due(self, played: Iterable[Played]) -> bool:
        """Whether it is time, after what was played so far; never before anything was: there is much to build first."""
        slowest = max((each.seconds for each in played), default=math.inf)
        if time.monotonic() - self._since < self._patience * slowest:
            return False
        self._since, self._patience = time.monotonic(), 2 * self._patience
        return True


def lost(error: BaseException) -> EngineLostError:
    """What is said where an executor is broken."""
    return EngineLostError(f"cluster: it is gone ({type(error).__name__}: {error})")
