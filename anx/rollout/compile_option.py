"""The option `compile` of a rollout: whether its steps are compiled, and what has been compiled so far."""

import logging
from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar

from torch import Tensor

from anx.perturb.base import Perturbation
from anx.rollout.compilation import CannotCompileError, CompiledStep

log = logging.getLogger(__name__)

Compile: TypeAlias = bool | Literal["auto"]
Result = TypeVar("Result")


class CompileOption(Generic[Result]):
    """Whether a rollout's steps are compiled, and those that are.

    Args:
        wish: true; false; or `auto`, where it is worth while and possible.
    """

    def __init__(self, wish: Compile) -> None:
        if wish not in (True, False, "auto"):
            raise ValueError(f"rollout.compile={wish} is not one of auto, true, false")
        self._wish = wish
        self._steps: dict[tuple[object, ...], CompiledStep[Result]] = {}
        self.given_up = False

    def applies(self, worth_while: bool) -> bool:
        """Whether to compile what is, or is not, worth while."""
        if self.given_up:
            return False
        return worth_while if self._wish == "auto" else bool(self._wish)

    def step_for(
        self, population: Tensor, perturbations: Sequence[Perturbation], make: Callable[[], Callable[..., Result]]
    ) -> CompiledStep[Result]:
        """The compiled step for the precision and the device of a population; of what `make` makes, if it is new."""
        key = (population.dtype, population.device, *map(id, perturbations))  # the compiled step keeps them alive
        if key not in self._steps:
            self._steps[key] = CompiledStep(make())
        return self._steps[key]

    def give_up(self, error: CannotCompileError) -> None:
        """From now on nothing is compiled; ValueError where the user insists on it."""
        if self._wish is True:
            raise ValueError(
                f"rollout.compile=true, but the step can't be compiled here ({error}); allowed: auto, false"
            )
        if not self.given_up:
            log.warning("the step runs uncompiled, and slower; rollout.compile=false does not try: %s", error)
        self.given_up = True
