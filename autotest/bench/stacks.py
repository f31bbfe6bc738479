#!/usr/bin/env python3
"""The benchmark of stacks: TIFFs of many pages, written by us, by the floor of pages (floor_pages.c) and, with --peers, by
ngff-zarr's command line, and by tensorstore in Python with tifffile's pages (peers.py).

    many   10,000 pages of 64 x 64 uint16, deflate: what a page costs beside its pixels
    large  --planes pages (200) of 2048 x 2048 uint16, deflate: decoding, by one and by two threads

Runs take turns. What is printed are medians of seconds, of their ratio to the first row, of CPU seconds (user and system) and
the largest memory; nothing is asserted. Run it by `run.sh --stacks`; the inputs stay in /dev/shm/omezarr-bench."""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time


def make(path, n_pages, side):
    """Noise over a gradient, always the same, as OME-TIFF, which all of the programs read whole; written page by page."""
    import numpy as np
    import tifffile

    random = np.random.default_rng(15)
    base = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint16) * 4
    noise = random.integers(0, 64, (8, side, side), np.uint16)
    planes = (base + noise[page % 8] + np.uint16(page) for page in range(n_pages))
    with tifffile.TiffWriter(path + ".new", bigtiff=True, ome=True) as file:
        file.write(planes, shape=(n_pages, side, side), dtype=np.uint16, metadata={"axes": "ZYX"}, compression="zlib",
                   compressionargs={"level": 1})
    os.rename(path + ".new", path)


def measure(command, environment):
    """Wall seconds, CPU seconds, MiB of one run."""
    begin = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(title, programs, repeat, folder, environment):
    results = {name: [] for name in programs}
    for turn in range(repeat):
        for name, (command, is_slow) in programs.items():
            if turn > 0 and is_slow:
                continue
            shutil.rmtree(f"{folder}/out", ignore_errors=True)
            os.makedirs(f"{folder}/out")
            results[name].append(measure(command, environment))
    shutil.rmtree(f"{folder}/out", ignore_errors=True)
    first = next(iter(results.values()))
    print(f"\n### {title}\n\n| program | runs | wall s | x the first | CPU s | peak MiB |\n|---|---|---|---|---|---|")
    for name, runs in results.items():
        wall, cpu, mib = (statistics.median(run[i] for run in runs) for i in range(3))
        ratio = statistics.median(run[0] / other[0] for run, other in zip(runs, first))
        print(f"| {name} | {len(runs)} | {wall:.2f} | {ratio:.2f} | {cpu:.2f} | {mib:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True, help="folder of gdal_OMEZARR.so")
    parser.add_argument("--build", required=True, help="folder of the bench programs")
    parser.add_argument("--python", required=True, help="a Python with numpy and tifffile, and ngff-zarr for --peers")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--planes", type=int, default=200)
    parser.add_argument("--peers", action="store_true")
    args = parser.parse_args()
    folder = "/dev/shm/omezarr-bench"
    os.makedirs(folder, exist_ok=True)
    environment = dict(os.environ, GDAL_DRIVER_PATH=os.path.abspath(args.driver))
    many, large = f"{folder}/many.ome.tif", f"{folder}/large-{args.planes}.ome.tif"
    for path, n_pages, side in ((many, 10_000, 64), (large, args.planes, 2048)):
        if not os.path.exists(path):
            print(f"making {path} ...", file=sys.stderr)
            code = f"import stacks; stacks.make({path!r}, {n_pages}, {side})"
            subprocess.run([args.python, "-c", code], cwd=os.path.dirname(os.path.abspath(__file__)), check=True)

    def ours(source, *options):
        words = [word for option in options for word in ("-co", option)]
        return ["gdal_translate", "-q", "-of", "OMEZARR", *words, source, f"{folder}/out/out.ome.zarr"]

    def ngff_zarr(source):
        return [f"{os.path.dirname(args.python)}/ngff-zarr", "-q", "-i", source, "-o", f"{folder}/out/out.ome.zarr"]

    programs = {"omezarr": (ours(many), False)}
    if args.peers:
        programs["ngff-zarr"] = (ngff_zarr(many), True)
    compare("10,000 pages of 64 x 64", programs, args.repeat, folder, environment)
    lz4 = ("COMPRESS=BLOSC", "BLOSC_CNAME=lz4", "BLOSC_CLEVEL=5", "BLOCKSIZE=512")
    programs = {"floor, 2 threads": ([f"{args.build}/floor_pages", large, f"{folder}/out/floor", "2"], False),
                "omezarr, 2 threads": (ours(large, *lz4, "NUM_THREADS=2"), False),
                "omezarr, 1 thread": (ours(large, *lz4, "NUM_THREADS=1"), False)}
    if args.peers:
        peers = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.py")
        programs["tensorstore"] = ([args.python, peers, "stack_tensorstore", large, f"{folder}/out/out", "lz4", "5"], False)
        programs["ngff-zarr"] = (ngff_zarr(large), True)
    compare(f"{args.planes} pages of 2048 x 2048", programs, args.repeat, folder, environment)


if __name__ == "__main__":
    main()
