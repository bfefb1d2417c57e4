"""The names of classes and functions that may occur in a checkpoint's pickle; none of them is ever looked up."""

from __future__ import annotations

from cspbench.weights.pickles.tensors import ITEM_SIZES

STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.QInt8Storage": "qint8",
    "torch.QUInt8Storage": "quint8",
    "torch.QInt32Storage": "qint32",
}
TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
"""What makes an ordinary tensor of (storage, offset, shape, strides, ...)."""
PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
"""What makes a parameter of (tensor, ...)."""
TYPED = "torch._tensor._rebuild_from_type_v2"
"""What makes a tensor with attributes, of (function, class, arguments, attributes)."""
MAPPINGS = ("collections.OrderedDict", "builtins.dict", "__builtin__.dict")
ALLOWED = {
    *TENSORS,
    *PARAMETERS,
    TYPED,
    *MAPPINGS,
    *STORAGES,
    *(f"torch.{dtype}" for dtype in ITEM_SIZES),
    *(f"torch.{name}" for name in ("Size", "Tensor", "device", "nn.parameter.Parameter", "serialization._get_layout")),
    *(f"torch.{name}" for name in ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "complex32")),
    *(
        f"torch._utils._rebuild_{name}"
        for name in (
            "tensor_v3",
            "sparse_tensor",
            "qtensor",
            "nested_tensor",
            "meta_tensor_no_storage",
            "wrapper_subclass",
            "device_tensor_from_numpy",
            "device_tensor_from_cpu_tensor",
        )
    ),
    "torch.storage.UntypedStorage",
    "argparse.Namespace",
    "collections.Counter",
    "collections.defaultdict",
    "collections.deque",
    "datetime.datetime",
    "datetime.timedelta",
    *(f"pathlib.{name}" for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("set", "frozenset", "list", "tuple", "int", "float", "bool", "str", "complex", "slice", "range")
    ),
    *("builtins.getattr", "__builtin__.getattr"),  # stands before a method's name, as in mmengine's history of losses
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct", "_frombuffer")
    ),
    "addict.addict.Dict",
    "easydict.EasyDict",
    "yacs.config.CfgNode",
}
"""Names that may occur; a checkpoint that names anything else is not a plain one, and is refused."""
PACKAGES = ("lightning.", "lightning_fabric.", "pytorch_lightning.", "mmengine.", "omegaconf.")
"""Packages of trainers and of their settings, any name of which may occur."""
