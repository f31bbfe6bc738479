#!/usr/bin/env python3
"""The benchmark of opening on a web server that takes 100 ms for each answer: gdalinfo of our driver on a folder and on
.ozx, and of GDAL's own Zarr driver on the same folder, where it reads what is there (Zarr v3 with overviews from 3.13 on;
0.4 by the array, without overviews).

Every run is a gdalinfo of its own, in turn. What is printed are requests, and medians of milliseconds and of their ratio to
ours on the folder. Nothing is asserted about time. Run it by `run.sh --open`, or with another GDAL by
`open.py --driver FOLDER` in its environment."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pymod"))
import webserver  # noqa: E402

KINDS = {"0.5": [], "0.5 sharded": ["SHARD=1024"], "0.4": ["NGFF_VERSION=0.4"]}


def quiet(command, environment):
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def make(folder, environment):
    picture = f"{folder}/in.tif"
    quiet(["gdal_create", "-outsize", "4096", "4096", "-bands", "1", "-ot", "UInt16", "-burn", "7", "-a_srs", "EPSG:32633",
           "-a_ullr", "0", "40960", "40960", "0", picture], environment).check_returncode()
    for kind, options in KINDS.items():
        stores = [f"{folder}/{kind.replace(' ', '_')}.ome.zarr"]
        if kind == "0.5":
            stores.append(f"{folder}/{kind}.ozx")
        for store in stores:
            words = [word for option in ["BLOCKSIZE=256"] + options for word in ("-co", option)]
            quiet(["gdal_translate", "-q", "-of", "OMEZARR", *words, picture, store], environment).check_returncode()


def commands(kind, url):
    name = kind.replace(" ", "_")
    yield "omezarr, folder", ["gdalinfo", f'OMEZARR:"/vsicurl/{url}/{name}.ome.zarr"']
    if kind == "0.5":
        yield "omezarr, .ozx", ["gdalinfo", f"/vsicurl/{url}/{name}.ozx"]
    array = ":/scale0/image" if kind == "0.4" else ""
    yield "GDAL Zarr", ["gdalinfo", "-if", "Zarr", f'ZARR:"/vsicurl/{url}/{name}.ome.zarr"{array}']


def measure(web, kind, repeat, environment):
    times, asked, failed = {}, {}, {}
    for _ in range(repeat):
        for name, command in commands(kind, web.url):
            web.asked.clear()
            begin = time.monotonic()
            done = quiet(command, environment)
            seconds = time.monotonic() - begin
            if done.returncode != 0:
                failed[name] = done.stderr.strip().splitlines()[-1][:60] if done.stderr.strip() else "failed"
                continue
            times.setdefault(name, []).append(1e3 * seconds)
            side = sum(".aux" in path.lower() or path.rstrip("/").count("/") < 2 and "ozx" not in path for _, path in web.asked)
            asked[name] = (len(web.asked) - side, side)
    for name, _ in commands(kind, web.url):
        if name in failed:
            print(f"| {kind} | {name} | - | - | - | - | {failed[name]} |")
            continue
        ratio = statistics.median(a / b for a, b in zip(times[name], times["omezarr, folder"]))
        print(f"| {kind} | {name} | {asked[name][0]} | {asked[name][1]} | {statistics.median(times[name]):.0f} | {ratio:.2f} | |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True, help="folder of gdal_OMEZARR.so")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--delay", type=float, default=0.1, help="seconds before each answer")
    parser.add_argument("--build", help="not used")
    parser.add_argument("--python", help="not used")
    args = parser.parse_args()
    environment = dict(os.environ, GDAL_DRIVER_PATH=args.driver, no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")
    folder = tempfile.mkdtemp(prefix="omezarr-bench-")
    try:
        make(folder, environment)
        print(f"\n{quiet(['gdalinfo', '--version'], environment).stdout.strip()}; {1e3 * args.delay:.0f} ms per answer\n")
        print("| store | reader | requests | of GDAL for folders and side files | ms | to ours | |\n|---|---|---|---|---|---|---|")
        with webserver.serve(folder) as web:
            web.delay = args.delay
            for kind in KINDS:
                measure(web, kind, args.repeat, environment)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
