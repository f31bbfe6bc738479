"""Any array to OME-Zarr (NGFF) and back.

    import omezarr

    image = omezarr.to_ngff_image(array, dims=("y", "x"), scale={"y": 0.5, "x": 0.5}, axes_units={"y": "um", "x": "um"})
    multiscales = omezarr.to_multiscales(image, scale_factors=[2, 4], chunks=64)
    omezarr.to_ngff_zarr("image.ome.zarr", multiscales)
    multiscales = omezarr.from_ngff_zarr("image.ome.zarr")

The whole pyramid is made in one pass, in bounded memory, by a C library; a store appears whole or not at all. The names are
ngff-zarr's. `python -m omezarr` has the commands info, plan, verify, validate, upgrade and convert."""

from ._change import update_root_attributes, upgrade
from ._handles import (
    CancelledError,
    CorruptError,
    Error,
    ExistsError,
    Finding,
    NotFoundError,
    OptionError,
    OutOfMemoryError,
    StateError,
    StorageError,
    UnsupportedError,
    WrongTypeError,
    text as _text,
)
from ._levels import Level
from ._model import (
    Axis,
    Dataset,
    Metadata,
    Methods,
    Multiscales,
    NgffImage,
    Omero,
    OmeroChannel,
    OmeroWindow,
    Scale,
    Translation,
)
from ._native import lib as _lib
from ._options import Options, options_help
from ._pyramid import to_multiscales, to_ngff_image
from ._read import from_ngff_zarr, parts, validate, verify
from ._write import OmeZarrWarning, abandon, finish, missing_parts, plan, to_ngff_zarr

# ngff-zarr's newer names.
to_ome_zarr = to_ngff_zarr
from_ome_zarr = from_ngff_zarr
NgffMultiscales = Multiscales

__version__ = _text(_lib.ngff_version())

__all__ = [
    "Axis", "CancelledError", "CorruptError", "Dataset", "Error", "ExistsError", "Finding", "Level", "Metadata", "Methods",
    "Multiscales", "NgffImage", "NgffMultiscales", "NotFoundError", "OmeZarrWarning", "Omero", "OmeroChannel", "OmeroWindow", "OptionError",
    "Options", "OutOfMemoryError", "Scale", "StateError", "StorageError", "Translation", "UnsupportedError", "WrongTypeError",
    "abandon", "finish", "from_ngff_zarr", "from_ome_zarr", "missing_parts", "options_help", "parts", "plan", "to_multiscales", "to_ngff_image", "to_ngff_zarr",
    "to_ome_zarr", "update_root_attributes", "upgrade", "validate", "verify",
]  # fmt: skip
