"""Presets against the steps of their authors, written out."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from golden import documents
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from refusals import refuses

from cspbench.data.decode import decode
from cspbench.data.presets import PRESETS, STEPS, ClassificationPreset, preset
from cspbench.data.resize import resize_image
from cspbench.zoo.timm_import import import_timm

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def photo(width: int = 500, height: int = 375) -> NDArray[np.uint8]:
    """A picture with smooth and sharp parts."""
    x, y = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
    waves = np.stack([np.sin(x * y), np.cos(3 * x), np.sign(np.sin(5 * y))], axis=2)
    return (127.5 + 127.5 * waves).astype(np.uint8)


def normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """ToTensor and Normalize in float32."""
    floats = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    result: NDArray[np.float32] = (floats - MEAN[:, None, None]) / STD[:, None, None]
    return result


@pytest.mark.parametrize("name", ["readme", "head"])
@pytest.mark.parametrize(("width", "height"), [(500, 375), (333, 500), (256, 256), (91, 64)])
def test_darknet_resizes_and_crops(name: str, width: int, height: int) -> None:
    image = photo(width, height)
    longer = 224 * max(width, height) // min(width, height)
    whole = resize_image(image, *((224, longer) if width < height else (longer, 224)))
    top, left = (whole.shape[1] - 224) // 2, (whole.shape[2] - 224) // 2
    np.testing.assert_array_equal(preset(name).prepare(image, 224), whole[:, top : top + 224, left : left + 224])


def test_darknet_fits_the_width_of_an_input_that_is_not_square() -> None:
    whole = resize_image(photo(), 341, 256)  # 500x375 with its shorter side at 256
    np.testing.assert_array_equal(preset("readme").prepare(photo(), (200, 256)), whole[:, 28:228, 42:298])
    # An input higher than the resized image repeats its edge.
    tall = preset("readme").prepare(photo(300, 300), (260, 256))
    np.testing.assert_array_equal(tall[:, 0], tall[:, 2])


@pytest.mark.parametrize(("width", "height"), [(500, 375), (333, 500), (256, 256), (91, 64)])
def test_pjreddie_crops_and_resizes(width: int, height: int) -> None:
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    square = photo(width, height)[top : top + side, left : left + side]
    np.testing.assert_array_equal(preset("pjreddie").prepare(square, 224), resize_image(square, 224, 224))
    np.testing.assert_array_equal(
        preset("pjreddie").prepare(photo(width, height), 224), preset("pjreddie").prepare(square, 224)
    )


@pytest.mark.parametrize(("width", "height"), [(500, 375), (333, 500), (288, 288), (91, 64), (501, 377)])
def test_timm_with_its_card(width: int, height: int) -> None:
    """Resize(288) with antialiasing, CenterCrop(256) rounding half to even, ToTensor, Normalize."""
    image = photo(width, height)
    long = int(288 * max(width, height) / min(width, height))
    size = (288, long) if width <= height else (long, 288)
    resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    top, left = round((size[1] - 256) / 2), round((size[0] - 256) / 2)
    expected = normalised(resized[top : top + 256, left : left + 256])
    np.testing.assert_array_equal(preset("timm").prepare(image, 256), expected)


def test_timm_itself_agrees() -> None:
    import_timm()
    from timm.data.transforms_factory import create_transform

    transform = create_transform(
        (3, 256, 256), crop_pct=0.887, interpolation="bilinear", mean=tuple(MEAN.tolist()), std=tuple(STD.tolist())
    )
    for width, height in [(500, 375), (333, 500), (288, 288), (91, 64), (501, 377)]:
        expected: Any = transform(Image.fromarray(photo(width, height)))
        np.testing.assert_allclose(preset("timm").prepare(photo(width, height), 256), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(("size", "short"), [(256, 288), (224, 256)])
def test_mmpretrain_with_its_configs(size: int, short: int) -> None:
    """ResizeEdge(short, bicubic by Pillow), CenterCrop(size), then mean and std."""
    resized = np.asarray(Image.fromarray(photo()).resize((short * 500 // 375, short), Image.Resampling.BICUBIC))
    top, left = round((short - size) / 2), round((resized.shape[1] - size) / 2)
    expected = normalised(resized[top : top + size, left : left + size])
    np.testing.assert_array_equal(preset("mmpretrain").prepare(photo(), size), expected)


def test_every_presets_decoder() -> None:
    assert {name: each.decoder for name, each in PRESETS.items()} == {
        "readme": "opencv",
        "head": "stb",
        "pjreddie": "stb",
        "timm": "pillow",
        "mmpretrain": "opencv",
        "mmcls": "opencv",
    }
    changed = preset("readme").overridden(decoder="stb")
    assert (changed.name, changed.decoder) == ("readme", "stb")
    assert preset("readme").overridden() == preset("readme")
    with refuses("usage.unknown-decoder", found="libjpeg"):
        preset("readme").overridden(decoder="libjpeg")


def test_images_are_loaded_with_the_presets_decoder() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    stream = io.BytesIO()
    Image.fromarray(photo(40, 40)).save(stream, "JPEG", exif=exif)
    data = stream.getvalue()
    for name, each in PRESETS.items():
        pixels = decode(data, decoder="stb") if each.decoder == "stb" else decode(data)
        pixels = pixels[::-1, ::-1] if name in ("readme", "mmpretrain", "mmcls") else pixels
        np.testing.assert_array_equal(each.load(data, 32, "x"), each.prepare(np.ascontiguousarray(pixels), 32))


def test_the_cards_and_the_configs_values() -> None:
    assert [PRESETS[name].resized_side(256) for name in PRESETS] == [256, 256, 256, 288, 288, 292]
    assert preset("mmpretrain").resized_side(224) == 256
    assert {name: each.epsilon for name, each in PRESETS.items() if name != "pjreddie"} == {
        **dict.fromkeys(("readme", "head", "timm", "mmpretrain"), "inside-1e-5"),
        "mmcls": "inside-1e-3",
    }
    assert preset("mmcls").resized_side(224) == 256
    assert preset("pjreddie").epsilon == "outside-1e-6"
    assert replace(preset("head"), name="readme", decoder="opencv") == preset("readme")


def test_the_timm_preset_is_its_card_s() -> None:
    card = documents.stored().timm_lines
    timm = preset("timm")
    assert documents.fingerprint(f"Crop Pct: '{timm.crop_pct}'") in card
    assert documents.fingerprint(f"Interpolation: {timm.interpolation}") in card


def test_as_json_has_every_field() -> None:
    described = preset("timm").as_json()
    assert {field.name for field in fields(ClassificationPreset)} <= set(described)
    assert json.loads(json.dumps(described)) == described


def test_every_field_belongs_to_one_step() -> None:
    named = [name for names in STEPS.values() for name in names]
    assert sorted(["name", *named]) == sorted(field.name for field in fields(ClassificationPreset))


@given(
    order=st.sampled_from(["resize-crop", "crop-resize"]),
    interpolation=st.sampled_from(["darknet", "bilinear", "bicubic"]),
    crop=st.sampled_from([(1.0, 0), (0.887, 0), (1.0, 32)]),
    rounding=st.sampled_from(["down", "nearest"]),
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    size=st.integers(1, 40),
)
def test_every_mixture_of_steps_gives_an_input(
    order: Any, interpolation: Any, crop: tuple[float, int], rounding: Any, width: int, height: int, size: int
) -> None:
    mixture = ClassificationPreset(
        "mixture",
        order=order,
        interpolation=interpolation,
        crop_pct=crop[0],
        crop_padding=crop[1],
        crop_rounding=rounding,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.2, 0.2),
    )
    # A grey image stays grey: no step invents pixels. Darknet's last row may be black.
    result = mixture.prepare(np.full((height, width, 3), 51, np.uint8), size)
    assert result.shape == (3, size, size)
    rows = result[:, :-1] if interpolation == "darknet" else result
    for channel, value in zip(rows, (-1.5, -1.0, -0.5), strict=True):
        np.testing.assert_allclose(channel, value, atol=1e-4)


def test_a_batch_takes_the_result() -> None:
    batch = np.zeros((2, 3, 64, 64), np.float32)
    for index, name in enumerate(("timm", "readme")):
        preset(name).prepare(photo(), 64, batch[index])
        np.testing.assert_array_equal(batch[index], preset(name).prepare(photo(), 64))


def test_what_a_preset_refuses() -> None:
    with refuses(
        "usage.unknown-preset", expected="one of readme, head, pjreddie, timm, mmpretrain, mmcls", found="mine"
    ):
        preset("mine")
    with refuses("usage.square-preset", found="200x256"):
        preset("timm").prepare(photo(), (200, 256))
    stream = io.BytesIO()
    Image.new("RGB", (20000, 1)).save(stream, "PNG")
    with refuses("image.too-long", where="x.png"):
        preset("timm").load(stream.getvalue(), 256, "x.png")
    with refuses("image.undecodable", where="y.png"):
        preset("timm").load(b"", 256, "y.png")
