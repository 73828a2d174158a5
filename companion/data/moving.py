"""Moving digits: videos made on the fly from images and a seed."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


def reflect(position: Tensor, room: float) -> Tensor:
    """Fold a straight path into [0, room], as walls without friction do.

    Shapes: any.
    Units: pixels.
    Raises: ValueError if room is not above 0.
    """
    if not room > 0:
        raise ValueError(f"room is {room}; something that moves needs more than 0.")
    around = position.remainder(2 * room)  # there and back is one period
    return room - (room - around).abs()


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each thing starts and how far it goes in one frame.

    Shapes: start, velocity (n, D, 2), down and to the right, of the upper left corner.
    Units: pixels; pixels a frame. `room` is how far a corner may go, frame size less
        thing size.
    """

    start: Tensor
    velocity: Tensor
    room: float

    def positions(self, frames: int) -> Tensor:
        """Corners in frames 0, 1, ..., reflected at the walls: (n, frames, D, 2)."""
        return reflect(self._straight(self.start, self.velocity, frames), self.room)

    def extrapolated(self, known: int, horizon: int) -> Tensor:
        """Corners in the `horizon` frames after the `known` first, without walls.

        Position and velocity are the true ones of the last known frame; what is not
        known is that a wall will turn the motion round.

        Shapes: -> (n, horizon, D, 2).
        Raises: ValueError if known or horizon is below 1.
        """
        if min(known, horizon) < 1:
            raise ValueError(
                f"known is {known} and horizon {horizon}; both are 1 frame or more."
            )
        free = self.start + self.velocity * (known - 1)
        back = free.remainder(2 * self.room) > self.room  # an odd number of walls
        velocity = torch.where(back, -self.velocity, self.velocity)
        last = reflect(free, self.room)
        return self._straight(last, velocity, horizon + 1)[:, 1:]

    @staticmethod
    def _straight(start: Tensor, velocity: Tensor, frames: int) -> Tensor:
        t = torch.arange(frames, device=start.device, dtype=start.dtype)
        return start[:, None] + velocity[:, None] * t[:, None, None]


def random_motion(
    n: int,
    things: int = 2,
    *,
    room: float = 36.0,
    speed: float = 3.6,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Motion:
    """Starts anywhere in the room, directions all round, one speed for all.

    Shapes: start and velocity (n, things, 2).
    Raises: ValueError for n, things, or room not above 0, or a negative speed.
    Source: Srivastava et al. (2015), section 4.1; a tenth of the room a frame is
        the step of the authors' code.
    """
    if min(n, things) < 1 or not room > 0 or speed < 0:
        raise ValueError(
            f"n is {n}, things {things}, room {room}, speed {speed}; n and things are "
            "1 or more, room is above 0 and speed not negative."
        )
    draw = {"generator": generator, "device": device}
    start = room * torch.rand(n, things, 2, **draw)
    angle = 2 * torch.pi * torch.rand(n, things, **draw)
    velocity = speed * torch.stack([angle.sin(), angle.cos()], dim=2)
    return Motion(start, velocity, room)


def paint(images: Tensor, positions: Tensor, size: int = 64) -> Tensor:
    """Frames with the images at the positions; where they overlap, the brighter wins.

    Positions are rounded to whole pixels, so that images stay sharp. What lies outside
    the frame is not painted.

    Shapes: images (n, D, C, h, w), positions (n, T, D, 2) -> (n, T, C, size, size).
    Raises: ValueError for other shapes, no frame, or images larger than the frame.
    """
    fits = images.dim() == 5 and positions.dim() == 4 and positions.shape[3] == 2
    if (
        not fits
        or images.shape[:2] != positions.shape[::2][:2]
        or not positions.numel()
    ):
        raise ValueError(
            f"images have shape {tuple(images.shape)}, positions "
            f"{tuple(positions.shape)}; give (n, D, C, h, w) and (n, T, D, 2), with "
            "one frame or more."
        )
    height, width = images.shape[3:]
    if max(height, width) > size:
        raise ValueError(
            f"Images of {height} x {width} pixels are larger than a frame of "
            f"{size} x {size}; make the frame larger."
        )
    corner = positions.round().long()
    place = torch.arange(size, device=images.device)
    # Which row and column of the image a pixel of the frame shows; one more row and
    # column of zeros stands for "none".
    row = place - corner[..., :1]  # (n, T, D, size)
    column = place - corner[..., 1:]
    row = torch.where((row >= 0) & (row < height), row, height)
    column = torch.where((column >= 0) & (column < width), column, width)
    padded = F.pad(images, (0, 1, 0, 1)).permute(0, 1, 3, 4, 2)  # (n, D, h+1, w+1, C)
    n, d = (torch.arange(k, device=images.device) for k in images.shape[:2])
    shown = padded[
        n[:, None, None, None, None],
        d[:, None, None],
        row[..., :, None],
        column[..., None, :],
    ]  # (n, T, D, size, size, C)
    return shown.amax(dim=2).movedim(-1, 2).contiguous()


def moving_digits(
    x: Tensor,
    *,
    frames: int = 20,
    size: int = 64,
    digits: int = 2,
    speed: float = 3.6,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Videos of images that move straight on and bounce off the walls.

    Each video takes the next `digits` images of x. `Batches(x, augment=moving_digits)`
    makes new videos from new pairs at each step.

    Shapes: x (n digits, C, h, w) in [0, 1] -> (n, frames, C, size, size) in [0, 1].
    Raises: ValueError if x is no batch of images, its number no multiple of `digits`,
        or if they are not smaller than the frame; for fewer than 1 frame or digit, or
        a negative speed.
    Source: Srivastava et al. (2015), section 4.1.
    Differs: an exact reflection at the walls, where the authors' code stops at the
        wall for a frame; rounded positions, where it cuts.
    """
    images = grouped(x, digits)
    if frames < 1:
        raise ValueError(f"frames is {frames}; a video has 1 frame or more.")
    room = float(size - max(x.shape[2:]))
    if not room > 0:
        raise ValueError(
            f"Images of {x.shape[2]} x {x.shape[3]} pixels cannot move in a frame of "
            f"{size} x {size}; make the frame larger."
        )
    motion = random_motion(
        len(images),
        digits,
        room=room,
        speed=speed,
        generator=generator,
        device=x.device,
    )
    return paint(images, motion.positions(frames), size)


def grouped(x: Tensor, digits: int = 2) -> Tensor:
    """Images in groups of `digits`, those of one video.

    Shapes: x (n digits, C, h, w) -> (n, digits, C, h, w).
    Raises: ValueError if x is no batch of images or not of whole groups.
    """
    if x.dim() != 4 or digits < 1 or len(x) == 0 or len(x) % digits:
        raise ValueError(
            f"x has shape {tuple(x.shape)} for {digits} digits a video; give "
            "(N, C, H, W) with N a multiple of the digits, which are 1 or more."
        )
    return x.unflatten(0, (-1, digits))
