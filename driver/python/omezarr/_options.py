"""Options as keywords: the names of the library's table in small letters, Python values as its texts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ._handles import OptionError, text
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
    num_threads: _Text
    memory: _Text
    statistics: _Text
    window: _List
    channel_names: _List
    channel_colors: _List
    axis_scale: _List
    axis_translation: _List
    axis_units: _List
    origin: _Text
    report: str | os.PathLike[str] | None


# What the table has for other hosts: what a file's bands, pages and overviews are.
_elsewhere = {
    "ngff_version": "version=",
    "consolidated": "consolidate_metadata=",
    "overwrite": "overwrite=",
    "resume": "resume=",
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
            raise TypeError(f"unknown option {name}=; there are {', '.join(Options.__annotations__)}")
