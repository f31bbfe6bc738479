"""Each creation option: a good value that does what it says, a bad one that is refused before anything is written, by a
message that names the option and the value. The tables must cover every option that the driver lists."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal


def source(bands=3, dtype="uint8", shape=(100, 90)):
    return gdaltest.mem(gdaltest.smooth_array((bands,) + shape, dtype), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


def codec(store):
    return {c["name"]: c.get("configuration", {}) for c in gdaltest.array_json(gdaltest.level_paths(store)[0])["codecs"]}


def chunk(store, level=0):
    return gdaltest.array_json(gdaltest.level_paths(store)[level])["chunk_grid"]["configuration"]["chunk_shape"]


def shapes(store):
    return [gdaltest.array_json(path)["shape"] for path in gdaltest.level_paths(store)]


def paths(store):
    return [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]]


def axis(store, name):
    return next(a for a in gdaltest.ome(store)["multiscales"][0]["axes"] if a["name"] == name)


def meanings(store):
    dataset = gdal.Open(store)
    return [dataset.GetRasterBand(i + 1).GetColorInterpretation() for i in range(dataset.RasterCount)]


def has_statistics(store):
    return gdaltest.open_band(store).GetMetadataItem("STATISTICS_MEAN") is not None


# name: (good options, what must then hold, bad values)
OPTIONS = {
    "COMPRESS": (["COMPRESS=GZIP"], lambda s: "gzip" in codec(s), ["LZW", "", "zst", "LZ4", "ZLIB"]),
    "LEVEL": (["COMPRESS=ZSTD", "LEVEL=7"], lambda s: codec(s)["zstd"]["level"] == 7, ["23", "-1", "x", "1.5", ""]),
    "ZSTD_LEVEL": (["COMPRESS=ZSTD", "ZSTD_LEVEL=3"], lambda s: codec(s)["zstd"]["level"] == 3, ["0", "23", "fast"]),
    "GZIP_LEVEL": (["COMPRESS=GZIP", "GZIP_LEVEL=2"], lambda s: codec(s)["gzip"]["level"] == 2, ["10", "-1", "x"]),
    "BLOSC_CLEVEL": (["COMPRESS=BLOSC", "BLOSC_CLEVEL=4"], lambda s: codec(s)["blosc"]["clevel"] == 4, ["10", "x"]),
    "BLOSC_CNAME": (["COMPRESS=BLOSC", "BLOSC_CNAME=lz4hc"], lambda s: codec(s)["blosc"]["cname"] == "lz4hc", ["snappy", "lz5"]),
    "BLOSC_SHUFFLE": (["COMPRESS=BLOSC", "BLOSC_SHUFFLE=BIT"], lambda s: codec(s)["blosc"]["shuffle"] == "bitshuffle", ["2", "NIBBLE"]),
    "CHECKSUM": (["COMPRESS=BLOSC", "CHECKSUM=YES"], lambda s: "crc32c" in codec(s), ["2", "MD5"]),
    "BLOCKSIZE": (["BLOCKSIZE=1,64,32"], lambda s: chunk(s) == [1, 64, 32], ["0", "-5", "x", "64,", "q:5", "1,2,3,4,5,6", "y:8,y:8", "64x64"]),
    "BLOCKXSIZE": (["BLOCKXSIZE=48"], lambda s: chunk(s)[2] == 48, ["0", "x"]),
    "BLOCKYSIZE": (["BLOCKYSIZE=48"], lambda s: chunk(s)[1] == 48, ["0", "x"]),
    "SHARD": (["BLOCKSIZE=32", "SHARD=64"], lambda s: "sharding_indexed" in codec(s), ["33", "0", "some"]),
    "NGFF_VERSION": (["NGFF_VERSION=0.4"], lambda s: ".zattrs" in gdaltest.files_of(s), ["0.3", "1", "5", "0.5.2"]),
    "LAYOUT": (["LAYOUT=FLAT"], lambda s: paths(s)[0] == "0", ["NESTED", "GEO"]),
    "LABELS": (["LABELS=YES"], lambda s: "image-label" in gdaltest.ome(s), ["2", "cells"]),
    "CONSOLIDATED": (["CONSOLIDATED=NO"], lambda s: "consolidated_metadata" not in gdaltest.read_json(s + "/zarr.json"), ["MAYBE"]),
    "OVERVIEW_RESAMPLING": (["OVERVIEW_RESAMPLING=MAX", "BLOCKSIZE=64"],
                            lambda s: (gdaltest.our_levels(s)[1] == ngffmodel.pyramid(gdaltest.pixels(source()), [(1, 1), (2, 2)], "MAX")[1]).all(), ["MEAN", "GAUSSIAN2", "AVG"]),
    "OVERVIEWS": (["OVERVIEWS=NONE", "BLOCKSIZE=32"], lambda s: len(shapes(s)) == 1, ["ALL", "2"]),
    "OVERVIEW_COUNT": (["OVERVIEW_COUNT=2"], lambda s: len(shapes(s)) == 3, ["-2", "x", "1.5", "1000"]),
    "SCALE_FACTORS": (["SCALE_FACTORS=3,9"], lambda s: shapes(s)[1][1:] == [34, 30], ["ISOTROPIC,2", "0", "1", "4,2", "2,2", "a", "2;", "-2", "y:2,q:3"]),
    "SIZES": (["SIZES=FLOOR", "SCALE_FACTORS=3"], lambda s: shapes(s)[1][1:] == [33, 30], ["ROUND", "2", ""]),
    "NUM_THREADS": (["NUM_THREADS=1"], "omezarr_options.py test_NUM_THREADS_is_the_number_of_threads", ["-1", "many", "1.5"]),
    "MEMORY": (["MEMORY=64MB"], "omezarr_options.py test_MEMORY_below_the_least_is_raised_with_a_warning", ["-1", "64XB", "much", "0%", "101%"]),
    "STATISTICS": (["STATISTICS=NO"], lambda s: not has_statistics(s), ["SOME"]),
    "WINDOW": (["WINDOW=1:2,3:4,5:6"], lambda s: gdaltest.ome(s)["omero"]["channels"][1]["window"]["start"] == 3,
               ["5", "5:1", "a:b", "1:2,3", "1:nan", "3:3"]),
    "CHANNEL_NAMES": (["CHANNEL_NAMES=a,b,c"], lambda s: gdaltest.ome(s)["omero"]["channels"][2]["label"] == "c", ["a,b,c,d", "a\xff"]),
    "CHANNEL_COLORS": (["CHANNEL_COLORS=ff0000,00FF00,123456"], lambda s: gdaltest.ome(s)["omero"]["channels"][2]["color"] == "123456",
                       ["red,green,blue", "ff00", "ff0000,00ff00,0000ff,ffffff"]),
    "COLOR_INTERPRETATION": (["COLOR_INTERPRETATION=blue,Alpha,undefined"], lambda s: meanings(s) == [gdal.GCI_BlueBand, gdal.GCI_AlphaBand, gdal.GCI_Undefined],
                             ["red,green", "red,green,blue,alpha", "red,green,NIR?", "red,green,palette", "red,,blue", "\xff"]),
    "SERIES": (["LAYOUT=BIOFORMATS2RAW", "SERIES=ALL"], "omezarr_bf2raw.py test_all_images_of_a_file", ["2", "SOME"]),
    "PLANES": (["PLANES=ONE"], "omezarr_stacks.py test_imagej_stack_of_one_page", ["2", "SOME"]),
    "AXES": (["AXES=z:3"], lambda s: axis(s, "z")["type"] == "space", ["z:2", "q:3", "3", "z:0", "z:3,z:1"]),
    "AXIS_SCALE": (["AXES=z:3", "AXIS_SCALE=z:2.5"], lambda s: gdaltest.transforms(s)[0][0][0] == 2.5, ["z:0", "z:-1", "z:x", "2", "w:3"]),
    "AXIS_TRANSLATION": (["AXES=z:3", "AXIS_TRANSLATION=z:7"], lambda s: gdaltest.transforms(s)[0][1][0] == 7, ["z:x", "7,8,9,10,11,12", "w:3"]),
    "AXIS_UNITS": (["AXES=z:3", "AXIS_UNITS=z:um"], lambda s: axis(s, "z")["unit"] == "micrometer", ["z:parrot", "um", "w:um"]),
    "AXIS_ORIENTATION": (["AXES=z:3", "AXIS_ORIENTATION=z:inferior-to-superior"],
                         lambda s: axis(s, "z")["orientation"] == {"type": "anatomical", "value": "inferior-to-superior"},
                         ["z:up", "left-to-right", "c:left-to-right", "z:left-to-right,z:left-to-right"]),
    "NAME": (["NAME=my image"], lambda s: gdaltest.ome(s)["multiscales"][0]["name"] == "my image", ["\xff\xfe"]),
    "ORIGIN": (["ORIGIN=SOUTHING"], lambda s: gdaltest.transforms(s)[0][1] == [0, -4999995, 500005], ["NORTHING"]),
    "COPY_SRC_MDD": (["COPY_SRC_MDD=NO"], lambda s: gdal.Open(s).GetMetadataItem("PATIENT") is None, ["PERHAPS"]),
    "OVERWRITE": (["OVERWRITE=YES"], lambda s: shapes(s)[0][0] == 3, ["FORCE"]),
    "VERIFY": (["VERIFY=SOURCE"], "omezarr_verify.py test_a_source_that_changes_while_it_is_copied_is_not_published", ["2", "ALL"]),
    "RESUME": (["RESUME=YES"], "omezarr_resume.py test_killed_copies_go_on_to_the_same_bytes", ["MAYBE"]),
    "PART": (["PART=1/1"], "omezarr_parts.py test_parts_in_any_order_are_the_bytes_of_one_run", ["3", "0/2", "3/2"]),
    "SYNC": (["SYNC=YES"], "omezarr_resume.py test_sync_reaches_the_disk_before_the_store_is_visible", ["2"]),
    "REPORT": (["REPORT=/vsimem/omezarr_options.json"], lambda s: gdal.VSIStatL("/vsimem/omezarr_options.json").size > 0,
               ["nowhere/a.json", "folder/", "data/rocky_mountain.tif"]),
    "DRY_RUN": (["DRY_RUN=NO"], lambda s: (gdaltest.our_levels(s)[0] == gdaltest.pixels(source())).all(), ["2", "PLAN"]),
}


def listed():
    return ElementTree.fromstring(gdaltest.OMEZARR.GetMetadataItem("DMD_CREATIONOPTIONLIST"))


def test_every_listed_option_has_its_tests():
    aliases = {"VERSION", "FORMAT", "ZLEVEL", "CHUNKS", "SHARDS", "CREATE_CONSOLIDATED_METADATA", "RESAMPLING", "DIMS", "SCALE", "TRANSLATION", "UNITS"}
    assert {option.get("name") for option in listed()} - aliases == set(OPTIONS)


def test_every_listed_option_has_a_description_and_its_choices_have_values():
    for option in listed():
        assert option.get("description") and option.get("type"), option.get("name")
        if option.get("type") == "string-select":
            assert len(option.findall("Value")) > 1


@pytest.mark.parametrize("name", OPTIONS)
def test_good_value(tmp_path, name):
    options, holds, _ = OPTIONS[name]
    in_a_file = gdal.GetDriverByName("GTiff").CreateCopy(str(tmp_path / "source.tif"), source())  # RESUME wants one
    in_a_file.SetMetadataItem("PATIENT", "a name")
    if name == "OVERWRITE":
        gdaltest.write(tmp_path / "a.ome.zarr", source(bands=2))
    with gdaltest.collected_messages() as messages:
        store = gdaltest.write(tmp_path / "a.ome.zarr", in_a_file, *options)
    if name == "PART":
        program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
        subprocess.run([program, "finish", store], check=True, stdout=subprocess.DEVNULL)
    if isinstance(holds, str):  # the file and the test that shows what it does
        file, test = holds.split()
        assert f"def {test}(" in open(file).read()
    else:
        assert holds(store)
    assert messages == []
    assert name == "COPY_SRC_MDD" or gdal.Open(store).GetMetadataItem("PATIENT") == "a name"


@pytest.mark.parametrize("threads, n_more", [("0", 0), ("1", 0), ("4", 3)])
def test_NUM_THREADS_is_the_number_of_threads(tmp_path, threads, n_more):
    """What MEM holds is read by the caller alone: the others are workers."""
    found = set()
    before = len(os.listdir("/proc/self/task"))
    gdaltest.create_copy(tmp_path / "a.ome.zarr", source(), f"NUM_THREADS={threads}", "BLOCKSIZE=16",
                         callback=lambda *_: found.add(len(os.listdir("/proc/self/task")) - before) or 1)
    assert max(found) == n_more


def test_MEMORY_below_the_least_is_raised_with_a_warning(tmp_path):
    """That it is the bound is measured in tests/writer/test_memory.c."""
    with gdaltest.collected_messages() as messages:
        gdaltest.write(tmp_path / "a.ome.zarr", source(), "MEMORY=64MB")
        assert messages == []
        gdaltest.write(tmp_path / "b.ome.zarr", source(), "MEMORY=1")
    assert len(messages.warnings()) == 1 and "MEMORY=1" in messages.warnings()[0]


@pytest.mark.parametrize("name,value", [(name, value) for name, (_, _, bad) in OPTIONS.items() for value in bad
                                        if value.isascii()])  # Python's module passes UTF-8 only; see the C tests
def test_bad_value_is_refused_before_anything_is_written(tmp_path, name, value):
    needed = [o for o in OPTIONS[name][0] if not o.startswith(name + "=")]
    message = gdaltest.refused(tmp_path / "a.ome.zarr", source(), *needed, f"{name}={value}")
    items = [item for item in re.split("[,;]", value) if item]
    assert name in message.upper() and (value in message or any(item in message for item in items)), message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option,near", [("PREDICTOR=2", "SHUFFLE"), ("TILED=YES", "BLOCKSIZE"), ("BIGTIFF=YES", "BIGTIFF"),
                                         ("JPEG_QUALITY=75", "COMPRESS"), ("MAX_Z_ERROR=1", "COMPRESS"), ("SHARD_CHUNK_SHAPE=8,8", "SHARD"),
                                         ("COMPRES=ZSTD", "COMPRESS"), ("NUM_TREADS=2", "NUM_THREADS"), ("BLOCK_SIZE=64", "BLOCKSIZE")])
def test_options_of_other_drivers_and_typos_are_refused_with_the_nearest_of_ours(tmp_path, option, near):
    message = gdaltest.refused(tmp_path / "a.ome.zarr", source(), option)
    assert near in message and option.split("=")[0] in message
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_nobody_knows_is_gdals_warning(tmp_path):
    with gdaltest.collected_messages() as messages:
        store = gdaltest.write(tmp_path / "a.ome.zarr", source(), "MASKS=YES")
    assert [text for level, text in messages if level >= gdal.CE_Warning and "MASKS" in text]
    assert gdal.Open(store) is not None


@pytest.mark.parametrize("options,named", [
    (["NGFF_VERSION=0.4", "SHARD=128"], "SHARD"),
    (["COMPRESS=LZ4"], "LZ4"),
    (["COMPRESS=ZLIB"], "ZLIB"),
    (["COMPRESS=ZSTD", "BLOSC_CNAME=lz4"], "BLOSC_CNAME"),
    (["COMPRESS=ZSTD", "BLOSC_SHUFFLE=BIT"], "BLOSC_SHUFFLE"),
    (["COMPRESS=GZIP", "ZSTD_LEVEL=3"], "ZSTD_LEVEL"),
    (["COMPRESS=BLOSC", "LEVEL=12"], "LEVEL"),
    (["COMPRESS=GZIP", "LEVEL=0"], "LEVEL"),
    (["COMPRESS=NONE", "LEVEL=3"], "LEVEL"),
    (["COMPRESS=ZSTD", "LEVEL=3", "ZSTD_LEVEL=4"], "LEVEL"),
    (["BLOCKSIZE=64", "BLOCKXSIZE=32"], "BLOCK"),
    (["OVERVIEW_COUNT=2", "SCALE_FACTORS=2,4,8"], "SCALE_FACTORS"),
    (["OVERVIEWS=NONE", "OVERVIEW_COUNT=2"], "OVERVIEW"),
    (["OVERVIEWS=NONE", "SCALE_FACTORS=2"], "SCALE_FACTORS"),
    (["BLOCKSIZE=64", "SHARD=100"], "SHARD"),
    (["CHECKSUM=YES", "NGFF_VERSION=0.4", "COMPRESS=BLOSC"], "CHECKSUM=YES"),
    (["CHECKSUM=YES", "NGFF_VERSION=0.4", "COMPRESS=LZ4"], "COMPRESS=LZ4"),
])
def test_contradictions_are_refused_before_anything_is_written(tmp_path, options, named):
    message = gdaltest.refused(tmp_path / "a.ome.zarr", source(), *options)
    assert named in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("alias,holds", [
    ("VERSION=0.4", lambda s: ".zattrs" in gdaltest.files_of(s)), ("FORMAT=ZARR_V2", lambda s: ".zattrs" in gdaltest.files_of(s)),
    ("FORMAT=ZARR_V3", lambda s: "zarr.json" in gdaltest.files_of(s)), ("CHUNKS=32", lambda s: chunk(s) == [1, 32, 32]),
    ("SHARDS=1,64,64", lambda s: "sharding_indexed" in codec(s)), ("RESAMPLING=NEAREST", lambda s: shapes(s)),
    ("CREATE_CONSOLIDATED_METADATA=NO", lambda s: "consolidated_metadata" not in gdaltest.read_json(s + "/zarr.json")),
    ("DIMS=z:3", lambda s: axis(s, "z")), ("compress=gzip", lambda s: "gzip" in codec(s)),
    ("SCALE=y:2,x:3", lambda s: gdaltest.transforms(s)[0][0] == [1, 2, 3]), ("UNITS=y:um,x:um", lambda s: axis(s, "y")["unit"] == "micrometer"),
])
def test_other_spellings_are_accepted(tmp_path, alias, holds):
    smaller = ["BLOCKSIZE=32"] if alias.startswith("SHARDS") else []
    assert holds(gdaltest.write(tmp_path / "a.ome.zarr", source(), alias, *smaller))


@pytest.mark.parametrize("dtype,name", [("uint8", "zstd"), ("uint16", "blosc"), ("float32", "blosc")])
def test_compress_auto_is_zstd_for_bytes_and_blosc_for_wider_types(tmp_path, dtype, name):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(1, dtype))
    assert name in codec(store)
    if name == "blosc":
        assert codec(store)["blosc"]["cname"] == "zstd" and codec(store)["blosc"]["shuffle"] == "shuffle"


@pytest.mark.parametrize("yes", ["YES", "true", "1"])
def test_dry_run_writes_nothing_and_carries_the_plan(tmp_path, yes):
    before = gdaltest.snapshot(tmp_path)
    dataset = gdaltest.create_copy(tmp_path / "a.ome.zarr", source(), f"DRY_RUN={yes}", "BLOCKSIZE=32", "COMPRESS=NONE")
    assert dataset is not None and (dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount) == (90, 100, 3)
    domains = {domain: dataset.GetMetadata(domain) for domain in dataset.GetMetadataDomainList() or [""]}
    text = str(domains)
    for size in ("100", "50", "25"):
        assert size in text
    dataset = None
    assert gdaltest.snapshot(tmp_path) == before


def test_dry_run_on_an_existing_store_leaves_it(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    before = gdaltest.snapshot(tmp_path)
    dataset = gdaltest.create_copy(store, source(1), "DRY_RUN=YES", "OVERWRITE=YES")
    assert dataset.RasterCount == 1  # of the plan, not of the store
    dataset = None
    assert gdaltest.snapshot(tmp_path) == before


def test_a_memory_that_is_too_small_is_raised_with_a_warning_that_names_it(tmp_path):
    with gdaltest.collected_messages() as messages:
        gdaltest.write(tmp_path / "a.ome.zarr", source(3, "uint16", (600, 700)), "MEMORY=1")
    assert len(messages.warnings()) == 1 and "MEMORY=1: 1 bytes are too few" in messages.warnings()[0]


# -- Overviews of the source ---------------------------------------------------------------------------------------------


def source_with_overviews(tmp_path, factors, shape=(128, 96)):
    array = gdaltest.random_array((2,) + shape, "uint8")
    path = str(tmp_path / "source.tif")
    gdaltest.mem(array, driver="GTiff", path=path).FlushCache()
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.BuildOverviews("NEAREST", factors)
    for number in range(len(factors)):  # values that no reducer would give
        for i in (1, 2):
            dataset.GetRasterBand(i).GetOverview(number).Fill(100 + number)
    dataset = None
    return gdal.Open(path), array


def test_overviews_of_the_source_are_ignored_unless_asked_for(tmp_path):
    dataset, array = source_with_overviews(tmp_path, [2, 4])
    levels = gdaltest.our_levels(gdaltest.write(tmp_path / "a.ome.zarr", dataset, "BLOCKSIZE=32"))
    assert not (levels[1] == 100).all()


@pytest.mark.parametrize("option", ["AUTO", "FORCE_USE_EXISTING"])
def test_overviews_of_exact_size_are_taken(tmp_path, option):
    dataset, array = source_with_overviews(tmp_path, [2, 4])
    levels = gdaltest.our_levels(gdaltest.write(tmp_path / "a.ome.zarr", dataset, "BLOCKSIZE=32", f"OVERVIEWS={option}"))
    np.testing.assert_array_equal(levels[0], array)
    assert (levels[1] == 100).all() and (levels[2] == 101).all()


class TestOddOverviews:
    """A 3-fold overview is no level of a pyramid of twos."""

    def test_auto_makes_what_the_source_lacks(self, tmp_path):
        dataset, array = source_with_overviews(tmp_path, [3])
        levels = gdaltest.our_levels(gdaltest.write(tmp_path / "a.ome.zarr", dataset, "BLOCKSIZE=32", "OVERVIEWS=AUTO", "SCALE_FACTORS=2,4"))
        assert not (levels[1] == 100).all()

    def test_force_refuses_others_by_name(self, tmp_path):
        dataset, array = source_with_overviews(tmp_path, [3])
        message = gdaltest.refused(tmp_path / "a.ome.zarr", dataset, "OVERVIEWS=FORCE_USE_EXISTING", "SCALE_FACTORS=2,4", "BLOCKSIZE=32")
        assert "FORCE_USE_EXISTING" in message or "verview" in message
        assert not (tmp_path / "a.ome.zarr").exists()


    def test_planes_that_are_means_of_several_are_no_level(self, tmp_path):
        array = gdaltest.random_array((4, 64, 48), "uint8")
        halved = gdaltest.write(tmp_path / "z.ome.zarr", gdaltest.mem(array), "AXES=z:4", "SCALE_FACTORS=z:2,y:2,x:2")
        options = ["AXES=z:4", "SCALE_FACTORS=y:2,x:2"]
        want = gdaltest.our_levels(gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), *options))
        found = gdaltest.our_levels(gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(halved), "OVERVIEWS=AUTO", *options))
        np.testing.assert_array_equal(found[1], want[1])
        assert "24 x 32" in gdaltest.refused(tmp_path / "c.ome.zarr", gdal.Open(halved), "OVERVIEWS=FORCE_USE_EXISTING", *options)


# -- Axes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes,dims,shape", [("t:3,c:2,z:2", "tczyx", [3, 2, 2]), ("z:12", "zyx", [12]), ("c:4,z:3", "czyx", [4, 3]), ("t:12", "tyx", [12])])
def test_bands_become_the_axes_that_the_user_names(tmp_path, axes, dims, shape):
    array = gdaltest.random_array((12, 20, 30), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), f"AXES={axes}", "OVERVIEW_COUNT=0")
    assert [a["name"] for a in gdaltest.ome(store)["multiscales"][0]["axes"]] == list(dims)
    pytest.importorskip("zarr")
    np.testing.assert_array_equal(gdaltest.zarr_levels(store)[0], array.reshape(shape + [20, 30]))
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


def test_levels_of_factor_z1_y3_x2_are_exact(tmp_path):
    import ngffmodel

    array = gdaltest.random_array((6, 30, 44), "uint16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "AXES=z:6", "SCALE_FACTORS=z:1,y:3,x:2;z:2,y:6,x:4")
    pytest.importorskip("zarr")
    found = gdaltest.zarr_levels(store)
    one = ngffmodel.reduce(array, (1, 3, 2))
    np.testing.assert_array_equal(found[1], one)
    np.testing.assert_array_equal(found[2], ngffmodel.reduce(one, (2, 2, 2)))


@pytest.mark.parametrize("options, z", [([], [8, 8, 8]), (["SCALE_FACTORS=ISOTROPIC"], [8, 4, 2]),
                                        (["SCALE_FACTORS=ISOTROPIC", "AXIS_SCALE=z:2,y:1,x:1"], [8, 8, 4])])
def test_z_is_halved_only_if_asked_and_in_GDAL_its_levels_are_overviews(tmp_path, options, z):
    array = gdaltest.random_array((8, 64, 80), "uint16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "AXES=z:8", "BLOCKSIZE=16", "OVERVIEW_COUNT=2", *options)
    pytest.importorskip("zarr")
    levels = gdaltest.zarr_levels(store)
    assert [level.shape[0] for level in levels] == z
    for found, level in zip(gdaltest.our_levels(store), levels):
        np.testing.assert_array_equal(found, np.repeat(level, 8 // level.shape[0], 0))
    view = gdal.Translate("", store, format="MEM", width=20, height=16)
    np.testing.assert_array_equal(gdaltest.pixels(view), np.repeat(levels[2], 8 // z[2], 0))


@pytest.mark.parametrize("value", ["lots", "-1", "2.5", "", "1025"])
def test_bad_GDAL_NUM_THREADS_is_a_warning_as_in_other_drivers(tmp_path, value):
    array = gdaltest.smooth_array((1, 40, 50), "uint8")
    with gdaltest.config_option("GDAL_NUM_THREADS", value), gdaltest.collected_messages() as messages:
        gdaltest.write(tmp_path / "pulled.ome.zarr", gdaltest.mem(array))
        dataset = gdal.GetDriverByName("OMEZARR").Create(str(tmp_path / "pushed.ome.zarr"), 50, 40)
        dataset.WriteRaster(0, 0, 50, 40, array.tobytes())
        dataset = None
    assert messages.errors() == [] and any(f"GDAL_NUM_THREADS={value} " in text for text in messages.warnings())
    for name in ["pulled", "pushed"]:
        assert (gdaltest.pixels(gdal.Open(f"{tmp_path}/{name}.ome.zarr")) == array).all()


# -- What to type instead ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option,words", [("ADD_ALPHA=YES", "gdalwarp -dstalpha"), ("ALIGNED_LEVELS=3", "gdalwarp"),
                                          ("TILING_SCHEME=GoogleMapsCompatible", "gdalwarp"), ("COPY_SRC_OVERVIEWS=YES", "OVERVIEWS=AUTO"),
                                          ("PROFILE=GDALGeoTIFF", "COPY_SRC_MDD=NO")])
def test_options_of_other_drivers_are_answered_by_what_helps_here(tmp_path, option, words):
    text = gdaltest.refused(tmp_path / "a.ome.zarr", gdaltest.mem(np.zeros((8, 8), "uint8")), option)
    assert option.split("=")[0] in text and words in text and "nearest is" not in text


@pytest.mark.parametrize("name,hint", [("x.zarr.zip", 'OMEZARR:"/vsizip/'), ("x.zip", 'OMEZARR:"/vsizip/'), ("x.tif", "it is a file")])
def test_a_file_behind_the_prefix_is_told_how_to_open_it(tmp_path, name, hint):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(np.full((8, 8), 3, "uint8")))
    path = str(tmp_path / name)
    shutil.move(shutil.make_archive(str(tmp_path / "made"), "zip", store), path)
    with gdaltest.collected_messages() as messages:
        try:
            opened = gdal.Open(f'OMEZARR:"{path}"')
        except RuntimeError as error:
            messages.append((gdal.CE_Failure, str(error)))
            opened = None
    text = "\n".join(messages.errors())
    assert opened is None and path in text and hint in text
    if "zip" in name:
        assert f'OMEZARR:"/vsizip/{path}"' in text
        assert (gdaltest.pixels(gdal.Open(f'OMEZARR:"/vsizip/{path}"')) == 3).all()


@pytest.mark.parametrize("is_ours,words", [(True, "without -ro"), (False, "gdal_translate -of OMEZARR")])
def test_levels_that_cannot_be_added_are_answered_by_what_helps(tmp_path, is_ours, words):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(np.full((80, 80), 3, "uint8")), "OVERVIEWS=NONE")
    if not is_ours:
        document = gdaltest.read_json(f"{store}/zarr.json")
        del document["attributes"]["omezarr"]
        with open(f"{store}/zarr.json", "w", encoding="utf-8") as file:
            json.dump(document, file)
    done = subprocess.run(["gdaladdo", "-q", "-ro", store, "2"], capture_output=True, text=True)
    assert done.returncode != 0 and store in done.stderr and words in done.stderr
