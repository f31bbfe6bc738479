"""Hostile stores: a good store with one thing changed. Each is refused with an error that names the file and the key, or
opens without the thing, with a warning; nothing crashes, takes more memory than it should, or leaves the root."""

import json
import os
import struct
import subprocess
import sys

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

zarr = pytest.importorskip("zarr")
ARRAY = gdaltest.random_array((2, 50, 70), "uint16")


def make(root, **how):
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    how = {"chunks": (1, 16, 32), **how}
    datasets = []
    for i in range(2):
        level = np.ascontiguousarray(ARRAY[:, ::2 ** i, ::2 ** i])
        group.create_array(str(i), shape=level.shape, dtype=level.dtype, **how)[...] = level
        datasets.append({"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1, 2 ** i, 2 ** i]}]})
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{
        "axes": [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}],
        "datasets": datasets}]}
    return str(root)


@pytest.fixture
def good(tmp_path):
    return make(tmp_path / "a.zarr")


def edit(root, key, change):
    """Changes a document's tree in place."""
    document = gdaltest.read_json(f"{root}/{key}")
    change(document)
    with open(f"{root}/{key}", "w") as file:
        json.dump(document, file)


def refusal(root, *options):
    """The message with which the store is refused, by opening it or by reading all of it."""
    with pytest.raises(RuntimeError) as raised:
        dataset = gdal.OpenEx(f"OMEZARR:{root}", gdal.OF_RASTER, open_options=list(options))
        dataset.ReadRaster()
    return str(raised.value)


def told_when_opened(root):
    """All pixels are there; the warnings, in one text."""
    with gdaltest.collected_messages() as messages:
        dataset = gdal.Open(f"OMEZARR:{root}")
    np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)
    assert messages and all(kind == gdal.CE_Warning for kind, _ in messages), messages
    return "\n".join(text for _, text in messages)


# -- Documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["zarr.json", "0/zarr.json"])
def test_large_documents_need_leave(good, key):
    text = open(f"{good}/{key}").read()
    with open(f"{good}/{key}", "w") as file:
        file.write(text[:-1] + " " * (16 << 20) + text[-1])
    message = refusal(good)
    assert key in message and "MAX_METADATA" in message
    gdaltest.pixels(gdal.OpenEx(good, gdal.OF_RASTER, open_options=["MAX_METADATA=17MB"]))


@pytest.mark.parametrize("value", ["0", "x", "-5", "1.5.2", ""])
@pytest.mark.parametrize("option", ["MAX_METADATA", "MAX_CHUNK"])
def test_limits_are_numbers_of_bytes(good, option, value):
    assert option in refusal(good, f"{option}={value}")


RAW = {
    "deep": ("nested too deeply", lambda text: text.replace("{", '{"a":' + "[" * 64 + "]" * 64 + ",", 1)),
    "text behind": ("text follows", lambda text: text + "x"),
    "leading zero": ("JSON", lambda text: text.replace("{", '{"a":01,', 1)),
    "cut": ("JSON", lambda text: text[:len(text) // 2]),
    "empty": ("JSON", lambda text: ""),
    "a list": ("not a JSON object", lambda text: "[" + text + "]"),
}


def write_text(root, key, text):
    with open(f"{root}/{key}", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


@pytest.mark.parametrize("key", ["zarr.json", "0/zarr.json", "1/zarr.json"])
@pytest.mark.parametrize("name", RAW)
def test_documents_that_are_no_json(good, key, name):
    words, change = RAW[name]
    write_text(good, key, change(open(f"{good}/{key}").read()))
    message = told_when_opened(good) if key == "1/zarr.json" else refusal(good)
    assert key in message and words in message


NEARLY = {
    "key twice": ("more than once", lambda text: text.replace("{", '{"node_type":"group",', 1)),
    "key twice, escaped": ("more than once", lambda text: text.replace("{", r'{"node\u005ftype":"group",', 1)),
    "nul": ("replaced", lambda text: text.replace("{", r'{"a":"\u0000",', 1)),
    "surrogate": ("replaced", lambda text: text.replace("{", r'{"a":"\ud800",', 1)),
    "nan": ("read as null", lambda text: text.replace("{", '{"a":NaN,', 1)),
    "infinite": ("read as null", lambda text: text.replace("{", '{"a":1e999,', 1)),
    "utf-8": ("replaced", lambda text: text.replace("{", '{"a":"\udcff",', 1)),
    "overlong": ("replaced", lambda text: text.replace("{", '{"a":"\udcc0\udcaf",', 1)),
    "bom": ("byte order mark", lambda text: "\ufeff" + text),
}


@pytest.mark.parametrize("key", ["zarr.json", "0/zarr.json", "1/zarr.json"])
@pytest.mark.parametrize("name", NEARLY)
def test_documents_that_are_nearly_json_are_mended(good, key, name):
    words, change = NEARLY[name]
    write_text(good, key, change(open(f"{good}/{key}").read()))
    message = told_when_opened(good)
    assert key in message and words in message


@pytest.mark.parametrize("key", ["zarr.json", "0/zarr.json"])
@pytest.mark.parametrize("text", ['{"a":[' + "1," * 200000 + "1],", '{"a":' + "1" * 100 + ","])
def test_many_values_and_long_numbers_of_others_are_no_obstacle(good, key, text):
    write_text(good, key, open(f"{good}/{key}").read().replace("{", text, 1))
    np.testing.assert_array_equal(gdaltest.our_levels(good)[0], ARRAY)


# -- Numbers ---------------------------------------------------------------------------------------------------------


def shape(*values):
    return lambda d: d.update(shape=list(values))


def chunk(*values):
    return lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=list(values))


def both(first, second):
    return lambda d: (first(d), second(d))


@pytest.mark.parametrize("words, change", [
    ("shape", shape(2, 50, 0)), ("shape", shape(2, 50, -1)), ("shape", shape(2, 50, 1.5)), ("shape", shape(2, 50, "70")),
    ("chunk_grid", shape(50, 70)), ("40 axes", shape(*[1] * 40)), ("0 axes", shape()), ("2^63", shape(2, 2 ** 40, 2 ** 40)),
    ("2^63", shape(2, 2 ** 53, 2 ** 20)), ("shape", shape(2, 2 ** 63, 70)), ("shape", shape(2, 1e300, 70)),
    ("chunk", chunk(0, 16, 32)), ("chunk", chunk(16, 32)), ("chunk", chunk(1, 16, "32")),
    ("MAX_CHUNK", chunk(1, 16384, 16384)), ("2 GiB", chunk(1, 2 ** 40, 1)), ("2^63", chunk(2 ** 40, 2 ** 40, 2 ** 40)),
    ("MAX_CHUNK", chunk(2 ** 27, 1, 2)), ("data_type", lambda d: d.update(data_type="r8")),
    ("data_type", lambda d: d.update(data_type={"name": "x"})), ("data_type", lambda d: d.pop("data_type")),
    ("fill_value", lambda d: d.update(fill_value=65536)), ("fill_value", lambda d: d.update(fill_value="x")),
    ("fill_value", lambda d: d.update(fill_value=[1])), ("codecs", lambda d: d.update(codecs=[])),
    ("codec", lambda d: d.update(codecs="zstd")), ("codec", lambda d: d.pop("codecs")),
    ("codec", lambda d: d.update(codecs=[{"name": "bytes"}] * 3)), ("chunk_key", lambda d: d.pop("chunk_key_encoding")),
    ("chunk_key", lambda d: d["chunk_key_encoding"].update(configuration={"separator": "../"})),
    ("Zarr v3 array", lambda d: d.update(zarr_format=2)), ("Zarr v3 array", lambda d: d.update(node_type="group")),
    ("storage_transformers", lambda d: d.update(storage_transformers=[{"name": "x"}])),
    ("transpose", lambda d: d["codecs"].insert(0, {"name": "transpose", "configuration": {"order": [0, 0, 1]}})),
    ("transpose", lambda d: d["codecs"].insert(0, {"name": "transpose", "configuration": {"order": [0, 1, 99]}})),
])
def test_arrays_that_cannot_be(good, words, change):
    edit(good, "0/zarr.json", change)
    message = refusal(good)
    assert "0/zarr.json" in message and words in message


def test_an_image_that_gdal_cannot_hold(good):
    for level in "01":
        edit(good, f"{level}/zarr.json", shape(2, 50, 2 ** 31))
    assert "too large for GDAL" in refusal(good)


def test_a_large_chunk_needs_leave(good):
    """2 x 8193 x 16384 bytes are just more than 256 MiB."""
    edit(good, "0/zarr.json", both(chunk(1, 8193, 16384), shape(2, 8193, 16384)))
    edit(good, "1/zarr.json", chunk(1, 16, 32))
    assert "MAX_CHUNK" in refusal(good)
    assert gdal.OpenEx(good, gdal.OF_RASTER, open_options=["MAX_CHUNK=300MB"]).RasterXSize == 16384


def multiscale(change):
    return lambda d: change(d["attributes"]["ome"]["multiscales"][0])


@pytest.mark.parametrize("words, change", [
    ("0 datasets", multiscale(lambda m: m.update(datasets=[]))), ("datasets", multiscale(lambda m: m.pop("datasets"))),
    ("datasets", multiscale(lambda m: m.update(datasets="0"))),
    ("multiscales", lambda d: d["attributes"]["ome"].update(multiscales=5)),
    ("empty list", lambda d: d["attributes"]["ome"].update(multiscales=[])),
    ("version", lambda d: d["attributes"]["ome"].update(version="9")),
])
def test_images_that_cannot_be(good, words, change):
    edit(good, "zarr.json", change)
    message = refusal(good)
    assert "zarr.json" in message and words in message


@pytest.mark.parametrize("words, change", [
    ("65 datasets", multiscale(lambda m: m.update(datasets=m["datasets"][:1] * 65))),
    ("axes are not 3", multiscale(lambda m: m["axes"].extend([{"name": "q"}] * 3))),
    ("axes are not 3", multiscale(lambda m: m.update(axes=[]))), ("axes are not 3", multiscale(lambda m: m.update(axes="cyx"))),
    ("no name", multiscale(lambda m: m["axes"][0].pop("name"))), ("no name", multiscale(lambda m: m["axes"].insert(0, 5) or m["axes"].pop(1))),
    ("name of another", multiscale(lambda m: m["axes"][0].update(name="x"))),
    ("transforms", multiscale(lambda m: m["datasets"][0]["coordinateTransformations"][0].update(scale=[1]))),
    ("transforms", multiscale(lambda m: m["datasets"][0]["coordinateTransformations"][0].update(scale=["1", 2, 3]))),
    ("transforms", multiscale(lambda m: m["datasets"][0]["coordinateTransformations"][0].update(scale=[1] * 1000))),
    ("transforms", multiscale(lambda m: m["datasets"][0]["coordinateTransformations"].insert(0, 5))),
    ("transforms", multiscale(lambda m: m["datasets"][0]["coordinateTransformations"][0].update(type="spiral"))),
])
def test_images_that_are_wrong_beside_their_pixels(good, words, change):
    edit(good, "zarr.json", change)
    message = told_when_opened(good)
    assert "zarr.json" in message and words in message


# -- Paths -----------------------------------------------------------------------------------------------------------

# Each with words of the message; those that only say more than they need are found below the root, where nothing is.
UNSAFE = {"../b.zarr/0": "below the root", "/etc": "there is none", "a/../../b": "below the root", ".": "the group itself",
          "a/./b": "there is none", "a//b": "there is none", "": "empty", "c:/x": "one of", "http://x/y": "one of",
          "/vsicurl/http://x": "one of", "a\\b": "one of", "0?x": "one of", "0#1": "one of", "a\nb": "one of",
          "x" * 300: "too long", None: "no text", 5: "no text"}


@pytest.fixture
def watched(good, tmp_path):
    """Beside the store lies another, which would open."""
    make(tmp_path / "b.zarr")
    return good


@pytest.mark.parametrize("path", UNSAFE)
def test_paths_of_levels_stay_below_the_root(watched, path):
    edit(watched, "zarr.json", multiscale(lambda m: m["datasets"][0].update(path=path)))
    message = refusal(watched)
    assert "zarr.json" in message and UNSAFE[path] in message


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize("what", ["labels", "wells", "images", "series"])
def test_paths_of_parts_stay_below_the_root(watched, path, what):
    """What is listed lies below the root, or is left out."""
    if what == "labels":
        key = "labels/zarr.json"
        content = {"labels": [path]}
    elif what == "wells":
        key, content = "zarr.json", {"plate": {"wells": [{"path": path}]}}
    elif what == "images":
        key, content = "zarr.json", {"well": {"images": [{"path": path}]}}
    else:
        key, content = "OME/zarr.json", {"series": [path]}
        edit(watched, "zarr.json", lambda d: d["attributes"].update(ome={"version": "0.5", "bioformats2raw.layout": 3}))
    os.makedirs(os.path.dirname(f"{watched}/{key}"), exist_ok=True)
    with open(f"{watched}/{key}", "w") as file:
        json.dump({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **content}}}, file)
    words = UNSAFE[path]
    if what == "labels" and words != "there is none":
        message = told_when_opened(watched)
    elif what == "labels" or (what == "images" and words == "there is none"):
        names = [name for name, _ in gdal.Open(watched).GetSubDatasets()] if what == "labels" else []
        assert all(f'"{watched}":' in name for name in names)
        return
    else:
        message = refusal(watched)
    assert words in message or words == "there is none", message
    assert watched in message


@pytest.mark.parametrize("path", ["../b.zarr", "0/../../b.zarr", "/etc"])
def test_paths_of_names_stay_below_the_root(watched, path):
    with pytest.raises(RuntimeError, match="below the root"):
        gdal.Open(f'OMEZARR:"{watched}":{path.lstrip("/") if path != "/etc" else "a/../../etc"}')


def test_labels_that_lead_round_in_a_circle_end(good):
    """A label whose labels are labels ... each opening looks one step far."""
    inner = f"{good}/labels/a"
    make(inner)
    for place in (good, inner):
        os.makedirs(f"{place}/labels", exist_ok=True)
        with open(f"{place}/labels/zarr.json", "w") as file:
            json.dump({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"labels": ["a"]}}}, file)
    os.symlink("..", f"{inner}/labels/a")
    name = good
    for _ in range(30):
        dataset = gdal.Open(name)
        names = [n for n, _ in dataset.GetSubDatasets()]
        assert len(names) == 2
        name = names[1]
        if len(name) > len(good) + 200:
            break


@pytest.mark.parametrize("content, words", [
    ({"plate": {"wells": [{"path": "A/1"}] * 10001}}, "10001 wells"), ({"plate": {"wells": []}}, "0 wells"),
    ({"plate": {"wells": 5}}, "0 wells"), ({"plate": 5}, "0 wells"), ({"plate": {"wells": [5]}}, "no text"),
    ({"well": 5}, "none of those"), ({"well": {"images": "x"}}, "none of those"), ({"labels": []}, "none of those"),
    ({"bioformats2raw.layout": "3"}, "bioformats2raw.layout"), ({"bioformats2raw.layout": 3}, "none of those")])
def test_collections_that_cannot_be(tmp_path, content, words):
    root = tmp_path / "a.zarr"
    root.mkdir()
    with open(root / "zarr.json", "w") as file:
        json.dump({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **content}}}, file)
    assert words in refusal(root)


# -- Chunks ----------------------------------------------------------------------------------------------------------


def write(root, key, content):
    with open(f"{root}/{key}", "wb") as file:
        file.write(content)


def zstd_claiming(size):
    """A frame header with an 8-byte content size (RFC 8878), then nothing good."""
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size) + b"\x01\x00\x00"


NO_ZSTD = {"nothing": b"", "a byte": b"x", "claims 2^40": zstd_claiming(2 ** 40), "claims 2^63": zstd_claiming(2 ** 63),
           "claims its size": zstd_claiming(1024), "magic only": b"\x28\xb5\x2f\xfd", "noise": bytes(range(3, 67)),
           "much": bytes(3_000_000)}


@pytest.mark.parametrize("name", NO_ZSTD)
def test_chunks_that_are_no_zstd(good, name):
    write(good, "0/c/1/1/0", NO_ZSTD[name])
    assert "0/c/1/1/0" in refusal(good)


@pytest.mark.parametrize("claimed, stored", [(2 ** 31 - 1, 16), (1024, 2 ** 31 - 1), (0, 0), (1023, 17), (1024, 17)])
def test_chunks_whose_blosc_header_lies(tmp_path, claimed, stored):
    from zarr.codecs import BloscCodec
    root = make(tmp_path / "a.zarr", compressors=[BloscCodec(cname="lz4")])
    write(root, "0/c/1/1/0", struct.pack("<BBBBIII", 2, 1, 1, 2, claimed, claimed, stored) + b"\xff")
    assert "0/c/1/1/0" in refusal(root)


def make_sharded(root, checksum=True):
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec
    return make(root, chunks=(2, 32, 32), compressors=None, serializer=ShardingCodec(
        chunk_shape=(1, 16, 16), codecs=[BytesCodec(), ZstdCodec(level=1)],
        index_codecs=[BytesCodec()] + ([Crc32cCodec()] if checksum else [])))


@pytest.mark.parametrize("offset, size", [(2 ** 63, 10), (2 ** 64 - 2, 2), (0, 2 ** 63), (1, 2 ** 64 - 1), (10 ** 6, 10),
                                          (0, 10 ** 6), (2 ** 64 - 1, 10), (0, 0)])
def test_shard_entries_that_point_elsewhere(tmp_path, offset, size):
    root = make_sharded(tmp_path / "a.zarr", checksum=False)
    content = bytearray(open(f"{root}/0/c/0/0/0", "rb").read())
    content[-16 * 8:-16 * 7] = struct.pack("<QQ", offset, size)
    write(root, "0/c/0/0/0", content)
    assert "0/c/0/0/0" in refusal(root)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "only the index"])
def test_shard_indexes_that_are_damaged(tmp_path, damage):
    root = make_sharded(tmp_path / "a.zarr")
    content = bytearray(open(f"{root}/0/c/0/0/0", "rb").read())
    if damage == "flipped":
        content[-20] ^= 1
    content = {"cut": content[:-1], "empty": b"", "only the index": content[-132:]}.get(damage, content)
    write(root, "0/c/0/0/0", content)
    assert "0/c/0/0/0" in refusal(root)


@pytest.mark.parametrize("options", [[], ["SHARD=64"]])
def test_a_pipe_in_the_place_of_a_chunk_is_not_waited_for(tmp_path, options):
    """As it can lie in an archive that is unpacked."""
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 64, 64), "uint8")), "BLOCKSIZE=32", *options)
    chunk = path + "/scale0/image/c/0/0"
    os.unlink(chunk)
    os.mkfifo(chunk)
    read = subprocess.run(["gdalinfo", "-checksum", path], capture_output=True, text=True, timeout=60)
    assert chunk in read.stderr


def test_two_entries_of_a_shard_may_share_their_bytes(tmp_path):
    root = make_sharded(tmp_path / "a.zarr", checksum=False)
    content = bytearray(open(f"{root}/0/c/0/0/0", "rb").read())
    content[-16 * 7:-16 * 6] = content[-16 * 8:-16 * 7]
    write(root, "0/c/0/0/0", content)
    found = gdaltest.our_levels(root)[0]
    np.testing.assert_array_equal(found[0, :16, 16:32], ARRAY[0, :16, :16])


@pytest.mark.parametrize("words, change", [
    ("multiple", lambda c: c.update(chunk_shape=[1, 15, 16])), ("chunk_shape", lambda c: c.update(chunk_shape=[0, 16, 16])),
    ("chunk_shape", lambda c: c.pop("chunk_shape")), ("index", lambda c: c.pop("index_codecs")),
    ("index", lambda c: c.update(index_codecs=[{"name": "bytes", "configuration": {"endian": "big"}}])),
    ("index", lambda c: c.update(index_location="middle")), ("shards inside shards", lambda c: c.update(codecs=[
        {"name": "sharding_indexed", "configuration": {}}])), ("codecs", lambda c: c.update(codecs=[]))])
def test_shards_that_cannot_be(tmp_path, words, change):
    root = make_sharded(tmp_path / "a.zarr")
    edit(root, "0/zarr.json", lambda d: change(d["codecs"][0]["configuration"]))
    message = refusal(root)
    assert "0/zarr.json" in message and words in message


def test_a_shard_of_too_many_chunks_is_refused(tmp_path):
    root = make_sharded(tmp_path / "a.zarr")
    edit(root, "0/zarr.json", lambda d: (shape(2, 2 ** 14, 2 ** 14)(d), chunk(2, 2 ** 14, 2 ** 14)(d),
                                         d["codecs"][0]["configuration"].update(chunk_shape=[1, 1, 1])))
    edit(root, "1/zarr.json", shape(2, 2 ** 13, 2 ** 13))
    with pytest.raises(RuntimeError, match="smaller shards"):
        gdal.Open(root).ReadRaster(0, 0, 1, 1)


# -- Memory ----------------------------------------------------------------------------------------------------------

PROBE = """
import resource, sys
from osgeo import gdal
gdal.UseExceptions()
gdal.SetCacheMax(16 << 20)
gdal.GetDriverByName("OMEZARR")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)
for root in sys.argv[1:]:
    try:
        gdal.Open("OMEZARR:" + root).ReadRaster(0, 0, 1, 1)
    except RuntimeError as error:
        assert "out of memory" not in str(error).lower(), error
        continue
    if not root.endswith("/large"):  # a large image may be read, pixel by pixel
        sys.exit(root + " was read")
print("done")
"""


def test_bombs_do_not_take_memory(tmp_path):
    """In a process that may take 200 MiB beyond what it has: claims of terabytes are refused before anything is taken."""
    roots = []

    def bomb(name, **how):
        roots.append(make(tmp_path / name, **how))
        return roots[-1]

    edit(bomb("a"), "0/zarr.json", chunk(2 ** 40, 2 ** 40, 2 ** 40))
    edit(bomb("large"), "0/zarr.json", shape(2, 2 ** 30, 2 ** 30))
    edit(bomb("c"), "0/zarr.json", chunk(1, 2 ** 15, 2 ** 15))
    write(bomb("d"), "0/c/0/0/0", zstd_claiming(2 ** 40))
    write(bomb("e"), "0/c/0/0/0", bytes(20 << 20))
    sharded = make_sharded(tmp_path / "f", checksum=False)
    roots.append(sharded)
    content = bytearray(open(f"{sharded}/0/c/0/0/0", "rb").read())
    content[-16 * 8:-16 * 7] = struct.pack("<QQ", 0, 2 ** 40)
    write(sharded, "0/c/0/0/0", content)
    with open(f"{bomb('g')}/zarr.json", "r+b") as file:
        file.truncate(1 << 40)
    edit(bomb("h"), "zarr.json", multiscale(lambda m: m.update(datasets=m["datasets"] * 40000)))
    done = subprocess.run([sys.executable, "-c", PROBE, *roots], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr + done.stdout


PEAK = """
import resource, sys
from osgeo import gdal
gdal.UseExceptions()
gdal.SetCacheMax(16 << 20)
gdal.GetDriverByName("OMEZARR")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_AS, (3 << 30,) * 2)
for name in sys.argv[1:]:
    dataset = gdal.Open(name)
    band = dataset.GetRasterBand(1)
    print(band.GetDefaultRAT() is not None, band.GetColorTable() is not None, len(band.GetDescription()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def open_within(megabytes, *names):
    """What a process finds, which takes at most so much memory for it; an exception out of the plugin would end it by a
    signal."""
    done = subprocess.run([sys.executable, "-c", PEAK, *names], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr + done.stdout
    *found, peak = done.stdout.splitlines()
    assert int(peak) < megabytes << 10
    return found


def planar(root, shape, dims, dtype="uint16", attributes=None, **ome):
    """One level, without a chunk."""
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    group.create_array("0", shape=shape, chunks=(1,) * (len(shape) - 2) + (8, 8), dtype=dtype)
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{
        "axes": [{"name": d, "type": {"t": "time", "c": "channel"}.get(d, "space")} for d in dims],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1] * len(dims)}]}]}], **ome}
    group.attrs.update(attributes or {})
    return str(root)


def test_a_table_is_not_taken_for_columns_times_rows(tmp_path):
    """195 KiB of JSON that meant a table of 4.9 GiB: one long column, and many without values."""
    columns = [{"type": "string", "values": [1] * 40000}] + [{"type": "string"}] * 4000
    bomb = planar(tmp_path / "a", (8, 8), "yx", "uint8", {"omezarr": {"bands": [{"rat": {"columns": columns}}]}})
    columns = [{"type": "string", "name": "a", "values": ["x"] * 1000}, {"type": "integer", "name": "b", "values": [7] * 1000}]
    good = planar(tmp_path / "b", (8, 8), "yx", "uint8", {"omezarr": {"bands": [{"rat": {"columns": columns}}]}})
    assert open_within(150, bomb, good) == ["False False 0", "True False 0"]
    dataset = gdal.Open(good)
    table = dataset.GetRasterBand(1).GetDefaultRAT()
    assert (table.GetRowCount(), table.GetColumnCount(), table.GetValueAsString(999, 0), table.GetValueAsInt(999, 1)) == (1000, 2, "x", 7)


def test_colours_of_labels_are_one_table_for_all_planes(tmp_path):
    """752 bytes of metadata that took 3 GiB: 512 KiB for each of 20,000 planes."""
    colors = [{"label-value": 65535, "rgba": [1, 2, 3, 4]}]
    bomb = planar(tmp_path / "a", (20000, 8, 8), "zyx", **{"image-label": {"colors": colors}})
    assert open_within(250, bomb) == ["False True 3"]
    dataset = gdal.Open(bomb)
    for i in (1, 20000):
        assert dataset.GetRasterBand(i).GetColorTable().GetColorEntry(65535) == (1, 2, 3, 4)


def test_texts_are_not_repeated_for_each_plane_without_end(tmp_path):
    channel = {"label": "x" * 100000, "color": "y" * 100000, "window": {"start": 0, "end": 1, "min": 0, "max": 1}}
    bomb = planar(tmp_path / "a", (20000, 8, 8), "zyx", omero={"channels": [channel]})
    edit(bomb, "0/zarr.json", lambda d: d["attributes"].update(units="z" * 100000))
    short = planar(tmp_path / "b", (2, 8, 8), "zyx", omero={"channels": [channel]})
    assert open_within(250, bomb, short) == ["False False 3", "False False 100004"]


def test_a_channel_of_many_members_is_read_once(tmp_path):
    """Each plane looked through it all again: hours for 20,000 planes."""
    channel = {"label": "x", **{f"k{i}": i for i in range(20000)}}
    bomb = planar(tmp_path / "a", (20000, 8, 8), "zyx", omero={"channels": [channel]})
    assert open_within(250, bomb) == ["False False 5"]


def test_a_level_with_more_planes_than_the_full_size_repeats_no_description(tmp_path):
    bomb = planar(tmp_path / "a", (1, 8, 8), "zyx", "uint8", {"omezarr": {"bands": [{"description": "d" * 100000, "metadata": {
        "": {"k": "v" * 100000}}}]}})
    zarr.open_group(bomb, mode="a").create_array("1", shape=(20000, 8, 8), chunks=(1, 8, 8), dtype="uint8")
    edit(bomb, "zarr.json", multiscale(lambda m: m["datasets"].append(
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]})))
    dataset = gdal.Open(bomb)
    assert dataset.GetRasterBand(1).GetDescription() == "d" * 100000
    assert open_within(250, f'OMEZARR:"{bomb}":1') == ["False False 3"]


def test_a_large_attribute_of_empty_objects_is_left_out(tmp_path):
    """30 MB beside the documents, three bytes for an object, which GDAL's tree makes 800 of."""
    bomb = planar(tmp_path / "a", (8, 8), "yx", "uint8", {"omezarr": {"gcps": {"$array": "gcps"}}})
    text = b'{"points":[' + b"{}," * 10000000 + b"{}]}"
    zarr.open_group(bomb, mode="a").create_array("gcps", data=np.frombuffer(text, "uint8"), chunks=(len(text),), compressors=None)
    with gdaltest.collected_messages() as messages:
        assert gdal.Open(bomb).GetGCPCount() == 0
    assert any("ground control points" in text and "512 MiB" in text for _, text in messages), messages
    assert open_within(450, bomb) == ["False False 0"]


# -- What the driver itself reads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("attributes", [
    {"omero": 5}, {"omero": {"channels": 5}}, {"omero": {"channels": [5, None]}},
    {"omero": {"channels": [{"label": 5, "color": [], "window": 3, "active": "x"}] * 2}},
    {"image-label": {"colors": [5, {"label-value": 1e300, "rgba": [1, 2, 3, 4]}, {"label-value": 1, "rgba": ["a"] * 4}]}}])
def test_descriptions_that_make_no_sense_are_left_out(good, attributes):
    edit(good, "zarr.json", lambda d: d["attributes"]["ome"].update(attributes))
    np.testing.assert_array_equal(gdaltest.our_levels(good)[0], ARRAY)


@pytest.mark.parametrize("attributes", [
    {"_CRS": 5}, {"_CRS": {"wkt": "/etc/passwd"}}, {"proj:code": "/etc/passwd"}, {"proj:code": "http://x"},
    {"proj:projjson": {"type": "x"}}, {"gdal:geotransform": [1, 2]}, {"spatial:transform": "x"}, {"grid_mapping": "../b"},
    {"grid_mapping": 5}, {"grid_mapping": "nowhere"}, {"_FillValue": {}, "scale_factor": "x", "units": 7}])
def test_positions_that_make_no_sense_are_left_out(good, attributes):
    edit(good, "0/zarr.json", lambda d: d["attributes"].update(attributes))
    dataset = gdal.Open(good)
    assert dataset.GetSpatialRef() is None
    np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)


@pytest.mark.parametrize("affine", [5, [], [[1]], [["x"] * 4] * 3, [[0] * 4] * 3, [[1, 0, 0, 0], [0, 1e300, 0, 0], [0, 0, 1e300, 0]],
                                    [[1, 0, 0, 0], [5, 1, 0, 0], [0, 0, 1, 0]]])
def test_affines_that_make_no_sense_are_left_out(good, affine):
    def change(m):
        m["coordinateSystems"] = [{"name": "p", "axes": m.pop("axes")}]
        for dataset in m["datasets"]:
            dataset["coordinateTransformations"][0]["output"] = "p"
        m["coordinateTransformations"] = [{"type": "affine", "input": "p", "output": "EPSG:32633", "affine": affine}]
    edit(good, "zarr.json", multiscale(change))
    edit(good, "zarr.json", lambda d: d["attributes"]["ome"].update(version="0.6"))
    dataset = gdal.Open(good)
    assert dataset.GetGeoTransform(can_return_null=True) is None
    np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)
