"""python -m omezarr: info, plan, verify, validate, upgrade and convert."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import Error, OptionError, from_ngff_zarr, parts, plan, to_multiscales, to_ngff_image, to_ngff_zarr, upgrade, validate, verify
from . import __version__, options_help
from ._model import Multiscales


def _source(path: str, arguments: argparse.Namespace) -> Multiscales:
    """What is to be written: an OME-Zarr as it is, or the array of an .npy file (mapped, not read)."""
    if not path.endswith(".npy"):
        return from_ngff_zarr(path, part=arguments.part)
    factors = [int(f) for f in arguments.scale_factors.split(",")] if arguments.scale_factors else 128
    chunks = [int(c) for c in arguments.chunks.split(",")] if arguments.chunks else None
    image = to_ngff_image(np.load(path, mmap_mode="r"), dims=tuple(arguments.dims) if arguments.dims else None)
    return to_multiscales(image, factors, arguments.method, chunks[0] if chunks and len(chunks) == 1 else chunks)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    options = {}
    for option in arguments.o or []:
        name, equals, value = option.partition("=")
        if not equals:
            raise OptionError(f"-o {option}: write -o NAME=VALUE")
        options[name.lower()] = value
    return options


def _info(arguments: argparse.Namespace) -> int:
    listed = parts(arguments.store, arguments.part)
    try:
        m = from_ngff_zarr(arguments.store, part=arguments.part)
    except Error:
        if not listed:
            raise
    else:
        first = m.images[0]
        print(f"{m.metadata.name}: NGFF {m.metadata.version}, {first.dtype}, axes {', '.join(first.dims)}")
        for dataset, image in zip(m.metadata.datasets, m.images):
            scale = ", ".join(f"{d} {s:g}{' ' + u if (u := (image.axes_units or {}).get(d)) else ''}" for d, s in image.scale.items())
            size, chunk = (" x ".join(map(str, n)) for n in (image.shape, image.source.chunks))
            print(f"  {dataset.path}: {size}, chunks {chunk}, scale {scale}")
    for path, title in listed:
        print(f"  part {path}: {title}")
    return 0


def _tell(findings: Sequence[Any], bad: set[str], good: str) -> int:
    for kind, words in findings:
        print(f"{kind}: {words}")
    failed = any(kind in bad for kind, _ in findings)
    if not failed:
        print(good)
    return int(failed)


def _validate(arguments: argparse.Namespace) -> int:
    return _tell(validate(arguments.store), {"invalid", "unread"}, "valid")


def _verify(arguments: argparse.Namespace) -> int:
    return _tell(verify(arguments.store, arguments.part), {"damage", "stray", "invalid", "unread"}, "whole")


def _upgrade(arguments: argparse.Namespace) -> int:
    print(f"{arguments.store}: NGFF {arguments.to} now" if upgrade(arguments.store, arguments.to)
          else f"{arguments.store}: NGFF {arguments.to} or newer already")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    print(plan(_source(arguments.source, arguments), arguments.version, **_options(arguments)))
    return 0


def _convert(arguments: argparse.Namespace) -> int:
    to_ngff_zarr(arguments.store, _source(arguments.source, arguments), arguments.version, arguments.overwrite,
                 progress=sys.stderr.isatty(), **_options(arguments))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m omezarr", description="OME-Zarr stores: look at them, check them, make them.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help: str, has_store: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help, formatter_class=argparse.RawDescriptionHelpFormatter)
        if has_store:
            sub.add_argument("store")
        sub.add_argument("--part", help="which image of a store that has several, such as A/1/0")
        sub.set_defaults(run=run)
        return sub

    command("info", _info, "Levels, chunks, scale, units, parts.")
    command("validate", _validate, "Does the metadata keep to the specification? Exit status 1 if not.")
    command("verify", _verify, "Is every object there and whole? Exit status 1 if not.")
    command("upgrade", _upgrade, "The same chunks, in the documents of a newer NGFF, in place.").add_argument(
        "--to", default="0.5", choices=["0.5", "0.6"], help="version of NGFF")
    for name, run, help in (("plan", _plan, "What convert would write: levels, chunks, objects, bytes, memory."),
                            ("convert", _convert, "Writes an OME-Zarr, or the array of an .npy file, as an OME-Zarr or .ozx.")):
        sub = command(name, run, help, has_store=False)
        sub.epilog = "options of -o:\n" + options_help()
        sub.add_argument("source", help="an OME-Zarr, an .ozx, or an .npy file")
        if name == "convert":
            sub.add_argument("store", help="NAME.ome.zarr or NAME.ozx")
            sub.add_argument("--overwrite", action="store_true", help="replace an OME-Zarr that is there")
        sub.add_argument("--ngff-version", dest="version", default="0.5", choices=["0.4", "0.5", "0.6"])
        sub.add_argument("--dims", help="axes of the .npy file, such as czyx")
        sub.add_argument("--scale-factors", help="of an .npy file, such as 2,4,8")
        sub.add_argument("--chunks", help="of an .npy file: one number, or one by axis, such as 1,256,256")
        sub.add_argument("--method", help="how levels of an .npy file are made: mean, mode, gaussian ...")
        sub.add_argument("-o", action="append", metavar="NAME=VALUE", help="an option of the library, such as COMPRESS=ZSTD")
    arguments = parser.parse_args(argv)
    warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
    try:
        return int(arguments.run(arguments))
    except (Error, TypeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was left behind", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
