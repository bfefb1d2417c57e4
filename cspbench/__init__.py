"""cspbench checks the published numbers of the Cross Stage Partial Networks (CSPNet) tables.

    import cspbench

    tables = cspbench.load_tables(dataframe=True)
    result = cspbench.evaluate_imagenet("csdarknet53", "/data/imagenet/val", weights="csdarknet53.weights")
    result.frame()

Each name is imported when it is first used; `import cspbench` alone imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "analyze",
    "compare",
    "count",
    "create_model",
    "evaluate_coco",
    "evaluate_imagenet",
    "export_model",
    "inference_model",
    "list_models",
    "load_tables",
    "measure_speed",
    "predict",
    "score",
    "train",
]

if TYPE_CHECKING:
    from cspbench.evaluation.analysis.analyze import analyze
    from cspbench.evaluation.coco import evaluate_coco
    from cspbench.evaluation.compare import compare
    from cspbench.evaluation.counts import count
    from cspbench.evaluation.frames import load_tables
    from cspbench.evaluation.imagenet import evaluate_imagenet
    from cspbench.evaluation.score import score
    from cspbench.export.run import export_model
    from cspbench.models.create import create_model, list_models
    from cspbench.prediction.predict import inference_model, predict
    from cspbench.speed.measure_speed import measure_speed
    from cspbench.training.train import train

_HOMES = {
    "analyze": "evaluation.analysis.analyze",
    "compare": "evaluation.compare",
    "count": "evaluation.counts",
    "create_model": "models.create",
    "evaluate_coco": "evaluation.coco",
    "evaluate_imagenet": "evaluation.imagenet",
    "export_model": "export.run",
    "inference_model": "prediction.predict",
    "list_models": "models.create",
    "load_tables": "evaluation.frames",
    "measure_speed": "speed.measure_speed",
    "predict": "prediction.predict",
    "score": "evaluation.score",
    "train": "training.train",
}
"""The modules that the names come from."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
