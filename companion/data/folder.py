"""A reader's own folder of pictures, as a set in three splits."""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from numbers import Integral
from pathlib import Path, PurePath, PurePosixPath
from typing import NoReturn

import numpy as np
import torch

from companion.data.reading import SUFFIXES, UnreadableError, read_picture
from companion.data.splits import (
    ImageData,
    Split,
    check_filled,
    grouped_parts,
    mixed_order,
)

NAMED = 10  # files that a message lists


def picture_folder(
    folder: str | Path,
    size: int | tuple[int, int] = 32,
    *,
    grey: bool = False,
    fit: str = "cut",
    ground: float | Sequence[float] = 1.0,
    group: Callable[[PurePosixPath], Hashable] | None = None,
    validation: float = 0.1,
    test: float = 0.1,
    damaged: str = "error",
) -> ImageData:
    """The pictures of a folder, in [0, 1], of one size, in fixed splits.

    The folders in `folder` are the classes, in the order of their names, with all
    that is below them; a folder of nothing but pictures is one class. JPEG, PNG, WebP,
    GIF, TIFF (of each the first frame) and BMP are read. One line says what was left
    out: hidden files, other kinds, and copies, of which the first by name is kept.

    A picture is turned upright as its camera noted, and laid on `ground` where it is
    transparent. It is then cut to its middle (`fit="cut"`), or padded with `ground`
    ("pad"), and brought to `size`, a side or (height, width): shrunk by averaging,
    enlarged linearly. Grey of 16 bits keeps them; colour of 16 bits is read with 8.
    Floats must be in [0, 1], and of 32-bit numbers nobody says which is white. Such
    files, damaged ones and those too large for Pillow are an error; `damaged="skip"`
    leaves them out and names them.

    Pictures with the same `group(path)`, a string or number made from the path below
    `folder`, are in one split; by default each is its own group. Groups are ranked by
    a checksum of their names, class by class, and cut by the shares. So the splits are
    the same on every machine, classes have fair shares as far as groups allow, and
    when pictures are added only some groups near a cut change their split. Any
    leading part of a split holds the classes in fair shares.

    Shapes: x (N, 3, height, width), or (N, 1, ...) if grey; `ground` one number or
        (red, green, blue) in [0, 1].
    Raises: ValueError for a setting out of range, a folder that is not there or holds
        no pictures or too few, pictures beside folders of pictures, files that cannot
        be read, or one picture in two classes; TypeError for another kind of group.
    """
    shape, ground = (1 if grey else 3, *_sides(size)), _color(ground)
    _check_settings(fit, damaged, validation, test)
    shares = (1 - validation - test, validation, test)
    root = Path(os.path.abspath(Path(folder).expanduser()))
    paths, left_out = _found(root)
    classes, y = _labelled(root, paths)
    keys = np.array([_key(group, path) for path in paths])
    part = grouped_parts(keys, y, shares)
    check_filled(part, keys, shares)
    members = [np.flatnonzero(part == number) for number in range(3)]
    members = [some[mixed_order(y[some])] for some in members]
    images = [np.empty((len(some), *shape), np.float32) for some in members]
    # Every picture is read into its place in its split, so that none is held twice.
    place = {
        i: row
        for some, x in zip(members, images, strict=True)
        for i, row in zip(some.tolist(), x, strict=True)
    }
    unreadable = _read(
        root, paths, place, lambda path: read_picture(path, shape, fit, ground)
    )
    if unreadable and damaged == "error":
        raise ValueError(
            f"{root.name} has {len(unreadable)} unreadable: {_listed(unreadable)}. "
            'Mend or delete what is named, or leave it out by damaged="skip".'
        )
    firsts = _firsts(place, paths, y)
    kept = np.isin(np.arange(len(paths)), firsts)
    check_filled(part[kept], keys[kept], shares)
    splits = [
        _split(x, y[some], kept[some]) for x, some in zip(images, members, strict=True)
    ]
    left_out["double"] = len(place) - len(firsts)
    left_out[f"unreadable ({_listed(unreadable)})"] = len(unreadable)
    sizes = "training {}, validation {}, test {}".format(*map(len, splits))
    many = "1 class" if len(classes) == 1 else f"{len(classes)} classes"
    print(f"{root.name}: {len(firsts)} pictures in {many} ({sizes}).{_told(left_out)}")
    return ImageData(*splits, classes=classes, source=f"the folder {root.name}")


def _found(root: Path) -> tuple[list[PurePosixPath], Counter]:
    """The pictures below a folder, sorted by name, and how many other things.

    Raises: ValueError if there is no folder or no picture.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "not there"
        raise ValueError(f"{root} is {found}; give a folder of pictures.")
    paths, left_out, others = [], Counter(), Counter()
    met = {os.path.realpath(root)}  # links may lead round in circles
    for where, folders, files in os.walk(root, onerror=_stop, followlinks=True):
        left_out["hidden"] += sum(name[0] == "." for name in [*folders, *files])
        visible = sorted(name for name in folders if name[0] != ".")
        folders[:] = [name for name in visible if _is_new(where, name, met)]
        left_out["linked again"] += len(visible) - len(folders)
        for path in (Path(where, name) for name in files if name[0] != "."):
            if path.suffix.lower() in SUFFIXES:
                paths.append(PurePosixPath(path.relative_to(root).as_posix()))
            else:
                others[path.suffix.lower() or path.name] += 1
    left_out[f"of other kinds ({_listed(sorted(others))})"] = others.total()
    full = {path.parts[0] for path in paths}
    left_out["folder(s) without pictures"] = sum(
        path.name not in full and path.name[0] != "." and not path.is_symlink()
        for path in root.iterdir()
        if path.is_dir()
    )
    if not paths:
        raise ValueError(
            f"{root.name} holds no pictures.{_told(left_out)} Give a folder with some "
            f"of the kinds {', '.join(SUFFIXES)}."
        )
    return sorted(paths, key=lambda path: [*map(_portable, path.parts)]), left_out


def _is_new(where: str, name: str, met: set[str]) -> bool:
    real = os.path.realpath(os.path.join(where, name))
    return not (real in met or met.add(real))


def _stop(error: OSError) -> NoReturn:
    raise error  # os.walk would pass over a folder that it may not read


def _portable(text: str) -> str:
    """The same text on systems that write an accented letter as one sign or two."""
    return unicodedata.normalize("NFC", text)


def _labelled(
    root: Path, paths: list[PurePosixPath]
) -> tuple[tuple[str, ...], np.ndarray]:
    """The classes, and the number of each picture's.

    Raises: ValueError for pictures beside folders of pictures.
    """
    loose = [path for path in paths if len(path.parts) == 1]
    classes = tuple(dict.fromkeys(path.parts[0] for path in paths))
    if not loose:
        y = [classes.index(path.parts[0]) for path in paths]
        return classes, np.array(y, np.int64)
    if len(loose) < len(paths):
        inner = next(path for path in paths if len(path.parts) > 1)
        raise ValueError(
            f"{root.name} has pictures beside folders of pictures, {loose[0]} and "
            f"{inner}; move each into the folder of its class, or give one folder."
        )
    return (root.name,), np.zeros(len(paths), np.int64)


def _key(group: Callable[[PurePosixPath], Hashable] | None, path: PurePosixPath) -> str:
    """A text that names the group of a picture.

    Raises: TypeError for something whose text may differ from run to run.
    """
    key = path if group is None else group(path)
    if isinstance(key, Integral):
        key = int(key)  # NumPy's, too
    if not isinstance(key, str | int | tuple | PurePath):
        raise TypeError(
            f"group gave {key!r} for {path}; give a string, a whole number, or a "
            "tuple of them."
        )
    return _portable(str(key) if isinstance(key, str | PurePath) else repr(key))


def _read(
    root: Path,
    paths: list[PurePosixPath],
    place: dict[int, np.ndarray],
    read: Callable[[Path], np.ndarray],
) -> list[str]:
    """Fill the places; those of unreadable pictures are taken out, and told why."""
    unreadable = []
    for i, path in enumerate(paths):
        try:
            place[i][:] = read(root / path)
        except UnreadableError as error:
            unreadable.append(f"{path}: {error}")
            del place[i]
    return unreadable


def _firsts(
    place: dict[int, np.ndarray], paths: list[PurePosixPath], y: np.ndarray
) -> list[int]:
    """The pictures that equal none before them in the order of names.

    Raises: ValueError if two of different classes are equal.
    """
    first: dict[bytes, int] = {}
    clashes = []
    for i in sorted(place):
        same = first.setdefault(hashlib.sha256(place[i]).digest(), i)
        if y[same] != y[i]:
            clashes.append(f"{paths[same]} = {paths[i]}")
    if clashes:
        raise ValueError(
            f"The same picture is in two classes: {_listed(clashes)}. Keep one of each."
        )
    return list(first.values())


def _split(x: np.ndarray, y: np.ndarray, kept: np.ndarray) -> Split:
    """The kept rows, moved up in their own memory."""
    rows = np.flatnonzero(kept)
    for new, old in enumerate(rows):
        x[new] = x[old]
    return Split(torch.from_numpy(x[: len(rows)]), torch.from_numpy(y[rows]))


def _told(left_out: Counter) -> str:
    parts = [f"{n} {what}" for what, n in left_out.items() if n]
    return f" Left out: {', '.join(parts)}." if parts else ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or not all(isinstance(n, Integral) and n > 0 for n in sides):
        raise ValueError(f"size is {size!r}; give a side, or (height, width).")
    return int(sides[0]), int(sides[1])


def _color(ground: float | Sequence[float]) -> np.ndarray:
    color = np.asarray(ground, dtype=float)
    if color.shape not in ((), (1,), (3,)) or not ((color >= 0) & (color <= 1)).all():
        raise ValueError(
            f"ground is {ground}; give one number, or (red, green, blue), in [0, 1]."
        )
    return np.broadcast_to(color, 3)


def _check_settings(fit: str, damaged: str, validation: float, test: float) -> None:
    for name, value, known in (
        ("fit", fit, ("cut", "pad")),
        ("damaged", damaged, ("error", "skip")),
    ):
        if value not in known:
            raise ValueError(f'{name} is {value!r}; give "{known[0]}" or "{known[1]}".')
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(
            f"validation is {validation} and test {test}; give two shares above 0 that "
            "leave something for training."
        )
