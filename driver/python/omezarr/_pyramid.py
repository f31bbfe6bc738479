"""to_ngff_image and to_multiscales: what an image is, and which levels it gets. No pixel is computed here."""

from __future__ import annotations

import copy
import itertools
import math
import os
import shutil
import tempfile
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _sources
from ._handles import Handle, OptionError, UnsupportedError, WrongTypeError, integers, reals, strings, text
from ._levels import Level, Store
from ._model import Methods, Multiscales, NgffImage, Omero, metadata_of
from ._native import ffi, lib
from ._options import as_list
from ._places import Place
from ._xarray import is_tree, levels_of

SPATIAL = "zyx"

# ngff-zarr's methods and those of this library that give the same pixels; where two differ, none is taken for the other.
RESAMPLING = {
    Methods.ITKWASM_GAUSSIAN: "GAUSS",
    Methods.ITKWASM_BIN_SHRINK: "AVERAGE",
    Methods.ITK_BIN_SHRINK: "AVERAGE",
    Methods.DASK_BIN_SHRINK: "AVERAGE",
    Methods.DASK_IMAGE_MODE: "MODE",
    Methods.ITKWASM_LABEL_IMAGE: "MODE",
    Methods.DASK_IMAGE_NEAREST: "NEAREST",
    **{Methods[name]: name for name in ("AVERAGE", "NEAREST", "MODE", "RMS", "MIN", "MAX", "GAUSS", "BILINEAR", "CUBIC",
                                        "CUBICSPLINE", "LANCZOS")},
}
_only_by_two = {Methods.ITKWASM_LABEL_IMAGE: "looks at the central pixels of a window", Methods.DASK_IMAGE_NEAREST:
                "takes the first pixel of a window"}


# Names for the orientation of all axes: where x, y and z lead.
ORIENTATIONS = {
    "LPS": {"x": "right-to-left", "y": "anterior-to-posterior", "z": "inferior-to-superior"},
    "RAS": {"x": "left-to-right", "y": "posterior-to-anterior", "z": "inferior-to-superior"},
}


def orientations_of(given: str | Mapping[str, Any] | None, dims: Sequence[str]) -> dict[str, str] | None:
    """By axis of an image, the words of RFC-4; those of enumerations and of ngff-zarr's classes are in their value."""
    if given is None:
        return None
    if isinstance(given, str):
        if given.upper() not in ORIENTATIONS:
            raise OptionError(f"the orientation {given!r}: there are {', '.join(ORIENTATIONS)}, or a word for each axis")
        given = ORIENTATIONS[given.upper()]
    found: dict[str, str] = {}
    for axis, word in given.items():
        while word is not None and not isinstance(word, str):
            word = word.get("value") if isinstance(word, Mapping) else getattr(word, "value", None)
        if word is not None and axis in dims:
            found[axis] = word
    return found or None


# -- Step 1 --------------------------------------------------------------------------------------------------------

def to_ngff_image(
    data: Any,
    dims: Sequence[str] | None = None,
    scale: Mapping[str, float] | None = None,
    translation: Mapping[str, float] | None = None,
    name: str | None = None,
    axes_units: Mapping[str, str] | None = None,
    channel_names: Sequence[str] | None = None,
    mask: Any = None,
    channel_colors: Sequence[str] | None = None,
    axes_orientations: str | Mapping[str, Any] | None = None,
) -> NgffImage:
    """Describes an array as an image of one scale. Nothing is read or copied.

    data: any array with 2 to 5 axes: NumPy (any strides and byte order, memory maps, masked arrays), Dask, xarray,
        PyTorch, JAX, CuPy, Zarr, h5py, tensorstore, and all else with __dlpack__, __array_interface__, __array__, or
        shape, dtype and slices.
    dims: the axes' names, each of t, c, z, y, x once, in the array's order. Without it: xarray's dims; else ("y", "x"),
        ("z", "y", "x"), ("z", "y", "x", "c") or ("t", "z", "y", "x", "c") by the number of axes.
    scale: size of a pixel by axis, above 0, in the axis' unit; 1 where nothing is said.
    translation: position of the first pixel's centre by axis; 0 where nothing is said.
    name: "image" if nothing is said.
    axes_units: UDUNITS-2 names by axis, such as {"y": "micrometer", "x": "micrometer"}; common spellings are known.
    channel_names, channel_colors: labels of the channels, and their colours, RRGGBB.
    mask: array over (y, x), true where pixels are valid. That of a masked array is taken by itself.
    axes_orientations: where axes of space lead in a body: "LPS", "RAS", or by axis {"x": "left-to-right", ...} (RFC-4).

    An xarray.DataArray brings dims, name, scale, translation (of evenly spaced coordinates), units (their attribute
    "units") and channel names; what is given here counts more.

    Raises TypeError for a pixel type that cannot be stored, ValueError for dims that do not fit.
    """
    units = dict(axes_units) if axes_units else None
    scale, translation = dict(scale or {}), dict(translation or {})
    labels = list(channel_names) if channel_names else None
    if isinstance(data, (str, os.PathLike)):
        raise WrongTypeError(f"'{os.fspath(data)}' is a path: open it first (zarr.open_array, h5py.File, numpy.load ...); "
                        "from_ngff_zarr opens an OME-Zarr")
    if _sources.is_xarray(data):
        found = _sources.FromXarray(data)
        dims = dims or found.dims
        scale, translation = found.scale | scale, found.translation | translation
        units, labels, name = units or found.units or None, labels or found.channel_names, name or found.name
        data = found.source
    source = _sources.as_source(data)
    rank = len(source.shape)
    if dims is None:
        if not 2 <= rank <= 5:
            raise OptionError(f"the array has {rank} axes; an image has 2 to 5 of t, c, z, y, x")
        dims = {4: tuple("zyxc"), 5: tuple("tzyxc")}.get(rank, tuple("zyx"[-rank:]))
    if len(dims) != rank or not set(dims) <= set("tczyx") or len(set(dims)) != rank or not {"y", "x"} <= set(dims):
        raise OptionError(f"dims {tuple(dims)} of an array with {rank} axes: name each axis by one of t, c, z, y, x, "
                          "y and x among them")
    for what, values in (("scale", scale), ("translation", translation), ("axes_units", units or {})):
        if not set(values) <= set("tczyx"):
            raise OptionError(f"{what} names {sorted(set(values) - set('tczyx'))}; axes are t, c, z, y, x")
        if not set(values) <= set(dims):  # those of a volume, given for a plane of it
            warnings.warn(f"{what} of {sorted(set(values) - set(dims))} is not stored: the dims are {tuple(dims)}", stacklevel=2)
    if min(source.shape) < 1:
        raise OptionError(f"the array is empty: its shape is {tuple(source.shape)}")
    _sources.stored_dtype(source.dtype)
    if mask is None and isinstance(data, np.ma.MaskedArray):
        mask = _sources.plane_mask(data.mask, dims)
    shape = dict(zip(dims, source.shape))
    if mask is not None and tuple(mask.shape) != (shape["y"], shape["x"]):
        raise OptionError(f"the mask has shape {tuple(mask.shape)}; over (y, x) the image has {(shape['y'], shape['x'])}")
    return NgffImage(
        data=source,
        dims=dims,
        scale={d: float(scale.get(d, 1.0)) for d in dims if d in SPATIAL or d in scale},
        translation={d: float(translation.get(d, 0.0)) for d in dims if d in SPATIAL or d in translation},
        name=name or "image",
        axes_units={d: u for d, u in units.items() if d in dims} if units else None,
        mask=mask,
        channel_names=labels,
        channel_colors=list(channel_colors) if channel_colors else None,
        axes_orientations=orientations_of(axes_orientations, dims),
    )


# -- Step 2 --------------------------------------------------------------------------------------------------------

def _canonical(image: NgffImage) -> NgffImage:
    """The same with its axes in the order t, c, z, y, x."""
    order = [list(image.dims).index(d) for d in "tczyx" if d in image.dims]
    if order == list(range(len(order))):
        return image
    out = copy.copy(image)
    out.data = _sources.transposed(image.source, order)
    out.dims = tuple(image.dims[i] for i in order)
    return out


def _chunks(chunks: Any, image: NgffImage, given_dims: Sequence[str]) -> dict[str, int]:
    shape = dict(zip(image.dims, image.shape))
    if isinstance(chunks, int):
        return {d: chunks for d in image.dims}
    if isinstance(chunks, Mapping):
        return {d: int(chunks.get(d) or n) for d, n in shape.items()}
    if chunks is None:
        least = 128 if "z" in shape else 256
        blocks = dict(zip(image.dims, _sources.block_of(image.source) or image.shape))
        # Tiles of the source that are larger stay whole, unless viewers would wait for them.
        own = {d: blocks[d] if least < blocks[d] <= 1024 and shape[d] > 2 * blocks[d] else least for d in shape}
        return {d: own[d] if d in SPATIAL else 1 if d == "t" else n for d, n in shape.items()}
    if len(chunks) != len(shape):
        raise OptionError(f"chunks has {len(chunks)} values for {len(shape)} axes")
    by_dim = {d: c if isinstance(c, int) else max(c) for d, c in zip(given_dims, chunks)}
    return {d: by_dim[d] for d in image.dims}


def _ladder(image: NgffImage, chunk: Mapping[str, int], least: int, is_floor: bool) -> list[dict[str, int]]:
    """Factors of two, as ngff-zarr chooses them: an axis is halved until its half would be less than a chunk, or where it
    is at most half of the largest."""
    up = 0 if is_floor else 1
    size = {d: n for d, n in zip(image.dims, image.shape) if d in SPATIAL}
    factors: list[dict[str, int]] = []
    last = dict.fromkeys(size, 1)
    while any(size[d] >= 2 * chunk[d] or (size[d] + up) // 2 >= chunk[d] for d in size):
        largest = max(size.values())
        halved = [d for d in size if size[d] > largest / 2 and (size[d] + up) // 2 >= chunk[d] and size[d] > 1]
        size = {d: (n + up) // 2 if d in halved else n for d, n in size.items()}
        if not halved or math.prod(size.values()) < 2 * least:
            break
        last = {d: 2 * f if d in halved else f for d, f in last.items()}
        factors.append(last)
    return factors


def _factor(factors: int | Mapping[str, int], dim: str) -> int:
    if dim not in SPATIAL:
        return 1
    return factors if isinstance(factors, int) else int(factors.get(dim, 1))


def _resampling(method: Methods, factors: Sequence[int | Mapping[str, int]]) -> str:
    if method not in RESAMPLING:
        raise UnsupportedError(f"{method} shifts an image by half a pixel and cuts fractions off, so this library has no "
                               f"equal of it; the nearest is {Methods.ITKWASM_GAUSSIAN}")
    last: int | Mapping[str, int] = 1
    for f in factors:
        if method in _only_by_two and any(_factor(f, d) not in (_factor(last, d), 2 * _factor(last, d)) for d in SPATIAL):
            raise UnsupportedError(f"{method} {_only_by_two[method]}; of that this library has an equal only where each "
                                   f"level is half of the one before, not with {list(factors)}; the nearest is "
                                   f"{Methods[RESAMPLING[method]]}")
        last = f
    return RESAMPLING[method]


def plan_options(
    image: NgffImage,
    factors: Sequence[int | Mapping[str, int]],
    chunks: Mapping[str, int],
    method: Methods,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The options of an image's plan."""
    dims = "".join(image.dims)
    options: dict[str, Any] = {
        "layout": None if more.get("labels") else "SCALES",  # those of a label image have one place
        "overview_resampling": _resampling(method, factors),
        "blocksize": ",".join(str(max(1, min(chunks[d], n))) for d, n in zip(dims, image.shape)),
    }
    if more.get("scale_factors") is not None or more.get("overview_count") is not None:
        pass  # said as an option
    elif factors:
        options["scale_factors"] = ";".join(
            ",".join(f"{d}:{_factor(f, d)}" for d in dims if d in SPATIAL) for f in factors)
    else:
        options["overview_count"] = 0
    return options | {name: value for name, value in more.items() if value is not None}


def make_plan(
    image: NgffImage,
    factors: Sequence[int | Mapping[str, int]],
    chunks: Mapping[str, int],
    method: Methods,
    more: Mapping[str, Any],
    omero: Omero | None = None,
) -> Handle:
    """The library's plan for an image whose dims are in canonical order."""
    dims = "".join(image.dims)
    described = Handle("image", lib.ngff_image_create(dims.encode(), integers(image.shape),
                                                      _sources.TYPES[_sources.stored_dtype(image.dtype).name]))
    described.call("set_scale", reals([image.scale.get(d, 1.0) for d in dims]))
    described.call("set_translation", reals([image.translation.get(d, 0.0) for d in dims]))
    described.call("set_name", image.name.encode())
    described.call("set_mask", int(image.mask is not None))
    orientations = orientations_of(image.axes_orientations, dims) or {}
    for axis, d in enumerate(dims):
        if (image.axes_units or {}).get(d):
            described.call("set_unit", axis, str((image.axes_units or {})[d]).encode())
        if d in orientations:
            described.call("set_orientation", axis, orientations[d].encode())
    for i, channel in enumerate(omero.channels if omero else []):
        described.call("set_channel", i, channel.label.encode() if channel.label else ffi.NULL,
                       channel.color.lstrip("#").encode() if channel.color else ffi.NULL)
        window = channel.window
        if window:
            described.call("set_window", i, float(window.start), float(window.end))
            if window.min is not None and window.max is not None:
                described.call("set_range", i, float(window.min), float(window.max))
    for i, (label, color) in enumerate(itertools.zip_longest(image.channel_names or [], image.channel_colors or [])):
        described.call("set_channel", i, label.encode() if label else ffi.NULL, color.lstrip("#").encode() if color else ffi.NULL)
    pointer, texts = strings(as_list(plan_options(image, factors, chunks, method, more)))
    plan = Handle("plan", lib.ngff_plan_create(described.pointer, pointer))
    del texts
    return plan


class Pyramid:
    """The levels that nobody has written yet, made when the first of them is looked at: in a temporary store, which goes
    with the last of them."""

    def __init__(self, make: Callable[[str], None]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._store: Store | None = None

    def open(self) -> Store:
        with self._lock:
            if self._store is None:
                folder = tempfile.mkdtemp(prefix="omezarr-")
                weakref.finalize(self, shutil.rmtree, folder, True)
                path = os.path.join(folder, "levels.ome.zarr")
                self._make(path)
                self._store = Store(Place(path), "", ())
        return self._store

    def __reduce__(self) -> tuple[Any, ...]:
        return self.open().__reduce__()


def to_multiscales(
    data: NgffImage | Any,
    scale_factors: int | Sequence[int | Mapping[str, int]] = 128,
    method: Methods | str | None = None,
    chunks: int | Sequence[int] | Mapping[str, int] | None = None,
    sizes: str = "ceil",
    orientation: str | Mapping[str, Any] | None = None,
) -> Multiscales:
    """Plans the levels of an image. Nothing is computed until it is written, or until a level's data is looked at.

    data: an NgffImage, or what to_ngff_image takes; or an xarray.DataTree of levels, "scale0", "scale1" ..., which are
        taken as they are, with their factors.
    scale_factors: factor of each level above the full size, relative to the full size: numbers for all spatial axes,
        such as [2, 4], or one by axis, such as [{"z": 1, "y": 2, "x": 2}]. One
        number N: factors of two as long as a level is no smaller than a chunk, nor than N pixels; an axis is not
        halved while it is at most half of the largest. []: the full size only.
    method: a member of Methods, or its value; Methods.ITKWASM_GAUSSIAN if nothing is said (complex pixels: NEAREST).
    chunks: extent of a chunk: one number for all axes, a sequence in the order of the image's dims, or by axis. If
        nothing is said: 128 with axis z, else 256, for spatial axes, or what the source's own blocks have, up to 1024, where it
        has several; 1 for t, all channels for c.
    sizes: "ceil": a level has ceil(n / factor) pixels, and keeps all of the image; "floor": n // factor, as ngff-zarr's,
        and the last rows and columns are in no level.
    orientation: where the axes lead in a body, instead of what the image says: "LPS", "RAS", or a word by axis (RFC-4).

    The axes of the result are in the order t, c, z, y, x. Its levels' data are lazy: the first look at one of them
    makes all of them in a temporary folder, which to_ngff_zarr neither needs nor reads.

    Raises NotImplementedError for a method that has no equal, and ValueError for factors or chunks that do not fit.
    """
    if is_tree(data):
        return _of_tree(data, method, chunks)
    given = data if isinstance(data, NgffImage) else to_ngff_image(data)
    image = _canonical(given)
    if orientation is not None or image.axes_orientations:
        image = copy.copy(image)
        image.axes_orientations = orientations_of(image.axes_orientations if orientation is None else orientation, image.dims)
    if method is None:
        method = Methods.NEAREST if image.dtype.kind == "c" else Methods.ITKWASM_GAUSSIAN
    method = Methods(method) if isinstance(method, str) else method
    chunk = _chunks(chunks, image, given.dims)
    factors: list[Any] = (_ladder(image, chunk, scale_factors, sizes.lower() == "floor") if isinstance(scale_factors, int)
                          else [f if isinstance(f, int) else dict(f) for f in scale_factors])
    plan = make_plan(image, factors, chunk, method, {"sizes": sizes})
    rank, dims = len(image.dims), image.dims
    first = copy.copy(image)
    first._show_as(tuple(min(chunk[d], n) for d, n in zip(dims, image.shape)))

    def make(path: str) -> None:
        from ._write import write_levels

        write_levels(Place(path), make_plan(image, factors, chunk, method, {"compress": "NONE", "statistics": False, "sizes": sizes}), image)

    pyramid = Pyramid(make)
    images = [first]
    for level in range(1, plan.value("level_count")):
        shape = plan.integers("level_shape", rank, level)
        scale = dict(zip(dims, plan.reals("level_scale", rank, level)))
        translation = dict(zip(dims, plan.reals("level_translation", rank, level)))
        next_image = copy.copy(image)
        blocks = tuple(min(chunk[d], n) for d, n in zip(dims, shape))
        next_image.data = Level(pyramid, level, shape, blocks, _sources.stored_dtype(image.dtype))
        next_image._show_as(blocks)
        next_image.mask = None
        next_image.scale = {d: scale[d] for d in dims if d in image.scale or d in SPATIAL}
        next_image.translation = {d: translation[d] for d in dims if d in image.translation or d in SPATIAL}
        next_image.computed_callbacks = []
        images.append(next_image)
    paths = [plan.text("level_path", level) for level in range(len(images))]
    return Multiscales(images, metadata_of(images, paths), factors, method, chunk)


def _of_tree(tree: Any, method: Methods | str | None, chunks: Any) -> Multiscales:
    """Levels that are there already."""
    images = [_canonical(to_ngff_image(level)) for level in levels_of(tree)]
    found = to_multiscales(images[0], [], method, chunks)
    found.images += images[1:]
    found.scale_factors = None
    found.scale_factors = factors_of(found)
    found.metadata = metadata_of(found.images, [f"scale{i}/image" for i in range(len(images))])
    return found


def factors_of(multiscales: Multiscales) -> list[Any]:
    """The factors of the levels, by their scales where nobody has said them."""
    if multiscales.scale_factors is not None:
        return list(multiscales.scale_factors)
    base = multiscales.images[0]
    return [{d: max(1, round(image.scale.get(d, 1.0) / base.scale.get(d, 1.0))) for d in base.dims if d in SPATIAL}
            for image in multiscales.images[1:]]


def sizes_of(multiscales: Multiscales, factors: Sequence[int | Mapping[str, int]]) -> str:
    """The option SIZES that makes levels of their shapes."""
    base = multiscales.images[0]
    for image, factor in zip(multiscales.images[1:], factors):
        by = integers([max(1, _factor(factor, d)) for d in base.dims])
        sizes = text(lib.ngff_sizes_by(len(base.dims), integers(base.shape), integers(image.shape), by))
        if sizes != "CEIL":
            return sizes
    return "CEIL"


def is_made(image: NgffImage) -> bool:
    """True for a level that the library makes; else the user has given its pixels."""
    return isinstance(image.source, Level) and image.source.is_to_be_made
