"""The models of rows for which no file was ever published, each with the evidence for its definition."""

from __future__ import annotations

from cspbench.zoo import (
    csp_pelee,
    csp_resnet10,
    densenet_bc,
    efficientnet,
    hardnet,
    mixnet,
    pelee,
    prn,
    reference,
    resnet,
    resnet_elastic,
)
from cspbench.zoo.model import Model

_PELEE = """\
The network is public, and nothing was left to choose: as Darknet prints it, 2x2 max pools included (without
them 1.016), it gives both published numbers at 224x224. All 117 bars that Figure 7 of the CSPNet paper draws
for its layers at 416x416 fit it, correlation 0.9996."""

_PELEE_UNKNOWN = "The authors' own Darknet file of it was never published."

_CSP_PELEE_UNKNOWN = (
    "The figure gives operations, not kernels: one 1x1 of the stem could also stand before its pool (768 weights)."
)

_CSP_PELEE = """\
Figure 7 of the CSPNet paper draws the operations of each layer of CSPPeleeNet at 416x416: 114 bars, all of
which this network fits (correlation 0.9994, largest error under two pixels). The three tallest are 43.75 %
below PeleeNet's tallest, the paper's "-44 %". Both published totals then come out without tuning. Part 1 and
part 2 are two 1x1 of one map: the author says that his files split so."""

_SE_UNKNOWN = "Where squeeze and excitation stands, and how narrow it is, is not known."

_SE = """\
The network without it is known; of 225 placements and ratios tried, 18 carry the published parameters of both
rows with SE, about what chance would give, and the operations cannot tell them apart. This is the plainest and
lies in the middle of both windows: on each dense layer's 32 new channels, 32 -> 16 -> 32."""

_REF_UNKNOWN = "Nothing but its totals was published: no file, layer table or figure."

_REF = """\
About 150 million designs in the authors' habits were counted. Single rows are hit at the rate of chance, and no
design hits two rows together but through its last convolution. What the numbers force: the input is 224x224,
and between the row and its "b" form a last 512 -> 512 convolution at stride 32 changes from 3x3 to 1x1."""

_PRN_HEAD = """\
The head is that of the authors' yolov3-tiny-prn.cfg and enet-coco.cfg; on PeleeNet's trunk it gives the
published operations at two sizes and the published size of Pelee-PRN (2.39 and 4.04 at 320 and 416, 3.16M
numbers) and, with a third scale, of Pelee-PRN-3l (2.98, 5.03, 3.36M)."""

_PRN_ON_CSP_PELEE = (
    _PRN_HEAD
    + """ The trunk is the classifier of the ImageNet rows (see `csppeleenet`); that the detector
has the same one follows from the name alone, as no totals of it were published."""
)

CLASSIFIERS: tuple[Model, ...] = (
    Model(
        "resnet152-v1",
        resnet.resnet152_v1,
        "paper",
        "ResNet (arXiv 1512.03385), quoted from the HarDNet paper",
        "very high",
        "The source of its Top-5 of 93.6 was not found.",
        """\
The row quotes the HarDNet paper, which prints 60.2M parameters, all of them, and 11.3 G multiply-adds: those of
this network. With the stride on the 3x3, as torchvision's and timm's have it, it would be 11.5; resnet152.cfg
has other shortcuts.""",
    ),
    Model(
        "csresnext50-plus-elastic",
        resnet_elastic.csresnext50_plus_elastic,
        "stand-in",
        "csresnext50.cfg with ELASTIC's blocks and block counts; ours, chosen for the published BFLOPs",
        "low",
        "Neither the block, its place, the block counts nor the number of parameters was published.",
        """\
"+Elastic" is ELASTIC's own form: both paths see all channels, and there are more blocks. Of a restricted search
three designs reach 7.82; this one has ELASTIC's block counts (6, 8, 5, 3) and leaves the last stage whole, as
ELASTIC does, and reaches it by Darknet's count of January 2020, when the row was added. About one chance hit
per kind of design is to be expected.""",
    ),
    Model(
        "hardnet138s",
        hardnet.hardnet138s,
        "paper",
        "HarDNet (arXiv 1909.00948), text and Table 1",
        "high",
        "Two of its roundings are not written down; others print the same (35.54M and 6.66 G multiply-adds).",
        """\
The text gives growth, multiplier, reduction and depths; its multiplier of 1.7 can only belong to another size
(46M). The layer counts in the names 96s, 117s and 138s come out, and eight of nine published figures of the
three: parameters, multiply-adds (but 4.83 for 117s' printed 4.9) and traffic. The row prints all parameters,
and twice 6.7.""",
    ),
    Model(
        "densenet264-32",
        densenet_bc.densenet264_32,
        "reconstruction",
        "DenseNet-BC (arXiv 1608.06993) with blocks of 6, 12, 64 and 32 layers",
        "high",
        "The line of the SparseNet paper that the row quotes was not seen.",
        """\
DenseNet-264 has 6, 12, 64, 48 layers and 33.3M parameters. Counted as the SparseNet paper counts (its three
other DenseNets come out to the digit), 6, 12, 64, 32 gives 27.21M and 11.03; no other third and fourth block on
a grid of four layers gives 27.21M, and "-32" is that paper's way to write the growth.""",
    ),
    Model(
        "densenet201-plus-elastic",
        densenet_bc.densenet201_plus_elastic,
        "paper",
        "densenet201_elastic of allenai/elastic",
        "very high",
        "The row does not say where its figures were printed; they are what the authors' own counter gives, doubled.",
        """\
The authors' code is public. All of its learnable parameters are the row's (its weights alone would print
19.26M), and twice what the authors' own counter gives are its BFLOPs.""",
    ),
    Model(
        "cspdensenet201-plus-elastic",
        densenet_bc.cspdensenet201_plus_elastic,
        "stand-in",
        "DenseNet-201+Elastic on half of each stage's channels, fused last; ours, the nearest plain design",
        "low",
        "Nothing but its totals was published, and no plain design found carries both.",
        """\
Several million designs were counted. Those that hit both totals do so at the rate of chance and have odd block
counts or lack some batch norms; the skeleton of CSPPeleeNet is far off (21.3M, 9.4). This one keeps the block
counts and gamma 0.5 and misses by +0.07 % and +0.1 %.""",
    ),
    Model(
        "peleenet",
        pelee.peleenet,
        "paper",
        "Pelee (arXiv 1804.06882), Robert-JunWang/PeleeNet",
        "very high",
        _PELEE_UNKNOWN,
        _PELEE,
    ),
    Model(
        "peleenet-swish",
        lambda: pelee.peleenet("swish", "peleenet-swish"),
        "paper",
        "PeleeNet with swish for leaky",
        "very high",
        _PELEE_UNKNOWN,
        _PELEE,
    ),
    Model(
        "peleenet-mish",
        lambda: pelee.peleenet("mish", "peleenet-mish"),
        "paper",
        "PeleeNet with mish for leaky",
        "very high",
        _PELEE_UNKNOWN,
        _PELEE,
    ),
    Model(
        "peleenet-swish-se",
        pelee.peleenet_swish_se,
        "stand-in",
        "PeleeNet with swish, and with squeeze and excitation on each dense layer where we put it",
        "low",
        _SE_UNKNOWN,
        _SE,
    ),
    Model(
        "csppeleenet",
        csp_pelee.csppeleenet,
        "reconstruction",
        "every layer read from Figure 7 of the CSPNet paper",
        "very high",
        _CSP_PELEE_UNKNOWN,
        _CSP_PELEE,
    ),
    Model(
        "csppeleenet-swish",
        lambda: csp_pelee.csppeleenet("swish", "csppeleenet-swish"),
        "reconstruction",
        "CSPPeleeNet with swish for leaky",
        "very high",
        _CSP_PELEE_UNKNOWN,
        _CSP_PELEE,
    ),
    Model(
        "csppeleenet-mish",
        lambda: csp_pelee.csppeleenet("mish", "csppeleenet-mish"),
        "reconstruction",
        "CSPPeleeNet with mish for leaky",
        "very high",
        _CSP_PELEE_UNKNOWN,
        _CSP_PELEE,
    ),
    Model(
        "csppeleenet-swish-se",
        csp_pelee.csppeleenet_swish_se,
        "stand-in",
        "CSPPeleeNet with swish, and with squeeze and excitation on each dense layer where we put it",
        "low",
        _SE_UNKNOWN,
        _SE,
    ),
    Model(
        "sparsepeleenet",
        pelee.sparsepeleenet,
        "reconstruction",
        "PeleeNet with the exponential fetch of SparseNet (arXiv 1801.05895)",
        "high",
        "The base of the powers and what the transitions read follow from the totals alone; no file was published.",
        """\
Of about 480 ways to make PeleeNet sparse (bottleneck rule, what transitions read, base of the powers, which
stages) exactly one gives both published numbers: all stages, powers of two, fixed bottlenecks, transitions that
read all. The operations of SparsePelee-PRN in the authors' other repository agree with it.""",
    ),
    Model(
        "timm/efficientnet_b0",
        efficientnet.timm_efficientnet_b0,
        "paper",
        "timm's efficientnet_b0, the official network",
        why="Equal to timm's module: the same arrays in the same order, and the same outputs.",
    ),
    Model(
        "cspdensenet-ref",
        reference.cspdensenet_ref,
        "stand-in",
        "ours, chosen for the published parameters",
        "low",
        _REF_UNKNOWN,
        _REF + " By that rule this row's 0.886 would be 0.836, or its b form's 0.631 be 0.681: one digit may be wrong.",
    ),
    Model(
        "csppeleenet-ref",
        reference.csppeleenet_ref,
        "stand-in",
        "ours, chosen for the published totals",
        "low",
        _REF_UNKNOWN,
        _REF,
    ),
    Model(
        "cspdensenetb-ref",
        lambda: reference.cspdensenet_ref(1, "cspdensenetb-ref"),
        "stand-in",
        "ours, chosen for the published totals",
        "low",
        _REF_UNKNOWN,
        _REF,
    ),
    Model(
        "csppeleenetb-ref",
        lambda: reference.csppeleenet_ref(1, "csppeleenetb-ref"),
        "stand-in",
        "ours, chosen for the published totals",
        "low",
        _REF_UNKNOWN,
        _REF,
    ),
    Model(
        "csresnet10",
        csp_resnet10.csresnet10,
        "reconstruction",
        "the only design in the authors' habits that carries both published totals",
        "medium",
        "A 1x1 may stand on the other part of a stage; that changes neither total.",
        """\
Among 660,960 designs without exceptions for the first or last stage only this one has 2.73M weights and 1.905
BFLOPs; a fraction of one hit was to be expected by chance. Its habits are those of the authors' files of the
same days: the stride in both parts (csmobilenet-v2.cfg), a first stage that is not halved and a 1x1 behind the
blocks (csresnet50.cfg).""",
    ),
    Model(
        "mixnet-m-gpu",
        mixnet.mixnet_m_gpu,
        "stand-in",
        "MixNet-M (arXiv 1907.09595) in Darknet layers, with groups that we chose for the published BFLOPs",
        "low",
        "How many groups each mixed convolution has is not known; its designer says 12.0M weights, this has -7 %.",
        """\
AlexeyAB made it from MixNet-M by decreasing the groups of its mixed convolutions. A log of it shows 253 layers,
the last addition at layer 247, squeezed widths as shares of the expanded ones and grouped 1x1, all as here. Of
about 2,000 simple rules for the groups this is the only one that gives 1.065.""",
    ),
)

DETECTORS: tuple[Model, ...] = (
    Model(
        "csppeleenet-prn",
        prn.csppeleenet_prn,
        "reconstruction",
        "CSPPeleeNet with the two-scale PRN head of enet-coco.cfg",
        "high",
        "Which map with stride 16 the head reads, and in which order its channels lie, is not known.",
        _PRN_ON_CSP_PELEE,
    ),
    Model(
        "csppeleenet-prn-swish",
        lambda: prn.csppeleenet_prn("swish", "csppeleenet-prn-swish"),
        "reconstruction",
        "CSPPeleeNet-swish with the two-scale PRN head of enet-coco.cfg",
        "medium",
        "Whether swish replaces leaky in the head as well is not known; in enet-coco.cfg it does not.",
        _PRN_ON_CSP_PELEE,
    ),
    Model(
        "cspdensenetb-ref-prn",
        prn.cspdensenetb_ref_prn,
        "stand-in",
        "the PRN head on our stand-in for CSPDenseNetb Ref.",
        "low",
        "Its backbone is known by its totals alone.",
        """\
The paper says that CSPDenseNetb Ref.-PRN outruns ThunderNet-SNet49, YOLOv3-tiny and YOLOv3-tiny-PRN by 55, 48
and 31 frames per second: the row's 102 less 47, 54 and 71. """
        + _PRN_HEAD,
    ),
    Model(
        "csppeleenet-ref-prn-3l",
        prn.csppeleenet_ref_prn_3l,
        "stand-in",
        "the three-scale PRN head on our stand-in for CSPPeleeNet Ref.",
        "low",
        "Its backbone is known by its totals alone; what the head's third scale enlarges is not known either.",
        """\
The paper says that CSPPeleeNet Ref.-PRN(3l) outruns ThunderNet-SNet146 by 20 frames per second: the row's 52
less 32. """
        + _PRN_HEAD,
    ),
)
