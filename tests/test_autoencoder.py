import math

import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from companion.data import Batches, salt_and_pepper
from companion.losses import squared_error
from companion.models.autoencoder import Autoencoder, pca, principal_angles
from companion.trainers import AutoencoderTrainer, fit


def correlated(n=400):
    spread = torch.tensor([3.0, 2.0, 1.5, 0.3, 0.2, 0.1])
    turned = torch.linalg.qr(torch.randn(6, 6)).Q
    return (torch.randn(n, 6) * spread @ turned + 0.5).view(n, 1, 2, 3)


def test_squared_error_sums_over_pixels():
    x, x_hat = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    x_hat[1] = 3
    assert squared_error(x_hat, x).tolist() == [4, 36]
    with pytest.raises(ValueError, match="shape of its image"):
        squared_error(x, x[:, :, :1])


def test_pca_agrees_with_scikit_learn():
    x = correlated()
    mean, components = pca(x, 3)
    reference = PCA(3).fit(x.flatten(1).numpy())
    torch.testing.assert_close(mean, torch.tensor(reference.mean_), rtol=0, atol=1e-5)
    overlap = components.T @ torch.tensor(reference.components_.T)
    torch.testing.assert_close(overlap.abs(), torch.eye(3), rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="give 1 to 6"):
        pca(x, 7)
    with pytest.raises(ValueError, match="two or more"):
        pca(x[:1], 2)


def test_principal_angles_agree_with_scipy():
    A, B = torch.randn(7, 3), torch.randn(7, 3)
    expected = torch.tensor(subspace_angles(A.double().numpy(), B.double().numpy()))
    torch.testing.assert_close(principal_angles(A, B), expected.flip(0))
    mixed = A @ torch.randn(3, 3)  # another basis of the same space
    assert principal_angles(A, mixed).max() < 1e-5
    corner = torch.eye(4)
    angles = principal_angles(corner[:, :2], corner[:, 2:])
    assert angles.tolist() == pytest.approx([math.pi / 2] * 2)
    with pytest.raises(ValueError, match="two bases"):
        principal_angles(A, B[:, :2])


def test_linear_autoencoder_finds_the_subspace_of_pca():
    x = correlated()
    model = Autoencoder((1, 2, 3), hidden=(), latent=3)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 1500)
    trainer = AutoencoderTrainer(model, opt, schedule=schedule)
    fit(trainer, [(x,)], steps=1500, progress=False)
    mean, components = pca(x, 3)
    angles = principal_angles(model.decoder[0].weight.detach(), components)
    assert angles.max() < 0.01
    flat = x.flatten(1) - mean
    floor = (flat - flat @ components @ components.T).square().sum(1).mean()
    assert squared_error(model(x), x).mean().item() == pytest.approx(
        floor.item(), rel=0.01
    )


def test_autoencoder_over_fits_eight_images():
    x = torch.rand(8, 1, 4, 4).round()
    model = Autoencoder((1, 4, 4), hidden=(64,), latent=3)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(AutoencoderTrainer(model, opt), [(x,)], steps=600, progress=False)
    assert torch.equal(model(x).round(), x)


def test_corruption_reaches_the_input_only():
    seen = []

    class Spy(Autoencoder):
        def forward(self, x):
            seen.append(x)
            return super().forward(x)

    x = torch.full((4, 1, 5, 5), 0.5)
    model = Spy((1, 5, 5), hidden=(3,), latent=2)
    opt = torch.optim.SGD(model.parameters(), lr=0.0)
    trainer = AutoencoderTrainer(model, opt, corrupt=lambda x: salt_and_pepper(x, 0.5))
    loss = trainer.step(x)["loss"]
    assert not torch.equal(seen[0], x)
    torch.testing.assert_close(loss, squared_error(model(seen[0]), x).mean())


def test_same_seed_same_history():
    histories = []
    for _ in range(2):
        torch.manual_seed(1)
        model = Autoencoder((1, 2, 3), hidden=(4,), latent=2)
        trainer = AutoencoderTrainer(model, torch.optim.Adam(model.parameters()))
        batches = Batches(correlated(50).sigmoid(), batch_size=20)
        histories.append(fit(trainer, batches, epochs=2, progress=False)["loss"])
    assert histories[0] == histories[1]


def test_autoencoder_refuses():
    with pytest.raises(ValueError, match="1 or more"):
        Autoencoder(latent=0)
    with pytest.raises(ValueError, match="1 or more"):
        Autoencoder(hidden=(10, 0))
    model = Autoencoder((1, 2, 2), hidden=(), latent=1)
    with pytest.raises(ValueError, match="takes"):
        model.encode(torch.zeros(1, 1, 2, 3))
    with pytest.raises(ValueError, match="takes"):
        model.decode(torch.zeros(1, 2))
