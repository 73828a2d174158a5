"""Codes to bytes and back; file formats as marks."""

import io
import math

import pytest
import torch
from PIL import Image

from companion.codecs import jpeg, png, webp
from companion.compression import (
    HEADER,
    Rounding,
    TablePrior,
    code_images,
    code_length,
    compress,
    decompress,
    image_codes,
    psnr,
)
from companion.models.vqvae import VQVAE, CodePrior

SHARES = torch.tensor([0.6, 0.25, 0.1, 0.05])


def drawn(n, length=3):
    return torch.multinomial(SHARES, n * length, replacement=True).view(n, length)


@pytest.mark.parametrize("n", [1, 2, 300])
@pytest.mark.parametrize("kind", ["table", "network"])
def test_codes_come_back_from_the_bytes(n, kind):
    codes = torch.randint(5, (n, 12))
    prior = (
        TablePrior(torch.randint(5, (50, 12)), 5)
        if kind == "table"
        else CodePrior((3, 4), num_codes=5, width=8)
    )
    data = compress(codes, prior)
    assert isinstance(data, bytes)
    assert torch.equal(decompress(data, prior), codes)


def test_codes_that_were_never_counted_come_back_too():
    prior = TablePrior(torch.zeros(100, 4, dtype=torch.long), 1000)
    codes = torch.randint(1000, (20, 4))
    assert torch.equal(decompress(compress(codes, prior), prior), codes)


def test_pixels_decoded_from_bytes_equal_those_before():
    vqvae = VQVAE((1, 8, 12), width=6, dim=3, num_codes=6)
    prior = CodePrior(vqvae.grid, num_codes=6, width=8)
    x = torch.rand(7, 1, 8, 12)
    codes = image_codes(vqvae, x, batch_size=3)
    data = compress(codes.flatten(1), prior)
    received = code_images(vqvae, decompress(data, prior), batch_size=3)
    assert torch.equal(received, code_images(vqvae, codes, batch_size=3))
    assert received.shape == x.shape
    assert received.min() >= 0 and received.max() <= 1


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 4, 6), (12,), (2, 7)])
def test_images_of_codes_of_another_map_are_refused(shape):
    vqvae = VQVAE((1, 8, 12), width=4, dim=2, num_codes=5)
    assert vqvae.grid == (2, 3)
    with pytest.raises(ValueError, match="this network takes"):
        code_images(vqvae, torch.zeros(shape, dtype=torch.int64))


def test_the_bytes_are_as_many_as_the_entropy_demands():
    codes = drawn(20_000)
    prior = TablePrior(drawn(20_000), 4)
    bits = 8 * (len(compress(codes, prior)) - HEADER.size) / codes.numel()
    entropy = torch.distributions.Categorical(SHARES).entropy() / math.log(2)
    assert bits == pytest.approx(entropy.item(), abs=0.01)
    ideal = code_length(codes, prior).sum().item()
    assert bits * codes.numel() == pytest.approx(ideal, abs=64 + 1e-3 * ideal)


def test_table_is_counts_plus_one():
    codes = torch.tensor([[0, 2], [0, 1], [1, 1]])
    prior = TablePrior(codes, 3)
    expected = torch.tensor([[3, 2, 1], [1, 3, 2]], dtype=torch.float64) / 6
    torch.testing.assert_close(prior.table, expected)
    p = prior.probabilities(codes, 1)
    torch.testing.assert_close(p, expected[1].expand(3, 3))


def test_code_length_is_the_sum_of_the_prior_s_log_probabilities():
    prior = CodePrior((2, 3), num_codes=4, width=8)
    codes = torch.randint(4, (5, 2, 3))
    log_p = prior(codes).log_softmax(1).gather(1, codes[:, None])[:, 0]
    expected = -log_p.flatten(1).sum(1).double() / math.log(2)
    found = code_length(codes.flatten(1), prior)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def damaged():
    data = compress(drawn(50), TablePrior(drawn(50), 4))
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    count = data[:2] + b"\xff" + data[3:]
    return [b"", data[:5], data[:-1], data[:-4], data + b"\0" * 4, flipped, count,
            b"XY" + data[2:], b"no archive at all"]  # fmt: skip


@pytest.mark.parametrize("number", range(9))
def test_truncated_and_changed_bytes_are_refused(number):
    with pytest.raises(ValueError, match="bytes"):
        decompress(damaged()[number], TablePrior(drawn(50), 4))


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (torch.full((2, 3), 4), ValueError),
        (torch.full((2, 3), -1), ValueError),
        (torch.zeros(2, 4, dtype=torch.long), ValueError),
        (torch.zeros(2, 3, 1, dtype=torch.long), ValueError),
        (torch.zeros(0, 3, dtype=torch.long), ValueError),
        (torch.zeros(2, 3), TypeError),
        ([[0, 1, 2]], TypeError),
    ],
)
def test_compress_refuses(codes, error):
    prior = TablePrior(drawn(50), 4)
    for function in (compress, code_length):
        with pytest.raises(error):
            function(codes, prior)


def test_decompress_wants_bytes():
    with pytest.raises(TypeError, match="bytes"):
        decompress("text", TablePrior(drawn(5), 4))


def test_table_prior_refuses():
    with pytest.raises(ValueError):
        TablePrior(torch.zeros(5, dtype=torch.long), 4)
    with pytest.raises(ValueError):
        TablePrior(drawn(5), 3)


def test_rounding_errs_by_half_a_step_at_most_and_clips():
    step = torch.tensor([0.5, 2.0])
    rounding = Rounding(step, radius=4)
    z = torch.rand(100, 2) * torch.tensor([4.0, 16.0]) - torch.tensor([2.0, 8.0])
    codes = rounding.codes(z)
    assert codes.min() >= 0 and codes.max() < rounding.num_codes == 9
    assert ((rounding.values(codes) - z).abs() <= step / 2 + 1e-6).all()
    far = rounding.values(rounding.codes(torch.tensor([[99.0, -99.0]])))
    assert torch.equal(far, torch.tensor([[2.0, -8.0]]))


def test_rounding_refuses():
    for step, radius in ((torch.tensor([0.0]), 2), (torch.ones(2, 2), 2),
                         (torch.ones(2), 0)):  # fmt: skip
        with pytest.raises(ValueError):
            Rounding(step, radius)
    with pytest.raises(ValueError, match="0 to 4"):
        Rounding(torch.ones(2), 2).values(torch.tensor([[5, 0]]))


def test_psnr_by_hand():
    x = torch.zeros(2, 1, 2, 2)
    assert psnr(x, x + 0.1) == pytest.approx(20, abs=1e-4)
    assert psnr(x, x) == math.inf
    with pytest.raises(ValueError):
        psnr(x, x[:1])


def test_png_loses_nothing():
    x = torch.randint(256, (4, 3, 9, 7)) / 255
    coded = png(x)
    torch.testing.assert_close(coded.x_hat, x)
    assert (coded.stripped < coded.whole).all()


@pytest.mark.parametrize("codec", [jpeg, webp])
@pytest.mark.parametrize("channels", [1, 3])
def test_more_quality_is_more_bytes_and_decibels(codec, channels):
    x = torch.rand(3, channels, 5, 5)
    x = torch.nn.functional.interpolate(x, size=24, mode="bilinear")
    low, high = codec(x, 5), codec(x, 90)
    assert low.x_hat.shape == x.shape
    assert psnr(x, low.x_hat) < psnr(x, high.x_hat)
    assert (low.stripped < high.stripped).all()
    assert (low.stripped < low.whole).all() and (low.stripped > 0).all()


def test_jpeg_stripped_leaves_out_exactly_the_headers():
    # With fixed Huffman tables, headers are the same for all pictures of one size.
    x = torch.rand(6, 1, 16, 16)
    from companion.codecs import _jpeg_body

    rest = set()
    for picture in (x * 255).byte().numpy():
        buffer = io.BytesIO()
        Image.fromarray(picture[0]).save(buffer, "JPEG", quality=50)
        rest.add(len(buffer.getvalue()) - _jpeg_body(buffer.getvalue()))
    assert len(rest) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: jpeg(torch.rand(1, 1, 8, 8), 101),
        lambda: jpeg(torch.rand(1, 1, 8, 8), 5.5),
        lambda: webp(torch.rand(1, 1, 8, 8), -1),
        lambda: png(torch.rand(1, 2, 8, 8)),
        lambda: png(torch.rand(8, 8)),
        lambda: png(torch.rand(0, 1, 8, 8)),
        lambda: png(2 + torch.rand(1, 1, 8, 8)),
    ],
)
def test_codecs_refuse(call):
    with pytest.raises(ValueError):
        call()
