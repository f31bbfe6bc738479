#!/usr/bin/python3
"""plugin_cost.py DRIVER_FOLDER: what the plugin costs those who do not use it.

Load: `gdalinfo --version` with and without the plugin, alternating, medians. Identify: microseconds per call for a file
that is not ours, with only our driver asked, beside the same call for GDAL's VRT driver."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 60


def start_up(folder):
    begin = time.monotonic()
    subprocess.run(["gdalinfo", "--version"], env=dict(os.environ, GDAL_DRIVER_PATH=folder), stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begin) * 1000


def identify(gdal, path, drivers):
    n = 20000
    begin = time.monotonic()
    for _ in range(n):
        gdal.IdentifyDriverEx(path, allowed_drivers=drivers)
    return (time.monotonic() - begin) / n * 1e6


def main():
    folder = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as empty:
        runs = [(start_up(empty), start_up(folder)) for _ in range(ROUNDS)]
        without, with_plugin = (statistics.median(r[i] for r in runs) for i in (0, 1))
        paired = statistics.median(b - a for a, b in runs)
        print(f"gdalinfo --version: {without:.1f} ms without, {with_plugin:.1f} ms with the plugin; median difference {paired:.2f} ms")
        os.environ["GDAL_DRIVER_PATH"] = folder
        from osgeo import gdal

        path = os.path.join(empty, "other.tif")
        gdal.GetDriverByName("GTiff").Create(path, 16, 16)
        calls = [(identify(gdal, path, ["OMEZARR"]), identify(gdal, path, ["VRT"])) for _ in range(5)]
        ours, other = (statistics.median(c[i] for c in calls) for i in (0, 1))
        print(f"IdentifyDriverEx of a TIFF, opening it included: {ours:.1f} microseconds asking only us, {other:.1f} asking only VRT")


if __name__ == "__main__":
    main()
