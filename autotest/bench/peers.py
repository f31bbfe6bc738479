#!/usr/bin/env python3
"""peers.py PEER IN.tif OUT CODEC LEVEL: one whole conversion, tiled TIFF to OME-Zarr pyramid, by another Python package;
`peers.py stack_tensorstore` takes a TIFF of many pages.

CODEC: none, lz4, zstd (the last two by blosc with byte shuffle). Chunks of 512 x 512, factor 2, two threads, until both
sides fit one chunk; each peer is called the fastest way that its documentation shows."""

import sys

from tiles import Pages, TiledTiff

CHUNK = 512
THREADS = 2


def factors(shape):
    """2, 4, 8 ... until both sides fit one chunk."""
    result, factor = [], 1
    while -(-max(shape[-2:]) // factor) > CHUNK:
        factor *= 2
        result.append(factor)
    return result


def ready(source, out, codec, level):
    """Level 0 alone, for a program that does not read TIFF; not timed."""
    tensorstore(source, out, codec, level, n_levels=1)


def tensorstore(source, out, codec, level, n_levels=None):
    """Copies level 0, then downsamples each level from the one before. n_levels=1: OUT is the array of level 0."""
    import tensorstore as ts

    lead = (1,) * (len(source.shape) - 2)
    chunk = list(lead) + [CHUNK, CHUNK]
    context = ts.Context({"data_copy_concurrency": {"limit": THREADS}, "cache_pool": {"total_bytes_limit": 256 << 20}})
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    if codec != "none":
        codecs.append({"name": "blosc", "configuration": {"cname": codec, "clevel": level, "shuffle": "shuffle",
                                                          "typesize": source.dtype.itemsize, "blocksize": 0}})

    def create(number, shape):
        return ts.open({
            "driver": "zarr3", "create": True, "delete_existing": True,
            "kvstore": {"driver": "file", "path": out if n_levels else f"{out}/{number}", "file_io_concurrency": {"limit": THREADS},
                        "file_io_sync": False},
            "metadata": {"shape": list(shape), "data_type": str(source.dtype), "codecs": codecs,
                         "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}}},
        }, context=context).result()

    def read(domain, to, _):
        lo, hi = domain.origin[-2:], domain.exclusive_max[-2:]
        to[...] = source.read(domain.origin[0] if lead else 0, lo[0], hi[0], lo[1], hi[1])[(None,) * len(lead)]

    picture = ts.virtual_chunked(read, dtype=str(source.dtype), domain=ts.IndexDomain(shape=source.shape),
                                 chunk_layout=ts.ChunkLayout(read_chunk_shape=chunk), context=context)
    array = create(0, source.shape)
    array.write(picture).result()
    for number in range(1, n_levels or len(factors(source.shape)) + 1):
        half = ts.downsample(array, list(lead) + [2, 2], "mean")
        array = create(number, half.shape)
        array.write(half).result()


def stack_tensorstore(source, out, codec, level):
    """Pages in, chunks of one plane out, halves of y and x."""
    tensorstore(source, out, codec, level)


def acquire_zarr(source, out, codec, level):
    import acquire_zarr as aq

    compression = None
    if codec != "none":
        compression = aq.CompressionSettings(compressor=aq.Compressor.BLOSC1, level=level, shuffle=1,
                                             codec=getattr(aq.CompressionCodec, "BLOSC_" + codec.upper()))

    def axis(name, kind, size, chunk):
        return aq.Dimension(name=name, kind=kind, array_size_px=size, chunk_size_px=chunk, shard_size_chunks=1)

    kind = aq.DimensionType
    axes = [axis("t", kind.TIME, 0, 1)]
    if source.bands > 1:
        axes.append(axis("c", kind.CHANNEL, source.bands, 1))
    axes += [axis("y", kind.SPACE, source.height, CHUNK), axis("x", kind.SPACE, source.width, CHUNK)]
    array = aq.ArraySettings(dimensions=axes, data_type=getattr(aq.DataType, str(source.dtype).upper()),
                             compression=compression, downsampling_method=aq.DownsamplingMethod.MEAN)
    stream = aq.ZarrStream(aq.StreamSettings(store_path=out, arrays=[array], overwrite=True, max_threads=THREADS))
    for band in range(source.bands):
        stream.append(source.read(band, 0, source.height, 0, source.width))
    stream.close()


def ngff_zarr(source, out, codec, level, method="dask_bin_shrink"):
    import dask
    import ngff_zarr as nz
    from ngff_zarr.codecs import codec_from_name

    dask.config.set(scheduler="threads", num_workers=THREADS)
    image = nz.to_ngff_image(source.dask(CHUNK), dims=["c", "y", "x"][-len(source.shape):])
    chunks = {"y": CHUNK, "x": CHUNK, **({"c": 1} if source.bands > 1 else {})}
    pyramid = nz.to_multiscales(image, scale_factors=[{"y": f, "x": f} for f in factors(source.shape)],
                                method=nz.Methods(method), chunks=chunks, cache=False)
    compressor = codec_from_name("none" if codec == "none" else "blosc:" + codec, None if codec == "none" else level)
    nz.to_ngff_zarr(out, pyramid, version="0.5", compressor=compressor)


def ngff_zarr_gaussian(source, out, codec, level):
    """Its default method."""
    ngff_zarr(source, out, codec, level, "itkwasm_gaussian")


def ome_zarr_pyramid(source, out, codec, level):
    from ome_zarr_pyramid import Pyramid, io

    axes = "cyx"[-len(source.shape):]
    pyramid = Pyramid().from_array(source.dask(CHUNK), axis_order=axes)
    pyramid = pyramid.downscale(n_layers=len(factors(source.shape)) + 1, downscale_method="mean",
                                scale_factor=[1] * (len(axes) - 2) + [2, 2])
    options = {}
    if codec != "none":
        options = {"compressor": "blosc", "compressor_params": {"cname": codec, "clevel": level, "shuffle": "shuffle"}}
    io.write_pyramid(pyramid, out, overwrite=True, max_threads=THREADS, **options)


PEERS = {f.__name__: f for f in (ready, tensorstore, stack_tensorstore, acquire_zarr, ngff_zarr, ngff_zarr_gaussian, ome_zarr_pyramid)}

if __name__ == "__main__":
    peer, path, out, codec, level = sys.argv[1:]
    PEERS[peer]((Pages if peer.startswith("stack_") else TiledTiff)(path), out, codec, int(level))
