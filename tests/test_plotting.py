import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from companion import plotting
from companion.metrics import precision_recall
from companion.plotting import (
    animate,
    bars,
    plot_balls,
    plot_confusion,
    plot_curves,
    plot_history,
    plot_verdicts,
    save_animation,
    save_images,
    show_images,
    show_rows,
    show_source,
)
from companion.trainers import History


@pytest.fixture
def shell():
    """What `display` needs in order to be captured."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


def opened(captured):
    data = base64.b64decode(captured.outputs[0].data["image/gif"])
    return Image.open(io.BytesIO(data))


def drawn_arrays():
    return [im.get_array() for ax in plt.gcf().axes for im in ax.get_images()]


def test_images_are_drawn_unscaled_and_unsmoothed():
    x = torch.rand(7, 3, 4, 5)
    show_images(x, columns=3)
    for picture, array in zip(x, drawn_arrays(), strict=True):
        torch.testing.assert_close(picture.permute(1, 2, 0), torch.tensor(array))
    image = plt.gcf().axes[0].get_images()[0]
    assert image.get_interpolation() == "nearest"
    assert image.get_clim() == (0, 1)


@pytest.mark.parametrize(
    "x",
    [torch.rand(4, 4), torch.rand(2, 4, 4, 4), torch.zeros(0, 1, 4, 4)]
    + [torch.full((1, 1, 2, 2), v) for v in (-0.1, 1.1, float("nan"))],
)
def test_wrong_images_are_refused(x):
    with pytest.raises(ValueError):
        show_images(x)


@pytest.mark.parametrize(
    "show",
    [
        show_images,
        lambda x: show_rows({"a": x}),
        lambda x: animate(x[:, None].expand(-1, 2, -1, -1, -1)),
        lambda x: save_images("never.png", x),
        lambda x: save_animation("never.gif", [x, x]),
    ],
)
def test_each_wrong_range_has_its_own_remedy(show):
    x = torch.rand(2, 1, 4, 4)
    x[:, 0, 0], x[:, 0, 1] = 0, 1
    cases = [
        (2 * x - 1, ValueError, r"-1 to 1;.*\(x \+ 1\) / 2"),
        (255 * x, ValueError, "0 to 255;.*x / 255"),
        ((255 * x).byte(), TypeError, r"uint8.*x\.float\(\) / 255"),
        (9 * x - 4, ValueError, r"-4 to 5;.*sigmoid"),
    ]
    for wrong, error, remedy in cases:
        with pytest.raises(error, match=remedy):
            show(wrong)


@pytest.mark.parametrize("show", [show_images, lambda x: animate([x, x])])
def test_an_array_is_refused_with_the_way_to_a_tensor(show):
    with pytest.raises(TypeError, match="ndarray.*torch.from_numpy.*channels first"):
        show(np.zeros((2, 1, 4, 4), np.float32))


def test_bits_of_any_kind_are_drawn():
    bits = torch.eye(2).view(1, 1, 2, 2)
    for x in (bits, bits.bool(), bits.long()):
        show_images(x)
        assert drawn_arrays()[0][..., 0].tolist() == [[1, 0], [0, 1]]


def test_titles_and_columns_must_fit():
    with pytest.raises(ValueError, match="1 titles for 2"):
        show_images(torch.rand(2, 1, 2, 2), titles=["one"])
    with pytest.raises(ValueError, match="columns is 0"):
        show_images(torch.rand(2, 1, 2, 2), columns=0)


def test_rows_are_labelled_and_equal_in_length():
    show_rows({"a": torch.rand(3, 1, 2, 2), "b": torch.rand(3, 3, 4, 4)})
    labels = [t.get_text() for ax in plt.gcf().axes for t in ax.texts]
    assert labels == ["a", "b"]
    with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
        show_rows({"a": torch.rand(3, 1, 2, 2), "b": torch.rand(2, 1, 2, 2)})


def test_curves_and_history():
    history = History()
    history.append(10, {"loss": 2.0})
    history.append(20, {"loss": 1.0})
    plot_history(history, "loss")
    line = plt.gca().lines[0]
    assert line.get_xdata().tolist() == [10, 20]
    assert line.get_ydata().tolist() == [2, 1]
    with pytest.raises(ValueError, match="3 values for 2"):
        plot_curves({"a": [1, 2, 3]}, [1, 2], xlabel="", ylabel="")
    with pytest.raises(ValueError, match="no curve"):
        plot_curves({}, xlabel="", ylabel="")


def test_confusion_shades_are_shares_of_rows():
    plot_confusion(torch.tensor([[3, 1], [0, 0]]), ["a", "b"])
    assert drawn_arrays()[0].tolist() == [[0.75, 0.25], [0, 0]]
    with pytest.raises(ValueError, match="3 classes"):
        plot_confusion(torch.eye(2), ["a", "b", "c"])


def test_bars_need_values():
    bars({"a": 1.0, "b": 2.0}, xlabel="x", marks={"baseline": 0.5})
    assert [bar.get_width() for bar in plt.gca().patches] == [1, 2]
    with pytest.raises(ValueError, match="no values"):
        bars({}, xlabel="x")


def test_animation_keeps_every_frame_and_its_pixels(shell):
    frames = torch.rand(5, 1, 8, 6).round()
    with capture_output() as captured:
        animate(frames, fps=4, width=12)
    image = opened(captured)
    assert (image.n_frames, image.size) == (5, (12, 16))
    for t, frame in enumerate(frames):
        image.seek(t)
        small = image.convert("L").resize((6, 8), Image.Resampling.NEAREST)
        pixels = torch.tensor(np.array(small))
        assert torch.equal(pixels, (frame[0] * 255).long())


def test_animation_in_colour_stands_in_a_grid(shell):
    red_then_blue = torch.zeros(2, 4, 3, 5, 5)
    red_then_blue[0, :, 0] = red_then_blue[1, :, 2] = 1
    with capture_output() as captured:
        animate(red_then_blue, width=11)
    image = opened(captured)
    assert image.size == (11, 11)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    image.seek(1)
    assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize(("count", "fps"), [(1, 8), (2, 0)])
def test_animation_needs_two_frames_and_time(count, fps):
    with pytest.raises(ValueError, match="2 or more"):
        animate(torch.rand(count, 1, 4, 4), fps)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG"])
@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_saved_images_keep_each_pixel(tmp_path, suffix, channels, mode):
    x = torch.randint(256, (5, channels, 4, 6)).float() / 255
    path = tmp_path / f"new folder/grid{suffix}"
    save_images(path, x, columns=3, scale=2)
    with Image.open(path) as file:
        assert file.mode == (mode if "png" in suffix.lower() else "RGB")
        pixels = torch.tensor(np.array(file.convert("RGB")))
    assert pixels.shape == (2 * (4 + 1 + 4), 2 * (6 + 1 + 6 + 1 + 6), 3)
    assert torch.equal(pixels[::2, ::2], pixels[1::2, 1::2])
    small = pixels[::2, ::2]
    for i, image in enumerate(x):
        top, left = i // 3 * 5, i % 3 * 7
        found = small[top : top + 4, left : left + 6].permute(2, 0, 1)
        assert torch.equal(found, (255 * image).round().byte().expand(3, -1, -1))
    assert (small[4] == 255).all() and (small[:, 6] == 255).all()
    assert (small[5:, 14:] == 255).all()  # the place without an image


def test_one_saved_image_is_itself_and_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_images("~/one.png", torch.eye(3)[None, None])
    with Image.open(tmp_path / "one.png") as file:
        assert np.array(file).tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_saved_animation_is_the_one_that_is_shown(tmp_path, shell, kind):
    frames = torch.rand(4, 1, 8, 6).round()
    path = tmp_path / f"moving.{kind}"
    save_animation(path, frames, fps=4, width=12)
    with Image.open(path) as file:
        assert (file.format.lower(), file.n_frames, file.size) == (kind, 4, (12, 16))
        for t, frame in enumerate(frames):
            file.seek(t)
            pixels = torch.tensor(np.array(file.convert("L"))[::2, ::2])
            assert torch.equal(pixels, (frame[0] * 255).byte())
    with capture_output() as captured:
        animate(frames, fps=4, width=12)
    shown = base64.b64decode(captured.outputs[0].data["image/gif"])
    assert (path.read_bytes() == shown) == (kind == "gif")


def test_a_webp_animation_keeps_more_than_256_colours(tmp_path):
    frames = torch.randint(256, (2, 3, 20, 20)).float() / 255
    save_animation(tmp_path / "a.webp", frames, width=20)
    with Image.open(tmp_path / "a.webp") as file:
        first = torch.tensor(np.array(file.convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(first, (255 * frames[0]).round().byte())


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    x = torch.rand(2, 1, 4, 4)
    path = tmp_path / "a.png"
    save_images(path, x)
    before = path.read_bytes()
    with pytest.raises(ValueError):
        save_images(path, 2 * x + 1)
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="a.png/b.png"):
        save_images(path / "b.png", x)
    with pytest.raises(OSError, match="a.png/b.gif"):
        save_animation(path / "b.gif", x)
    with pytest.raises(ValueError, match="a.jpg must end in .png or .webp"):
        save_images(tmp_path / "a.jpg", x)
    with pytest.raises(ValueError, match="a must end in .gif or .webp"):
        save_animation(tmp_path / "a", x)
    with pytest.raises(ValueError, match="scale is 0.5"):
        save_images(path, x, scale=0.5)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_source_is_shown_without_docstrings_and_with_comments(shell):
    with capture_output() as captured:
        show_source(plotting.Live)
        show_source(plotting.bars)
    live, barh = (output.data["text/plain"] for output in captured.outputs)
    assert "A picture drawn again" not in live
    assert "def __call__(self, step: int)" in live
    assert barh.startswith("def bars(")
    compile(live, "live", "exec")
    with pytest.raises(TypeError):
        show_source(len)


def test_balls_hold_the_points_that_precision_counts():
    generator = torch.Generator().manual_seed(0)
    centres, points = torch.randn(2, 30, 2, generator=generator).double()
    points = points + 1
    for k in (1, 3):
        plot_balls(centres, points, k)
        faces = plt.gca().collections[1].get_facecolors()[:, 0]  # 0 is black
        share = precision_recall(centres, points, k)[0]
        assert (faces == 0).mean() == pytest.approx(share) and share < 1
        radii = sorted(p.radius for p in plt.gca().patches)
        expected = torch.cdist(centres, centres).sort(1).values[:, k].sort().values
        assert radii == pytest.approx(expected.tolist())
    for wrong, k, message in (
        (torch.zeros(5, 3), 1, r"\(5, 3\).*in the plane"),
        (centres, 30, "k is 30 for 30 centres; .* more centres"),
        (centres, 0, "k is 0"),
        (centres, 1.5, "k is 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            plot_balls(wrong, points, k)


def test_verdicts_are_signs_in_a_labelled_table():
    plot_verdicts(torch.tensor([[-1, 0, 1]]), ["row"], ["a", "b", "c"])
    ax = plt.gca()
    assert [text.get_text() for text in ax.texts] == ["\u2212", "\u00b7", "+"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert drawn_arrays()[0].tolist() == [[-1, 0, 1]]
    with pytest.raises(ValueError, match="2 rows and 3 columns"):
        plot_verdicts(torch.zeros(1, 3), ["a", "b"], ["a", "b", "c"])
    with pytest.raises(ValueError, match="hold 0.5"):
        plot_verdicts(torch.full((1, 1), 0.5), ["a"], ["b"])
