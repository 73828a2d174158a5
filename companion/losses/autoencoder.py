"""The equation of the autoencoder."""

from torch import Tensor


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Squared distance of a reconstruction from its image, one value per image.

    Shapes: x_hat, x (B, ...) -> (B,), summed over pixels.
    Units: those of x, squared; >= 0.
    Raises: ValueError if the shapes differ.
    """
    if x_hat.shape != x.shape:
        raise ValueError(
            f"x_hat has shape {tuple(x_hat.shape)} and x {tuple(x.shape)}; a "
            "reconstruction has the shape of its image."
        )
    return (x_hat - x).square().flatten(1).sum(dim=1)
