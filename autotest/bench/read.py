#!/usr/bin/env python3
"""The reading benchmark: us, the floor program and the peers, in turn on the same pixels, codec, chunk and thread count.

The same jobs for all: level 0 whole, unaligned windows of 4096 x 4096 and of 512 x 512, and a view of the whole picture
in 1024 x 1024 pixels from the overview that GDAL takes for it. Every run is a process of its own that times itself: from
the open dataset to the pixels in memory, without start, imports and opening. Stores are NGFF 0.4 (GDAL 3.6's own Zarr
driver reads no other) with chunks of 512 in files of their own; the COG has the same blocks and codec, where COG has that
codec. All pixels are compared by a sum. Nothing is asserted about time. Run it by `run.sh --read`, on an idle machine."""

import argparse
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STORES = {"lz4-5": ["COMPRESS=BLOSC", "BLOSC_CNAME=lz4", "LEVEL=5"], "zstd-1": ["COMPRESS=ZSTD", "LEVEL=1"], "none": ["COMPRESS=NONE"]}
COGS = {"zstd-1": ["COMPRESS=ZSTD", "LEVEL=1"], "none": ["COMPRESS=NONE"]}
FLOOR_CODEC = {"lz4-5": "blosc", "zstd-1": "zstd", "none": "none"}
VIEW = 1024


def quiet(command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


def creation(options):
    return [word for option in options for word in ("-co", option)]


def make_inputs(args, environment):
    os.makedirs(args.dir, exist_ok=True)
    picture = f"{args.dir}/read.tif"
    if not os.path.exists(picture):
        print(f"making {picture} ...", file=sys.stderr)
        quiet([args.build + "/make_input", "u16", picture, str(args.size), str(args.size)])
    for codec in args.codecs.split(","):
        if not os.path.exists(f"{args.dir}/{codec}.ome.zarr"):
            quiet(["gdal_translate", "-q", "-of", "OMEZARR", "-co", "NGFF_VERSION=0.4", "-co", "BLOCKSIZE=512",
                   *creation(STORES[codec]), picture, f"{args.dir}/{codec}.ome.zarr"], env=environment)
        if codec in COGS and not os.path.exists(f"{args.dir}/{codec}.tif"):
            print(f"making {args.dir}/{codec}.tif ...", file=sys.stderr)
            quiet(["gdal_translate", "-q", "-of", "COG", "-co", "BLOCKSIZE=512", "-co", "OVERVIEW_RESAMPLING=AVERAGE", "-co",
                   "NUM_THREADS=2", "-co", "BIGTIFF=IF_SAFER", *creation(COGS[codec]), picture, f"{args.dir}/{codec}.tif"])


def jobs(size):
    def spread(n, side):
        room = size - side
        return [f"{(i * 4973 + 77) % room},{(i * 7919 + 211) % room},{side},{side}" for i in range(n)]

    return {"level 0": [f"0,0,{size},{size}"], "4 windows of 4096": spread(4, min(4096, size // 2)),
            "64 windows of 512": spread(64, 512), f"view of {VIEW}": [f"0,0,{size},{size},{VIEW}"]}


def overview_of(size):
    """Folder and size of the overview: at most 1.2 times as coarse as what is wanted."""
    factor = 1
    while 2 * factor <= 1.2 * size / VIEW:
        factor *= 2
    return (f"ovr_{factor}x/image", -(-size // factor)) if factor > 1 else ("scale0/image", size)


def commands(args, codec, job, windows, threads):
    store, level, size, level_windows = f"{args.dir}/{codec}.ome.zarr", "scale0/image", args.size, windows
    if job.startswith("view"):
        level, size = overview_of(args.size)
        level_windows = [f"0,0,{size},{size},{VIEW}"]
    array = f"{store}/{level}"
    yield "floor", [args.build + "/floor_read", array, FLOOR_CODEC[codec], str(size), str(size), "2", threads] + level_windows
    yield "omezarr", [args.build + "/read_gdal", "OMEZARR", store, threads] + windows
    yield "GDAL Zarr", [args.build + "/read_gdal", "Zarr", f'ZARR:"{store}":/{level}', threads] + level_windows
    if codec in COGS:
        yield "GDAL COG", [args.build + "/read_gdal", "GTiff", f"{args.dir}/{codec}.tif", threads] + windows
    if subprocess.run([args.python, "-c", "import tensorstore"], capture_output=True).returncode == 0:
        yield "tensorstore", [args.python, f"{HERE}/read_tensorstore.py", array, threads] + level_windows


def compare(args, environment, codec, job, windows, threads):
    times, cpus, sums = {}, {}, {}
    runs = list(commands(args, codec, job, windows, threads))
    for number in range(args.repeat):
        for name, command in runs:
            print(f"{codec} {job} {threads}: {name} {number + 1}/{args.repeat}          ", end="\r", file=sys.stderr)
            done = subprocess.run(args.prefix.split() + command, env=environment, capture_output=True, text=True)
            if done.returncode == 0:
                seconds, cpu, _, total = done.stdout.split()
                times.setdefault(name, []).append(1e3 * float(seconds))
                cpus.setdefault(name, []).append(1e3 * float(cpu))
                sums[name] = total
    # COG makes its levels with other sizes and roundings.
    expected = sums["floor"]
    wrong = [name for name, total in sums.items() if total != expected and not (name == "GDAL COG" and job.startswith("view"))]
    middle = {name: statistics.median(values) for name, values in times.items()}
    peers = {name: ms for name, ms in middle.items() if name not in ("floor", "omezarr")}
    fastest = min(peers, key=peers.get)
    # Ratios of the same round, so that what slows the machine down slows both.
    ratio = lambda name: statistics.median(a / b for a, b in zip(times["omezarr"], times[name]))  # noqa: E731
    cells = [codec, job, threads] + [f"{middle[n]:.1f} ({statistics.median(cpus[n]):.1f})" if n in middle else "-" for n in
                                     ("floor", "omezarr", "GDAL Zarr", "GDAL COG", "tensorstore")]
    cells += [f"{ratio(fastest):.2f} ({fastest})", f"{ratio('floor'):.2f}", "equal" if not wrong else "DIFFERENT: " + ", ".join(wrong)]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20000, help="side of the picture, uint16")
    parser.add_argument("--codecs", default="lz4-5,zstd-1,none")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--prefix", default="", help="before each timed program, such as \"chrt -r 5\" on a busy machine")
    parser.add_argument("--dir", default="/dev/shm/omezarr-bench/read", help="inputs; they stay for the next run")
    parser.add_argument("--build", required=True, help="folder of make_input, floor_read and read_gdal")
    parser.add_argument("--driver", required=True, help="folder of gdal_OMEZARR.so")
    parser.add_argument("--python", default=sys.executable, help="Python with tensorstore")
    args = parser.parse_args()
    environment = dict(os.environ, GDAL_DRIVER_PATH=args.driver, GDAL_PAM_ENABLED="NO")
    make_inputs(args, environment)
    print("\nMilliseconds (CPU milliseconds), medians. Ratios: omezarr to the fastest peer, and to the floor.\n")
    print("| codec | job | threads | floor | omezarr | GDAL Zarr | GDAL COG | tensorstore | to fastest | to floor | pixels |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for codec in args.codecs.split(","):
        for job, windows in jobs(args.size).items():
            for threads in args.threads.split(","):
                compare(args, environment, codec, job, windows, threads)


if __name__ == "__main__":
    main()
