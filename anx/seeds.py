"""Every seed that is made from another one, so that no two streams of random numbers overlap.

A sum like `seed + 1` is the next seed's own. Here a seed is hashed with the stream that it is for and a place in it.
"""

import numpy as np

# Streams of one seed. The episodes of a run's training, validation and test; what perturbations draw, each its own; the
# further episodes of a study; what a search draws its candidates from; the order of lessons.
TRAINING, VALIDATION, TEST, PERTURBATIONS, STUDY, SEARCH, LESSONS = range(7)

LARGEST = 2**32 - 1

TEACHING = 7  # a stream, too: what a teacher's episodes draw besides
DAGGER = 8  # another: the episodes that a student plays to be taught, and the order of lessons from then on


def derive_seed(*path: int) -> int:
    """A seed, below 2^32, that depends on all of `path` and nothing else; (0, 1) and (1, 0) have nothing in common.

    Zeros at the end of a path change nothing: what has neither stream nor place counts from 1.

    Raises:
        ValueError: a part of the path is negative or does not fit in 32 bits: two paths might be one.
    """
    if not all(0 <= part <= LARGEST for part in path):
        raise ValueError(f"seed={path[0]} and its streams {path[1:]} must be from 0 to {LARGEST}")
    return int(np.random.SeedSequence(path).generate_state(1)[0])
