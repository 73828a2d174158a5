"""The algorithm that trains a generator and a discriminator against each other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses import discriminator_loss, non_saturating_loss, r1_penalty
from companion.trainers.inputs import Check, labels_of, pictures_of
from companion.trainers.parts import (
    StepCount,
    advance,
    check_optimizer,
    check_weights,
    train_mode,
)


class GANTrainer:
    """One step of the discriminator, then one of the generator.

    Conditional networks, G(z, y) and D(x, y), take batches of images with labels: each
    generated image is made for the label of a real one of the batch, so that both
    have their labels from one distribution.

    `r1` is the weight gamma of the R1 penalty gamma / 2 |grad D|^2, which is added
    at every `r1_every`-th step only, `r1_every` times as strong. `augment` changes
    the images that D sees, real and generated alike; gradients must pass through
    it. With `average`, a WeightAverage of G, it follows G; sample from it.
    Schedules, torch learning-rate schedulers, advance once a step.

    Raises: ValueError if G and D have different image shapes or classes, an optimiser
        does not hold exactly its own network's parameters, r1 is negative, r1_every
        below 1, or D has batch normalisation and r1 is above 0.
    Source: Goodfellow et al. (2014), algorithm 1, with one update of D a step; with
        labels: Mirza and Osindero (2014), equation 2; R1:
        Mescheder et al. (2018); lazily: Karras et al. (2020); `augment`: Zhao et
        al. (2020).
    Differs: D and G are updated with the same batch of generated images.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        opt_G: Optimizer,
        opt_D: Optimizer,
        *,
        generator_loss: Callable[[Tensor], Tensor] = non_saturating_loss,
        r1: float = 0.0,
        r1_every: int = 8,
        augment: Callable[[Tensor], Tensor] | None = None,
        average: "WeightAverage | None" = None,
        schedule_G: LRScheduler | None = None,
        schedule_D: LRScheduler | None = None,
    ):
        check_pair(G, D, opt_G, opt_D)
        check_weights(r1=r1)
        if r1_every < 1:
            raise ValueError(f"r1_every is {r1_every}; give 1 step or more.")
        if r1:
            check_no_batch_norm(D)
        self.G, self.D, self.opt_G, self.opt_D = G, D, opt_G, opt_D
        self.generator_loss = generator_loss
        self.r1, self.r1_every, self.steps = r1, r1_every, StepCount()
        self.augment = augment or _unchanged
        self.average = average
        self.schedule_G, self.schedule_D = schedule_G, schedule_D

    def takes(self, x: Tensor) -> dict[str, Check | None]:
        return {"x": pictures_of(self.G)} | labels_of(self.G)

    def step(self, x: Tensor, *y: Tensor) -> dict[str, Tensor]:
        train_mode(self.G, self.D)
        x_fake = self.G(self.G.noise(len(x)), *y)

        real = self.D(self.augment(x), *y)
        fake = self.D(self.augment(x_fake.detach()), *y)
        loss_D = discriminator_loss(real, fake).mean()
        self.opt_D.zero_grad()
        (loss_D + self._penalty(x, *y)).backward()
        self.opt_D.step()

        with frozen(self.D):
            loss_G = self.generator_loss(self.D(self.augment(x_fake), *y)).mean()
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

    def _penalty(self, x: Tensor, *y: Tensor) -> Tensor | float:
        if not self.r1 or self.steps.done % self.r1_every:
            return 0.0
        penalty = r1_penalty(lambda images: self.D(images, *y), self.augment(x)).mean()
        return self.r1 / 2 * self.r1_every * penalty

    def _after_step(self) -> None:
        advance(self.schedule_G, self.schedule_D)
        if self.average is not None:
            self.average.update(self.G)
        self.steps.done += 1


class WeightAverage(nn.Module):
    """A copy of a generator whose weights follow it slowly; it draws the samples.

    After each step, average <- decay average + (1 - decay) weights, for the kept
    averages of batch normalisation too. At first the decay is smaller, so that the
    initial weights are soon forgotten.

    Raises: ValueError if decay is outside [0, 1).
    Source: Polyak and Juditsky (1992); for GANs, Yazici et al. (2019).
    """

    def __init__(self, G: nn.Module, decay: float = 0.999):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(
                f"decay is {decay}; give a value from 0 to below 1, such as 0.999."
            )
        self.decay = decay
        self.steps = StepCount()
        self.G = deepcopy(G).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, G: nn.Module) -> None:
        self.steps.done += 1
        decay = min(self.decay, self.steps.done / (self.steps.done + 10))
        for ours, theirs in zip(_numbers(self.G), _numbers(G), strict=True):
            ours.lerp_(theirs, 1 - decay)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """As the generator's."""
        return self.G.sample(n, generator=generator)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within, no gradients are recorded for the network's parameters.

    Gradients still pass through it to its input.
    """
    wanted = [(p, p.requires_grad) for p in network.parameters()]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, required in wanted:
            parameter.requires_grad = required


def check_pair(G: nn.Module, D: nn.Module, opt_G: Optimizer, opt_D: Optimizer) -> None:
    """That two networks and their optimisers can play against each other.

    Raises: ValueError if the image shapes or the classes of G and D differ, or an
        optimiser does not hold exactly the parameters of its own network.
    """
    for attribute in ("image_shape", "num_classes"):
        ours, theirs = (getattr(net, attribute, None) for net in (G, D))
        if ours != theirs:
            raise ValueError(
                f"G has {attribute} {ours}, D has {theirs}; make both with the same "
                f"{attribute}."
            )
    check_optimizer("opt_G", opt_G, G=G)
    check_optimizer("opt_D", opt_D, D=D)


def check_no_batch_norm(D: nn.Module) -> None:
    """Raises: ValueError if the gradient at one image would depend on the others."""
    if any(isinstance(module, _BatchNorm) for module in D.modules()):
        raise ValueError(
            "D has batch normalisation: the gradient at one image would depend on "
            "the others. Make it with batch_norm=False."
        )


def _unchanged(x: Tensor) -> Tensor:
    return x


def _numbers(network: nn.Module) -> list[Tensor]:
    """Parameters and averages; counts, which are whole numbers, have no average."""
    return [v for v in network.state_dict().values() if v.is_floating_point()]
