"""What the published tables hold, counted by hand: all that a new table changes in the tests."""

from __future__ import annotations

TABLES = {
    "coco-headline": (7, 49),
    "imagenet-big": (16, 64),
    "imagenet-small": (19, 76),
    "imagenet-activation": (8, 16),
    "imagenet-augmentation": (6, 12),
    "imagenet-smoothing": (2, 4),
    "coco-gpu": (3, 12),
    "coco-cpu": (8, 32),
    "coco-nms": (13, 78),
    "coco-activation": (2, 12),
    "coco-loss": (4, 24),
    "imagenet-tricks-cspresnext-50": (10, 20),
    "imagenet-tricks-cspresnet-50": (3, 6),
    "imagenet-tricks-cspdarknet-53": (3, 6),
    "imagenet-tricks-spinenet-49": (1, 2),
    "coco-tricks": (14, 42),
    "coco-necks": (18, 126),
    "mmpretrain": (3, 12),
    "timm": (1, 6),
    "yolox-standard": (5, 20),
    "yolox-standard-test": (5, 5),
    "yolox-light": (2, 6),
    "yolox-standard-legacy": (5, 20),
    "yolox-light-legacy": (2, 6),
    "yolox-heads": (4, 4),
    "yolox-roadmap": (8, 40),
    "yolox-yolov5": (8, 32),
    "yolox-tiny-detectors": (5, 15),
    "yolox-augmentation-nano": (2, 2),
    "yolox-augmentation-l": (3, 3),
    "yolox-state-of-the-art": (4, 28),
    "yolox-mmdetection": (4, 4),
}
"""Rows and cells of each table, in their order."""
ROWS = sum(rows for rows, _ in TABLES.values())
CELLS = sum(cells for _, cells in TABLES.values())
"""Whether they hold a number or not."""
README, RESULTS = tuple(TABLES)[:11], tuple(TABLES)[11:17]
"""The tables of the CSPNet README, and those of the authors' lists of results."""
COUNTED = {"exact": 107, "fitted": 13, "missed": 3, "off, explained": 1, "unmeasured": 15}
"""What `params --all` says of the counts that are published."""
