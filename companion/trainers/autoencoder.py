"""The algorithm that trains an autoencoder."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import squared_error
from companion.trainers.inputs import Check, pictures_of
from companion.trainers.parts import advance, train_mode


class AutoencoderTrainer:
    """One step down the mean squared error of the reconstruction.

    With `corrupt`, a function of the batch such as `salt_and_pepper`, the network
    sees the damaged image and is compared with the clean one. `schedule`, a torch
    learning-rate scheduler, advances once a step.

    Source: Hinton and Salakhutdinov (2006); with `corrupt`, Vincent et al. (2008).
    """

    def __init__(
        self,
        model: nn.Module,
        opt: Optimizer,
        *,
        corrupt: Callable[[Tensor], Tensor] | None = None,
        schedule: LRScheduler | None = None,
    ):
        self.model, self.opt = model, opt
        self.corrupt, self.schedule = corrupt, schedule

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.model)}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        train_mode(self.model)
        seen = x if self.corrupt is None else self.corrupt(x)
        loss = squared_error(self.model(seen), x).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        advance(self.schedule)
        return {"loss": loss}
