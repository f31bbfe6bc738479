"""Images as xarray has them, and back: coordinates are the centres of pixels, in the axes' units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._model import Multiscales, NgffImage


def image_to_xarray(image: NgffImage) -> Any:
    import xarray

    coordinates: dict[str, Any] = {}
    for d, n in zip(image.dims, image.shape):
        if d == "c":
            if image.channel_names and len(image.channel_names) == n:
                coordinates[d] = (d, list(image.channel_names))
        elif d in image.scale or d in image.translation:
            unit = (image.axes_units or {}).get(d)
            values = image.translation.get(d, 0.0) + image.scale.get(d, 1.0) * np.arange(n)
            coordinates[d] = (d, values, {"units": unit} if unit else {})
    return xarray.DataArray(image.data, dims=list(image.dims), coords=coordinates, name=image.name)


def multiscales_to_xarray(multiscales: Multiscales) -> Any:
    import xarray

    levels = {f"scale{i}": image_to_xarray(image).to_dataset(name=image.name) for i, image in enumerate(multiscales.images)}
    return xarray.DataTree.from_dict(levels, name=multiscales.metadata.name)


def is_tree(data: Any) -> bool:
    return hasattr(data, "children") and hasattr(data, "to_dict") and hasattr(data, "dataset")


def levels_of(tree: Any) -> list[Any]:
    """The DataArrays of a DataTree whose children are the levels, "scale0", "scale1" ..., with one array each."""
    from ._handles import OptionError

    names = sorted(tree.children, key=lambda name: (len(name), name))
    levels = []
    for name in names:
        arrays = list(tree.children[name].dataset.data_vars.values())
        if len(arrays) != 1:
            raise OptionError(f"{name} of the DataTree has {len(arrays)} arrays; a level is one")
        levels.append(arrays[0])
    if not levels:
        raise OptionError("the DataTree has no children; its levels are scale0, scale1 ...")
    return levels
