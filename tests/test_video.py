"""Video: its measures, the baselines and the trainer, against oracles."""

import math

import pytest
import torch
from scipy.ndimage import uniform_filter

from companion.data.moving import moving_digits, paint, random_motion
from companion.losses.video import frame_error
from companion.metrics.video import constant, error_by_horizon, persistence, ssim
from companion.models.video import ConvLSTM, LatentLSTM
from companion.trainers import fit
from companion.trainers.video import VideoTrainer

SHAPE = (1, 16, 16)
MODELS = {
    "latent": lambda: LatentLSTM(SHAPE, latent=8, hidden=12, width=4),
    "conv": lambda: ConvLSTM(SHAPE, hidden=6, width=4),
    "moving": lambda: ConvLSTM(SHAPE, hidden=6, width=4, reach=2),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def videos(n=8, frames=6):
    return moving_digits(torch.rand(2 * n, 1, 5, 5), frames=frames, size=16, speed=1.5)


# Measures.


def test_frame_error_is_a_sum_over_pixels():
    x = torch.rand(3, 2, 1, 4, 4)
    torch.testing.assert_close(
        frame_error(x, 1 - x), 16 * (2 * x - 1).square().mean(dim=(2, 3, 4))
    )
    torch.testing.assert_close(
        error_by_horizon(x, 1 - x), frame_error(x, 1 - x).mean(dim=0)
    )


def formula_ssim(a, b):
    """The formula with unbiased variances, by scipy's filter."""
    n = 49 / 48
    ua, ub = uniform_filter(a, 7), uniform_filter(b, 7)
    va = n * (uniform_filter(a * a, 7) - ua * ua)
    vb = n * (uniform_filter(b * b, 7) - ub * ub)
    vab = n * (uniform_filter(a * b, 7) - ua * ub)
    s = (2 * ua * ub + 1e-4) * (2 * vab + 9e-4)
    s = s / ((ua**2 + ub**2 + 1e-4) * (va + vb + 9e-4))
    return s[3:-3, 3:-3].mean()


def test_ssim_equals_its_formula():
    x = videos(3, 4)
    y = (0.7 * x + 0.3 * torch.rand_like(x)).clamp(0, 1)
    ours = ssim(y, x)
    for b in range(3):
        for t in range(4):
            theirs = formula_ssim(y[b, t, 0].double().numpy(), x[b, t, 0].numpy())
            assert ours[b, t].item() == pytest.approx(theirs, abs=1e-5)


def test_ssim_is_one_for_equal_frames_and_symmetric():
    x, y = torch.rand(2, 3, 3, 9, 8), torch.rand(2, 3, 3, 9, 8)
    torch.testing.assert_close(ssim(x, x), torch.ones(2, 3))
    torch.testing.assert_close(ssim(x, y), ssim(y, x))
    assert ssim(x, y).max() < 0.5 and ssim(x, 1 - x).max() < 0


def test_persistence_is_right_for_a_still_video_and_linear_motion_before_a_wall():
    images = torch.rand(30, 2, 1, 5, 5)
    motion = random_motion(30, room=11.0, speed=0.0)
    still = paint(images, motion.positions(6), 16)
    assert error_by_horizon(persistence(still[:, :2], 4), still[:, 2:]).sum() == 0
    motion = random_motion(30, room=11.0, speed=0.7)
    video = paint(images, motion.positions(6), 16)
    straight = motion.extrapolated(3, 3)
    free = ((straight >= 0) & (straight <= 11)).all(dim=3).all(dim=2).all(dim=1)
    error = frame_error(paint(images, straight, 16), video[:, 3:])
    assert 5 < free.sum() < 30
    assert error[free].sum() == 0 and error[~free].sum(dim=1).max() > 0


def test_constant_repeats_a_frame():
    frame = torch.rand(2, *SHAPE)
    assert torch.equal(constant(frame, 3)[:, 2], frame)
    video = torch.stack([1 - frame, frame], dim=1)
    assert torch.equal(persistence(video, 3), constant(frame, 3))


# The trainer.


def trained(model, x, steps=60, lr=1e-2, **named):
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    trainer = VideoTrainer(model, opt, max_norm=50.0, **named)
    return fit(trainer, [(x,)], steps=steps, progress=False)


@each_model
def test_over_fits_eight_videos(make):
    x, model = videos(frames=4), make()
    still = frame_error(x[:, :-1], x[:, 1:]).mean().item()
    history = trained(model, x, steps=250, lr=3e-2)
    assert history["loss"][-1] < 0.25 * min(still, history["loss"][0])


@pytest.mark.parametrize("teacher", [0.0, 0.5, lambda step: 1 / (1 + step)])
def test_same_seed_same_history(teacher):
    x, runs = videos(4), []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(trained(MODELS["moving"](), x, steps=5, teacher=teacher))
    assert runs[0].terms == runs[1].terms


def test_probability_one_and_zero_are_teacher_forcing_and_roll_out():
    x, model = torch.rand(3, 6, *SHAPE), MODELS["conv"]()
    opt = torch.optim.SGD(model.parameters(), lr=0.0)
    forced = VideoTrainer(model, opt, given=2).step(x)["loss"]
    torch.testing.assert_close(forced, frame_error(model(x), x[:, 1:]).mean())
    free = VideoTrainer(model, opt, given=2, teacher=0.0).step(x)["loss"]
    ahead = torch.cat([model(x[:, :2]), model.roll_out(x[:, :2], 4)], dim=1)
    torch.testing.assert_close(free, frame_error(ahead, x[:, 1:]).mean())
    half = VideoTrainer(model, opt, given=2, teacher=0.5).truth(torch.rand(999, 6, 1))
    assert half[:, :2].all() and 0.4 < half[:, 2:].float().mean() < 0.6


def test_scheduled_sampling_follows_the_steps_and_clips():
    x, model = videos(4), MODELS["conv"]()
    asked = []
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    start = [w.detach().clone() for w in model.parameters()]
    trainer = VideoTrainer(
        model, opt, teacher=lambda t: asked.append(t) or 1.0, max_norm=0.1
    )
    norm = trainer.step(x)["norm"]
    change = [(a - b).flatten() for a, b in zip(start, model.parameters(), strict=True)]
    assert norm > 0.1
    assert torch.cat(change).norm().item() == pytest.approx(0.1, rel=1e-3)
    trainer.step(x)
    assert asked == [0, 1]


def test_resumed_equals_uninterrupted(tmp_path):
    x = videos(4)
    plan = {"teacher": lambda step: max(0.0, 1 - step / 4)}

    def start():
        torch.manual_seed(2)
        model = MODELS["conv"]()
        opt = torch.optim.Adam(model.parameters(), lr=1e-2)
        return model, VideoTrainer(model, opt, **plan)

    model, trainer = start()
    fit(trainer, [(x,)], steps=6, progress=False)
    again, trainer = start()
    file = tmp_path / "video.pt"
    fit(trainer, [(x,)], steps=3, checkpoint=file, progress=False)
    again, trainer = start()
    fit(trainer, [(x,)], steps=6, checkpoint=file, resume=True, progress=False)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


# Errors.

NET = ConvLSTM(SHAPE, hidden=2, width=2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frame_error(torch.rand(1, 2, 1, 4, 4), torch.rand(1, 1)), "one shape"),
        (lambda: frame_error(*torch.rand(2, 1, 0, 1, 4, 4)), "one frame"),
        (lambda: error_by_horizon(*torch.rand(2, 0, 2, 1, 4, 4)), "one video"),
        (lambda: ssim(*torch.rand(2, 1, 2, 1, 6, 9)), "smaller than the window"),
        (lambda: ssim(torch.rand(1, 2, 1, 8, 8), torch.rand(1, 3, 1, 8, 8)), "shape"),
        (lambda: persistence(torch.rand(1, 0, *SHAPE), 2), "one frame"),
        (lambda: persistence(torch.rand(1, 2, *SHAPE), 0), "horizon is 0"),
        (lambda: constant(torch.rand(16, 16), 2), "give"),
        (lambda: VideoTrainer(NET, None, given=0), "given is 0"),
        (lambda: VideoTrainer(NET, None, max_norm=math.nan), "max_norm"),
        (
            lambda: VideoTrainer(NET, None, teacher=1.5).step(torch.rand(1, 2, *SHAPE)),
            "keep to 0..1",
        ),
        (lambda: VideoTrainer(NET, None).step(torch.rand(1, 1, *SHAPE)), "T of 2"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
