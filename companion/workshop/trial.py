"""A dry run: how long would it take?"""

import math
import time
from itertools import chain, islice, repeat
from statistics import fmean

from companion.workshop.log import duration
from companion.workshop.recipe import Recipe
from companion.workshop.train import Work

TRIAL, WARM_UP = 10, 3  # steps, of which the first are slow


def try_out(recipe: Recipe) -> None:
    """Ten steps that leave nothing: parameters, seconds a step, time to come.

    Raises: FloatingPointError naming a term that is not finite.
    """
    work = Work(recipe)
    print(work)
    trainer, batches = work.training.trainer, work.training.batches
    seconds = []
    drawn = chain.from_iterable(repeat(batches))
    for batch in islice(drawn, min(TRIAL, recipe.steps)):
        begin = time.perf_counter()
        terms = trainer.step(*batch)
        values = {name: value.item() for name, value in terms.items()}  # waits
        seconds.append(time.perf_counter() - begin)
    step = fmean(seconds[WARM_UP:] or seconds)
    for name, value in values.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value} after {len(seconds)} steps.")
    print(", ".join(f"{name} {value:.4g}" for name, value in values.items()))
    after = f" after the first {WARM_UP}" if len(seconds) > WARM_UP else ""
    print(
        f"{step:.4f} s a step{after}; {recipe.steps:,} in all would take about "
        f"{duration(step * recipe.steps)}."
    )
