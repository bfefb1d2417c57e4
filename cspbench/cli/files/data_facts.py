"""Reports of data set checks in words."""

from __future__ import annotations

from cspbench.data.check import Report
from cspbench.data.coco.check import CocoReport
from cspbench.data.darknet.check import DarknetReport
from cspbench.errors import brief

SHOWN = 5
"""How many names of each list are shown; JSON has them all."""


def coco_facts(report: CocoReport) -> dict[str, str]:
    """The findings of a COCO check, by name."""
    objects = "none are public" if report.objects is None else f"{report.objects:,}, of them {report.crowd} crowds"
    differ = report.categories_differ
    fitting = f"usable, by a network of these {report.categories} categories, not of COCO's 80" if differ else "usable"
    return {
        "split": report.split,
        "images": f"{report.images:,}, {report.other_images} other images in the folder",
        **_part(report.images_read, report.images - len(report.missing)),
        "objects": objects,
        "no object": _images(report.images_without_objects),
        "no extent": f"{report.objects_without_extent} objects",
        "outside": f"{report.objects_outside} objects reach more than a pixel out of their image",
        "formats": ", ".join(f"{count:,} {name}" for name, count in report.modes.most_common()) or "none",
        "categories": f"{report.categories}, " + (f"not COCO's 80: {_some(differ)}" if differ else "COCO's 80"),
        "missing": _some(report.missing),
        "unreadable": _some([f"{key}: {fault}" for key, fault in report.unreadable.items()]),
        "other size": _some(report.other_size),
        "listed twice": _some(report.listed_twice),
        "faults": _some(report.faults),
        "verdict": fitting if report.usable else "not usable as it is",
    }


def darknet_facts(report: DarknetReport) -> dict[str, str]:
    """The findings of a check of Darknet's files, by name."""
    counts = [f"{brief(name, 40)} {count:,}" for name, count in report.classes.items()]
    what = "objects" if report.objects is not None else "images"
    shown = ", ".join(counts[:SHOWN]) + (", ..." if len(counts) > SHOWN else "")
    facts = {
        "images": f"{report.images:,} in {brief(report.list_name)}",
        **_part(report.images_read, report.images),
        "classes": f"{len(counts)}, {what}: {shown}",
    }
    if report.objects is not None:
        facts |= {"objects": f"{report.objects:,}", "no object": _images(report.images_without_objects)}
    else:
        facts["several labels"] = _some(report.several_labels)
    return facts | {
        "formats": ", ".join(f"{count:,} {name}" for name, count in report.modes.most_common()) or "none",
        "unreadable": _some([f"{key}: {fault}" for key, fault in report.unreadable.items()]),
        "lists not there": _some(report.other_lists),
        "faults": _some(report.faults, length=300),
        "verdict": "usable" if report.usable else "not usable as it is",
    }


def imagenet_facts(report: Report) -> dict[str, str]:
    """The findings of an ImageNet check, by name."""
    facts = report.as_json()
    low, high = facts["images_per_class"]
    spread = _images(low) if low == high else f"{low} to {high} images"
    whole = "the whole validation set" if report.complete else "a part of the validation set"
    every = "every image" if report.images_read == report.images else "every image that was read"
    checked = f"{every} decoded" if report.decoded else "headers and ends of files; --full decodes"
    return {
        "images": f"{report.images:,} ({whole}), {report.other_files} other files",
        **_part(report.images_read, report.images),
        "classes": f"{len(report.classes)} of 1000, {spread} each",
        "missing": _some(report.missing_classes, "no class"),
        "formats": ", ".join(f"{count:,} {name}" for name, count in {**report.formats, **report.modes}.items()),
        "classes from": report.numbering,
        "class order": _order(report),
        "no class": _some(report.unlabelled),
        "empty": _some(report.empty),
        "unreadable": _some([f"{key}: {fault}" for key, fault in report.unreadable.items()]),
        "CMYK": _some(report.cmyk),
        "grey": _some(report.grey),
        "tiny": _some(report.tiny),
        "EXIF-rotated": _some(report.exif_rotated),
        "verdict": f"{'usable' if report.usable else 'not usable as it is'} ({checked})",
    }


def _order(report: Report) -> str:
    """What is known about the order in which the images' classes are numbered."""
    right, total = report.known
    if report.mislabelled:
        found = f"only {right} of {total} known images have their class"
        return f"wrong: {found}; the label file is of another order or set"
    if total:
        return f"right: {right} of {total} known images have their class"
    if report.numbered:
        return "numbers are read as the sorted order; only a network can tell: eval-imagenet warns"
    return "as the WordNet ids say; no image is known by its name"


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _part(read: int, images: int) -> dict[str, str]:
    """What part of the images was read, where not all were."""
    return {} if read == images else {"images read": f"{read:,} of {images:,}, drawn at random"}


def _some(names: list[str], none: str = "none", length: int = 120) -> str:
    """The first few names on one line, unprintable characters escaped."""
    shown = ", ".join(brief(name, length) for name in names[:SHOWN])
    return f"{len(names)}: {shown}" + (", ..." if len(names) > SHOWN else "") if names else none
