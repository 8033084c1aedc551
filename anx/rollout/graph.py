"""What a step does on a CUDA card, without Python in between.

A step is some kernels of a few microseconds each: asking for them one by one takes longer than they do. Here steps are
captured once as a graph, which the card then runs as a whole, as often as it is asked to.
"""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from anx.internal.kernels import CannotRecordError


class Graph:
    """Steps of one batch: each starts from where the one before led. The first one is taken at once.

    Args:
        run: the step.
        fixed: arguments that stay in their place.
        carried: those after them, that a step gives anew: of the form that it gives.
        at_once: steps that a graph takes where there are so many to take: where a step led is moved to where the next
            one starts only behind the last of them.

    Raises:
        CannotRecordError: the step waits for the card, to look at a number of it; or it fails for reasons of its own.
    """

    def __init__(
        self, run: Callable[..., Sequence[Tensor]], fixed: list[Tensor], carried: list[Tensor], *, at_once: int = 1
    ) -> None:
        self._run = run
        self._at_once = at_once
        self._fixed = fixed  # where they are is part of the graphs
        self.carried = [each.clone() for each in without_waiting(run, *fixed, *carried)]
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}  # by their steps

    def step(self, count: int) -> None:
        """Take `count` steps.

        Raises:
            CannotRecordError: a step does what can't be captured; none has been taken then.
        """
        times = {1: count % self._at_once, self._at_once: count // self._at_once}  # by a graph's steps
        for steps in times:
            if times[steps] and steps not in self._graphs:
                self._graphs[steps] = self._capture(steps)
        for steps in times:
            for _ in range(times[steps]):
                self._graphs[steps].replay()

    def _capture(self, steps: int) -> torch.cuda.CUDAGraph:
        device = self.carried[0].device
        pool, before, own = first_graph(device).pool(), torch.cuda.current_stream(device), capture_stream(device)
        graph = torch.cuda.CUDAGraph()
        own.wait_stream(before)
        try:
            with torch.cuda.stream(own):
                graph.capture_begin(pool)
                try:
                    self._walk(steps)
                finally:
                    graph.capture_end()
        except RuntimeError as error:
            raise CannotRecordError(str(error)) from error
        before.wait_stream(own)
        return graph

    def _walk(self, steps: int) -> None:
        led: Sequence[Tensor] = self.carried
        for _ in range(steps):
            led = self._run(*self._fixed, *led)
        places = {each.data_ptr() for each in self.carried}
        led = [each.clone() if each.data_ptr() in places else each for each in led]  # what a step hands on as it is
        for old, new in zip(self.carried, led, strict=True):
            old.copy_(new)


def without_waiting(run: Callable[..., Sequence[Tensor]], *arguments: Tensor) -> Sequence[Tensor]:
    """What `run` gives, unless it waits for the card: an attempt to capture that would leave torch's random numbers
    and its memory as if the capture still went on."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        return run(*arguments)
    except RuntimeError as error:
        raise CannotRecordError(str(error)) from error
    finally:
        torch.cuda.set_sync_debug_mode(before)


@cache
def capture_stream(device: torch.device) -> torch.cuda.Stream:
    """On which a device's graphs are captured: one, since captures that share memory have to."""
    return torch.cuda.Stream(device)


@cache
def first_graph(device: torch.device) -> torch.cuda.CUDAGraph:
    """One that adds one number to another, and is never run. All others lay what lies between their kernels into its
    memory, none of which are run side by side: memory of their own would be asked for, and given back, thousands of
    times a training."""
    graph = torch.cuda.CUDAGraph()
    number = torch.zeros(1, device=device)
    torch.cuda.synchronize(device)
    with torch.cuda.stream(capture_stream(device)):
        graph.capture_begin()
        number + 1
        graph.capture_end()
    return graph
