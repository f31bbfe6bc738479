#!/usr/bin/env python3
"""How GDAL's own Zarr driver sees our stores, without our plugin: meant for GDAL 3.13 in a chroot.

  gdal_zarr_stores.py DIR          writes stores with the plugin, and beside them the pixels that the model expects
  gdal_zarr_stores.py --read DIR   reads them; needs nothing but GDAL's Python module

The default layout must open at its root as one raster with the right pixels in every level, CRS and geotransform, and
without a warning. No other layout may crash the driver; each store is read in a process of its own."""

import json
import os
import shutil
import subprocess
import sys

NORTH_UP = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
SOUTH_UP = (500000.0, 10.0, 0.0, 4990000.0, 0.0, 10.0)
ROTATED = (500000.25, 8.5, 2.25, 5000000.75, 1.5, -9.0)
DEGREES = (10.0, 0.5, 0.0, 40.0, 0.0, -0.25)

# name: bands, type, geotransform, EPSG code, options
RASTERS = {
    "bytes": (1, "uint8", NORTH_UP, 32633, []),
    "three": (3, "uint8", NORTH_UP, 32633, []),
    "wide": (2, "uint16", NORTH_UP, 32633, []),
    "signed": (2, "int32", NORTH_UP, 32633, []),
    "float": (2, "float32", NORTH_UP, 32633, []),
    "double": (1, "float64", NORTH_UP, 32633, []),
    "south": (3, "uint8", SOUTH_UP, 32633, []),
    "rotated": (3, "uint8", ROTATED, 32633, []),
    "degrees": (1, "uint8", DEGREES, 4326, []),
    "feet": (1, "uint8", NORTH_UP, 2263, []),
    "zstd": (3, "uint8", NORTH_UP, 32633, ["COMPRESS=ZSTD"]),
    "gzip": (3, "uint8", NORTH_UP, 32633, ["COMPRESS=GZIP"]),
    "none": (3, "uint8", NORTH_UP, 32633, ["COMPRESS=NONE"]),
    "blosc_lz4": (3, "uint16", NORTH_UP, 32633, ["COMPRESS=BLOSC", "BLOSC_CNAME=lz4"]),
    "crc32c": (3, "uint16", NORTH_UP, 32633, ["CHECKSUM=YES"]),
    "shards": (3, "uint16", NORTH_UP, 32633, ["SHARD=512"]),
    "masked": (3, "uint8", NORTH_UP, 32633, []),
    "separate": (3, "uint8", NORTH_UP, 32633, ["CONSOLIDATED=NO"]),
    "void": (2, "float32", NORTH_UP, 32633, []),
    "void_bytes": (3, "uint8", NORTH_UP, 32633, []),
}
NODATA = {"void": -9999.0, "void_bytes": 255.0}  # no pixel has it
OTHER_LAYOUTS = [["LAYOUT=SCALES"], ["LAYOUT=FLAT"], ["LAYOUT=FLAT", "CONSOLIDATED=YES"], ["NGFF_VERSION=0.4"],
                 ["NGFF_VERSION=0.4", "LAYOUT=FLAT"]]
HEIGHT, WIDTH, BLOCK = 999, 1001, 256


def write(folder):
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, "pymod"))
    import gdaltest
    import ngffmodel
    from osgeo import gdal

    gdal.UseExceptions()
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    factors = ngffmodel.plain_factors(HEIGHT, WIDTH, BLOCK)
    manifest = []
    for name, (bands, dtype, geotransform, code, options) in RASTERS.items():
        array = gdaltest.smooth_array((bands, HEIGHT, WIDTH), dtype)
        source = gdaltest.mem(array, geotransform, f"EPSG:{code}", NODATA.get(name))
        levels = ngffmodel.pyramid(array, factors)
        if name == "masked":
            mask = gdaltest.np.full((HEIGHT, WIDTH), 255, "uint8")
            mask[:400, :400] = 0  # whole windows of every level
            source.CreateMaskBand(gdal.GMF_PER_DATASET)
            source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, WIDTH, HEIGHT, mask.tobytes())
            valid = ngffmodel.valid_pyramid(mask > 0, factors)
            for number in range(1, len(levels)):
                levels[number] = gdaltest.np.stack([ngffmodel.reduce(band, (2, 2), valid=valid[number - 1]) for band in levels[number - 1]])
        gdaltest.write(f"{folder}/{name}.ome.zarr", source, f"BLOCKSIZE={BLOCK}", *options)
        for number, level in enumerate(levels):
            level.tofile(f"{folder}/{name}.{number}.bin")
        manifest.append({"store": f"{name}.ome.zarr", "bands": bands, "geotransform": geotransform, "code": code, "nodata": NODATA.get(name),
                         "levels": [[f"{name}.{number}.bin", level.shape[2], level.shape[1]] for number, level in enumerate(levels)]})
    for number, options in enumerate(OTHER_LAYOUTS):
        for name in ("three", "masked", "rotated"):
            bands, dtype, geotransform, code, _ = RASTERS[name]
            source = gdaltest.mem(gdaltest.smooth_array((bands, HEIGHT, WIDTH), dtype), geotransform, f"EPSG:{code}")
            if name == "masked":
                source.CreateMaskBand(gdal.GMF_PER_DATASET)
            gdaltest.write(f"{folder}/{name}_{number}.ome.zarr", source, f"BLOCKSIZE={BLOCK}", *options)
            manifest.append({"store": f"{name}_{number}.ome.zarr", "options": options})
    with open(f"{folder}/manifest.json", "w") as file:
        json.dump(manifest, file, indent=1)
    print(f"{len(manifest)} stores in {folder}")


def require(holds, what):
    if not holds:
        raise SystemExit(f"not so: {what}")


def read_one(folder, entry):
    """Runs in its own process; the exit status says what happened."""
    from osgeo import gdal, osr

    gdal.DontUseExceptions()
    warnings = []
    gdal.PushErrorHandler(lambda level, number, text: warnings.append(text) if level >= gdal.CE_Warning else None)
    store = f"{folder}/{entry['store']}"
    dataset = gdal.OpenEx(store, gdal.OF_RASTER, allowed_drivers=["Zarr"])
    require(dataset is not None, f"the root opens: {warnings}")
    if "levels" not in entry:  # any answer but a crash
        for name, _ in dataset.GetSubDatasets():
            part = gdal.OpenEx(name, gdal.OF_RASTER, allowed_drivers=["Zarr"])
            if part and part.RasterCount:
                part.GetGeoTransform()
                part.GetRasterBand(1).GetOverviewCount()
                part.ReadRaster()
        return
    require(dataset.RasterCount == entry["bands"], f"{entry['bands']} bands, not {dataset.RasterCount}")
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    require(bands[0].GetOverviewCount() == len(entry["levels"]) - 1, f"{len(entry['levels']) - 1} overviews, not {bands[0].GetOverviewCount()}")
    for number, (name, width, height) in enumerate(entry["levels"]):
        level = [band.GetOverview(number - 1) if number else band for band in bands]
        require((level[0].XSize, level[0].YSize) == (width, height), f"level {number} is {width} x {height}")
        with open(f"{folder}/{name}", "rb") as file:
            require(b"".join(bytes(band.ReadRaster()) for band in level) == file.read(), f"the pixels of level {number}")
    if entry["nodata"] is not None:
        require(bands[0].GetNoDataValue() == entry["nodata"], f"nodata, not {bands[0].GetNoDataValue()}")
    found = dataset.GetGeoTransform()
    require(all(abs(a - b) <= 1e-9 * max(1, abs(b)) for a, b in zip(found, entry["geotransform"])), f"geotransform, not {found}")
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(entry["code"])
    require(dataset.GetSpatialRef() is not None and dataset.GetSpatialRef().IsSame(crs, ["IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES"]), "the CRS")
    require(not warnings, f"no warning: {warnings[:3]}")


def read(folder):
    from osgeo import gdal

    with open(f"{folder}/manifest.json") as file:
        manifest = json.load(file)
    failed = 0
    for number, entry in enumerate(manifest):
        done = subprocess.run([sys.executable, os.path.abspath(__file__), "--read-one", folder, str(number)], capture_output=True, text=True)
        if done.returncode != 0:
            failed += 1
            why = f"crash, signal {-done.returncode}" if done.returncode < 0 else done.stderr.strip()[-400:]
            print(f"{entry['store']} {' '.join(entry.get('options', []))}: {why}")
    rasters = sum("levels" in entry for entry in manifest)
    print(f"GDAL {gdal.VersionInfo('RELEASE_NAME')}'s own Zarr driver: {len(manifest)} stores ({rasters} as one raster with overviews, "
          f"{len(manifest) - rasters} of other layouts), {failed} failed")
    return failed != 0


if __name__ == "__main__":
    if sys.argv[1] == "--read-one":
        with open(f"{sys.argv[2]}/manifest.json") as file:
            read_one(sys.argv[2], json.load(file)[int(sys.argv[3])])
    elif sys.argv[1] == "--read":
        sys.exit(read(sys.argv[2]))
    else:
        write(sys.argv[1])
