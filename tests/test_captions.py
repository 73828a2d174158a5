"""Captions of emoji, whether pictures obey them, and the study of captions."""

import json
from types import SimpleNamespace

import pytest
import torch

from companion.data import ImageData, digits, emoji
from companion.data.naming import EmojiCaptions, shown_evenly, words_in
from companion.data.scenes import NOTHING, scenes
from companion.metrics.captions import (
    ATTRIBUTES,
    SKIN_COLORS,
    attributes_of,
    obeyed,
    read_scenes,
    sides_of,
    skin_tones,
)
from companion.models.words import WordFlow
from companion.plotting.images import save_images
from companion.pretrained import pretrained
from companion.recipes.captions import CASES, Captions, nearest_in, told
from companion.recipes.flow_scenes import later_times
from companion.recipes.guidance import WEIGHTS, Guidance
from companion.recipes.judge_scenes import judged
from companion.workshop.sheet import save_sheet

RED_RING, BLUE_TWO, NONE = [13, 0, 1], [2, 4, 0], [NOTHING, 0, 0]


@pytest.fixture(scope="module")
def data():
    return emoji(16)


@pytest.fixture(scope="module")
def images():
    whole = digits("embedded")
    return ImageData(
        train=whole.train.take(200),
        validation=whole.validation.take(40),
        test=whole.test.take(320),
        classes=whole.classes,
        source=whole.source,
        full=False,
    )


# Captions of emoji


def test_words_of_names_are_small_and_say_something():
    name = "Woman and man: medium-dark skin tone, “red” hair"
    assert words_in(name) == ["woman", "man", "medium-dark", "red", "hair"]


def test_a_caption_has_the_class_and_words_of_five_drawings(data):
    captions = EmojiCaptions.of(data)
    words = captions.vocabulary.words
    drawings = {}
    for name, base in zip(data.train.names, data.train.base, strict=True):
        for word in words_in(name):
            drawings.setdefault(word, set()).add(base)
    classes = set(" ".join(data.classes).split())
    assert set(words) == classes | {w for w, b in drawings.items() if len(b) >= 5}
    for split in (data.train, data.test):
        for text, y, name in zip(
            captions.captions(split), split.y, split.names, strict=True
        ):
            assert text.startswith(data.classes[y])
            assert set(text.removeprefix(data.classes[y]).split()) <= set(
                words_in(name)
            )
    more = EmojiCaptions.of(data, often=1).vocabulary.words
    assert set(words) < set(more)


def test_captions_as_numbers(data):
    captions = EmojiCaptions.of(data)
    few = data.test.take(20)
    numbers = captions.numbers(few)
    assert [captions.vocabulary.text(row) for row in numbers] == captions.captions(few)
    alone = captions.of_classes(few.y)
    assert [captions.vocabulary.text(row) for row in alone] == [
        data.classes[y] for y in few.y
    ]


def test_each_drawing_is_shown_four_times_or_in_each_variant():
    split = SimpleNamespace(base=("a", "b", "b", "b", "c", "c", "c", "c", "c"))
    shown = shown_evenly(split).tolist()
    assert shown.count(0) == 4
    assert [shown.count(i) for i in (1, 2, 3)] == [2, 2, 2]
    assert [shown.count(i) for i in range(4, 9)] == [1] * 5


# Whether pictures obey


def test_halves_are_left_and_right():
    x = torch.arange(2 * 4.0).view(2, 1, 1, 4)
    assert sides_of(x).flatten().tolist() == list(range(8))
    assert sides_of(x).shape == (4, 1, 1, 2)


def test_the_most_probable_values_are_read():
    logits = torch.full((2, sum(ATTRIBUTES.values())), -5.0)
    for row, places in enumerate([(13, 16 + 0, 22 + 1), (NOTHING, 16 + 5, 22 + 0)]):
        logits[row, list(places)] = 1.0
    assert attributes_of(logits).tolist() == [RED_RING, [NOTHING, 5, 0]]
    seen = read_scenes(lambda x: logits[: len(x)], torch.zeros(1, 3, 16, 32))
    assert seen.tolist() == [[RED_RING, [NOTHING, 5, 0]]]


def test_what_is_right_is_counted():
    asked = torch.tensor([[RED_RING, BLUE_TWO], [RED_RING, NONE]])
    assert set(obeyed(asked, asked).values()) == {1.0, 0.0}
    assert obeyed(asked, asked)["exchanged"] == 0
    # The other's colours; and something where nothing should be.
    seen = torch.tensor([[[13, 4, 1], [2, 0, 0]], [[13, 0, 0], [3, 0, 0]]])
    found = obeyed(seen, asked)
    assert found["thing"] == 1 and found["exchanged"] == 1 and found["empty"] == 0
    assert found["colour"] == pytest.approx(1 / 3)
    assert found["size"] == pytest.approx(2 / 3)
    assert found["all"] == 0


def test_what_was_not_asked_for_is_left_out():
    asked = torch.tensor([[RED_RING, NONE]])
    assert "exchanged" not in obeyed(asked, asked)
    both = torch.tensor([[RED_RING, RED_RING]])  # of one colour
    assert obeyed(both, both).keys() == {*ATTRIBUTES, "all"}
    with pytest.raises(ValueError, match="seen has shape .1, 2, 2."):
        obeyed(asked[:, :, :2], asked)


def test_skin_tones_are_found_by_their_colour():
    for number, color in enumerate(SKIN_COLORS, start=1):
        rgb = torch.tensor([color >> 16, color >> 8 & 255, color & 255]) / 255
        x = torch.ones(1, 3, 8, 8)
        x[0, :, 2:5] = rgb[:, None, None]
        assert skin_tones(x) == number
        x[0, :, 6:] = torch.tensor([0x6A, 0x46, 0x2F])[:, None, None] / 255  # hair
        assert skin_tones(x) == number
    assert skin_tones(torch.ones(1, 3, 8, 8)) == 0
    split = emoji().validation
    told = split.skin > 0
    right = skin_tones(split.x[told]) == split.skin[told]
    assert right.double().mean() > 0.9


def test_the_shipped_judge_reads_scenes_of_digits_that_are_new(images):
    for held_out in (False, True):
        found = judged(
            pretrained("judge_scenes"), scenes(300, images.test, held_out=held_out)
        )
        assert found["all"] > 0.95 and found["exchanged"] < 0.02


# Sheets


def test_a_sheet_for_a_caption_is_what_the_network_draws_for_it(tmp_path):
    torch.manual_seed(0)
    network = WordFlow((3, 8, 8), widths=(8,), words=("cat", "dog"), longest=2)
    for weight in network.parameters():  # else nothing told changes anything yet
        torch.nn.init.normal_(weight, std=0.3)
    files = [tmp_path / f"{i}.png" for i in range(3)]
    save_sheet(files[0], network, 2, caption="cat")
    save_sheet(files[1], network, 2, caption="dog")
    save_sheet(files[2], network, 2, caption="cat", guidance=4.0)
    assert len({file.read_bytes() for file in files}) == 3
    y = network.vocabulary.batch(["cat"] * 2)
    x = network.sample(2, y=y, generator=torch.Generator().manual_seed(0))
    save_images(files[1], x, columns=2, scale=2)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("flow_digits", {"caption": "seven"}, "UNetFlow reads no words"),
        ("cgan_digits", {"guidance": 2.0}, "does not draw without a label"),
        ("flow_digits", {"guidance": -1.0}, "weight is -1"),
    ],
)
def test_a_sheet_that_cannot_be_drawn_is_refused(tmp_path, name, how, message):
    with pytest.raises(ValueError, match=message):
        save_sheet(tmp_path / "sheet.png", pretrained(name), 1, **how)
    assert not (tmp_path / "sheet.png").exists()


# The studies


def test_a_tiny_study_of_captions(images):
    study = Captions(
        steps=2, seeds=1, batch_size=4, maps=(8, 8), scenes=30, asked=8, draw_steps=1
    )
    found = study.from_data(images)
    values = json.loads(json.dumps(found.values))
    assert list(values["cases"]) == list(CASES) and found.steps == 2 * len(CASES)
    for kinds in (*values["cases"].values(), values["nearest"], values["real"]):
        assert list(kinds) == ["seen", "held out"]
    assert all(len(runs["seen"]) == 1 for runs in values["cases"].values())
    assert values["real"]["seen"]["all"] > 0.8


def test_sorted_words_keep_their_number_and_lose_their_order():
    words = torch.tensor([[3, 1, 2, 0], [2, 1, 3, 0]])
    assert told("sorted", words).tolist() == [[3, 2, 1, 0]] * 2
    assert torch.equal(told("words", words), words)


def test_the_nearest_scene_has_most_of_what_was_asked(images):
    shown = scenes(50, images.train)
    assert torch.equal(nearest_in(shown, shown), shown.x) or (
        # of two scenes that say the same the first is taken
        len(set(shown.captions)) < 50
    )
    wanted = scenes(1, images.train, held_out=True, seed=2)
    agree = (shown.attributes == wanted.attributes).sum(dim=(1, 2))
    which = (shown.x == nearest_in(shown, wanted)).flatten(1).all(dim=1)
    assert agree[which].item() == agree.max()


def test_later_times_are_nearer_to_noise():
    torch.manual_seed(0)
    early, late = (later_times(by)(20_000) for by in (0.0, 1.0))
    assert early.mean().item() == pytest.approx(0.5, abs=0.01)
    assert late.logit().mean().item() == pytest.approx(1, abs=0.03)


def test_a_tiny_study_of_guidance(images):
    network = pretrained("flow_digits")
    study = Guidance(noises=1, draw_steps=1, num_images=320)
    rows = json.loads(json.dumps(study.from_data(network, images).values))["weights"]
    assert [row["weight"] for row in rows] == list(WEIGHTS)
    names = {"weight", "frechet", "precision", "recall", "obedience"}
    assert all(names <= row.keys() for row in rows)
    # One step draws a mean; with guidance the mean leaves the others'.
    assert rows[-1]["obedience"][0] > 0.9
