"""Moving digits: paths against a step-by-step ball, frames, seeds, errors."""

import pytest
import torch

from companion.data import Batches
from companion.data.moving import (
    Motion,
    grouped,
    moving_digits,
    paint,
    random_motion,
    reflect,
)


def step_by_step(start, velocity, room, frames):
    """One coordinate of one ball, reflected at each wall as it comes."""
    places = [start]
    for _ in range(frames - 1):
        place = places[-1] + velocity
        while not 0 <= place <= room:
            place = -place if place < 0 else 2 * room - place
            velocity = -velocity
        places.append(place)
    return places


def test_positions_equal_a_ball_moved_step_by_step():
    motion = random_motion(20, 3, room=10.0, speed=7.0)
    positions = motion.positions(30)
    assert positions.shape == (20, 30, 3, 2)
    for n, d, axis in [(0, 0, 0), (7, 1, 1), (19, 2, 0)]:
        ball = step_by_step(
            motion.start[n, d, axis].item(),
            motion.velocity[n, d, axis].item(),
            10.0,
            30,
        )
        torch.testing.assert_close(
            positions[n, :, d, axis], torch.tensor(ball), rtol=0, atol=1e-3
        )


def test_motion_stays_in_the_room_at_constant_speed():
    motion = random_motion(200, room=36.0, speed=3.6)
    positions = motion.positions(40)
    assert positions.min() >= 0 and positions.max() <= 36
    torch.testing.assert_close(motion.velocity.norm(dim=2), torch.full((200, 2), 3.6))
    steps = positions.diff(dim=1)
    turned = ((positions[:, 1:] + motion.velocity[:, None]) > 36) | (
        (positions[:, 1:] - 4 < 0) | (positions[:, 1:] + 4 > 36)
    )
    free = ~turned.any(dim=3)
    lengths = steps.norm(dim=3)
    torch.testing.assert_close(
        lengths[free], torch.full_like(lengths[free], 3.6), rtol=0, atol=1e-3
    )
    assert (lengths <= 3.6 + 1e-3).all()


def test_directions_are_spread_all_round():
    velocity = random_motion(4000, 1).velocity[:, 0]
    assert velocity.mean(dim=0).abs().max() < 0.2
    quadrants = (velocity > 0).float() @ torch.tensor([1.0, 2.0])
    assert quadrants.long().bincount(minlength=4).min() > 900


@pytest.mark.parametrize("known", [1, 2, 9, 14])
def test_extrapolated_is_exact_until_a_wall_turns_the_motion(known):
    motion = random_motion(300, room=20.0, speed=3.0)
    truth = motion.positions(known + 6)[:, known:]
    straight = motion.extrapolated(known, 6)
    inside = ((straight >= 0) & (straight <= 20)).all(dim=1, keepdim=True)
    inside = inside.expand_as(straight)
    assert 0.3 < inside.float().mean() < 0.99
    torch.testing.assert_close(straight[inside], truth[inside], rtol=0, atol=1e-3)
    assert (straight != truth)[~inside].any()
    steps = torch.cat([motion.positions(known)[:, -1:], straight], dim=1).diff(dim=1)
    torch.testing.assert_close(
        steps.norm(dim=3), torch.full(steps.shape[:3], 3.0), rtol=0, atol=1e-3
    )


def test_paint_puts_images_where_they_belong_and_keeps_the_brighter():
    images = torch.rand(2, 2, 3, 4, 5)
    positions = torch.tensor([[0.0, 0.0], [2.4, 5.6]]).expand(2, 1, 2, 2)
    video = paint(images, positions, size=12)
    by_hand = torch.zeros(2, 2, 3, 12, 12)
    by_hand[:, 0, :, 0:4, 0:5] = images[:, 0]
    by_hand[:, 1, :, 2:6, 6:11] = images[:, 1]
    assert torch.equal(video[:, 0], by_hand.amax(dim=1))
    twice = paint(images, torch.zeros(2, 3, 2, 2), size=6)
    assert torch.equal(twice[:, 2, :, :4, :5], images.amax(dim=1))


def test_paint_cuts_what_leaves_the_frame():
    images = torch.rand(1, 1, 1, 4, 4)
    places = [[-2.0, 0.0], [-4.0, 0.0], [7.0, 6.0], [50.0, 0.0], [-50.0, -50.0]]
    video = paint(images, torch.tensor(places)[None, :, None], size=8)
    assert torch.equal(video[0, 0, 0, :2, :4], images[0, 0, 0, 2:])
    assert torch.equal(video[0, 2, 0, 7:, 6:], images[0, 0, 0, :1, :2])
    assert video[0, [1, 3, 4]].count_nonzero() == 0
    assert video[0, 2].count_nonzero() == 2


def test_video_has_its_digits_in_every_frame():
    x = torch.rand(6, 1, 5, 5)
    video = moving_digits(x, frames=7, size=16)
    assert video.shape == (3, 7, 1, 16, 16) and video.is_contiguous()
    assert video.min() == 0 and video.max() <= 1
    assert (video.amax(dim=(2, 3, 4)) == grouped(x).flatten(1).amax(1)[:, None]).all()
    still = moving_digits(x, frames=4, size=16, speed=0.0)
    assert torch.equal(still, still[:, :1].expand_as(still))


def test_same_seed_same_video():
    x = torch.rand(4, 1, 5, 5)
    one, two, other = (
        moving_digits(x, size=16, generator=torch.Generator().manual_seed(s))
        for s in (3, 3, 4)
    )
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_batches_make_new_videos_from_new_pairs():
    x = torch.rand(8, 1, 5, 5)

    def videos(x, *, generator):
        return moving_digits(x, frames=3, size=16, generator=generator)

    runs = [
        [v for epoch in range(2) for (v,) in Batches(x, batch_size=4, augment=videos)]
        for _ in range(2)
    ]
    assert [v.shape for v in runs[0]] == [(2, 3, 1, 16, 16)] * 4
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reflect(torch.zeros(1), 0.0), "room is 0.0"),
        (lambda: random_motion(0), "n is 0"),
        (lambda: random_motion(1, 0), "things 0"),
        (lambda: random_motion(1, room=-1.0), "room"),
        (lambda: random_motion(1, speed=-1.0), "speed"),
        (lambda: random_motion(1).extrapolated(0, 3), "known is 0"),
        (lambda: random_motion(1).extrapolated(3, 0), "horizon 0"),
        (lambda: moving_digits(torch.rand(3, 1, 5, 5)), "multiple of the digits"),
        (lambda: moving_digits(torch.rand(0, 1, 5, 5)), "multiple of the digits"),
        (lambda: moving_digits(torch.rand(2, 5, 5)), "multiple of the digits"),
        (lambda: moving_digits(torch.rand(2, 1, 5, 5), digits=0), "1 or more"),
        (lambda: moving_digits(torch.rand(2, 1, 5, 5), frames=0), "frames is 0"),
        (lambda: moving_digits(torch.rand(2, 1, 28, 28), size=28), "cannot move"),
        (lambda: moving_digits(torch.rand(2, 1, 28, 28), size=20), "larger"),
        (
            lambda: paint(torch.rand(1, 1, 1, 9, 9), torch.zeros(1, 1, 1, 2), 8),
            "larger than a frame",
        ),
        (
            lambda: paint(torch.rand(1, 2, 1, 4, 4), torch.zeros(1, 3, 1, 2), 8),
            "give",
        ),
        (
            lambda: paint(torch.rand(1, 1, 1, 4, 4), torch.zeros(1, 0, 1, 2), 8),
            "one frame or more",
        ),
        (lambda: paint(torch.rand(1, 4, 4), torch.zeros(1, 1, 1, 2), 8), "give"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_motion_at_a_wall_goes_back():
    motion = Motion(torch.tensor([[[0.0, 10.0]]]), torch.tensor([[[-2.0, 3.0]]]), 10.0)
    assert motion.positions(3)[0, :, 0].tolist() == [[0, 10], [2, 7], [4, 4]]
    assert motion.extrapolated(2, 1)[0, 0, 0].tolist() == [4, 4]
