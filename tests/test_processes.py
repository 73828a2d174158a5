"""Several processes: what they compute together equals what one computes alone.

This file is also the program of the processes: each runs `main`, and leaves what it
found in a file for the tests to read.
"""

import os
import socket
import subprocess
import sys
import time
import warnings
from itertools import chain
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, Adam
from torch.optim.optimizer import _global_optimizer_pre_hooks

from companion.data import Batches, PairBatches, crop
from companion.models.gan import MLPDiscriminator, MLPGenerator
from companion.models.vae import MLPVAE
from companion.models.vqvae import VQVAE
from companion.processes import Processes, Share, join
from companion.trainers import (
    ClassifierTrainer,
    GANTrainer,
    VAETrainer,
    WeightAverage,
    fit,
)
from companion.trainers.vqvae import VQVAETrainer

SHAPE = (1, 4, 4)
GENERATOR = torch.Generator().manual_seed(7)
X = torch.rand(161, *SHAPE, generator=GENERATOR, dtype=torch.float64)
Y = torch.arange(161) % 2
EPS = torch.randn(8, 65, 3, generator=GENERATOR, dtype=torch.float64)


def batches():
    """An epoch: 65, 65 and 31 images."""
    return Batches(X, batch_size=65, seed=5)


class Rows:
    """The noise of each call: the rows of a fixed tensor that belong to a process."""

    def __init__(self, rank, size):
        self.rank, self.size, self.calls = rank, size, 0

    def __call__(self, n):
        self.calls += 1
        return EPS[self.calls - 1][self.rank :: self.size][:n]


class GivenVAE(MLPVAE):
    def encode(self, x):
        self.mu, self.log_var = super().encode(x)
        return self.mu, self.log_var

    def decode(self, z):
        eps = self.rows(len(z))
        return super().decode(self.mu + (0.5 * self.log_var).exp() * eps)


class GivenGenerator(MLPGenerator):
    def noise(self, n):
        return self.rows(n)


def vae_trainer(rank, size):
    vae = GivenVAE(SHAPE, hidden=8, latent=3).double()
    vae.rows = Rows(rank, size)
    return VAETrainer(vae, Adam(vae.parameters(), lr=1e-2))


def gan_trainer(rank, size):
    G = GivenGenerator(SHAPE, hidden=[8], latent=3).double()
    D = MLPDiscriminator(SHAPE, hidden=[8]).double()
    G.rows = Rows(rank, size)
    opts = (Adam(net.parameters(), lr=1e-2) for net in (G, D))
    return GANTrainer(G, D, *opts, r1=1.0, r1_every=2, average=WeightAverage(G, 0.9))


class Experts:
    """A layer for the images of each class, and one for a class that never comes."""

    def __init__(self):
        self.net = nn.ModuleList(nn.Linear(16, 1) for _ in range(3)).double()
        self.opt = Adam(self.net.parameters(), lr=1e-2, weight_decay=0.1)

    def step(self, x, y):
        self.opt.zero_grad()
        x = x.flatten(1)
        parts = [self.net[k](x[y == k]).square().sum() for k in y.unique().tolist()]
        loss = sum(parts) / len(x)
        loss.backward()
        self.opt.step()
        return {"loss": loss}


class LineSearch(Experts):
    def step(self, x, y):
        self.opt.step(lambda: 0.0)
        return {"loss": x.mean()}


def in_order():
    """All images of a class fall into the same process's part."""
    return Batches(X, Y, batch_size=65, shuffle=False)


def dropout_trainer():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)
    )
    return ClassifierTrainer(model, Adam(model.parameters(), lr=1e-2))


def augmented():
    return Batches(X.float(), Y, batch_size=65, augment=crop_one, seed=3)


def crop_one(x, *, generator):
    return crop(x, padding=1, generator=generator)


def networks(trainer):
    """All numbers of a trainer's networks, as one vector."""
    parts = [part for part in vars(trainer).values() if isinstance(part, nn.Module)]
    tensors = chain.from_iterable((*n.parameters(), *n.buffers()) for n in parts)
    return torch.cat([t.detach().double().flatten() for t in tensors])


def steps(trainer, batches, epochs=2):
    """The terms of each step, and the networks at the end."""
    terms = [trainer.step(*batch) for _ in range(epochs) for batch in batches]
    return [
        torch.tensor([[v.item() for v in t.values()] for t in terms]),
        networks(trainer),
    ]


def alone(maker, batches):
    torch.manual_seed(0)
    return steps(maker(0, 1), batches)


# What the processes do


def together(processes, maker, batches):
    """As `alone`; the networks of the others begin elsewhere."""
    torch.manual_seed(processes.rank)
    trainer = maker(processes.rank, processes.size)
    with processes.averaging(trainer):
        return steps(trainer, processes.share(batches, seed=0))


def stays_together(processes):
    """Codes that are moved to the data, in each process to its own images."""
    torch.manual_seed(0)
    vqvae = VQVAE(SHAPE, width=4, dim=2, num_codes=16)
    opt = Adam(vqvae.parameters())
    trainer = VQVAETrainer(vqvae, opt, revive_every=1)
    with processes.averaging(trainer):
        return steps(trainer, processes.share(Batches(X.float()), seed=0))


def interrupted(processes, folder):
    """Nine steps in one run, and in two with a break within the second epoch."""
    found = []
    for name, lengths in (("whole", [9]), ("resumed", [4, 9])):
        for seed, length in enumerate(lengths):
            torch.manual_seed(10 * seed)
            trainer = dropout_trainer()
            with processes.folder(folder / name) as own, processes.quiet():
                with processes.averaging(trainer):
                    history = fit(
                        trainer,
                        processes.share(augmented(), seed=0),
                        steps=length,
                        checkpoint=own / "run.pt",
                        resume=True,
                    )
        found.append([torch.tensor(list(history.terms.values())), networks(trainer)])
    return {"runs": found, "own_folder_stays": own.is_dir()}


def copied(processes, folder):
    """What a late process finds in its copy, though the first writes at once."""
    if not processes.first:
        time.sleep(0.3)
    with processes.folder(folder / "shared") as own:
        own.mkdir(exist_ok=True)
        names = [path.name for path in own.iterdir()]
        (own / f"{processes.rank}").touch()
    return names


def not_a_number(processes):
    """The second process's noise is not finite in the fourth step."""
    torch.manual_seed(0)
    trainer = gan_trainer(processes.rank, processes.size)

    def rows(n, given=trainer.G.rows):
        noise = given(n)
        last = not processes.first and given.calls == 4
        return noise * torch.nan if last else noise

    trainer.G.rows = rows
    begin = time.perf_counter()
    try:
        with processes.averaging(trainer), processes.quiet():
            fit(trainer, processes.share(batches(), 0), steps=8, progress=False)
    except FloatingPointError as error:
        seconds = time.perf_counter() - begin
        return {"said": str(error), "steps": trainer.steps.done, "seconds": seconds}


def refused(processes):
    """A line search, and a label without a class in the second process's part."""
    search, trainer, y = LineSearch(), dropout_trainer(), Y.clone()
    search.opt = LBFGS(search.net.parameters())
    y[159] = 7
    data = Batches(X.float(), y, batch_size=65, shuffle=False)
    errors = []
    for one, shared in ((search, in_order()), (trainer, data)):
        try:
            with processes.averaging(one):
                fit(one, processes.share(shared, 0), steps=1, progress=False)
        except ValueError as error:
            errors.append(str(error))
    return errors


def others_are_left_alone(processes):
    """A second trainer of the same kind steps in one process only."""
    torch.manual_seed(0)
    own_step, trainer, other = Experts.step, Experts(), Experts()
    with processes.averaging(trainer):
        inside = Experts.step is not own_step
        if processes.first:
            other.step(X[:2], Y[:2])
        trainer.step(X[:2], Y[:2])
    return inside and Experts.step is own_step and not _global_optimizer_pre_hooks


def main(folder):
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    with join() as processes:
        found = {
            "who": [processes.rank, processes.size, processes.first],
            "vae": together(processes, vae_trainer, batches()),
            "gan": together(processes, gan_trainer, batches()),
            "experts": together(processes, lambda *_: Experts(), in_order()),
            "vqvae": stays_together(processes),
            "interrupted": interrupted(processes, folder),
            "copied": [copied(processes, folder) for _ in range(2)],
            "not_a_number": not_a_number(processes),
            "refused": refused(processes),
            "left_alone": others_are_left_alone(processes),
        }
        with processes.quiet():
            print("said aloud")
    found["parted"] = not torch.distributed.is_initialized()
    torch.save(found, folder / f"{processes.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))


# What the tests make of it


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes found, and what it printed."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in ("0", "1"):
        environment = os.environ | {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "COMPANION_DEVICE": "cpu",
        }
        pipe = subprocess.PIPE
        command = [sys.executable, __file__, str(folder)]
        started.append(
            subprocess.Popen(
                command, env=environment, stdout=pipe, stderr=pipe, text=True
            )
        )
    try:
        said = [process.communicate(timeout=120) for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (_, errors) in zip(started, said, strict=True):
        assert process.returncode == 0, errors
    results = [torch.load(folder / f"{r}.pt", weights_only=True) for r in range(2)]
    for result, (printed, _) in zip(results, said, strict=True):
        result["printed"] = printed
    return results


@pytest.mark.parametrize(
    "name, maker, batches",
    [
        ("vae", vae_trainer, batches()),
        ("gan", gan_trainer, batches()),
        ("experts", lambda *_: Experts(), in_order()),
    ],
)
def test_two_processes_make_the_updates_of_one(found, name, maker, batches):
    terms, weights = alone(maker, batches)
    for one in found:
        torch.testing.assert_close(one[name][0], terms, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(one[name][1], weights, rtol=1e-9, atol=1e-12)


def test_what_a_step_changes_beside_its_optimiser_stays_the_same_everywhere(found):
    first, second = found
    assert torch.equal(first["vqvae"][1], second["vqvae"][1])


def test_resumed_equals_uninterrupted_bit_for_bit(found):
    first, second = (one["interrupted"]["runs"] for one in found)
    (history, weights), (resumed_history, resumed_weights) = first
    assert torch.equal(history, resumed_history)
    assert torch.equal(weights, resumed_weights)
    for _, same in second:
        assert torch.equal(weights, same)


def test_only_the_first_process_keeps_files_and_prints(found):
    first, second = found
    assert first["interrupted"]["own_folder_stays"]
    assert not second["interrupted"]["own_folder_stays"]
    assert "said aloud" in first["printed"]
    assert second["printed"] == ""


def test_the_first_process_waits_until_the_others_have_their_copies(found):
    assert [one["copied"] for one in found] == [[[], ["0"]]] * 2


def test_all_stop_at_once_at_a_value_that_is_not_finite(found):
    for one in found:
        stopped = one["not_a_number"]
        assert stopped["said"].startswith("loss_D became nan")
        assert stopped["steps"] == 4
        assert stopped["seconds"] < 10


def test_what_does_not_fit_is_refused_in_all_processes(found):
    for one in found:
        closure, labels = one["refused"]
        assert "LBFGS takes a closure" in closure
        assert "7" in labels and "class" in labels


def test_everything_is_as_before_at_the_end(found):
    assert all(one["left_alone"] and one["parted"] for one in found)
    assert [one["who"] for one in found] == [[0, 2, True], [1, 2, False]]


@pytest.mark.parametrize("size", [2, 3])
def test_parts_are_disjoint_and_together_the_whole_batch(size):
    shares = [Share(augmented(), 0, rank, size) for rank in range(size)]
    one = augmented()
    for _ in range(2):  # epochs
        for (x, y), *parts in zip(one, *shares, strict=True):
            for tensor, *cut in zip((x, y), *parts, strict=True):
                assert sum(map(len, cut)) == len(tensor)
                for rank, part in enumerate(cut):
                    assert torch.equal(part, tensor[rank::size])


def test_pairs_stay_pairs():
    share = Share(PairBatches(X, 1 - X, augment=crop_one), 0, 1, 2)
    for x, y in share:
        assert len(x) == 8
        assert torch.equal(y, 1 - x)


def noise(share, epochs=2):
    return [torch.rand(1).item() for _ in range(epochs) for _ in share]


def test_noise_differs_between_processes_batches_and_epochs():
    everywhere = [noise(Share(batches(), 0, rank, 2)) for rank in range(2)]
    assert len({*everywhere[0], *everywhere[1]}) == 12
    assert noise(Share(batches(), 0, 1, 2)) == everywhere[1]
    assert noise(Share(batches(), 1, 1, 2)) != everywhere[1]


def test_a_share_goes_on_where_its_state_was_taken():
    share, other = (Share(batches(), 0, 1, 2) for _ in range(2))
    noise(share, epochs=1)
    other.load_state_dict(share.state_dict())
    assert share.state_dict() == batches().state_dict() | {"epoch": 1}
    for (a,), (b,) in zip(share, other, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("images, size", [(133, 65), (6, 3)])
def test_a_part_of_one_image_is_refused_where_layers_need_two(images, size, rank):
    share = Share(Batches(X[:images].float(), Y[:images], batch_size=size), 0, rank, 2)
    assert len(share) == -(-images // size)
    with pytest.raises(ValueError, match="1 image .*batch normalisation"):
        fit(dropout_trainer(), share, epochs=1, progress=False)


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        ([(X,)], TypeError, "batches is list.* give Batches"),
        (torch.utils.data.DataLoader(X), TypeError, "DataLoader"),
        (Batches(X, batch_size=160), ValueError, "one of 1, fewer than the 2"),
        (Batches(X, batch_size=1), ValueError, "batches of 1 has one of 1"),
        (Batches(X[:1]), ValueError, "start fewer"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        Processes(0, 2).share(wrong, seed=0)


def test_a_seed_is_not_negative():
    with pytest.raises(ValueError, match="seed is -1"):
        Processes(0, 2).share(batches(), seed=-1)


def test_one_process_is_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert join() is None
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert join() is None


@pytest.mark.parametrize(
    "kind, message", [("cuda", "LOCAL_RANK is 1.* has 1 GPU"), ("mps", "MPS")]
)
def test_a_gpu_is_not_for_two(monkeypatch, kind, message):
    monkeypatch.delenv("COMPANION_DEVICE", raising=False)
    for name, value in (("RANK", "1"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    for name, module in (("cuda", torch.cuda), ("mps", torch.backends.mps)):
        monkeypatch.setattr(module, "is_available", lambda n=name: n == kind)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=message):
        join()
