"""How programs of others see stores: readers.py PROGRAM FOLDER STORE... runs with their own Python (scripts/viewers.sh).

Each store gets FOLDER/STORE.json, what the program says of it, and where the program gives out pixels FOLDER/STORE.npy, its
level 0. napari also draws: FOLDER/STORE.png, one screen pixel per image pixel, the image's middle in the middle, and its window."""

import json
import os
import sys
import warnings

import numpy as np


def napari(stores):
    os.environ["QT_API"] = "pyqt6"
    import napari

    viewer = napari.Viewer(show=True)
    for store in stores:
        layers = viewer.open(store, plugin="napari-ome-zarr")
        shape = np.shape(layers[0].data[0])
        viewer.dims.set_current_step(range(len(shape)), [n // 2 for n in shape])  # the middle plane
        scale = [float(value) for value in layers[0].scale]
        viewer.camera.center = [0] + [(n - 1) / 2 * s for n, s in zip(shape[-2:], scale[-2:])]
        viewer.camera.zoom = 1 / scale[-1]
        viewer.screenshot(canvas_only=True, flash=False)  # the first one sets the level to draw
        picture = viewer.screenshot(path=None, canvas_only=True, flash=False)
        found = {"names": [layer.name for layer in layers], "windows": [list(map(float, layer.contrast_limits)) for layer in layers],
                 "colors": [np.asarray(layer.colormap.map([1.0])).reshape(-1)[:3].tolist() for layer in layers],
                 "levels": [list(np.shape(level)) for level in layers[0].data],
                 "scale": scale, "units": [str(unit) for unit in layers[0].units]}
        pixels = np.stack([np.asarray(layer.data[0]) for layer in layers])
        viewer.reset_view()
        window = viewer.screenshot(path=None, canvas_only=False, flash=False)
        yield store, found, pixels, {"png": picture, "window.png": window}
        viewer.layers.clear()
    viewer.close()


def ome_zarr(stores):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    for store in stores:
        node = next(iter(Reader(parse_url(store))()))
        found = {"names": node.metadata.get("channel_names"), "windows": node.metadata.get("contrast_limits"),
                 "levels": [list(level.shape) for level in node.data],
                 "transforms": node.metadata["coordinateTransformations"], "axes": [axis["name"] for axis in node.metadata["axes"]]}
        yield store, found, np.asarray(node.data[0]), {}


def bioio(stores):
    from bioio import BioImage

    for store in stores:
        image = BioImage(store)
        sizes = image.physical_pixel_sizes
        found = {"names": image.channel_names, "dims": image.dims.order, "levels": len(image.resolution_levels),
                 "pixel": [sizes.Z, sizes.Y, sizes.X]}
        yield store, found, image.data, {}


def xarray(stores):
    import xarray as xr

    for store in stores:
        tree = xr.open_datatree(store, engine="zarr")
        levels = {name: list(child["image"].shape) for name, child in tree.children.items() if "image" in child}
        image = tree["scale0"]["image"]
        found = {"levels": list(levels.values()), "dims": list(image.dims), "dtype": str(image.dtype),
                 "corner": [float(image[axis][0]) for axis in ("y", "x")] if "x" in image.coords else None}
        yield store, found, image.values, {}


def rioxarray(stores):
    import rioxarray
    import xarray as xr

    for store in stores:
        image = xr.open_dataset(store, engine="zarr", group="scale0")["image"]
        raw = xr.open_dataset(store, engine="zarr", group="scale0", mask_and_scale=False)["image"]
        found = {"crs": image.rio.crs and image.rio.crs.to_string(), "transform": list(image.rio.transform())[:6],
                 "encoded_nodata": None if image.rio.encoded_nodata is None else float(image.rio.encoded_nodata),
                 "raw_nodata": None if raw.rio.nodata is None else float(raw.rio.nodata), "version": rioxarray.__version__,
                 "bounds": list(image.rio.bounds()) if "x" in image.coords else None}
        yield store, found, image.values, {}


def main(program, folder, stores):
    warnings.simplefilter("ignore")
    for store, found, pixels, pictures in globals()[program](stores):
        base = os.path.join(folder, os.path.basename(store))
        with open(base + ".json", "w") as file:
            json.dump(found, file)
        np.save(base + ".npy", pixels)
        for ending, picture in pictures.items():
            from PIL import Image

            Image.fromarray(picture[..., :3]).save(f"{base}.{ending}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
