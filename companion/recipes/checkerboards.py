"""Checkerboards: what six ways to double a picture do before and in training.

Networks of two doublings, with equally many weights, enlarge emoji from 8 x 8 to
32 x 32 pixels. Before training and after some numbers of steps each is given flat
grey pictures, whose answers should be flat, and the test set.
"""

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.data import Batches, EmojiData, EmojiSplit, emoji
from companion.metrics import mean_by_group
from companion.models.enlarging import DOUBLINGS, Enlarger, bicubic, checkerboard
from companion.trainers import fit
from companion.workshop.recipe import Found, Study, check_rising, setting


@dataclass(frozen=True, kw_only=True)
class Checkerboards(Study):
    source = "OpenMoji, CC BY-SA 4.0"

    stops: tuple[int, ...] = setting(
        (100, 300, 1000, 3000), "steps after which to measure, rising"
    )
    seeds: int = setting(3, "networks of each kind")
    batch_size: int = setting(32, "pictures a step")
    lr: float = setting(3e-3, "learning rate")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "stops")

    def find_out(self, device: torch.device) -> Found:
        started = time.perf_counter()
        data = emoji().to(device)
        x, small = data.test.x, F.avg_pool2d(data.test.x, 4)
        # One squared error a picture: the mean over its pixels and channels.
        baseline = (bicubic(small) - x).square().mean((1, 2, 3))
        seeds = range(self.seed, self.seed + self.seeds)
        kinds = {
            kind: [self._run(kind, seed, data, baseline) for seed in seeds]
            for kind in DOUBLINGS
        }
        values = {
            "steps": [0, *self.stops],
            "seeds": [*seeds],
            "test bases": len(set(data.test.base)),
            "bicubic": [round(v, 7) for v in mean_by_group(baseline, data.test.base)],
            "kinds": {
                kind: {
                    "weights": _weights(kind),
                    **{key: [run[key] for run in runs] for key in runs[0]},
                }
                for kind, runs in kinds.items()
            },
        }
        steps = self.stops[-1] * self.seeds * len(DOUBLINGS)
        return Found(values, steps, time.perf_counter() - started)

    def _run(
        self, kind: str, seed: int, data: EmojiData, baseline: Tensor
    ) -> dict[str, list]:
        """The board and the errors of one network at all steps."""
        torch.manual_seed(seed)
        net = Enlarger(*DOUBLINGS[kind]).to(data.train.x.device)
        painter = Enlarging(net, self.lr)
        batches = Batches(data.train.x, batch_size=self.batch_size, seed=seed)
        found = {"board": [], "error": [], "less bicubic": []}
        for before, after in zip((0, 0, *self.stops), (0, *self.stops), strict=False):
            if after > before:
                history = fit(painter, batches, steps=after - before, progress=False)
                if history.interrupted:
                    raise KeyboardInterrupt
            error = _errors(net, data.test)
            apart = mean_by_group(error - baseline, data.test.base)
            found["board"].append(round(checkerboard(net), 6))
            found["error"].append(round(mean_by_group(error, data.test.base)[0], 7))
            found["less bicubic"].append([round(v, 7) for v in apart])
        print(f"{kind}, seed {seed}: boards {found['board']}", flush=True)
        return found


class Enlarging:
    """A trainer: squared error between a picture and its shrunken self, enlarged."""

    def __init__(self, net: nn.Module, lr: float):
        self.net, self.opt = net, torch.optim.Adam(net.parameters(), lr)

    def step(self, x: Tensor) -> dict[str, Tensor]:
        loss = (self.net(F.avg_pool2d(x, 4)) - x).square().mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return {"loss": loss.detach()}


@torch.no_grad()
def _errors(net: nn.Module, test: EmojiSplit) -> Tensor:
    """Squared error of each picture, clipped as bicubic interpolation is: (N,)."""
    made = net(F.avg_pool2d(test.x, 4)).clamp(0, 1)
    return (made - test.x).square().mean((1, 2, 3))


def _weights(kind: str) -> int:
    network = Enlarger(*DOUBLINGS[kind])
    return sum(p.numel() for p in network.parameters() if p.dim() > 1)
