"""Stores that others wrote: every NGFF version from 0.1 to 0.6, and the forms that Zarr v2 and v3 give an array, written
by zarr-python and tensorstore; every level compared with the NumPy array that was written."""

import json
import os

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

zarr = pytest.importorskip("zarr")
ARRAY = gdaltest.random_array((2, 50, 70), "uint16")


def halved(array):
    return np.ascontiguousarray(array[..., ::2, ::2])


def put_json(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(content, file)


def scales(n, names):
    return [{"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1.0] * (n - 2) + [2.0 ** i] * 2}]}
            for i, path in enumerate(names)]


def axes(dims):
    kinds = {"t": "time", "c": "channel"}
    return [{"name": d, "type": kinds.get(d, "space")} for d in dims]


def assert_levels(root, *expected):
    """expected: (band, y, x) per level."""
    found = gdaltest.our_levels(str(root))
    assert len(found) == len(expected)
    for got, want in zip(found, expected):
        assert got.dtype == want.dtype.newbyteorder("=")
        np.testing.assert_array_equal(got, want)


def make_v2(root, array=ARRAY, **how):
    """NGFF 0.4 in Zarr v2, two levels."""
    group = zarr.open_group(str(root), mode="w", zarr_format=2)
    for name, level in (("0", array), ("1", halved(array))):
        target = group.create_array(name, shape=level.shape, chunks=how.pop("chunks", (1, 16, 32)), dtype=level.dtype,
                                    **how)
        target[...] = level
        how.setdefault("chunks", (1, 16, 32))
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes("cyx"), "datasets": scales(3, ["0", "1"])}]
    return str(root)


def make_v3(root, array=ARRAY, chunks=(1, 16, 32), **how):
    """NGFF 0.5 in Zarr v3, two levels."""
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    for name, level in (("0", array), ("1", halved(array))):
        target = group.create_array(name, shape=level.shape, chunks=chunks, dtype=level.dtype, **how)
        target[...] = level
    group.attrs["ome"] = {"version": "0.5",
                          "multiscales": [{"axes": axes("cyx"), "datasets": scales(3, ["0", "1"])}]}
    return str(root)


# -- Zarr v2 ---------------------------------------------------------------------------------------------------------


def v2_compressors():
    import numcodecs
    return {"none": None, "zlib": numcodecs.Zlib(1), "gzip": numcodecs.GZip(1), "lz4": numcodecs.LZ4(),
            "zstd": numcodecs.Zstd(3), "blosc": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE),
            "blosc-bit": numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE)}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["none", "zlib", "gzip", "lz4", "zstd", "blosc", "blosc-bit"])
def test_v2_compressors_and_orders(tmp_path, name, order):
    root = make_v2(tmp_path / "a.zarr", compressors=v2_compressors()[name], order=order)
    assert json.load(open(f"{root}/0/.zarray"))["order"] == order
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("separator", [".", "/"])
def test_v2_separators(tmp_path, separator):
    root = make_v2(tmp_path / "a.zarr", chunk_key_encoding={"name": "v2", "separator": separator})
    assert os.path.exists(f"{root}/0/1{separator}0{separator}0")
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f8", "<f4", "|i1", "|u1", ">i8"])
def test_v2_byte_orders(tmp_path, dtype):
    array = gdaltest.random_array((2, 50, 70), np.dtype(dtype).newbyteorder("=").name).astype(dtype)
    if dtype == "|i1" and not gdaltest.AT_LEAST(3, 7):
        pytest.skip("this GDAL has no Int8")
    assert_levels(make_v2(tmp_path / "a.zarr", array), array, halved(array))


@pytest.mark.parametrize("fill, expected", [(None, 0), (0, 0), (7, 7), (7.0, 7)])
def test_v2_fill_values_of_missing_chunks(tmp_path, fill, expected):
    root = make_v2(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/0/.zarray"))
    document["fill_value"] = fill
    put_json(f"{root}/0/.zarray", document)
    separator = document.get("dimension_separator", ".")
    os.unlink(f"{root}/0/" + separator.join("110"))
    want = ARRAY.copy()
    want[1, 16:32, :32] = expected
    assert_levels(root, want, halved(ARRAY))


def test_v2_missing_filters_and_order_are_the_usual_ones(tmp_path):
    root = make_v2(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/0/.zarray"))
    del document["filters"], document["order"]
    put_json(f"{root}/0/.zarray", document)
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("change, message", [({"filters": [{"id": "delta", "dtype": "<u2"}]}, "delta"),
                                             ({"compressor": {"id": "bz2", "level": 1}}, "bz2"),
                                             ({"order": "Z"}, "order"), ({"dtype": "<U4"}, "U4")])
def test_v2_what_is_not_read_is_refused_by_name(tmp_path, change, message):
    root = make_v2(tmp_path / "a.zarr")
    put_json(f"{root}/0/.zarray", {**json.load(open(f"{root}/0/.zarray")), **change})
    with pytest.raises(RuntimeError, match=f"0/.zarray.*{message}"):
        gdal.Open(f"OMEZARR:{root}")


# -- Zarr v3 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1), (2, 0, 1)])
def test_v3_transpose(tmp_path, order):
    from zarr.codecs import TransposeCodec
    root = make_v3(tmp_path / "a.zarr", chunks=(2, 16, 32), filters=[TransposeCodec(order=order)])
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("codec", ["gzip", "zstd", "blosc", "none"])
@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_v3_codecs_checksums_and_byte_orders(tmp_path, codec, checksum, endian):
    from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec
    codecs = {"gzip": [GzipCodec(level=1)], "zstd": [ZstdCodec(level=1)], "blosc": [BloscCodec(cname="lz4")], "none": []}
    root = make_v3(tmp_path / "a.zarr", serializer=BytesCodec(endian=endian),
                   compressors=codecs[codec] + ([Crc32cCodec()] if checksum else []))
    assert_levels(root, ARRAY, halved(ARRAY))


def test_v3_a_wrong_checksum_is_told(tmp_path):
    from zarr.codecs import Crc32cCodec
    root = make_v3(tmp_path / "a.zarr", compressors=[Crc32cCodec()])
    chunk = f"{root}/0/c/1/0/0"
    content = bytearray(open(chunk, "rb").read())
    content[5] ^= 1
    open(chunk, "wb").write(content)
    with pytest.raises(RuntimeError, match="0/c/1/0/0.*checksum"):
        gdal.Open(root).ReadRaster()


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_v3_shards(tmp_path, location, checksum, transposed):
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, TransposeCodec, ZstdCodec
    inner = ([TransposeCodec(order=(0, 2, 1))] if transposed else []) + [BytesCodec(), ZstdCodec(level=1)]
    sharding = ShardingCodec(chunk_shape=(1, 16, 8), codecs=inner, index_location=location,
                             index_codecs=[BytesCodec()] + ([Crc32cCodec()] if checksum else []))
    array = ARRAY.copy()
    array[0, :32, :] = 0  # chunks that are missing in a shard
    root = make_v3(tmp_path / "a.zarr", array, chunks=(2, 32, 32), serializer=sharding, compressors=None)
    assert_levels(root, array, halved(array))


@pytest.mark.parametrize("encoding", [{"name": "v2", "separator": "."}, {"name": "v2", "separator": "/"},
                                      {"name": "default", "separator": "."}])
def test_v3_chunk_keys(tmp_path, encoding):
    assert_levels(make_v3(tmp_path / "a.zarr", chunk_key_encoding=encoding), ARRAY, halved(ARRAY))


def test_tensorstore_writes_what_we_read(tmp_path):
    tensorstore = pytest.importorskip("tensorstore")
    root = str(tmp_path / "a.zarr")
    for name, level in (("0", ARRAY), ("1", halved(ARRAY))):
        tensorstore.open({
            "driver": "zarr3", "kvstore": {"driver": "file", "path": f"{root}/{name}"},
            "metadata": {"codecs": [{"name": "sharding_indexed", "configuration": {
                "chunk_shape": [1, 8, 16], "codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                                                      {"name": "blosc", "configuration": {"cname": "zstd"}}]}}],
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 32, 32]}},
                         "shape": level.shape, "data_type": "uint16"},
            "create": True}).result().write(level).result()
    put_json(f"{root}/zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {
        "version": "0.5", "multiscales": [{"axes": axes("cyx"), "datasets": scales(3, ["0", "1"])}]}}})
    assert_levels(root, ARRAY, halved(ARRAY))


# -- NGFF versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_early_versions(tmp_path, version):
    """0.1: separator '.', 0.2: '/', both five axes without names; 0.3: names as plain text. None has transforms."""
    root = str(tmp_path / "a.zarr")
    group = zarr.open_group(root, mode="w", zarr_format=2)
    five = version != "0.3"
    levels = [level[None, :, None] if five else level for level in (ARRAY, halved(ARRAY))]
    for name, level in zip("01", levels):
        target = group.create_array(name, shape=level.shape, chunks=(1,) * (level.ndim - 2) + (16, 32), dtype="uint16",
                                    chunk_key_encoding={"name": "v2", "separator": "." if version == "0.1" else "/"})
        target[...] = level
    multiscale = {"version": version, "datasets": [{"path": "0"}, {"path": "1"}]}
    if version == "0.3":
        multiscale["axes"] = ["c", "y", "x"]
    group.attrs["multiscales"] = [multiscale]
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("version", ["0.6", "0.6rc0"])
def test_version_06(tmp_path, version):
    """Coordinate systems: the axes are those of the system that the levels are put into (RFC-5)."""
    root = make_v3(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/zarr.json"))
    document["attributes"]["ome"] = {"version": version, "multiscales": [{
        "name": "image",
        "coordinateSystems": [{"name": "other", "axes": axes("yx")},
                              {"name": "physical", "axes": axes("cyx")}],
        "datasets": [
            {"path": "0", "coordinateTransformations": [
                {"type": "scale", "scale": [1, 10, 10], "input": {"path": "0"}, "output": {"name": "physical"}}]},
            {"path": "1", "coordinateTransformations": [
                {"type": "sequence", "input": {"path": "1"}, "output": {"name": "physical"}, "transformations": [
                    {"type": "scale", "scale": [1, 20, 20]}, {"type": "translation", "translation": [0, 5, 5]}]}]}]}]}
    put_json(f"{root}/zarr.json", document)
    assert_levels(root, ARRAY, halved(ARRAY))
    # the centre of the first pixel is 0
    assert gdal.Open(root).GetGeoTransform() == (-5, 10, 0, -5, 0, 10)


@pytest.mark.parametrize("version", ["0.7", "1.0", "0.55"])
def test_unknown_versions_are_refused_with_their_number(tmp_path, version):
    root = make_v3(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/zarr.json"))
    document["attributes"]["ome"]["version"] = version
    put_json(f"{root}/zarr.json", document)
    with pytest.raises(RuntimeError, match=version):
        gdal.Open(f"OMEZARR:{root}")


def test_transforms_of_the_whole_image_come_after_those_of_its_levels(tmp_path):
    root = make_v3(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/zarr.json"))
    multiscale = document["attributes"]["ome"]["multiscales"][0]
    multiscale["datasets"][0]["coordinateTransformations"].append({"type": "translation", "translation": [0, 3, 4]})
    multiscale["coordinateTransformations"] = [{"type": "scale", "scale": [1, 10, 100]},
                                               {"type": "translation", "translation": [0, 5, 7]}]
    put_json(f"{root}/zarr.json", document)
    # scale 10 and 100; centre of the first pixel at 3 * 10 + 5 and 4 * 100 + 7
    assert gdal.Open(root).GetGeoTransform() == (357, 100, 0, 30, 0, 10)
