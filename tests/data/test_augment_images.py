"""Training sets in every form, and their mini-batches."""

from __future__ import annotations

from pathlib import Path

import coco_sets
import darknet_sets
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pictures import ALP, GOLDFISH, SEA_SNAKE, TENCH, archive, fill, jpeg
from refusals import refuses

from cspbench.data.augment import classifier, detector
from cspbench.data.augment.images import ClassifierImages, open_classifier_images, open_detector_images
from cspbench.data.augment.minibatches import ClassifierMiniBatches, DetectorMiniBatches, Layout
from cspbench.data.augment.sizes import Sizes
from cspbench.data.classes import order
from cspbench.errors import BadImageError

PLAIN = classifier.Augmentation(16, 16, hue=0.1, saturation=1.5, exposure=1.5)
DETECTOR = detector.Augmentation(3, most=5, jitter=0.3, hue=0.1, saturation=1.5, exposure=1.5)


def folders(root: Path) -> Path:
    return fill(root, {f"{wnid}/{place}.JPEG": jpeg(place) for place, wnid in enumerate((TENCH, GOLDFISH, ALP))})


def classes_of(images: ClassifierImages) -> list[str]:
    return [images.names[images.of(index)[0]] for index in range(len(images.images))]


def test_class_folders_in_both_orders(tmp_path: Path) -> None:
    folders(tmp_path / "train")
    fill(tmp_path, {f"val/{SEA_SNAKE}/9.JPEG": jpeg(9)})  # what is there for validation is not trained on
    for name in ("darknet", "sorted"):
        images = open_classifier_images(tmp_path, class_order=name)
        assert classes_of(images) == [TENCH, GOLDFISH, ALP]
        assert images.names == order(name)
    assert [Path(images.images.path(index)).name for index in range(3)] == ["0.JPEG", "1.JPEG", "2.JPEG"]
    assert images.images.pixels(1).shape == (40, 50, 3)


def test_an_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "images.tar", {f"{TENCH}/a.JPEG": jpeg(1), f"{ALP}/b.JPEG": jpeg(2)})
    images = open_classifier_images(path)
    folder = open_classifier_images(fill(tmp_path / "x", {f"{TENCH}/a.JPEG": jpeg(1), f"{ALP}/b.JPEG": jpeg(2)}))
    assert sorted(classes_of(images)) == sorted([TENCH, ALP])
    for index in range(2):
        assert np.array_equal(images.images.pixels(index), folder.images.pixels(index))


def test_a_data_file_of_a_classifier_trains_on_its_train_list(tmp_path: Path) -> None:
    names = ("red_1.jpg", "blue_2.jpg", "red_blue.jpg", "nothing.jpg")
    root = fill(
        tmp_path,
        {
            **{f"images/{name}": jpeg(place) for place, name in enumerate(names)},
            "set.data": b"classes = 2\ntrain = train.list\nvalid = gone.list\nlabels = labels.list\n",
            "labels.list": b"blue\nred\n",
            "train.list": "".join(f"images/{name}\n" for name in names).encode(),
        },
    )
    with refuses("darknet.no-label"):
        open_classifier_images(root / "set.data")
    images = open_classifier_images(root / "set.data", allowed=1)
    result = {Path(images.images.path(index)).name: images.of(index) for index in range(4)}
    assert result == {"red_1.jpg": (1,), "blue_2.jpg": (0,), "red_blue.jpg": (0, 1), "nothing.jpg": ()}
    assert images.names == ("blue", "red")
    assert len(images.notes) == 2


def test_a_missing_image_is_a_fault_that_may_be_allowed(tmp_path: Path) -> None:
    data = darknet_sets.write(tmp_path, valid_txt="obj/a.jpg\nobj/b.jpg\nobj/gone.jpg\n")
    with refuses("darknet.missing-image"):
        open_detector_images(data)
    images = open_detector_images(data, allowed=1)
    assert len(images.images) == 2
    assert len(images.notes) == 1


def test_the_objects_of_label_files(tmp_path: Path) -> None:
    images = open_detector_images(darknet_sets.write(tmp_path))
    assert images.names == ("person", "car", "dog")
    assert images.of(0).tolist() == [[1, 0.5, 0.5, 0.25, 0.5], [0, 0.25, 0.75, 0.5, 0.5]]
    assert [images.count(index) for index in range(3)] == [2, 0, 1]
    assert images.of(2).dtype == np.float32


def test_a_box_outside_of_its_picture_is_a_fault(tmp_path: Path) -> None:
    data = darknet_sets.write(tmp_path, obj__b_txt="0 1.5 0.5 0.2 0.2\n")
    with refuses("darknet.box-outside"):
        open_detector_images(data)
    assert open_detector_images(data, allowed=1).count(1) == 1


def test_the_objects_of_coco_without_crowds(tmp_path: Path) -> None:
    coco_sets.write(tmp_path)
    images = open_detector_images(tmp_path)
    assert len(images.names) == 80
    assert {Path(images.images.path(index)).name: images.of(index).tolist() for index in range(3)} == {
        # 40 + 20 / 2 of 50 pixels, 30 + 30 / 2 of 40
        "000000000139.jpg": [[0, 1, 1.125, pytest.approx(0.4), 0.75]],
        "000000000285.jpg": [[79, pytest.approx(0.12), pytest.approx(0.3125), pytest.approx(0.2), 0.5]],
        "000000000007.jpg": [],
    }


def test_cocos_training_images_come_first(tmp_path: Path) -> None:
    coco_sets.write(tmp_path)
    data = coco_sets.contents()
    data["images"], data["annotations"] = data["images"][:1], data["annotations"][2:]
    coco_sets.write(tmp_path, data, "instances_train2017.json", "train2017")
    images = open_detector_images(tmp_path)
    assert len(images.images) == 1
    assert "train2017" in images.images.path(0)


def test_missing_images_of_coco(tmp_path: Path) -> None:
    coco_sets.write(tmp_path)
    (tmp_path / "val2017" / coco_sets.NAMES[0]).unlink()
    with refuses("coco.image-missing", expected=coco_sets.NAMES[0]):
        open_detector_images(tmp_path)
    images = open_detector_images(tmp_path, allowed=1)
    assert [Path(images.images.path(index)).name for index in range(2)] == sorted(coco_sets.NAMES[1:])
    assert len(images.notes) == 1


def test_coco_without_objects(tmp_path: Path) -> None:
    data = coco_sets.contents()
    coco_sets.write(tmp_path, {**data, "annotations": data["annotations"][1:2]})
    with refuses("coco.nothing-to-find"):
        open_detector_images(tmp_path)
    (tmp_path / "annotations" / coco_sets.BROKEN).unlink()
    images = {key: data[key] for key in ("images", "categories")}
    coco_sets.write(tmp_path, images, "image_info_test-dev2017.json", "test2017")
    with refuses("coco.test-set"):
        open_detector_images(tmp_path)


def arrays(made: object) -> list[NDArray[np.float32]]:
    return [made.x.numpy(), made.y.numpy()]  # type: ignore[attr-defined]


def test_a_mini_batch_is_a_part_of_its_iteration(tmp_path: Path) -> None:
    images = open_classifier_images(folders(tmp_path))
    whole = ClassifierMiniBatches(images, PLAIN, Layout(4, 36)).make(3, 0)
    assert whole.x.shape == (36, 3, 16, 16)
    assert whole.x.is_contiguous(memory_format=torch.channels_last)
    assert whole.x.min() >= 0
    assert whole.x.max() <= 1
    assert whole.y.sum(1).tolist() == [1] * 36
    # the chunks of 36 images in 32 threads are of 1 and 2: parts of 9 images cut some
    halves = [ClassifierMiniBatches(images, PLAIN, Layout(4, 36, 4)).make(3, part) for part in range(4)]
    assert torch.equal(torch.cat([part.x for part in halves]), whole.x)
    assert torch.equal(torch.cat([part.y for part in halves]), whole.y)
    others = [ClassifierMiniBatches(images, PLAIN, Layout(seed, 36)).make(at, 0) for seed, at in ((4, 4), (5, 3))]
    assert not any(torch.equal(other.x, whole.x) for other in others)


def test_a_rest_of_the_division_is_left_out(tmp_path: Path) -> None:
    images = open_classifier_images(folders(tmp_path))
    made = ClassifierMiniBatches(images, PLAIN, Layout(0, 7, 2))
    assert made.make(1, 1).x.shape[0] == 3
    assert sum(chunk.images for chunk in made.chunks) == 6


def test_a_detectors_mini_batch(tmp_path: Path) -> None:
    images = open_detector_images(darknet_sets.write(tmp_path))
    for mixing in detector.Mixing:
        wanted = detector.Augmentation(3, most=5, jitter=0.3, mixing=mixing)
        batches = DetectorMiniBatches(images, wanted, Layout(1, 16, 2), Sizes(32, 64, 1))
        made = batches.make(1, 1)
        # 32 / 32 * 1.4 + 1 = 2.4, 64 / 32 * 1.4 + 1 = 3.8
        assert made.x.shape == (8, 3, 128, 64)
        assert made.y.shape == (8, 5, 6)
        assert made.y[..., :2].max() <= 1
        assert set(made.y[..., 4].flatten().tolist()) <= {0, 1, 2}
        assert torch.equal(batches.make(1, 1).x, made.x)


def test_an_unreadable_image_is_black_and_named(tmp_path: Path) -> None:
    root = folders(tmp_path)
    (root / ALP / "2.JPEG").write_bytes(b"nothing")
    batches = ClassifierMiniBatches(open_classifier_images(root), PLAIN, Layout(0, 16))
    made = batches.make(1, 0)
    black = made.x.flatten(1).max(1).values == 0
    assert 0 < black.sum() < 16
    assert len(made.errors) == black.sum()
    assert all(isinstance(error, BadImageError) and error.where == str(root / ALP / "2.JPEG") for error in made.errors)
