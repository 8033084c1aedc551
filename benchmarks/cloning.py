"""Cloning: samples a second in training, ours beside the same network written plainly in torch.

    make bench

A sample is a frame of Pong, or a step of Ant; a step of training is forward, backward and Adam, on frames of which as
much moves as in a game. Every comparison ends in a line `ratio: NUMBER`, ours over theirs.
"""

import time
from collections.abc import Callable

import torch
from comparison import arguments, build, compare, rounds_of
from plain import PlainAnt, PlainPong
from torch import Tensor, nn

from anx.learners.student import Student
from anx.perturb.pipeline import Pipeline

MOVING = (30, 12)  # rows and columns of a frame in which something moves: ten patches


def frames(batch: int) -> Tensor:
    """Stacks of frames [B, 1, 4, 84, 84]."""
    generator = torch.Generator().manual_seed(0)
    still = torch.randint(256, (batch, 1, 1, 84, 84), generator=generator, dtype=torch.uint8)
    stacks = still.expand(-1, -1, 4, -1, -1).clone()
    rows, columns = MOVING
    stacks[..., :rows, :columns] = torch.randint(256, stacks[..., :rows, :columns].shape, generator=generator).byte()
    return stacks


def speed(module: nn.Module, scores: Callable[[], Tensor], samples: int, steps: int) -> float:
    """Samples/s of so many steps of training."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-5)
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        scores().square().mean().backward()
        optimizer.step()
    return samples * steps / (time.perf_counter() - start)


def measure(title: str, overrides: list[str], plain: nn.Module, data: tuple[Tensor, Tensor], steps: int, rounds: int):
    observations, previous = data
    agent, rollout = build(*overrides)
    rollout.close()
    student, every = Student(agent), torch.arange(len(observations))
    samples = previous.shape[0] * previous.shape[1]

    def ours() -> Tensor:
        return student.scores(observations, previous, Pipeline(agent, (), len(observations), 0), every)

    def theirs() -> Tensor:
        if observations.dim() == 3:
            return plain(observations, previous)
        return plain(observations[:, 0], previous[:, 0])

    compare(
        title,
        lambda: speed(agent, ours, samples, steps),
        lambda: speed(plain, theirs, samples, steps),
        rounds,
    )


def main() -> None:
    args = arguments(__doc__).parse_args()
    rounds, steps = rounds_of(args), 1 if args.quick else 5
    batch, (ants, length) = 32 if args.quick else 256, (8, 50) if args.quick else (64, 500)
    pong = ["+experiment=pong", "+ablation=puzzle_pong"]
    measure("cloning Pong", pong, PlainPong(), (frames(batch), torch.rand(batch, 1, 6)), steps, rounds)
    ant = (torch.randn(ants, length, 28), torch.rand(ants, length, 8))
    measure("cloning Ant", ["+experiment=ant"], PlainAnt(), ant, steps, rounds)


if __name__ == "__main__":
    main()
