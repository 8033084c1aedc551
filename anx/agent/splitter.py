"""Splitters: one observation -> N sensory inputs of F features each."""

from collections.abc import Sequence

from torch import Tensor, nn

PAPERS_PATCH = 6  # side, pixels
SMALLEST_PATCH, LARGEST_PATCH = 3, 8  # that are chosen where nobody says


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
    """Every square patch of a stack of gray frames, or of a frame's colours, is one sensory input.

    Patches are taken row by row. The paper's do not overlap (Tang & Ha 2021, section 4.3); those of AttentionAgent do
    (Tang, Nguyen & Ha 2020, section 3.1).

    Args:
        observation_shape: `(frames, height, width)`, or `(colours, height, width)`.
        patch_size: side of a patch in pixels; without a stride it divides both height and width.
        stride: pixels from one patch to the next; null: patch_size.
        colours_last: the features of a patch pixel by pixel, instead of frame by frame.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        patch_size: int = 6,
        *,
        stride: int | None = None,
        colours_last: bool = False,
    ) -> None:
        super().__init__()
        if len(observation_shape) != 3:
            raise ValueError(
                f"splitter=PatchSplitter takes frames [frames, height, width]; this environment's observation has "
                f"shape {tuple(observation_shape)}: use splitter=scalar"
            )
        self.frames, height, width = observation_shape
        allowed = sizes_that_divide(height, width)
        if stride is None and patch_size not in allowed:
            raise ValueError(
                f"patch_size={patch_size} does not divide the {height}x{width} frame; allowed: "
                f"{', '.join(map(str, allowed))}"
            )
        if stride is not None and (stride < 1 or not 1 <= patch_size <= min(height, width)):
            raise ValueError(
                f"stride={stride} must be at least 1 and patch_size={patch_size} fit into the {height}x{width} frame"
            )
        self.patch_size = patch_size
        self.stride = stride or patch_size
        self.colours_last = colours_last
        self.grid = ((height - patch_size) // self.stride + 1, (width - patch_size) // self.stride + 1)
        self.num_inputs = self.grid[0] * self.grid[1]
        self.features = self.frames * patch_size**2

    def forward(self, observation: Tensor) -> Tensor:
        """Frames [S, H, W], uint8 or float in 0..255 -> inputs [N, S * patch * patch], floats in 0..1."""
        size, stride = self.patch_size, self.stride
        patches = observation.unfold(1, size, stride).unfold(2, size, stride)  # [S, rows, columns, p, p]
        patches = patches.permute(1, 2, 3, 4, 0) if self.colours_last else patches.permute(1, 2, 0, 3, 4)
        return patches.reshape(self.num_inputs, self.features) / 255


def make_splitter(
    observation_shape: Sequence[int],
    patch_size: int | None = None,
    *,
    stride: int | None = None,
    colours_last: bool = False,
) -> ScalarSplitter | PatchSplitter:
    """The splitter that an environment's observations call for: scalars, or patches of frames.

    Args:
        observation_shape: `(N,)`, `(frames, height, width)`, or `(colours, height, width)`.
        patch_size: of frames, see `PatchSplitter`; null: the largest from 3 to 8 that divides height and width; with a
            stride: 6, as the paper's.
        stride: of frames, see `PatchSplitter`.
        colours_last: of frames, see `PatchSplitter`.

    Raises:
        ValueError: no size of 3 to 8 divides the frames; patches are asked for of scalars; an observation is neither.
    """
    if len(observation_shape) == 1:
        if patch_size is not None or stride is not None:
            name, value = ("patch_size", patch_size) if patch_size is not None else ("stride", stride)
            raise ValueError(f"{name}={value} is for frames; this environment's observation is a vector: allowed: null")
        return ScalarSplitter(observation_shape)
    if len(observation_shape) == 3 and patch_size is None:
        patch_size = PAPERS_PATCH if stride is not None else default_patch(*observation_shape[1:])
    return PatchSplitter(observation_shape, patch_size or PAPERS_PATCH, stride=stride, colours_last=colours_last)


def default_patch(height: int, width: int) -> int:
    """The largest side of 3 to 8 pixels that divides both; smaller patches would be too many to attend to."""
    sizes = sizes_that_divide(height, width)
    fitting = [size for size in sizes if SMALLEST_PATCH <= size <= LARGEST_PATCH]
    if not fitting:
        raise ValueError(
            f"patch_size=null: no size from {SMALLEST_PATCH} to {LARGEST_PATCH} divides the {height}x{width} frame; "
            f"allowed: {', '.join(map(str, sizes))}, or any size with a stride"
        )
    return max(fitting)


def sizes_that_divide(height: int, width: int) -> list[int]:
    """The sides of squares that a frame can be cut into."""
    return [size for size in range(1, min(height, width) + 1) if height % size == 0 == width % size]
