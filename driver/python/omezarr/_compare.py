"""A store's full size against what it was made from, bit by bit: verify(store, source=...), and verify="SOURCE" of a run."""

from __future__ import annotations

import itertools
import math
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _sources
from ._handles import Handle, Listener, raise_for, text
from ._model import Multiscales, NgffImage, is_dask
from ._native import ffi, lib

MOST_KEPT = 256 << 20  # bytes of blocks that a source has decoded, or computed


class _Planes(Listener):
    """The planes of a source as the comparison asks for them, one chunk of one after the other. Blocks of a source that
    decodes or computes more than that at once are kept for the next."""

    def __init__(self, image: NgffImage, progress: Callable[[float], Any] | None) -> None:
        super().__init__(progress)
        self.source, self.mask, self.dtype = image.source, image.mask, _sources.stored_dtype(image.dtype)
        self.is_yx = list(image.dims).index("y") < list(image.dims).index("x")
        self.blocks: OrderedDict[tuple[int, ...], np.ndarray[Any, Any]] = OrderedDict()
        self.edges: list[Any] | None = None
        block = _sources.block_of(self.source)
        if is_dask(self.source):
            self.edges = [np.cumsum([0, *sizes]) for sizes in self.source.chunks]
        elif block is not None:
            self.edges = [np.append(np.arange(0, n, b), n) for n, b in zip(self.source.shape, block)]

    def pixels(self, key: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        if self.edges is None:
            return _sources.region(self.source, key, self.dtype)
        found = np.empty([k.stop - k.start for k in key], self.dtype)
        met = [range(int(np.searchsorted(e, k.start, "right")) - 1, int(np.searchsorted(e, k.stop, "left")))
               for e, k in zip(self.edges, key)]
        for index in itertools.product(*met):
            first = [int(e[i]) for e, i in zip(self.edges, index)]
            block = self._block(index)
            common = [slice(max(k.start, f), min(k.stop, f + n)) for k, f, n in zip(key, first, block.shape)]
            found[tuple(slice(c.start - k.start, c.stop - k.start) for c, k in zip(common, key))] = \
                block[tuple(slice(c.start - f, c.stop - f) for c, f in zip(common, first))]
        return found

    def _block(self, index: tuple[int, ...]) -> np.ndarray[Any, Any]:
        assert self.edges is not None
        if index not in self.blocks:
            block = self.source[tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(self.edges, index))]
            self.blocks[index] = _sources.as_pixels(block.compute() if is_dask(block) else block, self.dtype)
            while len(self.blocks) > 1 and sum(b.nbytes for b in self.blocks.values()) > MOST_KEPT:
                self.blocks.popitem(last=False)
        self.blocks.move_to_end(index)
        return self.blocks[index]

    def valid(self, y: slice, x: slice) -> np.ndarray[Any, Any]:
        valid: np.ndarray[Any, Any] = np.asarray(self.mask[(y, x) if self.is_yx else (x, y)]) != 0
        return valid


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_source_read(user: Any, origin: Any, extent: Any, pixels: Any) -> int:
    planes = ffi.from_handle(user)
    try:
        rank = len(planes.source.shape)
        key = tuple(slice(origin[i], origin[i] + extent[i]) for i in range(rank))
        found = np.ascontiguousarray(planes.pixels(key))
        ffi.memmove(pixels, found, found.nbytes)
    except BaseException as error:
        planes.failure = error
        return int(lib.NGFF_E_STORAGE)
    return 0


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_source_mask(user: Any, origin: Any, extent: Any, mask: Any) -> int:
    planes = ffi.from_handle(user)
    try:
        found = planes.valid(slice(origin[0], origin[0] + extent[0]), slice(origin[1], origin[1] + extent[1]))
        ffi.memmove(mask, np.ascontiguousarray(found, np.uint8), found.size)
    except BaseException as error:
        planes.failure = error
        return int(lib.NGFF_E_STORAGE)
    return 0


def difference(reader: Any, image: NgffImage, progress: Callable[[float], Any] | None = None, threads: int = 0) -> str:
    """Where the first pixel or mask value lies that a store (ngff_reader) has not as the image has it; "" if there is none.
    The image has the store's axes, shape and type."""
    planes = _Planes(image, progress)
    calls = ffi.new("ngff_source_calls *", {
        "read": lib.omezarr_source_read, "read_mask": ffi.NULL if image.mask is None else lib.omezarr_source_mask,
        "progress": lib.omezarr_progress, "user": planes.handle})
    at, error = ffi.new("int64_t[]", len(image.shape)), ffi.new("char[]", 1024)
    status = lib.ngff_reader_compare(reader, calls, threads or os.cpu_count() or 1, at, error, len(error))
    if planes.failure:
        raise planes.failure
    if status < 0:
        raise_for(status, text(error))
    if status == 0:
        return ""
    shown = [f"{d}={n}" for d, n in zip(image.dims, at) if status == lib.NGFF_DIFFERENT_PIXEL or d in "yx"]
    return f"{', '.join(shown)}: the store has not the source's {'pixel' if status == lib.NGFF_DIFFERENT_PIXEL else 'mask'}"


def difference_of_store(handle: Handle, source: Any, progress: Callable[[float], Any] | None, threads: int) -> str:
    """The same for a store and any source: an NgffImage with its axes in any order, Multiscales, or an array with the axes
    of the store."""
    dims = tuple(handle.text("dims"))
    image = source.images[0] if isinstance(source, Multiscales) else source
    if not isinstance(image, NgffImage):
        image = NgffImage(_sources.as_source(image), dims, {}, {})
    if sorted(image.dims) != sorted(dims):
        return f"the source has the axes {', '.join(image.dims)}, the store {', '.join(dims)}"
    order = [list(image.dims).index(d) for d in dims]
    image = NgffImage(_sources.transposed(image.source, order), dims, {}, {}, mask=image.mask)
    shape = handle.integers("level_shape", len(dims), 0)
    if shape != image.shape:
        return f"the source has {' x '.join(map(str, image.shape))} pixels, the store {' x '.join(map(str, shape))}"
    stored = _sources.TYPE_NAMES[handle.value("data_type")]
    if _sources.stored_dtype(image.dtype).name != stored:
        return f"the source has pixels of type {image.dtype}, the store {stored}"
    if math.prod(image.shape) == 0:
        return ""
    return difference(handle.pointer, image, progress, threads)
