"""Pictures of what a network is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cspbench.data.augment import classifier, detector
from cspbench.data.augment.images import open_classifier_images, open_detector_images
from cspbench.data.augment.minibatches import ClassifierMiniBatches, DetectorMiniBatches, Layout
from cspbench.data.augment.mixing import Mixing
from cspbench.data.augment.sizes import Sizes
from cspbench.errors import BadImageError
from cspbench.plots import augmented
from cspbench.sample import classification, detection


def test_a_classifiers_pictures(tmp_path: Path) -> None:
    classification.write(tmp_path / "set", images=16)
    images = open_classifier_images(tmp_path / "set")
    assert len(images.names) == 16
    wanted = classifier.Augmentation(64, 64, mixing=Mixing.CUTMIX, smoothing=0.1)
    files = augmented.preview(ClassifierMiniBatches(images, wanted, Layout(0, 8, 2)), images.names, tmp_path / "out", 6)
    assert [file.name for file in files] == [f"{number:02d}.png" for number in range(1, 7)]
    with Image.open(files[0]) as picture:
        assert max(picture.size) >= 640
    (tmp_path / "set" / images.names[0]).rename(tmp_path / "gone")
    with pytest.raises(BadImageError):
        augmented.preview(ClassifierMiniBatches(images, wanted, Layout(0, 64)), images.names, tmp_path / "out")


def test_the_classes_of_a_mixed_picture() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    label = np.array([0.025, 0.5, 0.45, 0.025], np.float32)
    boxes = augmented._classes(label, "abcd", pixels)
    assert [(box.category, box.bbox) for box in boxes] == [("b 0.50", (0, 0, 8, 4)), ("c 0.45", (0, 0, 8, 4))]


def test_a_detectors_pictures(tmp_path: Path) -> None:
    detection.write(tmp_path / "set", images=4)
    images = open_detector_images(tmp_path / "set")
    wanted = detector.Augmentation(len(images.names), mixing=detector.Mixing.MOSAIC)
    batches = DetectorMiniBatches(images, wanted, Layout(0, 4), Sizes(96, 96))
    assert len(augmented.preview(batches, images.names, tmp_path / "out")) == 16


def test_the_objects_of_a_picture(tmp_path: Path) -> None:
    detection.write(tmp_path / "set", images=1)
    images = open_detector_images(tmp_path / "set")
    truths = np.zeros((3, 6), np.float32)
    truths[0] = 0.5, 0.5, 0.25, 0.5, 1, 0
    batches = DetectorMiniBatches(images, detector.Augmentation(2), Layout(0, 1), Sizes(96, 96))
    boxes = augmented._boxes(batches.objects(truths, (4, 8)), "ab")
    assert [(box.category, box.bbox) for box in boxes] == [("b", (3, 1, 2, 2))]
