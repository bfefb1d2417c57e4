"""A set in Darknet's form as COCO sees it: ids, sizes, and boxes in pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from darknet_sets import write
from pictures import fill, jpeg
from PIL import Image
from refusals import refuses

from cspbench.data.coco.annotations import Picture
from cspbench.data.darknet.source import image_size, open_darknet


def test_objects_are_in_pixels_of_their_images(tmp_path: Path) -> None:
    """Class 1 at (.5, .5) of 50 x 40 with .25 x .5: 12.5 x 20 pixels at left 18.75, top 10."""
    source = open_darknet(write(tmp_path))
    assert source.images == tuple(Picture(number, f"{'abc'[number - 1]}.jpg", 50, 40) for number in (1, 2, 3))
    truth = source.ground_truth
    assert truth is not None
    assert truth.categories == {1: "person", 2: "car", 3: "dog"}
    assert truth.images.tolist() == [1, 1, 3]
    assert truth.category_ids.tolist() == [2, 1, 3]
    np.testing.assert_allclose(truth.boxes, [[18.75, 10.0, 12.5, 20.0], [0.0, 20.0, 25.0, 20.0], [0.0, 0.0, 10.0, 8.0]])
    np.testing.assert_allclose(truth.areas, [250, 500, 80])
    assert not truth.crowd.any()
    assert (source.kind, source.split, source.as_json()["objects"]) == ("darknet", "custom", 3)
    assert source.sample(2).data == jpeg(2)


def test_images_named_after_numbers_have_these_ids(tmp_path: Path) -> None:
    data = write(tmp_path, valid_txt="obj/000000000139.jpg\nobj/0007.jpg\n")
    fill(tmp_path / "obj", {f"{name}.jpg": jpeg(1) for name in ("000000000139", "0007")})
    fill(tmp_path / "obj", {"000000000139.txt": b"0 .5 .5 1 1", "0007.txt": b""})
    source = open_darknet(data)
    assert [(image.id, image.file_name) for image in source.images] == [(7, "0007.jpg"), (139, "000000000139.jpg")]
    assert source.ground_truth is not None
    assert source.ground_truth.images.tolist() == [139]


def test_difficult_objects_are_like_crowds(tmp_path: Path) -> None:
    text = "names = obj.names\nvalid = valid.txt\ndifficult = hard.txt\n"
    hard = "hard/a.jpg\nhard/b.jpg\nhard/c.jpg\n"
    truth = open_darknet(write(tmp_path, obj_data=text, hard_txt=hard, hard__a_txt="0 .5 .5 1 1")).ground_truth
    assert truth is not None
    assert truth.crowd.tolist() == [False, False, True, False]


def test_sizes_are_those_of_the_turned_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    fill(tmp_path, {"a.jpg": jpeg(1, exif=exif), "b.jpg": jpeg(2), "c.jpg": b"no image", "d.jpg": b""})
    assert [image_size(tmp_path / name, True) for name in ("a.jpg", "b.jpg")] == [(40, 50), (50, 40)]
    assert image_size(tmp_path / "a.jpg", False) == (50, 40)
    exif[274] = 3  # a half turn
    fill(tmp_path, {"f.jpg": jpeg(1, exif=exif)})
    assert image_size(tmp_path / "f.jpg", True) == (50, 40)
    assert [image_size(tmp_path / name, True) for name in ("c.jpg", "d.jpg", "e.jpg")] == [None] * 3


def test_objects_of_an_unreadable_image_stay(tmp_path: Path) -> None:
    data = write(tmp_path)
    (tmp_path / "obj" / "a.jpg").write_bytes(b"no image")
    source = open_darknet(data)
    assert source.images[0] == Picture(1, "a.jpg", 1, 1)
    assert source.as_json()["objects"] == 3


def test_the_digest_is_of_the_set_and_not_of_its_place(tmp_path: Path) -> None:
    digests = {open_darknet(write(tmp_path / name)).as_json()["sha256"] for name in ("one", "two")}
    assert len(digests) == 1
    other = open_darknet(write(tmp_path / "one", obj__b_txt="0 .5 .5 .1 .1")).as_json()["sha256"]
    assert other not in digests
    with refuses("darknet.missing-file"):
        open_darknet(write(tmp_path / "one", obj_data="valid = no.txt\nclasses = 3"))


def test_two_names_of_one_number_are_no_ids(tmp_path: Path) -> None:
    data = write(tmp_path, valid_txt="obj/7.jpg\nobj/007.jpg\n")
    fill(
        tmp_path / "obj",
        {f"{name}.{end}": jpeg(1) if end == "jpg" else b"" for name in ("7", "007") for end in ("jpg", "txt")},
    )
    assert [(image.id, image.file_name) for image in open_darknet(data).images] == [(1, "7.jpg"), (2, "007.jpg")]
