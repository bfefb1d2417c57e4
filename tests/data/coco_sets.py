"""Small COCO data sets for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pictures import fill, jpeg

from cspbench.data.coco.annotations import COCO_CATEGORIES

NAMES = ("000000000139.jpg", "000000000285.jpg", "000000000007.jpg")
BROKEN = "instances_val2017.json"


def contents() -> dict[str, Any]:
    """Three images, the 80 categories, three objects of which one is a crowd."""
    return {
        "images": [{"id": int(name[:12]), "file_name": name, "width": 50, "height": 40} for name in NAMES],
        "categories": [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items()],
        "annotations": [
            {"id": 7, "image_id": 285, "category_id": 90, "bbox": [1, 2.5, 10, 20], "area": 150.5, "iscrowd": 0},
            {"id": 8, "image_id": 139, "category_id": 1, "bbox": [0, 0, 50, 40], "area": 900, "iscrowd": 1},
            {"id": 9, "image_id": 139, "category_id": 1, "bbox": [40, 30, 20, 30], "area": 9},
        ],
    }


def write(root: Path, data: Any = None, name: str = BROKEN, images: str = "val2017") -> Path:
    """A data set of three images."""
    text = data if isinstance(data, bytes) else json.dumps(contents() if data is None else data).encode()
    files = {f"{images}/{each}": jpeg(place) for place, each in enumerate(NAMES)}
    return fill(root, {f"annotations/{name}": text, **files})
