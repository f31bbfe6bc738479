"""TIFFs as arrays, the source for the peers and for the check: uncompressed tiled ones without a decoding library between,
stacks page by page."""

import functools
import threading

import numpy as np
import tifffile


class TiledTiff:
    """Random access to a picture as (y, x) or (c, y, x); the tiles are memory-mapped."""

    def __init__(self, path):
        page = tifffile.TiffFile(path).pages[0]
        self.dtype, self.bands = page.dtype, page.samplesperpixel
        self.height, self.width = page.imagelength, page.imagewidth
        self.tile = page.tilelength
        self.offsets = page.dataoffsets
        self.across = -(-self.width // self.tile)
        self.bytes = np.memmap(path, np.uint8, "r")
        self.shape = (self.bands, self.height, self.width) if self.bands > 1 else (self.height, self.width)

    def _tile(self, row, column):
        n = self.tile * self.tile * self.bands * self.dtype.itemsize
        offset = self.offsets[row * self.across + column]
        return self.bytes[offset:offset + n].view(self.dtype).reshape(self.tile, self.tile, self.bands)

    def read(self, band, y0, y1, x0, x1):
        out = np.empty((y1 - y0, x1 - x0), self.dtype)
        for row in range(y0 // self.tile, -(-y1 // self.tile)):
            top = row * self.tile
            ya, yb = max(y0, top), min(y1, top + self.tile)
            for column in range(x0 // self.tile, -(-x1 // self.tile)):
                left = column * self.tile
                xa, xb = max(x0, left), min(x1, left + self.tile)
                out[ya - y0:yb - y0, xa - x0:xb - x0] = self._tile(row, column)[ya - top:yb - top, xa - left:xb - left, band]
        return out

    def dask(self, chunk):
        import dask.array

        def block(block_info=None):
            where = block_info[None]["array-location"]
            if self.bands > 1:
                return self.read(where[0][0], *where[1], *where[2])[None]
            return self.read(0, *where[0], *where[1])

        chunks = tuple(tuple(min(chunk, n - i) for i in range(0, n, chunk)) for n in (self.height, self.width))
        if self.bands > 1:
            chunks = ((1,) * self.bands,) + chunks
        return dask.array.map_blocks(block, chunks=chunks, dtype=self.dtype, meta=np.empty((0,) * len(chunks), self.dtype))


class Pages:
    """A stack as (z, y, x). Each page is decoded once, however many threads ask for parts of it at the same time."""

    def __init__(self, path):
        self.file = tifffile.TiffFile(path)
        self.pages = self.file.pages
        self.dtype, self.bands = self.pages[0].dtype, len(self.pages)
        self.height, self.width = self.pages[0].shape
        self.shape = (self.bands, self.height, self.width)
        self.one = threading.Lock()
        self.locks = functools.lru_cache(4)(lambda z: threading.Lock())
        self.planes = functools.lru_cache(4)(lambda z: self.pages[z].asarray(maxworkers=1))

    def read(self, z, y0, y1, x0, x1):
        with self.one:
            lock = self.locks(z)
        with lock:
            return self.planes(z)[y0:y1, x0:x1]
