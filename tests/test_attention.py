"""Attention: against torch's own, its properties, and its kept keys and values."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.models.attention import (
    AttentiveLSTM,
    Block,
    CausalTransformer,
    Heads,
    attention,
    causal_mask,
)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_torchs(masked):
    q, k, v = randn(2, 3, 5, 4), randn(2, 3, 7, 4), randn(2, 3, 7, 6)
    mask = causal_mask(5, 2) if masked else None
    mean, weights = attention(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(weights @ v, expected)


def test_weights_are_a_distribution_over_allowed_places():
    _, weights = attention(randn(6, 3), randn(6, 3), randn(6, 2), causal_mask(6))
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6).double())
    assert (weights >= 0).all()
    assert (weights.triu(1) == 0).all()


def test_order_of_keys_does_not_matter_and_equal_keys_give_the_mean():
    q, k, v = randn(4, 3), randn(5, 3), randn(5, 2)
    order = torch.randperm(5)
    torch.testing.assert_close(
        attention(q, k[order], v[order])[0], attention(q, k, v)[0]
    )
    mean, _ = attention(q, k[:1].expand(5, 3), v)
    torch.testing.assert_close(mean, v.mean(dim=0).expand(4, 2))


def test_a_long_query_looks_up_its_key():
    keys, values = torch.eye(4).double(), randn(4, 3)
    mean, _ = attention(1000 * keys[[2, 0]], keys, values)
    torch.testing.assert_close(mean, values[[2, 0]])


def test_scores_of_random_vectors_have_unit_variance_in_every_dimension():
    for d in (4, 256):
        q, k = randn(400, d), randn(400, d)
        _, weights = attention(q, k, k)
        # log weight = score - log of the sum; the sum is the query's alone.
        scores = weights.log() - weights.log().mean(dim=1, keepdim=True)
        assert scores.std().item() == pytest.approx(1, abs=0.1)


def test_gradient_by_finite_differences():
    inputs = [randn(3, 2).requires_grad_(), randn(4, 2).requires_grad_(), randn(4, 2)]
    inputs[2].requires_grad_()
    assert torch.autograd.gradcheck(
        lambda q, k, v: attention(q, k, v, causal_mask(3, 1))[0], inputs
    )


def test_heads_equal_torchs_multi_head_attention():
    ours, theirs = (
        Heads(8, 2).double(),
        nn.MultiheadAttention(8, 2, batch_first=True).double(),
    )
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.to_qkv.weight)
        theirs.in_proj_bias.zero_()
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    a = randn(3, 5, 8)
    mean, _, weights = ours(a)
    expected, their_weights = theirs(
        a, a, a, attn_mask=~causal_mask(5), average_attn_weights=False
    )
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(weights, their_weights)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_kept_keys_and_values_give_what_the_whole_sequence_gives(cut):
    block, a = Block(8, 2).double(), randn(2, 6, 8)
    whole, (k, v) = block(a)
    first, past = block(a[:, :cut])
    rest, past = block(a[:, cut:], past)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
    torch.testing.assert_close(past[0], k)
    torch.testing.assert_close(past[1], v)
    assert k.shape == (2, 2, 6, 4)


@pytest.mark.parametrize("model", [AttentiveLSTM, CausalTransformer])
def test_rows_read_one_by_one_give_what_all_rows_give(model):
    net, rows, memory, parts = (
        model((1, 6, 5), width=8).double(),
        randn(2, 6, 5),
        None,
        [],
    )
    for i in range(6):
        features, memory = net.read(rows[:, i : i + 1], memory)
        parts.append(features)
    torch.testing.assert_close(torch.cat(parts, dim=1), net.read(rows)[0])


def test_attentive_lstm_shows_weights_over_earlier_rows():
    weights = AttentiveLSTM((1, 6, 5), width=8).weights(torch.rand(3, 1, 6, 5).round())
    assert weights.shape == (3, 6, 6)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 6))
    assert (weights.triu(1) == 0).all()
    assert (weights[:, 0, 0] == 1).all()


def test_one_layer_without_places_does_not_know_the_order_of_earlier_rows():
    # Deeper ones may find out: the first row sees only itself, the second two rows.
    net = CausalTransformer((1, 4, 5), width=8, layers=1).double()
    with torch.no_grad():
        net.place.zero_()
    rows = randn(1, 4, 5)
    swapped = rows[:, [1, 0, 2, 3]]
    torch.testing.assert_close(net.read(swapped)[0][:, 2], net.read(rows)[0][:, 2])
    with torch.no_grad():
        net.place.normal_()
    apart = net.read(swapped)[0][:, 2] - net.read(rows)[0][:, 2]
    assert apart.abs().max() > 1e-4


def test_softmax_without_the_root_is_another_function():
    q, k, v = randn(3, 16), randn(4, 16), randn(4, 2)
    plain = (q @ k.T).softmax(dim=1) @ v
    torch.testing.assert_close(attention(math.sqrt(16) * q, k, v)[0], plain)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: attention(randn(2, 3), randn(2, 4), randn(2, 4)), "shapes"),
        (lambda: attention(randn(2, 3), randn(2, 3), randn(5, 3)), "shapes"),
        (
            lambda: attention(
                randn(2, 3),
                randn(2, 3),
                randn(2, 3),
                torch.eye(2).bool()[[0, 0]] & False,
            ),
            "nothing to look at",
        ),
        (lambda: Heads(8, 3), "multiple"),
        (lambda: Heads(8, 0), "1 or more"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
