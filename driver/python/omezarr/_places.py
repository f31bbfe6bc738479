"""Where a store lies: a path of this machine, or objects in a store of Python's, one adapter for each kind of store.

    "a.ome.zarr", pathlib.Path, file://        the library's own calls
    LocalFileSystem, LocalStore (obstore, zarr)    the same, by their path
    "s3://bucket/a.ome.zarr" and other URLs     fsspec, with storage_options
    fsspec mapper, fsspec file system, UPath, FsspecStore of zarr    fsspec
    obstore store, ObjectStore of zarr          obstore
    other stores of zarr (MemoryStore ...)      zarr
    dict                                        itself
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from ._handles import OptionError, UnsupportedError, WrongTypeError
from ._hosts import Host, Objects, code_of

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")


class Place:
    """path: as the library takes it. host: what answers there, if the library does not do it itself; it lives as long as
    this. It pickles as the store itself does."""

    def __init__(self, path: str, objects: Objects | None = None, why_not_written: str | None = None, key: str | None = None) -> None:
        self.below, self.objects, self._why = path, objects, why_not_written
        self.host = Host(objects) if objects is not None else None
        self.path = path if self.host is None else self.host.path + (f"/{path}" if path else "")
        self.key = key or (path if self.host is None else uuid.uuid4().hex)

    @property
    def why_not_written(self) -> str | None:
        return self._why or (self.objects.why_not_written if self.objects is not None else None)

    @property
    def shown(self) -> str:
        return self.path if self.objects is None else f"{self.objects.name}/{self.below}".rstrip("/")

    def at(self, path: str) -> Place:
        """A place below it."""
        return Place("/".join(part for part in (self.below, path) if part), self.objects, self._why) if path else self

    def is_same(self, other: Place) -> bool:
        """True if both are known to be the same objects."""
        return self.objects is not None and self.below == other.below and self.objects == other.objects

    def check(self) -> None:
        if self.host is not None:
            self.host.check()

    def __reduce__(self) -> tuple[Any, ...]:
        return Place, (self.below, self.objects, self._why, self.key)


def place_of(store: Any, storage_options: Mapping[str, Any] | None = None) -> Place:
    """What a user has given as a store. storage_options: for fsspec, of a URL."""
    if isinstance(store, Place):
        return store
    is_url = isinstance(store, str) and _URL.match(store)
    if storage_options and not is_url:
        raise OptionError("storage_options belong to a URL, such as s3://BUCKET/NAME.ome.zarr")
    if is_url:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise UnsupportedError(f"{store}: URLs are opened by fsspec, which is not installed") from None
        return _of_fsspec(*url_to_fs(store, **dict(storage_options or {})))
    module = type(store).__module__.partition(".")[0]
    if hasattr(store, "fs") and isinstance(getattr(store, "root", getattr(store, "path", None)), str):
        # a mapper, a UPath, zarr's FsspecStore, fsspec's DirFileSystem
        is_read_only = module == "zarr" and store.read_only
        return _of_fsspec(store.fs, store.root if isinstance(getattr(store, "root", None), str) else store.path, _read_only if is_read_only else None)
    if isinstance(store, (str, os.PathLike)):
        return Place(os.fspath(store))
    if _is_one_of(store, "fsspec.spec", "AbstractFileSystem"):
        return _of_fsspec(store, "")
    if module == "obstore":
        return _of_obstore(store)
    if module == "zarr" and hasattr(store, "store") and isinstance(getattr(store, "path", None), str):  # StorePath
        return place_of(store.store).at(store.path)
    if _is_one_of(store, "zarr.abc.store", "Store"):
        return _of_zarr(store)
    if isinstance(store, MutableMapping):
        return Place("", _Dict(store))
    raise WrongTypeError(f"the store is a {type(store).__name__}; give a path (a folder or an .ozx file), a URL, an fsspec mapper or file "
                    "system, a store of obstore or zarr, or a dict")


_read_only = "the store was opened read-only"


def _is_one_of(store: Any, module: str, name: str) -> bool:
    """isinstance without an import: who has such an object has the module."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(store, kind)


def _cut(data: Any, offset: int, n: int) -> Any:
    if offset < 0:
        return data[-n:]
    return data[offset:offset + n] if n else data[offset:]


_one_at_a_time = threading.Lock()  # where a place cannot decide by itself which of two is first


# -- dict --------------------------------------------------------------------------------------------------------------

class _Dict:
    """A mapping of keys to bytes. In a dict setdefault decides which of two writers is first."""

    name, is_listed = "dict", True
    why_not_written: str | None = None

    def __init__(self, mapping: MutableMapping[str, Any]) -> None:
        self.mapping = mapping

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Dict) and self.mapping is other.mapping

    def write(self, key: str, data: bytes, must_be_new: bool) -> None:
        if not must_be_new:
            self.mapping[key] = data
            return
        with _one_at_a_time:
            if self.mapping.setdefault(key, data) is not data:
                raise FileExistsError(key)

    def _bytes(self, key: str) -> Any:
        try:
            return self.mapping[key]
        except KeyError:
            raise FileNotFoundError(key) from None

    def read(self, key: str, offset: int, n: int) -> tuple[Any, int | None]:
        data = self._bytes(key)
        return _cut(data, offset, n), len(data)

    def remove(self, key: str) -> None:
        self.mapping.pop(key, None)

    def size(self, key: str) -> int:
        return len(self._bytes(key))

    def list(self, prefix: str, is_recursive: bool) -> Iterable[str]:
        return [key for key in list(self.mapping) if key.startswith(prefix)]


# -- fsspec ------------------------------------------------------------------------------------------------------------

def _of_fsspec(fs: Any, root: str, why_not_written: str | None = None) -> Place:
    fs = getattr(fs, "sync_fs", fs)  # which AsyncFileSystemWrapper wraps
    if getattr(fs, "asynchronous", False):  # made for a loop of the caller's; its twin has one of its own
        fs = type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False})
    if type(fs).__name__ == "DirFileSystem":
        root, fs = f"{fs.path}/{root}".rstrip("/") if root else fs.path, fs.fs
    root = str(fs._strip_protocol(root)) if root else root
    if "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        return Place(root, why_not_written=why_not_written)
    objects = _Fsspec(fs, "/" if root.startswith("/") else "")
    return Place(root.strip("/"), objects, why_not_written)


def _has_own(fs: Any, *names: str) -> bool:
    """True if the file system does it in a way of its own; those that it inherits refuse, or look first."""
    owners = [c for name in names for c in type(fs).__mro__ if name in c.__dict__][:1]
    return any(c.__module__ not in ("fsspec.spec", "fsspec.asyn", "fsspec.archive") for c in owners)


class _Fsspec:
    """A file system of fsspec by full paths. Lists and sizes that it remembers are never believed."""

    def __init__(self, fs: Any, lead: str) -> None:
        self.fs, self.lead = fs, lead
        self.protocol = protocol = str(fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0])
        self.is_listed = protocol not in ("http", "https")
        self.name = f"{protocol}:/" if self.is_listed else "web"  # the paths of which are whole URLs
        is_written = self.is_listed and any(_has_own(fs, name) for name in ("rm_file", "_rm_file", "rm", "_rm"))
        self.why_not_written = None if is_written else f"fsspec's {type(fs).__name__} is only read: it removes nothing"
        put = inspect.signature(fs._pipe_file if fs.async_impl else fs.pipe_file).parameters
        get = inspect.signature(fs._cat_file if fs.async_impl else fs.cat_file).parameters
        self.has_create = "mode" in put and _has_own(fs, "_pipe_file" if fs.async_impl else "pipe_file")
        self.has_parts = "chunksize" in put
        self.whole: dict[str, Any] = {"max_concurrency": 1} if "max_concurrency" in get else {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fsspec) and bool(self.fs == other.fs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Fsspec, (self.fs, self.lead)

    def write(self, key: str, data: bytes, must_be_new: bool) -> None:
        path = self.lead + key
        # One request, whole or not at all: in parts, an interrupted one would leave what nobody sees and somebody pays for.
        options: dict[str, Any] = {"chunksize": max(len(data), 1)} if self.has_parts else {}
        if not must_be_new:
            self.fs.pipe_file(path, data, **options)
        elif self.has_create and self.protocol != "memory":
            try:
                self.fs.pipe_file(path, data, mode="create", **options)
            except OSError as error:
                if code_of(error) == "PreconditionFailed":
                    raise FileExistsError(path) from error
                raise
        else:
            with _one_at_a_time:
                if self._is_there(key):
                    raise FileExistsError(path)
                self.fs.pipe_file(path, data, **options)

    def _is_there(self, key: str) -> bool:
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def read(self, key: str, offset: int, n: int) -> tuple[Any, int | None]:
        path = self.lead + key
        if offset == 0 and n == 0:
            data = self.fs.cat_file(path, **self.whole)
            return data, None
        start: int = offset
        end: int | None = offset + n if n else None
        if offset < 0 and self.protocol in ("s3", "s3a", "memory"):
            start, end = -n, None
        elif offset < 0:
            start, end = max(0, self.size(key) - n), None
        try:
            return self.fs.cat_file(path, start=start, end=end), None
        except OSError as error:
            if code_of(error) in ("InvalidRange", "416"):  # it begins behind the end
                return b"", None
            raise

    def remove(self, key: str) -> None:
        self.fs.rm_file(self.lead + key)

    def size(self, key: str) -> int:
        path = self.lead + key
        self.fs.invalidate_cache(path)
        info = self.fs.info(path)
        if info["type"] == "directory":
            raise FileNotFoundError(path)
        return int(info["size"])

    def list(self, prefix: str, is_recursive: bool) -> Iterable[str]:
        path = self.lead + prefix.rstrip("/")
        self.fs.invalidate_cache(path)
        found = self.fs.find(path) if is_recursive else self.fs.ls(path, detail=False)
        return [name[len(self.lead):] if name.startswith(self.lead) else name for name in found]


# -- obstore -----------------------------------------------------------------------------------------------------------

def _of_obstore(store: Any, why_not_written: str | None = None) -> Place:
    if type(store).__name__ == "LocalStore":
        if store.prefix is None:
            raise OptionError("this LocalStore is the whole file system; give the path of the image")
        return Place(os.fspath(store.prefix), why_not_written=why_not_written)
    return Place("", _Obstore(store), why_not_written)


class _Obstore:
    """A store of obstore. It decides itself which of two writers is first (mode="create"), where the service can."""

    is_listed = True

    def __init__(self, store: Any) -> None:
        self.store = store
        self.why_not_written = "web servers are only read" if type(store).__name__ == "HTTPStore" else None
        self.is_listed = self.why_not_written is None
        config = dict(getattr(store, "config", None) or {})
        bucket = config.get("bucket") or config.get("container_name") or ""
        parts = [str(bucket), str(getattr(store, "prefix", None) or "").strip("/")]
        schemes = {"S3Store": "s3://", "GCSStore": "gs://", "AzureStore": "az://"}
        scheme = schemes.get(type(store).__name__)
        self.name = scheme + "/".join(p for p in parts if p) if scheme and bucket else type(store).__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Obstore) and (self.store is other.store or bool(self.store == other.store))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Obstore, (self.store,)

    def write(self, key: str, data: bytes, must_be_new: bool) -> None:
        import obstore

        obstore.put(self.store, key, data, mode="create" if must_be_new else "overwrite", use_multipart=False)

    def read(self, key: str, offset: int, n: int) -> tuple[Any, int | None]:
        import obstore

        if offset == 0 and n == 0:
            answer = obstore.get(self.store, key)
            return answer.bytes(), int(answer.meta["size"])
        try:
            part: Any = {"suffix": n} if offset < 0 else (offset, offset + n) if n else {"offset": offset}
            answer = obstore.get(self.store, key, options={"range": part})
            return answer.bytes(), int(answer.meta["size"])
        except (FileNotFoundError, PermissionError):
            raise
        except Exception:  # a range behind the end; or the last bytes, which Azure does not know
            size = self.size(key)
            first = max(0, size - n) if offset < 0 else offset
            if first >= size:
                return b"", size
            if offset >= 0:
                raise
            return obstore.get_range(self.store, key, start=first, end=size), size

    def remove(self, key: str) -> None:
        import obstore

        obstore.delete(self.store, key)

    def size(self, key: str) -> int:
        import obstore

        return int(obstore.head(self.store, key)["size"])

    def list(self, prefix: str, is_recursive: bool) -> Iterable[str]:
        import obstore

        if is_recursive:
            return [entry["path"] for entries in obstore.list(self.store, prefix or None) for entry in entries]
        found = obstore.list_with_delimiter(self.store, prefix or None)
        return [*(entry["path"] for entry in found["objects"]), *(f"{name.rstrip('/')}/" for name in found["common_prefixes"])]


# -- zarr --------------------------------------------------------------------------------------------------------------

def _of_zarr(store: Any) -> Place:
    why = _read_only if store.read_only else None
    kind = type(store).__name__
    if kind == "LocalStore":
        return Place(os.fspath(store.root), why_not_written=why)
    if kind == "ObjectStore":
        return _of_obstore(store.store, why)
    if kind == "ZipStore":
        why = "nothing can be removed from a ZipStore; write NAME.ozx, which is a zip, by its path"
    elif not (store.supports_writes and store.supports_deletes and store.supports_listing):
        why = why or f"a {kind} does not write, delete and list"
    return Place("", _Zarr(store, why), why)


class _Zarr:
    """Any store of zarr-python 3, by its own calls on zarr's loop."""

    def __init__(self, store: Any, why_not_written: str | None) -> None:
        self.store, self.name, self.why_not_written = store, type(store).__name__, why_not_written
        self.is_listed = bool(store.supports_listing)

    def __eq__(self, other: object) -> bool:
        def content(store: Any) -> Any:
            return getattr(store, "_store_dict", store)  # which several MemoryStores may share

        return isinstance(other, _Zarr) and content(self.store) is content(other.store)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Zarr, (self.store, self.why_not_written)

    def _wait(self, coroutine: Any) -> Any:
        from zarr.core.sync import sync

        async def opened() -> Any:
            await self.store._ensure_open()  # a ZipStore is not before somebody asks for it
            return await coroutine

        return sync(opened())

    def _get(self, key: str, part: Any) -> bytes:
        from zarr.core.buffer import default_buffer_prototype

        found = self._wait(self.store.get(key, default_buffer_prototype(), part))
        if found is None:
            raise FileNotFoundError(key)
        return bytes(found.to_bytes())

    def write(self, key: str, data: bytes, must_be_new: bool) -> None:
        from zarr.core.buffer import default_buffer_prototype

        buffer = default_buffer_prototype().buffer.from_bytes(data)
        if not must_be_new:
            self._wait(self.store.set(key, buffer))
            return
        with _one_at_a_time:
            is_there = self._wait(self.store.exists(key))
            if not is_there:
                self._wait(self.store.set_if_not_exists(key, buffer))
            if is_there or self._get(key, None) != data:  # it does not say whether it did
                raise FileExistsError(key)

    def read(self, key: str, offset: int, n: int) -> tuple[Any, int | None]:
        from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest

        part = (SuffixByteRequest(n) if offset < 0 else RangeByteRequest(offset, offset + n) if n
                else OffsetByteRequest(offset) if offset else None)
        return self._get(key, part), None

    def remove(self, key: str) -> None:
        self._wait(self.store.delete(key))

    def size(self, key: str) -> int:
        return int(self._wait(self.store.getsize(key)))

    def list(self, prefix: str, is_recursive: bool) -> Iterable[str]:
        async def gather() -> list[str]:
            if is_recursive:
                return [key async for key in self.store.list_prefix(prefix)]
            return [prefix + name async for name in self.store.list_dir(prefix.rstrip("/"))]

        found: list[str] = self._wait(gather())
        return found
