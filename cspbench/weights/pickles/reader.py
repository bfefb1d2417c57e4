"""Pickles read without building what they describe: nothing is imported, called or hashed but text.

torch's own reader of checkpoints (`weights_only=True`) calls a list of functions and builds what a pickle asks for. A
few bytes are then enough for a tuple nested so deeply, or shared so often, that its hash never ends or overflows the
stack. Here a pickle's steps are followed with inert values: tensors become descriptions, and objects of other classes
only their names.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from typing import Any

from cspbench.weights.pickles.stack import LONGEST_NAME, Budget, Stack, Unread
from cspbench.weights.pickles.tensors import Storage

LONGEST_NUMBER = 1024
"""Bits of a whole number; the state of a random generator has up to 128."""


class _Lines(io.BytesIO):
    """Bytes whose lines have an end."""

    def readline(self, size: int | None = -1, /) -> bytes:
        return super().readline(LONGEST_NAME)


class InertPickles:
    """Reads pickles that follow one another in `data`; together they may have `MOST_STEPS` operations.

    `read` gives text, numbers, None, lists, tuples, dictionaries by text, `StoredTensor`, `Storage`, `Name` and
    `Unread`; it raises `ValueError`, or another `Exception` for a pickle that is damaged. Entries of dictionaries whose
    keys are numbers or classes are left out, and keys of any other type refused.
    """

    def __init__(self, data: bytes) -> None:
        self._stream = _Lines(data)
        self._budget = Budget()
        self.storages: dict[str, Storage] = {}

    @property
    def position(self) -> int:
        """Where the next pickle begins."""
        return self._stream.tell()

    def read(self) -> Any:
        """The next pickle's value."""
        run = Stack(self.storages, self._budget)
        for operation, argument, _ in pickletools.genops(self._stream):
            self._budget.spend(1)
            name = operation.name
            if name in _LITERALS:
                if type(argument) is int and argument.bit_length() > LONGEST_NUMBER:
                    raise ValueError("a number of too many digits")
                run.stack.append(argument)
            else:
                step = _STEPS.get(name)
                if step is None:
                    raise ValueError(f"unsupported operation {name}")
                step(run, argument)
        return run.stack.pop()


_LITERALS = frozenset(
    "BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES "
    "BINBYTES8 SHORT_BINSTRING BINSTRING".split()
)


def _ignore(run: Stack, argument: Any) -> None:
    """Of no effect here: the version, the length of a frame."""


_STEPS: dict[str, Callable[[Stack, Any], object]] = {
    "PROTO": _ignore,
    "FRAME": _ignore,
    "STOP": _ignore,
    "NONE": lambda run, _: run.constant(None),
    "NEWTRUE": lambda run, _: run.constant(True),
    "NEWFALSE": lambda run, _: run.constant(False),
    "EMPTY_TUPLE": lambda run, _: run.constant(()),
    "EMPTY_LIST": lambda run, _: run.push([]),
    "EMPTY_DICT": lambda run, _: run.push({}),
    "EMPTY_SET": lambda run, _: run.constant(Unread("builtins.set")),
    "MARK": lambda run, _: run.mark(),
    "POP": lambda run, _: run.stack.pop(),
    "POP_MARK": lambda run, _: run.pop_mark(),
    "TUPLE": lambda run, _: run.tuple_from_mark(),
    "TUPLE1": lambda run, _: run.tuple_of(1),
    "TUPLE2": lambda run, _: run.tuple_of(2),
    "TUPLE3": lambda run, _: run.tuple_of(3),
    "LIST": lambda run, _: run.list_from_mark(),
    "DICT": lambda run, _: run.dict_from_mark(),
    "FROZENSET": lambda run, _: run.set_from_mark(),
    "BINGET": lambda run, index: run.get(index),
    "LONG_BINGET": lambda run, index: run.get(index),
    "BINPUT": lambda run, index: run.put(index),
    "LONG_BINPUT": lambda run, index: run.put(index),
    "MEMOIZE": lambda run, _: run.memoize(),
    "APPEND": lambda run, _: run.append_one(),
    "APPENDS": lambda run, _: run.append(run.pop_mark()),
    "SETITEM": lambda run, _: run.set_item(),
    "SETITEMS": lambda run, _: run.fill(run.pop_mark()),
    "ADDITEMS": lambda run, _: run.add_items(),
    "GLOBAL": lambda run, text: run.name(text.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda run, _: run.stack_name(),
    "REDUCE": lambda run, _: run.call(),
    "NEWOBJ": lambda run, _: run.call(),
    "BUILD": lambda run, _: run.build(),
    "BINPERSID": lambda run, _: run.persistent(),
}
