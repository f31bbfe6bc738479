#!/usr/bin/env python3
"""pictures.py OUTPUT: makes the pictures of the documentation, of what viewers show of our stores (scripts/pictures.sh).

OUTPUT gets napari.png, neuroglancer.png, viv.png, openlayers.png, ome_zarr_js.png: four stores in one program each, and viewers.jpg, four programs."""

import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pymod"))
from osgeo import gdal  # noqa: E402

gdal.UseExceptions()
import gdaltest  # noqa: E402
import numpy as np  # noqa: E402
import viewers  # noqa: E402
from PIL import Image  # noqa: E402
from viewers import CELLS, NODATA, Store, omero  # noqa: E402

HEIGHT, WIDTH = 300, 400


def cells(planes, seed):
    """Round spots of light, some out of focus, on a dark noisy ground."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    array = random.normal(150, 20, (planes, HEIGHT, WIDTH))
    for _ in range(40):
        cy, cx, radius = random.uniform(0, HEIGHT), random.uniform(0, WIDTH), random.uniform(6, 16)
        spot = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * radius**2))
        for plane in range(planes):
            array[plane] += spot * random.uniform(0, 4000) * (0.4 + 0.6 * (plane % 3 != 0 or planes == 3))
    return array.clip(0, 65535).astype("uint16")


def hills(seed):
    """Waves of ever smaller size, with a hole without data."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    array = np.full((HEIGHT, WIDTH), 1600.0)
    for octave in range(1, 7):
        for _ in range(4):
            a, b, phase = *random.normal(0, 2**octave / 300, 2), random.uniform(0, 7)
            array += 300 / 2**octave * np.sin(a * x + b * y + phase)
    array[(y - 90) ** 2 / 2 + (x - 300) ** 2 < 1200] = NODATA
    return array.astype("float32")[None]


def stores():
    source = gdal.Open(str(HERE.parent / "gdrivers" / "data" / "rocky_mountain.tif"))
    x, dx, _, y, _, dy = source.GetGeoTransform()
    place = (x, dx, 0, y, 0, dx)[:5] + (-dx,)
    channels = cells(3, 5)
    stack = np.concatenate([cells(12, 6), cells(12, 7)])
    units = ["AXIS_SCALE=y:0.325,x:0.325", "AXIS_UNITS=y:um,x:um"]
    return {
        "rgb": Store(gdaltest.pixels(source)[:, :HEIGHT, :WIDTH], [], (1, 3, 1), ["Band 1", "Band 2", "Band 3"],
                     ["FF0000", "00FF00", "0000FF"], [(0, 255)] * 3, place, "EPSG:4326", 255, pixel=(1, dx, dx)),
        "channels": Store(channels, [*units, *omero(*CELLS)], (1, 3, 1), *CELLS, pixel=(1, 0.325, 0.325)),
        "elevation": Store(hills(8), ["WINDOW=1200:2000"], (1, 1, 1), ["Band 1"], ["FFFFFF"], [(1200, 2000)],
                           (400000, 30, 0, 4400000, 0, -30), "EPSG:32613", NODATA, pixel=(1, 30, 30)),
        "stack": Store(stack, ["AXES=t:2,c:3,z:4", "AXIS_SCALE=t:0.5,z:2,y:0.5,x:0.5", "AXIS_UNITS=t:s,z:um,y:um,x:um", *omero(*CELLS)],
                       (2, 3, 4), *CELLS, pixel=(2, 0.5, 0.5)),
    }


def tile(paths, columns, size):
    """One picture of several, each scaled to size."""
    rows = -(-len(paths) // columns)
    whole = Image.new("RGB", (columns * size[0], rows * size[1]))
    for number, path in enumerate(paths):
        part = Image.open(path).convert("RGB").resize(size, Image.Resampling.LANCZOS)
        whole.paste(part, (number % columns * size[0], number // columns * size[1]))
    return whole


def main(output):
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        (folder / "stores").mkdir()
        of_name = stores()
        for name, store in of_name.items():
            store.write(folder / "stores" / f"{name}.ome.zarr")
        of_name["channels"].write(folder / "stores" / "channels_04.ome.zarr", "NGFF_VERSION=0.4")
        answers = folder / "answers"
        failure = viewers.browse(folder, lambda base: viewers.browser_jobs(base, of_name), answers)
        failure = failure or viewers.run_python("napari", folder / "napari", [folder / "stores" / f"{name}.ome.zarr" for name in of_name], True)
        if failure:
            sys.exit(failure)
        for program in ("viv", "openlayers", "ome_zarr_js", "neuroglancer"):
            size = (800, 600) if program == "neuroglancer" else (WIDTH, HEIGHT)
            tile([answers / f"{program}.{name}.png" for name in of_name], 2, size).save(output / f"{program}.png", optimize=True)
        windows = [folder / "napari" / f"{name}.ome.zarr.window.png" for name in of_name]
        tile(windows, 2, (800, 600)).save(output / "napari.png", optimize=True)
        tile([windows[1], answers / "neuroglancer.stack.png", answers / "viv.channels.png", answers / "openlayers.rgb.png"], 2,
             (480, 360)).save(output / "viewers.jpg", quality=85)
    print(f"{len(os.listdir(output))} pictures in {output}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
