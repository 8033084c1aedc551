"""anx: a modular experiment framework for permutation-invariant agents."""

__version__ = "0.1.0"
