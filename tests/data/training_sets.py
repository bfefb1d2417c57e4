"""Small data sets and networks that are trained in a second."""

from __future__ import annotations

from pathlib import Path

from darknet_sets import write
from pictures import fill, jpeg

CLASSIFIER = """[net]
batch=8
subdivisions=4
width=16
height=16
channels=3
max_batches=40
learning_rate=0.02
momentum=0.9
decay=0.0005
burn_in=4
policy=poly
power=4
hue=.1
saturation=.75
exposure=.75
angle=7
min_crop=12
max_crop=24
cutmix=1
mosaic=1

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[dropout]
probability=.3

[convolutional]
filters=3
size=1
stride=1
pad=1
activation=linear

[avgpool]

[softmax]
"""
DETECTOR = """[net]
batch=4
subdivisions=2
width=64
height=64
channels=3
max_batches=20
learning_rate=0.001
momentum=0.9
decay=0.0005
burn_in=2
hue=.1
mosaic=1

[convolutional]
batch_normalize=1
filters=8
size=3
stride=8
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish

[convolutional]
filters=24
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1,2
anchors=10,12,20,20,30,40
classes=3
num=3
iou_loss=ciou
random=1
"""


def classifier(folder: Path, text: str = CLASSIFIER) -> list[str]:
    """Nine images in three classes by Darknet's list, and a network: the arguments that train it."""
    files = {f"images/{name}_{place}.jpg": jpeg(place) for place, name in enumerate(("cat", "dog", "owl") * 3)}
    names = "\n".join(str(folder / name) for name in files)
    files |= {"list.txt": names.encode(), "labels.txt": b"cat\ndog\nowl\n", "net.cfg": text.encode()}
    files["set.data"] = b"classes=3\ntrain=list.txt\nvalid=list.txt\nlabels=labels.txt\ntop=2\n"
    fill(folder, files)
    return ["train", "--cfg", str(folder / "net.cfg"), "--data", str(folder / "set.data"), "-j", "0"]


def detector(folder: Path, text: str = DETECTOR) -> list[str]:
    """Three images with objects of three classes, and a network: the arguments that train it."""
    data = write(folder)
    fill(folder, {"net.cfg": text.encode()})
    return ["train", "--cfg", str(folder / "net.cfg"), "--data", str(data), "-j", "0"]
