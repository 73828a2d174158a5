"""The algorithm that trains a conditional variational autoencoder."""

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import negative_elbo


class ConditionalVAETrainer:
    """One step down the negative ELBO of log p(x | y).

    Raises: ValueError if beta is negative.
    Source: Sohn et al. (2015), equation 4.
    """

    def __init__(
        self,
        vae: nn.Module,
        opt: Optimizer,
        *,
        beta: float = 1.0,
        schedule: LRScheduler | None = None,
    ):
        if beta < 0:
            raise ValueError(f"beta is {beta}; the KL's weight is 0 or more.")
        self.vae, self.opt, self.beta, self.schedule = vae, opt, beta, schedule

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        if not self.vae.training:  # asking is cheap, setting is not
            self.vae.train()
        terms = negative_elbo(self.vae.given(y), x, self.beta)
        self.opt.zero_grad()
        terms["loss"].backward()
        self.opt.step()
        if self.schedule is not None:
            self.schedule.step()
        return terms
