"""Writes stores.h: small stores made by zarr-python 3.1.6 (numcodecs 0.16.6), the other implementation that the
reader is tested against. Run by hand: python make_stores.py > stores.h

A pixel of level l is 1000 * (l + 1) + 100 * c + 10 * y + x. Chunks that hold only fill are not stored.
"""
import json

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec
from zarr.storage import MemoryStore


def pixels(level, shape, dtype):
    index = np.indices(shape)
    c = index[0] if len(shape) == 3 else 0
    return (1000 * (level + 1) + 100 * c + 10 * index[-2] + index[-1]).astype(dtype)


def multiscales(dims, paths, version):
    kinds = {"c": "channel", "y": "space", "x": "space"}
    entry = {
        "name": "image",
        "axes": [{"name": d, "type": kinds[d]} for d in dims],
        "datasets": [
            {"path": path, "coordinateTransformations": [
                {"type": "scale", "scale": [1.0 if d == "c" else 0.5 * 2**i for d in dims]},
                {"type": "translation", "translation": [0.0 if d == "c" else 0.25 * (2**i - 1) for d in dims]}]}
            for i, path in enumerate(paths)],
    }
    if version == "0.4":
        return {"multiscales": [dict(entry, version="0.4")]}
    return {"ome": {"version": version, "multiscales": [entry]}}


def plain():
    """0.5, zstd, two levels; chunk (1, 1, 1) of level 0 holds only fill."""
    store = {}
    root = zarr.create_group(MemoryStore(store), zarr_format=3,
                             attributes=multiscales("cyx", ["scale0/image", "scale1/image"], "0.5"))
    for level, (shape, chunk) in enumerate([((2, 5, 7), (1, 4, 4)), ((2, 3, 4), (1, 3, 4))]):
        array = root.create_array(f"scale{level}/image", shape=shape, chunks=chunk, dtype="uint16", fill_value=9,
                                  compressors=ZstdCodec(level=1), dimension_names=list("cyx"),
                                  config={"write_empty_chunks": False})
        data = pixels(level, shape, "uint16")
        if level == 0:
            data[1, 4:, 4:] = 9
        array[...] = data
    return store


def sharded():
    """0.5, blosc in shards of 2 x 2 chunks; chunk (0, 1) is missing in its shard, shard (1, 1) wholly."""
    store = {}
    root = zarr.create_group(MemoryStore(store), zarr_format=3, attributes=multiscales("yx", ["0"], "0.5"))
    array = root.create_array("0", shape=(16, 12), chunks=(4, 4), shards=(8, 8), dtype="int32", fill_value=0,
                              compressors=BloscCodec(typesize=4, cname="lz4", clevel=5, shuffle="shuffle"),
                              dimension_names=["y", "x"], config={"write_empty_chunks": False})
    data = pixels(0, (16, 12), "int32")
    data[0:4, 4:8] = 0
    data[8:16, 8:12] = 0
    array[...] = data
    return store


def big_endian():
    """0.4, zlib, big endian; chunk (0, 1) is missing, fill -1."""
    store = {}
    root = zarr.create_group(MemoryStore(store), zarr_format=2, attributes=multiscales("yx", ["0"], "0.4"))
    array = root.create_array("0", shape=(4, 8), chunks=(4, 4), dtype=">i2", fill_value=-1,
                              compressors=numcodecs.Zlib(level=6), chunk_key_encoding={"name": "v2", "separator": "/"},
                              config={"write_empty_chunks": False})
    data = pixels(0, (4, 8), ">i2")
    data[:, 4:] = -1
    array[...] = data
    return store


def many_shards():
    """0.5, uncompressed uint8, 200 chunks of one pixel in 100 shards of two; the test writes the shards itself."""
    store = {}
    root = zarr.create_group(MemoryStore(store), zarr_format=3, attributes=multiscales("yx", ["0"], "0.5"))
    root.create_array("0", shape=(1, 200), chunks=(1, 1), shards=(1, 2), dtype="uint8", fill_value=0,
                      compressors=None, dimension_names=["y", "x"])
    return store


def text(value):
    lines = json.dumps(json.loads(value), separators=(",", ":"))
    parts = [lines[i:i + 90] for i in range(0, len(lines), 90)]
    return "\n".join('    "' + p.replace("\\", "\\\\").replace('"', '\\"') + '"' for p in parts)


def main():
    print("/* stores.h: made by make_stores.py, which says what is in it. */")
    print("/* clang-format off */")
    print("typedef struct {\n    const char *key;\n    const char *bytes;\n    size_t n;\n} object;\n")
    for make in (plain, sharded, big_endian, many_shards):
        print(f"static const object {make.__name__}_objects[] = {{")
        for key, value in sorted(make().items()):
            raw = value.to_bytes()
            if key.split("/")[-1].startswith((".z", "zarr.json")):
                n = len(json.dumps(json.loads(raw), separators=(",", ":")))
                print(f'    {{"{key}",\n{text(raw)},\n    {n}}},')
            else:
                digits = "".join(f"\\{b:03o}" for b in raw)
                lines = [digits[i:i + 100] for i in range(0, len(digits), 100)]
                body = "\n".join(f'    "{line}"' for line in lines)
                print(f'    {{"{key}",\n{body},\n    {len(raw)}}},')
        print("};\n")
    print("/* clang-format on */")


main()
