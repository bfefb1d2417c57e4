"""Small evaluations, and what they give when nothing disturbs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.commands import Evaluation, Warm, classifier, contents, detector


@dataclass(frozen=True)
class Undisturbed:
    """An evaluation, and the files that it ends with."""

    evaluation: Evaluation
    files: dict[str, bytes]


def _undisturbed(evaluation: Evaluation, warm: Warm, folder: Path) -> Undisturbed:
    warm.done(evaluation.arguments(), folder)
    return Undisturbed(evaluation, contents(folder))


@pytest.fixture(scope="session")
def classified(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("classified")
    return _undisturbed(classifier(folder), warm, folder)


@pytest.fixture(scope="session")
def detected(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("detected")
    return _undisturbed(detector(folder), warm, folder)
