"""Spectral normalisation: layers that cannot stretch anything."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from companion.models.copies import LinearCopies


class SpectralNorm(nn.Module):
    """Weights divided by their largest singular value, found by power iteration.

    v <- W^T u / |W^T u|, u <- W v / |W v|, sigma = u^T W v: one round whenever the
    weights are asked for in training mode, many at the start. A convolution's kernel
    counts as a matrix with one row for each output channel; LinearCopies has a
    matrix for each copy.

    Shapes: the weight of a layer -> the same.
    Source: Miyato et al. (2018), algorithm 1; as
        torch.nn.utils.parametrizations.spectral_norm.
    Differs: takes several matrices side by side.
    """

    def __init__(self, weight: Tensor, copies: bool = False):
        super().__init__()
        self.copies = copies
        W = self._matrices(weight.detach())  # (copies, rows, columns)
        self.register_buffer("u", F.normalize(torch.randn_like(W[:, :, :1]), dim=1))
        self.register_buffer("v", F.normalize(torch.randn_like(W[:, :1].mT), dim=1))
        for _ in range(15):
            self._iterate(W)

    def forward(self, weight: Tensor) -> Tensor:
        W = self._matrices(weight)
        if self.training:
            self._iterate(W.detach())
        # Copies: the next round must not change what a backward pass needs.
        sigma = self.u.clone().mT @ W @ self.v.clone()  # (copies, 1, 1)
        return (W / sigma).view_as(weight)

    def _iterate(self, W: Tensor) -> None:
        self.v.copy_(F.normalize(W.mT @ self.u, dim=1))
        self.u.copy_(F.normalize(W @ self.v, dim=1))

    def _matrices(self, weight: Tensor) -> Tensor:
        return weight if self.copies else weight.flatten(1)[None]


def spectral_norm(network: nn.Module) -> nn.Module:
    """Spectral normalisation for all linear and convolutional layers, in place.

    Make the network's optimiser afterwards. Returns the network.

    Raises: ValueError if there is no such layer, one is normalised already or has no
        weight but zeros, which cannot be divided by their largest singular value, or
        for a transposed convolution, whose kernel lies the other way.
    Source: Miyato et al. (2018).
    """
    if any(isinstance(module, nn.ConvTranspose2d) for module in network.modules()):
        raise ValueError(
            f"{type(network).__name__} has a transposed convolution; normalise a "
            "network without, such as a discriminator."
        )
    layers = [
        module
        for module in network.modules()
        if isinstance(module, nn.Linear | nn.Conv2d | LinearCopies)
    ]
    if not layers or any(map(parametrize.is_parametrized, layers)):
        raise ValueError(
            f"{type(network).__name__} has {len(layers)} linear and convolutional "
            "layers; give a network with some, and none normalised before."
        )
    for name, layer in network.named_modules():
        if layer in layers and not layer.weight.any():
            raise ValueError(
                f"The weight of layer {name!r} is zero; give it other values first."
            )
    for layer in layers:
        norm = SpectralNorm(layer.weight, isinstance(layer, LinearCopies))
        parametrize.register_parametrization(layer, "weight", norm)
    return network
