#!/usr/bin/env python3
"""The benchmark of nothing: a VRT of 100,000 x 100,000 bytes whose one source is a patch of 300 x 200, written by us with
all levels, and by GDAL's COG driver without overviews (with them it reads the nothing once more per level).

Runs take turns. What is printed are medians of CPU seconds (user and system, GDAL's start included) and of their ratio to
ours; nothing is asserted. Run it by `run.sh --holes`, or by `holes.py --driver FOLDER`."""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile

SIDE = 100_000
VRT = """<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue>
<SimpleSource><SourceFilename>{patch}</SourceFilename><SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="300" ySize="200"/>
<DstRect xOff="{at}" yOff="{at}" xSize="300" ySize="200"/></SimpleSource></VRTRasterBand></VRTDataset>"""


def cpu_seconds(command, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True, help="folder of gdal_OMEZARR.so")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--build", help="not used")
    parser.add_argument("--python", help="not used")
    args = parser.parse_args()
    environment = dict(os.environ, GDAL_DRIVER_PATH=os.path.abspath(args.driver))
    with tempfile.TemporaryDirectory(prefix="omezarr-holes-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        patch, source = f"{folder}/patch.tif", f"{folder}/big.vrt"
        subprocess.run(["gdal_create", "-q", "-outsize", "300", "200", "-bands", "1", "-burn", "7", patch], check=True)
        with open(source, "w", encoding="utf-8") as file:
            file.write(VRT.format(side=SIDE, patch=patch, at=SIDE // 2))
        runs = {"omezarr, all levels": ["-of", "OMEZARR"],
                "COG, no overviews": ["-of", "COG", "-co", "SPARSE_OK=TRUE", "-co", "OVERVIEWS=NONE"]}
        times = {name: [] for name in runs}
        for _ in range(args.repeat):
            for name, options in runs.items():
                to = f"{folder}/out.ome.zarr"
                times[name].append(cpu_seconds(["gdal_translate", "-q", *options, source, to], environment))
                if os.path.isdir(to):
                    shutil.rmtree(to)
                else:
                    os.remove(to)
        ours = times["omezarr, all levels"]
        print("| program | CPU s | of ours |\n|---|---|---|")
        for name, seconds in times.items():
            print(f"| {name} | {statistics.median(seconds):.2f} | {statistics.median(a / b for a, b in zip(seconds, ours)):.1f} |")


if __name__ == "__main__":
    main()
