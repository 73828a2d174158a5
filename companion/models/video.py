"""Networks that read a video frame by frame and say how it goes on."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.runtime import evaluating

State = tuple[Tensor, Tensor]
# Where the logits of frames start: most pixels of a moving digit's frame are dark.
DARK = -4.0
GAIN = 8.0


class ConvLSTMCell(nn.Module):
    """An LSTM cell whose matrix products are convolutions.

    State and gates are images of `hidden` channels. With kernels of 1 x 1 on images
    of 1 x 1 it is torch's LSTM cell.

    Shapes: x (B, in_channels, H, W), state (h, c), each (B, hidden, H, W) -> (h', c').
        Without a state both are zero.
    Raises: ValueError for sizes below 1, an even kernel, other shapes, or a state of
        another batch size or image size.
    Source: Shi et al. (2015), equation 3.
    Differs: no peepholes, by which the paper's gates also see the cell state.
    """

    def __init__(self, in_channels: int, hidden: int, kernel_size: int = 3):
        super().__init__()
        if min(in_channels, hidden, kernel_size) < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"in_channels is {in_channels}, hidden {hidden} and kernel_size "
                f"{kernel_size}; all are 1 or more, and the kernel is odd."
            )
        self.in_channels, self.hidden = in_channels, hidden
        same = {"kernel_size": kernel_size, "padding": kernel_size // 2}
        self.from_input = nn.Conv2d(in_channels, 4 * hidden, **same)
        self.from_state = nn.Conv2d(hidden, 4 * hidden, **same, bias=False)
        with torch.no_grad():  # forget gates start open
            self.from_input.bias[hidden : 2 * hidden] = 1.0

    def first(self, x: Tensor) -> Tensor:
        """A state of zeros for a batch of inputs, where the inputs live.

        Raises: ValueError if x is not (B, in_channels, H, W).
        """
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this cell takes one step of a "
                f"sequence, (B, {self.in_channels}, H, W)."
            )
        return x.new_zeros(len(x), self.hidden, *x.shape[2:])

    def checked(self, x: Tensor, state: State | None) -> State:
        """The state, if it can go with the input x; zeros for None.

        Raises: ValueError for a state of another shape.
        """
        zero = self.first(x)
        h, c = (zero, zero) if state is None else state
        if h.shape != zero.shape or c.shape != zero.shape:
            raise ValueError(
                f"The state has shapes {tuple(h.shape)} and {tuple(c.shape)}; this "
                f"input needs {tuple(zero.shape)}. Start each batch with a new state."
            )
        return h, c

    def forward(self, x: Tensor, state: State | None = None) -> State:
        h, c = self.checked(x, state)
        i, f, g, o = (self.from_input(x) + self.from_state(h)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class VideoPredictor(nn.Module):
    """What every predictor can do: read a frame and say the next, again and again.

    A subclass has `step(x, state=None) -> (x_hat, state)`: from one frame, and what it
    keeps of those before, the next frame.

    Shapes: videos (B, T, *frame_shape) in [0, 1].
    Raises: ValueError for sizes below 1.
    """

    unit_range = True  # trainers refuse videos in another range

    def __init__(self, frame_shape: tuple[int, int, int], multiple: int):
        super().__init__()
        if len(frame_shape) != 3 or min(frame_shape) < 1:
            raise ValueError(
                f"frame_shape is {tuple(frame_shape)}; give (channels, height, width), "
                "all 1 or more."
            )
        if frame_shape[1] % multiple or frame_shape[2] % multiple:
            raise ValueError(
                f"Frames of {frame_shape[1]} x {frame_shape[2]} pixels cannot be cut "
                f"evenly: height and width are multiples of {multiple} here."
            )
        self.frame_shape = tuple(frame_shape)

    def step(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        raise NotImplementedError(f"{type(self).__name__} has no step(x, state).")

    def forward(self, x: Tensor, true: Tensor | None = None) -> Tensor:
        """Frames 1, ..., T - 1, each predicted from what was read before it.

        Where `true` holds, the network reads the frame of the video; elsewhere it
        reads its own last prediction. Without it, all frames are the video's.

        Shapes: x (B, T, *frame_shape), true (B, T - 1) -> (B, T - 1, *frame_shape).
        Raises: ValueError for videos of fewer than 2 frames or other frames, and if
            `true` has another shape or a false first column.
        """
        self.check(x, least=2)
        if true is None:
            true = torch.ones(x.shape[0], x.shape[1] - 1, dtype=torch.bool)
            true = true.to(x.device)
        if true.shape != (len(x), x.shape[1] - 1) or not true[:, 0].all():
            raise ValueError(
                f"true has shape {tuple(true.shape)}; give ({len(x)}, "
                f"{x.shape[1] - 1}), with a first frame that is the video's."
            )
        x_hat, state, predicted = x[:, 0], None, []
        for t, own in enumerate((~true).unbind(dim=1)):
            frame = torch.where(own.view(-1, 1, 1, 1), x_hat, x[:, t])
            x_hat, state = self.step(frame, state)
            predicted.append(x_hat)
        return torch.stack(predicted, dim=1)

    def roll_out(self, given: Tensor, horizon: int) -> Tensor:
        """The next `horizon` frames; after the given ones it reads its own.

        Shapes: given (B, T, *frame_shape) -> (B, horizon, *frame_shape) in [0, 1].
        Raises: ValueError for a horizon below 1, no frame, or other frames.
        """
        self.check(given, least=1)
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}; predict 1 frame or more.")
        state, predicted = None, []
        with evaluating(self):
            for frame in given.unbind(dim=1):
                x_hat, state = self.step(frame, state)
            for _ in range(horizon - 1):
                predicted.append(x_hat)
                x_hat, state = self.step(x_hat, state)
        return torch.stack([*predicted, x_hat], dim=1)

    def check(self, x: Tensor, least: int) -> None:
        """Raises: ValueError if x is no video of these frames, `least` or more."""
        if x.dim() != 5 or x.shape[2:] != self.frame_shape or x.shape[1] < least:
            raise ValueError(
                f"The video has shape {tuple(x.shape)}; this network takes (B, T, "
                f"{', '.join(map(str, self.frame_shape))}) with T of {least} or more."
            )


class LatentLSTM(VideoPredictor):
    """An encoder squeezes each frame into a code, an LSTM continues the codes, a
    decoder draws the next frame.

    Shapes: as `VideoPredictor`; height and width are multiples of 8.
    Raises: ValueError for sizes below 1, or sides that are no multiple of 8.
    Source: Srivastava et al. (2015), section 2.
    Differs: one LSTM that reads and predicts; convolutions around it.
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int] = (1, 64, 64),
        latent: int = 128,
        hidden: int = 256,
        width: int = 32,
    ):
        super().__init__(frame_shape, multiple=8)
        if min(latent, hidden, width) < 1:
            raise ValueError(
                f"latent is {latent}, hidden {hidden} and width {width}; give 1 or "
                "more."
            )
        channels, height, breadth = frame_shape
        maps = (width, height // 8, breadth // 8)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(16 * channels, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(prod(maps), latent),
        )
        self.lstm = nn.LSTMCell(latent, hidden)
        self.decoder = nn.Sequential(
            nn.Linear(hidden, prod(maps)),
            nn.Unflatten(1, maps),
            nn.SiLU(),
            nn.Conv2d(width, 64 * channels, 3, padding=1),
            nn.PixelShuffle(8),
        )
        with torch.no_grad():
            self.decoder[-2].bias.fill_(DARK)

    def step(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        h, c = self.lstm(self.encoder(x), state)
        return self.decoder(h).sigmoid(), (h, c)


class ConvLSTM(VideoPredictor):
    """A ConvLSTM on frames cut into patches, between two small convolutional networks.

    The head says from the state how bright each pixel of the next frame is. With
    `reach` it also says for each patch how probable each shift of up to so many pixels
    is; the last frame, moved by these shifts, is added to the logits.

    Shapes: as `VideoPredictor`; height and width are multiples of `patch`.
    Raises: ValueError for sizes below 1, sides that are no multiple of `patch`, an
        even kernel, or a negative reach.
    Source: Shi et al. (2015), section 3; shifts: De Brabandere et al. (2016).
    Differs: one layer that reads and predicts; no peepholes; a layer before and after.
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int] = (1, 64, 64),
        hidden: int = 48,
        kernel_size: int = 3,
        width: int = 32,
        patch: int = 4,
        reach: int = 0,
    ):
        if min(patch, width) < 1 or reach < 0:
            raise ValueError(
                f"patch is {patch}, width {width} and reach {reach}; give 1 or more, "
                "and for the reach 0 or more."
            )
        super().__init__(frame_shape, multiple=patch)
        self.reach, self.num_shifts = reach, (2 * reach + 1) ** 2 if reach else 0
        channels = patch**2 * frame_shape[0]
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(patch),
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
        )
        self.cell = ConvLSTMCell(width, hidden, kernel_size)
        self.head = nn.Sequential(
            nn.Conv2d(hidden, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, self.num_shifts + channels, 1),
        )
        self.join = nn.PixelShuffle(patch)
        with torch.no_grad():
            self.head[-1].bias[self.num_shifts :] = DARK
        if reach:
            self.gain = nn.Parameter(torch.tensor(GAIN))

    def say(self, state: State) -> tuple[Tensor, Tensor]:
        """From a state: logits of the pixels, and probabilities of each patch's shifts.

        Shapes: -> (B, C, H, W), (B, (2 reach + 1)^2, H / patch, W / patch).
        """
        shifts, pixels = self.head(state[0]).tensor_split([self.num_shifts], dim=1)
        return self.join(pixels), shifts.softmax(dim=1)

    def step(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = self.cell(self.encoder(x), state)
        logits, p = self.say(state)
        if self.reach:
            logits = logits + self.gain * moved(x, p)
        return logits.sigmoid(), state


def moved(x: Tensor, p: Tensor) -> Tensor:
    """Each patch as an average of shifted images, with the patch's own weights.

    Weight k (2 r + 1) + l of a patch goes with the pixels k - r below and l - r to the
    right of the patch's own; outside the image all is 0.

    Shapes: x (B, C, H, W), p (B, (2 r + 1)^2, H / patch, W / patch) -> as x.
    Raises: ValueError if p does not fit the images or its number of shifts is no
        square of an odd number.
    Source: De Brabandere et al. (2016), section 3.
    """
    side = round(p.shape[1] ** 0.5)
    b, channels, height, width = x.shape
    patch = height // p.shape[2]
    fits = (b, height, width) == (len(p), patch * p.shape[2], patch * p.shape[3])
    if side**2 != p.shape[1] or side % 2 == 0 or not fits:
        raise ValueError(
            f"p has shape {tuple(p.shape)} for images {tuple(x.shape)}; give "
            "(B, (2 r + 1)^2, H / patch, W / patch)."
        )
    around = patch + side - 1  # pixels that a patch may come from, a side
    near = F.unfold(x, around, padding=side // 2, stride=patch)
    near = near.view(b, channels, around, around, -1).permute(1, 0, 4, 2, 3)
    # One group for each patch: a convolution with the patch's own kernel.
    kernels = p.permute(0, 2, 3, 1).reshape(-1, 1, side, side)
    out = F.conv2d(near.flatten(1, 2), kernels, groups=len(kernels))
    out = out.view(channels, b, p.shape[2], p.shape[3], patch, patch)
    return out.permute(1, 0, 2, 4, 3, 5).reshape(x.shape)
