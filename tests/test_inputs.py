"""Batches that do not fit their trainer: known before anything is learned."""

import pytest
import torch
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

from companion.data import Batches, PairBatches
from companion.models.autoencoder import Autoencoder
from companion.models.cgan import ConditionalMLPDiscriminator, ConditionalMLPGenerator
from companion.models.cvae import ConditionalVAE
from companion.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from companion.models.pixelcnn import PixelCNN
from companion.models.rnn import RowClassifier
from companion.models.translation import PatchDiscriminator, UNet
from companion.models.vae import MLPVAE
from companion.models.video import ConvLSTM
from companion.models.vqvae import VQVAE
from companion.trainers import (
    AutoencoderTrainer,
    ClassifierTrainer,
    ConditionalVAETrainer,
    CycleGANTrainer,
    GANTrainer,
    Pix2PixTrainer,
    TranslationTrainer,
    VAETrainer,
    WGANGPTrainer,
    WGANTrainer,
    fit,
)
from companion.trainers.pixelcnn import LikelihoodTrainer
from companion.trainers.rnn import RowTrainer
from companion.trainers.video import VideoTrainer
from companion.trainers.vqvae import CodePriorTrainer, VQVAETrainer

SHAPE = (1, 8, 8)
X = torch.linspace(0, 1, 12 * 64).reshape(12, *SHAPE)
Y = torch.arange(12) % 3


def adam(*networks):
    return Adam([p for network in networks for p in network.parameters()])


def one(kind, network):
    return kind(network, adam(network))


def pair(kind, G, D):
    return kind(G, D, adam(G), adam(D))


def mlp_pair(kind=GANTrainer, batch_norm=False):
    G = MLPGenerator(SHAPE, [8], latent=3, batch_norm=batch_norm)
    return pair(kind, G, MLPDiscriminator(SHAPE, [8]))


def classifier(batch_norm=False):
    norm = [nn.BatchNorm1d(8)] if batch_norm else []
    layers = nn.Linear(64, 8), *norm, nn.Dropout(0.5), nn.Linear(8, 3)
    return one(ClassifierTrainer, nn.Sequential(nn.Flatten(), *layers))


def conditional_pair():
    G = ConditionalMLPGenerator(SHAPE, [8], latent=3, num_classes=3)
    return pair(GANTrainer, G, ConditionalMLPDiscriminator(SHAPE, [8], num_classes=3))


def pix2pix(batch_norm=True):
    G = UNet(1, 1, widths=(4, 4, 4), batch_norm=batch_norm)
    return pair(Pix2PixTrainer, G, PatchDiscriminator(2, widths=(4,)))


def cycle():
    nets = [UNet(1, 1, widths=(4, 4), batch_norm=False) for _ in range(2)]
    judges = [PatchDiscriminator(1, widths=(4,)) for _ in range(2)]
    return CycleGANTrainer(*nets, *judges, adam(*nets), adam(*judges))


def translator():
    return one(TranslationTrainer, UNet(1, 1, widths=(4, 4), batch_norm=False))


def conditional_vae():
    return one(ConditionalVAETrainer, ConditionalVAE(SHAPE, 8, 2, num_classes=3))


def rows():
    return one(RowTrainer, RowClassifier(8, 8, num_classes=3))


PICTURES = {
    "autoencoder": lambda: one(AutoencoderTrainer, Autoencoder(SHAPE, (8,), 2)),
    "vae": lambda: one(VAETrainer, MLPVAE(SHAPE, 8, 2)),
    "vqvae": lambda: one(VQVAETrainer, VQVAE(SHAPE, width=4, dim=2)),
    "pixelcnn": lambda: one(LikelihoodTrainer, PixelCNN(SHAPE, width=4)),
    "gan": mlp_pair,
    "wgan": lambda: mlp_pair(WGANTrainer),
    "wgan-gp": lambda: mlp_pair(WGANGPTrainer),
}
LABELLED = {"conditional gan": conditional_pair, "conditional vae": conditional_vae}
READERS = {"classifier": classifier, "rows": rows}
PAIRS = {"pix2pix": pix2pix, "translation": translator, "cycle": cycle}


def parameters(trainer):
    networks = [v for v in vars(trainer).values() if isinstance(v, nn.Module)]
    return [p.detach().clone() for net in networks for p in net.parameters()]


def refuse(trainer, batches, error, match):
    """The error comes, and nothing has moved."""
    before = parameters(trainer)
    with pytest.raises(error, match=match):
        fit(trainer, batches, epochs=1, progress=False)
    assert all(map(torch.equal, parameters(trainer), before))


WRONG = [
    (2 * X - 1, ValueError, r"x runs from -1 to 1.*\(x \+ 1\) / 2"),
    (255 * X, ValueError, r"x runs from 0 to 255.*x / 255"),
    ((X - 0.5) / 0.3, ValueError, r"x runs from -1\.667.*deviation \+ mean"),
    (X.index_fill(0, torch.tensor(11), torch.nan), ValueError, "nan"),
]


@pytest.mark.parametrize("name", PICTURES | LABELLED | PAIRS)
def test_pictures_in_another_range_are_refused(name):
    for x, error, match in WRONG:
        if name in PICTURES:
            refuse(PICTURES[name](), Batches(x, batch_size=4), error, match)
        elif name in LABELLED:
            refuse(LABELLED[name](), Batches(x, Y, batch_size=4), error, match)
        else:
            trainer = PAIRS[name]()
            refuse(trainer, PairBatches(x, X, batch_size=12), error, match)
            match = match.replace("x", "y")
            refuse(trainer, PairBatches(X, x, batch_size=12), error, match)


@pytest.mark.parametrize("name", PICTURES | LABELLED | READERS)
def test_what_fits_is_trained_and_costs_no_random_number(name):
    make = (PICTURES | LABELLED | READERS)[name]
    more = [] if name in PICTURES else [Y]
    torch.manual_seed(1)
    trainer = make()
    fit(trainer, Batches(X, *more, batch_size=4), steps=3, progress=False)
    torch.manual_seed(1)
    by_hand = make()
    for batch in Batches(X, *more, batch_size=4):
        by_hand.step(*batch)
    assert all(map(torch.equal, parameters(trainer), parameters(by_hand)))


def test_a_video_in_another_range_is_refused():
    x = X[None].expand(2, -1, -1, -1, -1)
    refuse(one(VideoTrainer, ConvLSTM(SHAPE)), [2 * x - 1], ValueError, "/ 2")


def test_bytes_are_refused():
    for trainer in (mlp_pair(), PICTURES["vae"]()):
        refuse(trainer, [(255 * X).byte()], TypeError, r"x\.float\(\) / 255")


@pytest.mark.parametrize("name", READERS)
def test_classifiers_take_standardised_pictures_but_no_nan(name):
    trainer = READERS[name]()
    fit(trainer, Batches((X - 0.5) / 0.3, Y), epochs=1, progress=False)
    wrong = X.index_fill(0, torch.tensor(11), torch.nan)
    refuse(trainer, Batches(wrong, Y, batch_size=4), ValueError, "x holds nan")


def test_linear_autoencoders_and_points_may_have_any_range():
    linear = one(AutoencoderTrainer, Autoencoder(SHAPE, (), 2))
    fit(linear, [2 * X - 1], epochs=1, progress=False)
    check = mlp_pair().takes(X)["x"]
    for points in (torch.randn(5, 2), torch.randn(5, 2, 1, 1)):
        check("x", points)


@pytest.mark.parametrize("name", LABELLED | READERS)
def test_labels_outside_the_classes_are_refused(name):
    make = (LABELLED | READERS)[name]
    match = "y has labels from 1 to 3; 3 classes are numbered 0 to 2.*y - 1"
    refuse(make(), Batches(X, Y + 1, batch_size=4), ValueError, match)
    late = Y.clone()
    late[11] = 7  # in the last batch only
    refuse(make(), Batches(X, late, batch_size=4, shuffle=False), ValueError, "0 to 7")
    refuse(make(), [(X[:4], Y[:4]), (X[8:], late[8:])], ValueError, "0 to 7")


def test_codes_outside_the_codebook_are_refused():
    class Prior(nn.Embedding):
        num_codes = 4

    prior = Prior(4, 4)
    codes = torch.tensor([[[0, 4]]])
    refuse(one(CodePriorTrainer, prior), [codes], ValueError, "codes has labels .* 4;")


def test_the_number_of_tensors_must_fit():
    loader = DataLoader(TensorDataset(X, Y), batch_size=4)
    for name, make in PICTURES.items():
        match = r"brings 2 tensors and \w+ takes 1: .*x.*without the labels"
        refuse(make(), Batches(X, Y), TypeError, match)
        if name == "gan":
            refuse(make(), loader, TypeError, match)
    for make in (LABELLED | READERS).values():
        match = r"brings 1 tensor and \w+ takes 2: .*x, y.*Batches\(split.x, split.y\)"
        refuse(make(), Batches(X), TypeError, match)
    for make in PAIRS.values():
        refuse(make(), Batches(X), TypeError, "brings 1 tensor")
    refuse(classifier(), [(X, Y, Y)], TypeError, "brings 3 tensors")
    refuse(classifier(), [()], TypeError, "A batch is empty")


class Mine:
    """A reader's own trainer, which says nothing of its batches."""

    def step(self, x, y, scale=None, **more):
        return {"mean": x.mean()}


class WithoutLabels(VAETrainer):
    def step(self, x, *rest):
        return super().step(x)


class SoftLabels(ClassifierTrainer):
    def step(self, x, y):
        return super().step(x, y.argmax(dim=1))


def test_what_a_reader_writes_anew_is_not_held_to_what_was_said_before():
    vae = MLPVAE(SHAPE, 8, 2)
    fit(one(WithoutLabels, vae), Batches(X, Y), epochs=1, progress=False)
    soft = one(SoftLabels, classifier().model)
    shares = nn.functional.one_hot(Y, 3).float()
    fit(soft, Batches(X, shares), epochs=1, progress=False)
    for trainer, batches in [(classifier(), Batches(X, Y)), (mlp_pair(), Batches(X))]:
        step = trainer.step
        trainer.step = lambda *batch, step=step, **more: step(*batch, **more)
        fit(trainer, batches, epochs=1, progress=False)


class Own(nn.Module):
    """A generator of a reader's own, of labels if it has classes."""

    def __init__(self, num_classes=None):
        super().__init__()
        self.net = nn.Linear(3, 64)
        if num_classes is not None:
            self.num_classes = num_classes

    def noise(self, n):
        return torch.randn(n, 3)


class Tanh(Own):
    def forward(self, z):
        return self.net(z).tanh().view(-1, *SHAPE)


class OfLabels(Own):
    def forward(self, z, y):
        return (self.net(z) + y[:, None]).sigmoid().view(-1, *SHAPE)


class JudgeOfLabels(Own):
    def forward(self, x, y):
        return self.net(x.flatten(1)[:, :3]).mean(dim=1) + y


def test_own_networks_may_have_another_range_and_unnamed_classes():
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
    fit(pair(GANTrainer, Tanh(), plain), [2 * X - 1], epochs=1, progress=False)
    refuse(pair(GANTrainer, Tanh(), plain), [(X, Y)], TypeError, "without the labels")
    labelled = [OfLabels(k) for k in (None, 3)]
    for G in labelled:
        D = JudgeOfLabels(getattr(G, "num_classes", None))
        fit(pair(GANTrainer, G, D), [(X, Y)], epochs=1, progress=False)
    refuse(pair(GANTrainer, G, D), [(X, Y + 1)], ValueError, "from 1 to 3")
    bent = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Sigmoid())
    bent.append(nn.Linear(8, 64)).append(nn.Unflatten(1, SHAPE))
    fit(one(AutoencoderTrainer, bent), [2 * X - 1], epochs=1, progress=False)


def test_a_row_reader_needs_only_each_row():
    class Rows(nn.Linear):
        def each_row(self, x):
            return nn.functional.linear(x[:, 0], self.weight, self.bias)

        def forward(self, x):
            raise NotImplementedError

    fit(one(RowTrainer, Rows(8, 3)), Batches(X, Y), epochs=1, progress=False)
    refuse(one(RowTrainer, Rows(8, 3)), Batches(X, Y + 1), ValueError, "1 to 3")


class Scaled(Batches):
    def __iter__(self):
        return ((x / 255,) for (x,) in super().__iter__())


def test_batches_are_looked_at_as_they_are_drawn():
    fit(PICTURES["vae"](), Scaled(255 * X), epochs=1, progress=False)
    x = X.clone()
    x[11] *= 255
    late = [Batches(x, batch_size=4, shuffle=False)]
    late.append(DataLoader(TensorDataset(x), batch_size=4))
    for batches in late:
        refuse(mlp_pair(), batches, ValueError, "x / 255")
    for pictures in ((x, X), (X, x)):
        batches = PairBatches(*pictures, batch_size=4, seed=3)
        refuse(translator(), batches, ValueError, "/ 255")


def test_a_readers_own_trainer_is_known_by_its_signature():
    for batch in [(X, Y), (2 * X - 1, Y, Y)]:
        fit(Mine(), [batch], epochs=1, progress=False)
    overshoot = X.clone()
    overshoot[0, 0, 0, 0] = 1 + 1e-6
    fit(mlp_pair(), [overshoot], epochs=1, progress=False)
    refuse(Mine(), [X], TypeError, "brings 1 tensor and Mine takes 2")
    refuse(Mine(), [(X, Y, X, X)], TypeError, "brings 4 tensors")


class Repair(TranslationTrainer):
    """A subclass with a step of its own, which makes the pairs itself."""

    def step(self, x):
        return super().step(1 - x, x)


def test_a_subclass_may_take_less():
    G = UNet(1, 1, widths=(4, 4), batch_norm=False)
    fit(one(Repair, G), Batches(X), epochs=1, progress=False)
    refuse(one(Repair, G), Batches(X, X), TypeError, "brings 2 .* Repair takes 1")


@pytest.mark.parametrize(
    ("batches", "error", "match"),
    [
        ((x for x in [X]), TypeError, "batches is generator.*DataLoader"),
        (DataLoader([{"x": X[0]}], batch_size=1), TypeError, "A batch is dict"),
        ([(X, ["a"])], TypeError, "Part 2 of a batch is list"),
        ([X.numpy()], TypeError, "A batch is ndarray"),
    ],
)
def test_batches_of_another_kind_are_named(batches, error, match):
    refuse(Mine(), batches, error, match)


def test_batches_that_give_nothing_do_not_hang():
    class Spent(list):
        def __iter__(self):
            return iter(())

    refuse(Mine(), Spent([1]), ValueError, "gave no batch")


@pytest.mark.parametrize("value", [None, 0.5, [1]])
def test_validate_must_return_a_dictionary(value):
    with pytest.raises(TypeError, match=r"validate\(\) returned .*'val_loss'"):
        fit(Mine(), [(X, Y)], epochs=1, validate=lambda: value, progress=False)


# A last batch of one image, under batch normalisation


def nine(**keywords):
    return Batches(X[:9], batch_size=4, **keywords)


def nine_of_a_loader(**keywords):
    loader = DataLoader(TensorDataset(X[:9]), batch_size=4, **keywords)
    return loader


def dcgan(side):
    G = DCGANGenerator((1, side, side), widths=(8, 4), latent=3)
    return pair(GANTrainer, G, DCGANDiscriminator((1, side, side), widths=(4, 8)))


@pytest.mark.parametrize("make", [nine, nine_of_a_loader])
def test_a_lone_image_under_batch_normalisation_is_refused(make):
    match = r"last batch .* holds 1 image of 9.*drop_last=True, or another batch_size"
    refuse(mlp_pair(batch_norm=True), make(), ValueError, match)
    fit(mlp_pair(batch_norm=True), make(drop_last=True), epochs=1, progress=False)
    fit(mlp_pair(batch_norm=False), make(), epochs=1, progress=False)
    fit(mlp_pair(batch_norm=True), make(), steps=2, progress=False)  # never reached


def test_a_lone_image_in_a_list_or_in_every_batch():
    several = [(X[:4], Y[:4]), (X[4:5], Y[4:5])]
    refuse(classifier(True), several, ValueError, "A batch holds 1 image, and")
    single = Batches(X, Y, batch_size=1)
    refuse(classifier(True), single, ValueError, "A batch holds 1 image of 12")
    refuse(pix2pix(), PairBatches(X, X, batch_size=1), ValueError, "A batch holds 1")


def test_maps_of_several_pixels_can_be_normalised_alone():
    fit(dcgan(8), nine(), epochs=1, progress=False)
    x = nn.functional.interpolate(X[:9], (4, 4))
    refuse(dcgan(4), Batches(x, batch_size=4), ValueError, "last batch")


def test_nothing_stays_behind_in_the_networks():
    trainer = mlp_pair(batch_norm=True)
    fit(trainer, nine(), steps=1, progress=False)
    refuse(trainer, nine(), ValueError, "last batch")
    assert not any(m._forward_pre_hooks for m in trainer.G.modules())


def test_class_weights_reach_the_loss():
    weight = torch.tensor([1.0, 2.0, 4.0])
    trainer = classifier()
    trainer.model.eval()
    logits = trainer.model(X)
    expected = nn.functional.cross_entropy(logits, Y, weight, reduction="none").mean()
    trainer.model[2].p = 0.0
    trainer.weight = weight
    torch.testing.assert_close(trainer.step(X, Y)["loss"], expected)
