"""to_ngff_zarr: pixels from any source into the writer, region by region.

    in memory    the regions that the writer names, copied once, into its own memory
    sliceable    the same; only one region of the source is taken at a time
    dask         every block once, from whatever threads: the writer takes any region from anybody
    dask, other processes    they compute, a few blocks at a time; this process writes
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack

import numpy as np

from . import _sources
from ._change import add_levels, root_attributes_text, said_beside
from ._compare import difference
from ._handles import Error, Handle, OptionError, StorageError, UnsupportedError, Writer, integers, raise_for, text
from ._hosts import shown
from ._levels import Level, Store
from ._model import Methods, Multiscales, NgffImage, is_dask
from ._native import ffi, lib
from ._options import UNSAID, Options, as_list, check_names, codec_options
from ._places import Place, place_of
from ._pyramid import factors_of, is_made, make_plan, plan_options, sizes_of, to_multiscales


class OmeZarrWarning(UserWarning):
    """Something went otherwise than asked; the store is whole."""


# -- Feeding the writer --------------------------------------------------------------------------------------------

class _Target:
    """One level of a writer as an array that is written to: what dask.array.store takes. Any thread, any region, once."""

    def __init__(self, writer: Writer, level: int, image: NgffImage) -> None:
        self.writer, self.level = writer, level
        self.shape, self.dtype = image.shape, _sources.stored_dtype(image.dtype)
        self.mask = image.mask if level == 0 else None
        self.y, self.x = list(image.dims).index("y"), list(image.dims).index("x")

    def _mask(self, key: tuple[slice, ...]) -> np.ndarray[Any, Any] | None:
        if self.mask is None:
            return None
        return np.ascontiguousarray(np.asarray(self.mask[key[self.y], key[self.x]]) != 0, dtype=np.uint8)

    def __setitem__(self, key: tuple[slice, ...], block: Any) -> None:
        pixels = _sources.as_pixels(block, self.dtype)
        mask = self._mask(key)
        with self.writer.in_use():
            self.writer.call("level_write", self.level, integers([k.start or 0 for k in key]), integers(pixels.shape),
                             ffi.cast("void *", pixels.ctypes.data), integers(pixels.strides),
                             ffi.NULL if mask is None else ffi.cast("uint8_t *", mask.ctypes.data),
                             0 if mask is None else mask.strides[0])

    def regions(self) -> Iterator[tuple[slice, ...]]:
        """The regions of the level in the writer's best order."""
        rank = len(self.shape)
        origin, extent = ffi.new("int64_t[]", rank), ffi.new("int64_t[]", rank)
        while self.writer.call("level_next", self.level, origin, extent) == 1:
            yield tuple(slice(o, o + e) for o, e in zip(origin, extent))

    def fill(self, key: tuple[slice, ...], source: Any) -> None:
        """Reads a region of the source into the writer's own memory where it lends it."""
        origin, extent = integers([k.start for k in key]), integers([k.stop - k.start for k in key])
        strides, pixels, mask = ffi.new("int64_t[]", len(key)), ffi.new("void **"), ffi.new("uint8_t **")
        mask_stride = ffi.new("int64_t *")
        if not self.writer.call("level_map", self.level, origin, extent, pixels, strides, mask, mask_stride):
            self[key] = source[key]
            return
        shape = [k.stop - k.start for k in key]
        _lent(pixels[0], shape, list(strides), self.dtype)[...] = _sources.region(source, key, self.dtype)
        valid = self._mask(key)
        if valid is not None:
            _lent(mask[0], [shape[self.y], shape[self.x]], [mask_stride[0], 1], np.dtype(np.uint8))[...] = valid
        self.writer.call("level_commit", self.level, origin, extent)


def _lent(pointer: Any, shape: list[int], strides: list[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    n_bytes = sum((n - 1) * stride for n, stride in zip(shape, strides)) + dtype.itemsize
    return np.ndarray(shape, dtype, ffi.buffer(pointer, n_bytes), 0, strides)


def _feed(writer: Writer, level: int, image: NgffImage, progress: Callable[[float], Any] | None) -> None:
    target, source = _Target(writer, level, image), image.source
    if is_dask(source):
        with _polling(writer, progress):
            _feed_dask(target, source)
        return
    for key in target.regions():
        target.fill(key, source)
        if progress:
            progress(writer.value("progress"))


def _feed_dask(target: _Target, source: Any) -> None:
    import dask
    import dask.array
    from dask.highlevelgraph import HighLevelGraph

    blocks = _blocks(target, source)
    get = dask.base.get_scheduler(collections=[source])
    client = getattr(get, "__self__", None)
    if client is not None and hasattr(client, "compute"):
        _feed_distributed(target, source, client, iter(blocks))
    elif get is not None and get.__module__ == "dask.multiprocessing":
        for window in _windows(blocks, 2 * (os.cpu_count() or 1)):
            for (_, where), block in zip(window, dask.compute(*(source.blocks[index] for index, _ in window))):
                where.put(block, target)
    else:
        # One graph, so that nothing is computed twice. dask begins with the task that sorts last by name, unless it knows
        # better what saves memory; the writer holds fewest pixels in the order of blocks.
        name = f"omezarr-write-{os.urandom(8).hex()}"
        tasks = {f"{name}-{len(blocks) - n:012d}": (where.put, (source.name, *index), target) for n, (index, where) in enumerate(blocks)}
        graph = HighLevelGraph.from_collections(name, tasks, dependencies=[source])
        dask.base.compute_as_if_collection(dask.array.Array, graph, list(tasks))


class _Block:
    """Where a block of a dask array lies, and which parts of it the writer wants."""

    def __init__(self, key: tuple[slice, ...]) -> None:
        self.key, self.parts = key, list[tuple[slice, ...]]()

    def put(self, block: Any, target: _Target) -> None:
        for part in self.parts:
            target[part] = block[tuple(slice(p.start - k.start, p.stop - k.start) for p, k in zip(part, self.key))]


def _blocks(target: _Target, source: Any) -> list[tuple[tuple[int, ...], _Block]]:
    """The blocks that meet a region that the writer wants, by index, in the writer's order. A resumed run wants fewer than
    all, and must not get what it has."""
    ends = [np.cumsum([0, *sizes]) for sizes in source.chunks]
    blocks: dict[tuple[int, ...], _Block] = {}
    n_wanted = 0
    for region in target.regions():
        n_wanted += math.prod(k.stop - k.start for k in region)
        met = [range(int(np.searchsorted(e, k.start, "right")) - 1, int(np.searchsorted(e, k.stop, "left")))
               for e, k in zip(ends, region)]
        for index in itertools.product(*met):
            if index not in blocks:
                blocks[index] = _Block(tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(ends, index)))
            blocks[index].parts.append(tuple(slice(max(k.start, r.start), min(k.stop, r.stop))
                                             for k, r in zip(blocks[index].key, region)))
    if n_wanted == math.prod(target.shape):
        for block in blocks.values():
            block.parts = [block.key]
    return list(blocks.items())


def _windows(items: list[Any], n: int) -> Iterator[list[Any]]:
    for i in range(0, len(items), n):
        yield items[i:i + n]


def _feed_distributed(target: _Target, source: Any, client: Any, blocks: Iterator[Any]) -> None:
    """The cluster computes a few blocks ahead, this process writes them as they come."""
    from distributed import as_completed

    waiting: dict[Any, _Block] = {}

    def submit(n: int) -> list[Any]:
        futures = []
        for index, where in itertools.islice(blocks, n):
            futures.append(client.compute(source.blocks[index]))
            waiting[futures[-1].key] = where
        return futures

    under_way = as_completed(submit(2 * sum(client.nthreads().values()) + 1))
    for future in under_way:
        waiting.pop(future.key).put(future.result(), target)
        future.release()
        for more in submit(1):
            under_way.add(more)


class _polling:
    """Tells progress while this thread waits for dask's."""

    def __init__(self, writer: Writer, progress: Callable[[float], Any] | None) -> None:
        self.writer, self.progress, self.done = writer, progress, threading.Event()
        self.thread = threading.Thread(target=self._work, name="omezarr-progress") if progress else None

    def _work(self) -> None:
        while not self.done.wait(0.1):
            assert self.progress is not None
            self.progress(self.writer.value("progress"))

    def __enter__(self) -> None:
        if self.thread:
            self.thread.start()

    def __exit__(self, *_: Any) -> None:
        self.done.set()
        if self.thread:
            self.thread.join()


def _compare(writer: Writer, image: NgffImage) -> None:
    """Every pixel of the full size as it was stored with the source's."""
    pointer = lib.ngff_writer_reader(writer.pointer)
    if pointer == ffi.NULL:
        raise_for(writer.value("status"), writer.error())
    found = difference(pointer, image)
    if found:
        raise_for(lib.NGFF_E_CORRUPT, f"the stored pixels differ from the source's: {found}; nothing was published: does the "
                                      "source give the same pixels each time?")


def write_levels(place: Place, plan: Handle, image: NgffImage, given: Mapping[int, NgffImage] | None = None,
                 progress: Callable[[float], Any] | None = None, is_compared: bool = False, is_empty: bool = False) -> None:
    """Writes a planned image; is_empty: without its pixels. After any exception, Ctrl-C too, nothing of it is left."""
    for level in given or {}:
        plan.call("set_given", level)
    if is_empty:
        plan.call("set_unfilled")
    block = _sources.block_of(image.source)
    n_readers = (os.cpu_count() or 1) if is_dask(image.source) else 1
    plan.call("set_source", ffi.NULL if block is None else integers(block), n_readers)
    writer = Writer(plan, place)
    try:
        if not is_empty:
            _feed(writer, 0, image, progress)
            for level, of_level in (given or {}).items():
                _feed(writer, level, of_level, progress)
        if is_compared:
            _compare(writer, image)
        writer.close(progress)
        warning = writer.text("warning")
    finally:
        writer.release()
    if warning:
        warnings.warn(shown(warning), OmeZarrWarning, stacklevel=3)


# -- Step 3 --------------------------------------------------------------------------------------------------------

def progress_of(progress: bool | Callable[[float], Any] | None) -> Callable[[float], Any] | None:
    """True becomes a bar: tqdm's where it is installed, else per cent on stderr."""
    if progress is None or progress is False:
        return None
    if callable(progress):
        return progress
    try:
        from tqdm.auto import tqdm
    except ImportError:
        def show(share: float) -> None:
            sys.stderr.write(f"\r{100 * share:3.0f} %" + ("\n" if share >= 1 else ""))
            sys.stderr.flush()

        return show
    bar = tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining}")

    def advance(share: float) -> None:
        bar.update(max(0, 100 * share - bar.n))
        if share >= 1:
            bar.close()

    return advance


def _shards(n: Any, chunks: Mapping[str, int], image: NgffImage) -> str:
    by_dim = n if isinstance(n, Mapping) else dict(zip(image.dims, n)) if not isinstance(n, int) else dict.fromkeys(image.dims, n)
    return ",".join(str(min(chunks[d], size) * int(by_dim.get(d, 1))) for d, size in zip(image.dims, image.shape))


_Choices = tuple[NgffImage, list[Any], Mapping[str, int], Methods, dict[str, Any]]


def _choices(multiscales: Any, version: str, chunks_per_shard: Any, more: Mapping[str, Any],
             switches: Mapping[str, Any]) -> tuple[Multiscales, _Choices]:
    """What make_plan takes of what is to be written."""
    check_names(more)
    m = multiscales if isinstance(multiscales, Multiscales) else to_multiscales(multiscales)
    image = m.images[0]
    if list(image.dims) != [d for d in "tczyx" if d in image.dims]:
        raise OptionError(f"the axes of the levels are {tuple(image.dims)}; to_multiscales puts them into the order "
                          "t, c, z, y, x")
    if m.metadata.coordinateTransformations:
        raise UnsupportedError("coordinateTransformations of the whole image are not written; those of levels are made from the scale "
                               "and translation of level 0: put them there")
    if m.metadata.name not in ("", "image", image.name):  # the root document's own word
        image = copy.copy(image)
        image.name = m.metadata.name
    chunks = m.chunks or dict(zip(image.dims, _sources.block_of(image.source) or image.shape))
    options: dict[str, Any] = {**switches, "ngff_version": version, **more}
    if chunks_per_shard is not None:
        options["shard"] = _shards(chunks_per_shard, chunks, image)
    method = m.method or (Methods.NEAREST if image.dtype.kind == "c" else Methods.ITKWASM_GAUSSIAN)
    factors = factors_of(m)
    options.setdefault("sizes", sizes_of(m, factors))
    return m, (image, factors, chunks, method, options)


def _planned(multiscales: Any, version: str, chunks_per_shard: Any, more: Mapping[str, Any],
             switches: Mapping[str, Any]) -> tuple[Handle, Multiscales]:
    m, choices = _choices(multiscales, version, chunks_per_shard, more, switches)
    planned = make_plan(*choices, m.metadata.omero)
    if m.root_attributes:
        planned.call("set_root_attributes", root_attributes_text(m.root_attributes))
    return planned, m


def plan(multiscales: Multiscales | NgffImage | Any, version: str = "0.5",
         chunks_per_shard: int | tuple[int, ...] | Mapping[str, int] | None = None, **options: Unpack[Options]) -> str:
    """What to_ngff_zarr with the same arguments would write, in words: levels, chunks, objects, bytes, memory, threads."""
    planned, m = _planned(multiscales, version, chunks_per_shard, options, {})
    block = _sources.block_of(m.images[0].source)
    planned.call("set_source", ffi.NULL if block is None else integers(block), 1)
    return planned.text("text")


def _attributes_at(place: Place) -> dict[str, Any]:
    """What others have put into the root of the image that is at a place; nothing where none can be read."""
    if place.objects is None and not os.path.lexists(place.path):
        return {}
    try:
        found: dict[str, Any] = json.loads(Store(place, "", ()).handle.text("root_attributes") or "{}")
    except Error:
        return {}
    return found


def _left_behind(multiscales: Multiscales) -> list[str]:
    """Names of what the store that an image was read from says of it, and a new one will not."""
    source = multiscales.images[0].source
    if not isinstance(source, Level) or not isinstance(source.owner, Store):
        return []
    kept = multiscales.root_attributes or {}
    others = json.loads(source.owner.handle.text("root_attributes") or "{}")
    return sorted([*said_beside(source.owner.handle), *(set(others) - set(kept))])


@contextlib.contextmanager
def _folders_above(place: Place) -> Iterator[None]:
    """Makes the folders that a path lies in, as zarr does; those that are made go again if nothing comes into them."""
    made: list[str] = []
    if place.objects is None:
        above = os.path.dirname(os.path.abspath(place.path))
        while not os.path.lexists(above):
            made.append(above)
            above = os.path.dirname(above)
        try:
            if made:
                os.makedirs(made[0], exist_ok=True)
        except OSError as error:
            for folder in made:
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            failure = StorageError(f"{place.shown}: the folder {made[0]} cannot be made: {error.strerror}; is {above} a folder that "
                                   "you may write to?")
            failure.status = lib.NGFF_E_STORAGE
            raise failure from error
    try:
        yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


def _add_levels(place: Place, start: int, overwrite: bool, is_empty: bool, progress: Any,
                chosen: tuple[Multiscales, _Choices]) -> None:
    m, choices = chosen
    if overwrite:
        raise OptionError(f"start_level={start} keeps the levels that are there: say overwrite=False")
    if not 0 < start < len(m.images):
        raise OptionError(f"start_level={start} is out of range: the image has levels 0 to {len(m.images) - 1}")
    told = add_levels(place, m, start, plan_options(*choices), is_empty, is_made, progress_of(progress))
    if told:
        warnings.warn(shown(told), OmeZarrWarning, stacklevel=3)


def to_ngff_zarr(
    store: Any,
    multiscales: Multiscales | NgffImage | Any,
    version: str = "0.5",
    overwrite: bool = True,
    chunks_per_shard: int | tuple[int, ...] | Mapping[str, int] | None = None,
    consolidate_metadata: bool = True,
    progress: bool | Callable[[float], Any] | None = None,
    resume: bool = False,
    part: tuple[int, int] | None = None,
    verify: bool | str = False,
    sync: bool = False,
    fingerprint: str | None = None,
    metadata_only: bool = False,
    start_level: int = 0,
    compressor: Any = UNSAID,
    compressors: Any = UNSAID,
    storage_options: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> None:
    """Writes an image with all its levels, in one pass over its pixels and in bounded memory.

    store: path of the folder to make, by custom NAME.ome.zarr, or of a single file, NAME.ozx. It appears when it is
        whole; until then, and after any failure or Ctrl-C, there is what was there before. Folders above it are made.
        Or a place elsewhere: a URL such as "s3://BUCKET/NAME.ome.zarr" (by fsspec, with storage_options), an fsspec mapper
        or file system, a UPath, a store of obstore or zarr, a dict. There nothing opens before the image is whole, and a
        failure leaves nothing; but one that is overwritten is removed first.
    multiscales: what to_multiscales returns (or an image or array, which it is called with). Levels whose data was
        replaced are written as they are given; all others are made from level 0.
    version: of NGFF, "0.4", "0.5" or "0.6".
    overwrite: replaces an OME-Zarr that is at the path; anything else is never replaced. Attributes of others in its root
        stay, unless multiscales.root_attributes has others of their names.
    chunks_per_shard: chunks of each shard: one number for all axes, a tuple, or by axis (not in version 0.4).
    consolidate_metadata: the root holds all metadata as well.
    progress: True for a bar, or a function that is called with the share that is done, 0 to 1.
    resume: goes on where an earlier run with resume=True was killed, if source and options are the same.
    part: (i, n) writes part i (1 to n) of n, in this process; others write the others, on any machine, in any order, again if
        need be. Nothing opens before omezarr.finish(store) has put them together, to the bytes of one call.
    verify: "STORE" or True decodes all that was written before it becomes visible; "SOURCE" also compares every pixel
        of level 0 with the source, which is read, or computed, again.
    sync: waits until all of it is on the disk.
    fingerprint: for resume and part: text that tells this source from others. Without it a numpy array is digested, of other
        arrays it is their name.
    metadata_only: writes all documents and no pixels, of which the source is asked for none: others fill the arrays later, by
        zarr, say. Until they do, pixels read as 0. Not in one file (.ozx).
    start_level: levels from this one on are made from those that the store has, and added to it or put in the place of what
        is there, with overwrite=False; those below stay as they are, and so does what the store says of them: its codec,
        chunks, name. For stores that this library has written, by Python.
    compressor, compressors: a codec of numcodecs or zarr, its dict, or None for none; instead of compress= and level=.
    storage_options: of the URL, for fsspec: {"key": ..., "secret": ..., "endpoint_url": ...}.
    options: all others of the library, in small letters: compress="ZSTD", level=3, layout="FLAT" ... (omezarr.Options).

    A dask array is computed block by block, each block once, whatever its chunks, with the scheduler in force; pixels of
    one region are held at a time. Shards and chunks need not fit the blocks.

    Raises FileExistsError, FileNotFoundError, ValueError, NotImplementedError, OSError (all also omezarr.Error) with the
    path, the cause and what to do; what the source raises comes through as it is, and what a store of Python's raises is
    the cause (__cause__) of the error.
    """
    place = place_of(store, storage_options)
    if place.why_not_written:
        raise UnsupportedError(f"{place.shown}: {place.why_not_written}")
    level = verify.upper() if isinstance(verify, str) else "STORE" if verify else "NO"
    switches: dict[str, Any] = {"overwrite": overwrite, "resume": resume, "sync": sync, "verify": level,
                                "part": part and f"{part[0]}/{part[1]}",
                                "consolidated": consolidate_metadata}
    codecs = [codec for codec in (compressor, compressors) if codec is not UNSAID]
    if len(codecs) > 1 or codecs and options.get("compress") is not None:
        raise OptionError("give one of compressor=, compressors= and compress=")
    for codec in codecs:
        switches.update(codec_options(codec))
    if metadata_only and place.path.lower().endswith(".ozx"):
        raise OptionError(f"metadata_only=True: {place.shown} is one file, into which nobody writes pixels later; give a folder")
    if start_level:
        _add_levels(place, start_level, overwrite, metadata_only, progress,
                    _choices(multiscales, version, chunks_per_shard, options, switches))
        return
    planned, m = _planned(multiscales, version, chunks_per_shard, options, switches)
    if overwrite and not resume:
        there = _attributes_at(place)
        if there:
            planned.call("set_root_attributes", root_attributes_text({**there, **(m.root_attributes or {})}))
    image = m.images[0]
    for source in (level_image.source for level_image in m.images):
        owner = source.owner if isinstance(source, Level) else None
        if isinstance(owner, Store) and owner.place.is_same(place):
            raise OptionError(f"{place.shown}: the image is read from there, and an image that is overwritten in an object store is "
                              "removed first; write to another name")
    if resume or part:
        planned.call("set_fingerprint", (fingerprint or _sources.fingerprint(image.source)).encode())
    for i in itertools.count():
        told = planned.text("warning", i)
        if not told:
            break
        warnings.warn(told, OmeZarrWarning, stacklevel=2)
    left = _left_behind(m)
    if left:
        warnings.warn(f"{place.shown}: attributes of the store that the image was read from are not written: {', '.join(left)}; "
                      "gdal_translate -of OMEZARR keeps them", OmeZarrWarning, stacklevel=2)
    given = {i: of_level for i, of_level in enumerate(m.images) if i and not is_made(of_level) and not metadata_only}
    for i, of_level in given.items():
        expected = planned.integers("level_shape", len(image.dims), i)
        if of_level.shape != expected:
            raise OptionError(f"level {i} has shape {of_level.shape}; by its factor it has {expected} here. "
                              "Make the levels anew: to_multiscales(multiscales.images[0], scale_factors)")
    with _folders_above(place):
        write_levels(place, planned, image, given, progress_of(progress), level == "SOURCE", metadata_only)
    for written in m.images:
        for callback in written.computed_callbacks:
            callback()
        written.computed_callbacks = []


# -- Parts ---------------------------------------------------------------------------------------------------------

def finish(
    store: Any,
    progress: bool | Callable[[float], Any] | None = None,
    verify: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    **options: str | int | bool,
) -> None:
    """Makes an OME-Zarr of the parts that to_ngff_zarr(store, ..., part=(i, n)) has written: the smaller levels and the
    metadata; then it appears. options: overwrite, sync, num_threads, memory, report (if the parts had one), in the place of
    the parts'. Raises StateError, with their numbers, while parts are missing; FileNotFoundError where there are none."""
    place = place_of(store, storage_options)
    writer = Writer(as_list({**options, "verify": "STORE" if verify else None}), place)
    try:
        writer.close(progress_of(progress))
        warning = writer.text("warning")
    finally:
        writer.release()
    if warning:
        warnings.warn(shown(warning), OmeZarrWarning, stacklevel=2)


def missing_parts(store: Any, storage_options: Mapping[str, Any] | None = None) -> list[int]:
    """The numbers of the parts that are still to be written. FileNotFoundError where no parts are."""
    place, error = place_of(store, storage_options), ffi.new("char[]", 1024)
    is_made = ffi.new("uint8_t[]", 100000)
    n = lib.ngff_parts_status(place.path.encode(), is_made, len(is_made), error, len(error))
    place.check()
    if n <= 0:
        raise_for(n or lib.NGFF_E_NOT_FOUND, text(error) or f"{place.shown}: no parts are there")
    return [i + 1 for i in range(n) if not is_made[i]]


def abandon(store: Any, storage_options: Mapping[str, Any] | None = None) -> None:
    """Removes the parts that have been written there. FileNotFoundError where none are."""
    place, error = place_of(store, storage_options), ffi.new("char[]", 1024)
    status = lib.ngff_parts_abandon(place.path.encode(), error, len(error))
    place.check()
    if status < 0:
        raise_for(status, text(error))
