"""Stores that others wrote: every NGFF version from 0.1 to 0.6, and the forms that Zarr v2 and v3 give an array, written
by zarr-python and tensorstore; every level compared with the NumPy array that was written."""

import base64
import ctypes
import ctypes.util
import json
import os
import struct

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


# -- What Zarr allows beyond the usual -------------------------------------------------------------------------------


def change_array(root, level, **changes):
    name = f"{root}/{level}/" + (".zarray" if os.path.exists(f"{root}/{level}/.zarray") else "zarr.json")
    document = json.load(open(name))
    for key, value in changes.items():
        if value is ...:
            document.pop(key, None)
        else:
            document[key] = value
    put_json(name, document)


@pytest.mark.parametrize("maker, name", [(make_v2, "|b1"), (make_v3, "bool")])
def test_truth_values_are_bytes(tmp_path, maker, name):
    array = ARRAY % 3 == 0
    root = maker(tmp_path / "a.zarr", array)
    document = gdaltest.array_json(f"{root}/0")
    assert name in (document.get("dtype"), document.get("data_type"))
    os.unlink(f"{root}/0/" + ("1.1.0" if maker is make_v2 else "c/1/1/0"))
    change_array(root, 0, fill_value=True)
    want = array.copy()
    want[1, 16:32, :32] = True
    found = gdaltest.our_levels(root)
    np.testing.assert_array_equal(found[0], want.astype("uint8"))
    np.testing.assert_array_equal(found[1], halved(array).astype("uint8"))


@pytest.mark.parametrize("codec", ["blosc", "zstd", "gzip", "zlib", "lz4"])
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_v3_codecs_of_numcodecs(tmp_path, codec, sharded):
    from zarr.codecs import numcodecs as named
    made = {"blosc": lambda: named.Blosc(cname="lz4", clevel=5, shuffle=1), "zstd": lambda: named.Zstd(level=1),
            "gzip": lambda: named.GZip(level=1), "zlib": lambda: named.Zlib(level=1), "lz4": lambda: named.LZ4()}
    root = make_v3(tmp_path / "a.zarr", compressors=[made[codec]()],
                   **({"chunks": (1, 16, 16), "shards": (2, 32, 32)} if sharded else {}))
    assert f"numcodecs.{codec}" in open(f"{root}/0/zarr.json").read()
    assert_levels(root, ARRAY, halved(ARRAY))


def test_v3_other_codecs_of_numcodecs_are_refused_by_name(tmp_path):
    root = make_v3(tmp_path / "a.zarr")
    change_array(root, 0, codecs=[{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "numcodecs.bz2"}])
    with pytest.raises(RuntimeError, match="0/zarr.json.*numcodecs.bz2"):
        gdal.Open(f"OMEZARR:{root}")


@pytest.mark.parametrize("changes", [{"filters": ...}, {"filters": None}, {"filters": []}, {"dimension_separator": ...},
                                     {"dimension_separator": None}, {"order": ...}])
def test_v2_keys_that_others_leave_out(tmp_path, changes):
    root = make_v2(tmp_path / "a.zarr")
    change_array(root, 0, **changes)
    change_array(root, 1, **changes)
    assert_levels(root, ARRAY, halved(ARRAY))


FILLS = [("uint16", 7, 7), ("uint16", "7", 7), ("uint16", 65535, 65535), ("int32", -5, -5), ("int32", 7.0, 7),
         ("float32", "NaN", np.nan), ("float32", "Infinity", np.inf), ("float64", "-Infinity", -np.inf),
         ("float32", 1.5, 1.5), ("float32", 3, 3.0), ("float64", None, 0), ("uint64", 18446744073709551615, 2 ** 64 - 1),
         ("uint64", "18446744073709551615", 2 ** 64 - 1), ("int64", -9223372036854775808, -2 ** 63)]


@pytest.mark.parametrize("maker", [make_v2, make_v3])
@pytest.mark.parametrize("dtype, fill, expected", FILLS)
def test_spellings_of_fill_values(tmp_path, maker, dtype, fill, expected):
    array = gdaltest.random_array((2, 50, 70), dtype)
    root = maker(tmp_path / "a.zarr", array)
    os.unlink(f"{root}/0/" + ("1.1.0" if maker is make_v2 else "c/1/1/0"))
    change_array(root, 0, fill_value=fill)
    want = array.copy()
    want[1, 16:32, :32] = expected
    assert_levels(root, want, halved(array))


@pytest.mark.parametrize("fill, expected", [("0x7fc00000", np.nan), ("0x3fc00000", 1.5), ("0xff800000", -np.inf)])
def test_v3_fill_values_by_their_bits(tmp_path, fill, expected):
    array = gdaltest.random_array((2, 50, 70), "float32")
    root = make_v3(tmp_path / "a.zarr", array)
    os.unlink(f"{root}/0/c/1/1/0")
    change_array(root, 0, fill_value=fill)
    want = array.copy()
    want[1, 16:32, :32] = expected
    assert_levels(root, want, halved(array))


def test_zstd_frames_without_a_size(tmp_path):
    """numcodecs before 0.13 streamed; so do others. Missing chunks in between."""
    root = make_v3(tmp_path / "a.zarr")  # zstd is zarr-python's default
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_createCCtx.restype = ctypes.c_void_p
    for number in ("ZSTD_CCtx_setParameter", "ZSTD_compress2", "ZSTD_compressBound", "ZSTD_isError"):
        getattr(zstd, number).restype = ctypes.c_size_t
    context = ctypes.c_void_p(zstd.ZSTD_createCCtx())
    zstd.ZSTD_CCtx_setParameter(context, 200, 0)  # ZSTD_c_contentSizeFlag off
    for c, y, x in np.ndindex(2, 4, 3):
        chunk = np.zeros((16, 32), "uint16")
        part = ARRAY[c, 16 * y:16 * y + 16, 32 * x:32 * x + 32]
        chunk[:part.shape[0], :part.shape[1]] = part
        raw, out = chunk.tobytes(), ctypes.create_string_buffer(4096)
        n = zstd.ZSTD_compress2(context, out, ctypes.c_size_t(4096), raw, ctypes.c_size_t(len(raw)))
        assert out.raw[4] >> 6 == 0 and not out.raw[4] & 0x20  # RFC 8878: no Frame_Content_Size
        open(f"{root}/0/c/{c}/{y}/{x}", "wb").write(out.raw[:n])
    assert_levels(root, ARRAY, halved(ARRAY))


# -- Axes ------------------------------------------------------------------------------------------------------------


def make_axes(root, array, axis_list, chunks=None, version="0.5"):
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    target = group.create_array("0", shape=array.shape, chunks=chunks or (1,) * (array.ndim - 2) + (16, 16),
                                dtype=array.dtype)
    target[...] = array
    group.attrs["ome"] = {"version": version, "multiscales": [{"axes": axis_list, "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0] * array.ndim}]}]}]}
    return str(root)


@pytest.mark.parametrize("names, kinds, dims", [
    ("ctzyx", ["channel", "time", "space", "space", "space"], "ctzyx"),
    ("zcyx", ["space", "channel", "space", "space"], "zcyx"),
    (["angle", "z", "y", "x"], [None, "space", "space", "space"], "czyx"),
    (["frame", "wavelength", "Y", "X"], ["time", "channel", "space", "space"], "tcyx"),
    (["band", "lat", "lon"], ["channel", "space", "space"], "cyx"),
    (["c", "phase", "y", "x"], ["channel", "custom", "space", "space"], "czyx")])
def test_axes_of_other_order_and_name(tmp_path, names, kinds, dims):
    array = gdaltest.random_array((2, 3, 4)[:len(dims) - 2] + (20, 30), "uint8")
    root = make_axes(tmp_path / "a.zarr", array, [{"name": n, **({"type": k} if k else {})} for n, k in zip(names, kinds)])
    dataset = gdal.Open(root)
    np.testing.assert_array_equal(gdaltest.pixels(dataset), array.reshape(-1, 20, 30))
    assert dataset.GetMetadata("NGFF")["AXES"] == dims
    # the second plane of the slowest axis
    option = f"{dims[0].upper()}=1"
    chosen = gdal.OpenEx(root, gdal.OF_RASTER, open_options=[option])
    np.testing.assert_array_equal(gdaltest.pixels(chosen), array[1].reshape(-1, 20, 30))


@pytest.mark.parametrize("names, word", [("xy", "\"x\""), ("zxy", "\"x\""), ("czy", "\"z\""), ("yxc", "\"x\""),
                                         ("tczyxa", "6 axes")])
def test_planes_that_are_not_y_x_are_refused(tmp_path, names, word):
    array = np.zeros((1,) * (len(names) - 2) + (4, 5), "uint8")
    root = make_axes(tmp_path / "a.zarr", array, [{"name": n, "type": {"c": "channel", "t": "time"}.get(n, "space")}
                                                  for n in names])
    with pytest.raises(RuntimeError, match=f"zarr.json.*{word}"):
        gdal.Open(root)


# -- Position --------------------------------------------------------------------------------------------------------


def with_array_attributes(root, level=0, **attributes):
    zarr.open_array(f"{root}/{level}", mode="r+").attrs.update(attributes)


UTM = "EPSG:32633"


@pytest.mark.parametrize("geotransform", [(500000, 10, 0, 5000000, 0, -10), (500000, 10, 0, 4000000, 0, 20),
                                          (500000, 8, 3, 5000000, 2, -9)])
@pytest.mark.parametrize("order", ["northing first", "easting first", "unnamed"])
def test_version_06_affine_to_a_crs(tmp_path, geotransform, order):
    """facts: rows are output axes; the transform goes from the centre of a pixel."""
    x0, a, b, y0, d, e = geotransform
    sx, sy = float(np.hypot(a, d)), float(np.hypot(b, e))
    north, east = [e / sy, d / sx, y0 + 0.5 * (d + e)], [b / sy, a / sx, x0 + 0.5 * (a + b)]
    rows = [east, north] if order == "easting first" else [north, east]
    names = ["easting", "northing"] if order == "easting first" else ["northing", "easting"]
    root = make_v3(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/zarr.json"))
    systems = [{"name": "physical", "axes": axes("cyx")}]
    if order != "unnamed":
        systems.append({"name": UTM, "axes": axes("c") + [{"name": n, "type": "space"} for n in names]})
    document["attributes"]["ome"] = {"version": "0.6", "multiscales": [{
        "name": "image", "coordinateSystems": systems,
        "datasets": [{"path": str(i), "coordinateTransformations": [
            {"type": "scale", "scale": [1, sy * 2 ** i, sx * 2 ** i], "input": {"path": str(i)},
             "output": {"name": "physical"}}]} for i in range(2)],
        "coordinateTransformations": [{
            "type": "affine", "input": {"name": "physical"}, "output": {"name": UTM},
            "affine": [[1, 0, 0, 0]] + [[0] + row for row in rows]}]}]}
    put_json(f"{root}/zarr.json", document)
    dataset = gdal.Open(root)
    np.testing.assert_allclose(dataset.GetGeoTransform(), geotransform, rtol=1e-12, atol=1e-9)
    assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert_levels(root, ARRAY, halved(ARRAY))


def add_scalar(group, name, version, **attributes):
    group.create_array(name, shape=(), dtype="int64", **({} if version == 3 else {"chunks": ()}))
    group[name].attrs.update(attributes)


@pytest.mark.parametrize("maker, version", [(make_v2, 2), (make_v3, 3)])
@pytest.mark.parametrize("what", ["GeoTransform", "coordinates"])
@pytest.mark.parametrize("geotransform", [(440720, 60, 0, 3751320, 0, -60), (10, 0.25, 0, -40, 0, 0.5)])
def test_cf_grid_mapping(tmp_path, maker, version, what, geotransform):
    """As rioxarray and xarray write it: a scalar spatial_ref, coordinates of the centres."""
    root = maker(tmp_path / "a.zarr")
    group = zarr.open_group(root, mode="r+")
    text = " ".join(str(float(v)) for v in geotransform)
    add_scalar(group, "spatial_ref", version, crs_wkt=gdaltest.crs("EPSG:32611").ExportToWkt(),
               **({"GeoTransform": text} if what == "GeoTransform" else {}))
    x0, dx, _, y0, _, dy = geotransform
    if what == "coordinates":
        for name, n, first, step in (("x", 70, x0, dx), ("y", 50, y0, dy)):
            target = group.create_array(name, shape=(n,), chunks=(32,), dtype="float64")
            target[...] = first + step * (np.arange(n) + 0.5)
    with_array_attributes(root, grid_mapping="spatial_ref")
    dataset = gdal.Open(root)
    assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32611"
    np.testing.assert_allclose(dataset.GetGeoTransform(), geotransform, rtol=1e-12)


def test_coordinates_that_are_not_even_are_no_geotransform(tmp_path):
    root = make_v3(tmp_path / "a.zarr")
    group = zarr.open_group(root, mode="r+")
    add_scalar(group, "spatial_ref", 3, crs_wkt=gdaltest.crs("EPSG:32611").ExportToWkt())
    for name, n in (("x", 70), ("y", 50)):
        group.create_array(name, shape=(n,), dtype="float64")[...] = np.arange(n) ** 2
    with_array_attributes(root, grid_mapping="spatial_ref")
    dataset = gdal.Open(root)
    assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32611"
    assert dataset.GetGeoTransform(can_return_null=True) is None


@pytest.mark.parametrize("attributes", [
    {"_CRS": {"url": "http://www.opengis.net/def/crs/EPSG/0/32633"}}, {"proj:code": UTM},
    {"proj:wkt2": gdaltest.crs(UTM).ExportToWkt(["FORMAT=WKT2_2019"])}, {"proj:projjson": json.loads(gdaltest.crs(UTM).ExportToPROJJSON())}])
@pytest.mark.parametrize("place", ["array", "group"])
@pytest.mark.parametrize("transform", ["gdal:geotransform", "spatial:transform"])
def test_public_geo_attributes(tmp_path, attributes, place, transform):
    root = make_v3(tmp_path / "a.zarr")
    six = [500000, 10, 0, 5000000, 0, -10] if transform == "gdal:geotransform" else [10, 0, 500000, 0, -10, 5000000]
    found = {**attributes, transform: six}
    if place == "array":
        with_array_attributes(root, **found)
    else:
        zarr.open_group(root, mode="r+").attrs.update(found)
    dataset = gdal.Open(root)
    assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert dataset.GetGeoTransform() == (500000, 10, 0, 5000000, 0, -10)


@pytest.mark.parametrize("scale, translation, geotransform", [
    ([1, 2, 3], [0, 0, 0], (-1.5, 3, 0, -1, 0, 2)), ([1, 2, 3], [0, 10, 20], (18.5, 3, 0, 9, 0, 2)),
    ([1, -2, 3], [0, 10, 20], (18.5, 3, 0, 11, 0, -2)), ([1, 1, 1], [0, 0, 0], None), ([1, 0, 3], [0, 0, 0], None),
    ([0, 2, 3], [0, 0, 0], (-1.5, 3, 0, -1, 0, 2)), ([1, 1e300, 3], [0, 0, 0], None), ([1, 1, 1], [0, 1e300, 0], None)])
def test_scale_and_translation(tmp_path, scale, translation, geotransform):
    """Translation is the centre of the first pixel. What nothing can be computed from is no position, and no obstacle."""
    root = make_v3(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/zarr.json"))
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": scale}, {"type": "translation", "translation": translation}]
    put_json(f"{root}/zarr.json", document)
    assert gdal.Open(root).GetGeoTransform(can_return_null=True) == geotransform
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("strip", ["block", "gdal:geotransform"])
def test_a_southing_store_lies_where_it_was(tmp_path, strip):
    """ORIGIN=SOUTHING moves NGFF's translation; the geo attributes say where the raster lies, without our block too."""
    geotransform = (500000, 10, 0, 5000000, 0, -10)
    root = gdaltest.write(tmp_path / "a.zarr", gdaltest.mem(ARRAY, geotransform, UTM), "ORIGIN=SOUTHING", "BLOCKSIZE=32")
    assert gdaltest.transforms(root)[0][1] == [0, -4999995, 500005]
    document = json.load(open(f"{root}/zarr.json"))
    del document["attributes"]["omezarr"]
    put_json(f"{root}/zarr.json", document)
    if strip == "gdal:geotransform":
        name = f"{root}/scale0/image/zarr.json"
        document = json.load(open(name))
        del document["attributes"]["gdal:geotransform"]
        put_json(name, document)
    dataset = gdal.Open(root)
    assert dataset.GetGeoTransform() == geotransform
    assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"


def test_cf_words_for_values(tmp_path):
    root = make_v3(tmp_path / "a.zarr")
    with_array_attributes(root, _FillValue=7, scale_factor=0.5, add_offset=-3, units="K")
    band = gdaltest.open_band(root)
    assert (band.GetNoDataValue(), band.GetScale(), band.GetOffset(), band.GetUnitType()) == (7, 0.5, -3, "K")


@pytest.mark.parametrize("nodata", [-9999.0, 0.1, float("nan")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nodata_in_xarrays_form(tmp_path, dtype, nodata):
    """xarray keeps the _FillValue of floats in Zarr v3 as base64 of a double."""
    root = make_v3(tmp_path / "a.zarr", gdaltest.random_array((1, 50, 70), dtype))
    with_array_attributes(root, _FillValue=base64.b64encode(struct.pack("<d", nodata)).decode())
    found = gdaltest.open_band(root).GetNoDataValue()
    assert np.float64(found).astype(dtype) == np.float64(nodata).astype(dtype) or np.isnan(found) and np.isnan(nodata)


@pytest.mark.parametrize("text", ["", "AAAA", "AAAAAICHw8AA", "!!!!!!!!!!!=", "AAAAAAAA8H8="])  # the last one: infinity
def test_other_texts_are_no_nodata(tmp_path, text):
    root = make_v3(tmp_path / "a.zarr", gdaltest.random_array((1, 50, 70), "float32"))
    with_array_attributes(root, _FillValue=text)
    assert gdaltest.open_band(root).GetNoDataValue() is None


# -- Channels --------------------------------------------------------------------------------------------------------


def test_omero_of_channels(tmp_path):
    array = gdaltest.random_array((3, 50, 70), "uint16")
    root = make_v3(tmp_path / "a.zarr", array)
    document = json.load(open(f"{root}/zarr.json"))
    document["attributes"]["ome"]["omero"] = {"channels": [
        {"label": f"ch {i}", "color": color, "active": i < 2, "window": {"min": 0, "max": 65535, "start": 10.5, "end": 900}}
        for i, color in enumerate(("FF0000", "00FF00", "0000FF"))]}
    put_json(f"{root}/zarr.json", document)
    dataset = gdal.Open(root)
    colors = (gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand)
    for i in range(3):
        band = dataset.GetRasterBand(i + 1)
        assert band.GetDescription() == f"ch {i}"
        assert band.GetColorInterpretation() == colors[i]
        found = band.GetMetadata("NGFF")
        assert found["ACTIVE"] == ("YES" if i < 2 else "NO")
        assert (found["WINDOW_START"], found["WINDOW_END"], found["WINDOW_MAX"]) == ("10.5", "900", "65535")


def test_our_own_stores_get_no_more_metadata_than_was_written(tmp_path):
    """The round trip stays lossless: what NGFF says of planes and channels is in a domain that is not copied on."""
    plain = gdal.Open(gdaltest.write(tmp_path / "a.zarr", gdaltest.mem(ARRAY)))
    assert not plain.GetMetadata() and not plain.GetRasterBand(1).GetMetadata("OTHER")
    assert all(name.startswith("STATISTICS_") for name in plain.GetRasterBand(1).GetMetadata())
    assert plain.GetMetadata("NGFF")["AXES"] == "cyx"
    assert plain.GetRasterBand(1).GetMetadata("NGFF")["LABEL"] == "Band 1"
    assert plain.GetRasterBand(1).GetDescription() == ""
    stack = gdal.Open(gdaltest.write(tmp_path / "b.zarr", gdaltest.mem(ARRAY), "AXES=z:2", "AXIS_SCALE=z:2.5",
                                     "AXIS_UNITS=z:um"))
    found = stack.GetRasterBand(2).GetMetadata("NGFF")
    assert (found["Z"], found["Z_POSITION"], found["Z_UNIT"]) == ("1", "2.5", "micrometer")
    assert stack.GetRasterBand(2).GetDescription() == ""
    again = gdaltest.write(tmp_path / "c.zarr", stack)
    assert "NGFF" not in open(f"{again}/zarr.json").read()


# -- Versions that are not quite there -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "0.5-dev", "0.5.dev1", 0.4])
def test_v2_versions_that_writers_made_up(tmp_path, version):
    root = make_v2(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/.zattrs"))
    document["multiscales"][0]["version"] = version
    put_json(f"{root}/.zattrs", document)
    assert_levels(root, ARRAY, halved(ARRAY))


@pytest.mark.parametrize("version", [None, 0.5, "0.5.2"])
def test_v3_versions_that_writers_forget(tmp_path, version):
    root = make_v3(tmp_path / "a.zarr")
    document = json.load(open(f"{root}/zarr.json"))
    document["attributes"]["ome"]["version"] = version
    put_json(f"{root}/zarr.json", document)
    assert_levels(root, ARRAY, halved(ARRAY))


def test_pyramids_that_only_share_a_word_stay_with_gdals_driver(tmp_path):
    """ndpyramid: multiscales whose datasets are groups of map tiles."""
    root = str(tmp_path / "a.zarr")
    group = zarr.open_group(root, mode="w", zarr_format=2)
    for level in "01":
        group.create_array(f"{level}/tasmax", shape=(128, 128), chunks=(128, 128), dtype="float32", compressors=None)[...] = 5
    group.attrs["multiscales"] = [{
        "datasets": [{"path": level, "pixels_per_tile": 128, "crs": "EPSG:3857"} for level in "01"],
        "metadata": {"args": [], "method": "pyramid_reproject", "version": "0.0.post64"}, "type": "reduce"}]
    dataset = gdal.Open(root)
    assert dataset.GetDriver().ShortName == "Zarr"
    assert len(dataset.GetSubDatasets()) == 2
    with pytest.raises(RuntimeError, match="names the array 0, but there is none"):
        gdal.Open(f"OMEZARR:{root}")
