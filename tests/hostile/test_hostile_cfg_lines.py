"""Cfg texts with random edits of lines and values: each gives a network that can be written again, or a complaint."""

from __future__ import annotations

from contract import fuzz, result_of
from hypothesis import example, given
from hypothesis import strategies as st
from random_networks import networks

from cspbench.network import cfg
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.network import Network

NET = "[net]\nwidth=8\nheight=8\nchannels=4\n"
BASE = f"""{NET}letter_box=1
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
groups=2
activation=mish
[maxpool]
size=3
stride=1
[route]
layers=-1,-2
groups=2
group_id=1
[shortcut]
from=-2
weights_type=per_feature
weights_normalization=relu
activation=leaky
[avgpool]
[scale_channels]
from=-2
activation=logistic
[upsample]
stride=2
[reorg3d]
stride=2
[convolutional]
filters=14
antialiasing=1
activation=linear
[yolo]
mask=0,1
anchors=10,13, 16,30, 33,23
classes=2
num=3
scale_x_y=1.05
[route]
layers=0
[local_avgpool]
size=2
[crop]
crop_width=2
crop_height=2
[connected]
output=12
activation=relu
[softmax]
groups=3
"""
POISON = st.sampled_from(
    [
        "0",
        "-1",
        "1e9",
        "99999999999",
        "-2147483648",
        "",
        "nan",
        "inf",
        "1.5",
        ",",
        ",,",
        "x",
        "0x10",
        "#",
        "=",
        "[",
        "\0",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid text after a few random edits of lines, values and characters."""
    lines = BASE.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["delete", "duplicate", "move", "value", "character", "insert"])):
            case "delete":
                del lines[at]
                if not lines:
                    return ""
            case "duplicate":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "value":
                lines[at] = lines[at].partition("=")[0] + "=" + draw(POISON)
            case "character":
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.characters()) + lines[at][cut + 1 :]
            case _:
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.text(max_size=5)) + lines[at][cut:]
    return "\n".join(lines)


def outcome(text: str) -> Network | None:
    """The network of a text, None where it is refused with a good message; anything else raised fails the test."""
    result = result_of(lambda: cfg.parse(text, "damaged", "damaged.cfg"))
    if isinstance(result, cfg.Reading):
        return result.network
    assert str(result.where).startswith("damaged.cfg")
    assert result.expected
    assert result.found
    return None


def test_the_undamaged_text_is_valid() -> None:
    reading = cfg.parse(BASE, "base")
    assert reading.warnings == ()
    assert len(reading.network.layers) == 15


@fuzz(400)
@given(text=damaged())
@example(text="[net]\n=\n")
@example(text="[]\n[]")
@example(text=NET + "[route]\nlayers=,\n")
@example(text=NET + "[shortcut]\nfrom=\n")
def test_damage_gives_a_network_or_a_complaint(text: str) -> None:
    network = outcome(text)
    if network:
        assert cfg.parse(cfg_writer.write(network), "damaged").network == network


@fuzz(80)
@given(network=networks(), data=st.data())
def test_damaged_random_networks_give_a_network_or_a_complaint(network: Network, data: st.DataObject) -> None:
    lines = cfg_writer.write(network).split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = lines[at].partition("=")[0] + "=" + data.draw(POISON)
    damaged_network = outcome("\n".join(lines))
    assert damaged_network is None or damaged_network.layers
