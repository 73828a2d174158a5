"""Equations of image-to-image translation."""

from torch import Tensor


def absolute_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Mean absolute difference of two pictures (L1), one value per picture.

    Shapes: x_hat, x (B, ...) -> (B,), the mean over pixels and channels.
    Units: those of x; >= 0.
    Raises: ValueError if the shapes differ.
    Source: Isola et al. (2017), equation 3.
    Differs: the mean, not the sum, so that it does not grow with the picture.
    """
    if x_hat.shape != x.shape:
        raise ValueError(
            f"x_hat has shape {tuple(x_hat.shape)} and x {tuple(x.shape)}; compare "
            "pictures of one shape."
        )
    return (x_hat - x).abs().flatten(1).mean(dim=1)


def least_squares_discriminator_loss(
    real_scores: Tensor, fake_scores: Tensor
) -> Tensor:
    """((D(x) - 1)^2 + D(G)^2) / 2, the mean over patches; one value per pair.

    Shapes: scores of real and of made pictures, each (B, ...) -> (B,).
    Units: squared scores, >= 0; 1/4 if D answers 1/2 to both.
    Raises: ValueError if the shapes differ or there is no score.
    Source: Mao et al. (2017), equation 9: a = 0, b = c = 1.
    """
    if real_scores.shape != fake_scores.shape:
        raise ValueError(
            f"The scores have shapes {tuple(real_scores.shape)} and "
            f"{tuple(fake_scores.shape)}; give equally many real and made pictures "
            "of one size."
        )
    return (_distance(real_scores, 1.0) + _distance(fake_scores, 0.0)) / 2


def least_squares_generator_loss(fake_scores: Tensor) -> Tensor:
    """(D(G) - 1)^2, the mean over patches; one value per made picture.

    Shapes: scores (B, ...) -> (B,).
    Units: squared scores, >= 0.
    Raises: ValueError if there is no score.
    Source: Mao et al. (2017), equation 9: a = 0, b = c = 1.
    Differs: without the factor 1/2, as in the code of CycleGAN.
    """
    return _distance(fake_scores, 1.0)


def _distance(scores: Tensor, target: float) -> Tensor:
    if scores.dim() == 0 or scores.numel() == 0:
        raise ValueError(
            f"Scores have shape {tuple(scores.shape)}; a discriminator returns one or "
            "more for each picture, (B, ...)."
        )
    return (scores - target).square().reshape(len(scores), -1).mean(dim=1)
