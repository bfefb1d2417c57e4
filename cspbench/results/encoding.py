"""Records as JSON in files, with the version of their schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

SCHEMA = 2
Record = TypeVar("Record", bound=Struct)


class _Versioned(Struct):
    schema: int | None = None
    run: _Versioned | None = None
    """Schema 1 had its number only in the run."""


class OldSchemaError(ValueError):
    """A record of schema 1, which `cspbench.results.migrate` reads."""


_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def encode(record: Struct | list[Any]) -> bytes:
    """A record as JSON, indented by one, with a final newline; equal records give equal bytes.

    Bytes of a name or an argument that are not UTF-8 are escaped.
    """
    try:
        data = _ENCODER.encode(record)
    except UnicodeEncodeError:
        data = _ENCODER.encode(_escaped(msgspec.to_builtins(record, builtin_types=(Decimal,))))
    return msgspec.json.format(data, indent=1) + b"\n"


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value


def decode(data: bytes, kind: type[Record]) -> Record:
    """The record in a file's bytes. Raises `OldSchemaError` for schema 1, `ValueError` for anything else."""
    try:
        versioned = msgspec.json.decode(data, type=_Versioned)
        schema = versioned.run.schema if versioned.schema is None and versioned.run else versioned.schema
        if schema is None:
            raise ValueError("Object missing required field `schema`")
        if schema != SCHEMA:
            raise (OldSchemaError if schema == 1 else ValueError)(f"schema {schema}, not {SCHEMA}")
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
