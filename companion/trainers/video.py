"""The algorithm that trains a network to say how a video goes on."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses.video import frame_error
from companion.trainers.inputs import Check, pictures_of
from companion.trainers.parts import StepCount, advance, train_mode


class VideoTrainer:
    """Teacher forcing, scheduled sampling and roll-out: who says the last frame?

    The first `given` frames are always the true ones. After them, each frame that the
    network reads is with probability `teacher` the true one and else its own last
    prediction. `teacher` is a number, 1 for teacher forcing and 0 for a roll-out, or a
    function of the steps done so far: scheduled sampling.

    Raises: ValueError if given is below 1 or max_norm not above 0; in a step, if a
        video has no frame to predict or the probability lies outside [0, 1].
    Source: Bengio et al. (2015), section 2.4; Williams and Zipser (1989) for teacher
        forcing.
    """

    def __init__(
        self,
        model: nn.Module,
        opt: Optimizer,
        *,
        given: int = 1,
        teacher: float | Callable[[int], float] = 1.0,
        max_norm: float = math.inf,
        schedule: LRScheduler | None = None,
    ):
        if given < 1 or not max_norm > 0:
            raise ValueError(
                f"given is {given} and max_norm {max_norm}; give 1 frame or more and a "
                "length above 0."
            )
        self.model, self.opt, self.schedule = model, opt, schedule
        self.given, self.max_norm, self.steps = given, max_norm, StepCount()
        self.teacher = teacher if callable(teacher) else lambda step: teacher

    def truth(self, x: Tensor) -> Tensor:
        """Which frames the network reads as they are: (B, T - 1), true or false."""
        p = self.teacher(self.steps.done)
        if not 0 <= p <= 1:
            raise ValueError(f"The probability of the true frame is {p}; keep to 0..1.")
        true = torch.rand(len(x), x.shape[1] - 1, device=x.device) < p
        true[:, : self.given] = True
        return true

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.model)}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        train_mode(self.model)
        x_hat = self.model(x, self.truth(x))  # frames 1, ..., T - 1
        loss = frame_error(x_hat, x[:, 1:]).mean()
        self.opt.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.opt.step()
        advance(self.schedule)
        self.steps.done += 1
        return {"loss": loss, "norm": norm}
