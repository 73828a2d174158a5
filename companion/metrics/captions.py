"""Whether pictures show what their captions say."""

from collections.abc import Callable

import torch
from torch import Tensor

from companion.data.scenes import COLORS, NOTHING, SIZES, THINGS

# Of a side of a scene: its thing or nothing, and the thing's colour and size.
ATTRIBUTES = {
    "thing": len(THINGS) + 1,
    "colour": len(COLORS),
    "size": len(SIZES),
}
# From light to dark, as in SKIN_TONES.
SKIN_COLORS = (0xFADCBC, 0xDEBB90, 0xC19A65, 0xA57939, 0x6A462F)
NEAR = 0.05  # distance of a colour at which it counts 0.6; black and white: 1.7
SHARE = 0.15  # of all that counts, for a colour to be there


def sides_of(x: Tensor) -> Tensor:
    """The left and the right half of each scene, as pictures of their own.

    Shapes: x (N, C, H, W) -> (2 N, C, H, W / 2), the left half of each first.
    """
    return torch.stack(x.chunk(2, dim=3), dim=1).flatten(0, 1)


def attributes_of(logits: Tensor) -> Tensor:
    """The most probable value of each attribute.

    Shapes: logits (N, 25) for N halves, in the order of ATTRIBUTES -> (N, 3).
    """
    parts = logits.split(list(ATTRIBUTES.values()), dim=1)
    return torch.stack([part.argmax(dim=1) for part in parts], dim=1)


def read_scenes(judge: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a judge of halves sees in scenes.

    Shapes: x (N, 3, H, W) -> (N, 2, 3), as `Scenes.attributes`.
    """
    return attributes_of(judge(sides_of(x))).unflatten(0, (len(x), 2))


def obeyed(seen: Tensor, asked: Tensor) -> dict[str, float]:
    """How much of what was asked for is seen.

    For each attribute the share of the asked things for which it is right, `all` for
    those with all three right; `empty` is the share of the sides that were to stay
    empty and do. `exchanged` is the share of the scenes of two things in two colours
    in which each thing has the other's colour. What was not asked for at all is left
    out.

    Shapes: seen and asked (N, 2, 3).
    Raises: ValueError if the shapes differ.
    """
    if seen.shape != asked.shape or seen.shape[1:] != (2, len(ATTRIBUTES)):
        raise ValueError(
            f"seen has shape {tuple(seen.shape)} and asked {tuple(asked.shape)}; give "
            f"(N, 2, {len(ATTRIBUTES)}) twice."
        )
    right, there = seen == asked, asked[:, :, 0] != NOTHING
    found = {name: right[there][:, i] for i, name in enumerate(ATTRIBUTES)}
    found["all"] = right[there].all(dim=1)
    found["empty"] = right[~there][:, 0]
    colour = list(ATTRIBUTES).index("colour")
    ours, theirs = asked[:, :, colour], seen[:, :, colour]
    two = there.all(dim=1) & (ours[:, 0] != ours[:, 1])
    found["exchanged"] = (theirs.flip(1) == ours).all(dim=1)[two]
    return {
        name: value.double().mean().item()
        for name, value in found.items()
        if len(value)
    }


def skin_tones(x: Tensor) -> Tensor:
    """The lightest of OpenMoji's skin colours of which there is enough.

    Each pixel counts for each of the five colours by its distance from it, as a normal
    density falls. The most frequent one is not asked for, since the hair of people in
    a light tone has the colour of a darker skin. The number is that of SKIN_TONES, 0
    if all pixels together count less than one.

    Shapes: x (B, 3, H, W) in [0, 1] -> (B,) int64.
    """
    bytes_of = [[c >> shift & 255 for shift in (16, 8, 0)] for c in SKIN_COLORS]
    colors = torch.tensor(bytes_of, dtype=x.dtype, device=x.device) / 255
    apart = (x[:, None] - colors[:, :, None, None]).square().sum(dim=2)
    counted = (-apart / (2 * NEAR**2)).exp().sum(dim=(2, 3))
    total = counted.sum(dim=1, keepdim=True)
    first = (counted >= SHARE * total).long().argmax(dim=1) + 1
    return torch.where(total[:, 0] >= 1, first, 0)
