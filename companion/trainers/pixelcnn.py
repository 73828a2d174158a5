"""The algorithm that trains a model whose likelihood is exact."""

import math

from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import bernoulli_nll
from companion.trainers.inputs import Check, pictures
from companion.trainers.parts import advance, train_mode


class LikelihoodTrainer:
    """Maximum likelihood of binary images: one step down -log p(x).

    `model(x)` returns the logit of each pixel given those before it, so that the sum of
    their costs is exact, no bound. A gradient longer than `max_norm` is clipped. To
    binarise each batch anew, draw it from `Batches(x, augment=binarize)`.

    Raises: ValueError if max_norm is not above 0.
    Source: van den Oord et al. (2016), Pixel recurrent neural networks, section 2.
    """

    def __init__(
        self,
        model: nn.Module,
        opt: Optimizer,
        *,
        max_norm: float = math.inf,
        schedule: LRScheduler | None = None,
    ):
        if not max_norm > 0:
            raise ValueError(f"max_norm is {max_norm}; give a length above 0.")
        self.model, self.opt, self.schedule = model, opt, schedule
        self.max_norm = max_norm

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        train_mode(self.model)
        nll = bernoulli_nll(self.model(x), x).mean()
        self.opt.zero_grad()
        nll.backward()
        clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.opt.step()
        advance(self.schedule)
        return {"nll": nll}
