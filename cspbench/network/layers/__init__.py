"""The layer vocabulary: every Darknet layer that inference or counting needs, as pure functions of shapes."""

from cspbench.network.layers.base import ACTIVATIONS, LARGEST, Layer, Shape, Weight
from cspbench.network.layers.convolution import Activation, BatchNorm, Connected, Convolution
from cspbench.network.layers.heads import Detection, GaussianYolo, Loss, Region, Softmax, Yolo
from cspbench.network.layers.joining import Route, Sam, ScaleChannels, Shortcut
from cspbench.network.layers.pooling import AvgPool, LocalAvgPool, MaxPool, MaxPoolDepth
from cspbench.network.layers.reshaping import Crop, Dropout, Implicit, Reorg, Upsample

__all__ = [
    "ACTIVATIONS",
    "LARGEST",
    "Activation",
    "AvgPool",
    "BatchNorm",
    "Connected",
    "Convolution",
    "Crop",
    "Detection",
    "Dropout",
    "GaussianYolo",
    "Implicit",
    "Layer",
    "LocalAvgPool",
    "Loss",
    "MaxPool",
    "MaxPoolDepth",
    "Region",
    "Reorg",
    "Route",
    "Sam",
    "ScaleChannels",
    "Shape",
    "Shortcut",
    "Softmax",
    "Upsample",
    "Weight",
    "Yolo",
]
