"""What a recipe is: the settings of one trained result, and what they make."""

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, get_type_hints

import torch
from torch import Tensor, nn

import companion.recipes
from companion.data import ImageData
from companion.nearest import nearest
from companion.trainers import Trainer

FOLDER = "FOLDER"  # among a recipe's sets: any folder of pictures
KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "yes or no"}


def setting(
    default: Any, help: str, *, least: float | None = None, below: float = math.inf
) -> Any:
    """A field of a recipe: it becomes an option of the command line.

    A number must be at least `least`, without it above 0, and less than `below`.
    """
    limits = {"least": least, "below": below}
    return field(default=default, metadata={"help": help, **limits})


@dataclass
class Training:
    """What `fit` needs, and the network that the run is for."""

    trainer: Trainer
    batches: Iterable
    network: nn.Module
    validate: Callable[[], Mapping[str, float]] | None = None
    # What the run knows of more than that network, added to the values.
    beside: Callable[[], Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class AnyRecipe:
    """The settings of a result: of a trained network, or of a study.

    Raises: ValueError naming a setting of another type or out of its range.
    """

    ships: ClassVar[bool] = False  # whether `keep` takes the weights, too

    seed: int = setting(0, "of all random numbers", least=0, below=2**32)

    def __post_init__(self) -> None:
        for name, wanted in setting_types(type(self)).items():
            _check(self, name, wanted)


@dataclass(frozen=True, kw_only=True)
class Recipe(AnyRecipe):
    """The settings of a trained network; a subclass says what they make."""

    kind: ClassVar[type[nn.Module]]  # of the network that the run is for
    sets: ClassVar[tuple[str, ...]] = ("digits",)  # what `data` may name

    data: str = setting("digits", "what to learn from")
    steps: int = setting(1000, "optimiser steps")
    batch_size: int = setting(64, "images a step")
    lr: float = setting(1e-3, "highest learning rate")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        """What the network is made with, as JSON can keep it."""
        return {}

    def training(self, network: nn.Module, data: ImageData) -> Training:
        """The network on its way; it and the data lie on one device."""
        raise NotImplementedError

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        """The numbers that the result is known by."""
        raise NotImplementedError


@dataclass
class Found:
    """What a study found: the values to record, perhaps a picture.

    The steps are those of all optimisers together; the picture is (1, C, H, W) in
    [0, 1].
    """

    values: dict[str, Any]
    steps: int
    seconds: float
    picture: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Study(AnyRecipe):
    """The settings of a comparison or of a picture: no network is kept."""

    source: ClassVar[str]  # what it is made from

    def find_out(self, device: torch.device) -> Found:
        """The whole work.

        Raises: KeyboardInterrupt, if it is interrupted, for nothing is kept then.
        """
        raise NotImplementedError


def num_classes(data: ImageData) -> int:
    """How many labels there are to be told.

    Raises: ValueError, with the remedy, for pictures of one class.
    """
    if len(data.classes) < 2:
        raise ValueError(
            f"{data.source} has one class, and labels need two or more: put the "
            "pictures of each class into a folder of its own."
        )
    return len(data.classes)


def names() -> list[str]:
    """The recipes there are: the files of companion/recipes."""
    return sorted(m.name for m in pkgutil.iter_modules(companion.recipes.__path__))


def find(name: str, *, trains: bool = False) -> type[AnyRecipe]:
    """The recipe of a file in companion/recipes.

    Raises: ValueError naming the nearest ones, if there is none; with `trains`, also
        for a recipe that trains no network.
    """
    if name not in names():
        raise ValueError(
            f"There is no recipe {name!r}; `python -m companion list` shows all"
            f"{nearest(name, names())}"
        )
    module = importlib.import_module(f"companion.recipes.{name}")
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, AnyRecipe)
        and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ValueError(f"{module.__file__} holds {len(found)} recipes; write one.")
    if trains and not issubclass(found[0], Recipe):
        raise ValueError(
            f"The recipe {name} is a study, made in one go, and keeps no network: only "
            f"`python -m companion train {name}` and `keep` are for it."
        )
    return found[0]


def as_dict(recipe: AnyRecipe) -> dict[str, Any]:
    """The settings, as JSON can keep them."""
    return {field.name: getattr(recipe, field.name) for field in fields(recipe)}


def from_dict(kind: type[AnyRecipe], saved: Mapping[str, Any]) -> AnyRecipe:
    """The recipe of saved settings; those that came later have their default.

    Raises: ValueError for a setting that the recipe does not have.
    """
    known = {field.name for field in fields(kind)}
    if unknown := sorted(saved.keys() - known):
        raise ValueError(
            f"The saved settings hold {unknown}, which the recipe does not know: "
            "install the companion that made the run, or train anew."
        )
    return kind(**saved)


def setting_types(recipe: type[AnyRecipe]) -> dict[str, Any]:
    """Each setting's type, in the order of the options."""
    hints = get_type_hints(recipe)
    return {field.name: hints[field.name] for field in fields(recipe)}


def settings(recipe: type[AnyRecipe]) -> dict[str, Mapping[str, Any]]:
    """What `setting` said of each setting."""
    return {field.name: field.metadata for field in fields(recipe)}


def check_rising(recipe: AnyRecipe, name: str) -> None:
    """Raises: ValueError if the numbers of a setting do not rise."""
    numbers = getattr(recipe, name)
    if any(b <= a for a, b in zip(numbers, numbers[1:], strict=False)):
        raise ValueError(
            f"--{name.replace('_', '-')} is {numbers!r}; give numbers that rise."
        )


def _check(recipe: AnyRecipe, name: str, hint: Any) -> None:
    value, limits = getattr(recipe, name), settings(type(recipe))[name]
    option = f"--{name.replace('_', '-')} is {value!r}"
    several = hint == tuple[int, ...]
    if several:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"{option}; give one whole number or more.")
        object.__setattr__(recipe, name, tuple(value))  # JSON knows lists only
    wanted = int if several else hint
    for one in value if several else [value]:
        kinds = (int, float) if wanted is float else wanted
        if not isinstance(one, kinds) or isinstance(one, bool) != (wanted is bool):
            raise ValueError(f"{option}; give {KINDS[wanted]}.")
        if wanted in (int, float):
            least, below = limits["least"], limits["below"]
            enough = one > 0 if least is None else one >= least
            if not (enough and one < below):
                bound = "above 0" if least is None else f"of {least:g} or more"
                bound += "" if math.isinf(below) else f", below {below:g}"
                raise ValueError(f"{option}; give a number {bound}.")
