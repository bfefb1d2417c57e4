"""eval-coco as a process, and a drawn data set in COCO's own layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cspbench.data.coco.annotations import COCO_CATEGORIES


def annotate(folder: Path, count: int, stem: str = "instances_val2017") -> None:
    """Drawn images with one to three boxes each, in COCO's own layout."""
    rng = np.random.default_rng(0)
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    (folder / "test2017").mkdir()
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        width, height = int(rng.integers(40, 80)), int(rng.integers(40, 80))
        name = f"{number:012d}.jpg"
        where = "test2017" if "test" in stem else "val2017"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(folder / where / name)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for _ in range(int(rng.integers(1, 4))):
            w, h = rng.uniform(8, 36, 2).tolist()
            x, y = rng.uniform(0, 3, 2).tolist()
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number,
                    "category_id": int(rng.choice([1, 3, 90])),
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
    data: dict[str, Any] = {
        "images": images,
        "categories": [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items()],
    }
    if "test" not in stem:
        data["annotations"] = objects
    (folder / "annotations" / f"{stem}.json").write_text(json.dumps(data))
