"""The cfg grammar and reader as the specification words them, and text that reads back as the same network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import KINDS, networks
from refusals import refuses

from cspbench.network import cfg
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.cfg.parser import split
from cspbench.network.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    Dropout,
    GaussianYolo,
    Implicit,
    Layer,
    LocalAvgPool,
    Loss,
    MaxPool,
    MaxPoolDepth,
    MultiBox,
    Proposals,
    Region,
    Reorg,
    Resize,
    RoiAlign,
    RoiBox,
    Route,
    Sam,
    ScaleChannels,
    Shortcut,
    Shuffle,
    Softmax,
    Upsample,
    Yolo,
)
from cspbench.network.network import Network, difference
from cspbench.network.shortcut_checks import misfits
from cspbench.zoo import registry

NET = "[net]\nwidth=8\nheight=8\nchannels=4\n"


def parsed(body: str) -> cfg.Reading:
    return cfg.parse(NET + body, "small", "small.cfg")


def layers(body: str) -> tuple[Layer, ...]:
    reading = parsed(body)
    # what a convolution has by default is told, and left out here to be brief
    assert [warning for warning in reading.warnings if "[convolutional] has no" not in warning] == []
    return reading.network.layers


# --- grammar


def test_blanks_vanish_anywhere_and_comment_lines_are_skipped() -> None:
    text = "# one\n; two\n\n [ n e t ] \r\n\tw i d t h = 1 2\t3 \n  #three\nheight =\t4\n;=\n"
    (net,) = split(text, "x.cfg")
    assert (net.name, net.line) == ("net", 4)
    assert net.keys == {"width": ("123", 5), "height": ("4", 7)}


def test_only_line_feeds_end_a_line() -> None:
    """Darknet knows no other line end: what editors take for one stays inside the value."""
    (net,) = split("[net]\nname=a\x0cb\x85c\u2028d\nwidth=5", "x.cfg")
    assert net.keys == {"name": ("a\x0cb\x85c\u2028d", 2), "width": ("5", 3)}


def test_the_first_of_duplicate_keys_wins() -> None:
    reading = parsed("[convolutional]\nfilters=3\nfilters=5\nactivation=relu\nfilters=3\nactivation=mish\nx=1\nx=2\n")
    (layer,) = reading.network.layers
    assert isinstance(layer, Convolution)
    assert (layer.filters, layer.activation) == (3, "relu")
    filters, activation, unknown, first = reading.warnings
    assert filters.startswith("small.cfg:7: filters=5 is ignored")
    assert activation.startswith("small.cfg:10: activation=mish is ignored")
    assert unknown.startswith("small.cfg:12: x=2 is ignored")
    assert first.startswith("small.cfg:11: unknown key x ")


def test_a_value_is_split_at_the_first_equals_sign() -> None:
    (net,) = split("[net]\na=b=c", "x.cfg")
    assert net.keys == {"a": ("b=c", 2)}


@pytest.mark.parametrize("tail", ["#note", " # note", ";note", " ; note"])
def test_a_comment_behind_a_number_is_no_part_of_it(tail: str) -> None:
    (layer,) = layers(f"[maxpool]\nsize=3{tail}\nstride=2{tail}\n")
    assert layer == MaxPool(sources=(-1,), size=3, stride=2, padding=2)


def test_a_comment_behind_a_list_is_no_part_of_it() -> None:
    body = "[convolutional]\nfilters=18\nactivation=linear\n[yolo]\nclasses=1\nnum=3\nmask=0,1,2#all\n"
    _, head = layers(body + "anchors=1,2, 3,4, 5,6 # pixels\n")
    assert isinstance(head, Yolo)
    assert (head.mask, head.anchors) == ((0, 1, 2), ((1, 2), (3, 4), (5, 6)))


def test_a_comment_behind_a_word_is_cut_off_and_told() -> None:
    reading = parsed("[convolutional]\nfilters=1\nactivation=leaky # no more\n")
    (warning,) = reading.warnings
    assert warning.startswith("small.cfg:7: activation=leaky#nomore ")
    assert reading.network.layers == (Convolution(sources=(-1,), filters=1, batch_normalize=False),)


def test_what_atoi_ignores_is_warned_about() -> None:
    reading = parsed("[maxpool]\nsize=2x\nstride=2.0\n")
    (warning,) = reading.warnings
    assert warning.startswith("small.cfg:6: size=2x: ")
    assert reading.network.layers == (MaxPool(sources=(-1,), size=2, stride=2, padding=1),)


@pytest.mark.parametrize(("written", "read"), [("1e9", 1), ("1e3", 1), ("8.7", 8), ("8.0e2", 8), ("8.5#c", 8)])
def test_an_integer_that_is_not_the_number_written_is_warned_about(written: str, read: int) -> None:
    reading = parsed(f"[convolutional]\nfilters={written}\nactivation=leaky\n")
    (warning,) = reading.warnings
    assert warning.startswith(f"small.cfg:6: filters={written}: ")
    assert f" {read} " in warning
    assert reading.network.layers == (Convolution(sources=(-1,), filters=read, batch_normalize=False),)


@pytest.mark.parametrize("written", ["8", "8.", "8.000", "+8", "8#c"])
def test_an_integer_that_is_the_number_written_is_silent(written: str) -> None:
    assert parsed(f"[convolutional]\nfilters={written}\nactivation=leaky\n").warnings == ()


def test_a_convolution_without_filters_or_activation_has_darknets_and_says_so() -> None:
    reading = parsed("[convolutional]\nsize=1\n")
    filters, activation = reading.warnings
    assert filters.startswith("small.cfg:5: [convolutional] ")
    assert "filters=1" in filters
    assert activation.startswith("small.cfg:5: [convolutional] ")
    assert "activation=logistic" in activation
    assert reading.network.layers == (
        Convolution(sources=(-1,), filters=1, activation="logistic", batch_normalize=False),
    )


def test_a_list_of_leftovers_is_warned_about_once() -> None:
    body = "[avgpool]\n[route]\nlayers=" + ",".join(["-1x"] * 1000) + "\n"
    (warning,) = parsed(body).warnings
    assert "layers" in warning
    assert len(warning) < 200


def test_digits_are_ascii() -> None:
    where = "small.cfg:6, layer 0 [maxpool]"
    with refuses("cfg.bad-value", where=where, found="'\u0663'", remedy="Correct size="):
        parsed("[maxpool]\nsize=\u0663\n")


def test_a_real_may_have_many_digits() -> None:
    (layer,) = layers(f"[dropout]\nprobability=0.2{'0' * 60}1\n")
    assert layer == Dropout(sources=(-1,), probability=0.2)


# --- reader


def test_relative_and_absolute_references() -> None:
    body = "[convolutional]\nfilters=4\n" * 3 + "[route]\nlayers=-1, 0 ,-3\n[route]\nlayers=2\n"
    *_, first, second = layers(body)
    # layer 3: -1 is 2, -3 is 0
    assert first.sources == (2, 0, 0)
    assert second.sources == (2,)


def test_shortcut_reads_several_and_either_spelling_of_its_normalisation() -> None:
    body = "[convolutional]\nfilters=4\n" * 3
    for key in ("weights_normalization", "weights_normalizion"):
        layer = layers(f"{body}[shortcut]\nfrom=-2,0\nweights_type=per_layer\n{key}=avg_relu\n")[-1]
        assert layer == Shortcut(sources=(2, 1, 0), weighting="per_feature", normalization="relu")
    both = (
        f"{body}[shortcut]\nfrom=-2\nweights_type=per_layer\nweights_normalizion=relu\nweights_normalization=softmax\n"
    )
    layer = layers(both)[-1]
    assert layer == Shortcut(sources=(2, 1), weighting="per_feature", normalization="softmax")


def test_normalisation_without_weights_is_none() -> None:
    reading = parsed("[dropout]\n[dropout]\n[shortcut]\nfrom=-2\nweights_normalization=relu\n")
    assert reading.network.layers[-1] == Shortcut(sources=(1, 0))
    (warning,) = reading.warnings
    assert warning.startswith("small.cfg:9: weights_normalization=relu is ignored")


def test_section_aliases() -> None:
    body = "[conv]\nfilters=4\n[max]\n[local_avg]\n[avg]\n[conn]\n[soft]\n"
    kinds = [type(layer) for layer in layers(body)]
    assert kinds == [Convolution, MaxPool, LocalAvgPool, AvgPool, Connected, Softmax]
    assert cfg.parse(NET.replace("[net]", "[network]") + "[avg]\n", "x").network.layers == (AvgPool(sources=(-1,)),)


def test_unknown_keys_are_warned_about_with_file_and_line() -> None:
    reading = parsed("center_crop=1\n[maxpool]\nsize=2\nbeta1=0.6\n")
    net, maxpool = reading.warnings
    assert net.startswith("small.cfg:5: unknown key center_crop in [net] ")
    assert maxpool.startswith("small.cfg:8: unknown key beta1 in [maxpool] ")


def test_training_keys_are_silent() -> None:
    net = "batch=64\nsubdivisions=8\nmomentum=0.9\ndecay=.0005\nlearning_rate=0.1\npolicy=poly\npower=4\nmosaic=1\n"
    body = "[convolutional]\nfilters=6\nactivation=linear\nstopbackward=1\n"
    assert (
        len(layers(f"{net}{body}[yolo]\nmask=0\nanchors=1,2\nclasses=1\njitter=.3\nignore_thresh=.7\nrandom=1\n")) == 2
    )


def test_letter_box_is_kept() -> None:
    assert parsed("letter_box=1\n[avgpool]\n").network.letter_box
    assert not parsed("[avgpool]\n").network.letter_box


def test_defaults_are_darknets() -> None:
    conv, pool, *_ = layers("[convolutional]\nactivation=linear\n[maxpool]\nstride=2\n[local_avgpool]\n[upsample]\n")
    assert conv == Convolution(sources=(-1,), filters=1, size=1, batch_normalize=False, activation="linear")
    assert pool == MaxPool(sources=(0,), size=2, stride=2, padding=1)
    (bare,) = layers("[convolutional]\n")
    assert isinstance(bare, Convolution)
    assert bare.activation == "logistic"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("size=3\npad=1", {"size": 3, "padding": 1}),
        ("size=4\npad=1", {"size": 4, "padding": 2}),
        ("size=3\npadding=2", {"size": 3, "padding": 2}),
        ("size=5\npad=1\npadding=0", {"size": 5, "padding": 2}),
        ("size=3\nstride=2", {"size": 3, "stride": (2, 2)}),
        ("size=3\nstride=2\nstride_x=1", {"size": 3, "stride": (2, 1)}),
        ("size=3\nstride_y=3", {"size": 3, "stride": (3, 1)}),
        ("size=3\npad=1\ndilation=2", {"size": 3, "padding": 1, "dilation": 2}),
        ("size=1\ndilation=1", {"size": 1}),
        ("size=3\npad=1\npadding=1", {"size": 3, "padding": 1}),
        ("size=3\nstride=2\nstride_x=0\nstride_y=-1", {"size": 3, "stride": (2, 2)}),
        ("size=3\nstride=0\nstride_x=1\nstride_y=2", {"size": 3, "stride": (2, 1)}),
        ("size=3\npad=1\nstride=2\nantialiasing=1", {"size": 3, "padding": 1, "stride": (2, 2), "antialiasing": 1}),
        ("groups=2", {"groups": 2}),
        ("batch_normalize=1", {"batch_normalize": True}),
    ],
)
def test_convolution_keys(keys: str, expected: dict[str, object]) -> None:
    (layer,) = layers(f"[convolutional]\nfilters=4\nactivation=leaky\n{keys}\n")
    whole = {"batch_normalize": False, **expected}
    assert layer == Convolution(sources=(-1,), filters=4, **whole)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "at", "left"),
    [
        ("size=1\ndilation=2", 8, {"size": 1}),
        ("size=5\npad=1\npadding=1", 9, {"size": 5, "padding": 2}),
        ("size=2\npadding=3\npad=7", 8, {"size": 2, "padding": 1}),
    ],
)
def test_a_key_that_another_one_overrules_is_said_to_be_ignored(keys: str, at: int, left: dict[str, int]) -> None:
    reading = parsed(f"[convolutional]\nactivation=leaky\n{keys}\nfilters=4\n")
    assert reading.network.layers == (Convolution(sources=(-1,), filters=4, batch_normalize=False, **left),)  # type: ignore[arg-type]
    (warning,) = reading.warnings
    assert warning.startswith(f"small.cfg:{at}: ")
    assert "is ignored, as in Darknet" in warning


@pytest.mark.parametrize("reference", ["0", "-2"])
def test_share_index(reference: str) -> None:
    body = "[convolutional]\nfilters=4\n" * 2 + f"[convolutional]\nfilters=4\nshare_index={reference}\n"
    last = layers(body)[-1]
    assert isinstance(last, Convolution)
    assert last.share == 0


def test_yolo_keys() -> None:
    body = "[convolutional]\nfilters=14\nactivation=logistic\n[yolo]\nmask=2,0\nnum=3\nclasses=2\n"
    body += "anchors=10,13, 16,30, 33.5,23\nscale_x_y=1.05\nnew_coords=1\nnms_kind=greedynms\nbeta_nms=0.7\n"
    assert layers(body)[-1] == Yolo(
        sources=(0,),
        classes=2,
        anchors=((10, 13), (16, 30), (33.5, 23)),
        mask=(2, 0),
        scale_x_y=1.05,
        new_coords=True,
        nms_kind="greedynms",
        beta_nms=0.7,
    )
    (_, bare) = parsed("[convolutional]\nfilters=25\n[yolo]\n").network.layers
    assert bare == Yolo(sources=(0,), classes=20, anchors=((0.5, 0.5),), mask=(0,))


def test_gaussian_yolo_keys() -> None:
    body = "[convolutional]\nfilters=10\n[Gaussian_yolo]\nmask=0\nanchors=1,2\nclasses=1\nyolo_point=left_top\n"
    assert layers(body)[-1] == GaussianYolo(
        sources=(0,), classes=1, anchors=((1, 2),), mask=(0,), yolo_point="left_top"
    )


@pytest.mark.parametrize(
    ("section", "key", "word", "read"),
    [
        ("yolo", "nms_kind", "diounms", "diounms"),
        ("yolo", "nms_kind", "greedy", "default"),
        ("yolo", "nms_kind", "cornersnms", "default"),
        ("Gaussian_yolo", "nms_kind", "cornersnms", "cornersnms"),
        ("Gaussian_yolo", "nms_kind", "softnms", "default"),
        ("Gaussian_yolo", "yolo_point", "right_bottom", "right_bottom"),
        ("Gaussian_yolo", "yolo_point", "left_bottom", "center"),
    ],
)
def test_a_word_that_darknet_does_not_know_is_the_default(section: str, key: str, word: str, read: str) -> None:
    filters = 6 if section == "yolo" else 10
    reading = parsed(f"[convolutional]\nfilters={filters}\n[{section}]\nanchors=1,2\nclasses=1\n{key}={word}\n")
    assert getattr(reading.network.layers[1], key) == read
    said = [warning for warning in reading.warnings if f"small.cfg:10: {key}={word} is read as {read}" in warning]
    assert len(said) == (word != read)


def test_the_other_layers() -> None:
    body = """
        [convolutional]
        filters=8
        [sam]
        from=-1
        activation=linear
        [batchnorm]
        [reorg]
        stride=2
        [reorg3d]
        stride=2
        [upsample]
        stride=-2
        scale=0.5
        [upsample]
        stride=3
        [crop]
        crop_height=2
        crop_width=3
        noadjust=1
        [maxpool]
        maxpool_depth=1
        out_channels=16
        size=1
        [convolutional]
        filters=1
        [scale_channels]
        from=-2
        scale_wh=1
        activation=relu
        [avgpool]
        [scale_channels]
        from=-2
        [dropout]
        probability=.2
        [convolutional]
        filters=12
        [region]
        classes=1
        num=2
        anchors=1,2,3,4
        softmax=1
        [connected]
        output=6
        activation=linear
        batch_normalize=1
        [softmax]
        groups=2
        temperature=3
        [implicit]
        filters=2
        atoms=3
        [cost]
        type=sse
        [contrastive]
        [activation]
        activation=mish
    """
    result = layers(body)
    assert [type(layer).__name__ for layer in result] == [
        "Convolution",
        "Sam",
        "BatchNorm",
        "Reorg",
        "Reorg",
        "Upsample",
        "Upsample",
        "Crop",
        "MaxPoolDepth",
        "Convolution",
        "ScaleChannels",
        "AvgPool",
        "ScaleChannels",
        "Dropout",
        "Convolution",
        "Region",
        "Connected",
        "Softmax",
        "Implicit",
        "Loss",
        "Loss",
        "Activation",
    ]
    assert result[1] == Sam(sources=(0, 0))
    assert result[2] == BatchNorm(sources=(1,))
    assert result[3:5] == (Reorg(sources=(2,), stride=2, legacy=True), Reorg(sources=(3,), stride=2))
    assert result[5] == Upsample(sources=(4,), stride=2, scale=0.5, reverse=True)
    assert result[7] == Crop(sources=(6,), height=2, width=3, noadjust=True)
    assert result[8] == MaxPoolDepth(sources=(7,), channels=16)
    assert result[10] == ScaleChannels(sources=(9, 8), activation="relu", per_pixel=True)
    assert result[12] == ScaleChannels(sources=(11, 10))
    assert result[15] == Region(sources=(14,), classes=1, anchors=((1, 2), (3, 4)), softmax=True)
    assert result[16] == Connected(sources=(15,), outputs=6, batch_normalize=True, activation="linear")
    assert result[17] == Softmax(sources=(16,), groups=2, temperature=3)
    assert result[18] == Implicit(sources=(17,), filters=2, atoms=3)
    assert result[20] == Loss(sources=(19,))
    assert result[21] == Activation(sources=(20,), activation="mish")


def test_read_names_the_network_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "some-net.cfg"
    path.write_bytes("\ufeff# caf\u00e9\n".encode() + b"# caf\xe9\n" + (NET + "[avgpool]\nwhat=1\n").encode())
    reading = cfg.read(path)
    assert reading.network.name == "some-net"
    (warning,) = reading.warnings
    assert warning.startswith(f"{path}:8: unknown key what in [avgpool] ")


# --- round trip

LINE = re.compile(r"\[[A-Za-z_0-9]+\]|[a-z_A-Z0-9]+=[^\s=#;]+|#.*")


def roundtrip(network: Network) -> None:
    """The text reads back as the network, with warnings of its misfits only, in lines of Darknet's grammar."""
    text = cfg_writer.write(network)
    assert text.endswith("\n")
    seen: set[str] = set()
    for line in filter(None, text.split("\n")):
        assert LINE.fullmatch(line), line
        if line.startswith("["):
            seen = set()
        key = line.partition("=")[0]
        assert key not in seen
        seen.add(key)
    reading = cfg.parse(text, network.name)
    assert len(reading.warnings) == len(misfits(network))
    assert difference(reading.network, network) is None
    assert reading.network == network


@pytest.mark.parametrize("name", registry.names_of_layered())
def test_every_catalogue_model_reads_back_or_is_refused_for_its_first_foreign_layer(name: str) -> None:
    model = registry.model(name)
    network = model.build()
    foreign = [
        index
        for index, layer in enumerate(network.layers)
        if (isinstance(layer, Convolution) and not layer.batch_normalize and not layer.bias)
        or (isinstance(layer, Upsample) and layer.bilinear)
        or isinstance(layer, Resize | Shuffle | Proposals | RoiAlign | MultiBox | RoiBox)
    ]
    if not foreign:
        roundtrip(network)
        return
    assert model.definition != "cfg"
    section = network.layers[foreign[0]].section
    with refuses("cfg.not-expressible", where=f"{name}, layer {foreign[0]} [{section}]"):
        cfg_writer.write(network)


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=examples(25))
@given(data=st.data())
def test_random_networks_read_back(kind: str, data: st.DataObject) -> None:
    roundtrip(data.draw(networks(kind), label="network"))


def test_text_begins_with_the_input_for_inference() -> None:
    text = cfg_writer.write(Network("small", (4, 6, 8), (AvgPool(sources=(-1,)),), letter_box=True))
    assert text.splitlines() == [
        "# small, written by cspbench",
        "[net]",
        "batch=1",
        "subdivisions=1",
        "width=8",
        "height=6",
        "channels=4",
        "letter_box=1",
        "",
        "[avgpool]",
    ]


def test_a_name_with_line_ends_stays_on_the_comment_line() -> None:
    network = Network("a\n[route]\rb", (4, 6, 8), (AvgPool(sources=(-1,)),))
    assert cfg_writer.write(network).splitlines()[0] == "# a [route] b, written by cspbench"


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (AvgPool(sources=(-1,)), "layer -1"),
        (Shortcut(sources=(-1, 0)), "layer -1"),
        # Darknet has no index for the network input
        (Route(sources=(0, -1)), "the network input"),
        (Shortcut(sources=(0, -1)), "the network input"),
        # nor a key for these
        (Convolution(sources=(0,), filters=2, batch_normalize=False, bias=False), "no bias"),
        (Upsample(sources=(0,), bilinear=True), "bilinear"),
        (Resize(sources=(0, 0)), "[resize]"),
    ],
)
def test_what_a_cfg_cannot_express_is_refused(second: Layer, found: str) -> None:
    network = Network("small", (4, 6, 8), (Dropout(sources=(-1,)), second))
    with refuses("cfg.not-expressible", where=f"small, layer 1 [{second.section}]") as caught:
        cfg_writer.write(network)
    assert caught.value.expected
    assert found in (caught.value.found or "")
    assert caught.value.remedy
