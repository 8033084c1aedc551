"""Simulators that are extras: what is said where one is missing."""


def missing(name: str, needs: str, extra: str) -> Exception:
    """The error of an environment, chosen by `env=NAME`, whose simulator is not installed."""
    from anx.errors import ConfigError  # here: it imports Hydra, which a process that steps environments does without

    return ConfigError(f"env={name} needs {needs}: pip install 'anx[{extra}]'")
