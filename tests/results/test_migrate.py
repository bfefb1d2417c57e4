"""Documents of schema 1 become documents of schema 2, and nothing of them is lost or guessed."""

from __future__ import annotations

import hashlib
from dataclasses import field, make_dataclass, replace
from typing import Any

import pytest
import schema1
from schema1 import CLASSIFIER, CLASSIFIER_FILE, DETECTOR

from cspbench.errors import MigrationError
from cspbench.network.layers import Convolution, Dropout, Route
from cspbench.network.network import Network, digest
from cspbench.results import migrate
from cspbench.results.migrate import Known, _digest_v1
from cspbench.weights.catalogue import known_arrays
from cspbench.zoo.registry import MODELS

ARRAYS = f"arrays:{known_arrays('sample-csp-classifier')}"
NOW = digest(MODELS["sample-csp-classifier"].build())
SMALL = Network("small", (3, 8, 9), (Convolution(sources=(-1,), filters=4), Route(sources=(0,))))
WRITTEN = (
    "((3, 8, 9), False, (Convolution(sources=(-1,), filters=4, size=1, stride=(1, 1), padding=0, groups=1, dilation=1, "
    "batch_normalize=True, bias=True, activation='leaky', antialiasing=0, share=None), "
    "Route(sources=(0,), groups=1, group_id=0)))"
)
"""What schema 1 made a digest of, written down by hand."""


def test_the_old_digest_is_what_it_was() -> None:
    assert _digest_v1(SMALL) == hashlib.sha256(WRITTEN.encode()).hexdigest()
    single = replace(SMALL, layers=SMALL.layers[:1])
    text = WRITTEN.replace(", Route(sources=(0,), groups=1, group_id=0)", ",")
    assert _digest_v1(single) == hashlib.sha256(text.encode()).hexdigest()
    assert _digest_v1(MODELS["sample-csp-classifier"].build()) == CLASSIFIER
    assert _digest_v1(MODELS["sample-csp-detector"].build()) == DETECTOR


def test_the_old_digest_knows_every_layer() -> None:
    assert all(_digest_v1(model.build()) for model in MODELS.values())
    drop = (Dropout(sources=(-1,), probability=0.25),)
    text = "((3, 8, 9), True, (Dropout(sources=(-1,), probability=0.25),))"
    assert _digest_v1(replace(SMALL, layers=drop, letter_box=True)) == hashlib.sha256(text.encode()).hexdigest()


def test_a_network_that_schema_1_could_not_say_has_no_old_digest() -> None:
    extended = make_dataclass(
        "Other", [("dropblock", float, field(default=0.0))], bases=(Convolution,), frozen=True, kw_only=True
    )
    new = type("New", (Convolution,), {"kind": "new"})
    same, used, unknown = (
        replace(SMALL, layers=(layer, SMALL.layers[1]))
        for layer in (
            extended(sources=(-1,), filters=4),
            extended(sources=(-1,), filters=4, dropblock=0.1),
            new(sources=(-1,), filters=4),
        )
    )
    assert _digest_v1(same) == _digest_v1(SMALL)
    assert _digest_v1(used) is _digest_v1(unknown) is None


def test_counts() -> None:
    old = schema1.counts(schema1.row(), schema1.row(model=None, size=None, network=None, id="b"))
    new = migrate.counts(old, Known())
    assert new == {**old, "schema": 2, "rows": [{**old["rows"][0], "network": NOW}, old["rows"][1]]}
    assert old["rows"][0]["network"] == CLASSIFIER
    assert migrate.counts(new, Known()) == new


def test_counts_without_networks_as_the_first_versions_wrote_them() -> None:
    line = schema1.row()
    del line["network"]
    assert migrate.counts(schema1.counts(line), Known())["rows"] == [line]


def test_a_run_and_its_metrics() -> None:
    old = schema1.run()
    new = migrate.run(old, Known())
    identity = {**old["identity"], "definition": NOW, "weights": ARRAYS}
    assert new == {**old, "schema": 2, "identity": identity, "weights_file": CLASSIFIER_FILE}
    scored = migrate.metrics(schema1.metrics(old), Known())
    assert scored == {**schema1.metrics(old), "identity": identity}
    assert migrate.metrics(scored, Known()) == scored  # one that was interrupted goes on
    assert migrate.evaluation({"run": old, "metrics": schema1.metrics(old)}, Known()) == {"run": new, "metrics": scored}
    assert migrate.evaluation({"run": old, "metrics": None}, Known()) == {"run": new, "metrics": None}


def test_weights_that_only_their_file_tells_stay_so() -> None:
    new = migrate.run(schema1.run(weights="c" * 64), Known())
    assert (new["identity"]["weights"], new["weights_file"]) == (f"file:{'c' * 64}", "c" * 64)


def test_a_run_at_another_size() -> None:
    sized = MODELS["sample-csp-classifier"].build().resized(96, 64)
    new = migrate.run(schema1.run(size=[96, 64], definition=_digest_v1(sized)), Known())
    assert new["identity"]["definition"] == digest(sized)


@pytest.mark.parametrize(
    "changes",
    [{"definition": "e" * 64}, {"size": [88, 96]}, {"model": "no such model"}, {"model": "sample-csp-detector"}],
)
def test_an_unknown_network_is_refused_or_stays_an_old_one(changes: dict[str, Any]) -> None:
    old = schema1.run(**changes)
    with pytest.raises(MigrationError) as refused:
        migrate.run(old, Known())
    assert refused.value.found == old["identity"]["definition"]
    new = migrate.run(old, Known(strict=False))
    assert new["identity"]["definition"] == f"v1:{old['identity']['definition']}"


def test_a_network_of_a_cfg() -> None:
    old = schema1.run(model="mine", file=True, size=[6, 6], definition=_digest_v1(SMALL.resized(6, 6)))
    new = migrate.run(old, Known([SMALL]))
    assert new["identity"]["definition"] == digest(SMALL.resized(6, 6))
    with pytest.raises(MigrationError):
        migrate.run(old, Known([replace(SMALL, letter_box=True)]))


@pytest.mark.parametrize("schema", [0, 3, None, "1", True, 1.0])
def test_another_schema_is_refused(schema: Any) -> None:
    for read, document in ((migrate.counts, schema1.counts()), (migrate.run, schema1.run())):
        with pytest.raises(MigrationError):
            read({**document, "schema": schema}, Known())
