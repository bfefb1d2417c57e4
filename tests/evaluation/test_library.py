"""Evaluations as a notebook makes them: through `cspbench`, on networks and on modules that describe themselves."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses

import cspbench
from cspbench.data.detection_presets import detection_preset
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.compare import ClassifierComparison, DetectorComparison
from cspbench.evaluation.execution import Execution
from cspbench.evaluation.imagenet import ClassificationResult
from cspbench.evaluation.result_files import score_file
from cspbench.evaluation.subject import subject_of
from cspbench.inference.description import Description, describe
from cspbench.network.layers import Yolo
from cspbench.network.module import to_module
from cspbench.results.runs import load_run
from cspbench.sample import classification, detection
from cspbench.sample.place import ensure
from cspbench.weights.catalogue import shipped
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import model

CLASSIFIER, DETECTOR = "sample-csp-classifier", "sample-csp-detector"
HERE = Execution(workers=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of the sample's pictures: val/ and coco/."""
    folder = tmp_path_factory.mktemp("data")
    classification.write(folder / "val", 16)
    detection.write(folder / "coco", 6)
    return folder


def module(name: str) -> Any:
    """The network's module with its weights, as somebody else may have made it."""
    network, path = model(name).build(), shipped(name)
    assert path is not None
    made = load(to_module(network), network, open_weights(path, network))
    made.description = describe(network)  # type: ignore[assignment]
    return made


@pytest.fixture(scope="module")
def classified(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ClassificationResult:
    result = cspbench.evaluate_imagenet(CLASSIFIER, data / "val", store=tmp_path_factory.mktemp("runs"), execution=HERE)
    assert result is not None
    return result


@pytest.fixture(scope="module")
def detected(data: Path, tmp_path_factory: pytest.TempPathFactory) -> DetectionResult:
    result = cspbench.evaluate_coco(
        DETECTOR, data / "coco", nms=[0.45, 0.6], store=tmp_path_factory.mktemp("runs"), execution=HERE
    )
    assert result is not None
    return result


def test_a_result_says_who_scored_it(classified: ClassificationResult, detected: DetectionResult) -> None:
    for result, numbers in ((classified, ["top1", "top5"]), (detected, ["0.45 default", "0.6 default"])):
        assert [scored.numbers for scored in result.run.record.scored] == [numbers]
        assert result.run.record == load_run(result.run.path).record


def test_a_classifier_as_network_and_as_module(data: Path, classified: ClassificationResult, tmp_path: Path) -> None:
    path = shipped(CLASSIFIER)
    network = cspbench.evaluate_imagenet(
        model(CLASSIFIER).build(), data / "val", weights=path, store=tmp_path / "network", execution=HERE
    )
    other = cspbench.evaluate_imagenet(
        module(CLASSIFIER), data / "val", classes="sample", preset="readme", store=tmp_path / "module", execution=HERE
    )
    assert network is not None
    assert other is not None
    assert network.metrics == classified.metrics
    for metric in ("top1", "top5", "bad", "pixels", "class_order"):
        assert getattr(other.metrics, metric) == getattr(classified.metrics, metric)
    assert other.run.identity.network.startswith("module-v2:")
    assert other.run.identity.network != classified.run.identity.network


def test_a_detector_as_module(data: Path, detected: DetectionResult, tmp_path: Path) -> None:
    other = cspbench.evaluate_coco(module(DETECTOR), data / "coco", nms=[0.45, 0.6], store=tmp_path, execution=HERE)
    assert other is not None
    assert [at.ap for at in other.metrics.thresholds] == [at.ap for at in detected.metrics.thresholds]
    assert other.metrics.thresholds[0].ap["ap50"]


@dataclass(frozen=True, kw_only=True)
class Renamed(Yolo):
    """[yolo] under another name, with a field that was added later."""

    added: float = 0.5


def test_the_digest_of_a_module() -> None:
    import torch

    head = Yolo(sources=(7,), anchors=((1.0, 2.5),), mask=(0,))

    def digest(heads: Sequence[Any] = (head,), width: int = 3, **other: Any) -> str:
        made: Any = torch.nn.Conv2d(3, width, 1)
        made.description = replace(Description("a", (3, 32, 32), tuple(heads)), **other)
        return subject_of(made).network_digest

    first = digest()
    # the sha256 of a text written by hand
    anchors = '{"tuple":[{"tuple":[1,{"float":"0x1.4000000000000p+1"}]}]}'
    layer = f'["yolo",{{"anchors":{anchors},"mask":{{"tuple":[0]}},"sources":{{"tuple":[7]}}}}]'
    arrays = '{"tuple":[{"tuple":["weight",{"tuple":[3,3,1,1]}]},{"tuple":["bias",{"tuple":[3]}]}]}'
    text = f'{{"arrays":{arrays},"heads":{{"tuple":[{layer}]}},"input":{{"tuple":[3,32,32]}},"probabilities":0}}'
    assert first == f"module-v2:{hashlib.sha256(text.encode()).hexdigest()}"
    same = Renamed(sources=(7,), anchors=((1, 2.5),), mask=(0,))
    assert digest([same]) == digest(name="b") == digest(classes="sorted") == first
    others = [
        digest([replace(same, anchors=((1.0, 3.0),))]),
        digest([replace(same, added=0.25)]),
        digest([same, same]),
        digest([]),
        digest(input=(3, 32, 64)),
        digest(probabilities=True),
        digest(width=4),
    ]
    assert len({first, *others}) == 8
    with refuses("usage.module-description"):
        digest([replace(same, anchors=[[1.0, 2.5]])])  # type: ignore[arg-type]


def test_modules_that_cannot_be_evaluated(data: Path, tmp_path: Path) -> None:
    made = module(CLASSIFIER)
    with refuses("usage.module-has-its-own"):
        cspbench.evaluate_imagenet(made, data / "val", weights=shipped(CLASSIFIER), store=tmp_path)
    del made.description
    with refuses("usage.module-without-description", found="Darknet"):
        cspbench.evaluate_imagenet(made, data / "val", store=tmp_path)


def test_paths_in_the_home_folder(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, task in ((CLASSIFIER, "val"), (DETECTOR, "coco")):
        path = shipped(name)
        assert path is not None
        (tmp_path / f"{name}.weights").write_bytes(path.read_bytes())
        (tmp_path / task).symlink_to(data / task)
    classified = cspbench.evaluate_imagenet(
        CLASSIFIER, "~/val", weights=f"~/{CLASSIFIER}.weights", store="~/runs", execution=HERE
    )
    detected = cspbench.evaluate_coco(
        DETECTOR, "~/coco", weights=f"~/{DETECTOR}.weights", store="~/runs", execution=HERE
    )
    for result in (classified, detected):
        assert result is not None
        assert result.run.path.is_relative_to(tmp_path / "runs")
        assert cspbench.score(f"~/runs/{result.run.path.name}").run.path == result.run.path
    assert classified is not None
    same = cspbench.compare(f"~/runs/{classified.run.path.name}", classified.run.path)
    assert isinstance(same, ClassifierComparison)
    assert [run.path for run in same.runs] == [classified.run.path] * 2
    (tmp_path / "found.json").write_text("[]", encoding="utf-8")
    scored = score_file("~/found.json", "~/coco")
    assert (scored.file, scored.threshold.detections) == (tmp_path / "found.json", 0)


def test_scores_and_comparisons(data: Path, classified: ClassificationResult, detected: DetectionResult) -> None:
    again = cspbench.score(classified.run.path)
    assert isinstance(again, ClassificationResult)
    assert again.metrics == classified.metrics
    scored = cspbench.score(detected.run, nms=0.5)
    assert isinstance(scored, DetectionResult)
    assert [at.nms for at in scored.metrics.thresholds] == [0.5]
    everything = cspbench.score(detected.run.path.parent, data=data / "coco")  # the only run in it
    assert isinstance(everything, DetectionResult)
    assert [at.nms for at in everything.metrics.thresholds] == [0.45, 0.5, 0.6]
    with refuses("usage.detector-options"):
        cspbench.score(classified.run, nms=0.5)
    same = cspbench.compare(classified.run.path, classified.run.path)
    assert isinstance(same, ClassifierComparison)
    assert (same.shared.only_first, same.shared.only_second) == (0, 0)


def test_a_preset_of_ones_own_is_scored_again(data: Path, tmp_path: Path) -> None:
    own = replace(detection_preset("readme"), name="mine", nms=0.5)
    result = cspbench.evaluate_coco(DETECTOR, data / "coco", preset=own, store=tmp_path, execution=HERE)
    assert result is not None
    assert [at.nms for at in result.metrics.thresholds] == [0.5]
    assert cspbench.score(result.run.path).metrics == result.metrics
    again = cspbench.compare(result.run.path, result.run.path)
    assert isinstance(again, DetectorComparison)
    assert again.nms == (0.5, 0.5)


def test_frames(detected: DetectionResult, classified: ClassificationResult, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = classified.frame()
    assert frame["metric"].tolist() == ["top1", "top5"]
    hits = classified.metrics.top1
    assert frame["percent"].tolist()[0] == 100 * hits.correct / hits.total
    frame = detected.frame()
    at = frame[(frame["nms"] == 0.6) & (frame["metric"] == "ap")]
    assert set(at["percent"]) == {float(detected.metrics.thresholds[1].ap["ap"] or 0)}
    assert set(at["reason"]) == {"split-mismatch"}  # six images of another drawing than the claims'
    from cspbench.detection.ap import bootstrap

    monkeypatch.setattr(bootstrap.paired, "__defaults__", (20, *(bootstrap.paired.__defaults__ or ())[1:]))
    compared = cspbench.compare(detected.run.path, detected.run.path)
    assert isinstance(compared, DetectorComparison)
    frame = compared.frame()
    assert (frame["first"] == frame["second"])[frame["first"].notna()].all()


def test_a_table_of_all_published_numbers() -> None:
    loaded = cspbench.load_tables()
    frame = cspbench.load_tables(dataframe=True)
    published = [cell for table in loaded for row in table.rows for cell in row.cells.values() if cell.published]
    assert len(frame) == len(published)
    (params,) = frame[(frame["id"] == "cspdarknet-53") & (frame["metric"] == "params")].to_dict("records")
    assert (params["value"], params["unit"], params["counting"], params["printed"]) == (
        27.61,
        "M",
        "weights",
        "27.61M (-34%)",
    )


def test_counts_and_models() -> None:
    # spec: 27,605,856 weights, 13.07 BFLOPs of convolutions and poolings
    counted = cspbench.count("csdarknet53")
    assert counted.parameters["weights"] == 27_605_856
    assert round(counted.total("conv+maxpool") / 1e9, 2) == 13.07
    assert cspbench.count(model("csdarknet53").build(), (128, 128)).total("conv") < counted.total("conv") / 3
    assert cspbench.list_models("yolov3-*") == ["yolov3-tiny", "yolov3-tiny-prn"]
    assert DETECTOR in cspbench.list_models(task="coco")
    assert DETECTOR not in cspbench.list_models(task="imagenet")
    with refuses("usage.unknown-model"):
        cspbench.count("csdarknet54")
    with refuses("usage.module-without-description", found="Convolutional"):
        cspbench.count(type("Convolutional", (), {})())


@pytest.mark.parametrize("name", ["csdarknet53", "enetb0", "snet49-thundernet", "densenet201-plus-elastic"])
def test_a_network_and_its_module_have_the_same_counts(name: str) -> None:
    from cspbench.network.module import to_module

    network = model(name).build()
    described: Any = to_module(network)
    described.description = describe(network)
    counted, ours = cspbench.count(described), cspbench.count(network)
    for counting in "conv conv+maxpool conv+maxpool+shortcut mac fvcore sparsenet".split():
        assert counted.total(counting) == ours.total(counting), counting
    assert counted.parameters == ours.parameters
    for counting in ("thop", "mmcv", "elastic"):  # they leave out the classifier, or activations by their place
        with refuses("usage.counting-of-layers"):
            counted.total(counting)
    with refuses("usage.unknown-counting"):
        counted.total("macs")


def test_a_module_is_counted_by_hand() -> None:
    import torch
    from torch import nn

    class Small(nn.Module):
        description = Description("small", (3, 8, 6))

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)
            self.norm = nn.BatchNorm2d(4)
            self.linear = nn.Linear(4 * 4 * 3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.conv(x))
            x = nn.functional.max_pool2d(x + x, 2)
            return self.linear(x.view(x.size(0), -1))  # type: ignore[no-any-return]

    module: Any = Small()
    counted = cspbench.count(module)
    # 4 * 48 values of 27 and 5 of 48: 5184 + 240; 192 normalised and added; 48 windows of 4: 192
    by_hand = {"mac": 5_424, "conv": 10_848, "conv+maxpool": 10_560, "conv+maxpool+shortcut": 10_752, "fvcore": 5_808}
    assert {name: counted.total(name) for name in by_hand} == by_hand
    # 4 * 27 + 5 * 48; + 4 + 5 biases, 4 scales and shifts; + 4 means and variances
    assert counted.parameters == {"weights": 348, "learnable": 365, "stored": 373}
    assert module.training
    assert int(module.norm.num_batches_tracked) == 0
    with pytest.raises(RuntimeError):
        cspbench.count(module, (16, 12))
    module.linear = nn.AdaptiveAvgPool2d(1)
    module.forward = lambda x: module.linear(module.conv(x))
    assert cspbench.count(module, (4, 5)).total("mac") == 4 * 20 * 27
    module.scale = nn.Parameter(torch.ones(3))
    of_its_own = cspbench.count(module)
    assert of_its_own.total("learnable") == 4 * 27 + 4 + 8 + 3
    with refuses("usage.counting-of-layers"):
        of_its_own.total("weights")


NOTEBOOK = """
import cspbench
from cspbench import evaluate_coco, evaluate_imagenet
tables = cspbench.load_tables(dataframe=True)
first = evaluate_imagenet({classifier!r}, {images!r}, store="runs")
second = evaluate_coco({detector!r}, {coco!r}, nms=[0.45, 0.6], store="runs")
again = cspbench.score(second.run.path)
frame = second.frame()
print(first.metrics.top1.correct, first.metrics.top5.correct, first.metrics.images)
print(len(frame), len(again.metrics.thresholds), len(tables) > 300)
"""


def notebook(text: str, folder: Path) -> list[list[str]]:
    """What a script prints, line by line, in a process that may not import the command line."""
    checked = f"{text}\nimport sys\nassert not {{'typer', 'click', 'cspbench.cli'}} & sys.modules.keys()\n"
    done = subprocess.run(
        [sys.executable, "-c", checked], cwd=folder, capture_output=True, text=True, check=False, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_a_notebook_evaluates_without_the_command_line(tmp_path: Path) -> None:
    places = {"images": str(ensure("classification")), "coco": str(ensure("detection"))}
    lines = notebook(NOTEBOOK.format(classifier=CLASSIFIER, detector=DETECTOR, **places), tmp_path)
    assert lines[0] == ["236", "240", "240"]
    assert lines[1][1:] == ["2", "True"]


TRAINED = """
import json
from cspbench import evaluate_coco, evaluate_imagenet
from cspbench.network.cfg import read
tiny, fastest = (read(f"{shared}/weights/{{name}}.cfg").network for name in ("tiny", "yolo-fastest-1.1"))
first = evaluate_imagenet(tiny, "{shared}/data/imagenet-mini/val", weights="{shared}/weights/tiny.weights",
                          decoder="stb", store="runs")
second = evaluate_coco(fastest, "{shared}/data/coco-mini", weights="{shared}/weights/yolo-fastest-1.1.weights",
                       decoder="stb", store="runs")
print(first.metrics.top1.correct, first.metrics.top5.correct, first.metrics.images)
print(second.metrics.thresholds[0].ap["ap"])
"""


@pytest.mark.reference(
    "data/imagenet-mini", "data/coco-mini", "weights/tiny.weights", "weights/yolo-fastest-1.1.weights"
)
def test_a_notebook_evaluates_trained_weights_as_the_original_program(shared: Path, tmp_path: Path) -> None:
    lines = notebook(TRAINED.format(shared=shared), tmp_path)
    assert lines[0] == ["139", "179", "200"]
    assert float(lines[1][0]) == pytest.approx(15.480, abs=0.05)


def test_importing_cspbench_imports_nothing_else() -> None:
    code = (
        "import json, sys; before = {*sys.modules, 'cspbench'}; import cspbench; dir(cspbench); cspbench.__version__\n"
        "print(json.dumps(sorted({each.partition('.')[0] for each in sys.modules.keys() - before})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= sys.stdlib_module_names
    assert set(cspbench.__all__) <= set(dir(cspbench))
    for name in cspbench.__all__:
        assert getattr(cspbench, name) is not None
    with pytest.raises(AttributeError, match="evaluate_all"):
        cspbench.evaluate_all  # noqa: B018
