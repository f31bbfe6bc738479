#!/usr/bin/env python3
"""The benchmark of the Python package: arrays in memory and of Dask written by omezarr, tensorstore, ngff-zarr, zarr-python with
Dask, and ome-zarr-py; chunks of 512 x 512, levels of factor 2 until both sides fit one chunk.

    numpy  8192 x 8192 uint16
    dask   8 x 4096 x 4096 uint16, blocks of one plane, 1024 x 1024
    large  --planes (64) x 4096 x 4096 uint16 of Dask, 2 GiB: memory; omezarr alone

Each run is a process of its own; imports and the source are not timed. Runs take turns. What is printed are medians of wall
seconds, of their ratio to tensorstore's (without it, omezarr's) in the same turn, of CPU seconds, and the most memory above what
was there before; nothing is asserted but that level 0 is the source. Run it by `run.sh --python`."""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
import warnings

FOLDER = "/dev/shm/omezarr-bench"
CHUNK, BLOCK = 512, 1024
CODECS = {"lz4-5": ("blosc", "lz4", 5), "zstd-3": ("zstd", None, 3)}


# -- Sources -----------------------------------------------------------------------------------------------------------

def plane(side, z=0):
    """A ramp and noise of three bits, always the same."""
    import numpy as np

    ramp = np.add.outer(np.arange(side, dtype=np.uint16), np.arange(side, dtype=np.uint16))
    return ramp + np.random.default_rng(z).integers(0, 8, (side, side), np.uint16)


def source(kind, n_planes):
    import numpy as np

    if kind == "numpy":
        return plane(8192)
    import dask.array as da

    base = plane(4096)

    def block(block_info=None):
        (z, _), (y0, y1), (x0, x1) = block_info[None]["array-location"]
        return (base[y0:y1, x0:x1] + np.uint16(z))[None]

    blocks = (BLOCK,) * (4096 // BLOCK)
    return da.map_blocks(block, chunks=((1,) * n_planes, blocks, blocks), dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16))


def factors(shape):
    found = []
    while -(-max(shape[-2:]) // 2 ** len(found)) > CHUNK:
        found.append(2 ** (len(found) + 1))
    return found


# -- Programs ----------------------------------------------------------------------------------------------------------

def omezarr(data, out, version, codec, method):
    import omezarr as oz

    name, cname, level = CODECS[codec]
    dims = ["z", "y", "x"][-data.ndim:]
    levels = [{"y": f, "x": f} for f in factors(data.shape)]
    image = oz.to_multiscales(oz.to_ngff_image(data, dims), levels, {"mean": "mean", "gauss": oz.Methods.ITKWASM_GAUSSIAN}[method],
                              {"z": 1, "y": CHUNK, "x": CHUNK} if data.ndim == 3 else CHUNK)
    how = {"compress": "ZSTD", "level": level} if name == "zstd" else {"compress": "BLOSC", "blosc_cname": cname, "blosc_clevel": level}
    oz.to_ngff_zarr(out, image, version=version, **how)


def tensorstore(data, out, version, codec, method):
    import numpy as np
    import tensorstore as ts

    name, cname, level = CODECS[codec]
    chunk = [1] * (data.ndim - 2) + [CHUNK, CHUNK]
    lead = [1] * (data.ndim - 2)

    def create(number, shape):
        kvstore = {"driver": "file", "path": f"{out}/{number}", "file_io_sync": False}
        if version == "0.4":
            of = {"id": "zstd", "level": level} if name == "zstd" else {"id": "blosc", "cname": cname, "clevel": level, "shuffle": 1}
            metadata = {"shape": list(shape), "chunks": chunk, "dtype": "<u2", "compressor": of, "dimension_separator": "/"}
            return ts.open({"driver": "zarr", "create": True, "kvstore": kvstore, "metadata": metadata}).result()
        of = {"name": "zstd", "configuration": {"level": level}} if name == "zstd" else {"name": "blosc", "configuration": {
            "cname": cname, "clevel": level, "shuffle": "shuffle", "typesize": 2, "blocksize": 0}}
        return ts.open({"driver": "zarr3", "create": True, "kvstore": kvstore, "metadata": {
            "shape": list(shape), "data_type": "uint16", "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, of],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}}}}).result()

    array = create(0, data.shape)
    if isinstance(data, np.ndarray):
        array.write(data).result()
    else:  # dask's own way to store blocks, which are whole chunks
        class Target:
            def __setitem__(self, key, value):
                array[key].write(value).result()

        data.store(Target(), lock=False)
    for number in range(1, len(factors(data.shape)) + 1):
        half = ts.downsample(array, lead + [2, 2], "mean")
        array = create(number, half.shape)
        array.write(half).result()


def ngff_zarr(data, out, version, codec, method):
    import ngff_zarr as nz
    from ngff_zarr.codecs import codec_from_name

    name, cname, level = CODECS[codec]
    dims = ["z", "y", "x"][-data.ndim:]
    image = nz.to_multiscales(nz.to_ngff_image(data, dims), [{"y": f, "x": f, **({"z": 1} if data.ndim == 3 else {})} for f in factors(data.shape)],
                              nz.Methods.DASK_BIN_SHRINK if method == "mean" else nz.Methods.ITKWASM_GAUSSIAN,
                              {"z": 1, "y": CHUNK, "x": CHUNK} if data.ndim == 3 else CHUNK, cache=False)
    nz.to_ngff_zarr(out, image, version=version, compressor=codec_from_name("zstd" if name == "zstd" else "blosc:" + cname, level))


def zarr_dask(data, out, version, codec, method):
    import dask.array as da
    import numcodecs
    import numpy as np
    import zarr

    name, cname, level = CODECS[codec]
    chunk = (1,) * (data.ndim - 2) + (CHUNK, CHUNK)
    data = da.from_array(data, (2 * CHUNK, 2 * CHUNK)) if isinstance(data, np.ndarray) else data
    if version == "0.4":
        of = numcodecs.Zstd(level) if name == "zstd" else numcodecs.Blosc(cname, level, 1)
        how = {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}, "compressors": of}
    else:
        how = {"zarr_format": 3, "compressors": zarr.codecs.ZstdCodec(level=level) if name == "zstd" else
               zarr.codecs.BloscCodec(cname=cname, clevel=level, shuffle="shuffle")}
    group = zarr.open_group(out, mode="w", zarr_format=how.pop("zarr_format"))
    for number in range(len(factors(data.shape)) + 1):
        if number > 0:
            last = da.from_zarr(group[str(number - 1)], chunks=(1,) * (data.ndim - 2) + (2 * CHUNK, 2 * CHUNK))
            data = da.coarsen(np.mean, last, {data.ndim - 2: 2, data.ndim - 1: 2}).round().astype(np.uint16)
        array = group.create_array(str(number), shape=data.shape, chunks=tuple(min(c, n) for c, n in zip(chunk, data.shape)), dtype="uint16", **how)
        da.store(data.rechunk(array.chunks), array, lock=False)


def ome_zarr(data, out, version, codec, method):
    """ome-zarr-py with its mean of windows, which is rounded down."""
    import numcodecs
    import zarr
    from ome_zarr.format import format_from_version
    from ome_zarr.scale import Methods
    from ome_zarr.writer import write_image

    name, cname, level = CODECS[codec]
    chunk = (1,) * (data.ndim - 2) + (CHUNK, CHUNK)
    if version == "0.4":
        how = {"compressor": numcodecs.Zstd(level) if name == "zstd" else numcodecs.Blosc(cname, level, 1)}
    else:
        how = {"compressors": [zarr.codecs.ZstdCodec(level=level) if name == "zstd" else
                               zarr.codecs.BloscCodec(cname=cname, clevel=level, shuffle="shuffle")]}
    write_image(data, out, factors(data.shape), method=Methods.LOCAL_MEAN, fmt=format_from_version(version), axes="zyx"[-data.ndim:],
                storage_options={"chunks": chunk, **how})


PROGRAMS = {f.__name__: f for f in (omezarr, tensorstore, ngff_zarr, zarr_dask, ome_zarr)}


# -- One run -----------------------------------------------------------------------------------------------------------

def memory(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) / 1024


def run(program, kind, n_planes, version, codec, method, out):
    warnings.simplefilter("ignore")
    import dask
    import numpy as np

    __import__({"zarr_dask": "zarr", "ome_zarr": "ome_zarr.writer"}.get(program, program))
    dask.config.set(scheduler="threads")
    data = source(kind, n_planes)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the highest is counted from here
    before, used, begin = memory("VmRSS"), resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    PROGRAMS[program](data, out, version, codec, method)
    wall, now = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF)
    peak = memory("VmHWM") - before
    import zarr

    first = next(path for path in ("0", "s0", "scale0/image") if os.path.exists(f"{out}/{path}"))
    stored = zarr.open_array(f"{out}/{first}", mode="r")
    expected = np.asarray(data[-1, :2048, :2048] if data.ndim == 3 else data[:2048, :2048])
    if stored.shape != data.shape or not np.array_equal(stored[(-1,) * (data.ndim - 2) + (slice(2048), slice(2048))], expected):
        raise SystemExit(f"{program} has stored other pixels")
    print(json.dumps([wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, peak]))


def main():
    if sys.argv[1:2] == ["one"]:
        program, kind, n_planes, version, codec, method, out = sys.argv[2:]
        return run(program, kind, int(n_planes), version, codec, method, out)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="not used")
    parser.add_argument("--driver", help="not used")
    parser.add_argument("--python", required=True, help="a Python with omezarr, and with the others for --peers")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--planes", type=int, default=64)
    parser.add_argument("--peers", action="store_true")
    args = parser.parse_args()
    os.makedirs(FOLDER, exist_ok=True)
    out = f"{FOLDER}/out.ome.zarr"

    def one(program, kind, n_planes, version, codec, method):
        shutil.rmtree(out, ignore_errors=True)
        words = [args.python, os.path.abspath(__file__), "one", program, kind, str(n_planes), version, codec, method, out]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    print("| array | version | codec | levels | program | runs | wall s | ratio | CPU s | MiB above |\n|---|---|---|---|---|---|---|---|---|---|")
    for kind, n_planes in ("numpy", 1), ("dask", 8):
        for version, codec, method in (("0.5", "lz4-5", "mean"), ("0.5", "zstd-3", "mean"), ("0.4", "lz4-5", "mean"), ("0.4", "zstd-3", "mean"),
                                       ("0.5", "lz4-5", "gauss")):
            programs = [p for p in PROGRAMS if p == "omezarr" or args.peers and (method == "mean" or p == "ngff_zarr")]
            slow = {"ngff_zarr", "zarr_dask", "ome_zarr"}
            runs = {program: [] for program in programs}
            for turn in range(args.repeat):
                for program in programs:
                    if program not in slow or turn == 0:
                        runs[program].append(one(program, kind, n_planes, version, codec, method))
            base = runs.get("tensorstore", runs["omezarr"])
            for program, found in runs.items():
                wall, cpu, mib = (statistics.median(r[i] for r in found) for i in range(3))
                ratio = statistics.median(r[0] / other[0] for r, other in zip(found, base))
                print(f"| {kind} | {version} | {codec} | {method} | {program} | {len(found)} | {wall:.2f} | {ratio:.2f} | {cpu:.2f} | {mib:.0f} |", flush=True)
    found = one("omezarr", "large", args.planes, "0.5", "lz4-5", "mean")
    print(f"| {args.planes} x 4096 x 4096 of Dask | 0.5 | lz4-5 | mean | omezarr | 1 | {found[0]:.2f} | | {found[1]:.2f} | {found[2]:.0f} |")
    shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
