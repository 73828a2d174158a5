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
from companion.plotting import (
    animate,
    bars,
    plot_confusion,
    plot_curves,
    plot_history,
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
    bars({"a": 1.0, "b": 2.0}, xlabel="x", marks={"floor": 0.5})
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
