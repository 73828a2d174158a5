"""Measures of a predicted video, and predictions that need no network."""

from torch import Tensor
from torch.nn import functional as F

from companion.losses.video import frame_error

WINDOW = 7  # pixels; scikit-image's default
K1, K2 = 0.01, 0.03


def error_by_horizon(x_hat: Tensor, x: Tensor) -> Tensor:
    """Squared error of a frame, summed over pixels, averaged over videos.

    Shapes: x_hat, x (B, T, C, H, W) in [0, 1] -> (T,).
    Raises: as `frame_error`; ValueError if there is no video.
    """
    _some(x)
    return frame_error(x_hat, x).mean(dim=0)


def ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """Structural similarity of each frame: 1 for equal frames, about 0 for unlike ones.

    In each window of 7 x 7 pixels the means, variances and the covariance of the two
    frames are compared; the result is the mean over windows that lie in the frame and
    over channels.

    Shapes: x_hat, x (B, T, C, H, W) in [0, 1], H and W of 7 or more -> (B, T).
    Units: none; from -1 to 1.
    Raises: as `frame_error`; ValueError if a frame is smaller than the window.
    Source: Wang et al. (2004), equation 13.
    Differs: a uniform window and unbiased variances, the defaults of
        scikit-image's `structural_similarity`, with which moving digits are measured.
    """
    frame_error(x_hat[..., :0], x[..., :0])  # the shapes agree
    if min(x.shape[3:]) < WINDOW:
        raise ValueError(
            f"Frames of {x.shape[3]} x {x.shape[4]} pixels are smaller than the window "
            f"of {WINDOW} x {WINDOW}; give larger ones."
        )
    # In single precision a variance as difference of squares loses its digits.
    a, b = x_hat.flatten(0, 1).double(), x.flatten(0, 1).double()
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    var_a = unbiased * (_window_mean(a * a) - mean_a * mean_a)
    var_b = unbiased * (_window_mean(b * b) - mean_b * mean_b)
    cov = unbiased * (_window_mean(a * b) - mean_a * mean_b)
    light = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    shape = (2 * cov + K2**2) / (var_a + var_b + K2**2)
    return (light * shape).flatten(1).mean(dim=1).view(x.shape[:2]).to(x.dtype)


def persistence(given: Tensor, horizon: int) -> Tensor:
    """The last given frame, again and again.

    Shapes: given (B, T, C, H, W) -> (B, horizon, C, H, W).
    Raises: ValueError if there is no frame, or for a horizon below 1.
    """
    _some(given)
    return constant(given[:, -1], horizon)


def constant(frame: Tensor, horizon: int) -> Tensor:
    """The same frame at every horizon: a mean frame, a blank one.

    Shapes: frame (B, C, H, W) -> (B, horizon, C, H, W).
    Raises: ValueError if there is no frame, or for a horizon below 1.
    """
    if frame.dim() != 4 or frame.numel() == 0 or horizon < 1:
        raise ValueError(
            f"frame has shape {tuple(frame.shape)} and horizon is {horizon}; give "
            "(B, C, H, W) and a horizon of 1 frame or more."
        )
    return frame[:, None].expand(-1, horizon, -1, -1, -1)


def _window_mean(x: Tensor) -> Tensor:
    rows = F.avg_pool2d(x, (WINDOW, 1), stride=1)
    return F.avg_pool2d(rows, (1, WINDOW), stride=1)


def _some(x: Tensor) -> None:
    if x.dim() != 5 or x.numel() == 0:
        raise ValueError(
            f"The video has shape {tuple(x.shape)}; give (B, T, C, H, W) with one "
            "video and one frame or more."
        )
