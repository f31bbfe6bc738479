"""`omezarr verify` and VERIFY=: what is lost, cut, changed or added in a store is named, whatever object it is."""

import ctypes
import json
import os
import shutil
import subprocess
import tempfile

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

BUILD = os.path.join(os.environ["GDAL_DRIVER_PATH"])
TOOL = os.path.join(BUILD, "omezarr")
E_CORRUPT, E_STORAGE, E_CANCELLED = -80, -70, -100
NOTE, INVALID, ADVICE = 0, 3, 4


class Core:
    """The C interface without a process per call."""

    FINDING = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p)
    PROGRESS = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_double)

    def __init__(self):
        self.lib = ctypes.CDLL(os.path.join(BUILD, "..", "..", "libngff.so"))
        self.lib.ngff_reader_open.restype = ctypes.c_void_p
        self.lib.ngff_reader_open.argtypes = [ctypes.c_char_p]
        self.lib.ngff_reader_free.argtypes = [ctypes.c_void_p]
        self.lib.ngff_reader_verify.argtypes = [ctypes.c_void_p, ctypes.c_int32, self.FINDING, self.PROGRESS, ctypes.c_void_p]

    def verify(self, path, progress=None, threads=1):
        """Status and findings (kind, text)."""
        findings = []
        reader = self.lib.ngff_reader_open(str(path).encode())
        tell = self.FINDING(lambda user, kind, text: findings.append((kind, text.decode())))
        go = self.PROGRESS(progress) if progress else ctypes.cast(None, self.PROGRESS)
        status = self.lib.ngff_reader_verify(reader, threads, tell, go, None)
        self.lib.ngff_reader_free(reader)
        return status, findings


@pytest.fixture(scope="module")
def core():
    return Core()


def tool(*arguments):
    return subprocess.run([TOOL, "verify", *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def masked_source():
    source = gdaltest.mem(gdaltest.smooth_array((2, 70, 60), "uint16"), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full((70, 60), 255, "uint8")
    mask[:40, :40] = 0  # the first mask chunk is empty: it is not stored
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 60, 70, mask.tobytes())
    return source


def sparse_source():
    array = np.zeros((2, 70, 60), "uint16")
    array[0, 40:, 33:] = gdaltest.smooth_array((30, 27), "uint16")
    return gdaltest.mem(array, (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


def large_attribute_source():
    source = gdaltest.mem(gdaltest.smooth_array((1, 40, 40), "uint8"))
    source.SetMetadataItem("LONG", "x" * 70000)
    return source


def plain_source():
    return gdaltest.mem(gdaltest.smooth_array((2, 70, 60), "uint16"), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


STORES = {
    "zstd": (plain_source, "COMPRESS=ZSTD"),
    "blosc": (plain_source, "COMPRESS=BLOSC"),
    "gzip": (plain_source, "COMPRESS=GZIP"),
    "none": (plain_source, "COMPRESS=NONE"),
    "04_zstd": (masked_source, "NGFF_VERSION=0.4", "COMPRESS=ZSTD"),
    "crc32c": (masked_source, "COMPRESS=BLOSC", "CHECKSUM=YES"),
    "crc32c_sharded": (plain_source, "COMPRESS=NONE", "CHECKSUM=YES", "SHARD=64"),
    "sharded": (sparse_source, "SHARD=64"),
    "sharded_none": (plain_source, "SHARD=64", "COMPRESS=NONE"),
    "masked": (masked_source, "COMPRESS=GZIP"),
    "masked_04": (masked_source, "NGFF_VERSION=0.4", "COMPRESS=ZLIB"),
    "04_zlib": (plain_source, "NGFF_VERSION=0.4", "COMPRESS=ZLIB"),
    "04_lz4": (plain_source, "NGFF_VERSION=0.4", "COMPRESS=LZ4"),
    "04_flat": (plain_source, "NGFF_VERSION=0.4", "LAYOUT=FLAT"),
    "flat": (plain_source, "LAYOUT=FLAT"),
    "scales": (sparse_source, "LAYOUT=SCALES"),
    "large_attribute": (large_attribute_source,),
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    make, *options = STORES[request.param]
    gdaltest.write(tmp_path / "a.ome.zarr", make(), "BLOCKSIZE=32", *options)
    return tmp_path / "a.ome.zarr"


def is_document(name):
    return os.path.basename(name).startswith((".z", "zarr.json"))


def array_of(store, name):
    """The metadata of the array that a chunk belongs to."""
    folder = os.path.dirname(name)
    while not any(os.path.exists(store / folder / n) for n in ("zarr.json", ".zarray")):
        folder = os.path.dirname(folder)
    return gdaltest.array_json(store / folder)


def is_raw(store, name):
    array = array_of(store, name)
    if "codecs" in array:
        codecs = array["codecs"]
        if codecs[0]["name"] == "sharding_indexed":
            codecs = codecs[0]["configuration"]["codecs"]
        return len(codecs) == 1
    return array["compressor"] is None


def damaged(core, store, name, change):
    """What verify says after a change of one object, which is undone."""
    with open(store / name, "rb") as file:
        before = file.read()
    change(store / name, before)
    result = core.verify(store)
    with open(store / name, "wb") as file:
        file.write(before)
    return result


def put(path, text):
    with open(path, "wb") as file:
        file.write(text)


def flip(path, before, at):
    after = bytearray(before)
    after[at] ^= 0x10
    put(path, after)


def everything(store):
    """All pixels and masks of all levels."""
    dataset = gdal.Open(str(store))
    band = dataset.GetRasterBand(1)
    masks = [band.GetMaskBand()] + [band.GetOverview(i).GetMaskBand() for i in range(band.GetOverviewCount())]
    return gdaltest.our_levels(store) + [gdaltest.pixels(mask) for mask in masks]


def expect_named(store, name, result, what):
    status, findings = result
    told = "\n".join(text for kind, text in findings if kind > 0)
    if name == "zarr.json" or (name == ".zattrs" and what == "delete"):  # without its root it is no image
        assert status < 0 and findings, (name, what)
        return
    assert status == E_CORRUPT, (name, what, findings)
    # A lost document of a level or mask ends the reading: the message names the array.
    assert name in told or os.path.dirname(name) in told, (name, what, told)


def test_a_whole_store_is_whole(core, store):
    assert core.verify(store) == (0, [])
    done = tool(store)
    assert done.returncode == 0 and "whole" in done.stdout and done.stderr == ""


def test_every_deleted_object_is_named(core, store):
    for name in gdaltest.files_of(store):
        expect_named(store, name, damaged(core, store, name, lambda path, before: os.unlink(path)), "delete")
    assert core.verify(store) == (0, [])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_every_cut_object_is_named(core, store, share):
    for name in gdaltest.files_of(store):
        result = damaged(core, store, name, lambda path, before: put(path, before[: int(len(before) * share)]))
        expect_named(store, name, result, f"cut to {share}")


def test_every_lengthened_object_is_named(core, store):
    for name in gdaltest.files_of(store):
        expect_named(store, name, damaged(core, store, name, lambda path, before: put(path, before + b"{")), "longer")


def test_a_flipped_bit_in_every_document_is_named(core, store):
    for name in filter(is_document, gdaltest.files_of(store)):
        expect_named(store, name, damaged(core, store, name, lambda path, before: flip(path, before, 0)), "flip")


def test_a_flipped_bit_that_leaves_good_json_is_named_by_the_roots_copy(core, tmp_path):
    for version, document in (("0.5", "zarr.json"), ("0.4", ".zarray")):
        store = tmp_path / version
        gdaltest.write(store, plain_source(), "BLOCKSIZE=32", f"NGFF_VERSION={version}")
        name = f"ovr_2x/image/{document}"
        result = damaged(core, store, name, lambda path, before: put(path, before.replace(b'"fill_value":\t0', b'"fill_value":\t1')))
        expect_named(store, name, result, "flip")
        assert "root's copy" in result[1][0][1]


CHECKED = ["zstd", "04_zstd", "crc32c", "crc32c_sharded", "gzip", "masked", "masked_04", "04_zlib"]  # codecs with a checksum


@pytest.mark.parametrize("kind", CHECKED)
@pytest.mark.slow
def test_every_flipped_byte_of_a_chunk_with_a_checksum_is_named_or_changes_no_pixel(core, tmp_path, kind):
    make, *options = STORES[kind]
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, make(), "BLOCKSIZE=32", *options)
    chunks = [n for n in gdaltest.files_of(store) if not is_document(n) and not is_raw(store, n)]
    assert len(chunks) > 5
    whole, n_harmless = everything(store), 0
    for name in chunks:
        size = os.path.getsize(store / name)
        for at in range(0, size, max(1, size // 7)):
            kept = []

            def change(path, before):
                flip(path, before, at)
                with gdaltest.collected_messages():
                    kept.append(core.verify(store)[0] or everything(store))

            result = damaged(core, store, name, change)
            if kept[0] == E_CORRUPT:
                expect_named(store, name, result, f"flip at {at}")
            else:  # padding between deflate's blocks
                np.testing.assert_equal(kept[0], whole)
                n_harmless += 1
    assert n_harmless < len(chunks)


BITS = {  # what is known of the codec: every bit is found, every bit that changes a pixel, or none of both
    "zstd": ("pixels", "COMPRESS=ZSTD"),
    "zstd_9": ("pixels", "COMPRESS=ZSTD", "LEVEL=9"),
    "zstd_crc32c": ("bits", "COMPRESS=ZSTD", "CHECKSUM=YES"),
    "zstd_unchecked": ("", "COMPRESS=ZSTD", "CHECKSUM=NO"),
    "zstd_04": ("pixels", "NGFF_VERSION=0.4", "COMPRESS=ZSTD"),
    "gzip": ("pixels", "COMPRESS=GZIP"),
    "gzip_crc32c": ("bits", "COMPRESS=GZIP", "CHECKSUM=YES"),
    "gzip_04": ("pixels", "NGFF_VERSION=0.4", "COMPRESS=GZIP", "CHECKSUM=YES"),
    "zlib_04": ("pixels", "NGFF_VERSION=0.4", "COMPRESS=ZLIB"),
    "lz4_04": ("", "NGFF_VERSION=0.4", "COMPRESS=LZ4"),
    "blosc_zstd": ("", "COMPRESS=BLOSC", "BLOSC_CNAME=ZSTD"),
    "blosc_lz4_bits": ("", "COMPRESS=BLOSC", "BLOSC_CNAME=LZ4", "BLOSC_SHUFFLE=BIT"),
    "blosc_lz4hc_04": ("", "NGFF_VERSION=0.4", "COMPRESS=BLOSC", "BLOSC_CNAME=LZ4HC"),
    "blosc_zlib": ("", "COMPRESS=BLOSC", "BLOSC_CNAME=ZLIB"),
    "blosc_blosclz": ("", "COMPRESS=BLOSC", "BLOSC_CNAME=BLOSCLZ"),
    "blosc_crc32c": ("bits", "COMPRESS=BLOSC", "CHECKSUM=YES"),
    "none": ("", "COMPRESS=NONE"),
    "none_crc32c": ("bits", "COMPRESS=NONE", "CHECKSUM=YES"),
}


@pytest.mark.parametrize("kind", BITS)
@pytest.mark.slow
def test_every_bit_that_zarr_python_misses_is_found(core, tmp_path, kind):
    """An image of equal chunks, each with another bit flipped: what zarr-python refuses is not whole for verify, and docs/verify.md
    says which of the others are found."""
    zarr = pytest.importorskip("zarr")
    promise, *options = BITS[kind]
    edge, columns = 16, 40
    tile = (np.add.outer(np.arange(edge), np.arange(edge)) // 3 * 7 + np.random.default_rng(1).integers(0, 3, (edge, edge))).astype("uint16")
    gdaltest.write(tmp_path / "one.ome.zarr", gdaltest.mem(tile[None]), f"BLOCKSIZE={edge}", "OVERVIEW_COUNT=0", *options)
    one = next(n for n in gdaltest.files_of(tmp_path / "one.ome.zarr") if not is_document(n))
    n_bits = 8 * os.path.getsize(tmp_path / "one.ome.zarr" / one)
    store = tmp_path / "all.ome.zarr"
    picture = np.tile(tile, (-(-n_bits // columns), columns))
    gdaltest.write(store, gdaltest.mem(picture[None]), f"BLOCKSIZE={edge}", "OVERVIEW_COUNT=0", *options)
    chunks = {tuple(map(int, n.split("/")[-2:])): n for n in gdaltest.files_of(store) if not is_document(n)}
    before = (tmp_path / "one.ome.zarr" / one).read_bytes()
    for bit in range(n_bits):
        name = store / chunks[bit // columns, bit % columns]
        assert name.read_bytes() == before
        flipped = bytearray(before)
        flipped[bit // 8] ^= 1 << bit % 8
        put(name, bytes(flipped))

    status, findings = core.verify(store)
    found = {tuple(map(int, text.split(", chunk ")[1].split(" ")[0].split(",")[-2:])) for _, text in findings}
    folder = store / chunks[0, 0]
    while not any(os.path.exists(folder / name) for name in ("zarr.json", ".zarray")):
        folder = folder.parent
    array, image = zarr.open_array(str(folder), mode="r"), gdal.Open(str(store))
    for bit in range(n_bits):
        y, x = divmod(bit, columns)
        if (y, x) in found:
            continue
        assert promise != "bits", f"bit {bit}"
        try:
            got = array[..., y * edge : (y + 1) * edge, x * edge : (x + 1) * edge].squeeze()
        except RuntimeError:  # only where nothing says what the pixels were: decoders do not agree about such bytes
            assert promise == "", f"bit {bit}"
            got = np.frombuffer(image.ReadRaster(x * edge, y * edge, edge, edge), "uint16").reshape(edge, edge)
            assert not np.array_equal(got, tile), f"bit {bit} is refused by zarr-python and whole for verify"
        if promise == "pixels":
            np.testing.assert_array_equal(got, tile, err_msg=f"bit {bit}")
    assert status == (E_CORRUPT if found else 0)
    assert all(divmod(bit, columns) in found for bit in range(n_bits)) or promise != "bits"


@pytest.mark.parametrize("options", [["COMPRESS=ZSTD", "CHECKSUM=NO"], ["COMPRESS=BLOSC"], ["NGFF_VERSION=0.4", "COMPRESS=LZ4"], ["COMPRESS=NONE"]])
@pytest.mark.slow
def test_a_flipped_bit_is_told_or_is_another_pixel_which_only_the_source_shows(tmp_path, core, options):
    """Codecs without a checksum: never silent against the source, and what STORE alone cannot see are pixels."""
    source = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, plain_source()).FlushCache()
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, gdal.Open(source), "BLOCKSIZE=32", *options)
    name = next(n for n in gdaltest.files_of(store) if n.endswith("/0/0/0"))
    before = (store / name).read_bytes()
    n_alone = 0
    positions = range(2, len(before), len(before) // 5)
    for at in positions:
        flip(store / name, before, at)
        status, findings = core.verify(store)
        n_alone += status == E_CORRUPT
        changed = gdaltest.our_levels(store)[0] if status == 0 else None
        if status == 0 and not np.array_equal(changed, gdaltest.pixels(gdal.Open(source))):
            done = tool(store, source)
            assert done.returncode == 1 and "different" in done.stdout
    put(store / name, before)
    assert tool(store, source).returncode == 0
    if options == ["COMPRESS=NONE"]:
        assert n_alone == 0  # said in ngff.h and docs/verify.md


@pytest.mark.parametrize("kind", ["sharded", "sharded_none"])
@pytest.mark.slow
def test_every_flipped_bit_of_a_shard_index_is_named(core, tmp_path, kind):
    make, *options = STORES[kind]
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, make(), "BLOCKSIZE=32", *options)
    name = next(n for n in gdaltest.files_of(store) if n.startswith("scale0/image/c/"))
    index = 4 * 16 + 4
    for at in range(1, index + 1):
        status, findings = damaged(core, store, name, lambda path, before: flip(path, before, -at))
        assert status == E_CORRUPT and any(name in text and "level 0, chunk" in text for _, text in findings), at


def test_a_missing_chunk_of_a_sparse_image_is_told_from_an_empty_one(core, tmp_path):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, sparse_source(), "BLOCKSIZE=32")
    block = gdaltest.attributes(store)["omezarr"]
    # By hand: 2 bands x 3 x 2 chunks of 32; only band 0 holds more than fill, in rows 40 to 69 and columns 33 to 59:
    # chunks (0,1,1) and (0,2,1) = 3 and 5.
    assert block["stored_chunks"][0] == 2
    assert block["empty_chunks"][0] == [0, 3, 4, 1, 6, 6]
    (store / "scale0/image/c/0/1/1").unlink()
    status, findings = core.verify(store)
    assert status == E_CORRUPT and findings == [(2, "level 0, chunk 0,1,1 (scale0/image/c/0/1/1): missing, but the writer stored it")]


def test_a_chunk_that_should_be_empty_is_named(core, tmp_path):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, sparse_source(), "BLOCKSIZE=32")
    os.makedirs(store / "scale0/image/c/0/0")
    shutil.copy(store / "scale0/image/c/0/1/1", store / "scale0/image/c/0/0/0")
    status, findings = core.verify(store)
    assert status == E_CORRUPT and "level 0, chunk 0,0,0 (scale0/image/c/0/0/0)" in findings[0][1]


STRAYS = ["scale0/image/c/0/9/9", "scale0/image/c/00/0/0", "scale0/image/c/0/7", "scale0/image/c/0/0/0.partial", "scale0/image/1.2.3",
          "notes.txt", "scale0/thumbs.db", "c/0/0/0", ".scratch/stage", ".owner", "ovr_4x/image/c/0/0/0"]


@pytest.mark.parametrize("name", STRAYS)
def test_every_stray_object_is_named(core, tmp_path, name):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, plain_source(), "BLOCKSIZE=32", "OVERVIEW_COUNT=1")
    path = store / name
    os.makedirs(path.parent, exist_ok=True)
    assert not path.exists()
    path.write_bytes(b"abc")
    status, findings = core.verify(store)
    assert status == E_CORRUPT and [(kind, name in text) for kind, text in findings] == [(1, True)]
    assert tool(store).returncode == 1


def test_stale_chunks_of_an_older_larger_store_are_strays(core, tmp_path):
    gdaltest.write(tmp_path / "large", gdaltest.mem(gdaltest.smooth_array((2, 200, 200), "uint16")), "BLOCKSIZE=32", "OVERVIEWS=NONE")
    gdaltest.write(tmp_path / "small", gdaltest.mem(gdaltest.smooth_array((2, 70, 60), "uint16")), "BLOCKSIZE=32", "OVERVIEWS=NONE")
    for name in gdaltest.files_of(tmp_path / "large"):
        if not (tmp_path / "small" / name).exists():
            os.makedirs(os.path.dirname(tmp_path / "small" / name), exist_ok=True)
            shutil.copy(tmp_path / "large" / name, tmp_path / "small" / name)
    status, findings = core.verify(tmp_path / "small")
    # By hand: 2 x 7 x 7 chunks there, 2 x 3 x 2 here.
    assert status == E_CORRUPT and len(findings) == 2 * 7 * 7 - 2 * 3 * 2 and {kind for kind, _ in findings} == {1}


def test_the_mark_of_an_unfinished_update_fails_by_name(core, tmp_path):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, plain_source(), "BLOCKSIZE=32")
    (store / ".omezarr-dirty").write_bytes(b"")
    status, findings = core.verify(store)
    assert status == E_CORRUPT and ".omezarr-dirty" in findings[0][1] and "not finished" in findings[0][1]
    assert tool(store).returncode == 1


def test_a_wrong_record_is_told(core, tmp_path):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, plain_source(), "BLOCKSIZE=32")
    document = json.loads((store / "zarr.json").read_text())
    for counts in ([1, 2], "x", [13, 3, 1], {"a": 1}):
        document["attributes"]["omezarr"]["stored_chunks"] = counts
        (store / "zarr.json").write_text(json.dumps(document))
        status, findings = core.verify(store)
        assert status == E_CORRUPT and findings, counts


def test_cancel_ends_the_check(core, tmp_path):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, plain_source(), "BLOCKSIZE=32")
    shares = []
    assert core.verify(store, lambda user, share: shares.append(share) or 1)[0] == 0
    assert shares == sorted(shares) and shares[-1] == 1.0
    for n in range(len(shares)):
        calls = []
        assert core.verify(store, lambda user, share: calls.append(share) or len(calls) <= n)[0] == E_CANCELLED
        assert len(calls) == n + 1


def test_stores_in_memory_are_verified_too(tmp_vsimem):
    path = f"{tmp_vsimem}/a.ome.zarr"
    assert gdaltest.create_copy(path, plain_source(), "BLOCKSIZE=32", "VERIFY=SOURCE") is not None


@pytest.mark.parametrize("options", [[], ["NGFF_VERSION=0.4"], ["SHARD=64"]])
def test_sparse_stores_in_archives_are_read_and_verified(tmp_path, options):
    """Archives have no random writing, as object stores: there a missing object must not look like a failure."""
    store = gdaltest.write(tmp_path / "a.ome.zarr", sparse_source(), "BLOCKSIZE=32", *options)
    for kind, prefix in (("zip", "/vsizip/"), ("tar", "/vsitar/")):
        archive = shutil.make_archive(str(tmp_path / "a"), kind, store)
        dataset = gdal.Open(f"OMEZARR:{prefix}{archive}")
        np.testing.assert_array_equal(gdaltest.pixels(dataset), gdaltest.our_levels(store)[0])
        done = tool(prefix + archive)
        assert done.returncode == 0, done.stdout + done.stderr


# -- Stores by others ------------------------------------------------------------------------------------------------------


def foreign_store(path, zarr_format, **arguments):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    if zarr_format == 3:
        arguments["dimension_names"] = ["y", "x"]
    else:
        arguments["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    for level, size in enumerate((50, 25)):
        array = group.create_array(str(level), shape=(size, size), chunks=(20, 20), dtype="uint16", fill_value=0,
                                   **arguments)
        array[:20, :20] = 1 + np.arange(400).reshape(20, 20)  # other chunks stay away
    datasets = [{"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [2.0**level] * 2}]} for level in (0, 1)]
    image = {"axes": [{"name": name, "type": "space"} for name in "yx"], "datasets": datasets, "name": "image",
             "type": "mean", "metadata": {}}
    group.attrs.update({"ome": {"version": "0.5", "multiscales": [image]}} if zarr_format == 3 else {"multiscales": [dict(image, version="0.4")]})
    zarr.consolidate_metadata(str(path))


@pytest.mark.parametrize("zarr_format,arguments", [(2, {}), (3, {}), (3, {"shards": (40, 40)}), (3, {"compressors": None})])
@pytest.mark.filterwarnings("ignore")
def test_a_store_by_zarr_python_is_whole_and_its_damage_is_named(core, tmp_path, zarr_format, arguments):
    foreign_store(tmp_path / "a.zarr", zarr_format, **arguments)
    assert core.verify(tmp_path / "a.zarr") == (0, [])
    chunk = next(n for n in gdaltest.files_of(tmp_path / "a.zarr") if not is_document(n))
    before = (tmp_path / "a.zarr" / chunk).read_bytes()
    put(tmp_path / "a.zarr" / chunk, before[:-3])
    status, findings = core.verify(tmp_path / "a.zarr")
    assert status == E_CORRUPT and chunk in findings[0][1]


@pytest.mark.filterwarnings("ignore")
def test_metadata_that_breaks_the_specification_is_invalid_and_still_opens(core, tmp_path):
    foreign_store(tmp_path / "a.zarr", 3)
    for name in ("a.zarr/1/zarr.json", "a.zarr/zarr.json"):
        document = json.loads((tmp_path / name).read_text())
        document.pop("consolidated_metadata", None)
        document.pop("dimension_names", None)
        (tmp_path / name).write_text(json.dumps(document))
    assert gdal.Open(str(tmp_path / "a.zarr")).RasterXSize == 50
    status, findings = core.verify(tmp_path / "a.zarr")
    assert status == E_CORRUPT and [kind for kind, _ in findings] == [INVALID]
    assert "a.zarr/1/zarr.json: dimension_names: it is missing" in findings[0][1]


@pytest.mark.filterwarnings("ignore")
def test_what_the_specification_only_recommends_and_other_versions_are_no_damage(core, tmp_path):
    foreign_store(tmp_path / "a.zarr", 3)
    document = json.loads((tmp_path / "a.zarr/zarr.json").read_text())
    document.pop("consolidated_metadata", None)
    del document["attributes"]["ome"]["multiscales"][0]["name"]
    put(tmp_path / "a.zarr/zarr.json", json.dumps(document).encode())
    status, [(kind, text)] = core.verify(tmp_path / "a.zarr")
    assert (status, kind) == (0, ADVICE) and "multiscales[0].name: it should be there" in text
    document["attributes"]["ome"]["version"] = "0.9.dev1"
    put(tmp_path / "a.zarr/zarr.json", json.dumps(document).encode())
    status, [(kind, text)] = core.verify(tmp_path / "a.zarr")
    assert (status, kind) == (0, NOTE) and "0.9.dev1" in text


# -- Threads ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zstd", "sharded", "masked", "04_zlib"])
def test_threads_tell_the_same_in_the_same_order(core, tmp_path, kind):
    make, *options = STORES[kind]
    store = tmp_path / "a.ome.zarr"
    source = gdaltest.mem(np.tile(gdaltest.pixels(make()), (1, 5, 6)))
    if kind == "masked":
        source.CreateMaskBand(gdal.GMF_PER_DATASET)
        source.GetRasterBand(1).GetMaskBand().WriteRaster(3, 3, 50, 70, b"\xff" * 3500)
    gdaltest.write(store, source, "BLOCKSIZE=16", *[o.replace("64", "32") for o in options])
    chunks = [n for n in gdaltest.files_of(store) if not is_document(n)]
    for i, name in enumerate(chunks[3::7]):
        if i % 3 == 0:
            os.unlink(store / name)
        else:
            os.truncate(store / name, os.path.getsize(store / name) // (1 + i % 3))
    (store / "notes.txt").write_text("stray")
    expected = core.verify(store)
    assert expected[0] == E_CORRUPT and len(expected[1]) > len(chunks) // 10
    for threads in (0, 2, 3, 8, 200):
        told = []
        assert core.verify(store, lambda user, share: told.append(share) or 1, threads=threads) == expected
        assert told == sorted(told) and told[-1] == 1.0


def test_threads_can_be_cancelled_at_every_report(core, tmp_path):
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, plain_source(), "BLOCKSIZE=16")
    shares = []
    assert core.verify(store, lambda user, share: shares.append(share) or 1, threads=4) == (0, [])
    for n in range(len(shares)):
        calls = []
        assert core.verify(store, lambda user, share: calls.append(share) or len(calls) <= n, threads=4) == (E_CANCELLED, [])
        assert calls == shares[: n + 1]


@pytest.mark.parametrize("options", [[], ["BLOCKSIZE=c:2,y:32,x:32"], ["BLOCKSIZE=c:3,y:16,x:64", "NGFF_VERSION=0.4"]])
def test_threads_name_the_same_pixel_of_the_source(tmp_path, options):
    array = gdaltest.random_array((5, 130, 150), "uint16", 4)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), *(options or ["BLOCKSIZE=32"]))
    other = array.copy()
    other[[1, 3, 4, 0], [70, 33, 129, 129], [64, 100, 149, 2]] ^= 1
    gdaltest.mem(other, driver="GTiff", path=str(tmp_path / "a.tif"))
    said = set()
    for threads in ("1", "2", "3", "7", "32"):
        done = tool(store, tmp_path / "a.tif", "--config", "GDAL_NUM_THREADS", threads)
        assert done.returncode == 1
        said.add(done.stdout)
    # By hand: row 33 lies in the second row of chunks, where only band 4 differs.
    assert len(said) == 1 and "band 4, column 100, row 33" in said.pop()


# -- The program -------------------------------------------------------------------------------------------------------------


def test_exit_status_of_the_program(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", plain_source(), "BLOCKSIZE=32")
    source = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, plain_source()).FlushCache()
    assert tool(store).returncode == 0
    assert tool(store, source).returncode == 0
    assert tool("OMEZARR:" + store, source).returncode == 0
    for arguments in ([], ["-x"], [store, source, "more"]):
        assert tool(*arguments).returncode == 2
    missing = tool(tmp_path / "nothing.ome.zarr")
    assert missing.returncode == 3 and "nothing.ome.zarr" in missing.stderr
    assert tool(store, tmp_path / "nothing.tif").returncode == 3
    assert tool(source).returncode == 3
    os.truncate(f"{store}/scale0/image/c/1/2/1", 20)
    damage = tool(store)
    assert damage.returncode == 1 and "level 0, chunk 1,2,1" in damage.stdout and "scale0/image/c/1/2/1" in damage.stdout


def test_the_program_takes_the_names_that_gdalinfo_lists(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", plain_source())
    for name in (store, f"OMEZARR:{store}", f'OMEZARR:"{store}"', f'OMEZARR:"{store}":'):
        for arguments in (["-oo", "MAX_CHUNK=1GB", name], [name, "-oo", "MAX_CHUNK=1GB"]):
            done = tool(*arguments)
            assert (done.returncode, done.stdout) == (0, f"{store}: whole\n"), (arguments, done.stderr)
    part = tool(f'OMEZARR:"{store}":scale0/image')
    assert part.returncode == 3 and "part of a store" in part.stderr and store in part.stderr
    for arguments, word in (([store, "-x"], "-x"), ([store, "b", "c"], "argument c"), ([], "no store"), (["-oo"], "-oo")):
        done = tool(*arguments)
        assert done.returncode == 2 and word in done.stderr.splitlines()[0], (arguments, done.stderr)


def test_the_program_takes_the_limits_of_reading(tmp_path):
    zarr = pytest.importorskip("zarr")
    path = str(tmp_path / "a.zarr")
    group = zarr.open_group(path, mode="w", zarr_format=3)
    array = group.create_array("0", shape=(17000, 17000), chunks=(17000, 17000), dtype="uint8", dimension_names=["y", "x"])
    axes = [{"name": name, "type": "space"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1, 1]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]}
    array[5, 5] = 1
    refused = tool(path)
    assert refused.returncode == 3 and "MAX_CHUNK" in refused.stderr
    assert tool("-oo", "MAX_CHUNK=300MB", path).returncode == 0
    wrong = tool("-oo", "MAX_CHUNK=many", path)
    assert wrong.returncode == 3 and "number of bytes" in wrong.stderr


@pytest.mark.root
def test_what_may_not_be_read_is_not_called_damage():
    with tempfile.TemporaryDirectory() as place:  # pytest's folders may not be entered by others
        store = gdaltest.write(f"{place}/a.ome.zarr", plain_source(), "BLOCKSIZE=32", "VERIFY=STORE")
        for folder, _, _ in os.walk(place):
            os.chmod(folder, 0o755)
        chunk = f"{store}/scale0/image/c/1/2/1"
        os.chmod(chunk, 0)
        tool = shutil.copy(TOOL, f"{place}/omezarr")  # the build may stand where others may not go
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", tool, "verify", store], capture_output=True, text=True)
    assert done.returncode == 3, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "unread: level 0, chunk 1,2,1" in said and "Permission denied" in said and "damage" not in said


# -- Against the source --------------------------------------------------------------------------------------------------


def changed(source, band, x, y, mask=False):
    target = source.GetRasterBand(band).GetMaskBand() if mask else source.GetRasterBand(band)
    value = np.frombuffer(target.ReadRaster(x, y, 1, 1), "uint8").copy()
    value[0] = 255 - value[0] if mask else value[0] ^ 1
    target.WriteRaster(x, y, 1, 1, value.tobytes())


def tiff_of(path, source):
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        gdal.GetDriverByName("GTiff").CreateCopy(str(path), source).FlushCache()
    return str(path)


@pytest.mark.parametrize("options", [[], ["NGFF_VERSION=0.4"], ["BLOCKSIZE=c:2,y:32,x:32"], ["SHARD=64"]])
@pytest.mark.parametrize("make", [plain_source, masked_source])
def test_one_different_pixel_is_named_wherever_it_is(tmp_path, make, options):
    options = options if any("BLOCKSIZE" in o for o in options) else options + ["BLOCKSIZE=32"]
    store = gdaltest.write(tmp_path / "a.ome.zarr", make(), *options)
    assert tool(store, tiff_of(tmp_path / "same.tif", make())).returncode == 0
    for number, (band, x, y) in enumerate([(1, 0, 0), (2, 59, 69), (1, 31, 32), (2, 32, 31)]):
        source = make()
        changed(source, band, x, y)
        done = tool(store, tiff_of(tmp_path / f"{number}.tif", source))
        assert done.returncode == 1 and f"band {band}, column {x}, row {y}" in done.stdout
    if make is masked_source:
        source = make()
        changed(source, 1, 50, 60, mask=True)
        done = tool(store, tiff_of(tmp_path / "mask.tif", source))
        assert done.returncode == 1 and "mask, column 50, row 60" in done.stdout


def test_a_mask_that_is_valid_everywhere_equals_none(tmp_path):
    """Such a mask is not stored; one invalid pixel in it is a difference."""
    source = plain_source()
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().Fill(255)
    whole = tiff_of(tmp_path / "whole.tif", source)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(whole), "BLOCKSIZE=32", "VERIFY=SOURCE")
    assert gdaltest.open_band(whole).GetMaskFlags() == gdal.GMF_PER_DATASET
    assert tool(store, whole).returncode == 0
    changed(source, 1, 50, 60, mask=True)
    done = tool(store, tiff_of(tmp_path / "hole.tif", source))
    assert done.returncode == 1 and "mask, column 50, row 60" in done.stdout


def test_another_size_type_or_number_of_bands_is_different(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", plain_source(), "BLOCKSIZE=32")
    array = gdaltest.smooth_array((2, 70, 60), "uint16")
    for number, other in enumerate([array[:1], array[:, :69], array[:, :, :59], array.astype("uint32")]):
        done = tool(store, tiff_of(tmp_path / f"{number}.tif", gdaltest.mem(other)))
        assert done.returncode == 1 and "different" in done.stdout


def test_bands_of_several_types_are_compared_by_their_values(tmp_path):
    """The store has the type that holds all of them."""
    array = gdaltest.smooth_array((2, 70, 60), "uint8")
    for number, dtype in enumerate(("uint8", "int16")):
        gdaltest.mem(array[number].astype(dtype), driver="GTiff", path=f"{tmp_path}/{number}.tif").FlushCache()
    mixed = gdal.BuildVRT(f"{tmp_path}/mixed.vrt", [f"{tmp_path}/{number}.tif" for number in range(2)], separate=True)
    mixed.FlushCache()
    with gdaltest.collected_messages():
        store = gdaltest.write(tmp_path / "a.ome.zarr", mixed, "BLOCKSIZE=32")
    assert tool(store, tmp_path / "mixed.vrt").returncode == 0
    gdaltest.mem((array[0] ^ (np.indices((70, 60)).sum(0) == 25)).astype("uint8"), driver="GTiff", path=f"{tmp_path}/0.tif").FlushCache()
    done = tool(store, tmp_path / "mixed.vrt")
    assert done.returncode == 1 and "band 1, column 25, row 0" in done.stdout


@pytest.mark.parametrize("dtype", gdaltest.writable_types(with_complex=True))
def test_every_type_is_compared_bit_by_bit(tmp_path, dtype):
    array = gdaltest.random_array((2, 70, 60), dtype)
    if dtype.startswith("float"):
        array[0, 3, 4] = np.nan
    gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "VERIFY=SOURCE")
    np.testing.assert_array_equal(gdaltest.our_levels(tmp_path / "a.ome.zarr")[0], array)


# -- VERIFY= -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["STORE", "SOURCE", "NO"])
@pytest.mark.parametrize("kind", STORES)
def test_verify_changes_no_byte(tmp_path, kind, mode):
    make, *options = STORES[kind]
    gdaltest.write(tmp_path / "a", make(), "BLOCKSIZE=32", *options)
    gdaltest.write(tmp_path / "b", make(), "BLOCKSIZE=32", f"VERIFY={mode}", *options)
    assert gdaltest.tree_digest(tmp_path / "a") == gdaltest.tree_digest(tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_bands_in_another_order_are_compared_in_theirs(tmp_path):
    source = gdaltest.mem(gdaltest.random_array((6, 40, 40), "uint8"))
    gdaltest.write(tmp_path / "a", source, "AXES=c:2,t:3", "VERIFY=SOURCE")
    gdaltest.write(tmp_path / "b", source, "AXES=t:3,z:2", "VERIFY=SOURCE")


def test_a_source_that_changes_while_it_is_copied_is_not_published(tmp_path):
    """The one way in which a store can differ from its source: the source is not what it was."""
    array = gdaltest.smooth_array((2, 70, 60), "uint16")
    calls = []
    source = gdaltest.mem(array)

    def progress(share, message, data):
        calls.append(share)
        if share >= 0.5 and max(calls[:-1], default=0) < 0.5:
            changed(source, 2, 59, 69)
        return 1

    gdaltest.write(tmp_path / "old.ome.zarr", gdaltest.mem(array[:1]))
    before = gdaltest.snapshot(tmp_path)
    for name in ("new.ome.zarr", "old.ome.zarr"):
        calls.clear()
        with pytest.raises(RuntimeError, match="VERIFY=SOURCE.*band 2, column 59, row 69"):
            gdaltest.create_copy(tmp_path / name, source, "BLOCKSIZE=32", "VERIFY=SOURCE", "OVERWRITE=YES", callback=progress)
        assert calls == sorted(calls) and calls[-1] < 1
        assert gdaltest.snapshot(tmp_path) == before


@pytest.mark.parametrize("mode", ["STORE", "SOURCE"])
def test_progress_is_monotone_and_cancel_works_at_every_call(tmp_path, mode):
    calls = []
    gdaltest.create_copy(tmp_path / "a.ome.zarr", plain_source(), "BLOCKSIZE=32", f"VERIFY={mode}", callback=lambda share, *_: calls.append(share) or 1)
    assert calls == sorted(calls) and calls[-1] == 1.0 and len([c for c in calls if c > 0.5]) > 5
    shutil.rmtree(tmp_path / "a.ome.zarr")
    for stop in calls:
        with pytest.raises(RuntimeError, match="User terminated"):
            gdaltest.create_copy(tmp_path / "a.ome.zarr", plain_source(), "BLOCKSIZE=32", f"VERIFY={mode}", "NUM_THREADS=1", callback=lambda share, *_: share < stop)
        assert os.listdir(tmp_path) == []


def test_create_verifies_the_store_and_refuses_to_compare_without_a_source(tmp_path):
    dataset = gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 70, 60, 1, gdal.GDT_Byte, ["VERIFY=STORE", "BLOCKSIZE=32"])
    dataset.GetRasterBand(1).Fill(3)
    dataset = None
    assert tool(tmp_path / "a.ome.zarr").returncode == 0
    with pytest.raises(RuntimeError, match="VERIFY=SOURCE"):
        gdaltest.OMEZARR.Create(str(tmp_path / "b.ome.zarr"), 70, 60, 1, gdal.GDT_Byte, ["VERIFY=SOURCE"])
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


# -- Stores that were changed, or finished by a later run ------------------------------------------------------------------


def change_pixels(path):
    dataset = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.GetRasterBand(1).WriteRaster(3, 5, 90, 70, gdaltest.random_array((70, 90), "uint16", 3).tobytes())
    dataset.GetRasterBand(2).Fill(0)  # chunks that are no longer stored
    dataset.FlushCache()


def change_metadata(path):
    dataset = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.SetMetadataItem("changed", "yes")
    dataset.FlushCache()


def add_levels(path):
    gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE).BuildOverviews("AVERAGE", [2, 4, 8])


def remove_levels(path):
    gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE).BuildOverviews("NONE", [])


CHANGES = [change_pixels, change_metadata, add_levels, remove_levels]


@pytest.mark.parametrize("options", [["SHARD=NONE"], ["SHARD=64"], ["NGFF_VERSION=0.4"]])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_store_is_whole_and_what_it_loses_is_named(core, tmp_path, change, options):
    source = gdaltest.mem(gdaltest.smooth_array((2, 150, 140), "uint16"))
    store = tmp_path / "a.ome.zarr"
    gdaltest.write(store, source, "BLOCKSIZE=32", *options)
    change(str(store))
    assert core.verify(store) == (0, [])
    for name in gdaltest.files_of(store)[::5]:
        expect_named(store, name, damaged(core, store, name, lambda path, before: os.unlink(path)), "delete")
    assert core.verify(store) == (0, [])


@pytest.mark.parametrize("options,is_read", [([], False), (["VERIFY=NO"], False), (["VERIFY=STORE"], True)])
def test_what_was_written_is_read_back_only_when_asked_for(tmp_path, options, is_read):
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    source = str(tmp_path / "source.tif")
    gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8"), driver="GTiff", path=source)
    trace = str(tmp_path / "trace")
    command = ["gdal_translate", "-q", "-of", "OMEZARR", "-co", "SHARD=NONE"]
    for option in options:
        command += ["-co", option]
    run = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=openat", *command, source, str(tmp_path / "a.ome.zarr")],
                         env=os.environ, capture_output=True, text=True)
    if "ptrace" in run.stderr:
        pytest.skip("no ptrace here")
    assert run.returncode == 0, run.stderr
    with open(trace) as lines:
        reads = [line for line in lines if "/c/0/0" in line and "O_RDONLY" in line]
    assert bool(reads) == is_read
