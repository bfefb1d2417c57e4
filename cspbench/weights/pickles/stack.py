"""The stack on which a pickle's steps put their values: all of them inert, none called or hashed but text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cspbench.errors import brief
from cspbench.weights.pickles.names import ALLOWED, MAPPINGS, PACKAGES, PARAMETERS, STORAGES, TENSORS, TYPED
from cspbench.weights.pickles.tensors import Storage, StoredTensor

MOST_STEPS = 1_000_000
"""Operations of a pickle; a model of a thousand tensors, saved with its optimizer, has about two hundred thousand."""
DEEPEST = 100
"""Levels of lists, tuples and dictionaries; a trainer's checkpoint has about ten."""
LONGEST_NAME = 1024
"""Bytes of the name of a module, and of one in it."""


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a class or function."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Unread:
    """An object that is of no use here, of which only the name of its class or function is kept."""

    name: str


class Budget:
    """The operations that are left."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def spend(self, steps: int) -> None:
        """Raise `ValueError` if there are not so many left."""
        self._left -= steps
        if self._left < 0:
            raise ValueError(f"a pickle of more than {MOST_STEPS:,} operations")


class Stack:
    """The stack of a pickle that is being read; each step is a method named after its operation."""

    def __init__(self, storages: dict[str, Storage], budget: Budget) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages = storages
        self.budget = budget
        self.depths: dict[int, int] = {}
        self.containers: list[Any] = []  # kept alive, so that no two have the same id

    def push(self, container: Any, parts: Sequence[Any] = ()) -> None:
        """Push a new list, tuple or dictionary of these parts."""
        self.stack.append(container)
        self.containers.append(container)
        self.depths[id(container)] = 1
        if parts:
            self.nest(container, parts)

    def nest(self, container: Any, parts: Sequence[Any]) -> None:
        """Note how deep a container is with these new parts."""
        depth = max((self.depths.get(id(part), 0) for part in parts), default=0) + 1
        if depth > DEEPEST:
            raise ValueError(f"values nested more than {DEEPEST} levels deep")
        self.depths[id(container)] = max(depth, self.depths.get(id(container), 0))

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def constant(self, value: Any) -> None:
        self.stack.append(value)

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("a tuple of values that are not there")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.push(items, items)

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def tuple_from_mark(self) -> None:
        items = tuple(self.pop_mark())
        self.push(items, items)

    def list_from_mark(self) -> None:
        items = self.pop_mark()
        self.push(items, items)

    def dict_from_mark(self) -> None:
        items = self.pop_mark()
        self.push({})
        self.fill(items)

    def set_from_mark(self) -> None:
        self.pop_mark()
        self.stack.append(Unread("builtins.frozenset"))

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
            self.nest(target, items)
        elif type(target) is not Unread:
            raise ValueError(f"an operation on {kind_of(target)} that only a list has")

    def fill(self, items: list[Any]) -> None:
        """Put keys and values, in turn, into the dictionary on top."""
        target = self.stack[-1]
        if type(target) not in (dict, Unread) or len(items) % 2:
            raise ValueError(f"an operation on {kind_of(target)} that only a dictionary has")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is str:
                if type(target) is dict:
                    target[key] = value
            elif type(key) not in (int, Name):
                raise ValueError(f"{kind_of(key)} as a key")
        if type(target) is dict:
            self.nest(target, items[1::2])

    def append_one(self) -> None:
        self.append([self.stack.pop()])

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.fill([key, value])

    def add_items(self) -> None:
        self.pop_mark()
        if type(self.stack[-1]) is not Unread:
            raise ValueError(f"an operation on {kind_of(self.stack[-1])} that only a set has")

    def name(self, text: str) -> None:
        """Push a name; `ValueError` unless it is one of those that may occur."""
        if text not in ALLOWED and not text.startswith(PACKAGES):
            raise ValueError(f"unsupported name {brief(text, 80)}")
        self.stack.append(Name(text))

    def stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError("a name that is not text")
        self.name(f"{module[:LONGEST_NAME]}.{name[:LONGEST_NAME]}")

    def call(self) -> None:
        """Push what a call of the name below with the arguments on top stands for."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if type(called) is not Name or type(arguments) is not tuple:
            raise ValueError(f"a call of {kind_of(called)} with {kind_of(arguments)}")
        name = called.text
        if name == TYPED and len(arguments) > 2 and type(arguments[0]) is Name and type(arguments[2]) is tuple:
            name, arguments = arguments[0].text, arguments[2]  # not again: one class has one base
        if name in TENSORS and len(arguments) > 3:
            self.stack.append(StoredTensor.checked(*arguments[:4]))
        elif name in (*PARAMETERS, "torch.nn.parameter.Parameter") and arguments:
            self.stack.append(arguments[0])
        elif name in MAPPINGS:
            pairs = arguments[0] if arguments else []
            if type(pairs) is not list:
                raise ValueError(f"unsupported call of {name}")
            self.budget.spend(len(pairs))  # the same list may be copied again and again
            self.push({})
            self.fill([part for pair in pairs for part in _pair(pair)])
        elif name == "torch.Size" and len(arguments) == 1 and type(arguments[0]) is tuple:
            self.stack.append(arguments[0])
        elif name in STORAGES or name == "torch.storage.UntypedStorage":
            raise ValueError("a storage that is not in the file")
        elif name == "_codecs.encode" and (len(arguments) != 2 or arguments[1] != "latin1"):  # as bytes are written
            raise ValueError(f"unsupported call of {name}")
        else:
            self.stack.append(Unread(name))

    def build(self) -> None:
        """Drop the attributes on top: no use is made of any."""
        self.stack.pop()
        if type(self.stack[-1]) not in (dict, StoredTensor, Unread):
            raise ValueError(f"attributes of {kind_of(self.stack[-1])}")

    def persistent(self) -> None:
        """Push the storage that the tuple on top describes."""
        found = self.stack.pop()
        if type(found) is not tuple or not 5 <= len(found) <= 6:
            raise ValueError("a storage whose description is damaged")
        word, kind, key, place, count = found[:5]
        if (
            word != "storage"
            or type(kind) is not Name
            or kind.text not in STORAGES
            or not type(key) is type(place) is str
            or type(count) is not int
            or not 0 <= count < 2**60
            or found[5:] not in ((), (None,))
        ):
            raise ValueError("a storage of an unsupported kind")
        dtype = STORAGES[kind.text]
        storage = self.storages.setdefault(key, Storage(dtype, key, count))
        if (storage.dtype, storage.count) != (dtype, count):
            raise ValueError("two different storages of the same name")
        self.stack.append(storage)


def kind_of(value: Any) -> str:
    """What a value is, in a few words; never what is in it."""
    match value:
        case Unread(name=name) | Name(text=name):
            return brief(name, 80)
        case StoredTensor():
            return "a tensor"
        case Storage():
            return "a storage"
        case None:
            return "None"
        case _:
            return f"a {type(value).__name__}"


def _pair(pair: Any) -> tuple[Any, Any]:
    if type(pair) not in (list, tuple) or len(pair) != 2:
        raise ValueError("a dictionary of other than pairs")
    return pair[0], pair[1]
