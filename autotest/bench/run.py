#!/usr/bin/env python3
"""The benchmark: us, the floor program and the peers that are installed, in turn on the same input, codec and chunk.

Whole-process wall times on tmpfs with a warm cache, fresh folders, two threads, chunks of 512 x 512, unsharded; medians,
the median of the ratios to the floor run of the same round, CPU time, peak memory (the largest resident set that the
kernel saw), objects, MiB, and the largest difference of any pixel of each level from the exact mean of the source.
Nothing is asserted: a benchmark is read, not passed. Run it by run.sh, on an otherwise idle machine."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = {"B1": ("rgb8", 16384, 16384), "B2": ("u16", 20000, 20000), "B4": ("f32", 8192, 8192), "B5": ("u16", 40000, 40000)}
CODECS = {"lz4-5": ("lz4", 5), "none": ("none", 0), "zstd-1": ("zstd", 1), "zstd-5": ("zstd", 5)}
LONG = 10.0  # a run that takes longer than this many seconds is not repeated


def commands(args, source, out, codec, level):
    """What runs, by name, in the order of a round. Peers that are not there are left out."""
    blosc = ["-co", "COMPRESS=BLOSC", "-co", f"BLOSC_CNAME={codec}", "-co", f"LEVEL={level}"]
    ours = ["gdal_translate", "-q", "-of", "OMEZARR", "-co", "SHARD=NONE", "-co", "BLOCKSIZE=512", "-co", "NUM_THREADS=2"]
    ours += ["-co", "COMPRESS=NONE"] if codec == "none" else blosc
    yield "floor", [args.build + "/floor", source, out, codec, str(level), "2"]
    yield "omezarr", ours + [source, out]
    if args.gauss:
        yield "omezarr GAUSS", ours + ["-co", "OVERVIEW_RESAMPLING=GAUSS", source, out]
    if not args.peers:
        return
    python = args.python
    for peer, module in (("tensorstore", "tensorstore"), ("acquire_zarr", "acquire_zarr"), ("ome_zarr_pyramid", "ome_zarr_pyramid"),
                         ("ngff_zarr", "ngff_zarr"), ("ngff_zarr_gaussian", "ngff_zarr")):
        if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            yield peer, [python, f"{HERE}/peers.py", peer, source, out, codec, str(level)]
    cli = os.path.join(os.path.dirname(python), "ngff-zarr")
    if os.path.exists(cli):
        compression = [] if codec == "none" else ["--codec", f"blosc:{codec}", "--compression-level", str(level)]
        yield "ngff-zarr (CLI)", [cli, "-q", "-i", source, "-o", out, "-c", "512", "-m", "itkwasm_bin_shrink"] + compression
    cog = "NONE" if codec == "none" else "LZW" if codec == "lz4" else "ZSTD"
    yield f"GDAL COG {cog}", ["gdal_translate", "-q", "-of", "COG", "-co", f"COMPRESS={cog}", "-co", "NUM_THREADS=2",
                              "-co", "BIGTIFF=IF_SAFER", "-co", "OVERVIEW_RESAMPLING=AVERAGE", source, out]
    zarr = ["gdal_translate", "-q", "-of", "Zarr", "-co", "BLOCKSIZE=512,512"]
    yield "GDAL Zarr (no pyramid)", zarr + (["-co", "COMPRESS=NONE"] if codec == "none" else [
        "-co", "COMPRESS=BLOSC", "-co", f"BLOSC_CNAME={codec}", "-co", f"BLOSC_CLEVEL={level}"]) + [source, out]
    if shutil.which("zarrs_ome"):  # cargo install zarrs_tools --features ome
        ready = f"{source}.{codec}.zarr"
        if not os.path.exists(ready):
            subprocess.run([python, f"{HERE}/peers.py", "ready", source, ready, codec, str(level)], check=True)
        codecs = "[]" if codec == "none" else json.dumps([{"name": "blosc", "configuration": {
            "cname": codec, "clevel": level, "shuffle": "shuffle", "typesize": 2, "blocksize": 0}}])
        yield "zarrs_ome (from a ready Zarr)", ["zarrs_ome", "--max-levels", "6", "--bytes-to-bytes-codecs", codecs,
                                               ready, out, "2,2"]


def run(command, environment):
    """Wall seconds, CPU seconds, peak MiB, or None if the program failed."""
    with open(os.devnull, "w") as null:
        begin = time.monotonic()
        # This process is small, so that its own memory does not count as the child's peak.
        pid = os.posix_spawnp(command[0], command, environment, file_actions=[
            (os.POSIX_SPAWN_DUP2, null.fileno(), 1), (os.POSIX_SPAWN_DUP2, null.fileno(), 2)])
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - begin
    if status != 0:
        return None
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def size_of(out):
    if os.path.isfile(out):
        return 1, os.path.getsize(out) / 2**20
    sizes = [os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(out) for f in files]
    return len(sizes), sum(sizes) / 2**20


def errors_of(args, source, out):
    if not args.check or os.path.isfile(out):
        return ""
    done = subprocess.run([args.python, f"{HERE}/check.py", source, out], capture_output=True, text=True)
    if done.returncode != 0:
        return "not checked"
    return " ".join(f"{e:g}" for e in json.loads(done.stdout)["errors"])


def compare(args, picture, codec_name):
    kind, width, height = PICTURES[picture]
    source = f"{args.dir}/{picture}.tif"
    if not os.path.exists(source):
        print(f"making {source} ...", file=sys.stderr)
        subprocess.run([args.build + "/make_input", kind, source, str(width), str(height)], check=True)
    environment = dict(os.environ, GDAL_DRIVER_PATH=args.driver, GDAL_PAM_ENABLED="NO", OMP_NUM_THREADS="2", RAYON_NUM_THREADS="2")
    codec, level = CODECS[codec_name]
    rows = {}
    shutil.rmtree(f"{args.dir}/out.ome.zarr", ignore_errors=True)  # of a run that was stopped
    for number in range(args.repeat):
        floor = None
        for name, command in commands(args, source, f"{args.dir}/out.ome.zarr", codec, level):
            out = f"{args.dir}/out.ome.zarr"
            row = rows.setdefault(name, {"wall": [], "ratio": [], "cpu": [], "rss": []})
            if number and (not row["wall"] or row["wall"][0] > LONG):
                continue
            print(f"{picture} {codec_name} round {number + 1}/{args.repeat}: {name}          ", end="\r", file=sys.stderr)
            result = run(command, environment)
            if result:
                floor = result[0] if name == "floor" else floor
                row["wall"].append(result[0])
                row["ratio"].append(result[0] / floor)
                row["cpu"].append(result[1])
                row["rss"].append(result[2])
                if number == 0:
                    row["objects"], row["mib"] = size_of(out)
                    row["errors"] = errors_of(args, source, out)
            shutil.rmtree(out, ignore_errors=True)
            if os.path.exists(out):
                os.unlink(out)
    print(f"\n### {picture} ({width} x {height} {kind}), {codec_name}\n")
    print("| program | runs | wall s | x floor | CPU s | peak MiB | objects | MiB | largest error per level |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        if not row["wall"]:
            print(f"| {name} | 0 | failed | | | | | | |")
            continue
        wall, ratio, cpu = (statistics.median(row[k]) for k in ("wall", "ratio", "cpu"))
        print(f"| {name} | {len(row['wall'])} | {wall:.2f} | {ratio:.2f} | {cpu:.2f} | {max(row['rss']):.0f} | "
              f"{row['objects']} | {row['mib']:.0f} | {row['errors']} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", default="B2,B1,B5", help="of B1 B2 B4 B5")
    parser.add_argument("--codecs", default="lz4-5,none,zstd-1,zstd-5")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="also the peers that are installed")
    parser.add_argument("--gauss", action="store_true", help="also our GAUSS")
    parser.add_argument("--no-check", dest="check", action="store_false", help="do not compare pixels")
    parser.add_argument("--dir", default="/dev/shm/omezarr-bench")
    parser.add_argument("--build", required=True, help="folder of make_input and floor")
    parser.add_argument("--driver", required=True, help="folder of gdal_OMEZARR.so")
    parser.add_argument("--python", default=sys.executable, help="Python with the peers and the check's packages")
    args = parser.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    for picture in args.pictures.split(","):
        for codec in args.codecs.split(","):
            compare(args, picture, codec)


if __name__ == "__main__":
    main()
