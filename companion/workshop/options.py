"""A recipe's settings as options of the command line."""

import argparse
import shlex
from typing import Any, NoReturn

from companion.nearest import nearest
from companion.workshop.recipe import AnyRecipe, setting_types, settings


class Parser(argparse.ArgumentParser):
    """An unknown option or command is answered with the nearest known ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            **options,
        )

    def parse(self, words: list[str]) -> argparse.Namespace:
        found, unknown = self.parse_known_args(words)
        if unknown:
            word = unknown[0].partition("=")[0]
            kind = "option" if word.startswith("-") else "word"
            self.error(f"Unknown {kind} {word}{nearest(word, self._known())}")
        return found

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\nOptions: {self.prog} --help\n")

    def _known(self) -> list[str]:
        return [word for action in self._actions for word in action.option_strings]


def add_settings(
    parser: Parser, recipe: type[AnyRecipe], *, default: bool = True
) -> None:
    """An option for each setting; without `default`, only what is given is set."""
    for name, hint in setting_types(recipe).items():
        about = settings(recipe)[name]
        options: dict[str, Any] = {"help": about["help"], "dest": name}
        if name == "data":
            options["help"] += ": " + ", ".join(recipe.sets)
        if hint == tuple[int, ...]:
            options |= {"type": int, "nargs": "+", "metavar": "INT"}
        elif hint is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options |= {"type": hint, "metavar": hint.__name__.upper()}
        value = getattr(recipe, name) if default else argparse.SUPPRESS
        parser.add_argument(f"--{name.replace('_', '-')}", default=value, **options)


def add_device(parser: Parser) -> None:
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "mps"),
        default=argparse.SUPPRESS,
        help="where to calculate; the fastest there is, if not given",
    )


def given_settings(
    recipe: type[AnyRecipe], options: argparse.Namespace
) -> dict[str, Any]:
    """Those settings that the options name, as the recipe keeps them."""
    given = {n: getattr(options, n) for n in setting_types(recipe) if n in options}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}


def command(recipe_name: str, recipe: AnyRecipe) -> str:
    """The command that trains with these settings: those that are not the default."""
    words = ["python", "-m", "companion", "train", recipe_name]
    for name in setting_types(type(recipe)):
        value = getattr(recipe, name)
        if value != getattr(type(recipe), name):
            option = name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                several = value if isinstance(value, tuple) else [value]
                words += [f"--{option}", *map(str, several)]
    return shlex.join(words)
