"""The data model: what an image and its levels are, in the names of ngff-zarr. Plain dataclasses; nothing here computes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np


class Methods(Enum):
    """How levels are made. The first names are ngff-zarr's (those of which this library has an equal), the others those
    of this library: docs/details.md of the project has their formulas."""

    ITKWASM_GAUSSIAN = "itkwasm_gaussian"
    ITKWASM_BIN_SHRINK = "itkwasm_bin_shrink"
    ITKWASM_LABEL_IMAGE = "itkwasm_label_image"
    ITK_GAUSSIAN = "itk_gaussian"
    ITK_BIN_SHRINK = "itk_bin_shrink"
    DASK_IMAGE_GAUSSIAN = "dask_image_gaussian"
    DASK_IMAGE_MODE = "dask_image_mode"
    DASK_IMAGE_NEAREST = "dask_image_nearest"
    DASK_BIN_SHRINK = "dask_bin_shrink"
    AVERAGE = "mean"
    NEAREST = "nearest"
    MODE = "mode"
    RMS = "rms"
    MIN = "min"
    MAX = "max"
    GAUSS = "gaussian"
    BILINEAR = "bilinear"
    CUBIC = "cubic"
    CUBICSPLINE = "cubicspline"
    LANCZOS = "lanczos"


def is_dask(data: Any) -> bool:
    return type(data).__module__.startswith("dask.array")


class _Sliceable:
    """An array as dask sees it: cut out block by block. dask would copy an ndarray of one block."""

    def __init__(self, source: Any) -> None:
        self.source, self.shape, self.dtype, self.ndim = source, source.shape, source.dtype, source.ndim

    def __getitem__(self, key: Any) -> Any:
        return self.source[key]


def _shown(source: Any, chunks: tuple[int, ...] | None) -> Any:
    """A source as users see it: a dask array where dask is installed, else the source itself."""
    if is_dask(source):
        return source if chunks is None else source.rechunk(chunks)
    if importlib.util.find_spec("dask") is None:
        return source
    import dask.array

    dtype = np.dtype(getattr(source.dtype, "numpy_dtype", source.dtype))
    one_thread = getattr(source, "one_thread", lambda: _Sliceable(source))
    # The name is random: making one from the pixels would read them all.
    return dask.array.from_array(one_thread(), chunks="auto" if chunks is None else chunks, asarray=False,
                                 meta=np.empty((0,) * len(source.shape), dtype), name=f"array-{os.urandom(16).hex()}")


@dataclass
class NgffImage:
    """An image of one scale.

    data: an array with one axis per entry of dims. Given anything that to_ngff_image takes; read back it is a lazy dask
        array where dask is installed, else the array itself.
    dims: names of its axes, of t, c, z, y, x.
    scale: size of a pixel for each spatial axis, in its unit (and of t, if there is a scale for it).
    translation: position of the centre of the first pixel, likewise.
    name: name of the image, as viewers show it.
    axes_units: UDUNITS-2 names ("micrometer", "second") by axis, or None.
    computed_callbacks: called without arguments when the image has been written.
    mask: None, or an array over (y, x) that is true where pixels are valid, for all channels and planes.
    channel_names, channel_colors: None, or the labels of the channels and their colours, RRGGBB.
    axes_orientations: None, or where axes of space lead in a body, by axis: "left-to-right" and the like (RFC-4).
    """

    data: Any
    dims: Sequence[str]
    scale: dict[str, float]
    translation: dict[str, float]
    name: str = "image"
    axes_units: dict[str, str] | None = None
    computed_callbacks: list[Callable[[], Any]] = field(default_factory=list)
    mask: Any = field(default=None, repr=False, compare=False)
    channel_names: list[str] | None = field(default=None, repr=False)
    channel_colors: list[str] | None = field(default=None, repr=False)
    axes_orientations: dict[str, str] | None = field(default=None, repr=False)

    @property
    def source(self) -> Any:
        """What was given as data."""
        return self._source

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self._source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(getattr(self._source.dtype, "numpy_dtype", self._source.dtype))
        return dtype

    def _set_data(self, data: Any) -> None:
        # A view of ours that comes back, by dataclasses.replace() say, is its source again: no detour through dask.
        self._source = getattr(data, "_omezarr_source", data)
        self._chunks: tuple[int, ...] | None = None
        self._view = None if self._source is data else data

    def _show_as(self, chunks: tuple[int, ...]) -> None:
        self._chunks = chunks
        self._view = None

    def _get_data(self) -> Any:
        if self._view is None:
            view = self._view = _shown(self._source, self._chunks)
            if view is not self._source:
                view._omezarr_source = self._source
        return self._view

    def to_xarray(self) -> Any:
        """An xarray.DataArray: coordinates by scale and translation, units in their attributes."""
        from ._xarray import image_to_xarray

        return image_to_xarray(self)


# Made when it is asked for, so that numpy in and numpy out costs no import of dask.
NgffImage.data = property(NgffImage._get_data, NgffImage._set_data)


@dataclass
class Axis:
    """An axis: its name, its type ("time", "channel", "space"), its unit or None, and where it leads in a body, or None."""

    name: str
    type: str
    unit: str | None = None
    orientation: str | None = field(default=None, repr=False)


@dataclass
class Scale:
    """Size of a pixel, one value per axis."""

    scale: list[float]
    type: str = "scale"


@dataclass
class Translation:
    """Position of the first pixel's centre, one value per axis."""

    translation: list[float]
    type: str = "translation"


@dataclass
class Dataset:
    """One level: the path of its array in the store, and where it lies."""

    path: str
    coordinateTransformations: list[Scale | Translation]


@dataclass
class OmeroWindow:
    """The display range, start to end, and the values between which it may move."""

    min: float | None
    max: float | None
    start: float
    end: float


@dataclass
class OmeroChannel:
    """How a channel is shown: color is RRGGBB. Without a window the writer computes one."""

    color: str | None = None
    window: OmeroWindow | None = None
    label: str | None = None


@dataclass
class Omero:
    """How viewers show the image."""

    channels: list[OmeroChannel]


@dataclass
class Metadata:
    """What the root document says of an image."""

    axes: list[Axis]
    datasets: list[Dataset]
    coordinateTransformations: list[Scale | Translation] | None = None
    name: str = "image"
    version: str = "0.4"
    omero: Omero | None = field(default=None, repr=False)


@dataclass
class Multiscales:
    """An image with its levels.

    images: level 0, 1 ...; a level whose data is replaced is written as it is given, the others are made from level 0.
    metadata: what the root document says.
    scale_factors: factors of the levels 1 ..., relative to level 0, one number or one by axis; None: by the scales.
    method: how levels are made.
    chunks: extent of a chunk by axis.
    root_attributes: what the root holds beside the metadata of NGFF, as JSON has it: of others, for others. Read from a store
        and written to the next.
    """

    images: list[NgffImage]
    metadata: Metadata
    scale_factors: Sequence[int | dict[str, int]] | None = None
    method: Methods | None = None
    chunks: dict[str, int] | None = None
    root_attributes: dict[str, Any] | None = field(default=None, repr=False)

    def to_xarray(self) -> Any:
        """An xarray.DataTree: a child "scale0", "scale1" ... for each level; to_multiscales takes it back."""
        from ._xarray import multiscales_to_xarray

        return multiscales_to_xarray(self)

    def _repr_html_(self) -> str:
        from ._picture import multiscales_html

        return multiscales_html(self, not getattr(self.images[-1].source, "is_to_be_made", False))


def metadata_of(images: list[NgffImage], paths: list[str]) -> Metadata:
    first = images[0]
    kinds = {"t": "time", "c": "channel"}
    units = first.axes_units or {}
    axes = [Axis(d, kinds.get(d, "space"), units.get(d), (first.axes_orientations or {}).get(d)) for d in first.dims]
    datasets = [Dataset(path, [Scale([image.scale.get(d, 1.0) for d in first.dims]),
                               Translation([image.translation.get(d, 0.0) for d in first.dims])])
                for path, image in zip(paths, images)]
    return Metadata(axes, datasets, name=first.name)
