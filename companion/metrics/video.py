"""Measures of a predicted video, and predictions that need no network."""

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from companion.losses.video import check_videos, frame_error

WINDOW = 7  # pixels; scikit-image's default


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
    over channels. It is scikit-image's `structural_similarity`, on the CPU.

    Shapes: x_hat, x (B, T, C, H, W) in [0, 1], H and W of 7 or more -> (B, T).
    Units: none; from -1 to 1.
    Raises: as `frame_error`; ValueError if a frame is smaller than the window.
    Source: Wang et al. (2004), equation 13.
    """
    check_videos(x_hat, x)
    if min(x.shape[3:]) < WINDOW:
        raise ValueError(
            f"Frames of {x.shape[3]} x {x.shape[4]} pixels are smaller than the window "
            f"of {WINDOW} x {WINDOW}; give larger ones."
        )
    # In single precision a variance as difference of squares loses its digits.
    pairs = zip(
        *(v.detach().cpu().double().flatten(0, 1).numpy() for v in (x_hat, x)),
        strict=True,
    )
    similar = [
        structural_similarity(a, b, win_size=WINDOW, data_range=1.0, channel_axis=0)
        for a, b in pairs
    ]
    return torch.tensor(similar, dtype=x.dtype, device=x.device).view(x.shape[:2])


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


def _some(x: Tensor) -> None:
    if x.dim() != 5 or x.numel() == 0:
        raise ValueError(
            f"The video has shape {tuple(x.shape)}; give (B, T, C, H, W) with one "
            "video and one frame or more."
        )
