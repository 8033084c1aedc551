"""A picture of MuJoCo's Ant, drawn without a graphics card's library, which not every machine has."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from mujoco import MjData, MjModel

Points = NDArray[np.float64]

SIDE = 360  # of a picture, pixels
SHARPNESS = 2  # drawn larger and reduced: smooth edges
BEHIND, ABOVE = 3.6, 2.0  # metres from the torso to the camera
FOCUS = 1.3  # of the lens, in sides of a picture
TILES, TILE = 7, 1.0  # of the floor, on each side of the ant, and metres
NEAREST = 0.5  # metres before the camera
SKY, FLOOR, BODY = (236, 242, 248), ((206, 216, 206), (226, 234, 226)), (196, 148, 96)


class Camera(NamedTuple):
    """Where it stands, and its axes: right, up and forward."""

    place: Points  # [3]
    axes: Points  # [3, 3]

    def see(self, points: Points) -> tuple[Points, Points]:
        """Points [..., 3] -> pixels [..., 2] and depths [...], in metres."""
        seen = (points - self.place) @ self.axes.T
        depth = np.maximum(seen[..., 2], NEAREST)
        size = SIDE * SHARPNESS
        return size / 2 + size * FOCUS * seen[..., :2] * (1, -1) / depth[..., None], seen[..., 2]


def draw_ant(model: "MjModel", data: "MjData") -> NDArray[np.uint8]:
    """The ant on its floor from behind its side, [SIDE, SIDE, 3]; the camera goes along."""
    torso: Points = np.array([*data.xpos[1][:2], 0.4])
    camera = aim(torso + np.array([0.0, -BEHIND, ABOVE]), torso)
    image = Image.new("RGB", (SIDE * SHARPNESS,) * 2, SKY)
    canvas = ImageDraw.Draw(image)
    draw_floor(canvas, camera, torso)
    draw_body(canvas, camera, model, data)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def aim(place: Points, target: Points) -> Camera:
    """A camera that looks at the target, the horizon level."""
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    return Camera(place, np.stack([right, np.cross(right, forward), forward]))


def draw_floor(canvas: ImageDraw.ImageDraw, camera: Camera, torso: Points) -> None:
    """Tiles that lie still while the ant walks over them."""
    first = np.floor(torso[:2] / TILE).astype(int) - TILES
    for i in range(first[0], first[0] + 2 * TILES + 1):
        for j in range(first[1], first[1] + 2 * TILES + 1):
            corners = TILE * np.array([[i, j, 0], [i + 1, j, 0], [i + 1, j + 1, 0], [i, j + 1, 0]], np.float64)
            pixels, depths = camera.see(corners)
            if (depths > NEAREST).all():
                canvas.polygon([tuple(each) for each in pixels], fill=FLOOR[(i + j) % 2])


def draw_body(canvas: ImageDraw.ImageDraw, camera: Camera, model: "MjModel", data: "MjData") -> None:
    """The sphere and the capsules that the ant is made of, the farthest first; the first of all shapes is the floor."""
    centres, along = data.geom_xpos[1:], data.geom_xmat[1:, 2::3]  # [G, 3] each; a capsule lies along its own z
    radii, halves = model.geom_size[1:, 0], model.geom_size[1:, 1]
    reach = along * halves[:, None]
    ends, depths = camera.see(np.stack([centres - reach, centres + reach], 1))  # [G, 2, 2], [G, 2]
    for shape in np.argsort(-depths.mean(1)):
        radius = SIDE * SHARPNESS * FOCUS * radii[shape] / depths[shape].mean()
        low, high = depths[:, :].min(), depths[:, :].max()
        light = 1.0 - 0.35 * (depths[shape].mean() - low) / (high - low)  # what is farther is darker
        colour = tuple(int(light * each) for each in BODY)
        one, other = (tuple(end) for end in ends[shape])
        canvas.line([one, other], fill=colour, width=round(2 * radius))
        for x, y in (one, other):
            canvas.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
