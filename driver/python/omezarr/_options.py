"""Options as keywords: the names of the library's table in small letters, Python values as its texts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ._handles import OptionError, WrongTypeError, text
from ._native import ffi, lib

_Text = str | int | float | bool | None
_List = str | int | Sequence[Any] | Mapping[str, Any] | None


class Options(TypedDict, total=False):
    """Keywords of to_ngff_zarr and plan. True and False are YES and NO, lists and dicts by axis are written as such
    ([1, 256, 256] or {"y": 256, "x": 256}), and where an option takes text any value may be given as the text of the table."""

    compress: _Text
    level: _Text
    zstd_level: _Text
    gzip_level: _Text
    blosc_clevel: _Text
    blosc_cname: _Text
    blosc_shuffle: _Text
    checksum: _Text
    blocksize: _List
    blockxsize: _Text
    blockysize: _Text
    shard: _List
    layout: _Text
    labels: _Text
    overview_resampling: _Text
    overview_count: _Text
    scale_factors: _List
    sizes: _Text
    num_threads: _Text
    memory: _Text
    statistics: _Text
    window: _List
    channel_names: _List
    channel_colors: _List
    axis_scale: _List
    axis_translation: _List
    axis_units: _List
    axis_orientation: _List
    origin: _Text
    report: str | os.PathLike[str] | None


# What the table has for other hosts: what a file's bands, pages and overviews are.
_elsewhere = {
    "ngff_version": "version=",
    "consolidated": "consolidate_metadata=",
    "overwrite": "overwrite=",
    "resume": "resume=",
    "part": "part=(i, n)",
    "sync": "sync=",
    "verify": "verify=",
    "name": "the name of the image",
    "axes": "the dims of the image",
    "dry_run": "omezarr.plan()",
    "overviews": "levels of your own in multiscales.images",
    "color_interpretation": "channel_colors=",
    "series": "one call for each image",
    "planes": "the pixels to be written",
    "copy_src_mdd": "nothing: an array has no metadata",
}


UNSAID: Any = object()  # what None cannot say


def table() -> list[dict[str, str]]:
    """The library's option table: a dict with option, values, default, also, meaning for each row."""
    pointer = lib.ngff_options_text(b"markdown")
    lines = [line.replace("\\|", "\0") for line in text(pointer).splitlines()]
    lib.ngff_string_free(pointer)
    rows = [[cell.strip().replace("\0", "|") for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def options_help() -> str:
    """The options of to_ngff_zarr as text: each keyword, its values, its default, its meaning."""
    lines = []
    for row in table():
        name = row["option"].strip("`").lower()
        if name in Options.__annotations__:
            default = f" (default: {row['default']})" if row["default"] else ""
            lines.append(f"{name}: {row['values']}{default}\n    {row['meaning']}")
    return "\n".join(lines)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_word(v)}" for key, v in value.items())
    if isinstance(value, tuple):  # a range, lo:hi
        return ":".join(map(_word, value))
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def as_text(name: str, value: Any) -> str:
    """A value as the option table writes it."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return _word(value)
    if name == "channel_names":
        return ",".join(str(v).replace("\\", "\\\\").replace(",", "\\,") for v in value)
    return (";" if any(isinstance(v, Mapping) for v in value) else ",").join(
        map(_word, value if name == "window" else list(value)))


def as_list(options: Mapping[str, Any]) -> list[str]:
    """NAME=VALUE for each option that is not None."""
    return [f"{name.upper()}={as_text(name, value)}" for name, value in options.items() if value is not None]


def check_names(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in _elsewhere:
            raise OptionError(f"{name}= is no option of this call: give {_elsewhere[name]}")
        if name not in Options.__annotations__:
            raise WrongTypeError(f"unknown option {name}=; there are {', '.join(Options.__annotations__)}")


# -- Codecs as other libraries name them ---------------------------------------------------------------------------

_shuffles = {0: "NONE", 1: "BYTE", 2: "BIT", "noshuffle": "NONE", "shuffle": "BYTE", "bitshuffle": "BIT"}


def codec_options(codec: Any) -> dict[str, Any]:
    """compress= and its like for a codec of numcodecs or zarr, their dicts, a list of one, or None (no compression)."""
    if isinstance(codec, Sequence) and not isinstance(codec, str):
        if len(codec) > 1:
            raise OptionError(f"{len(codec)} codecs in a row are not written; give one")
        codec = codec[0] if codec else None
    if codec is None:
        return {"compress": "NONE"}
    for method in ("get_config", "to_dict"):  # numcodecs, zarr
        if hasattr(codec, method):
            codec = getattr(codec, method)()
            break
    if not isinstance(codec, Mapping):
        raise OptionError(f"{codec!r} is no codec of numcodecs or zarr, nor its dict; or give compress=, level= ...")
    name = str(codec.get("id") or codec.get("name")).removeprefix("numcodecs.")
    settings: Mapping[str, Any] = codec.get("configuration", codec)
    if name == "blosc":
        shuffle = settings.get("shuffle", 1)
        shuffle = getattr(shuffle, "value", shuffle)
        if shuffle == -1:  # numcodecs: by the size of a pixel
            shuffle = 1
        if shuffle not in _shuffles:
            raise OptionError(f"blosc's shuffle {shuffle!r}: there are {', '.join(map(str, _shuffles))}")
        cname = settings.get("cname", "lz4")
        return {"compress": "BLOSC", "blosc_cname": getattr(cname, "value", cname), "blosc_shuffle": _shuffles[shuffle],
                "level": settings.get("clevel", 5)}
    if name in ("zstd", "gzip", "zlib", "lz4"):
        level = settings.get("level", 0 if name == "zstd" else 6)
        # 0 is zstd's own default
        return {"compress": name.upper()} | ({} if name == "lz4" else {"level": 3 if name == "zstd" and level == 0 else level})
    raise OptionError(f"the codec {name} is not written; there are blosc, zstd, gzip, and in version 0.4 zlib, lz4")
