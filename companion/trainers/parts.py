"""What the steps of several trainers share."""

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


def train_mode(*networks: nn.Module) -> None:
    """Networks made ready for training, if they are not."""
    for network in networks:
        if not network.training:  # asking is cheap, setting is not
            network.train()


def advance(*schedules: LRScheduler | None) -> None:
    """Learning-rate schedules, where there are any, moved on by a step."""
    for schedule in schedules:
        if schedule is not None:
            schedule.step()


def check_optimizer(name: str, opt: Optimizer, **networks: nn.Module) -> None:
    """That an optimiser moves the named networks and nothing else.

    Raises: ValueError if it does not hold exactly their parameters.
    """
    held = {id(p) for group in opt.param_groups for p in group["params"]}
    if held != {id(p) for net in networks.values() for p in net.parameters()}:
        every = [f"{net}.parameters()" for net in networks]
        given = every[0] if len(every) == 1 else f"[*{', *'.join(every)}]"
        raise ValueError(
            f"{name} does not hold exactly the parameters of {' and '.join(networks)}; "
            f"make it with these and no others, as in {name} = Adam({given})."
        )


def check_weights(**weights: float) -> None:
    """Raises: ValueError naming the first weight that is negative or nan."""
    for name, value in weights.items():
        if not value >= 0:  # also true for nan
            raise ValueError(f"{name} is {value}; give a weight of 0 or more.")


class StepCount(nn.Module):
    """How many steps are done; checkpoints keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0

    def get_extra_state(self) -> int:
        return self.done

    def set_extra_state(self, state: int) -> None:
        self.done = state
