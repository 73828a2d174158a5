import pytest
import torch
from torch.optim import Adam

from companion.data import Batches, digits
from companion.data.scenes import (
    COLORS,
    DIGITS,
    HELD_OUT_THINGS,
    NOTHING,
    SHAPES,
    SIDES,
    SIZES,
    THINGS,
    VOCABULARY,
    is_held_out,
    scenes,
)
from companion.data.wording import Vocabulary
from companion.models.words import CrossAttention, WordEncoder, WordFlow, WordUNet
from companion.trainers import fit
from companion.trainers.diffusion import DiffusionTrainer

SIZE = {"image_shape": (3, 8, 8), "widths": (8, 8), "longest": 3, "word_width": 8}
WORDS = ("a", "b", "red", "green", "blue")


@pytest.fixture(scope="module")
def images():
    return digits("embedded").train


@pytest.fixture(scope="module")
def some(images):
    return scenes(400, images)


def combinations(some):
    things = some.attributes[some.attributes[:, :, 0] != NOTHING]
    return things[:, 0], things[:, 1]


def test_the_captions_say_what_the_attributes_do(some):
    for text, sides in zip(some.captions, some.attributes.tolist(), strict=True):
        phrases = text.split(" and ")
        there = [
            side for side in zip(SIDES, sides, strict=True) if side[1][0] < NOTHING
        ]
        assert len(phrases) == len(there) >= 1
        for phrase, (side, (thing, color, size)) in zip(phrases, there, strict=True):
            assert phrase == (
                f"a {list(SIZES)[size]} {list(COLORS)[color]} {THINGS[thing]} on the "
                f"{side}"
            )


def test_things_stand_where_the_caption_says_in_its_colour(some):
    painted = 1 - some.x.amin(dim=1)  # white is 0
    for x, ink, sides in zip(some.x, painted, some.attributes.tolist(), strict=True):
        for side, (thing, color, size) in enumerate(sides):
            half = ink[:, 16 * side : 16 * side + 16]
            if thing == NOTHING:
                assert half.max() < 1e-3
                continue
            rows = (half > 0.02).any(dim=1).nonzero().flatten()
            limit = list(SIZES.values())[size]
            assert rows[-1] - rows[0] < limit
            if THINGS[thing] in SHAPES:
                assert rows[-1] - rows[0] >= limit - 4
            # Paint and white paper mixed: only the amount of the paint differs.
            paint = 1 - torch.tensor(list(COLORS.values())[color])
            laid = 1 - x[:, :, 16 * side : 16 * side + 16].flatten(1)[:, half.argmax()]
            torch.testing.assert_close(
                laid / laid.norm(), paint / paint.norm(), rtol=0, atol=1e-3
            )


def test_held_out_combinations_never_come_and_all_parts_do(some, images):
    thing, color = combinations(some)
    assert not is_held_out(thing, color).any()
    others = scenes(60, images, held_out=True)
    assert is_held_out(*combinations(others)).all()
    every = torch.cartesian_prod(torch.arange(len(THINGS)), torch.arange(len(COLORS)))
    out = every[is_held_out(*every.T)]
    assert len(out) == 10
    assert out[:, 0].bincount().max() == 1
    assert out[:, 1].bincount(minlength=len(COLORS)).min() >= 1
    assert set(thing.tolist()) == set(range(len(THINGS)))
    assert [THINGS[i] for i in out[:, 0].tolist()] == list(HELD_OUT_THINGS)
    same = combinations(scenes(300, images, things=HELD_OUT_THINGS))
    assert not is_held_out(*same).any()
    assert set(same[0].tolist()) == set(out[:, 0].tolist())


def test_a_seed_makes_the_same_scenes(images):
    one, other = scenes(5, images, seed=3), scenes(5, images, seed=3)
    assert torch.equal(one.x, other.x)
    assert one.captions == other.captions
    assert scenes(5, images, seed=4).captions != one.captions


def test_digits_are_of_the_images_and_look_like_them(images):
    x, attributes = (lambda s: (s.x, s.attributes))(scenes(300, images, seed=1))
    ones = (attributes[:, 0, 0] == 1) & (attributes[:, 0, 2] == 1)
    zeros = (attributes[:, 0, 0] == 0) & (attributes[:, 0, 2] == 1)
    ink = [(1 - x[which, :, :, :16].amin(dim=1)).mean() for which in (ones, zeros)]
    assert ink[0] < 0.7 * ink[1]


def test_words_and_text_are_each_others_reverse(some):
    for row in some.words[:20]:
        assert torch.equal(VOCABULARY.numbers(VOCABULARY.text(row)), row)
    one = VOCABULARY.numbers("A small  red seven on the left")
    assert VOCABULARY.text(one) == "a small red seven on the left"
    assert VOCABULARY.numbers("").tolist() == [0] * VOCABULARY.longest
    assert len(VOCABULARY) == 30
    assert len(DIGITS) == 10


def test_a_caption_is_told_apart_by_the_order_of_its_words():
    encoder = WordEncoder(6, 3, width=8)
    one, other = encoder(torch.tensor([[1, 2, 0], [2, 1, 0]]))
    assert not torch.allclose(one[0], other[1])
    # What lies behind the end does not matter.
    short = encoder(torch.tensor([[1, 0, 0]]))[0, 0]
    encoder.place.data[1:] += 1
    torch.testing.assert_close(encoder(torch.tensor([[1, 0, 0]]))[0, 0], short)


def test_no_words_are_a_caption_too():
    network = WordUNet(**SIZE, vocabulary=6)
    x, t = torch.randn(2, 3, 8, 8), torch.rand(2)
    said = network(x, t, torch.zeros(2, 3, dtype=torch.int64))
    assert said.isfinite().all()


def test_attention_is_a_mean_of_the_words_that_are_there():
    layer = CrossAttention(8, 4)
    x, words = torch.randn(2, 8, 3, 3), torch.randn(2, 3, 4)
    hidden = torch.tensor([[False, False, True], [False, True, True]])
    mean, weights = layer.look(x, words, hidden)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 9))
    assert (weights[:, :, 2] == 0).all()
    values = layer.offer(words)[:, :, 8:]
    torch.testing.assert_close(mean[1], values[1, :1].expand(9, -1))
    assert torch.equal(layer(x, words, hidden), x)  # nothing yet


def test_a_flow_learns_what_words_mean():
    torch.manual_seed(0)
    x = torch.zeros(64, 3, 8, 8)
    words = torch.zeros(64, 3, dtype=torch.int64)
    words[:32, :2] = torch.tensor([1, 3])
    words[32:, :2] = torch.tensor([1, 4])
    x[:32, 0] = x[32:, 1] = 1
    flow = WordFlow(**SIZE, words=WORDS)
    trainer = DiffusionTrainer(flow, Adam(flow.parameters(), 5e-3), drop=0.1)
    fit(trainer, Batches(x, words, batch_size=32), steps=150, progress=False)
    drawn = flow.sample(4, y=words[[0, 1, 40, 41]], steps=5, guidance=2.0)
    assert (drawn.mean((2, 3)).argmax(dim=1) == torch.tensor([0, 0, 1, 1])).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scenes(0), "n is 0"),
        (lambda: scenes(5, things=["sevn"]), "'sevn' is not known.*seven"),
        (lambda: scenes(5, held_out=True, things=["ring"]), "none has a combination"),
        (lambda: scenes(5, digits("embedded").train.take(3)), "images hold no"),
        (lambda: VOCABULARY.numbers("a smal red seven"), "'smal' is not known.*small"),
        (lambda: VOCABULARY.numbers("a " * 18), "18 words"),
        (lambda: WordEncoder(6, 3)(torch.zeros(2, 4, dtype=torch.int64)), "give .B, 3"),
        (lambda: WordEncoder(6, 3)(torch.full((2, 3), 6)), "words"),
        (
            lambda: WordUNet(**SIZE, vocabulary=6)(
                torch.zeros(1, 3, 8, 8), torch.ones(1)
            ),
            "told a caption: give y",
        ),
        (lambda: Vocabulary((), 3), "There are 0 words"),
        (lambda: Vocabulary(("a", "a"), 3), "2 words, 1 of them different"),
        (lambda: Vocabulary(("a",), 0), "longest is 0"),
        (lambda: VOCABULARY.batch([]), "no captions"),
        (
            lambda: WordFlow(**SIZE, words=WORDS).sample(
                2, y=torch.zeros(1, 3, dtype=torch.int64)
            ),
            "2 rows for 1 labels",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
