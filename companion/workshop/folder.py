"""The folder of a run: all that it leaves on the disk."""

import csv
import io
import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import nn

from companion.plotting import plot_curves
from companion.pretrained import pretrained, read_card, write_pretrained
from companion.runtime import same_random_state, save_file
from companion.trainers import History
from companion.trainers.checkpoint import saved_history
from companion.workshop.recipe import Study, find
from companion.workshop.sheet import save_sheet

SAVED = {"recipe", "settings", "data", "digest", "full", "processes", "origin"}
WEIGHTS = "weights"  # the name of a run's weights and of their card
OWN = {"log.txt", "running.lock"}  # what may be there before a run begins


class RunFolder:
    """settings.json, history.csv, curve.png, sheet.png, weights, checkpoint, log.txt.

    With the end of the run comes record.json. A study leaves no history, curve, sheet,
    weights or checkpoint, but perhaps picture.jpg.
    Every file is written whole or not at all.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.checkpoint = self.path / "checkpoint.pt"
        self.record = self.path / "record.json"
        self.picture = self.path / "picture.jpg"
        self.lock = self.path / "running.lock"
        self._settings = self.path / "settings.json"

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Write the settings of a new run.

        Raises: ValueError if the folder is in use; OSError if it cannot be written.
        """
        self.check_unused()
        self.keep_settings(settings)

    def check_unused(self) -> None:
        """Raises: ValueError if the folder holds a run or other files."""
        found = self.path.iterdir() if self.path.is_dir() else []
        if self._settings.exists():
            on = "" if self._is_study() else f"go on with `{self.again()}`, "
            raise ValueError(
                f"{self.path} holds a run already: {on}delete the folder, or give "
                "another one by --out."
            )
        names = {path.name for path in found} - OWN
        if others := sorted(name for name in names if not name.startswith(".")):
            raise ValueError(
                f"{self.path} holds other files ({others[0]}); give a new folder by "
                "--out."
            )

    def keep_settings(self, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
        save_file(self._settings, lambda temporary: temporary.write_text(text, "utf-8"))

    def forget(self) -> None:
        """A run that fails before a step worth keeping leaves the folder free."""
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
            if saved["run"]["step"]:
                return
            self.checkpoint.unlink()
        self._settings.unlink(missing_ok=True)

    def again(self) -> str:
        """The command that goes on with the run, with as many processes."""
        start, size = ["python"], self.settings()["processes"]
        if size > 1:
            start = ["torchrun", "--nproc-per-node", str(size)]
        return shlex.join([*start, "-m", "companion", "resume", str(self.path)])

    def settings(self) -> dict[str, Any]:
        """What `begin` wrote.

        Raises: ValueError if there is no run here, or the file is damaged.
        """
        try:
            saved = json.loads(self._settings.read_text("utf-8"))
            if not isinstance(saved, dict) or SAVED - saved.keys():
                raise ValueError("It lacks what a run begins with.")
            return saved
        except FileNotFoundError as error:
            raise ValueError(
                f"{self.path} holds no run (no settings.json); give the folder of one, "
                "such as runs/NAME."
            ) from error
        except (ValueError, NotADirectoryError) as error:
            raise ValueError(
                f"{self._settings} is damaged; train anew in another folder."
            ) from error

    def network(self, device: torch.device | str | None = None) -> nn.Module:
        """The network as it was last written, ready to draw.

        Raises: ValueError if the run has not written one yet, or it is damaged.
        """
        if not (self.path / f"{WEIGHTS}.json").exists():
            if self._is_study():
                raise ValueError(f"{self.path} holds a study, which keeps no network.")
            raise ValueError(
                f"{self.path} has no weights yet: they come at an epoch's end, at most "
                f"once a minute. If no run is at work there: `{self.again()}`."
            )
        try:
            return pretrained(WEIGHTS, device, folder=self.path)
        except ValueError:
            time.sleep(1)  # a run may be writing them just now
        try:
            return pretrained(WEIGHTS, device, folder=self.path)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(
                f"{str(error).partition(' Install ')[0]} `{self.again()}` writes them "
                "anew from the checkpoint."
            ) from error

    def _is_study(self) -> bool:
        return issubclass(find(self.settings()["recipe"]), Study)

    def card(self) -> dict[str, Any]:
        return read_card(WEIGHTS, folder=self.path)

    def look(
        self,
        network: nn.Module,
        card: Mapping[str, Any],
        history: History | None = None,
    ) -> None:
        """Write where the run stands: history, curve, weights, sample sheet.

        The history is that of the checkpoint, if none is given. The run goes on as if
        nobody had looked: when that happens depends on the clock.
        """
        history = saved_history(self.checkpoint) if history is None else history
        self._write_history(history)
        self._draw_curve(history)
        self.keep_network(network, card)
        if hasattr(network, "sample"):
            with same_random_state():
                save_sheet(self.path / "sheet.png", network)

    def keep_network(self, network: nn.Module, card: Mapping[str, Any]) -> None:
        """Write weights and card; no random number of the run is used up."""
        with same_random_state():
            write_pretrained(WEIGHTS, network, card, folder=self.path)

    def _write_history(self, history: History) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["step", *history.names()])
        columns = [history.steps, *(history[name] for name in history.names())]
        rows.writerows(zip(*columns, strict=True))
        save_file(
            self.path / "history.csv",
            lambda temporary: temporary.write_text(text.getvalue(), "utf-8"),
        )

    def _draw_curve(self, history: History) -> None:
        names = history.names()
        if not names:
            return
        figure, axes = plt.subplots(
            len(names), 1, figsize=(6, 1.9 * len(names)), sharex=True, squeeze=False
        )
        for ax, name in zip(axes[:, 0], names, strict=True):
            curve = {name: history[name]}
            plot_curves(curve, history.steps, xlabel="", ylabel=name, ax=ax)
        axes[-1, 0].set_xlabel("optimiser steps")
        save_file(
            self.path / "curve.png",
            lambda temporary: figure.savefig(temporary, format="png", dpi=100),
        )
        plt.close(figure)
