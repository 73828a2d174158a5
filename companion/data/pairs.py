"""Pictures in pairs: batches that keep them together, and emoji in two skin tones."""

import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from companion.data.batches import Batches, check_tensors
from companion.data.openmoji import SKIN_TONES, EmojiSplit


class PairBatches(Batches):
    """As Batches, of pairs (x, y): an augmentation changes both alike.

    Both pictures lie in the channels of one while they are drawn and augmented, so a
    flip or a shift hits them in the same way.

    Shapes: x (N, C, H, W), y (N, C', H, W); yields the like of B pairs.
    Raises: as `Batches`; ValueError for pictures of different numbers or sizes.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        batch_size: int = 16,
        augment: Callable[..., Tensor] | None = None,
        seed: int = 0,
        drop_last: bool = True,
    ) -> None:
        check_tensors(x, y)
        check_tensors(y)
        for name, pictures in (("x", x), ("y", y)):
            if pictures.dim() != 4:
                raise ValueError(
                    f"{name} has shape {tuple(pictures.shape)}; give pictures "
                    "(N, C, H, W)."
                )
        if x.shape[2:] != y.shape[2:]:
            raise ValueError(
                f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}; a pair is two "
                "pictures of one size."
            )
        super().__init__(
            torch.cat([x, y], dim=1),
            batch_size=batch_size,
            augment=augment,
            seed=seed,
            drop_last=drop_last,
        )
        self.channels = x.shape[1]

    def whole(self) -> tuple[Tensor | None, ...]:
        if self.augment:
            return None, None
        (both,) = self.tensors
        return both[:, : self.channels], both[:, self.channels :]

    def _draw(self, number: int) -> Iterator[tuple[Tensor, ...]]:
        for (both,) in super()._draw(number):
            yield both[:, : self.channels], both[:, self.channels :]


def tone_pairs(
    split: EmojiSplit, first: str = "light", second: str = "dark"
) -> tuple[Tensor, Tensor]:
    """The same people, hands and the like in two skin tones, in the order of the split.

    Only pictures with one skin tone each; a couple of two tones is left out.

    Shapes: -> x, y (N, 3, S, S).
    Raises: ValueError for a tone that is not in SKIN_TONES[1:], for twice the same,
        or if the split has no such pair.
    """
    tones = SKIN_TONES[1:]
    for tone in (first, second):
        if tone not in tones:
            raise ValueError(f"{tone!r} is no skin tone; there are {tones}.")
    if first == second:
        raise ValueError(f"Both tones are {first!r}; give two different ones.")
    place = {}
    for i, (code, skin) in enumerate(
        zip(split.codes, split.skin.tolist(), strict=True)
    ):
        if skin > 0 and len(set(re.findall("1F3F[B-F]", code))) == 1:
            place[re.sub("1F3F[B-F]", "*", code), skin] = i
    a, b = tones.index(first) + 1, tones.index(second) + 1
    rows = [
        (i, place[code, b])
        for (code, skin), i in place.items()
        if skin == a and (code, b) in place
    ]
    if not rows:
        raise ValueError(f"No picture of this split is there in {first} and {second}.")
    ours, theirs = zip(*sorted(rows), strict=True)
    return split.x[list(ours)], split.x[list(theirs)]
