"""The algorithm that trains a variational autoencoder."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import bernoulli_nll, negative_elbo
from companion.trainers.inputs import Check, class_numbers, finite, pictures
from companion.trainers.parts import advance, check_weights, train_mode


class VAETrainer:
    """Auto-encoding variational Bayes: one step down the negative ELBO.

    `likelihood(decoded, x)` gives -log p(x|z), one value per image. `objective` is
    `negative_elbo` or `path_negative_elbo`. `schedule`, a torch learning-rate
    scheduler, advances once a step. To binarise each batch anew, draw it from
    `Batches(x, augment=binarize)`.

    Raises: ValueError if beta is negative.
    Source: Kingma and Welling (2013), algorithm 1.
    """

    def __init__(
        self,
        vae: nn.Module,
        opt: Optimizer,
        *,
        beta: float = 1.0,
        likelihood: Callable[[Tensor, Tensor], Tensor] = bernoulli_nll,
        objective: Callable[..., dict[str, Tensor]] = negative_elbo,
        schedule: LRScheduler | None = None,
    ):
        check_weights(beta=beta)
        self.vae, self.opt, self.beta = vae, opt, beta
        self.likelihood, self.objective = likelihood, objective
        self.schedule = schedule

    def takes(self, x: Tensor) -> dict[str, Check]:
        # A normal density has a place for every number.
        return {"x": pictures if self.likelihood is bernoulli_nll else finite}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        train_mode(self.vae)
        terms = self.objective(self.vae, x, self.beta, self.likelihood)
        self.opt.zero_grad()
        terms["loss"].backward()
        self.opt.step()
        advance(self.schedule)
        return terms


class ConditionalVAETrainer(VAETrainer):
    """As `VAETrainer`, for a VAE of p(x | y) and batches of images with labels.

    Source: Sohn et al. (2015), equation 4.
    """

    def takes(self, x: Tensor) -> dict[str, Check]:
        classes = getattr(self.vae, "num_classes", None)
        return super().takes(x) | class_numbers("y", classes)

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.vae)
        terms = self.objective(self.vae.given(y), x, self.beta, self.likelihood)
        self.opt.zero_grad()
        terms["loss"].backward()
        self.opt.step()
        advance(self.schedule)
        return terms
