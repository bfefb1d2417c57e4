"""Random checkpoints by structure: pickles whose operations mostly fit together, over the names that torch allows.

Random damage to a valid file seldom gives a pickle that is read to its end. Here whole values are put together:
nested, shared, containing themselves, as keys, as arguments of calls, with lengths that lie.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from random import Random

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
NAMES = (
    "stem.conv1.conv.weight",
    "stem.conv1.bn.bias",
    "stages.0.conv_exp.bn.bias",
    "head.fc.bias",
    "state_dict",
    "state_dict_ema",
    "model",
    "module.stem.conv1.bn.weight",
    "epoch",
    "",
    "\n\x1b[2J",
)
GLOBALS = (
    "collections OrderedDict",
    "collections Counter",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_parameter_with_state",
    "torch._utils _rebuild_sparse_tensor",
    "torch._utils _rebuild_meta_tensor_no_storage",
    "torch._utils _rebuild_qtensor",
    "torch._tensor _rebuild_from_type_v2",
    "torch.nn.parameter Parameter",
    "torch.storage UntypedStorage",
    "torch.serialization _get_layout",
    "torch FloatStorage",
    "torch HalfStorage",
    "torch ComplexFloatStorage",
    "torch FloatTensor",
    "torch Size",
    "torch Tensor",
    "torch device",
    "torch float32",
    "_codecs encode",
    "builtins bytearray",
    "builtins set",
    "builtins complex",
    "__builtin__ set",
    "argparse Namespace",
    "numpy.core.multiarray scalar",
    "numpy dtype",
    "pathlib PosixPath",
    "os system",
    "builtins eval",
)
DEPTHS = (1, 3, 30, 99, 101, 1_000, 20_000, 200_000)


class Programs:
    """Pickles that a seed determines."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.memo = 0
        self.careful = True  # no length lies, and all operations are of protocol 2

    def checkpoint(self) -> tuple[bytes, str]:
        """A file, and which of the two forms it has."""
        if self.random.random() < 0.5:
            return self._zip(), "zip"
        program = self.program()
        keys = [str(key) for key in range(3) if self.text(str(key)) in program or not self.careful]
        numbers = struct.pack("<Q", 64 if self.careful else self.random.choice((0, 4, 2**40))) + bytes(256)
        start = MAGIC + pickle.dumps({"little_endian": True}, 2)
        return start + program + pickle.dumps(keys, 2) + numbers * 3, "older"

    def _zip(self) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("archive/data.pkl", self.program())
            archive.writestr("archive/byteorder", b"little")
            for key in range(3):
                archive.writestr(f"archive/data/{key}", bytes(256 if self.careful else self.random.choice((0, 16))))
            archive.writestr("archive/version", b"3\n")
        return stream.getvalue()

    def program(self) -> bytes:
        """A pickle; now and then with an operation too many, or cut off."""
        self.memo = 0
        self.careful = self.random.random() < 0.8
        body = self.random.choice((self.state, self.state, self.value))(0)
        if not self.careful and self.random.random() < 0.3:
            at = self.random.randrange(len(body) + 1)
            body = body[:at] + bytes([self.random.randrange(256)]) + body[at:]
        if not self.careful and self.random.random() < 0.1:
            return body[: self.random.randrange(len(body) + 1)]
        return b"\x80" + bytes([2 if self.careful else self.random.choice((4, 5))]) + body + b"."

    def state(self, level: int) -> bytes:
        """A mapping such as a state dict."""
        start = self.random.choice((b"}", b"ccollections\nOrderedDict\n)R", b"ccollections\nOrderedDict\n)\x81"))
        entries = b"".join(
            self.key(level) + self.random.choice((self.tensor, self.value))(level + 1)
            for _ in range(self.random.randrange(4))
        )
        return start + b"(" + entries + b"u"

    def key(self, level: int) -> bytes:
        if self.random.random() < 0.9:
            return self.text(self.random.choice(NAMES))
        return self.random.choice((self.value, self.chain, self.shared))(level + 2)

    def tensor(self, level: int) -> bytes:
        kind = b"FloatStorage" if self.careful else self.random.choice((b"HalfStorage", b"LongStorage"))
        axes = self.random.choice((0, 1, 1, 2, 4))
        sizes = [self.random.choice((1, 2, 4)) for _ in range(2 * axes)]
        count, offset = 64, 0
        if not self.careful:
            count, offset = self.random.choice((0, 4, 2**40)), self.random.choice((3, 2**62))
            sizes = [self.random.choice((0, 4, 2**31, -1)) for _ in range(self.random.choice((2, 40)))]
        storage = b"(" + self.text("storage") + b"ctorch\n" + kind + b"\n" + self.text(str(self.random.randrange(3)))
        storage += self.text("cpu") + self.number(count) + b"tQ"
        shape, strides = (b"(" + b"".join(map(self.number, part)) + b"t" for part in (sizes[:axes], sizes[axes:]))
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + self.number(offset) + shape + strides + b"\x89NtR"

    def value(self, level: int) -> bytes:
        """Any value; deeper ones are simpler."""
        simple = (self.literal, self.literal, self.name, self.remembered)
        if level > 5:
            return self.random.choice(simple)(level)
        return self.random.choice(
            (*simple, self.tuples, self.items, self.state, self.tensor, self.call, self.built, self.chain, self.shared)
        )(level)

    def literal(self, level: int) -> bytes:
        r = self.random
        match r.randrange(10):
            case kind if self.careful and kind > 1:
                return self.text(r.choice(NAMES))
            case 0:
                return r.choice((b"N", b"\x88", b"\x89", b")", b"]", b"}"))
            case 1:
                return self.number(r.choice((0, -1, 2**31 - 1, 2**61 - 1, 2**200)))
            case 2:
                size = r.choice((1, 200, 5_000))
                return b"\x8b" + struct.pack("<i", size) + bytes(size - 1) + b"\x01"
            case 3:
                return b"G" + struct.pack(">d", r.choice((0.0, -1.5, float("nan"), float("inf"))))
            case 4:
                return b"\x8d" + struct.pack("<Q", r.choice((1, 2**31, 2**62, 2**64 - 1))) + b"a"
            case 5:
                return b"X" + struct.pack("<I", r.choice((1, 2**31, 2**32 - 1))) + b"a"
            case 6:
                return b"\x8e" + struct.pack("<Q", r.choice((1, 2**40))) + b"a"
            case 7:
                return b"U\x01a"
            case 8:
                return b"X\x03\x00\x00\x00\xed\xa0\x80"  # half of a pair of surrogates
            case _:
                return self.text(r.choice(NAMES) * r.choice((1, 1, 1_000)))

    def number(self, value: int) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    def text(self, value: str) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    def name(self, level: int) -> bytes:
        names = GLOBALS[: GLOBALS.index("_codecs encode")] if self.careful else GLOBALS
        module, name = self.random.choice(names).split()
        if not self.careful:
            return self.text(module) + self.text(name) + b"\x93"
        return f"c{module}\n{name}\n".encode()

    def remembered(self, level: int) -> bytes:
        if self.random.random() < 0.5:
            self.memo += 1
            return self.literal(level) + b"q" + bytes([self.memo % 256])
        return b"h" + bytes([self.random.randrange(self.memo + 1) % 256])

    def tuples(self, level: int) -> bytes:
        count = self.random.randrange(4)
        inside = b"".join(self.value(level + 1) for _ in range(count))
        return b"(" + inside + b"t" if self.random.random() < 0.5 or not count else inside + bytes([0x84 + count])

    def items(self, level: int) -> bytes:
        others = ((b"\x8f(", b"\x90"), (b"(", b"\x91"), (b"(", b"l"), (b"(", b"d"))
        start, end = (b"](", b"e") if self.careful else self.random.choice(others)
        return start + b"".join(self.value(level + 1) for _ in range(self.random.randrange(5))) + end

    def call(self, level: int) -> bytes:
        return self.name(level) + self.tuples(level + 1) + self.random.choice((b"R", b"\x81", b"Q"))

    def built(self, level: int) -> bytes:
        return self.random.choice((self.call, self.state, self.tensor))(level) + self.state(level + 1) + b"b"

    def chain(self, level: int) -> bytes:
        """One thing within another, deeply."""
        depth = self.random.choice(DEPTHS)
        before, after = self.random.choice(
            ((b"", b"\x85"), (b"", b"\x85"), (b"}X\x01\x00\x00\x00k", b"s"), (b"]", b"a"), (b"(", b"t"))
            if self.careful
            else ((b"(", b"l"), (b"}", b"Ns"), (b"(", b""))
        )
        return before * depth + b"N" + after * depth

    def shared(self, level: int) -> bytes:
        """Pairs of the same thing, again and again; a list or a dictionary in itself; a call of the same arguments."""
        at = bytes([self.random.randrange(200, 256)])
        again = b"q" + at + b"h" + at
        match self.random.randrange(4):
            case 0:
                return b"N" + (again + b"\x86") * self.random.choice((5, 26, 60, 50_000))
            case 1:
                return b"]" + again + b"a"
            case 2:
                return b"}q" + at + b"X\x01\x00\x00\x00kh" + at + b"s"
            case _:
                pairs = b"(" + b"](K\x01Ne" * self.random.choice((2, 20_000)) + b"l\x85q" + at + b"0"
                calls = self.random.choice((2, 20_000))
                return pairs + (b"ccollections\nOrderedDict\nh" + at + b"R0") * calls + b"N"
