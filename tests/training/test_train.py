"""`cspbench.train`: something tiny from Python, from its beginning to the evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from refusals import refuses
from training_sets import CLASSIFIER, classifier, detector

import cspbench
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.execution import Execution
from cspbench.evaluation.imagenet import ClassificationResult
from cspbench.network import cfg
from cspbench.network.era import Era
from cspbench.network.recipe import YoloRecipe
from cspbench.training import evaluated
from cspbench.training.recipes.chosen import Chosen
from cspbench.training.train import choose
from cspbench.zoo import registry

HERE = Execution(workers=0, device="cpu", command=("cspbench", "train"))


def darknets(*arguments: Any) -> Chosen:
    chosen = choose(*arguments)
    assert isinstance(chosen, Chosen)
    return chosen


def test_train_and_evaluate(tmp_path: Path) -> None:
    _, _, net, _, data, *_ = classifier(tmp_path)
    trained = cspbench.train(net, data, tmp_path / "run", iterations=3, eval_every=2, execution=HERE)
    assert trained.weights == tmp_path / "run" / "net_final.weights"
    assert isinstance(trained.result, ClassificationResult)
    assert trained.result.metrics.images == 9
    assert (trained.record.seed, trained.record.data.images) == (0, 9)
    assert trained.standing is not None
    assert trained.standing.update.iteration == 3
    top1 = trained.result.metrics.top1
    assert evaluated.figure(trained.result) == top1.correct / 9
    assert evaluated.metric(trained.chosen) == ("top-1", 100.0)
    again = cspbench.evaluate_imagenet(cfg.read(net).network, data, weights=trained.weights, store=tmp_path / "runs")
    assert again is not None
    assert again.metrics.top1 == trained.result.metrics.top1


def test_a_detector_with_settings(tmp_path: Path) -> None:
    _, _, net, _, data, *_ = detector(tmp_path)
    trained = cspbench.train(
        net, data, tmp_path / "run", settings=["iou_loss=mse"], freeze=1, era="oct2019", iterations=1, execution=HERE
    )
    assert isinstance(trained.result, DetectionResult)
    assert {"yolo.iou_loss=mse", "max_batches=1"} <= {*trained.record.settings}
    assert trained.record.era == "oct2019"
    assert isinstance(trained.chosen, Chosen)
    assert trained.chosen.recipe.untrained == 1
    metrics = trained.result.metrics
    for ap50, wanted in ((Decimal("12.5"), 12.5), (None, 0.0)):
        threshold = structs.replace(metrics.thresholds[0], ap={"ap": Decimal(3), "ap50": ap50, "ap75": Decimal(1)})
        result = replace(trained.result, metrics=structs.replace(metrics, thresholds=[threshold]))
        assert evaluated.figure(result) == wanted
    assert evaluated.metric(trained.chosen) == ("AP50", 1.0)


def test_the_best_may_be_the_final_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures rise until the end, so that the best weights are the final ones; in another run they fall."""
    _, _, net, _, data, *_ = classifier(tmp_path)
    for name, figures, best in (("up", [0.1, 0.3], "final"), ("down", [0.3, 0.1], "last")):
        drawn = iter(figures)
        monkeypatch.setattr("cspbench.training.run.evaluations.figure", lambda result, key, drawn=drawn: next(drawn))
        run = tmp_path / name
        cspbench.train(net, data, run, iterations=3, eval_every=2, save_every=2, execution=HERE)
        final = (run / "net_final.weights").read_bytes()
        assert ((run / "net_best.weights").read_bytes() == final) is (best == "final")
        lines = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
        assert lines == [{"iteration": 2, "figure": figures[0]}, {"iteration": 3, "figure": figures[1]}]
        assert (run / "net_best.safetensors").is_file()


def test_a_finished_run_is_evaluated_again_and_not_trained(tmp_path: Path) -> None:
    _, _, net, _, data, *_ = classifier(tmp_path)
    first, again = (cspbench.train(net, data, tmp_path / "run", iterations=2, execution=HERE) for _ in range(2))
    assert again.standing is None
    assert first.result is not None
    assert again.result is not None
    assert again.result.metrics == first.result.metrics
    assert len((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("extra", ["matplotlib", "tensorboard"])
def test_what_shows_a_run_does_not_change_it(extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without figures, with and without TensorBoard: the same bytes."""
    pytest.importorskip(extra)
    _, _, net, _, data, *_ = classifier(tmp_path)
    how: dict[str, Any] = {"iterations": 4, "save_every": 2, "execution": HERE}
    monkeypatch.setattr("cspbench.training.run.monitor.SECONDS", 0.0)
    monkeypatch.setattr("cspbench.training.run.monitor.SHARE", 0)
    cspbench.train(net, data, tmp_path / "shown", tensorboard=extra == "tensorboard", **how)
    assert (tmp_path / "shown" / "loss.png").is_file()
    assert (tmp_path / "shown" / "tensorboard").is_dir() is (extra == "tensorboard")
    monkeypatch.setattr("cspbench.training.run.monitor.find_spec", lambda name: None)
    cspbench.train(net, data, tmp_path / "plain", **how)
    assert not (tmp_path / "plain" / "loss.png").exists()
    for name in ("net_final.weights", "checkpoint.safetensors", "log.jsonl"):
        assert (tmp_path / "shown" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_tensorboard_is_asked_for_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.training.run.scalars.find_spec", lambda name: None)
    _, _, net, _, data, *_ = classifier(tmp_path)
    with refuses("usage.no-tensorboard"):
        cspbench.train(net, data, tmp_path / "run", tensorboard=True, execution=HERE)
    assert not (tmp_path / "run").exists()


def test_a_log_has_averages_as_darknet_prints_them(tmp_path: Path) -> None:
    """Nine tenths of the earlier average and a tenth of the loss; at first the loss."""
    _, _, net, _, data, *_ = classifier(tmp_path)
    cspbench.train(net, data, tmp_path / "run", iterations=3, execution=HERE)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses, averages = ([line[key] for line in lines] for key in ("loss", "average"))
    assert averages[0] == losses[0]
    for before, loss, average in zip(averages, losses[1:], averages[1:], strict=False):
        assert average == pytest.approx(0.9 * before + 0.1 * loss, rel=1e-12)


def test_what_a_model_may_be(tmp_path: Path) -> None:
    (tmp_path / "net.text").write_text(CLASSIFIER)  # a Path is a cfg file, whatever its name
    assert darknets(tmp_path / "net.text").recipe.net.learning_rate == 0.02
    network = cfg.parse(CLASSIFIER, "csresnext50").network
    own = darknets(network)
    assert (own.network, own.recipe.net.max_batches, len(own.notes)) == (network, 0, 1)
    chosen = darknets(registry.model("csresnext50").build())
    assert (chosen.recipe.net.max_batches, chosen.notes) == (800_000, ())
    row = darknets("coco-loss:cspresnext50-panet-spp-512-giou", ["max=90"], 2, "head")
    last = row.recipe.layers[-1]
    assert isinstance(last, YoloRecipe)
    assert (last.max_boxes, row.recipe.untrained, row.era) == (90, 2, Era.HEAD)


def test_subdivisions_reach_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int]] = []

    def session_of(chosen: Any, data: Any, run: Any, options: Any, *more: Any) -> None:
        seen.append((options.fit, chosen.subdivisions))

    monkeypatch.setattr("cspbench.training.run.session.train", session_of)
    for wanted in ("auto", 4, None):
        cspbench.train("sample-csp-classifier", "data", subdivisions=wanted)
    assert seen == [(True, 1), (False, 4), (False, 1)]
