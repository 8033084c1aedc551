"""Splitters: one observation -> N sensory inputs of F features each."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ScalarSplitter(nn.Module):
    """Every scalar of a vector observation is one sensory input.

    Args:
        observation_shape: shape of one observation, `(N,)`.
    """

    def __init__(self, observation_shape: Sequence[int]) -> None:
        super().__init__()
        if len(observation_shape) != 1:
            raise ValueError(
                f"splitter=ScalarSplitter takes a vector; this environment's observation has shape "
                f"{tuple(observation_shape)}: use splitter=patch"
            )
        self.num_inputs = observation_shape[0]
        self.features = 1

    def forward(self, observation: Tensor) -> Tensor:
        """Observation [N] -> inputs [N, 1]."""
        return observation.unsqueeze(-1)


class PatchSplitter(nn.Module):
    """Every square patch of a stack of gray frames is one sensory input.

    Patches are taken row by row and do not overlap (Tang & Ha 2021, section 4.3).

    Args:
        observation_shape: `(frames, height, width)`.
        patch_size: side of a patch in pixels; divides both height and width.
    """

    def __init__(self, observation_shape: Sequence[int], patch_size: int = 6) -> None:
        super().__init__()
        if len(observation_shape) != 3:
            raise ValueError(
                f"splitter=PatchSplitter takes frames [frames, height, width]; this environment's observation has "
                f"shape {tuple(observation_shape)}: use splitter=scalar"
            )
        self.frames, height, width = observation_shape
        allowed = [size for size in range(1, min(height, width) + 1) if height % size == 0 == width % size]
        if patch_size not in allowed:
            raise ValueError(
                f"splitter.patch_size={patch_size} does not divide the {height}x{width} frame; allowed: "
                f"{', '.join(map(str, allowed))}"
            )
        self.patch_size = patch_size
        self.grid = (height // patch_size, width // patch_size)
        self.num_inputs = self.grid[0] * self.grid[1]
        self.features = self.frames * patch_size**2

    def forward(self, observation: Tensor) -> Tensor:
        """Frames [S, H, W], uint8 or float in 0..255 -> inputs [N, S * patch * patch], floats in 0..1."""
        rows, columns = self.grid
        size = self.patch_size
        patches = observation.reshape(self.frames, rows, size, columns, size)  # [S, rows, p, columns, p]
        patches = patches.permute(1, 3, 0, 2, 4)  # [rows, columns, S, p, p]
        return patches.reshape(self.num_inputs, self.features).to(torch.float32) / 255
