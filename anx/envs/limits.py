"""What arguments of environments may be."""

MOST_STEPS = 10**8  # simulators count frames, several a step, in 32 bits
MOST_PROCESSES = 1024  # or threads


def check_counts(least: int, most: int, **counts: object) -> None:
    """ValueError, naming it, unless each is an integer from `least` to `most`."""
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"{name}={value} must be an integer, at least {least} and at most {most}")
