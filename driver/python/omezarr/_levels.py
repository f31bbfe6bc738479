"""Levels as arrays that are sliced: each [...] reads what it names, and no more. They pickle as a path, so dask's workers open
the store themselves."""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import Any, Protocol

import numpy as np

from ._handles import Handle, integers, raise_for, strings, text
from ._native import ffi, lib
from ._places import Place


class Store:
    """An open image of a store; one per process and place, however often it is asked for."""

    _open: weakref.WeakValueDictionary[tuple[Any, ...], Store] = weakref.WeakValueDictionary()
    _lock = threading.Lock()

    def __init__(self, place: Place, part: str, options: tuple[str, ...]) -> None:
        self.place, self.part, self.options = place, part, options
        pointer, texts = strings(options)
        opened = lib.ngff_reader_open_part(place.path.encode(), part.encode() or ffi.NULL, pointer)
        self.handle = Handle("reader", opened, place)
        del texts

    def open(self) -> Store:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return open_again, (self.place, self.part, self.options)


def open_again(place: Place, part: str, options: tuple[str, ...]) -> Store:
    """What a pickled store becomes in another process."""
    key = (os.getpid(), place.key, part, options)
    with Store._lock:
        store = Store._open.get(key)
        if store is None:
            store = Store._open[key] = Store(place, part, options)
        return store


class Opens(Protocol):
    def open(self) -> Store: ...


class Level:
    """One level: shape, dtype, ndim, chunks, and [...] with integers, slices and Ellipsis, which gives a numpy array.

    np.asarray(level) reads all of it."""

    def __init__(self, owner: Opens, number: int, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any,
                 is_mask: bool = False, n_threads: int = 0) -> None:
        self.owner, self.number, self.is_mask = owner, number, is_mask
        self.shape, self.chunks, self.dtype = tuple(shape), tuple(chunks), np.dtype(dtype)
        self.n_threads = n_threads

    @property
    def is_to_be_made(self) -> bool:
        """True if no store has it yet, so that looking at it makes all levels."""
        return not isinstance(self.owner, Store)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(int(n) for n in self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)

    def one_thread(self) -> Level:
        """The same for callers that have threads of their own."""
        return Level(self.owner, self.number, self.shape, self.chunks, self.dtype, self.is_mask, 1)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<omezarr level {self.number}, shape {self.shape}, {self.dtype}, chunks {self.chunks}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("a level is read from its store, which makes a copy")
        pixels: np.ndarray[Any, Any] = self[...]
        return pixels if dtype is None else pixels.astype(dtype, copy=False)

    def _box(self, key: Any) -> tuple[list[int], list[int], tuple[Any, ...]]:
        """The box that a key needs, and what is then to be taken from it."""
        key = key if isinstance(key, tuple) else (key,)
        if sum(k is Ellipsis for k in key) > 1 or len([k for k in key if k is not Ellipsis]) > self.ndim:
            raise IndexError(f"{len(key)} indices for {self.ndim} axes")
        if not any(k is Ellipsis for k in key):
            key = (*key, Ellipsis)
        at = next(i for i, k in enumerate(key) if k is Ellipsis)
        key = key[:at] + (slice(None),) * (self.ndim - len(key) + 1) + key[at + 1:]
        origin: list[int] = []
        extent: list[int] = []
        rest: list[Any] = []
        for k, n in zip(key, self.shape):
            if isinstance(k, slice):
                taken = range(n)[k]
                first, last = (taken[0], taken[-1]) if taken else (0, -1)
                origin.append(min(first, last) if taken else 0)
                extent.append(abs(last - first) + 1 if taken else 0)
                rest.append(slice(None, None, taken.step) if taken.step != 1 else slice(None))
            elif hasattr(k, "__index__") and not isinstance(k, (bool, np.bool_)):
                i = k.__index__()
                if not -n <= i < n:
                    raise IndexError(f"index {i} is outside of 0 to {n - 1}")
                origin.append(i % n)
                extent.append(1)
                rest.append(0)
            else:
                raise IndexError(f"an index is an integer, a slice or ..., not {type(k).__name__}; "
                                 "numpy.asarray(level) takes any")
        return origin, extent, tuple(rest)

    def __getitem__(self, key: Any) -> Any:
        origin, extent, rest = self._box(key)
        pixels = np.empty(extent, self.dtype)
        if pixels.size:
            function = lib.ngff_reader_read_mask if self.is_mask else lib.ngff_reader_read
            error = ffi.new("char[]", 1024)
            store = self.owner.open()
            status = function(store.handle.pointer, self.number, integers(origin), integers(extent),
                              ffi.cast("uint8_t *", pixels.ctypes.data) if self.is_mask else
                              ffi.cast("void *", pixels.ctypes.data), ffi.NULL,
                              self.n_threads or os.cpu_count() or 1, error, len(error))
            store.place.check()
            if status < 0:
                raise_for(status, text(error))
        return pixels[rest]
