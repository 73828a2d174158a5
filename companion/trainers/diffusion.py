"""The algorithm that trains a denoiser: add noise, ask, compare."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.data.checks import check_labels
from companion.losses.diffusion import denoising_error, uniform_times
from companion.models.diffusion import Denoiser, over
from companion.trainers.gan import WeightAverage
from companion.trainers.inputs import Check, pictures_of
from companion.trainers.parts import advance, check_optimizer, train_mode


class DiffusionTrainer:
    """One step: random times, noise, the network's answer, its squared error.

    `times(n, device=...)` draws the times. A network that is told labels takes batches
    of images with labels; if it can go without (`untold`), each label is dropped with
    probability `drop`. With `average`, a WeightAverage of the denoiser, it follows;
    sample from it. The schedule, a torch learning-rate scheduler, advances once a step.

    Raises: ValueError if the optimiser does not hold exactly the denoiser's parameters,
        drop is outside [0, 1), or drop and the network do not agree on whether it must
        know pictures without labels.
    Source: Ho et al. (2020), algorithm 1; Lipman et al. (2023); dropped labels: Ho and
        Salimans (2021), algorithm 1.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        opt: Optimizer,
        *,
        times: Callable[..., Tensor] = uniform_times,
        drop: float = 0.0,
        average: WeightAverage | None = None,
        schedule: LRScheduler | None = None,
    ):
        check_optimizer("opt", opt, denoiser=denoiser)
        if not 0 <= drop < 1:
            raise ValueError(f"drop is {drop}; give a probability from 0 to below 1.")
        if bool(drop) != denoiser.knows_untold:
            remedy = "make it with untold=True" if drop else "give drop=0.1, say"
            raise ValueError(
                f"drop is {drop}, and the network has untold={denoiser.knows_untold}: "
                f"{remedy}, or it cannot know pictures without labels."
            )
        self.denoiser, self.opt, self.times, self.drop = denoiser, opt, times, drop
        self.average, self.schedule = average, schedule

    def takes(self, x: Tensor) -> dict[str, Check | None]:
        checks: dict[str, Check | None] = {"x": pictures_of(self.denoiser)}
        if (classes := self.denoiser.num_classes) is not None:
            checks["y"] = partial(check_labels, num_classes=classes)
        elif not self.denoiser.knows_untold:
            checks["y"] = None
        return checks

    def step(self, x: Tensor, *y: Tensor) -> dict[str, Tensor]:
        train_mode(self.denoiser)
        x, eps = self.denoiser.signal(x), torch.randn_like(x)
        t = self.times(len(x), device=x.device)
        x_t = self.denoiser.path.noisy(x, eps, t)
        said = self.denoiser.says(x_t, t, *map(self._some_dropped, y))
        loss = denoising_error(said, self.denoiser.target(x, eps, t)).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        advance(self.schedule)
        if self.average is not None:
            self.average.update(self.denoiser)
        return {"loss": loss}

    def _some_dropped(self, y: Tensor) -> Tensor:
        if not self.drop:
            return y
        dropped = over(torch.rand(len(y), device=y.device) < self.drop, y)
        return torch.where(dropped, self.denoiser.untold(y), y)
