"""The algorithm that trains a network which reads an image step by step."""

import math

from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses.rnn import nll_through_time
from companion.trainers.inputs import Check, class_numbers, finite, num_logits
from companion.trainers.parts import advance, train_mode


class RowTrainer:
    """Back-propagation through time, with the gradient's norm clipped.

    The loss is that of the answer after the last row, plus `early` times the mean
    over all rows. A gradient longer than `max_norm` is shortened to that length; its
    length before is returned as "norm". `schedule` advances once a step.

    Raises: ValueError if max_norm is not above 0 or early is negative.
    Source: Werbos (1990); clipping: Pascanu et al. (2013), algorithm 1.
    """

    def __init__(
        self,
        model: nn.Module,
        opt: Optimizer,
        *,
        max_norm: float = math.inf,
        early: float = 0.0,
        schedule: LRScheduler | None = None,
    ):
        if not max_norm > 0 or not early >= 0:
            raise ValueError(
                f"max_norm is {max_norm} and early {early}; give a length above 0 and "
                "a weight of 0 or more."
            )
        self.model, self.opt, self.schedule = model, opt, schedule
        self.max_norm, self.early = max_norm, early

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": finite} | class_numbers(
            "y", num_logits(self.model, self.model.each_row, x)
        )

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.model)
        logits = self.model.each_row(x)  # (B, H, K)
        nll = nll_through_time(logits, y)  # (B, H)
        loss = (nll[:, -1] + self.early * nll.mean(dim=1)).mean()
        self.opt.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.opt.step()
        advance(self.schedule)
        accuracy = (logits[:, -1].argmax(dim=1) == y).float().mean()
        return {"loss": loss, "accuracy": accuracy, "norm": norm}
