"""Batches drawn from tensors: no image is ever touched one by one."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


class Batches:
    """Batches of tensors that lie in memory, in a new order every epoch.

    Each iteration is one epoch: a permutation of the N images is drawn, and slices of
    it index the tensors, on the device where they lie. `augment(x, generator=...)`
    changes the first tensor of each batch only.

    The order depends on `seed` and on the number of the epoch, so a state is two
    small numbers, and a resumed run sees the same batches as an uninterrupted one.

    Shapes: x and every tensor in `more` (N, ...); yields (x, *more) of (B, ...).
    Raises: TypeError for something other than tensors, and for bytes as `x`;
        ValueError for empty tensors, different lengths or devices, a negative seed,
        or a batch size below 1, or above N with drop_last (no batch would be left).
    """

    def __init__(
        self,
        x: Tensor,
        *more: Tensor,
        batch_size: int = 128,
        shuffle: bool = True,
        augment: Callable[..., Tensor] | None = None,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        check_tensors(x, *more)
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; give a whole number from 1.")
        if drop_last and batch_size > len(x):
            raise ValueError(
                f"batch_size is {batch_size}, above the {len(x)} images, and "
                "drop_last leaves no batch; lower batch_size."
            )
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed is {seed}; give a number from 0 to 2**32 - 1.")
        self.tensors = (x, *more)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0

    @property
    def num_images(self) -> int:
        """Images of one epoch, without those that drop_last leaves out."""
        n = len(self.tensors[0])
        return n - n % self.batch_size if self.drop_last else n

    def __len__(self) -> int:
        """Batches of one epoch."""
        return -(-self.num_images // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        number = (self.seed + 1_000_003 * self.epoch) % 2**32
        self.epoch += 1
        return self._draw(number)

    def _draw(self, number: int) -> Iterator[tuple[Tensor, ...]]:
        device, n = self.tensors[0].device, len(self.tensors[0])
        # The order is drawn on the CPU: the same on every machine.
        order = torch.arange(n)
        if self.shuffle:
            order = torch.randperm(n, generator=torch.Generator().manual_seed(number))
        order = order[: self.num_images].to(device)
        # Another seed than the order's, or the first batch's augmentation would
        # depend on which images are in it.
        generator = torch.Generator(device).manual_seed(number ^ 0x5DEECE66)
        for index in order.split(self.batch_size):
            x, *more = (tensor[index] for tensor in self.tensors)
            if self.augment is not None:
                x = self.augment(x, generator=generator)
            yield x, *more

    def whole(self) -> tuple[Tensor | None, ...]:
        """The tensors of all images at once, None for those that `augment` changes."""
        x, *more = self.tensors
        return (None if self.augment else x, *more)

    def state_dict(self) -> dict[str, int]:
        """What `load_state_dict` needs to go on at the next epoch."""
        return {
            "epoch": self.epoch,
            "seed": self.seed,
            "num_images": self.num_images,
            "batch_size": self.batch_size,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the epoch at which `state` was taken.

        Raises: ValueError if `state` comes from other batches.
        """
        ours = self.state_dict()
        if state.keys() != ours.keys():
            raise ValueError(
                f"The state holds {sorted(state)}, not {sorted(ours)}: "
                "it was not made by Batches.state_dict()."
            )
        for name in ("num_images", "batch_size"):
            if state[name] != ours[name]:
                raise ValueError(
                    f"The state has {name} {state[name]}, these batches have "
                    f"{ours[name]}: resume with the batches that made it."
                )
        self.epoch, self.seed = state["epoch"], state["seed"]


def check_tensors(x: Tensor, *more: Tensor) -> None:
    """That batches can be drawn from these tensors.

    Raises: TypeError for something other than tensors, and for bytes as `x`;
        ValueError for empty tensors, or different lengths or devices.
    """
    tensors = (x, *more)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"Batches needs tensors, not {type(tensor).__name__}; "
                "give for instance split.x, split.y."
            )
    if x.dtype == torch.uint8:
        raise TypeError("x is torch.uint8; give x.float() / 255.")
    lengths = [len(tensor) if tensor.dim() else 0 for tensor in tensors]
    if len(set(lengths)) > 1:
        raise ValueError(f"The tensors have lengths {lengths}; make them equal.")
    if lengths[0] == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: there is nothing to draw.")
    if len({tensor.device for tensor in tensors}) > 1:
        devices = [str(tensor.device) for tensor in tensors]
        raise ValueError(f"The tensors lie on {devices}; move them to one device.")
