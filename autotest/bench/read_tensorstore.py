#!/usr/bin/env python3
"""read_tensorstore.py LEVEL THREADS X,Y,W,H[,VIEW]...: the same windows as read_gdal reads, by tensorstore.

Prints the seconds that reading took, its CPU seconds and those of opening, without imports and sums, and the sum of the pixels."""

import sys
import time

import numpy as np
import tensorstore as ts


def sum_of(pixels, before):
    words = np.frombuffer(np.ascontiguousarray(pixels).tobytes()[: pixels.nbytes // 8 * 8], "<u8")
    places = np.arange(words.size, dtype="u8") * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        return (before * 31 + int((words * places).sum(dtype="u8"))) % 2**64


def main():
    level, threads = sys.argv[1], int(sys.argv[2])
    begin = time.monotonic()
    context = ts.Context({"data_copy_concurrency": {"limit": threads}, "file_io_concurrency": {"limit": threads},
                          "cache_pool": {"total_bytes_limit": 64 << 20}})
    array = ts.open({"driver": "zarr", "kvstore": {"driver": "file", "path": level}, "recheck_cached_data": False},
                    context=context, read=True).result()
    opened, cpu = time.monotonic(), time.process_time()
    summing, total, buffer = 0, 0, None
    for window in sys.argv[3:]:
        x, y, w, h, *view = map(int, window.split(","))
        if buffer is None or buffer.shape != (h, w):
            buffer = np.empty((h, w), array.dtype.numpy_dtype)
        # Into memory that is used again: read() would allocate it anew for every window.
        ts.array(buffer).write(array[y : y + h, x : x + w]).result()
        pixels = buffer
        if view:
            n = view[0]
            rows, columns = (((np.arange(n) + 0.5) * size / n).astype(int) for size in (h, w))
            pixels = buffer[rows][:, columns]
        before, cpu_before = time.monotonic(), time.process_time()
        total = sum_of(pixels, total)
        summing += time.monotonic() - before
        cpu += time.process_time() - cpu_before
    print(f"{time.monotonic() - opened - summing:.6f} {time.process_time() - cpu:.6f} {opened - begin:.6f} {total:016x}")


main()
