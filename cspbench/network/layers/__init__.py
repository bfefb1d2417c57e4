"""The layers, as pure functions of shapes: every Darknet layer that inference or counting needs.

Also the layers of networks from other papers that Darknet lacks.
"""

from cspbench.network.layers.base import ACTIVATIONS, LARGEST, Layer, Shape, Weight
from cspbench.network.layers.convolution import Activation, BatchNorm, Connected, Convolution
from cspbench.network.layers.heads import (
    Detection,
    GaussianYolo,
    Loss,
    MultiBox,
    RefineBox,
    Region,
    RoiBox,
    Softmax,
    Yolo,
    YoloV1,
    Yolox,
)
from cspbench.network.layers.joining import Route, Sam, ScaleChannels, Shortcut
from cspbench.network.layers.local import Local, ResponseNorm
from cspbench.network.layers.pooling import AvgPool, LocalAvgPool, MaxPool, MaxPoolDepth
from cspbench.network.layers.regions import Proposals, RoiAlign
from cspbench.network.layers.reshaping import Crop, Dropout, Empty, Implicit, Reorg, Resize, Shuffle, Upsample
