"""The algorithm that trains a generator and a discriminator which know the label."""

from functools import partial

from torch import Tensor, nn
from torch.optim import Optimizer

from companion.losses import discriminator_loss, r1_penalty
from companion.trainers.gan import GANTrainer, frozen


class ConditionalGANTrainer(GANTrainer):
    """As `GANTrainer`, for G(z, y), D(x, y) and batches of images with labels.

    Each generated image is made for the label of a real one of the batch, so that
    both have their labels from one distribution.

    Raises: as `GANTrainer`; ValueError if G and D have different classes.
    Source: Mirza and Osindero (2014), equation 2.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        **settings,
    ):
        super().__init__(G, D, opt_G, opt_D, **settings)
        ours, theirs = (getattr(n, "num_classes", None) for n in (G, D))
        if ours is None or ours != theirs:
            raise ValueError(
                f"G draws num_classes {ours}, D knows {theirs}; make both with the "
                "same num_classes."
            )

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        for network in (self.G, self.D):
            if not network.training:  # asking is cheap, setting is not
                network.train()
        x_fake = self.G(self.G.noise(len(x)), y)

        real = self.D(self.augment(x), y)
        fake = self.D(self.augment(x_fake.detach()), y)
        loss_D = discriminator_loss(real, fake).mean()
        self.opt_D.zero_grad()
        (loss_D + self._penalty_given(x, y)).backward()
        self.opt_D.step()

        with frozen(self.D):
            loss_G = self.generator_loss(self.D(self.augment(x_fake), y)).mean()
        self.opt_G.zero_grad()
        loss_G.backward()
        self.opt_G.step()

        self._after_step()
        return {
            "loss_D": loss_D,
            "loss_G": loss_G,
            "D_real": real.sigmoid().mean(),
            "D_fake": fake.sigmoid().mean(),
        }

    def _penalty_given(self, x: Tensor, y: Tensor) -> Tensor | float:
        if not self.r1 or self.steps.done % self.r1_every:
            return 0.0
        penalty = r1_penalty(partial(self.D, y=y), self.augment(x)).mean()
        return self.r1 / 2 * self.r1_every * penalty
