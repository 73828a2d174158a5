"""The algorithm that trains a variational autoencoder."""

from torch import Tensor, nn
from torch.optim import Optimizer

from companion.losses import negative_elbo


class VAETrainer:
    """Auto-encoding variational Bayes: one step down the negative ELBO.

    Raises: ValueError if beta is negative.
    Source: Kingma and Welling (2013), algorithm 1.
    """

    def __init__(self, vae: nn.Module, opt: Optimizer, *, beta: float = 1.0):
        if beta < 0:
            raise ValueError(f"beta is {beta}; the KL's weight is 0 or more.")
        self.vae, self.opt, self.beta = vae, opt, beta

    def step(self, x: Tensor) -> dict[str, Tensor]:
        if not self.vae.training:  # asking is cheap, setting is not
            self.vae.train()
        terms = negative_elbo(self.vae, x, self.beta)
        self.opt.zero_grad()
        terms["loss"].backward()
        self.opt.step()
        return terms
