"""Drawn images of a data set: which ones, and a file for each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from coco_sets import NAMES, contents, write
from pictures import fill, jpeg
from PIL import Image
from refusals import refuses

from cspbench.data.coco.source import CocoSource, open_coco
from cspbench.data.decode import Decoder
from cspbench.detection.ap.matching import Detections
from cspbench.plots import samples
from cspbench.plots.samples import chosen, draw_samples

NOTHING = Detections(np.array([], np.int64), np.array([], np.int64), np.zeros((0, 4)), np.array([]))


def of_images(root: Path, names: dict[int, str]) -> CocoSource:
    """A data set of images of those names by their ids."""
    data = contents()
    data["images"] = [{"id": key, "file_name": name, "width": 50, "height": 40} for key, name in names.items()]
    data["annotations"] = [{**data["annotations"][2], "image_id": next(iter(names))}]
    pixels = {f"val2017/{name}": jpeg(key) for key, name in names.items()}
    return open_coco(fill(root, {"annotations/instances_val2017.json": json.dumps(data).encode(), **pixels}))


@pytest.mark.parametrize(
    "names",
    [
        {1: "x/a.jpg", 5: "y/a.jpg", 9: "a-5.jpg"},
        {9: "a-5.jpg", 1: "x/a.jpg", 5: "y/a.jpg"},
        {1: "a.jpg", 2: "a.png", 3: "A.jpeg"},
        {1: "x/a-1.jpg", 2: "a.jpg", 3: "y/a.jpg", 4: "y/a-1.jpg"},
    ],
)
def test_every_image_has_a_file_of_its_own(tmp_path: Path, names: dict[int, str]) -> None:
    source = of_images(tmp_path / "coco", names)
    files = draw_samples(source, NOTHING, "all", tmp_path / "drawn", "opencv")
    assert len({path.name.casefold() for path in files}) == len(names)
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == sorted(path.name for path in files)


def test_names_of_images_that_only_they_have(tmp_path: Path) -> None:
    source = open_coco(write(tmp_path / "coco"))
    files = draw_samples(source, NOTHING, "all", tmp_path / "drawn", "opencv")
    assert sorted(path.name for path in files) == sorted(f"{Path(name).stem}.png" for name in NAMES)


def test_images_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    source = of_images(tmp_path / "coco", {1: "a.jpg", 2: "b.jpg", 3: "c.jpg"})
    (tmp_path / "coco" / "val2017" / "a.jpg").write_bytes(b"not a picture")
    (tmp_path / "coco" / "val2017" / "b.jpg").unlink()
    assert [path.name for path in draw_samples(source, NOTHING, "all", tmp_path / "drawn", "opencv")] == ["c.png"]


def test_an_image_has_the_same_name_whichever_are_drawn_with_it(tmp_path: Path) -> None:
    source = of_images(tmp_path / "coco", {1: "x/a.jpg", 5: "y/a.jpg"})
    (alone,) = draw_samples(source, NOTHING, "image:5", tmp_path / "drawn", "opencv")
    assert alone.name == "a-5.png"
    before = alone.read_bytes()
    (first,) = draw_samples(source, NOTHING, "image:1", tmp_path / "drawn", "opencv")
    assert (first.name, alone.read_bytes()) == ("a-1.png", before)


def test_which_are_drawn(tmp_path: Path) -> None:
    source = open_coco(write(tmp_path / "coco"))
    ids = [image.id for image in source.images]
    for which in ("all", "3", "99999999999999"):
        assert chosen(source, NOTHING, which) == [0, 1, 2]
    assert (chosen(source, NOTHING, "1"), chosen(source, NOTHING, "2")) == ([0], [0, 1])  # at 0 of 3, and at 0 and 1.5
    assert [ids[place] for place in chosen(source, NOTHING, "image:285")] == [285]
    assert [ids[place] for place in chosen(source, NOTHING, "class:toothbrush")] == [285]
    assert [ids[place] for place in chosen(source, NOTHING, "class:person")] == [139]
    for which in ("0", "-1", "image:1", "class:horse", "class:nothing", "", "worst", "worst:0", "worst:x"):
        with refuses("usage.draw", found=repr(which)):
            chosen(source, NOTHING, which)


@pytest.mark.parametrize(
    ("box", "score", "errors", "worst"),
    [
        ([1, 2.5, 10, 10], 0.25, [2, 1, 0], [7, 139]),  # IoU 0.5: a hit
        ([1, 2.5, 10, 10], 0.24, [2, 1, 1], [7, 139]),  # not drawn, so the object is missed; of equal ones the first
        ([1, 2.5, 10, 9.9], 0.9, [2, 1, 2], [7, 285]),  # a false positive beside the missed object
    ],
)
def test_the_worst_have_the_most_false_positives_and_misses(
    tmp_path: Path, box: list[float], score: float, errors: list[int], worst: list[int]
) -> None:
    source = open_coco(write(tmp_path / "coco"))
    # image 7: nothing to detect, two drawn; image 139: an object missed, and one inside the crowd, which is no error
    images, categories = np.array([7, 7, 7, 139, 285]), np.array([1, 2, 3, 1, 90])
    boxes = np.array([*[[1, 1, 9, 9]] * 3, [0, 0, 10, 10], box], np.float64)
    detections = Detections(images, categories, boxes, np.array([0.9, 0.3, 0.2, 0.9, score]))
    assert source.ground_truth is not None
    assert samples.errors(source.ground_truth, detections).tolist() == errors
    ids = [image.id for image in source.images]
    assert [ids[place] for place in chosen(source, detections, "worst:2")] == worst
    assert len(chosen(source, detections, "worst:9")) == 3
    assert len(draw_samples(source, detections, "worst:1", tmp_path / "drawn", "opencv")) == 1


@pytest.mark.parametrize(("decoder", "size"), [("opencv", (20, 40)), ("pillow", (40, 20)), ("stb", (40, 20))])
def test_images_are_drawn_as_they_were_evaluated(tmp_path: Path, decoder: Decoder, size: tuple[int, int]) -> None:
    """Boxes are of the pixels of the run's decoder, one of which turns images as EXIF says."""
    source = of_images(tmp_path / "coco", {1: "turned.jpg"})
    turned = Image.Exif()
    turned[274] = 6  # the top is on the right
    (image,) = (tmp_path / "coco").rglob("turned.jpg")
    Image.new("RGB", (40, 20)).save(image, exif=turned)
    (path,) = draw_samples(source, NOTHING, "all", tmp_path / "drawn", decoder)
    with Image.open(path) as drawn:
        # shown at a scale, so by the proportion of its sides
        assert (drawn.width > drawn.height) == (size[0] > size[1])
