"""The algorithms that learn to turn one picture into another."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import (
    absolute_error,
    discriminator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    non_saturating_loss,
    r1_penalty,
)
from companion.trainers.gan import check_no_batch_norm, frozen
from companion.trainers.inputs import Check, pictures_of
from companion.trainers.parts import (
    advance,
    check_optimizer,
    check_weights,
    train_mode,
)


class TranslationTrainer:
    """Regression: G(x) near y by the L1 error alone.

    The schedule, a torch learning-rate scheduler, advances once a step.

    Raises: ValueError if opt_G does not hold exactly G's parameters; in `step`,
        before any update, for pictures of other channels, numbers or sizes.
    Source: Isola et al. (2017), section 4.1, the row "L1".
    """

    def __init__(
        self,
        G: nn.Module,
        opt_G: Optimizer,
        *,
        schedule_G: LRScheduler | None = None,
    ):
        check_optimizer("opt_G", opt_G, G=G)
        self.G, self.opt_G, self.schedule_G = G, opt_G, schedule_G

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.G), "y": pictures_of(self.G)}

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.G)
        l1 = absolute_error(self.G(x), y).mean()
        self.opt_G.zero_grad()
        l1.backward()
        self.opt_G.step()
        advance(self.schedule_G)
        return {"l1": l1}


class Pix2PixTrainer:
    """Paired pictures x, y: G(x) near y, and such that D takes (x, G(x)) for a pair.

    D sees x and y laid in the channels, and answers for each patch; each patch counts
    as an image of its own. `lambda_l1` weighs the L1 error, `lambda_gan` the game, and
    `r1` the penalty on D's gradient at true pairs, of its mean logit. Schedules, torch
    learning-rate schedulers, advance once a step.

    Raises: ValueError if D does not take the channels of x and y together, an
        optimiser does not hold exactly its own network's parameters, a weight is
        negative, or a D with batch normalisation comes with r1; in `step`, before any
        update, for pictures of other channels, numbers or sizes.
    Source: Isola et al. (2017), equation 4; r1: Mescheder et al. (2018), section 4.1.
    Differs: no noise and no drop-out in G; L1 is a mean over pixels.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        *,
        lambda_l1: float = 100.0,
        lambda_gan: float = 1.0,
        r1: float = 0.0,
        schedule_G: LRScheduler | None = None,
        schedule_D: LRScheduler | None = None,
    ):
        check_optimizer("opt_G", opt_G, G=G)
        check_optimizer("opt_D", opt_D, D=D)
        _check_channels("D", D.in_channels, G.in_channels + G.out_channels)
        check_weights(lambda_l1=lambda_l1, lambda_gan=lambda_gan, r1=r1)
        if r1:
            check_no_batch_norm(D)
        self.G, self.D, self.opt_G, self.opt_D = G, D, opt_G, opt_D
        self.lambda_l1, self.lambda_gan, self.r1 = lambda_l1, lambda_gan, r1
        self.schedule_G, self.schedule_D = schedule_G, schedule_D

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.G), "y": pictures_of(self.G)}

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.G, self.D)
        y_fake = self.G(x)
        l1 = absolute_error(y_fake, y).mean()

        pair = torch.cat([x, y], dim=1)
        real = self.D(pair).flatten()
        fake = self.D(torch.cat([x, y_fake.detach()], dim=1)).flatten()
        loss_D = discriminator_loss(real, fake).mean()
        self.opt_D.zero_grad()
        (loss_D + self._penalty(pair)).backward()
        self.opt_D.step()

        with frozen(self.D):
            logits = self.D(torch.cat([x, y_fake], dim=1)).flatten()
        loss_G = non_saturating_loss(logits).mean()
        self.opt_G.zero_grad()
        (self.lambda_gan * loss_G + self.lambda_l1 * l1).backward()
        self.opt_G.step()
        advance(self.schedule_G, self.schedule_D)
        return {"loss_D": loss_D, "loss_G": loss_G, "l1": l1}

    def _penalty(self, pair: Tensor) -> Tensor | float:
        if not self.r1:
            return 0.0

        def mean_logit(z: Tensor) -> Tensor:
            return self.D(z).flatten(1).mean(dim=1)

        return self.r1 / 2 * r1_penalty(mean_logit, pair).mean()


class CycleGANTrainer:
    """Unpaired sets x and y: G from x to y and F back, a discriminator for each set.

    Each made picture shall fool the discriminator of its set, and the way there and
    back shall return the picture: `lambda_cycle` weighs that error. With
    `lambda_identity`, G shall leave pictures of y as they are, and F those of x.
    Schedules, torch learning-rate schedulers, advance once a step.

    Raises: ValueError if the channels of the four networks do not fit, opt_G does not
        hold exactly the parameters of G and F, opt_D those of D_X and D_Y, or a weight
        is negative; in `step`, before any update, for pictures of other channels or
        a picture that does not come back in its own size.
    Source: Zhu et al. (2017), equation 3; identity: section 5.2.
    Differs: no pool of older fakes; L1 is a mean over pixels.
    """

    def __init__(
        self,
        G: nn.Module,
        F: nn.Module,
        D_X: nn.Module,
        D_Y: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        *,
        lambda_cycle: float = 10.0,
        lambda_identity: float = 0.0,
        schedule_G: LRScheduler | None = None,
        schedule_D: LRScheduler | None = None,
    ):
        check_optimizer("opt_G", opt_G, G=G, F=F)
        check_optimizer("opt_D", opt_D, D_X=D_X, D_Y=D_Y)
        _check_channels("F", F.in_channels, G.out_channels)
        _check_channels("G", G.in_channels, F.out_channels)
        _check_channels("D_X", D_X.in_channels, F.out_channels)
        _check_channels("D_Y", D_Y.in_channels, G.out_channels)
        if lambda_identity and G.in_channels != G.out_channels:
            raise ValueError(
                f"lambda_identity is {lambda_identity}, but G turns {G.in_channels} "
                f"channels into {G.out_channels}; give 0."
            )
        check_weights(lambda_cycle=lambda_cycle, lambda_identity=lambda_identity)
        self.G, self.F, self.D_X, self.D_Y = G, F, D_X, D_Y
        self.opt_G, self.opt_D = opt_G, opt_D
        self.lambda_cycle, self.lambda_identity = lambda_cycle, lambda_identity
        self.schedule_G, self.schedule_D = schedule_G, schedule_D

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.F), "y": pictures_of(self.G)}

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.G, self.F, self.D_X, self.D_Y)
        y_fake, x_fake = self.G(x), self.F(y)
        loss_D = self._judge(self.D_Y, y, y_fake) + self._judge(self.D_X, x, x_fake)
        self.opt_D.zero_grad()
        loss_D.backward()
        self.opt_D.step()

        loss_G = self._fool(self.D_Y, y_fake) + self._fool(self.D_X, x_fake)
        cycle = absolute_error(self.F(y_fake), x).mean()
        cycle = cycle + absolute_error(self.G(x_fake), y).mean()
        loss, terms = loss_G + self.lambda_cycle * cycle, {}
        if self.lambda_identity:
            identity = absolute_error(self.G(y), y).mean()
            identity = identity + absolute_error(self.F(x), x).mean()
            loss, terms = loss + self.lambda_identity * identity, {"identity": identity}
        self.opt_G.zero_grad()
        loss.backward()
        self.opt_G.step()
        advance(self.schedule_G, self.schedule_D)
        return {"loss_D": loss_D, "loss_G": loss_G, "cycle": cycle} | terms

    def _judge(self, D: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return least_squares_discriminator_loss(D(real), D(fake.detach())).mean()

    def _fool(self, D: nn.Module, fake: Tensor) -> Tensor:
        with frozen(D):
            return least_squares_generator_loss(D(fake)).mean()


def _check_channels(name: str, given: int, needed: int) -> None:
    if given != needed:
        raise ValueError(
            f"{name} takes {given} channels, but will be given {needed}; make it with "
            f"in_channels={needed}."
        )
