"""What several families of models share."""

from torch import Tensor


def check_images(x: Tensor, image_shape: tuple[int, int, int]) -> None:
    """Raises: ValueError if x is not a batch of images of `image_shape`."""
    if x.shape[1:] != image_shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this network takes "
            f"(B, {', '.join(map(str, image_shape))})."
        )
