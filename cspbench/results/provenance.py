"""How a measured number was made: command, program, data, weights and preset, in words for reports."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from cspbench.claims.model import Row, Table
from cspbench.results import protocol
from cspbench.results.schema import Data, Run, Scored, Scoring, Session
from cspbench.results.sessions import program
from cspbench.results.store import StoredEvaluation
from cspbench.zoo.registry import provenance as of_model


@dataclass(frozen=True)
class Provenance:
    """How a measured number was made; None for what does not apply."""

    command: str
    """Quoted for a shell."""
    version: str
    """Of cspbench."""
    commit: str | None = None
    when: str | None = None
    """UTC, ISO 8601; of an evaluation's first session."""
    counting: str | None = None
    definition: str | None = None
    """Where the network's definition comes from: "cfg", "reconstruction, high", ..."""
    weights: str | None = None
    """The digest of the weights' arrays, and whether there was a published one to compare it with."""
    data: str | None = None
    """"val2017, 5000 images, sha256 ...": what it was measured on."""
    preset: str | None = None
    """With overridden fields: "readme with conf 0.3, NMS 0.6 default"."""
    precision: str | None = None
    run: str | None = None
    """The run's name."""
    sessions: tuple[str, ...] = ()
    """The later sessions: when, version, command."""
    scored: str | None = None
    """The program that computed the number from the predictions, where it is not the one that predicted."""


def of_evaluation(
    evaluation: StoredEvaluation, table: Table, row: Row, preset: str, scoring: Scoring | None, number: str
) -> Provenance:
    """How the number of that name (as of `Scored.numbers`) was made."""
    run = evaluation.run
    first, *later = run.sessions
    return Provenance(
        shlex.join(first.command),
        first.cspbench,
        first.commit,
        when=first.when or None,
        definition=of_model(run.identity.model),
        weights=protocol.weights_text(row, run),
        data=_data(table, run.identity.data),
        preset=preset,
        precision=run.identity.precision,
        run=evaluation.name,
        sessions=tuple(_session(session) for session in later),
        scored=_scored(run, scoring, number),
    )


def _session(session: Session | Scored) -> str:
    return f"{session.when or 'unknown time'}, {program(session)}: {shlex.join(session.command)}"


def _scored(run: Run, scoring: Scoring | None, number: str) -> str | None:
    """Who scored that number last and when, unless it was a command that predicted."""
    last = _last(run, number)
    if last is not None:
        predicted = {(program(session), *session.command) for session in run.sessions}
        return None if (program(last), *last.command) in predicted else _session(last)
    if scoring is None or {program(session) for session in run.sessions} == {program(scoring)}:
        return None
    return program(scoring)


def scored_by(run: Run, number: str) -> str | None:
    """When, by which program and command that number was computed; None where nobody knows."""
    last = _last(run, number)
    return None if last is None else _session(last)


def _last(run: Run, number: str) -> Scored | None:
    return next((scored for scored in reversed(run.scored) if number in scored.numbers), None)


def _data(table: Table, data: Data) -> str:
    """The images in words: "val2017, 50 of 5000 images drawn with seed 0, sha256 ..."."""
    place = "the drawn sample" if table.kind == "sample" else data.split or data.kind
    part = f"{data.limit} of {data.images}" if data.limit is not None else f"{data.images}"
    seed = f" drawn with seed {data.seed}" if data.seed is not None else ""
    return f"{place}, {part} images{seed}" + (f", sha256 {data.sha256}" if data.sha256 else "")
