"""Draw book/front.png, the picture of the README and of the book's front page.

    python tools/front_picture.py

Networks of the book drew everything in it: ten samples of each generator that is named
here, its classes in their turn, the first that seed 0 gives.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch

from companion.plotting import show_rows
from companion.pretrained import pretrained

TARGET = Path(__file__).resolve().parents[1] / "book" / "front.png"
ROWS = {"digits": "cgan_digits", "clothes": "cgan_clothes", "icons": "cgan_icons"}


def main() -> None:
    rows = {
        label: pretrained(name).sample(10, generator=torch.Generator().manual_seed(0))
        for label, name in ROWS.items()
    }
    show_rows(rows, scale=0.7)
    plt.savefig(TARGET, dpi=100)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
