"""What `cspbench predict` prints: tables, JSON with provenance, COCO's result format."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import print_json, print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import BadImageError, printable
from cspbench.prediction.predictions import Classified, Detected, Prediction, coco_ids, coco_results

if TYPE_CHECKING:
    from cspbench.cli.inference.prediction_files import Files
    from cspbench.evaluation.execution import Execution
    from cspbench.prediction.pictures import Picture
    from cspbench.prediction.predictor import Predictor

SHOWN = 20
"""How many unreadable pictures are named; JSON names them all."""
KEYS = {
    Classified: ("image", "rank", "class", "score", "label", "wnid"),
    Detected: ("image", "class", "score", "left", "top", "width", "height"),
}


def finish(
    predictor: Predictor, pictures: Sequence[Picture], files: Files, form: str, execution: Execution, allow_bad: int
) -> None:
    """Predict, print, and write the files. Raises `BadImageError` for more unreadable pictures than `allow_bad`."""
    from cspbench.prediction.predictor import BoxPredictor

    files.check_class(predictor.labels.names, [str(wnid) for wnid in predictor.labels.ids or ()])
    listener = terminal()
    results: list[Prediction | BadImageError] = []
    with listener.progress(predictor.subject.name, len(pictures)) as reach:
        for result in predictor.predict(pictures):
            results.append(result)
            reach(len(results))
    bad = [result for result in results if isinstance(result, BadImageError)]
    if len(bad) == len(pictures) == 1 and not allow_bad:
        raise bad[0]
    usable = [result for result in results if not isinstance(result, BadImageError)]
    _print(predictor, usable, bad, form, execution)
    drawn = files.write(results, predictor.decoder, predictor.conf if isinstance(predictor, BoxPredictor) else 0.0)
    written = [f"drawn pictures: {drawn}"] if files.which is not None else []
    written += [f"label files: {len(usable)}"] if files.labels else []
    if written:
        listener.note(f"written to {files.folder}, {', '.join(written)}")
    for error in bad[:SHOWN]:
        listener.note(str(error))
    if len(bad) > allow_bad:
        raise BadImageError(
            "image.some-unreadable",
            "pictures could not be read",
            expected=f"at most {allow_bad} (--allow-bad)",
            found=f"{len(bad)} of {len(pictures)}",
            remedy="Replace or leave out these files, or use --allow-bad N",
        )


def _print(
    predictor: Predictor, usable: Sequence[Prediction], bad: Sequence[BadImageError], form: str, execution: Execution
) -> None:
    if form == "json":
        print_json(_document(predictor, usable, bad, execution))
    elif form == "coco":
        detected = [prediction for prediction in usable if isinstance(prediction, Detected)]
        several = [
            key for key, count in Counter(coco_ids([prediction.image for prediction in detected])).items() if count > 1
        ]
        if several:
            terminal().note(f"warning: {len(several)} image ids are of several pictures, the first: {several[0]}")
        lines = ",\n".join(json.dumps(prediction) for prediction in coco_results(detected))
        typer.echo(f"[\n{lines}\n]" if lines else "[]")
    elif usable:
        shared = _shared_folder([prediction.image for prediction in usable]) if form == "rich" else ""
        lines_of = [line for prediction in usable for line in _lines(prediction, form, shared)]
        if lines_of:
            print_table(lines_of, Format(form))
        else:
            typer.echo(",".join(KEYS[type(usable[0])]))


def _shared_folder(images: Sequence[str]) -> str:
    """The folder that all pictures lie in, which a terminal has no room for."""
    folders = [os.path.dirname(image) for image in images]
    return f"{folders[0]}{os.sep}" if folders[0] and len({*folders}) == 1 else ""


def _lines(prediction: Prediction, form: str, shared: str) -> list[dict[str, Any]]:
    """The lines of a table: one a class, or one a box; for people one of dashes for a picture without boxes."""
    md = form in ("md", "rich")
    keys, image = KEYS[type(prediction)], printable(prediction.image.removeprefix(shared))
    if isinstance(prediction, Classified):
        rows: list[tuple[Any, ...]] = [
            (image, rank, guess.name, f"{guess.score:.4f}" if md else guess.score, guess.label, guess.wnid)
            for rank, guess in enumerate(prediction.top, 1)
        ]
    else:
        rows = [
            (image, box.name, f"{box.score:.3f}", *(f"{value:.1f}" for value in box.bbox))
            if md
            else (image, box.name, box.score, *box.bbox)
            for box in prediction.boxes
        ]
        if md and not rows:
            rows = [(image, *(None,) * (len(keys) - 1))]
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _document(
    predictor: Predictor, usable: Sequence[Prediction], bad: Sequence[BadImageError], execution: Execution
) -> dict[str, Any]:
    import msgspec

    from cspbench.results import sessions

    subject = predictor.subject
    session = sessions.session(execution.command_line, device=str(predictor.engine.device), when=sessions.now())
    return {
        "model": subject.name,
        "network": subject.network_digest,
        "weights": subject.weights_digest,
        "weights_file": subject.weights_file,
        "preset": predictor.preset,
        "size": list(subject.size),
        "precision": execution.precision,
        "session": msgspec.to_builtins(session),
        "predictions": [prediction.as_json() for prediction in usable],
        "unreadable": [{"image": error.where, "found": error.found, "code": error.code} for error in bad],
    }
