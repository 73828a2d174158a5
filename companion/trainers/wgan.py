"""The algorithms that train a generator against a Wasserstein critic."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from companion.losses import critic_loss, gradient_penalty, random_between
from companion.trainers.gan import (
    WeightAverage,
    check_no_batch_norm,
    check_pair,
    frozen,
)
from companion.trainers.inputs import Check, pictures_of
from companion.trainers.parts import StepCount, check_weights, train_mode


class _CriticTrainer:
    """What both trainers share: the pair, the count of steps, the generator's update.

    Each step is one update of the critic on its batch; every `n_critic`-th step also
    updates G. With `average`, a WeightAverage of G, it follows G; sample from it.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        *,
        n_critic: int = 5,
        average: WeightAverage | None = None,
    ):
        check_pair(G, D, opt_G, opt_D)
        if n_critic != int(n_critic) or n_critic < 1:
            raise ValueError(
                f"n_critic is {n_critic}; give a whole number of 1 or more: how many "
                "updates of the critic go with one of the generator."
            )
        self.G, self.D, self.opt_G, self.opt_D = G, D, opt_G, opt_D
        self.n_critic, self.steps = int(n_critic), StepCount()
        self.average = average

    def _fakes(self, n: int) -> Tensor:
        """n generated images for the critic, without a graph."""
        train_mode(self.G, self.D)
        with torch.no_grad():
            return self.G(self.G.noise(n))

    def _generator_turn(self, n: int) -> dict[str, Tensor]:
        """At every `n_critic`-th call, a step of G down -D(G(z))."""
        self.steps.done += 1
        if self.steps.done % self.n_critic:
            return {}
        with frozen(self.D):
            loss_G = -self.D(self.G(self.G.noise(n))).mean()
        self.opt_G.zero_grad()
        loss_G.backward()
        self.opt_G.step()
        if self.average is not None:
            self.average.update(self.G)
        return {"loss_G": loss_G}


class WGANTrainer(_CriticTrainer):
    """Wasserstein GAN: after each of its steps the critic's weights are clipped.

    Each step is one update of the critic on its batch; every `n_critic`-th step also
    updates G. With `average`, a WeightAverage of G, it follows G; sample from it.

    Raises: ValueError if G and D have different image shapes, an optimiser does not
        hold exactly its own network's parameters, n_critic is no whole number of 1
        or more, or clip is not above 0.
    Source: Arjovsky et al. (2017), algorithm 1.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        *,
        clip: float = 0.01,
        n_critic: int = 5,
        average: WeightAverage | None = None,
    ):
        super().__init__(G, D, opt_G, opt_D, n_critic=n_critic, average=average)
        if not clip > 0:
            raise ValueError(
                f"clip is {clip}; the critic's weights are kept between -clip and "
                "clip: give a number above 0, such as 0.01."
            )
        self.clip = clip

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.G)}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        x_fake = self._fakes(len(x))
        loss_D = critic_loss(self.D(x), self.D(x_fake)).mean()
        self.opt_D.zero_grad()
        loss_D.backward()
        self.opt_D.step()
        with torch.no_grad():
            for w in self.D.parameters():
                w.clamp_(-self.clip, self.clip)
        return {"distance": -loss_D} | self._generator_turn(len(x))


class WGANGPTrainer(_CriticTrainer):
    """Wasserstein GAN with gradient penalty, of weight `lambda_gp`.

    Each step is one update of the critic on its batch; every `n_critic`-th step also
    updates G. With `average`, a WeightAverage of G, it follows G; sample from it.

    Raises: ValueError if G and D have different image shapes, an optimiser does not
        hold exactly its own network's parameters, n_critic is no whole number of 1
        or more, lambda_gp is negative, or D has batch normalisation.
    Source: Gulrajani et al. (2017), algorithm 1.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        *,
        lambda_gp: float = 10.0,
        n_critic: int = 5,
        average: WeightAverage | None = None,
    ):
        super().__init__(G, D, opt_G, opt_D, n_critic=n_critic, average=average)
        check_weights(lambda_gp=lambda_gp)
        check_no_batch_norm(D)
        self.lambda_gp = lambda_gp

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.G)}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        x_fake = self._fakes(len(x))
        loss_D = critic_loss(self.D(x), self.D(x_fake)).mean()
        penalty = gradient_penalty(self.D, random_between(x, x_fake)).mean()
        self.opt_D.zero_grad()
        (loss_D + self.lambda_gp * penalty).backward()
        self.opt_D.step()
        terms = {"distance": -loss_D, "penalty": penalty}
        return terms | self._generator_turn(len(x))
