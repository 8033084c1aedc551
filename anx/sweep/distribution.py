"""What a swept key may be: one of some values, or any number of a range."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import nevergrad as ng
from nevergrad.parametrization.core import Parameter

Value = int | float | bool | str
Point = dict[str, Value]  # a value for every swept key


@dataclass(frozen=True)
class Choice:
    """One of `values`; each as likely as its probability, all alike where that is None."""

    values: Sequence[Value]
    probabilities: Sequence[float] | None = None

    def sample(self, generator: random.Random) -> Value:
        return generator.choices(self.values, self.probabilities)[0]

    def variable(self) -> Parameter:
        """What nevergrad searches over: numbers have neighbours, names have none."""
        if all(is_number(value) for value in self.values):
            return ng.p.TransitionChoice(sorted(self.values))
        return ng.p.Choice(self.values)

    def cast(self, value: Value) -> Value:
        return value


@dataclass(frozen=True)
class Range:
    """Any number between two, uniform in itself or in its logarithm. Four significant digits are enough."""

    low: float
    high: float
    log: bool = False

    def sample(self, generator: random.Random) -> Value:
        share = generator.random()
        if self.log:
            return self.cast(math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low))))
        return self.cast(self.low + share * (self.high - self.low))

    def variable(self) -> Parameter:
        """What nevergrad searches over."""
        return (ng.p.Log if self.log else ng.p.Scalar)(lower=self.low, upper=self.high)

    def cast(self, value: float) -> Value:
        return min(max(float(f"{value:.4g}"), self.low), self.high)


Distribution = Choice | Range


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
