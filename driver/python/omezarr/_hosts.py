"""Stores that Python speaks to, as places of the library: the five calls of an ngff_store answered by Python objects.

The calls come on any thread, with the GIL, and none of them raises: an exception becomes a status and one line of text for
the library, is kept, and is the cause of the error that the library's message becomes. At the interpreter's end all stores
end first, so that no thread of the library asks for Python when there is none."""

from __future__ import annotations

import atexit
import errno
import itertools
import re
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ._native import ffi, lib


RETRY_DELAY = 0.5  # seconds before what may pass is tried again, doubled each time


class Objects(Protocol):
    """Bytes by key. A key that is not there is FileNotFoundError."""

    name: str
    why_not_written: str | None
    is_listed: bool

    def write(self, key: str, data: bytes, must_be_new: bool) -> None:
        """Stores an object whole. must_be_new: only where there is none, else FileExistsError."""

    def read(self, key: str, offset: int, n: int) -> tuple[Any, int | None]:
        """n bytes from offset (n = 0: all; offset = -1: the last n), and the object's size where it is told."""

    def remove(self, key: str) -> None: ...

    def size(self, key: str) -> int: ...

    def list(self, prefix: str, is_recursive: bool) -> Iterable[str]:
        """All keys that begin with the prefix, or of each the next part."""


class Host:
    """A store of Python's that the library knows by a path, as long as this object lives."""

    _living: weakref.WeakValueDictionary[int, Host] = weakref.WeakValueDictionary()
    _numbers = itertools.count(1)

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.failures: deque[tuple[str, BaseException]] = deque(maxlen=16)
        self.interrupt: BaseException | None = None
        number = next(Host._numbers)
        is_written = objects.why_not_written is None
        calls = ffi.new("ngff_store_calls *", {
            "user": ffi.cast("void *", number),
            "write": lib.omezarr_store_write if is_written else ffi.NULL,
            "read": lib.omezarr_store_read,
            "remove": lib.omezarr_store_remove if is_written else ffi.NULL,
            "size": lib.omezarr_store_size,
            "list": lib.omezarr_store_list if objects.is_listed else ffi.NULL,
            "retry_delay": RETRY_DELAY,
        })
        pointer = lib.ngff_store_create(calls, objects.name.encode())
        if pointer == ffi.NULL:
            from ._handles import OutOfMemoryError  # which needs this module

            raise OutOfMemoryError("no memory for a store")
        self.pointer = ffi.gc(pointer, lib.ngff_store_free)
        self.path: str = ffi.string(lib.ngff_store_path(self.pointer)).decode()
        Host._living[number] = self

    def check(self) -> None:
        """Ctrl-C that came within a call of the library is heard behind it."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            raise interrupt


def shown(message: str) -> str:
    """A message of the library as Python's users know the place."""
    return re.sub(r"/host:\d+:", "", message)


def cause_of(message: str) -> BaseException | None:
    """The exception that a message of the library speaks of."""
    for path in set(re.findall(r"/host:\d+:", message)):
        for host in list(Host._living.values()):
            if host.path.startswith(path):
                for words, failure in reversed(host.failures):
                    if words in message:
                        return failure
    return None


@atexit.register
def _end_all() -> None:
    for host in list(Host._living.values()):
        ffi.release(host.pointer)  # waits for the calls under way


# -- The calls ---------------------------------------------------------------------------------------------------------

_PASSING = {errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ETIMEDOUT, getattr(errno, "EREMOTEIO", errno.EIO), None}


def code_of(failure: BaseException) -> str:
    """What a server has called the failure, where the exception says it."""
    for said in (failure, failure.__cause__):
        response = getattr(said, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _status_of(failure: BaseException) -> int:
    status = getattr(failure, "status", None)  # of aiohttp, HTTP's
    if code_of(failure) == "NoSuchBucket":  # not known to be missing
        return int(lib.NGFF_E_STORAGE)
    if isinstance(failure, FileNotFoundError) or status in (404, 410):
        return int(lib.NGFF_E_NOT_FOUND)
    name = type(failure).__name__  # obstore's own are no builtin ones
    if isinstance(failure, FileExistsError) or name == "AlreadyExistsError":
        return int(lib.NGFF_E_EXISTS)
    if isinstance(failure, PermissionError) or status in (401, 403) or name in ("PermissionDeniedError", "UnauthenticatedError"):
        return int(lib.NGFF_E_REFUSED)
    if isinstance(failure, MemoryError):
        return int(lib.NGFF_E_MEMORY)
    is_passing = (isinstance(failure, (ConnectionError, TimeoutError)) or (isinstance(status, int) and (status == 429 or status >= 500))
                  or (isinstance(failure, OSError) and failure.errno in _PASSING)
                  # aiohttp's and botocore's, for connections that end before the answer does
                  or any(re.search("Connection|Timeout|Disconnected|Payload|IncompleteRead|HTTPClientError", base.__name__)
                         for base in type(failure).__mro__)
                  # obstore's, for all that a server or a network does; it says how often it has tried itself
                  or (name == "GenericError" and not re.search(r"\bretries: ([3-9]|\d\d)", str(failure))))
    return int(lib.NGFF_E_AGAIN if is_passing else lib.NGFF_E_STORAGE)


def _answer(user: Any, error: Any, error_size: int, call: Callable[[Objects], Any], expected: int = 0) -> int:
    """Makes a call; what it raises is kept, unless it is the answer expected."""
    host = Host._living.get(int(ffi.cast("intptr_t", user)))
    if host is None:
        return int(lib.NGFF_E_STORAGE)
    try:
        call(host.objects)
        return int(lib.NGFF_OK)
    except BaseException as failure:
        status = _status_of(failure)
        if isinstance(failure, (KeyboardInterrupt, SystemExit)):
            host.interrupt = failure
        if status != expected:
            words = " ".join(f"{type(failure).__name__}: {failure}".split())
            encoded = words.encode()[: min(150, error_size - 1)]
            host.failures.append((encoded.decode(errors="ignore"), failure))
            ffi.memmove(error, encoded + b"\0", len(encoded) + 1)
        return status


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_store_write(user: Any, key: Any, data: Any, n: int, must_be_new: int, error: Any, error_size: int) -> int:
    def write(objects: Objects) -> None:
        objects.write(ffi.string(key).decode(), bytes(ffi.buffer(data, n)), must_be_new != 0)

    return _answer(user, error, error_size, write, lib.NGFF_E_EXISTS)


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_store_read(user: Any, key: Any, offset: int, n: int, room: Any, to: Any, size: Any, error: Any, error_size: int) -> int:
    def read(objects: Objects) -> None:
        data, whole = objects.read(ffi.string(key).decode(), offset, n)
        with memoryview(data) as view:
            taken = room(to, view.nbytes)
            if taken == ffi.NULL:
                raise OSError(errno.EINVAL, f"the store gave {view.nbytes} bytes where {n} were asked for, or memory is out")
            ffi.memmove(taken, view, view.nbytes)
        if whole is not None:
            size[0] = whole

    return _answer(user, error, error_size, read, lib.NGFF_E_NOT_FOUND)


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_store_remove(user: Any, key: Any, error: Any, error_size: int) -> int:
    return _answer(user, error, error_size, lambda objects: objects.remove(ffi.string(key).decode()), lib.NGFF_E_NOT_FOUND)


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_store_size(user: Any, key: Any, size: Any, error: Any, error_size: int) -> int:
    def ask(objects: Objects) -> None:
        size[0] = objects.size(ffi.string(key).decode())

    return _answer(user, error, error_size, ask, lib.NGFF_E_NOT_FOUND)


@ffi.def_extern(error=lib.NGFF_E_STORAGE)  # type: ignore[untyped-decorator]
def omezarr_store_list(user: Any, prefix: Any, is_recursive: int, found: Any, to: Any, error: Any, error_size: int) -> int:
    def tell(objects: Objects) -> None:
        for key in objects.list(ffi.string(prefix).decode(), is_recursive != 0):
            if found(to, key.encode()) != lib.NGFF_OK:
                raise MemoryError("no memory for a list of keys")

    return _answer(user, error, error_size, tell, lib.NGFF_E_NOT_FOUND)
