"""Where pixels come from: any array becomes one of three kinds, and each kind is read region by region.

    in memory   numpy itself, or a view of what offers DLPack, __array_interface__ or __array__; never copied
    dask        computed block by block (_write.py)
    sliceable   zarr, h5py, tensorstore, xarray ...: has shape, dtype and [...], and only regions of it are taken
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._handles import OptionError, WrongTypeError
from ._model import is_dask
from ._native import ffi, lib

# Names in numpy, numbers in ngff.h.
TYPE_NAMES: dict[int, str] = {}
while (_name := lib.ngff_type_name(len(TYPE_NAMES) + lib.NGFF_UINT8)) != ffi.NULL:
    TYPE_NAMES[len(TYPE_NAMES) + lib.NGFF_UINT8] = ffi.string(_name).decode()
TYPES = {name: number for number, name in TYPE_NAMES.items()}


def stored_dtype(dtype: Any) -> np.dtype[Any]:
    """The type of the stored pixels, in this machine's byte order. bool is stored as uint8, 0 and 1."""
    given: np.dtype[Any] = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    if given == np.bool_:
        return np.dtype(np.uint8)
    native = given.newbyteorder("=")
    if native.name not in TYPES:
        raise WrongTypeError(f"pixels of type {given} cannot be stored; convert them to one of {', '.join(TYPES)}, bool")
    return native


def _in_memory(data: Any) -> np.ndarray[Any, Any]:
    if getattr(data, "requires_grad", False):  # a torch tensor that is being trained on
        data = data.detach()
    if hasattr(data, "__array_interface__"):
        return np.asarray(data)
    if hasattr(data, "__dlpack__"):
        try:
            on_host = data.__dlpack_device__()[0] in (1, 3)  # CPU, and CUDA's host memory
            return np.from_dlpack(data) if on_host else np.from_dlpack(data, device="cpu", copy=True)
        except (BufferError, RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            if hasattr(data, "get"):  # CuPy
                return np.asarray(data.get())
            if not hasattr(data, "__array__"):
                raise WrongTypeError(f"the pixels of {type(data).__module__}.{type(data).__name__} "
                                f"({getattr(data, 'dtype', 'unknown type')}) cannot be taken: {error}") from error
    return np.asarray(data)


class Transposed:
    """A sliceable array with its axes in another order; only regions are moved."""

    def __init__(self, source: Any, order: Sequence[int]) -> None:
        self.source, self.order = source, tuple(order)
        self.shape = tuple(source.shape[i] for i in order)
        self.dtype, self.ndim = source.dtype, len(self.shape)
        blocks = getattr(source, "chunks", None)
        self.chunks = tuple(blocks[i] for i in order) if blocks else None

    def __getitem__(self, key: Any) -> Any:
        inner: list[Any] = [slice(None)] * self.ndim
        for k, axis in zip(key, self.order):
            inner[axis] = k
        return np.transpose(np.asarray(self.source[tuple(inner)]), self.order)


def as_source(data: Any) -> Any:
    """numpy, dask, or something sliceable."""
    if is_dask(data):
        return data
    if isinstance(data, np.ma.MaskedArray):
        return data.data
    if isinstance(data, np.ndarray):
        return data if isinstance(data, np.memmap) else data.view(np.ndarray)
    has_memory = hasattr(data, "__array_interface__") or hasattr(data, "__dlpack__")
    if not has_memory and all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__")):
        return data
    return _in_memory(data)


def transposed(source: Any, order: Sequence[int]) -> Any:
    if list(order) == list(range(len(order))):
        return source
    return source.transpose(order) if is_dask(source) or isinstance(source, np.ndarray) else Transposed(source, order)


def block_of(source: Any) -> tuple[int, ...] | None:
    """The box that a source decodes at once, if it says so."""
    if is_dask(source):
        return tuple(int(n) for n in source.chunksize)
    chunks = getattr(source, "chunks", None)
    if isinstance(chunks, tuple) and len(chunks) == len(source.shape) and all(isinstance(n, int) and n > 0 for n in chunks):
        return tuple(min(n, int(size)) for n, size in zip(chunks, source.shape))
    return None


def region(source: Any, key: tuple[slice, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The pixels of a region as the library takes them."""
    return as_pixels(source[key], dtype)


def as_pixels(block: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if isinstance(block, np.ma.MaskedArray):
        if block.mask is not np.ma.nomask and block.mask.any():
            raise OptionError("blocks of the array are masked, and a block cannot say so to the others: give "
                              "numpy.ma.getdata() of the array, and the valid pixels as the image's mask")
        block = block.data
    pixels = _in_memory(block) if not isinstance(block, np.ndarray) else block
    return pixels.astype(dtype, copy=False)


def plane_mask(mask: Any, dims: Sequence[str]) -> np.ndarray[Any, Any] | None:
    """A numpy mask (true: invalid) as the library has it: valid pixels over (y, x), the same for all channels and planes."""
    if mask is np.ma.nomask or not np.any(mask):
        return None
    plane = np.asarray(mask)
    others = [i for i, d in enumerate(dims) if d not in "yx"]
    first = plane[tuple(slice(0, 1) if i in others else slice(None) for i in range(plane.ndim))]
    if (plane != first).any():
        raise OptionError("the mask differs between channels or planes, and a store has one for all of them: give "
                          "data.filled(value), or one mask over y and x")
    plane = first.reshape([n for i, n in enumerate(first.shape) if i not in others])
    if list(dims).index("x") < list(dims).index("y"):
        plane = plane.T
    return ~plane


def fingerprint(source: Any) -> str:
    """What tells a source from another: for RESUME."""
    head = f"{tuple(source.shape)} {source.dtype} "
    if is_dask(source):
        return head + str(source.name)
    if isinstance(source, np.ndarray):
        digest = hashlib.blake2b(digest_size=16)
        for plane in source if source.ndim > 2 else [source]:
            digest.update(np.ascontiguousarray(plane).data)
        return head + digest.hexdigest()
    return head + repr(source)


# -- xarray --------------------------------------------------------------------------------------------------------

# What others call our axes.
_xarray_dims = {"time": "t", "channel": "c", "band": "c", "lat": "y", "latitude": "y", "lon": "x", "longitude": "x"}


def is_xarray(data: Any) -> bool:
    return hasattr(data, "dims") and hasattr(data, "coords") and hasattr(data, "variable")


class FromXarray:
    """A DataArray taken apart: its source, dims, and what its coordinates say of scale, translation, units, channels."""

    def __init__(self, data: Any) -> None:
        variable = data.variable
        if variable.chunks is not None:
            self.source = variable.data
        elif getattr(variable, "_in_memory", True):
            self.source = as_source(variable.data)
        else:
            self.source = variable  # read from its file region by region
        self.dims = tuple(_xarray_dims.get(str(d), str(d)) for d in data.dims)
        self.name = str(data.name) if data.name is not None else "image"
        self.scale: dict[str, float] = {}
        self.translation: dict[str, float] = {}
        self.units: dict[str, str] = {}
        self.channel_names: list[str] | None = None
        for theirs, ours in zip(data.dims, self.dims):
            if theirs in data.coords and data.coords[theirs].dims == (theirs,):
                self._take(ours, data.coords[theirs])

    def _take(self, dim: str, coordinate: Any) -> None:
        values = coordinate.values
        if dim == "c":
            if values.dtype.kind in "US" or values.dtype == object:
                self.channel_names = [str(v) for v in values]
            return
        if values.dtype.kind not in "iuf":
            warnings.warn(f"coordinate {coordinate.name} of type {values.dtype} is no number: axis {dim} counts pixels",
                          stacklevel=5)
            return
        self.translation[dim] = float(values[0])
        if len(values) > 1:
            step = float((values[-1] - values[0]) / (len(values) - 1)) if values.dtype.kind == "f" else (
                (int(values[-1]) - int(values[0])) / (len(values) - 1))
            if step <= 0:
                raise OptionError(f"coordinate {coordinate.name} falls, and a scale is above 0: turn the array round, "
                                  f"data.isel({coordinate.name}=slice(None, None, -1)), or give scale and translation")
            if not np.allclose(np.diff(values.astype(float)), step, rtol=1e-3, atol=0):
                warnings.warn(f"the steps of coordinate {coordinate.name} differ: axis {dim} gets their mean, {step}",
                              stacklevel=5)
            self.scale[dim] = step
        if "units" in coordinate.attrs:
            self.units[dim] = str(coordinate.attrs["units"])
