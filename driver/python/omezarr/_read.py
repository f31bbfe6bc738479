"""from_ngff_zarr, parts, validate, verify: stores that are there."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from . import _sources
from ._compare import difference_of_store
from ._handles import Finding, Handle, Listener, raise_for, text
from ._hosts import shown
from ._levels import Level, Store, open_again
from ._model import Methods, Multiscales, NgffImage, Omero, OmeroChannel, OmeroWindow, metadata_of
from ._native import ffi, lib
from ._places import Place, place_of
from ._write import OmeZarrWarning, progress_of


def _open(place: Place, part: str | None, **options: Any) -> Store:
    given = tuple(f"{name.upper()}={value}" for name, value in options.items() if value is not None)
    return Store(place, part or "", given)


def _warn(store: Store) -> None:
    while told := store.handle.text("warning"):
        warnings.warn(shown(told), OmeZarrWarning, stacklevel=3)


def _parts(store: Store) -> list[tuple[str, str]]:
    handle = store.handle
    return [(handle.text("part_path", i), handle.text("part_title", i)) for i in range(handle.value("part_count"))]


def parts(store: Any, part: str | None = None, storage_options: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """What is in a store beside or instead of one image: fields of a plate, series, labels. Each is (part, title), and
    from_ngff_zarr(store, part=...) opens it. Empty if the store is one image and nothing else."""
    return _parts(_open(place_of(store, storage_options), part))


def _omero(handle: Handle) -> Omero | None:
    channels = []
    for i in range(handle.call("channel_count")):
        label, color, window = ffi.new("char **"), ffi.new("char **"), ffi.new("double[4]")
        handle.call("channel", i, label, color, window, ffi.NULL, ffi.NULL)
        start, end, low, high = (None if math.isnan(v) else v for v in window)
        channels.append(OmeroChannel(
            text(color[0]) or None,
            OmeroWindow(low, high, start, end) if start is not None and end is not None else None,
            text(label[0]) or None))
    return Omero(channels) if channels else None


def from_ngff_zarr(
    store: Any,
    validate: bool = False,
    part: str | None = None,
    max_metadata: str | int | None = None,
    max_chunk: str | int | None = None,
    missing_chunks: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Multiscales:
    """Opens an OME-Zarr image with its levels. Pixels are read when they are asked for.

    store: path of the folder, of one image inside it ("plate.ome.zarr/A/1/0", "image.ome.zarr/labels/cells"), or of an
        .ozx file; or a URL, an fsspec mapper or file system, a UPath, a store of obstore or zarr, a dict. NGFF 0.1 to 0.6.
    validate: refuses metadata that breaks a MUST of the specification (ValueError with all of it).
    part: which image of a store that has several; parts() lists them. The only one needs no name.
    max_metadata, max_chunk: most bytes of a document (16MB) and of a decoded chunk (256MB).
    missing_chunks: what a chunk that is not there means: "AUTO", "ERROR" or "FILL".
    storage_options: of a URL, for fsspec.

    images[i].data is a lazy dask array where dask is installed (one block per chunk; workers of a cluster open the store
    themselves), else an object with shape, dtype and [...]; images[i].source is always the latter. Axes are in the order
    t, c, z, y, x, with y and x last. images[0].mask is the stored mask, or None.

    Raises FileNotFoundError if there is no image, ValueError for damaged metadata, all also omezarr.Error.
    """
    place = place_of(store, storage_options)
    if validate:
        broken = [finding.text for finding in globals()["validate"](place) if finding.kind == "invalid"]
        if broken:
            raise_for(lib.NGFF_E_CORRUPT, "\n".join(broken))
    options: dict[str, Any] = {"max_metadata": max_metadata, "max_chunk": max_chunk, "missing_chunks": missing_chunks}
    opened = _open(place, part, **options)
    handle = opened.handle
    if handle.value("level_count") == 0:
        found = _parts(opened)
        if len(found) != 1:
            raise_for(lib.NGFF_E_NOT_FOUND, f"{place.shown} holds {len(found)} images: give one as part=, such as "
                                            f"{', '.join(repr(path) for path, _ in found[:4])} (omezarr.parts lists all)")
        return from_ngff_zarr(place, False, found[0][0], **options)
    key = (os.getpid(), place.key, opened.part, opened.options)
    Store._open[key] = opened
    dims = handle.text("dims")
    rank, dtype = len(dims), _sources.TYPE_NAMES[handle.value("data_type")]
    units = {d: handle.text("axis_unit", i) for i, d in enumerate(dims)}
    orientations = {d: word for i, d in enumerate(dims) if (word := handle.text("axis_orientation", i))}
    attributes = json.loads(handle.text("attributes") or "{}")
    ome = attributes.get("ome", attributes)
    entries = ome.get("multiscales")
    number = handle.value("part_entry")
    entry = entries[number] if isinstance(entries, list) and number < len(entries) else {}
    name = handle.text("name") or "image"
    images = []
    for level in range(handle.value("level_count")):
        shape, chunk = handle.integers("level_shape", rank, level), handle.integers("level_chunk", rank, level)
        blocks = tuple(min(c, n) for c, n in zip(chunk, shape))
        mask = None
        if handle.value("has_mask") == 1:
            mask = Level(opened, level, shape[-2:], blocks[-2:], "uint8", is_mask=True)
        image = NgffImage(
            data=Level(opened, level, shape, blocks, dtype),
            dims=tuple(dims),
            scale=dict(zip(dims, handle.reals("level_scale", rank, level))),
            translation=dict(zip(dims, handle.reals("level_translation", rank, level))),
            name=name,
            axes_units={d: u for d, u in units.items() if u} or None,
            mask=mask,
            axes_orientations=orientations or None,
        )
        image._show_as(blocks)
        images.append(image)
    metadata = metadata_of(images, [handle.text("level_path", i) for i in range(len(images))])
    metadata.version = str(ome.get("version") or entry.get("version") or "0.4")
    metadata.omero = _omero(handle)
    labels = [channel.label for channel in metadata.omero.channels] if metadata.omero else []
    if "c" in dims and len(labels) == images[0].shape[dims.index("c")] and all(labels):
        for image in images:
            image.channel_names = [str(label) for label in labels]
    method = next((m for m in Methods if m.value == entry.get("type")), None)
    _warn(opened)
    first_chunk = dict(zip(dims, images[0].source.chunks))
    return Multiscales(images, metadata, None, method, first_chunk, json.loads(handle.text("root_attributes") or "null"))


def validate(store: Any, storage_options: Mapping[str, Any] | None = None) -> list[Finding]:
    """Judges the metadata of a store, or of one document (.json, .zattrs), by the text of NGFF 0.4 to 0.6. The findings
    name document, key and rule; those of kind "invalid" break a MUST."""
    listener = Listener()
    place = place_of(store, storage_options)
    lib.ngff_validate(place.path.encode(), ffi.NULL, lib.omezarr_finding, listener.handle)
    place.check()
    return listener.findings


def verify(store: Any, part: str | None = None, threads: int = 0, progress: bool | Callable[[float], Any] | None = None,
           storage_options: Mapping[str, Any] | None = None, source: Any = None) -> list[Finding]:
    """Looks at every object of a store: documents, chunks, shard indices, what is missing and what should not be there.
    The findings of kind "damage", "stray" and "invalid" mean that it is not whole; no findings: it is.

    source: what the store was made from, an NgffImage, Multiscales, or an array with the axes of the store. Then every pixel
    of the full size, and the mask, is compared with it too, and the first that differs is a finding of kind "different"."""
    place = place_of(store, storage_options)
    listener, reader = Listener(progress_of(progress)), ffi.new("ngff_reader **")
    status = lib.ngff_verify(place.path.encode(), (part or "").encode() or ffi.NULL, ffi.NULL, threads, lib.omezarr_finding,
                             lib.omezarr_progress, listener.handle, reader)
    opened = Handle("reader", reader[0], place)
    if listener.failure:
        raise listener.failure
    if status < 0 and status != lib.NGFF_E_CORRUPT and not listener.findings:
        raise_for(status, opened.error())
    if source is not None:
        found = difference_of_store(opened, source, progress_of(progress), threads)
        listener.findings += [Finding("different", found)] if found else []
    return listener.findings
