"""The commands of `python -m companion`.

Each imports what it needs itself, so that `sample` need not wait for all.
"""

import os
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from companion.nearest import nearest
from companion.pretrained import pretrained, read_card
from companion.workshop.options import Parser, add_device

USAGE = """\
python -m companion COMMAND ...

  list               the recipes, and which weights ship with the book
  train NAME         do the run of a recipe; the result goes to runs/NAME
  resume DIR         go on with a run that was interrupted
  sample NAME|DIR    draw a sheet with shipped weights or with those of a run
  judge NAME|DIR     measure shipped weights or those of a run anew
  keep DIR           copy a finished result into the package

COMMAND --help shows a command's options."""


def main(words: list[str]) -> int:
    """Run one command and return the exit status.

    What its user can mend is said in a line, without a traceback.
    """
    # Results are recorded with one thread, like the printed pages.
    os.environ.setdefault("COMPANION_THREADS", "1")
    os.environ.setdefault("MPLBACKEND", "Agg")
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0
    name, *others = words
    if name not in COMMANDS:
        print(f"Unknown command {name}{nearest(name, COMMANDS)}\n\n{USAGE}")
        return 2
    try:
        return COMMANDS[name](others)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    # NotAvailableError of the data is a RuntimeError.
    except (ValueError, TypeError, OSError, RuntimeError, ArithmeticError) as error:
        number = int(os.environ.get("RANK", 0))  # of several processes
        print(f"[process {number}] {error}" if number else error, file=sys.stderr)
        return 1


def list_all(words: list[str]) -> int:
    from companion import pretrained as shipped
    from companion.workshop.recipe import find, names

    _parser("list").parse(words)
    ships = shipped.names()
    for name in names():
        about = sys.modules[find(name).__module__].__doc__.splitlines()[0]
        print(f"{name:<26}{'ships  ' if name in ships else '       '}{about}")
    return 0


def train(words: list[str]) -> int:
    from companion.workshop.data import checked_data
    from companion.workshop.folder import RunFolder
    from companion.workshop.options import add_settings, given_settings
    from companion.workshop.recipe import Recipe, find
    from companion.workshop.train import train
    from companion.workshop.trial import try_out

    name, *others = _named(words, "train NAME", "`python -m companion list` shows all")
    kind = find(name)
    parser = _parser(f"train {name}")
    add_settings(parser, kind)
    add_device(parser)
    parser.add_argument("--out", type=Path, default=Path("runs") / name, help="folder")
    parser.add_argument("--dry-run", action="store_true", help="ten steps, no files")
    options = parser.parse(others)
    _use(options)
    recipe = kind(**given_settings(kind, options))
    if isinstance(recipe, Recipe):
        recipe = replace(recipe, data=checked_data(recipe))
    if options.dry_run:
        find(name, trains=True)
        try_out(recipe)
        return 0
    return 0 if train(name, recipe, RunFolder(options.out)) else 130


def resume(words: list[str]) -> int:
    from companion.workshop.folder import RunFolder
    from companion.workshop.options import add_settings, given_settings
    from companion.workshop.recipe import find, from_dict
    from companion.workshop.train import resume

    place, *others = _named(words, "resume DIR", "the folder of a run")
    folder = RunFolder(place)
    saved = folder.settings()
    kind = find(saved["recipe"], trains=True)
    parser = _parser(f"resume {place}")
    add_settings(parser, kind, default=False)
    add_device(parser)
    options = parser.parse(others)
    recipe = from_dict(kind, saved["settings"])
    for name, value in given_settings(kind, options).items():
        if value != (before := getattr(recipe, name)):
            raise ValueError(
                f"--{name.replace('_', '-')} is {value}, but the run in {folder.path} "
                f"has {before}: leave the option out, or train anew with --out."
            )
    _use(options)
    return 0 if resume(folder) else 130


def sample(words: list[str]) -> int:
    from companion.workshop.sheet import save_sheet

    parser = _parser("sample")
    _add_place(parser)
    parser.add_argument("--n", type=int, help="pictures; ten rows, if not given")
    parser.add_argument("--label", help="only of this class, a name or a number")
    parser.add_argument("--caption", help="what a network that reads words shall draw")
    parser.add_argument(
        "--guidance", type=float, help="how much a flow leans towards it; 1 is not"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--out", type=Path, default=Path("sheet.png"), help="file")
    add_device(parser)
    options = parser.parse(words)
    network, card = _opened(options)
    label = options.label
    if label is not None:
        label = _class_number(label, card.get("classes", []))
    save_sheet(
        options.out,
        network,
        options.n,
        label=label,
        caption=options.caption,
        guidance=options.guidance,
        seed=options.seed,
    )
    print(f"{options.out} is written.")
    return 0


def judge(words: list[str]) -> int:
    from companion.workshop.data import load_data
    from companion.workshop.recipe import find, from_dict
    from companion.workshop.train import judged

    parser = _parser("judge")
    _add_place(parser)
    add_device(parser)
    options = parser.parse(words)
    network, card = _opened(options)
    recipe = from_dict(find(card["recipe"]), card["settings"])
    data = load_data(recipe).to(next(network.parameters()).device)
    print(f"{data.source}; on the card: {card['data']}.")
    judged(recipe, network, data, card["values"])
    return 0


def keep(words: list[str]) -> int:
    from companion.workshop.folder import RunFolder
    from companion.workshop.keep import keep

    parser = _parser("keep")
    parser.add_argument("dir", type=Path, help="folder of a finished run")
    for path in keep(RunFolder(parser.parse(words).dir)):
        print(f"{path} is written.")
    return 0


COMMANDS = {
    "list": list_all,
    "train": train,
    "resume": resume,
    "sample": sample,
    "judge": judge,
    "keep": keep,
}


def _named(words: list[str], form: str, what: str) -> list[str]:
    """The words, the first of which is a name.

    Raises: ValueError if it is not; SystemExit after the help.
    """
    usage = f"`python -m companion {form} [options]`; {what}"
    help_ = f"`python -m companion {form} --help` shows the options"
    if words and words[0] in ("-h", "--help"):
        print(f"{usage}, and {help_}.")
        sys.exit(0)
    if not words or words[0].startswith("-"):
        raise ValueError(f"The form is {usage}.")
    return words


def _parser(name: str) -> Parser:
    return Parser(prog=f"python -m companion {name}")


def _add_place(parser: Parser) -> None:
    parser.add_argument("place", help="NAME of shipped weights, or a run's folder")


def _use(options: Namespace) -> None:
    if "device" in options:
        os.environ["COMPANION_DEVICE"] = options.device


def _class_number(label: str, classes: list[str]) -> int:
    if label in classes:
        return classes.index(label)
    if label.isdecimal():
        return int(label)
    known = f"classes: {', '.join(classes)}" if classes else "give a number"
    raise ValueError(f"--label is {label!r}; {known}{nearest(label, classes)}")


def _opened(options: Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """A network ready to draw, and its card, by its name or from a run's folder."""
    from companion.runtime import setup

    _use(options)
    device = setup()
    path = Path(options.place).expanduser()
    if path.is_dir():
        from companion.workshop.folder import RunFolder

        folder = RunFolder(path)
        return folder.network(device), folder.card()
    if len(path.parts) > 1:
        raise ValueError(f"There is no folder {path}; give that of a run.")
    return pretrained(options.place, device), read_card(options.place)
