"""What several families of models share."""

from torch import Tensor


def check_images(x: Tensor, image_shape: tuple[int, int, int]) -> None:
    """Raises: ValueError if x is not a batch of images of `image_shape`."""
    if x.shape[1:] != image_shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this network takes "
            f"(B, {', '.join(map(str, image_shape))})."
        )


def check_lengths(name: str, value: Tensor, labels: Tensor) -> None:
    """Raises: ValueError unless there is one label for each row of `value`."""
    if len(value) != len(labels):
        raise ValueError(
            f"{name} has {len(value)} rows for {len(labels)} labels; give one label "
            "each."
        )


def check_latent(z: Tensor, latent: int) -> None:
    """Raises: ValueError if z is not a batch of `latent` numbers each."""
    if z.dim() != 2 or z.shape[1] != latent:
        raise ValueError(
            f"z has shape {tuple(z.shape)}; this network takes (B, {latent})."
        )
