"""From words to pictures: an encoder of captions, and a U-Net that reads it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from companion.data.checks import check_labels
from companion.data.wording import Vocabulary
from companion.models.blocks import check_lengths
from companion.models.diffusion import VelocityDenoiser
from companion.models.unet import TimeUNet, group_norm


class WordEncoder(nn.Module):
    """A vector for each word of a caption, in which its neighbours have a say.

    Each word and each place has a vector; then the words attend to each other, once. Of
    a caption without words the first place stands for "nothing said".

    Shapes: words (B, L) int64, 0 behind the end -> (B, L, width).
    Raises: ValueError for a caption of another length, or unknown words.
    Source: Vaswani et al. (2017), section 3.1.
    """

    def __init__(self, vocabulary: int, longest: int, width: int = 32, heads: int = 2):
        super().__init__()
        self.longest, self.width = longest, width
        self.word = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(0.1 * torch.randn(longest, width))
        self.layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )

    def forward(self, words: Tensor) -> Tensor:
        if words.dim() != 2 or words.shape[1] != self.longest:
            raise ValueError(
                f"words have shape {tuple(words.shape)}; give (B, {self.longest}), 0 "
                "behind the end of a caption."
            )
        check_labels("words", words.flatten(), self.word.num_embeddings)
        vectors = self.word(words) + self.place
        return self.layer(vectors, src_key_padding_mask=behind_the_end(words))


class WordUNet(TimeUNet):
    """As `TimeUNet`, told a caption in place of a label.

    The mean of the words' vectors is told to every block, like the time; and each place
    of the smallest maps takes up what it needs of the words: cross-attention.

    Shapes: x (B, *image_shape), t (B,), words (B, L) -> (B, *image_shape).
    Raises: as `TimeUNet` and `WordEncoder`.
    Source: Rombach et al. (2022), section 3.3.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        widths: Sequence[int] = (32, 64),
        *,
        vocabulary: int,
        longest: int,
        word_width: int = 32,
        blocks: int = 1,
        patch: int = 2,
    ):
        super().__init__(image_shape, widths, blocks=blocks, patch=patch)
        self.encoder = WordEncoder(vocabulary, longest, word_width)
        self.summary = nn.Linear(word_width, self.time[-1].out_features)
        self.attend = CrossAttention(widths[-1], word_width)
        self.untold, self.nothing = True, 0

    def condition(self, x: Tensor, *y: Tensor) -> tuple[Tensor, ...]:
        if not y:
            raise ValueError(
                "This network is told a caption: give y, the numbers of its words; all "
                "0 if nothing is said."
            )
        (words,) = y
        check_lengths("x", x, words)
        vectors, hidden = self.encoder(words), behind_the_end(words)
        seen = (~hidden)[:, :, None].to(vectors.dtype)
        mean = (vectors * seen).sum(dim=1) / seen.sum(dim=1)
        return self.summary(mean), vectors, hidden


class CrossAttention(nn.Module):
    """Each place of the maps takes up a mean of the words, weighted by its question.

    Shapes: x (B, channels, H, W), words (B, L, width), hidden (B, L) bool -> as x.
    Source: Vaswani et al. (2017); for pictures: Rombach et al. (2022), section 3.3.
    """

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.norm = group_norm(channels)
        self.ask = nn.Conv2d(channels, channels, 1)
        self.offer = nn.Linear(width, 2 * channels)
        self.answer = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.answer.weight)  # at first nothing is taken up
        nn.init.zeros_(self.answer.bias)

    def forward(self, x: Tensor, words: Tensor, hidden: Tensor) -> Tensor:
        mean, _ = self.look(x, words, hidden)
        return x + self.answer(mean.mT.reshape(x.shape))

    def look(self, x: Tensor, words: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The means, and how much each place looks at each word.

        Shapes: -> (B, H W, channels), (B, H W, L).
        """
        q = self.ask(self.norm(x)).flatten(2).mT
        k, v = self.offer(words).chunk(2, dim=2)
        scores = (q @ k.mT / q.shape[2] ** 0.5).masked_fill(hidden[:, None], -torch.inf)
        weights = scores.softmax(dim=2)
        return weights @ v, weights


class WordFlow(VelocityDenoiser):
    """A flow from noise to pictures of a caption along straight paths.

    `vocabulary` turns captions of `words` into the numbers that it takes as y. Samples
    for which no y is given are of the caption without words.

    Settings, shapes and errors: as `WordUNet`, `Vocabulary` and `Denoiser`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        *,
        words: Sequence[str],
        longest: int,
        **sizes: Any,
    ):
        vocabulary = Vocabulary(tuple(words), longest)
        told = {"vocabulary": len(vocabulary), "longest": longest}
        super().__init__(WordUNet(image_shape, **told, **sizes))
        self.vocabulary = vocabulary

    def _labels(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        if y is None:
            y = torch.zeros(len(x), self.vocabulary.longest, dtype=torch.int64)
        return super()._labels(x, y)


def behind_the_end(words: Tensor) -> Tensor:
    """Which places no caption reaches; the first place always counts.

    Shapes: (B, L) -> (B, L) of bool.
    """
    hidden = words == 0
    hidden[:, 0] = False
    return hidden
