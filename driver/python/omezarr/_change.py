"""A store that is there gets more levels, or other attributes, in place: what is stored of level 0 stays untouched."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from . import _sources
from ._handles import Handle, NotFoundError, OptionError, UnsupportedError, Writer, integers, raise_for, reals, strings, text
from ._hosts import shown
from ._levels import Level, Store
from ._model import Multiscales
from ._native import ffi, lib
from ._options import as_list
from ._places import Place, place_of

_OF_STORAGE = {"version", "options", "statistics", "stored_chunks", "empty_chunks", "stored_mask_chunks", "empty_mask_chunks",
               "consolidated"}  # members of the block "omezarr" that each store has of its own
_OF_LEVELS = {"SCALE_FACTORS", "OVERVIEW_COUNT", "OVERVIEW_RESAMPLING", "SIZES"}


def said_beside(handle: Handle) -> list[str]:
    """Names of what a store says of its image that Python has no place for: georeference, nodata, colour tables ..."""
    attributes = json.loads(handle.text("attributes") or "{}")
    others = json.loads(handle.text("root_attributes") or "{}")
    block = attributes.pop("omezarr", {})
    ome = attributes.pop("ome", {})
    known = {"version", "multiscales", "omero", "zarr_conventions", *others}
    return sorted([*(set(attributes) - known), *(set(ome) - known), *(f"omezarr.{name}" for name in set(block) - _OF_STORAGE)])


def _described(handle: Handle) -> Handle:
    """The image of a store as its writer described it."""
    dims = handle.text("dims")
    rank = len(dims)
    image = Handle("image", lib.ngff_image_create(dims.encode(), integers(handle.integers("level_shape", rank, 0)),
                                                  handle.value("data_type")))
    image.call("set_scale", reals(handle.reals("level_scale", rank, 0)))
    image.call("set_translation", reals(handle.reals("level_translation", rank, 0)))
    image.call("set_name", (handle.text("name") or "image").encode())
    image.call("set_mask", int(handle.value("has_mask") == 1))
    for axis in range(rank):
        unit = handle.text("axis_unit", axis)
        if unit:
            image.call("set_unit", axis, unit.encode())
        orientation = handle.text("axis_orientation", axis)
        if orientation:
            image.call("set_orientation", axis, orientation.encode())
    for i in range(handle.call("channel_count")):
        label, color, active, inverted = ffi.new("char **"), ffi.new("char **"), ffi.new("int32_t *"), ffi.new("int32_t *")
        window = ffi.new("double[4]")
        handle.call("channel", i, label, color, window, active, inverted)
        image.call("set_channel", i, label[0], color[0])
        image.call("set_inverted", i, inverted[0])
        if active[0] >= 0:
            image.call("set_active", i, active[0])
    t, z, colors = ffi.new("int64_t *"), ffi.new("int64_t *"), ffi.new("int32_t *")
    handle.call("view", t, z, colors)
    image.call("set_view", t[0], z[0], colors[0])
    return image


def _plan(image: Handle, options: list[str]) -> Handle:
    pointer, texts = strings(options)
    plan = Handle("plan", lib.ngff_plan_create(image.pointer, pointer))
    del texts
    return plan


class Change:
    """A change of the store at a place, as it is now; nothing is touched before finish()."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.handle = Store(place, "", ()).handle
        attributes = json.loads(self.handle.text("attributes") or "{}")
        self.options: list[str] | None = attributes.get("omezarr", {}).get("options")
        self.root_attributes: dict[str, Any] = json.loads(self.handle.text("root_attributes") or "{}")
        left = said_beside(self.handle)
        if self.handle.value("level_count") < 1 or self.options is None or self.handle.text("group"):
            raise UnsupportedError(f"{place.shown} is not one image that this library has written, so that it is not changed in "
                                   "place: write it anew with to_ngff_zarr")
        if left:
            raise UnsupportedError(f"{place.shown}: Python has no place for {', '.join(left)}, which a change would have to "
                                   "describe again: change it with GDAL (gdaladdo, gdal_edit.py)")
        self.image = _described(self.handle)
        self.before = _plan(self.image, self.options)

    def finish(self, plan: Handle, first_level: int, progress: Callable[[float], Any] | None) -> str:
        """Makes the store as planned, levels from first_level on anew (0: none). Returns a warning, or ""."""
        writer = Writer(self.before, self.place, lib.ngff_writer_open_update)
        try:
            writer.call("replan", plan.pointer)
            if first_level:
                writer.call("remake", first_level)
            writer.close(progress)
            return writer.text("warning")
        finally:
            writer.release()


def _check_levels(change: Change, multiscales: Multiscales, start: int, is_made: Callable[[Any], bool]) -> None:
    place, handle = change.place, change.handle
    rank, n_levels = len(multiscales.images[0].dims), handle.value("level_count")
    if tuple(handle.text("dims")) != tuple(multiscales.images[0].dims):
        raise OptionError(f"{place.shown} has the axes {tuple(handle.text('dims'))}, the image {tuple(multiscales.images[0].dims)}")
    for level, image in enumerate(multiscales.images[:start]):
        if level >= n_levels:
            raise OptionError(f"{place.shown} has {n_levels} levels: there is no readable array of level {level} to go on from")
        stored = handle.integers("level_shape", rank, level)
        if image.shape != stored or _sources.stored_dtype(image.dtype).name != _sources.TYPE_NAMES[handle.value("data_type")]:
            raise OptionError(f"{place.shown}: level {level} has shape {stored} there and {image.shape} here, or another type of "
                              "pixels: those are two images")
    for level, image in enumerate(multiscales.images[start:], start):
        owner = image.source.owner if isinstance(image.source, Level) else None
        if isinstance(owner, Store) and (owner.place.is_same(place) or owner.place.path == place.path) and image.source.number >= start:
            raise OptionError(f"level {level} is read from the array that start_level={start} replaces before its data is computed: "
                              f"make the levels from level {start - 1}, or read them first")
        if not is_made(image):
            raise UnsupportedError(f"level {level} was given pixels of its own; start_level={start} makes levels from those below. "
                                   "Write the image anew, with start_level=0")


def add_levels(place: Place, multiscales: Multiscales, start: int, planned: Mapping[str, Any], is_empty: bool,
               is_made: Callable[[Any], bool], progress: Callable[[float], Any] | None) -> str:
    """Levels from start on are made from those of the store, and replace what is there. planned: the options that say how."""
    try:
        change = Change(place)
    except NotFoundError as error:
        raise OptionError(f"{place.shown}: there is no readable array of level 0; start_level={start} goes on with an image that is "
                          f"there ({error})") from error
    _check_levels(change, multiscales, start, is_made)
    assert change.options is not None
    kept = [option for option in change.options if option.partition("=")[0].upper() not in _OF_LEVELS]
    levels = {name: value for name, value in planned.items() if name.upper() in _OF_LEVELS and value is not None}
    plan = _plan(change.image, [*kept, *as_list(levels)])
    if plan.value("level_count") != len(multiscales.images):
        raise OptionError(f"the factors make {plan.value('level_count')} levels of the image at {place.shown}, and there are "
                          f"{len(multiscales.images)} here")
    attributes = {**change.root_attributes, **(multiscales.root_attributes or {})}
    if attributes:
        plan.call("set_root_attributes", root_attributes_text(attributes))
    if is_empty:
        plan.call("set_unfilled")
    return change.finish(plan, start, progress)


def update_root_attributes(store: Any, attributes: Mapping[str, Any], storage_options: Mapping[str, Any] | None = None) -> None:
    """Sets attributes of the root beside NGFF's, in place: those of these names are replaced, others stay. The store is one
    that this library has written; its documents are replaced each at once, the root's last.

    Raises ValueError for names that are NGFF's or the library's, or where there is no image."""
    place = place_of(store, storage_options)
    try:
        change = Change(place)
    except NotFoundError as error:
        raise OptionError(f"{place.shown}: there is no root group of an image ({error})") from error
    assert change.options is not None
    plan = _plan(change.image, change.options)
    plan.call("set_root_attributes", root_attributes_text({**change.root_attributes, **attributes}))
    told = change.finish(plan, 0, None)
    if told:
        from ._write import OmeZarrWarning

        warnings.warn(shown(told), OmeZarrWarning, stacklevel=2)


def upgrade(store: Any, version: str = "0.5", storage_options: Mapping[str, Any] | None = None) -> bool:
    """Writes the documents of a store anew by a newer version of NGFF, "0.5" or "0.6", in place; no chunk is touched. From 0.4
    its arrays become ones of Zarr 3 whose chunks have the keys that they have. All that is in the store is upgraded, label
    images, series and plates too. A kill leaves each image as it was or as it will be; the next call does the rest.

    Returns whether anything was changed. Raises NotImplementedError, before anything is written, for what the newer version
    has no word for: codecs and filters that Zarr 3 does not have, versions before 0.4, one file (.ozx)."""
    place = place_of(store, storage_options)
    if place.why_not_written:
        raise UnsupportedError(f"{place.shown}: {place.why_not_written}")
    error = ffi.new("char[]", 1200)
    status = lib.ngff_upgrade(place.path.encode(), version.encode(), error, len(error))
    place.check()
    if status < 0:
        raise_for(status, text(error))
    return bool(status)


def root_attributes_text(attributes: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(attributes), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise OptionError(f"root_attributes are not JSON: {error}") from error
