#!/usr/bin/env python3
"""check.py IN.tif OUT: how far each level is from the exact mean of the source pixels under it (whole pictures).

Prints one JSON object: the levels' shapes and the largest error per level. OUT is a store of arrays, or a folder of
the floor program. Pixels whose block reaches past the picture, or holds nodata (-9999 in float pictures), are left out:
writers differ there by design."""

import json
import os
import sys

import numpy as np

from tiles import TiledTiff

CHUNK = 512


class FloorLevel:
    """A level of the floor program: files <band>.<row>.<column>, blosc or raw."""

    def __init__(self, folder, shape, dtype):
        self.folder, self.shape, self.dtype = folder, shape, dtype

    def rows(self, band, y0, y1):
        import numcodecs

        out = np.zeros((y1 - y0, -(-self.shape[-1] // CHUNK) * CHUNK), self.dtype)
        for row in range(y0 // CHUNK, -(-y1 // CHUNK)):
            for column in range(out.shape[1] // CHUNK):
                path = f"{self.folder}/{band}.{row}.{column}"
                if not os.path.exists(path):
                    continue
                data = open(path, "rb").read()
                if len(data) != CHUNK * CHUNK * self.dtype.itemsize:
                    data = numcodecs.blosc.decompress(data)
                chunk = np.frombuffer(data, self.dtype).reshape(CHUNK, CHUNK)
                top = row * CHUNK
                a, b = max(y0, top), min(y1, top + CHUNK)
                out[a - y0:b - y0, column * CHUNK:(column + 1) * CHUNK] = chunk[a - top:b - top]
        return out[:, :self.shape[-1]]


class ZarrLevel:
    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def rows(self, band, y0, y1):
        if self.array.ndim > 2 and self.array.shape[-1] <= 4:  # (y, x, band)
            return self.array[y0:y1, :, band]
        lead = (0,) * (self.array.ndim - 3) + ((band,) if self.array.ndim > 2 else ())
        if self.array.ndim > 2 and self.array.shape[-3] == 1:
            lead = (0,) * (self.array.ndim - 2)
        return self.array[lead + (slice(y0, y1),)]


def levels_of(out, source):
    if os.path.isdir(f"{out}/0") and not any(os.path.exists(f"{out}/{name}") for name in ("zarr.json", ".zgroup", "0/zarr.json")):
        shape, number, found = source.shape, 0, []
        while os.path.isdir(f"{out}/{number}"):
            found.append(FloorLevel(f"{out}/{number}", shape, source.dtype))
            shape, number = shape[:-2] + (-(-shape[-2] // 2), -(-shape[-1] // 2)), number + 1
        return found
    import zarr

    found = []
    for folder, _, files in os.walk(out):
        is_array = ".zarray" in files
        if "zarr.json" in files:
            is_array = json.load(open(f"{folder}/zarr.json"))["node_type"] == "array"
        if is_array:
            array = zarr.open_array(folder, mode="r")
            if array.ndim >= 2 and "ovr_mask" not in folder:
                found.append(array)
    return [ZarrLevel(array) for array in sorted(found, key=lambda a: -int(np.prod(a.shape, dtype=np.int64)))]


def largest_errors(source, levels):
    """Sums of 4^k source pixels by strips; a level's pixel times 4^k must be that sum."""
    strip = max(1024, 1 << (len(levels) - 1))
    errors = [0.0] * len(levels)
    for band in range(source.bands):
        for top in range(0, source.height, strip):
            bottom = min(source.height, top + strip)
            total = source.read(band, top, bottom, 0, source.width)
            total = np.where(total == -9999, np.nan, total.astype(np.float64)) if total.dtype.kind == "f" else total.astype(np.int64)
            for k, level in enumerate(levels):
                if k:
                    h, w = total.shape[0] // 2 * 2, total.shape[1] // 2 * 2
                    total = total[0:h:2, 0:w:2] + total[1:h:2, 0:w:2] + total[0:h:2, 1:w:2] + total[1:h:2, 1:w:2]
                if total.size == 0:
                    break
                got = level.rows(band, top >> k, (top >> k) + total.shape[0])[:, :total.shape[1]]
                difference = np.abs(got - total / 4.0**k)
                errors[k] = max(errors[k], float(difference[np.isfinite(difference)].max(initial=0)))
    return [round(e, 3) for e in errors]


if __name__ == "__main__":
    source = TiledTiff(sys.argv[1])
    levels = levels_of(sys.argv[2], source)
    print(json.dumps({"shapes": [list(l.shape) for l in levels], "errors": largest_errors(source, levels)}))
