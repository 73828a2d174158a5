"""Images as tensors in [0, 1], in fixed splits, drawn in batches on their device."""

from companion.data.augmentation import (
    binarize,
    color_jitter,
    crop,
    flip,
    salt_and_pepper,
)
from companion.data.batches import Batches
from companion.data.files import CorruptFileError, NotAvailableError
from companion.data.folder import picture_folder
from companion.data.mnist import (
    digits,
    embedded_in_mnist_train,
    fashion,
    mnist_arrays,
)
from companion.data.openmoji import SKIN_TONES, EmojiData, EmojiSplit, emoji
from companion.data.pairs import PairBatches, tone_pairs
from companion.data.photographs import cifar10, lfw
from companion.data.splits import ImageData, Split

__all__ = [
    "SKIN_TONES",
    "Batches",
    "CorruptFileError",
    "EmojiData",
    "EmojiSplit",
    "ImageData",
    "NotAvailableError",
    "PairBatches",
    "Split",
    "cifar10",
    "binarize",
    "color_jitter",
    "crop",
    "digits",
    "embedded_in_mnist_train",
    "emoji",
    "fashion",
    "flip",
    "lfw",
    "mnist_arrays",
    "picture_folder",
    "salt_and_pepper",
    "tone_pairs",
]
