"""The algorithms that train a vector-quantised autoencoder and its prior."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from companion.losses.vqvae import vq_loss
from companion.trainers.inputs import Check, class_numbers, pictures_of
from companion.trainers.parts import advance, check_weights, train_mode


class VQVAETrainer:
    """Straight-through gradients, and codes that nobody used are moved to the data.

    Every `revive_every` steps, each code that was not used since the last time takes
    the value of a vector that the encoder gives for the present batch; 0 leaves dead
    codes dead.

    Raises: ValueError if commitment or revive_every is negative.
    Source: van den Oord et al. (2017), equation 3; revival: Dhariwal et al. (2020),
        section 3.1.
    """

    def __init__(
        self,
        vqvae: nn.Module,
        opt: Optimizer,
        *,
        commitment: float = 0.25,
        revive_every: int = 50,
        schedule: LRScheduler | None = None,
    ):
        check_weights(commitment=commitment)
        if revive_every < 0:
            raise ValueError(
                f"revive_every is {revive_every}; give a number, 0 for never."
            )
        self.vqvae, self.opt, self.schedule = vqvae, opt, schedule
        self.commitment, self.revive_every = commitment, revive_every
        self.usage = Usage(vqvae.num_codes)

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": pictures_of(self.vqvae)}

    def step(self, x: Tensor) -> dict[str, Tensor]:
        train_mode(self.vqvae)
        terms = vq_loss(self.vqvae, x, self.commitment)
        self.opt.zero_grad()
        terms["loss"].backward()
        self.opt.step()
        advance(self.schedule)
        self.usage.add(terms.pop("codes"))
        if self.revive_every and self.usage.steps % self.revive_every == 0:
            self._revive(x)
        return terms

    @torch.no_grad()
    def _revive(self, x: Tensor) -> None:
        dead = self.usage.unused_codes().to(x.device)
        vectors = self.vqvae.encode(x).permute(0, 2, 3, 1).flatten(0, 2)
        chosen = torch.randint(len(vectors), (len(dead),), device=x.device)
        self.vqvae.codebook[dead] = vectors[chosen]


class Usage(nn.Module):
    """Which codes were used since the last look; checkpoints keep it."""

    def __init__(self, num_codes: int):
        super().__init__()
        self.register_buffer("used", torch.zeros(num_codes, dtype=torch.bool))
        self.register_buffer("steps", torch.tensor(0))

    def add(self, codes: Tensor) -> None:
        self.used[codes.flatten().to(self.used.device)] = True
        self.steps += 1

    def unused_codes(self) -> Tensor:
        """Numbers of the codes that were not used; the count begins anew."""
        unused = (~self.used).nonzero()[:, 0]
        self.used.zero_()
        return unused


class CodePriorTrainer:
    """Maximum likelihood of codes: cross-entropy of each given those before it.

    A step takes code maps (B, h, w) and returns "nll", in nats a map.
    """

    def __init__(
        self,
        prior: nn.Module,
        opt: Optimizer,
        *,
        schedule: LRScheduler | None = None,
    ):
        self.prior, self.opt, self.schedule = prior, opt, schedule

    def takes(self, codes: Tensor) -> dict[str, Check]:
        return class_numbers("codes", getattr(self.prior, "num_codes", None))

    def step(self, codes: Tensor) -> dict[str, Tensor]:
        train_mode(self.prior)
        nll = F.cross_entropy(self.prior(codes), codes, reduction="none")
        nll = nll.flatten(1).sum(dim=1).mean()
        self.opt.zero_grad()
        nll.backward()
        self.opt.step()
        advance(self.schedule)
        return {"nll": nll}
