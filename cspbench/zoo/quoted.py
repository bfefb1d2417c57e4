"""The detectors that the tables quote from other papers; none of them is Darknet's, and each has its own recipe."""

from __future__ import annotations

from cspbench.zoo import pelee_ssd, refinedetlite, thundernet
from cspbench.zoo.model import Model

_THUNDERNET = """\
The row quotes the paper. Its trunk, both stages and its widths are the paper's; the first author's later code (for
SNet146; it reports 23.6/39.4/24.3) gives anchors, order of channels, suppression and pixels. The paper prints {paper} M
multiply-adds, this has {here} M. """

_UNKNOWN = (
    "Not in the paper: batch norm in the context module, whether a part of a region gives its mean or its largest "
    "sample, whether each class has box offsets of its own."
)

DETECTORS: tuple[Model, ...] = (
    Model(
        "snet49-thundernet",
        thundernet.snet49_thundernet,
        "paper",
        "ThunderNet (arXiv 1903.11752); widths of SNet49 by DayBreak-u/Thundernet_Pytorch",
        "high",
        _UNKNOWN,
        _THUNDERNET.format(paper=262, here=261.0)
        + """With offsets for each class it would have 325.7 M. SNet49 itself has
50.7 M at 224x224 without its classifier, a little more than its name says.""",
        recipe=thundernet.RECIPE,
    ),
    Model(
        "snet146-thundernet",
        thundernet.snet146_thundernet,
        "paper",
        "ThunderNet (arXiv 1903.11752), qinzheng93/ThunderNet",
        "high",
        _UNKNOWN + " Why this has 6.9 % more multiply-adds than the paper prints is not known.",
        _THUNDERNET.format(paper=470, here=502.5)
        + """With offsets for each class it would have 567.3 M. The rest
of the difference is in the trunk, 330.6 M: SNet146's 146 M at 224x224 would be 298 M at 320x320.""",
        recipe=thundernet.RECIPE,
    ),
    Model(
        "pelee-304",
        pelee_ssd.pelee_304,
        "paper",
        "Pelee (arXiv 1804.06882), Robert-JunWang/Pelee",
        why="""\
The authors' Caffe code says everything: trunk, heads, anchors, pixels and suppression. They publish 1,290 M
multiply-adds and 5.98 M parameters; this has 1,284 M and 5,981,012, all of them.""",
        recipe=pelee_ssd.RECIPE,
    ),
    Model(
        "refinedetlite",
        refinedetlite.refinedetlite,
        "stand-in",
        "res2netlite72.cfg as the trunk, RefineDet's two heads, the light head of a third party's port",
        "low",
        "Source maps, anchors, widths of the heads and pixels are not known: no code and no totals were published.",
        """\
The paper names the parts: a residual trunk, RefineDet's two steps, light heads. The trunk is the one that the authors
of CSPNet wrote from it. DayBreak-u/RefinedetLite.pytorch shows how the parts go together, but has another trunk, and
heads with six boxes for five anchors. There is nothing to hold the totals against.""",
        recipe=refinedetlite.RECIPE,
    ),
)
