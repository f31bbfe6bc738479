"""The C library behind Python objects: handles that are freed, errors that are exceptions, text and vectors.

Every call releases the GIL, which cffi does. A writer may be called by several threads, and it is freed only when the last of
these calls has ended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ._hosts import cause_of, shown
from ._native import ffi, lib


if TYPE_CHECKING:
    from ._places import Place


class Error(Exception):
    """What the library refused or could not do; the text names the path, the cause and what to do. Each status is also
    the builtin exception that fits: FileExistsError, FileNotFoundError, OSError, ValueError ..."""

    status: int = 0


class OptionError(Error, ValueError):
    """An argument or an option is wrong."""


class WrongTypeError(Error, TypeError):
    """An argument is of a type that is not taken, or of a name that there is not."""


class UnsupportedError(Error, NotImplementedError):
    """The library cannot do it."""


class ExistsError(Error, FileExistsError):
    """The destination exists and was not to be overwritten, or it is something else than an OME-Zarr."""


class NotFoundError(Error, FileNotFoundError):
    """There is no such store, array or object."""


class StorageError(Error, OSError):
    """The disk or the server refused."""


class CorruptError(Error, ValueError):
    """Stored bytes or metadata are not what they must be."""


class StateError(Error, RuntimeError):
    """The call does not fit the state of the object."""


class CancelledError(Error):
    """The work was cancelled."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed."""


_errors: dict[int, type[Error]] = {
    lib.NGFF_E_MEMORY: OutOfMemoryError,
    lib.NGFF_E_ARGUMENT: OptionError,
    lib.NGFF_E_OPTION: OptionError,
    lib.NGFF_E_UNSUPPORTED: UnsupportedError,
    lib.NGFF_E_EXISTS: ExistsError,
    lib.NGFF_E_NOT_FOUND: NotFoundError,
    lib.NGFF_E_STORAGE: StorageError,
    lib.NGFF_E_CORRUPT: CorruptError,
    lib.NGFF_E_STATE: StateError,
    lib.NGFF_E_CANCELLED: CancelledError,
}


def text(pointer: Any) -> str:
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "replace")


def raise_for(status: int, message: str) -> None:
    error = _errors.get(status, Error)(shown(message) or text(lib.ngff_status_text(status)))
    error.status = status
    cause = cause_of(message)  # what a store of Python's has raised
    if isinstance(cause, (KeyboardInterrupt, SystemExit)):
        raise cause
    if cause is not None:
        raise error from cause
    raise error


def integers(values: Sequence[int]) -> Any:
    return ffi.new("int64_t[]", [int(v) for v in values])


def reals(values: Sequence[float]) -> Any:
    return ffi.new("double[]", [float(v) for v in values])


def strings(values: Sequence[str]) -> Any:
    """A NULL-terminated list; cffi keeps its texts alive by the second part."""
    texts = [ffi.new("char[]", v.encode()) for v in values]
    return ffi.new("char*[]", [*texts, ffi.NULL]), texts


class Handle:
    """One C handle of a kind: "image", "plan", "writer", "reader"."""

    def __init__(self, kind: str, pointer: Any, place: Place | None = None) -> None:
        if pointer == ffi.NULL:
            raise OutOfMemoryError(f"no memory for a {kind}")
        self.kind, self.place = kind, place
        self.pointer = ffi.gc(pointer, getattr(lib, f"ngff_{kind}_free"))
        status = self._function("status")(self.pointer)
        if status < 0:
            message = self.error()
            ffi.release(self.pointer)
            if place is not None:
                place.check()
            raise_for(status, message)
        if place is not None:
            place.check()

    def _function(self, name: str) -> Any:
        return getattr(lib, f"ngff_{self.kind}_{name}")

    def error(self) -> str:
        return text(self._function("error")(self.pointer))

    def call(self, name: str, *arguments: Any) -> int:
        """ngff_<kind>_<name>; a negative result is raised."""
        status: int = self._function(name)(self.pointer, *arguments)
        if self.place is not None:
            self.place.check()
        if status < 0:
            raise_for(status, self.error())
        return status

    def value(self, name: str, *arguments: Any) -> Any:
        return self._function(name)(self.pointer, *arguments)

    def text(self, name: str, *arguments: Any) -> str:
        return text(self.value(name, *arguments))

    def integers(self, name: str, rank: int, *arguments: Any) -> tuple[int, ...]:
        out = ffi.new("int64_t[]", rank)
        self.call(name, *arguments, out)
        return tuple(out)

    def reals(self, name: str, rank: int, *arguments: Any) -> tuple[float, ...]:
        out = ffi.new("double[]", rank)
        self.call(name, *arguments, out)
        return tuple(out)


class Writer(Handle):
    """A writer that several threads may call. After release() their calls fail; none of them touches freed memory."""

    def __init__(self, plan: Handle | Sequence[str], place: Place, open: Any = lib.ngff_writer_open) -> None:
        """plan: of what is written; or the options of the end of what was written in parts."""
        self._idle = threading.Condition()
        self._n_calls, self._is_released = 0, False
        path = place.path.encode()
        pointer = open(plan.pointer, path) if isinstance(plan, Handle) else lib.ngff_writer_open_finish(path, strings(plan)[0])
        super().__init__("writer", pointer, place)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        with self._idle:
            if self._is_released:
                raise CancelledError("the writer has stopped")
            self._n_calls += 1
        try:
            yield
        finally:
            with self._idle:
                self._n_calls -= 1
                self._idle.notify_all()

    def release(self) -> None:
        """Frees the writer. If it was not closed, all that it made is removed."""
        with self._idle:
            if self._is_released:
                return
            self._is_released = True
            lib.ngff_writer_cancel(self.pointer)
            while self._n_calls > 0:
                self._idle.wait()
        ffi.release(self.pointer)

    def close(self, progress: Callable[[float], Any] | None) -> None:
        """Finishes and publishes, on another thread, so that Ctrl-C and progress come through meanwhile."""
        failure: list[BaseException] = []

        def work() -> None:
            try:
                with self.in_use():
                    self.call("close")
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=work, name="omezarr-close")
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.1)
                if progress and thread.is_alive():
                    progress(self.value("progress"))
        except BaseException:
            lib.ngff_writer_cancel(self.pointer)
            thread.join()
            raise
        if failure:
            raise failure[0]
        if progress:
            progress(1.0)


class Finding(NamedTuple):
    """What validate() or verify() found: kind is "note", "stray", "damage", "invalid", "advice", "tolerable",
    "unread" or "different"."""

    kind: str
    text: str


_kinds = {
    lib.NGFF_FINDING_NOTE: "note",
    lib.NGFF_FINDING_STRAY: "stray",
    lib.NGFF_FINDING_DAMAGE: "damage",
    lib.NGFF_FINDING_INVALID: "invalid",
    lib.NGFF_FINDING_ADVICE: "advice",
    lib.NGFF_FINDING_TOLERABLE: "tolerable",
    lib.NGFF_FINDING_UNREAD: "unread",
}


class Listener:
    """What a C function tells while it runs."""

    def __init__(self, progress: Callable[[float], Any] | None = None) -> None:
        self.findings: list[Finding] = []
        self.progress = progress
        self.failure: BaseException | None = None
        self.handle = ffi.new_handle(self)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def omezarr_finding(user: Any, kind: int, words: Any) -> None:
    ffi.from_handle(user).findings.append(Finding(_kinds.get(kind, "note"), shown(text(words))))


@ffi.def_extern(error=0)  # type: ignore[untyped-decorator]
def omezarr_progress(user: Any, share: float) -> int:
    listener = ffi.from_handle(user)
    try:  # a signal's handler runs here too: Ctrl-C becomes the end of the C function
        if listener.progress:
            listener.progress(share)
    except BaseException as error:
        listener.failure = error
        return 0
    return 1
