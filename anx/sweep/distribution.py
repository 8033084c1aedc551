"""What a swept key may be: one of some values, or any number of a range."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeGuard

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Value = int | float | bool | str
Point = dict[str, Value]  # a value for every swept key


class Distribution(Protocol):
    """What a swept key may be, as something that Optuna searches: each value stands for a parameter of a `space`."""

    @property
    def values(self) -> Sequence[Value]:
        """Those that are listed; none of a range."""

    @property
    def space(self) -> BaseDistribution:
        """Optuna's, of the parameter."""

    def value_of(self, parameter: float) -> Value:
        """The value that a parameter stands for."""

    def parameter_of(self, value: Value) -> float:
        """The parameter that stands for a value."""


@dataclass(frozen=True)
class Choice:
    """One of `values`, all alike. The parameter is a value's place: numbers have neighbours, names have none."""

    values: Sequence[Value]

    @property
    def space(self) -> BaseDistribution:
        if all(is_number(value) for value in self.values):
            return IntDistribution(0, len(self.values) - 1)
        return CategoricalDistribution(range(len(self.values)))

    def value_of(self, parameter: float) -> Value:
        return self._in_order()[int(parameter)]

    def parameter_of(self, value: Value) -> float:
        return [str(each) for each in self._in_order()].index(str(value))  # 1 is not true

    def _in_order(self) -> Sequence[Value]:
        numbers = [value for value in self.values if is_number(value)]
        return sorted(numbers) if len(numbers) == len(self.values) else self.values


@dataclass(frozen=True)
class Weighted:
    """One of `values`, each as likely as its probability. The parameter is from 0 to 1, of which each has its part."""

    values: Sequence[Value]
    probabilities: Sequence[float]

    @property
    def space(self) -> BaseDistribution:
        return FloatDistribution(0.0, 1.0)

    def value_of(self, parameter: float) -> Value:
        likely = [(value, each) for value, each in zip(self.values, self.probabilities, strict=True) if each > 0]
        ends = list(itertools.accumulate(each for _, each in likely))
        return likely[min(bisect_right(ends, parameter), len(likely) - 1)][0]

    def parameter_of(self, value: Value) -> float:
        """The middle of the value's part."""
        index = [str(each) for each in self.values].index(str(value))
        return sum(self.probabilities[:index]) + self.probabilities[index] / 2


@dataclass(frozen=True)
class Range:
    """Any number between two, uniform in itself or in its logarithm. Four significant digits are enough."""

    values: ClassVar[Sequence[Value]] = ()
    low: float
    high: float
    log: bool = False

    @property
    def space(self) -> BaseDistribution:
        return FloatDistribution(self.low, self.high, log=self.log)

    def value_of(self, parameter: float) -> Value:
        return min(max(float(f"{parameter:.4g}"), self.low), self.high)

    def parameter_of(self, value: Value) -> float:
        return float(value)


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
