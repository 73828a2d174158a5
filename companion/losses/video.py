"""The equation of video prediction."""

from torch import Tensor


def frame_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Squared error of each frame, summed over its pixels.

    Averaged over videos it is what the literature on moving digits calls the MSE of a
    frame, with images in [0, 1]: a sum over pixels, not a mean.

    Shapes: x_hat, x (B, T, C, H, W) -> (B, T).
    Units: those of x, squared; >= 0.
    Raises: ValueError if the shapes differ or are no videos of one frame or more.
    Source: Shi et al. (2015) and Wang et al. (2017) for its use.
    """
    check_videos(x_hat, x)
    return (x_hat - x).square().flatten(2).sum(dim=2)


def check_videos(x_hat: Tensor, x: Tensor) -> None:
    """That two videos can be compared.

    Raises: ValueError if their shapes differ or are no videos of one frame or more.
    """
    if x_hat.shape != x.shape or x.dim() != 5 or x.shape[1] == 0:
        raise ValueError(
            f"x_hat has shape {tuple(x_hat.shape)} and x {tuple(x.shape)}; give two "
            "videos (B, T, C, H, W) of one shape, with one frame or more."
        )
