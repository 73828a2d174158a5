"""A reader's folder of pictures: every kind of file, every pixel, fixed splits."""

import io
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from companion.data import picture_folder
from companion.data.reading import UnreadableError, read_picture
from companion.models.autoencoder import pca

ROW = np.array([[0, 1000, 20000, 40000, 65535]], np.uint16)
WHITE = (1.0, 1.0, 1.0)


def noise(seed, h=20, w=24, channels=3):
    """A picture like no other, smooth enough for JPEG."""
    r = np.random.RandomState(seed)
    coarse = Image.fromarray(r.randint(0, 256, (4, 4, channels)).astype(np.uint8))
    return coarse.resize((w, h), Image.Resampling.BILINEAR)


def fill(folder, names):
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(seed).save(path)


def pixels(path, ground=WHITE):
    """All pixels of a file, (H W, 3), unscaled."""
    with Image.open(path) as file:
        size = file.size[::-1]
    x = read_picture(path, (3, *size), "cut", ground)
    return x.reshape(3, -1).T


def png(depth, kind, row, clear=b""):
    """A PNG of one row that Pillow cannot write: any depth, a transparent value."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    width = {1: 8, 2: 4, 4: 2}.get(depth, len(row) * 8 // depth // (3 if kind else 1))
    header = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
    parts = chunk(b"IHDR", header) + (chunk(b"tRNS", clear) if clear else b"")
    parts += chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff_of_12_bits(row):
    """A TIFF of one row of two numbers below 4096, packed into three bytes."""
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 277: 1, 278: 1, 279: 3}
    tags[273] = 8 + 2 + 12 * 9 + 4  # where the row lies: after header and tags
    entries = [struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags)]
    a, b = row
    packed = bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + b"".join(entries) + bytes(4) + packed


# What is in a file


def test_sixteen_bits_are_kept(tmp_path):
    Image.fromarray(ROW).save(tmp_path / "little.png")
    Image.fromarray(ROW).save(tmp_path / "little.tif")
    big = Image.frombytes("I;16B", (5, 1), ROW.astype(">u2").tobytes())
    big.save(tmp_path / "big.tif")
    for path in tmp_path.iterdir():
        found = pixels(path)
        assert found[:, 0] == pytest.approx([0, 0.0153, 0.3052, 0.6104, 1], abs=5e-5)
        assert found == pytest.approx(np.repeat(ROW.T / 65535, 3, axis=1), abs=1e-7)


def test_twelve_bits_and_white_as_zero(tmp_path):
    (tmp_path / "12.tif").write_bytes(tiff_of_12_bits((1000, 4095)))
    assert pixels(tmp_path / "12.tif")[:, 0] == pytest.approx([1000 / 4095, 1])
    Image.fromarray(ROW).save(tmp_path / "negative.tif", tiffinfo={262: 0})
    found = pixels(tmp_path / "negative.tif")[:, 0]
    assert found == pytest.approx(1 - ROW[0] / 65535, abs=1e-7)


def test_sixteen_bits_are_kept_in_shrinking(tmp_path):
    deep = np.random.RandomState(0).randint(0, 300, (32, 32)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "dark.png")
    found = read_picture(tmp_path / "dark.png", (1, 8, 8), "cut", WHITE)
    expected = deep.reshape(8, 4, 8, 4).mean((1, 3)) / 65535
    # With 8 bits all would be 0 or 1/255.
    assert np.abs(found[0] - expected).max() < 1e-7


def test_floats_stay_and_other_ranges_are_named(tmp_path):
    x = np.array([[0, 0.25, 1]], np.float32)
    path = tmp_path / "float.tif"
    Image.fromarray(x).save(path)
    assert pixels(path)[:, 1].tolist() == [0, 0.25, 1]
    for wrong, message in (
        (255 * x, "floats run from 0 to 255, .* x / 255"),
        (2 * x - 1, r"floats run from -1 to 1, .* \(x \+ 1\) / 2"),
        (x * np.nan, "nan"),
        ((65535 * x).astype(np.int32), "32-bit numbers run from 0 to 65535, .*16 bits"),
    ):
        Image.fromarray(wrong).save(path)
        with pytest.raises(UnreadableError, match=message):
            pixels(path)


RGBA = np.array(
    [[[0, 0, 0, 0], [0, 0, 0, 255], [255, 0, 0, 255], [0, 200, 0, 128]]], np.uint8
)
HALF = 1 - 128 / 255  # what is seen of the ground


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparency_is_laid_on_white(tmp_path, suffix):
    path = tmp_path / f"clear{suffix}"
    Image.fromarray(RGBA).save(path, **({"lossless": True} if "w" in suffix else {}))
    green = [HALF, HALF + 200 / 255 * 128 / 255, HALF]
    assert green == pytest.approx([0.498, 0.892, 0.498], abs=5e-4)
    expected = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], green])
    assert pixels(path) == pytest.approx(expected, abs=1e-6)
    assert pixels(path, (0, 0, 1))[[0, 3]] == pytest.approx(
        np.array([[0, 0, 1], [0, 200 / 255 * 128 / 255, HALF]]), abs=1e-6
    )


def test_transparency_of_every_other_mode(tmp_path):
    palette = Image.new("P", (3, 1))
    palette.putpalette([10, 20, 30, 255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1, 2])
    grey = Image.fromarray(np.array([[0, 51, 255]], np.uint8))
    colour = Image.fromarray(np.array([[[10, 20, 30], [255, 0, 0]]], np.uint8))
    for name, image, clear in (
        ("p.png", palette, 0),
        ("p.gif", palette, 0),
        ("l.png", grey, 51),
        ("rgb.png", colour, (10, 20, 30)),
        ("deep.png", Image.fromarray(ROW), 20000),
        ("bit.png", Image.fromarray(np.array([[True, False]])), 0),
    ):
        image.save(tmp_path / name, transparency=clear)
    grey.convert("LA").save(tmp_path / "la.png")
    colour.convert("RGBA").convert("PA").save(tmp_path / "pa.tif")
    (tmp_path / "l2.png").write_bytes(png(2, 0, b"\x1b", struct.pack(">H", 2)))
    (tmp_path / "l4.png").write_bytes(png(4, 0, b"\x3f", struct.pack(">H", 3)))
    deep = struct.pack(">6H", 1000, 2000, 3000, 65535, 0, 0)
    (tmp_path / "rgb16.png").write_bytes(png(16, 2, deep, deep[:6]))
    red, blue = [1, 0, 0], [0, 0, 1]
    for name, expected in {
        "p.png": [[1] * 3, red, blue],
        "p.gif": [[1] * 3, red, blue],
        "l.png": [[0] * 3, [1] * 3, [1] * 3],
        "rgb.png": [[1] * 3, red],
        "deep.png": [[v] * 3 for v in (0, 1000 / 65535, 1, 40000 / 65535, 1)],
        "bit.png": [[1] * 3, [1] * 3],
        "la.png": [[0] * 3, [0.2] * 3, [1] * 3],
        "pa.tif": [[10 / 255, 20 / 255, 30 / 255], red],
        "l2.png": [[v] * 3 for v in (0, 1 / 3, 1, 1)],
        "l4.png": [[1] * 3, [1] * 3],
        "rgb16.png": [[1] * 3, red],
    }.items():
        found = pixels(tmp_path / name)
        assert found == pytest.approx(np.array(expected), abs=1e-6), name


def test_colours_are_laid_on_the_ground_before_shrinking(tmp_path):
    # Clear black beside opaque white: on white, no grey may appear.
    x = np.zeros((4, 4, 4), np.uint8)
    x[:, ::2] = 255
    Image.fromarray(x).save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png", (3, 2, 2), "cut", WHITE) == 1).all()


def test_bits_and_printing_colours(tmp_path):
    bits = Image.fromarray(np.array([[True, False]]))
    inks = np.array([[[255, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)
    bits.save(tmp_path / "1.png")
    bits.save(tmp_path / "1.tif")
    Image.frombytes("CMYK", (3, 1), inks.tobytes()).save(tmp_path / "cmyk.tif")
    for suffix in ("png", "tif"):
        assert pixels(tmp_path / f"1.{suffix}").tolist() == [[1] * 3, [0] * 3]
    cyan = [0, 1, 1]
    assert pixels(tmp_path / "cmyk.tif").tolist() == [cyan, [1] * 3, [0] * 3]


STORED = {  # by EXIF's number, how an upright picture lies in the file
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.T,
    6: lambda x: np.rot90(x, 1),
    7: lambda x: np.rot90(x, 2).T,
    8: lambda x: np.rot90(x, -1),
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("number", STORED)
def test_pictures_are_turned_upright(tmp_path, suffix, number):
    upright = np.kron(np.arange(6).reshape(2, 3) * 40, np.ones((8, 8))).astype(np.uint8)
    noted = Image.Exif()
    noted[0x112] = number
    stored = Image.fromarray(np.ascontiguousarray(STORED[number](upright)))
    words = {"jpg": {"quality": 95}, "webp": {"lossless": True}}.get(suffix, {})
    stored.save(tmp_path / f"a.{suffix}", exif=noted, **words)
    found = read_picture(tmp_path / f"a.{suffix}", (1, 16, 24), "pad", WHITE)[0]
    assert np.abs(255 * found - upright).max() < 3


@pytest.mark.parametrize("kind", ["gif", "webp", "tiff"])
def test_the_first_frame_is_read(tmp_path, kind):
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    path = tmp_path / f"a.{kind}"
    words = {"lossless": True} if kind == "webp" else {}
    first.save(path, save_all=True, append_images=[second], **words)
    assert (pixels(path) == [1, 0, 0]).all()


# One size


def interpolated(image, top, left, h, w, size, **how):
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].double() / 255
    x = x[..., top : top + h, left : left + w]
    return F.interpolate(x, size=size, **how)[0].numpy()


@pytest.mark.parametrize(
    ("size", "part", "how"),
    [
        ((20, 30), (0, 0, 60, 90), {"mode": "area"}),
        ((20, 20), (0, 15, 60, 60), {"mode": "area"}),
        ((30, 15), (0, 30, 60, 30), {"mode": "area"}),
        ((60, 60), (0, 15, 60, 60), {"mode": "area"}),
        ((120, 180), (0, 0, 60, 90), {"mode": "bilinear"}),
        ((100, 100), (0, 15, 60, 60), {"mode": "bilinear"}),
    ],
)
def test_cut_shrunk_and_enlarged_as_torch_does(tmp_path, size, part, how):
    image = Image.fromarray(
        np.random.RandomState(0).randint(0, 256, (60, 90, 3)).astype(np.uint8)
    )
    image.save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", (3, *size), "cut", WHITE)
    assert np.abs(found - interpolated(image, *part, size, **how)).max() < 1e-6


def test_shrinking_by_no_whole_factor_averages_by_area(tmp_path):
    # Each pixel 7 times as wide and high, then boxes of 5: the mean over areas.
    x = np.random.RandomState(0).randint(0, 256, (5, 5, 3)).astype(np.uint8)
    Image.fromarray(x).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", (3, 3, 3), "cut", WHITE)
    wide = np.kron(x.transpose(2, 0, 1), np.ones((3, 3)))
    expected = wide.reshape(3, 3, 5, 3, 5).mean((2, 4)) / 255
    assert np.abs(found - expected).max() < 1e-6


def test_padding_keeps_the_whole_picture_on_the_ground(tmp_path):
    image = noise(0, 30, 60)
    image.save(tmp_path / "wide.png")
    found = read_picture(tmp_path / "wide.png", (3, 20, 20), "pad", (1, 0, 0.5))
    inner = interpolated(image, 0, 0, 30, 60, (10, 20), mode="area")
    assert np.abs(found[:, 5:15] - inner).max() < 1e-6
    rest = np.concatenate([found[:, :5], found[:, 15:]], axis=1)
    assert (rest == np.reshape([1, 0, 0.5], (3, 1, 1))).all()


def test_grey_is_luminance(tmp_path):
    Image.fromarray(np.eye(3, dtype=np.uint8)[None] * 255).save(tmp_path / "rgb.png")
    found = read_picture(tmp_path / "rgb.png", (1, 1, 3), "cut", WHITE)
    assert found[0, 0] == pytest.approx([0.299, 0.587, 0.114], abs=1e-6)


# The folder


NAMES = [
    f"{c}/{i}.png" for c, n in (("b", 30), ("a", 12), ("c d ü", 8)) for i in range(n)
]


def all_of(data):
    return data.train, data.validation, data.test


def test_folders_are_classes_in_fair_splits(tmp_path, capsys):
    fill(tmp_path, NAMES)
    data = picture_folder(tmp_path, 16)
    assert data.classes == ("a", "b", "c d ü")
    assert data.source == f"the folder {tmp_path.name}"
    counts = [split.y.bincount(minlength=3).tolist() for split in all_of(data)]
    assert np.sum(counts, axis=0).tolist() == [12, 30, 8]
    for count, share in zip(counts, (0.8, 0.1, 0.1), strict=True):
        assert np.abs(count - share * np.array([12, 30, 8])).max() <= 1
    assert data.train.x.shape[1:] == (3, 16, 16)
    half = data.train.take(20).y.bincount(minlength=3)
    assert (half - 20 * torch.tensor([12, 30, 8]) / 50).abs().max() <= 1
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and "50 pictures in 3 classes" in printed
    assert str(tmp_path.parent) not in printed and "Left out" not in printed


def test_classes_are_in_the_order_of_their_names(tmp_path):
    folders = ("a", "a b", "B", "a.c")
    fill(tmp_path, [f"{name}/{i}.png" for name in folders for i in range(4)])
    assert picture_folder(tmp_path).classes == ("B", "a", "a b", "a.c")


def test_labels_belong_to_their_pictures(tmp_path):
    fill(tmp_path, NAMES)
    data = picture_folder(tmp_path, (20, 24))
    by_pixels = {}
    for path in tmp_path.rglob("*.png"):
        with Image.open(path) as file:
            by_pixels[np.array(file).tobytes()] = path.parent.name
    for split in all_of(data):
        for x, y in zip(split.x, split.y.tolist(), strict=True):
            image = (255 * x).round().byte().permute(1, 2, 0).contiguous()
            assert by_pixels.pop(image.numpy().tobytes()) == data.classes[y]
    assert not by_pixels


def test_a_flat_folder_has_one_class_and_may_lie_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fill(tmp_path / "my pictures", [f"ä {i}.png" for i in range(10)])
    data = picture_folder("~/my pictures", grey=True)
    assert data.classes == ("my pictures",)
    assert all((split.y == 0).all() for split in all_of(data))
    assert [len(split) for split in all_of(data)] == [8, 1, 1]
    assert data.train.x.shape == (8, 1, 32, 32)


def test_what_lies_deeper_belongs_to_the_class_above(tmp_path):
    fill(tmp_path, [f"a/{i % 3}/deep/{i}.png" for i in range(9)] + ["b/1.png"])
    data = picture_folder(tmp_path)
    assert data.classes == ("a", "b")
    assert sum(split.y.bincount(minlength=2) for split in all_of(data)).tolist() == [
        9,
        1,
    ]


def test_what_is_left_out_is_counted(tmp_path, capsys):
    fill(tmp_path, NAMES)
    for name in (".DS_Store", "a/._0.png", "a/notes.txt", "b/Thumbs.db", "read me"):
        (tmp_path / name).write_bytes(b"x")
    for name in (".cache", "empty"):
        (tmp_path / name).mkdir()
    for i, kind in enumerate(("b/copy.png", "b/copy.bmp", "b/deep/copy.tif")):
        (tmp_path / kind).parent.mkdir(exist_ok=True)
        noise(i).save(tmp_path / kind)
    (tmp_path / "b/half.jpg").write_bytes(b"\xff\xd8\xff")
    data = picture_folder(tmp_path, damaged="skip")
    assert sum(map(len, all_of(data))) == 50
    line = capsys.readouterr().out
    for words in (
        "3 hidden",
        "3 of other kinds (.db, .txt, read me)",
        "3 double",
        "1 folder(s) without pictures",
        "1 unreadable (b/half.jpg: it is damaged, or no picture of a known kind)",
    ):
        assert words in line
    assert line.count("\n") == 1
    x = torch.cat([split.x for split in all_of(data)]).flatten(1)
    assert len(x.unique(dim=0)) == 50


def test_damaged_files_are_named_all_at_once(tmp_path, capsys):
    fill(tmp_path, NAMES)
    whole = io.BytesIO()
    noise(0, 64, 64).save(whole, "JPEG")
    for name, data in {
        "a/half.jpg": whole.getvalue()[:-100],
        "a/empty.png": b"",
        "b/text.gif": b"no picture",
    }.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "b/nowhere.png").symlink_to("gone.png")
    (tmp_path / "b/round.png").symlink_to("round.png")
    os.mkfifo(tmp_path / "b/pipe.png")
    with pytest.raises(ValueError, match=r"6 unreadable.*damaged=.skip") as caught:
        picture_folder(tmp_path)
    for words in (
        "a/half.jpg: image file is truncated",
        "a/empty.png: it is damaged",
        "b/text.gif: it is damaged",
        "b/nowhere.png: it is no file",
        "b/round.png: it is no file",
        "b/pipe.png: it is no file",
    ):
        assert words in str(caught.value)
    data = picture_folder(tmp_path, damaged="skip")
    assert sum(map(len, all_of(data))) == 50
    assert "6 unreadable (a/empty.png" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG"])
def test_half_a_file_is_damaged(tmp_path, kind):
    whole = io.BytesIO()
    noise(0, 64, 64).save(whole, kind)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(UnreadableError) as caught:
        read_picture(path, (3, 8, 8), "cut", WHITE)
    assert str(caught.value) and str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("limit", [300, 200])  # Pillow warns above it, fails at twice
def test_a_picture_too_large_for_pillow_is_named(tmp_path, monkeypatch, limit):
    fill(tmp_path, NAMES)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ValueError, match=r"a/0.png: .*480 pixels.*MAX_IMAGE_PIXELS"):
        picture_folder(tmp_path)


def test_one_picture_in_two_classes_is_refused(tmp_path):
    fill(tmp_path, NAMES)
    shutil.copy(tmp_path / "a/3.png", tmp_path / "b/other.png")
    with pytest.raises(ValueError, match=r"two classes: a/3.png = b/other.png"):
        picture_folder(tmp_path)


def test_pictures_beside_folders_are_refused(tmp_path):
    fill(tmp_path, [*NAMES, "loose.png"])
    with pytest.raises(ValueError, match=r"loose.png and a/0.png; move each"):
        picture_folder(tmp_path)


def test_links_that_lead_round_end(tmp_path, capsys):
    fill(tmp_path / "pets", NAMES)
    fill(tmp_path / "elsewhere", ["far.png"])
    noise(99).save(tmp_path / "elsewhere/far.png")
    (tmp_path / "pets/a/round").symlink_to(tmp_path / "pets")
    (tmp_path / "pets/a/self").symlink_to("self")
    (tmp_path / "pets/z").symlink_to(tmp_path / "elsewhere")
    data = picture_folder(tmp_path / "pets")
    assert data.classes == ("a", "b", "c d ü", "z")
    assert sum(map(len, all_of(data))) == 51
    assert "1 linked again" in capsys.readouterr().out


def test_groups_stay_together(tmp_path):
    fill(
        tmp_path,
        [f"{c}/{p}_{i}.png" for c in "ab" for p in range(15) for i in range(3)],
    )
    seen = []
    data = picture_folder(
        tmp_path, (20, 24), group=lambda path: seen.append(path) or path.stem[:-2]
    )
    # In the order of names; a person's pictures in both classes are one group.
    assert [str(path) for path in seen] == sorted(map(str, seen)) and len(seen) == 90
    person = {}
    for path in tmp_path.rglob("*.png"):
        with Image.open(path) as file:
            person[np.array(file).tobytes()] = path.stem[:-2]
    found = [
        {
            person[
                (255 * x).round().byte().permute(1, 2, 0).contiguous().numpy().tobytes()
            ]
            for x in split.x
        }
        for split in all_of(data)
    ]
    assert len(set.union(*found)) == sum(map(len, found)) == 15


def test_splits_depend_on_names_alone(tmp_path):
    fill(tmp_path / "one", NAMES)
    for name in reversed(NAMES):
        (tmp_path / "two" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "one" / name, tmp_path / "two" / name)
    one, two = (picture_folder(tmp_path / name) for name in ("one", "two"))
    for a, b in zip(all_of(one), all_of(two), strict=True):
        assert torch.equal(a.x, b.x) and torch.equal(a.y, b.y)
    before = {x.numpy().tobytes() for x in one.test.x}
    noise(99).save(tmp_path / "two/b/added.png")
    after = {x.numpy().tobytes() for x in picture_folder(tmp_path / "two").test.x}
    assert len(before & after) >= len(before) - 1


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (NAMES[:6], {}, "6 pictures in 6 groups .* 10 groups"),
        (NAMES, {"group": lambda p: p.parts[0]}, "50 pictures in 3 groups"),
        (["a/x.txt"], {}, "holds no pictures.*1 of other kinds .*.jpg, .jpeg"),
        (NAMES, {"size": 0}, "size is 0"),
        (NAMES, {"size": (8, 8, 3)}, "size is"),
        (NAMES, {"size": 8.0}, "size is 8.0"),
        (NAMES, {"fit": "crop"}, 'fit is \'crop\'; give "cut" or "pad"'),
        (NAMES, {"damaged": "ignore"}, "damaged is 'ignore'"),
        (NAMES, {"ground": 255}, "ground is 255"),
        (NAMES, {"ground": (1, 1)}, "ground is"),
        (NAMES, {"test": 0}, "test 0"),
        (NAMES, {"validation": 0.5, "test": 0.5}, "leave something for training"),
    ],
)
def test_settings_and_folders_that_do_not_do(tmp_path, names, settings, message):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        noise(names.index(name)).save(tmp_path / name, "PNG")
    with pytest.raises(ValueError, match=message):
        picture_folder(tmp_path, **settings)


def test_too_few_after_what_is_left_out(tmp_path):
    fill(tmp_path, [f"{i}.png" for i in range(10)])
    for i in range(8):
        (tmp_path / f"{i}.png").write_bytes(b"")
    with pytest.raises(ValueError, match="2 pictures in 2 groups"):
        picture_folder(tmp_path, damaged="skip")


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match="not there; give a folder"):
        picture_folder(tmp_path / "gone")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="a.png is a file; give a folder"):
        picture_folder(tmp_path / "a.png")


@pytest.mark.parametrize("key", [None, 1.5, ["a"], object()])
def test_groups_must_have_a_lasting_name(tmp_path, key):
    fill(tmp_path, NAMES)
    with pytest.raises(TypeError, match="for a/0.png; give a string"):
        picture_folder(tmp_path, group=lambda path: key)


MEASURE = """
import resource, sys
from companion.data import picture_folder
picture_folder(sys.argv[1], 8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = picture_folder(sys.argv[1], 128)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
parts = (data.train, data.validation, data.test)
finished = sum(part.x.nbytes + part.y.nbytes for part in parts)
print((after - before) * 1024 / finished, finished)
"""


def test_reading_needs_little_more_memory_than_the_pictures(tmp_path):
    for i in range(700):
        image = Image.new("RGB", (128, 128), (i % 256, i // 256, 7))
        image.save(tmp_path / f"{i}.bmp")
        if i % 7 == 0:
            shutil.copy(tmp_path / f"{i}.bmp", tmp_path / f"{i} again.bmp")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    ratio, finished = map(float, done.stdout.splitlines()[-1].split())
    assert finished > 1.3e8 and ratio < 1.3


def test_five_hundred_photographs_take_seconds(tmp_path):
    for i in range(50):
        noise(i, 512, 512).save(tmp_path / f"{i}.jpg", quality=90)
    started = time.process_time()
    picture_folder(tmp_path, 64)
    assert time.process_time() - started < 2.5  # for a tenth of them


# To the end of the way


def mixed_files(folder, number):
    """Picture files of every kind in three classes."""
    for i in range(number):
        image = noise(i, 24 + i % 9, 40 - i % 7)
        path = folder / "abc"[i % 3] / f"{i:03d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = np.asarray(image.convert("L"))
        match i % 8:
            case 0:
                image.save(path.with_suffix(".jpg"))
            case 1:
                image.putalpha(200)
                image.save(path.with_suffix(".png"))
            case 2:
                Image.fromarray(grey * np.uint16(257)).save(path.with_suffix(".png"))
            case 3:
                image.quantize(64).save(path.with_suffix(".gif"))
            case 4:
                image.save(path.with_suffix(".webp"))
            case 5:
                Image.fromarray(np.float32(grey / 255)).save(path.with_suffix(".tif"))
            case 6:
                image.save(path.with_suffix(".bmp"))
            case 7:
                image.convert("CMYK").save(path.with_suffix(".jpeg"))


def test_from_mixed_files_to_samples(tmp_path):
    mixed_files(tmp_path, 300)
    data = picture_folder(tmp_path, 16)
    assert [len(split) for split in all_of(data)] == [240, 30, 30]
    x = data.train.x
    mean, parts = pca(x, 60)
    z = (x.flatten(1) - mean) @ parts
    sigma = z.std(dim=0)
    # The parts explain the pictures: what they leave is far less than what there is.
    rebuilt = mean + z @ parts.T
    left = (x.flatten(1) - rebuilt).square().sum()
    assert left < 0.1 * (x.flatten(1) - mean).square().sum()
    samples = mean + (torch.randn(50, 60) * sigma) @ parts.T
    samples = samples.clamp(0, 1).view(-1, *x.shape[1:])
    assert samples.shape == (50, 3, 16, 16) and samples.isfinite().all()
    assert (samples.mean((0, 2, 3)) - x.mean((0, 2, 3))).abs().max() < 0.05
