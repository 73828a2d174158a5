import io
import itertools
import pkgutil
import re
from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from notebooks import code_cells, notebooks, read

from companion import diagrams
from companion.diagrams.canvas import GRADIENT, Diagram, shape
from companion.models.gan import MLPDiscriminator, MLPGenerator
from companion.models.vae import MLPVAE
from companion.plotting import COLORS

FUNCTIONS = {
    name: function
    for module in pkgutil.iter_modules(diagrams.__path__)
    for name, function in vars(
        import_module(f"companion.diagrams.{module.name}")
    ).items()
    if name.endswith("_diagram")
}
PHONE = 328  # pixels that a figure has across on a telephone of 360
NEAR = 0.03  # inches


@pytest.fixture(params=FUNCTIONS)
def diagram(request):
    return FUNCTIONS[request.param]()


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


def pair(**settings):
    """Two boxes beside each other."""
    d = Diagram((1.5, 1.5), (1,), family="vae", **settings)
    d.box("a", (0, 0), "$a$")
    d.box("b", (1, 0), "$b$")
    return d


def drawn(diagram):
    diagram.draw()
    return plt.gcf()


def found(figure, kind, start):
    """The artists of a kind whose names begin with a word, without that word."""
    return {
        artist.get_gid().removeprefix(start): artist
        for artist in figure.findobj(kind)
        if (artist.get_gid() or "").startswith(start)
    }


def inches(figure, extent):
    """An extent in pixels as a frame in inches, rows counted from the top."""
    (left, low), (right, high) = extent.get_points() / figure.dpi
    height = figure.get_figheight()
    return Bbox([[left, height - high], [right, height - low]])


def box_frames(figure):
    return {
        name: Bbox.from_bounds(*box.get_bbox().bounds)
        for name, box in found(figure, FancyBboxPatch, "box ").items()
    }


def text_frames(figure, start):
    return {
        name: inches(figure, text.get_window_extent())
        for name, text in found(figure, Text, start).items()
        if text.get_text()
    }


def lines(figure):
    """(names of start and end, corners) of each arrow, its head included."""
    return [
        (arrow.get_gid().removeprefix("arrow ").split(" to "), arrow.get_path())
        for arrow in figure.findobj(FancyArrowPatch)
    ]


def along(path):
    """Points on the lines of a path, at most a hundredth of an inch apart: (N, 2)."""
    points, last = [], None
    for corner, code in path.iter_segments(curves=False):
        if code == Path.LINETO:
            steps = 2 + int(100 * np.abs(corner - last).max())
            points.append(last + (corner - last) * np.linspace(0, 1, steps)[:, None])
        last = corner
    return np.concatenate(points)


def overlap(a, b):
    shared = Bbox.intersection(a, b)
    return shared is not None and min(shared.size) > 0


def inside(point, frame, by=0.0):
    return (point > frame.min + by).all() and (point < frame.max - by).all()


def faults(figure):
    """What is wrong with a drawing, in words."""
    boxes, texts = box_frames(figure), text_frames(figure, "text of ")
    labels = text_frames(figure, "label of ")
    whole = Bbox([[0, 0], figure.get_size_inches()])
    for (a, one), (b, other) in itertools.combinations(boxes.items(), 2):
        if overlap(one.padded(0.1), other.padded(0.1)):
            yield f"boxes {a} and {b} are too near"
    for name, frame in texts.items():
        box = boxes[name]
        if not (inside(frame.min, box) and inside(frame.max, box)):
            yield f"the text of {name} leaves its box"
    for name, frame in (boxes | labels).items():
        if not (inside(frame.min, whole) and inside(frame.max, whole)):
            yield f"{name} leaves the figure"
    for name, frame in labels.items():
        others = [(f"box {b}", f) for b, f in boxes.items()]
        others += [(f"label {n}", f) for n, f in labels.items() if n != name]
        for other, theirs in others:
            if overlap(frame.padded(0.02), theirs):
                yield f"the label of {name} lies on {other}"
    bars = [("a cut", bar.get_path()) for bar in figure.axes[0].lines]
    for ends, path in lines(figure) + bars:
        points = along(path)
        for name, frame in labels.items():
            if any(inside(point, frame) for point in points):
                yield f"the arrow {ends} crosses the label of {name}"
        for name, frame in boxes.items():
            if any(inside(point, frame, NEAR) for point in points):
                yield f"the arrow {ends} crosses the box {name}"


def test_each_drawing_is_clean(diagram):
    assert list(faults(drawn(diagram))) == []


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda d: d.box("c", (0.6, 0), "$c$"), "boxes b and c are too near"),
        (lambda d: d.box("c", (1.5, 0), "$c$"), "c leaves the figure"),
        (lambda d: d.arrow("a", "b", "a label far too long"), "lies on box a"),
        (lambda d: d.arrow("b", "a", "y"), "b to a lies on label a to b"),
        (lambda d: d.arrow("a", "a", via=[(1, 0.2)]), "crosses the box b"),
        (lambda d: d.arrow("b", "a", "y", side="left"), "crosses the label of b to a"),
    ],
)
def test_faults_are_found(add, words):
    d = pair()
    d.arrow("a", "b", "x")
    assert list(faults(drawn(d))) == []
    add(d)
    assert words in "; ".join(faults(drawn(d)))


def test_letters_are_large_enough_on_paper_and_on_a_telephone(diagram):
    figure = drawn(diagram)
    width = figure.get_figwidth()
    assert width <= 7.2
    for text in figure.findobj(Text):
        if text.get_text():
            assert text.get_size() >= 9
            assert text.get_size() / 72 * PHONE / width >= 8


def test_drawing_makes_one_figure_and_returns_nothing(diagram):
    assert plt.get_fignums() == []
    diagram.describe()
    assert plt.get_fignums() == []
    assert diagram.draw() is None
    assert len(plt.get_fignums()) == 1


def test_a_figure_is_saved_again_as_it_was(diagram):
    figure = drawn(diagram)
    pictures = []
    for _ in range(2):
        file = io.BytesIO()
        figure.savefig(file, format="png", bbox_inches="tight")
        pictures.append(file.getvalue())
    assert pictures[0] == pictures[1]


def test_arrows_touch_the_boxes_that_they_join(diagram):
    figure = drawn(diagram)
    boxes = box_frames(figure)
    assert len(lines(figure)) == len(diagram.arrows)
    for ends, path in lines(figure):
        points = along(path)
        for name in ends:
            frame = boxes[name]
            outside = np.maximum(frame.min - points, points - frame.max)
            nearest = outside.max(axis=1).min()
            assert abs(nearest) < NEAR, (ends, name)


def test_a_gradient_runs_beside_the_flow_that_it_takes_back(diagram):
    paths = {
        (a.start, a.end): path
        for a, (_, path) in zip(diagram.arrows, lines(drawn(diagram)), strict=True)
    }
    gradients = [a for a in diagram.arrows if a.kind == "gradient"]
    learns = any(box.kind == "loss" for box in diagram.boxes.values())
    assert bool(gradients) == learns
    for arrow in gradients:
        forth = along(paths[arrow.end, arrow.start])
        back = along(paths[arrow.start, arrow.end])
        distance = np.linalg.norm(forth[:, None] - back, axis=2).min()
        assert distance > 0.05, (arrow.start, arrow.end)


def test_no_gradient_passes_a_cut_or_enters_noise_or_data(diagram):
    cuts = {(a.start, a.end) for a in diagram.arrows if a.kind == "cut"}
    for arrow in diagram.arrows:
        if arrow.kind == "gradient":
            assert (arrow.end, arrow.start) not in cuts
            assert diagram.boxes[arrow.end].kind not in ("noise", "data")


def test_the_description_names_every_box(diagram):
    for name in diagram.boxes:
        assert name in diagram.describe()


def test_the_description_says_what_is_joined_and_how():
    d = pair()
    d.box("c", (0.5, 0), "$c$")
    d.arrow("a", "b", "$x$")
    d.arrow("a", "c")
    d.arrow("c", "b")
    d.arrow("b", "c", kind="cut")
    d.arrow("b", "a", kind="gradient")
    assert d.describe() == (
        "Values go from the a to the b and the c; from the c to the b. "
        "Values without a gradient go from the b to the c. "
        "Dashed, the gradient goes from the b to the a."
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_diagram_stands_on_one_page_with_its_description(function):
    cells = [
        cell
        for path in notebooks()
        for cell in code_cells(read(path))
        if re.search(rf"\b{function}\(\)\.draw\(\)", cell["source"])
    ]
    (cell,) = cells
    alt = cell["metadata"]["mystnb"]["image"]["alt"]
    assert alt == FUNCTIONS[function]().describe()


def labels_of(diagram):
    return " ".join(arrow.label for arrow in diagram.arrows)


def test_shapes_of_the_gan_are_those_of_the_code():
    G, D = MLPGenerator(), MLPDiscriminator()
    z = G.noise(2)
    labels = labels_of(FUNCTIONS["gan_diagram"]())
    for value in (z, G(z), D(G(z))):
        assert shape("B", *value.shape[1:]) in labels


def test_shapes_of_the_vae_are_those_of_the_code():
    vae = MLPVAE(latent=5)
    mu, log_var = vae.encode(torch.rand(2, 1, 28, 28))
    assert mu.shape == log_var.shape == (2, 5)
    labels = labels_of(FUNCTIONS["vae_diagram"]())
    assert shape("B", "Z") in labels
    assert shape("B", *vae.decode(mu).shape[1:]) in labels


def luminance(color):
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in to_rgb(color)
    ]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


def contrast(a, b):
    low, high = sorted(luminance(color) for color in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("family", COLORS)
def test_texts_have_contrast_on_their_grounds(family):
    d = Diagram((5,), [0.6] * 6, family=family)
    kinds = ("data", "network", "frozen", "value", "noise", "loss")
    for row, kind in enumerate(kinds):
        d.box(kind, (0, row), kind, kind=kind)
    d.arrow("data", "network", "flow")
    d.arrow("value", "noise", "gradient", kind="gradient")
    with plt.style.context("dark_background"):
        figure = drawn(d)
    texts = found(figure, Text, "text of ")
    for name, box in found(figure, FancyBboxPatch, "box ").items():
        assert contrast(texts[name].get_color(), box.get_facecolor()) >= 4.5, name
    for text in found(figure, Text, "label of ").values():
        assert contrast(text.get_color(), figure.get_facecolor()) >= 4.5


def test_only_gradients_and_cuts_have_the_colour_of_gradients():
    d = pair()
    d.arrow("a", "b", "flow")
    d.arrow("b", "a", "back", kind="gradient")
    figure = drawn(d)
    flow, back = figure.findobj(FancyArrowPatch)
    assert to_rgb(flow.get_edgecolor()) != to_rgb(back.get_edgecolor())
    assert to_rgb(back.get_edgecolor()) == to_rgb(GRADIENT)
    assert flow.get_linestyle() == "-" != back.get_linestyle()
    assert not figure.axes[0].lines
    d.arrow("a", "b", kind="cut")
    bars = drawn(d).axes[0].lines
    assert [to_rgb(bar.get_color()) for bar in bars] == [to_rgb(GRADIENT)] * 2
    for bar in bars:
        (left, low), (right, high) = bar.get_xydata()
        assert left == right and abs(high - low) > 0.1  # upright, across the flow


def test_a_box_grows_with_its_text():
    d = Diagram((2, 3), (2,), family="gan")
    d.box("short", (0, 0), "$x$")
    d.box("long", (1, 0), "a long line\nand another\nand a third")
    frames = box_frames(drawn(d))
    assert (frames["long"].size > frames["short"].size).all()
    np.testing.assert_allclose(frames["short"].min + frames["short"].size / 2, (1, 1))
    np.testing.assert_allclose(frames["long"].min + frames["long"].size / 2, (3.5, 1))


def test_an_arrow_goes_through_its_places():
    d = Diagram((1, 1, 1), (1, 1), family="rnn")
    d.box("a", (0, 0), "$a$")
    d.box("b", (2, 0), "$b$")
    d.arrow("a", "b", "skip", via=[(0, 1), (2, 1)])
    figure = drawn(d)
    assert list(faults(figure)) == []
    ((_, path),) = lines(figure)
    points = along(path)
    for place in ((0.5, 1.5), (1.5, 1.5), (2.5, 1.5)):
        assert np.linalg.norm(points - place, axis=1).min() < NEAR
    (label,) = text_frames(figure, "label of ").values()
    assert label.x0 < 1.5 < label.x1 and label.y1 < 1.5


def test_shapes_are_written_as_in_python():
    assert shape("B", 1, 28).replace(r"\,", " ") == "$(B, 1, 28)$"
    assert shape("B") == "$(B,)$"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda d: d.arrow("a", "c"), "no box 'c'; there are a, b"),
        (lambda d: d.arrow("c", "a"), "no box 'c'"),
        (lambda d: d.arrow("a", "b", kind="dotted"), "no kind 'dotted'.*gradient"),
        (lambda d: d.arrow("a", "b", side="over"), "no side 'over'.*above"),
        (lambda d: d.arrow("a", "a"), "'a' to itself needs"),
        (lambda d: d.arrow("a", "b", via=[(0, 1)]), r"\(0, 1\) lies outside"),
        (lambda d: d.box("c", (0.5, 0), "$c$", kind="cloud"), "no kind 'cloud'.*noise"),
        (lambda d: d.box("a", (0.5, 0), "$c$"), "'a' stands at"),
        (lambda d: d.box("c", (1, 0), "$c$"), "'b' stands at.*give 'c'"),
        (lambda d: d.box("c", (2, 0), "$c$"), "outside the grid of 2 columns"),
        (lambda d: Diagram((1,), (1,), family="cubism"), "no family 'cubism'.*vae"),
        (lambda d: Diagram([1.5] * 4, (1,), family="vae"), "6 inches.*second row"),
    ],
)
def test_wrong_words_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong(pair())
