"""What ships trained, and how weights and cards are written and read."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import companion.pretrained
from companion.models.cgan import ConditionalDCGANGenerator
from companion.models.gan import MLPGenerator
from companion.pretrained import (
    GIVEN,
    build,
    names,
    pretrained,
    read_card,
    write_pretrained,
)

FOLDER = Path(companion.pretrained.__file__).parent
SHIPPED = names()
CARD = dict.fromkeys(GIVEN, "?") | {
    "network": "companion.models.cgan:ConditionalDCGANGenerator",
    "arguments": {
        "image_shape": (3, 8, 8),
        "widths": (4, 2),
        "latent": 3,
        "num_classes": (2, 3),
    },
    "recipe": "cgan_digits",
    "settings": {"steps": 3},
    "values": {"accuracy": 0.9},
}
REMEDY = "Install the companion again.*train cgan_digits`, then `keep`"


@pytest.fixture
def network():
    """A network whose weights, averages of batch normalisation too, are its own."""
    network = ConditionalDCGANGenerator(**CARD["arguments"])
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return network


@pytest.fixture
def kept(network, tmp_path):
    """A folder in which the network was kept as `small`."""
    write_pretrained("small", network, CARD, folder=tmp_path)
    return tmp_path


# What ships


def test_each_card_has_its_weights_and_each_file_is_small():
    weights, cards = (
        {f.stem: f.stat().st_size for f in FOLDER.glob(f"*.{extension}")}
        for extension in ("safetensors", "json")
    )
    assert "judge" in SHIPPED
    assert sorted(weights) == sorted(cards) == SHIPPED
    sizes = sorted([*weights.values(), *cards.values()])
    assert max(sizes) <= 4_000_000
    assert max(sizes[:-2], default=0) <= 1_000_000
    assert sum(sizes) <= 16_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_described_and_works(name):
    card, file = read_card(name), FOLDER / f"{name}.safetensors"
    assert re.fullmatch(r"[0-9a-f]{7,40}\+?", card["commit"])
    assert card["bytes"] == file.stat().st_size
    kept = load_file(file).values()
    assert {v.dtype for v in kept if v.is_floating_point()} == {torch.float16}
    network = pretrained(name)
    assert card["parameters"] == sum(w.numel() for w in network.parameters())
    assert not any(module.training for module in network.modules())
    assert not any(w.requires_grad for w in network.parameters())
    assert {w.dtype for w in network.parameters()} == {torch.float32}
    if hasattr(network, "sample"):
        out = network.sample(2, generator=torch.Generator().manual_seed(0))
        assert len(out) == 2
    elif hasattr(network, "in_channels"):  # from pictures to pictures
        out = network(torch.rand(2, network.in_channels, 32, 32))
        assert out.shape == (2, network.out_channels, 32, 32)
    else:
        out = network(torch.rand(2, *network.image_shape))
        assert out.shape == (2, network.num_classes)
    assert out.isfinite().all() and out.float().std() > 0


# Writing and reading


def test_a_network_comes_back_rounded_to_float16(network, kept):
    back = pretrained("small", "cpu", folder=kept)
    for key, value in network.state_dict().items():
        same = value.half().float() if value.is_floating_point() else value
        assert torch.equal(back.state_dict()[key], same)
    draws = [
        g.sample(6, generator=torch.Generator().manual_seed(1)) for g in (network, back)
    ]
    assert torch.allclose(*draws, atol=1e-2)
    assert not torch.equal(*draws)
    card = read_card("small", folder=kept)
    assert {key: card[key] for key in CARD} == json.loads(json.dumps(CARD))
    assert names(kept) == ["small"]


@pytest.mark.parametrize("value", [70_000.0, -torch.inf, torch.nan])
def test_weights_beyond_float16_are_refused(network, tmp_path, value):
    with torch.no_grad():
        network.net[0].weight[0, 0] = value
    with pytest.raises(ValueError, match=r"net\.0\.weight.*float16"):
        write_pretrained("small", network, CARD, folder=tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("Small", {}, ValueError, "'Small'.*small letters"),
        ("../small", {}, ValueError, "small letters"),
        ("small", {"arguments": {}}, ValueError, "another network"),
        ("small", {"arguments": {"width": 3}}, ValueError, "'width'"),
        ("small", {"network": "torch.nn:Linear"}, ValueError, "torch.nn:Linear"),
        ("small", {"device": torch.device("cpu")}, TypeError, "device"),
        ("small", {"values": {"loss": torch.nan}}, ValueError, "JSON"),
    ],
)
def test_cards_that_would_not_be_read_are_refused(
    network, tmp_path, name, change, error, message
):
    with pytest.raises(error, match=message):
        write_pretrained(name, network, CARD | change, folder=tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_network_of_another_class_is_refused(tmp_path):
    class Louder(MLPGenerator):
        """Its weights are called the same."""

    card = CARD | {"network": "companion.models.gan:MLPGenerator", "arguments": {}}
    with pytest.raises(ValueError, match="MLPGenerator.*this Louder"):
        write_pretrained("small", Louder(), card, folder=tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("key", GIVEN)
def test_a_card_must_be_complete(network, kept, key):
    card = read_card("small", folder=kept)
    del card[key]
    with pytest.raises(ValueError, match=f"lacks.*{key}"):
        write_pretrained("small", network, card, folder=kept)
    (kept / "small.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=rf"small\.json lacks.*{key}.*Install"):
        pretrained("small", folder=kept)


def test_unwritable_folders_are_named(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_pretrained("small", network, CARD, folder=tmp_path / "file")


# What is wrong is named


def test_unknown_names_are_answered_with_those_there_are(kept):
    with pytest.raises(ValueError, match="'smal'; there are small; did you mean small"):
        pretrained("smal", folder=kept)
    with pytest.raises(ValueError, match=r"there are small\.$"):
        read_card("../judge", folder=kept)


def test_loading_leaves_the_random_numbers_as_they_were(kept):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    pretrained("small", folder=kept)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("extension", ["json", "safetensors"])
def test_missing_files_are_named(kept, extension):
    (kept / f"small.{extension}").unlink()
    with pytest.raises(FileNotFoundError, match=rf"small\.{extension}.*Install.*keep"):
        pretrained("small", folder=kept)


@pytest.mark.parametrize("damage", ["empty", "half", "header", "type", "bit", "other"])
def test_damaged_weights_are_named(kept, damage):
    path = kept / "small.safetensors"
    content = path.read_bytes()
    if damage == "other":
        save_file({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(
            {
                "empty": b"",
                "half": content[: len(content) // 2],
                "header": content[:20] + b"\xff" + content[21:],
                "type": content.replace(b'"F16"', b'"I16"', 1),
                "bit": content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
            }[damage]
        )
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match=rf"small\.safetensors.*{REMEDY}"):
        pretrained("small", folder=kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "no JSON"),
        ("\xff", "no JSON"),
        ("3", "no table"),
        ({"sha256": "0"}, "small.safetensors"),
        ({"arguments": CARD["arguments"] | {"latent": 4}}, "small.safetensors"),
        ({"arguments": 3}, r"'arguments' of the card .*small\.json is no table"),
        ({"settings": 3}, "'settings' of the card .* is no table"),
        ({"values": 3}, "'values' of the card .* is no table"),
        ({"arguments": {"wings": 2}}, r"small\.json.*cannot be built"),
        ({"network": 3}, r"small\.json.*3 is no network"),
        ({"network": "os:system"}, r"small\.json.*os:system"),
    ],
)
def test_damaged_cards_are_named(kept, change, message):
    path = kept / "small.json"
    if isinstance(change, dict):
        change = json.dumps(read_card("small", folder=kept) | change)
    path.write_text(change, encoding="latin-1")
    with pytest.raises(ValueError, match=rf"{message}.*Install the companion again"):
        pretrained("small", folder=kept)


@pytest.mark.parametrize(
    "network",
    [
        "",
        "companion.models.judge",
        "companion.models:judge",
        "companion.models.nothing:Judge",
        "companion.models.judge:nothing",
        "companion.models.judge:load_judge",
        "companion.models.judge:nn",
        "companion.models.cgan:DCGANGenerator",  # defined elsewhere
        "companion.models.linear_gaussian:LinearGaussian",  # no network
        "companion.models.gan.x:MLPGenerator",
        "companion.runtime:nn",
        "torch.nn:ReLU",
        "subprocess:Popen",
    ],
)
def test_only_networks_of_the_companion_are_built(network):
    with pytest.raises(ValueError, match="no network of companion.models"):
        build(network, {})


def test_networks_are_built_with_their_arguments():
    made = build("companion.models.gan:MLPGenerator", {"latent": 5})
    assert isinstance(made, MLPGenerator) and made.latent == 5
