"""The loss of [yolo] anchor by anchor in plain Python and float64, read from the specification alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, exp, log, pi

from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe

Box = tuple[float, float, float, float]
Place = tuple[int, int, int, int]
"""Image, used anchor, row, column."""


@dataclass(frozen=True)
class EraRules:
    """Section d.5's presets."""

    half: bool = False
    both_apart: bool = False
    assigned: bool = False
    divided: str = "thresh"
    mse_normalised: bool = True
    class_condition: bool = True
    iou_thresh: bool = True
    obj_key: str = "obj_normalizer"
    even: bool = False
    clip: bool = True


ERAS = {
    "head": EraRules(),
    "nov2019": EraRules(divided="always", mse_normalised=False, obj_key="cls_normalizer", even=True, clip=False),
    "oct2019": EraRules(
        True, True, True, "never", False, False, iou_thresh=False, obj_key="cls_normalizer", even=True, clip=False
    ),
}


def sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value))


def edges(box: Box) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return x - w / 2, x + w / 2, y - h / 2, y + h / 2


def iou(a: Box, b: Box) -> float:
    al, ar, at, ab = edges(a)
    bl, br, bt, bb = edges(b)
    w, h = min(ar, br) - max(al, bl), min(ab, bb) - max(at, bt)
    inter = 0.0 if w < 0 or h < 0 else w * h
    union = a[2] * a[3] + b[2] * b[3] - inter
    return inter / union if inter and union else 0.0


def giou(a: Box, b: Box) -> float:
    al, ar, at, ab = edges(a)
    bl, br, bt, bb = edges(b)
    around = (max(ar, br) - min(al, bl)) * (max(ab, bb) - min(at, bt))
    value = iou(a, b)
    union = (a[2] * a[3] + b[2] * b[3]) / (1 + value)
    return value - (around - union) / around


def direction(kind: str, p: Box, t: Box, rules: EraRules) -> list[float]:
    """(D_x, D_y, D_w, D_h) of d.5."""
    le, r, to, b = edges(p)
    tl, tr, tt, tb = edges(t)
    iw, ih = min(r, tr) - max(le, tl), min(b, tb) - max(to, tt)
    inter = iw * ih
    union = (b - to) * (r - le) + (tr - tl) * (tb - tt) - inter
    off = iw <= 0 or ih <= 0
    dp = [-(b - to), b - to, -(r - le), r - le]
    di = [-ih if le > tl else 0, ih if r < tr else 0, -iw if to > tt else 0, iw if b < tb else 0]
    du = [x - y for x, y in zip(dp, di, strict=True)]
    q = [(union * x - inter * y) / union**2 if union > 0 else 0.0 for x, y in zip(di, du, strict=True)]
    cw, ch = max(r, tr) - min(le, tl), max(b, tb) - min(to, tt)
    el, er, et, eb = le < tl, r > tr, to < tt, b > tb
    if kind == "giou":
        c = cw * ch
        dc = [-ch * el, ch * er, -cw * et, cw * eb]
        g = [(c * x - union * y) / c**2 for x, y in zip(du, dc, strict=True)]
        q = g if off and not rules.both_apart else [x + y for x, y in zip(q, g, strict=True)]
    half = 0.5 if rules.half else 1.0
    d = [q[0] + q[1], q[2] + q[3], half * (q[1] - q[0]), half * (q[3] - q[2])]
    if kind in ("diou", "ciou"):
        c = cw**2 + ch**2
        s = (p[0] - t[0]) ** 2 + (p[1] - t[1]) ** 2
        e = [
            (2 * (t[0] - p[0]) * c - 2 * cw * (er - el) * s) / c**2,
            (2 * (t[1] - p[1]) * c - 2 * ch * (eb - et) * s) / c**2,
            cw * (er + el) * s / c**2,
            ch * (eb + et) * s / c**2,
        ]
        if kind == "ciou":
            delta = atan(t[2] / t[3]) - atan(p[2] / p[3])
            v = 4 * delta**2 / pi**2
            alpha = v / (1 - inter / union + v + 1e-6)
            e[2] += alpha * 8 / pi**2 * delta * p[3]
            e[3] -= alpha * 8 / pi**2 * delta * p[2]
        d = e if off else [x + y for x, y in zip(d, e, strict=True)]
    return d


class ByHand:
    """One mini-batch: `values[image][anchor][plane][row][column]` raw, `truths[image]` of (x, y, w, h, class)."""

    def __init__(self, layer: Yolo, recipe: YoloRecipe, era: str, size: tuple[int, int]) -> None:
        self.layer, self.recipe, self.rules = layer, recipe, ERAS[era]
        self.height, self.width = size
        self.weight: float = getattr(recipe, self.rules.obj_key)
        self.count = 0
        self.apart = 0.0

    def multiplier(self, number: int) -> float:
        counters = [max(1, each) for each in self.recipe.counters_per_class]
        return min(max(counters) / counters[number], self.recipe.max_delta) if counters else 1.0

    def decode(self, raw: Sequence[float], anchor: int, row: int, column: int) -> tuple[Box, tuple[float, float]]:
        aw, ah = self.layer.anchors[anchor]
        s = self.layer.scale_x_y
        vx, vy = (sigmoid(raw[at]) * s - (s - 1) / 2 for at in (0, 1))
        box = ((column + vx) / self.columns, (row + vy) / self.rows, exp(raw[2]) * aw / self.width)
        return (*box, exp(raw[3]) * ah / self.height), (vx, vy)

    def box_delta(
        self, raw: Sequence[float], anchor: int, row: int, column: int, truth: Sequence[float]
    ) -> list[float]:
        true: Box = (truth[0], truth[1], truth[2], truth[3])
        box, (vx, vy) = self.decode(raw, anchor, row, column)
        aw, ah = self.layer.anchors[anchor]
        norm, m = self.recipe.iou_normalizer, self.multiplier(int(truth[4]))
        if self.recipe.iou_loss == "mse":
            s = (2 - true[2] * true[3]) * m * (norm if self.rules.mse_normalised else 1)
            tw, th = log(true[2] * self.width / aw), log(true[3] * self.height / ah)
            return [
                s * (true[0] * self.columns - column - vx),
                s * (true[1] * self.rows - row - vy),
                s * (tw - raw[2]),
                s * (th - raw[3]),
            ]
        d = direction(self.recipe.iou_loss, box, true, self.rules)
        d = [d[0], d[1], d[2] * exp(raw[2]), d[3] * exp(raw[3])]
        limit = self.recipe.max_delta if self.rules.clip else float("inf")
        return [max(-limit, min(limit, norm * m * each)) for each in d]

    def class_delta(self, delta: list[float], p: list[float], true: int) -> None:
        recipe, m = self.recipe, self.multiplier(true)
        e = recipe.label_smooth_eps
        high, low = (1 - e, e / len(p)) if self.rules.even else (1 - e / 2, e / 2)
        counted = bool(recipe.counters_per_class)
        if delta[true]:
            delta[true] = (high - p[true]) * (m if counted else 1)
            return
        for k in range(len(p)):
            if recipe.focal_loss:
                g = -(1 - p[true]) * (2 * p[true] * log(p[true]) + p[true] - 1)
                delta[k] = ((k == true) - p[k]) * 0.5 * g
            else:
                delta[k] = (high if k == true else low) - p[k]
                if counted and k == true:
                    delta[k] *= m * recipe.cls_normalizer

    def run(self, values: list[list[list[list[list[float]]]]], truths: list[list[Sequence[float]]]) -> float:
        """The cost; `delta` then has (x, y, w, h, objectness, classes...) of every place."""
        layer, recipe = self.layer, self.recipe
        self.rows, self.columns = len(values[0][0][0]), len(values[0][0][0][0])
        self.delta: dict[Place, list[float]] = {}
        for image, own in enumerate(truths):
            self._negatives(image, values[image], own)
            for truth in own:
                self._truth(image, values[image], truth)
            always = self.rules.divided == "always"
            if always or (self.rules.divided == "thresh" and recipe.iou_thresh < 1):
                for place, delta in self.delta.items():
                    count = sum(each > 0 for each in delta[5:])
                    if place[0] == image and delta[4] and count:
                        delta[:4] = [each / count for each in delta[:4]]
        squares = sum(each**2 for delta in self.delta.values() for each in delta[4:])
        if recipe.iou_loss == "mse":
            return squares + sum(each**2 for delta in self.delta.values() for each in delta[:4])
        mean = self.apart / self.count if self.count else 0.0
        assert layer.used
        return recipe.iou_normalizer * mean + self.weight * squares

    def _at(self, maps: list[list[list[list[float]]]], a: int, j: int, i: int) -> list[float]:
        return [plane[j][i] for plane in maps[a]]

    def _negatives(self, image: int, maps: list[list[list[list[float]]]], truths: list[Sequence[float]]) -> None:
        recipe, w = self.recipe, self.weight
        for a, anchor in enumerate(self.layer.mask):
            for j in range(self.rows):
                for i in range(self.columns):
                    raw = self._at(maps, a, j, i)
                    p, classes = sigmoid(raw[4]), [sigmoid(each) for each in raw[5:]]
                    box, _ = self.decode(raw, anchor, j, i)
                    overlaps = [iou(box, (t[0], t[1], t[2], t[3])) for t in truths]
                    best = max(overlaps, default=0.0)
                    delta = [0.0] * 4 + [-w * p] + [0.0] * len(classes)
                    if best > recipe.ignore_thresh and (max(classes) > 0.25 or not self.rules.class_condition):
                        delta[4] = max(delta[4], w * (best - p)) if recipe.objectness_smooth else 0.0
                    if truths and best > recipe.truth_thresh:
                        truth = truths[overlaps.index(best)]
                        aim = best**2 if recipe.objectness_smooth else 1.0
                        delta[4] = w * (aim - p)
                        own = delta[5:]
                        self.class_delta(own, classes, int(truth[4]))
                        if recipe.objectness_smooth:
                            own[int(truth[4])] = self.multiplier(int(truth[4])) * (aim - classes[int(truth[4])])
                        delta = [*self.box_delta(raw, anchor, j, i, truth), delta[4], *own]
                    self.delta[image, a, j, i] = delta

    def _truth(self, image: int, maps: list[list[list[list[float]]]], truth: Sequence[float]) -> None:
        layer, recipe = self.layer, self.recipe
        shape = (0.0, 0.0, truth[2], truth[3])
        sides = [(0.0, 0.0, aw / self.width, ah / self.height) for aw, ah in layer.anchors]
        overlaps = [iou(side, shape) for side in sides]
        best = overlaps.index(max(overlaps))
        chosen = [best] if best in layer.mask else []
        if recipe.iou_thresh < 1 and self.rules.iou_thresh:
            chosen += [
                n for n in range(len(sides)) if n in layer.mask and n != best and overlaps[n] > recipe.iou_thresh
            ]
        i, j, true = int(truth[0] * self.columns), int(truth[1] * self.rows), int(truth[4])
        for anchor in chosen:
            a = layer.mask.index(anchor)
            raw = self._at(maps, a, j, i)
            delta, classes = self.delta[image, a, j, i], [sigmoid(each) for each in raw[5:]]
            box = self.box_delta(raw, anchor, j, i, truth)
            delta[:4] = box if self.rules.assigned else [x + y for x, y in zip(delta[:4], box, strict=True)]
            if delta[4] == 0 or not recipe.objectness_smooth:
                delta[4] = self.multiplier(true) * self.weight * (1 - sigmoid(raw[4]))
            own = delta[5:]
            self.class_delta(own, classes, true)
            delta[5:] = own
            predicted, _ = self.decode(raw, anchor, j, i)
            likeness = giou if recipe.iou_loss == "giou" else iou
            self.apart += 1 - likeness(predicted, (truth[0], truth[1], truth[2], truth[3]))
            self.count += 1
