"""The algorithm that trains a classifier."""

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import cross_entropy, l1_penalty
from companion.losses.classification import check_smoothing
from companion.trainers.inputs import Check, class_numbers, finite, num_logits
from companion.trainers.parts import advance, check_weights, train_mode


class ClassifierTrainer:
    """Minimise the mean cross-entropy of a batch, one optimiser step at a time.

    `schedule`, a torch learning-rate scheduler, advances once a step. `l1` weighs
    the sum of absolute weights; decay of weights is the optimiser's weight_decay.
    `weight`, one number a class such as those of `class_weights`, lets rare classes
    count more.

    Raises: ValueError if l1 is negative or label_smoothing outside [0, 1).
    """

    def __init__(
        self,
        model: nn.Module,
        opt: Optimizer,
        *,
        schedule: LRScheduler | None = None,
        l1: float = 0.0,
        label_smoothing: float = 0.0,
        weight: Tensor | None = None,
    ):
        check_weights(l1=l1)
        check_smoothing(label_smoothing)
        self.model, self.opt, self.schedule = model, opt, schedule
        self.l1, self.label_smoothing = l1, label_smoothing
        self.weight = weight

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": finite} | class_numbers("y", num_logits(self.model, self.model, x))

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.model)
        logits = self.model(x)
        nll = cross_entropy(logits, y, self.label_smoothing, self.weight).mean()
        loss = nll + self.l1 * l1_penalty(self.model) if self.l1 else nll
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        advance(self.schedule)
        accuracy = (logits.argmax(dim=1) == y).float().mean()
        return {"loss": loss, "accuracy": accuracy}
