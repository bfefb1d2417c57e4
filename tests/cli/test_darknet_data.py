"""Own data in Darknet's form through the commands, in this process: a tiny detector and a tiny classifier."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_runs import command
from darknet_sets import write
from pictures import fill, jpeg
from typer.testing import Result

from cspbench.errors import CspbenchError
from cspbench.evaluation.score import score
from cspbench.network.builder import Builder
from cspbench.network.cfg.writer import write as cfg_text
from cspbench.network.network import Network
from cspbench.weights.darknet import write as write_weights

NAMES = ("person", "car", "dog")


def save(network: Network, folder: Path) -> list[str]:
    """The options of a network with random weights in a folder."""
    rng = np.random.default_rng(1)
    arrays = [
        {
            array.role: rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
            if array.role == "variance"
            else rng.normal(0, 1, array.shape).astype(np.float32)
            for array in network.weights(index)
        }
        for index in range(len(network.layers))
    ]
    folder.mkdir(exist_ok=True)
    (folder / "net.cfg").write_text(cfg_text(network))
    write_weights(folder / "net.weights", network, arrays)
    return ["--cfg", str(folder / "net.cfg"), "--weights", str(folder / "net.weights")]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    b = Builder("net", (3, 32, 32))
    b.conv(8, 3, stride=4)
    b.conv(2 * 8, activation="linear", batch_normalize=False)
    b.yolo((0, 1), ((10.0, 12.0), (18.0, 20.0)), classes=3)
    return save(b.network(), tmp_path_factory.mktemp("net") / "detector")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    b = Builder("net", (3, 32, 32))
    b.conv(8, 3, stride=4)
    b.conv(3, activation="linear", batch_normalize=False)
    b.avgpool()
    b.softmax()
    return save(b.network(), tmp_path_factory.mktemp("net") / "classifier")


def code_of(done: Result) -> str:
    assert isinstance(done.exception, CspbenchError), done.output
    return done.exception.code


def evaluated(*arguments: object) -> dict[str, Any]:
    alone = ("-j", "0") if str(arguments[0]).startswith("eval") else ()
    done = command(*arguments, *alone, "--format", "json")
    assert done.exit_code == 0, done.exception
    (result,) = json.loads(done.stdout)
    return dict(result)


def coco_form(data: Path, order: tuple[str, ...]) -> Path:
    """The objects of `darknet_sets.write` in COCO's form, with the names in another order of ids, from 1."""
    boxes: list[tuple[str, str, list[float]]] = [
        ("a", "car", [18.75, 10, 12.5, 20]),
        ("a", "person", [0, 20, 25, 20]),
        ("c", "dog", [0, 0, 10, 8]),
    ]
    ids = {name: number for number, name in enumerate(order, 1)}
    content = {
        "images": [{"id": n, "file_name": f"{name}.jpg", "width": 50, "height": 40} for n, name in enumerate("abc", 1)],
        "categories": [{"id": ids[name], "name": name} for name in order],
        "annotations": [
            {
                "id": number,
                "image_id": "abc".index(image) + 1,
                "category_id": ids[name],
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for number, (image, name, box) in enumerate(boxes, 1)
        ],
    }
    path = data.parent / "obj" / "instances.json"
    path.write_text(json.dumps(content))
    return path


# --- detectors


def test_ap_and_map_from_the_folder_as_darknet_left_it(tmp_path: Path, detector: list[str]) -> None:
    data = write(tmp_path)
    about = [*detector, "--run", tmp_path / "runs"]
    first = evaluated("eval-coco", data, *about)
    assert first["identity"]["data"]["kind"] == "darknet"
    assert first["darknet_map"]["points"] == "area"
    assert [each["name"] for each in first["darknet_map"]["per_class"]] == list(NAMES)
    assert first["darknet_map"]["fn"] + first["darknet_map"]["tp"] == 3
    for path in (tmp_path, tmp_path / "valid.txt"):
        again = evaluated("eval-coco", path, *about)
        assert again["thresholds"] == first["thresholds"]
    other = evaluated("eval-coco", data, *about, "--map", "voc11", "--map-iou", "0.1", "--map-conf", "0.01")
    changed = other["darknet_map"]
    assert (changed["points"], changed["iou"], changed["conf"]) == ("voc11", 0.1, 0.01)
    assert changed["map"] >= first["darknet_map"]["map"]
    (run,) = (tmp_path / "runs").iterdir()
    scored = evaluated("score", run)
    assert scored["thresholds"] == first["thresholds"]
    assert scored["darknet_map"] == first["darknet_map"]
    text = command("score", run).stdout
    assert "mAP@0.50" in text
    assert "| dog |" in text


def test_names_decide_which_category_a_class_is(tmp_path: Path, detector: list[str]) -> None:
    """The same objects in COCO's form, with ids in another order, have the same AP once the names are known."""
    data = write(tmp_path)
    about = [*detector, "--run", tmp_path / "runs"]
    own = evaluated("eval-coco", data, *about)["thresholds"][0]["ap"]
    right = coco_form(data, ("dog", "person", "car"))
    done = command("eval-coco", right, *about, "-j", "0")
    assert done.exit_code == 0
    assert "(1 dog, 2 person, 3 car) is taken for the order" in done.stderr
    named = evaluated("eval-coco", right, *about, "--names", tmp_path / "obj.names", "--map", "area")
    assert named["thresholds"][0]["ap"]["ap"] == pytest.approx(own["ap"], abs=1e-9)
    assert [each["name"] for each in named["darknet_map"]["per_class"]] == list(NAMES)
    # the run remembers the names
    assert evaluated("score", named["run"])["thresholds"][0]["ap"] == named["thresholds"][0]["ap"]
    # and forgets them in an evaluation without names, as well as what was scored with them
    again = evaluated("eval-coco", right, *about, "--nms", "0.3")
    assert [each["nms"] for each in again["thresholds"]] == [0.3]
    assert "is taken for the order" in command("score", again["run"]).stderr
    (tmp_path / "wrong.names").write_text("person\ncar\ncat\n")
    assert code_of(command("eval-coco", right, *about, "--names", tmp_path / "wrong.names")) == "coco.other-names"
    (tmp_path / "wrong.names").write_text("person\ncar\n")
    assert code_of(command("eval-coco", right, *about, "--names", tmp_path / "wrong.names")) == "darknet.names-count"


def test_names_beside_the_network_are_found(tmp_path: Path, detector: list[str]) -> None:
    for file in detector[1::2]:
        shutil.copy(file, tmp_path)
    about = ["--cfg", tmp_path / "net.cfg", "--weights", tmp_path / "net.weights", "--run", tmp_path / "runs"]
    right = coco_form(write(tmp_path), ("dog", "person", "car"))
    done = command("eval-coco", right, *about, "-j", "0")
    assert done.exit_code == 0
    assert "is taken for" not in done.stderr


def test_names_beside_the_network_do_not_overrule_those_of_a_data_file(tmp_path: Path, detector: list[str]) -> None:
    data = write(tmp_path / "set")
    own = evaluated("eval-coco", data, *detector, "--run", tmp_path / "runs")
    for file in detector[1::2]:
        shutil.copy(file, tmp_path)
    (tmp_path / "net.names").write_text("dog\nperson\ncar\n")
    about = ["--cfg", tmp_path / "net.cfg", "--weights", tmp_path / "net.weights", "--run", tmp_path / "other"]
    done = command("eval-coco", data, *about, "-j", "0", "--format", "json")
    assert json.loads(done.stdout)[0]["thresholds"] == own["thresholds"]
    assert "dog, person, car" in done.stderr


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"obj_names": "a\nb\n"}, "darknet.names-count"),
        ({"valid_txt": None}, "darknet.missing-file"),
        ({"obj__b_txt": "0 .5 .5 .1\n"}, "darknet.label-line"),
        ({"obj_data": "classes = 4\nvalid = valid.txt\n"}, "coco.other-classes"),
    ],
)
def test_files_that_disagree_end_with_3(
    tmp_path: Path, detector: list[str], files: dict[str, str | None], code: str
) -> None:
    done = command("eval-coco", write(tmp_path, **files), *detector, "--run", tmp_path / "runs")
    assert code_of(done) == code
    assert done.exception.exit_code == 3  # type: ignore[union-attr]


def test_faults_and_images_that_are_allowed(tmp_path: Path, detector: list[str]) -> None:
    data = write(tmp_path, obj__b_txt="0 .5 .5 .1\n")
    about = [*detector, "--run", tmp_path / "runs"]
    assert evaluated("eval-coco", data, *about, "--allow-bad", "1")["identity"]["data"]["objects"] == 3
    (run,) = (tmp_path / "runs").iterdir()
    assert evaluated("score", run)["identity"]["data"]["objects"] == 3


# --- classifiers


def classes_set(root: Path) -> Path:
    paths = ("x/dog/1.jpg", "x/2_cat.jpg", "x/bird/3.jpg")
    files = {path: jpeg(place) for place, path in enumerate(paths)}
    texts = {
        "own.data": "classes=3\nlabels=labels.list\nvalid=valid.list\ntop=2\n",
        "labels.list": "cat\ndog\nbird\n",
        "valid.list": "".join(f"{path}\n" for path in paths),
    }
    return fill(root, files | {name: text.encode() for name, text in texts.items()}) / "own.data"


def test_top_1_and_top_k_of_own_classes(tmp_path: Path, classifier: list[str]) -> None:
    data = classes_set(tmp_path)
    about = [*classifier, "--run", tmp_path / "runs"]
    result = evaluated("eval-imagenet", data, *about)
    assert result["identity"]["classes"] == "own-3"
    assert list(result["top"]) == ["1", "2", "3"]
    hits = [each["correct"] for each in result["top"].values()]
    assert hits == sorted(hits)
    assert hits[-1] == 3
    assert result["top1"]["correct"] == hits[0]
    assert "top-2" in command("eval-imagenet", data, *about, "-j", "0").stdout
    listed = evaluated("eval-imagenet", tmp_path / "valid.list", *about, "--names", tmp_path / "labels.list")
    assert listed["top1"] == result["top1"]


def test_outputs_that_are_not_the_classes_are_refused(tmp_path: Path, classifier: list[str]) -> None:
    folder = fill(tmp_path / "val", {"n01440764/1.JPEG": jpeg(1)})
    done = command("eval-imagenet", folder, *classifier, "--run", tmp_path / "runs")
    assert code_of(done) == "imagenet.other-outputs"
    assert isinstance(done.exception, CspbenchError)
    assert (done.exception.exit_code, done.exception.found) == (3, "3 outputs")
    assert "1,000 outputs" in str(done.exception.expected)
    data = classes_set(tmp_path)
    (tmp_path / "labels.list").write_text("cat\ndog\nbird\nfish\n")
    data.write_text("labels=labels.list\nvalid=valid.list\n")
    assert code_of(command("eval-imagenet", data, *classifier)) == "imagenet.other-outputs"


def test_a_folder_stands_for_its_data_file(tmp_path: Path, classifier: list[str]) -> None:
    data = classes_set(tmp_path / "own")
    runs = [
        command("eval-imagenet", path, *classifier, "-j", "0", "--run", tmp_path / "runs", "--format", "json")
        for path in (data, data.parent)
    ]
    first, second = (json.loads(run.stdout)[0] for run in runs)
    assert first["top1"] == second["top1"]
    assert first["run"] == second["run"]


def test_letterboxing_of_a_classifier_has_no_effect_and_is_said(tmp_path: Path, classifier: list[str]) -> None:
    data = classes_set(tmp_path)
    option, file, *weights = classifier
    boxed = tmp_path / "boxed.cfg"
    boxed.write_text(Path(file).read_text().replace("[net]", "[net]\nletter_box=1", 1))
    for cfg, said in ((file, 0), (boxed, 1)):
        done = command("eval-imagenet", data, option, cfg, *weights, "-j", "0", "--run", tmp_path / "runs")
        assert done.exit_code == 0
        assert done.stderr.count("letter_box=1 has no effect on a classifier") == said


# --- checks and anchors


def test_data_check_finds_the_form(tmp_path: Path) -> None:
    data = write(tmp_path / "own")
    for path in (data, data.parent, data.parent / "valid.txt"):
        done = command("data", "check", path, "--format", "json")
        assert done.exit_code == 0
        facts = json.loads(done.stdout)
        assert (facts["task"], facts["objects"]) == ("detection", 3)
        assert facts["classes"] == {"person": 1, "car": 1, "dog": 1}
    facts = json.loads(command("data", "check", classes_set(tmp_path / "kinds"), "--format", "json").stdout)
    assert (facts["task"], facts["classes"]) == ("classification", {"cat": 1, "dog": 1, "bird": 1})
    assert "50 images" not in command("data", "check", fill(tmp_path / "val", {"n01440764/1.JPEG": jpeg(1)})).stdout
    assert code_of(command("data", "check", tmp_path / "none.data")) == "darknet.unreadable"
    assert code_of(command("data", "check", tmp_path / "none")) == "imagenet.not-a-data-set"


@pytest.mark.parametrize("form", [[], ["darknet"]])
def test_data_check_of_a_part(form: list[str], tmp_path: Path) -> None:
    """One image is read; the labels are those of all."""
    data = write(tmp_path)
    every = json.loads(command("data", "check", *form, data, "--format", "json").stdout)
    done = command("data", "check", *form, data, "--limit", "1", "--seed", "4", "-j", "2", "--format", "json")
    part = json.loads(done.stdout)
    assert (part["images_read"], sum(part["modes"].values())) == (1, 1)
    assert every["images_read"] == every["images"] == part["images"] > 1
    assert part["classes"] == every["classes"]


def test_data_check_lists_every_fault(tmp_path: Path) -> None:
    data = write(tmp_path, valid_txt="obj/a.jpg\nobj/b.jpg\nobj/a.jpg\nobj/c.jpg\n", obj__b_txt="9 .5 .5 .1 .1\nx\n")
    (tmp_path / "obj" / "c.jpg").write_bytes(jpeg(3)[:-200])
    done = command("data", "check", "darknet", data, "--format", "json")
    assert done.exit_code == 3
    facts = json.loads(done.stdout)
    assert [fault.split(":")[0] for fault in facts["faults"]] == [
        f"{tmp_path}/valid.txt, line 3",
        f"{tmp_path}/obj/b.txt, line 1",
        f"{tmp_path}/obj/b.txt, line 2",
    ]
    assert list(facts["unreadable"]) == ["c.jpg"]


def test_anchors(tmp_path: Path) -> None:
    """Boxes (.25, .5), (.5, .5) and (.2, .2) of an input of 100 x 100."""
    data = write(tmp_path)
    done = command("data", "anchors", data, "--num", "3", "--size", "100", "--format", "json")
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert facts["anchors"] == [[20, 20], [25, 50], [50, 50]]
    assert facts["average_iou"] == 100
    assert "20,20, 25,50, 50,50" in command("data", "anchors", data, "--num", "3", "--size", "100").stdout
    assert code_of(command("data", "anchors", data, "--num", "4")) == "darknet.few-boxes"


def test_a_users_names_of_the_outputs_hold_for_later_scores_too(tmp_path: Path, detector: list[str]) -> None:
    """A .data file whose names are in another order than the network's outputs."""
    data = write(tmp_path)
    (tmp_path / "outputs.names").write_text("dog\nperson\ncar\n")
    result = evaluated("eval-coco", data, *detector, "--run", tmp_path / "runs", "--names", tmp_path / "outputs.names")
    assert [each["name"] for each in result["darknet_map"]["per_class"]] == ["dog", "person", "car"]
    assert evaluated("score", result["run"])["darknet_map"] == result["darknet_map"]


def test_options_that_a_file_of_detections_has_not(tmp_path: Path) -> None:
    data = write(tmp_path)
    (tmp_path / "r.json").write_text("[]")
    for options in (("--map", "area"), ("--map-iou", "0.75")):
        assert code_of(command("score", tmp_path / "r.json", "--data", data, *options)) == "usage.file-options"
    annotations = coco_form(data, NAMES)
    done = command("score", tmp_path / "r.json", "--data", annotations, "--names", tmp_path / "obj.names")
    assert code_of(done) == "usage.names-of-annotations"


def test_anchors_of_a_folder_are_of_its_data_file(tmp_path: Path) -> None:
    write(tmp_path)
    assert evaluated_anchors(tmp_path) == evaluated_anchors(tmp_path / "obj.data")
    assert code_of(command("data", "anchors", tmp_path / "none", "--num", "0")) == "usage.out-of-range"


def evaluated_anchors(path: Path) -> dict[str, Any]:
    done = command("data", "anchors", path, "--num", "2", "--format", "json")
    assert done.exit_code == 0, done.exception
    return dict(json.loads(done.stdout))


def test_map_is_in_the_csv_and_in_the_frame(tmp_path: Path, detector: list[str]) -> None:
    data = write(tmp_path)
    arguments = ("eval-coco", data, *detector, "--run", tmp_path / "runs", "-j", "0", "--per-class")
    record = evaluated("eval-coco", data, *detector, "--run", tmp_path / "runs")["darknet_map"]
    done = command(*arguments, "--format", "csv")
    assert done.exit_code == 0, done.exception
    lines = list(csv.DictReader(io.StringIO(done.stdout)))
    values = {"all": record["map"], **{each["name"]: each["ap"] for each in record["per_class"]}}
    assert {line["class"]: float(line["darknet_map"]) for line in lines} == {
        name: value for name, value in values.items() if name in {line["class"] for line in lines}
    }
    pytest.importorskip("pandas")
    frame = score(tmp_path / "runs").frame()
    (percent,) = frame[frame.metric == "map@0.50"].percent
    assert percent == pytest.approx(record["map"], abs=1e-4)


def test_the_iou_of_the_map_counts(tmp_path: Path, detector: list[str]) -> None:
    data, run = write(tmp_path), ("--run", tmp_path / "runs", "--map-conf", "0")
    any_overlap, none = (
        evaluated("eval-coco", data, *detector, *run, "--map-iou", iou)["darknet_map"] for iou in ("0", "1")
    )
    assert any_overlap["tp"] > 0
    assert (none["tp"], none["map"], none["fp"]) == (0, 0, any_overlap["tp"] + any_overlap["fp"])


def test_the_confidence_of_the_counts_counts(tmp_path: Path, detector: list[str]) -> None:
    data, run = write(tmp_path), ("--run", tmp_path / "runs", "--map-iou", "0")
    every, none = (evaluated("eval-coco", data, *detector, *run, "--map-conf", conf)["darknet_map"] for conf in "01")
    assert every["tp"] + every["fp"] > 0
    assert (none["tp"], none["fp"], none["map"]) == (0, 0, every["map"])
