"""Pixels that name classes are never averaged: whichever way GDAL or NGFF says so, through each way of writing. And
pictures whose smallest value is white are not shown as their negative."""

import json
import os
import subprocess

import gdaltest
import ngffmodel
import numpy as np
import pytest
import viewers
import webserver
from osgeo import gdal

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
FACTORS = ngffmodel.plain_factors(100, 120, 32)


def classes(values=(1, 50, 200), dtype="uint8"):
    return np.array(values, dtype)[np.random.default_rng(4).integers(0, len(values), (1, 100, 120))]


def table(kind=gdal.GRTT_THEMATIC, binning=None):
    rat = gdal.RasterAttributeTable()
    rat.CreateColumn("value", gdal.GFT_Integer, gdal.GFU_MinMax)
    rat.CreateColumn("class", gdal.GFT_String, gdal.GFU_Name)
    for row, value in enumerate((1, 50, 200)):
        rat.SetValueAsInt(row, 0, value)
        rat.SetValueAsString(row, 1, f"class {value}")
    rat.SetTableType(kind)
    if binning:
        rat.SetLinearBinning(*binning)
    return rat


def palette():
    colors = gdal.ColorTable()
    for value in (1, 50, 200):
        colors.SetColorEntry(value, (value, 255 - value, 7, 255))
    return colors


def say(band, how):
    """What a program says of a band."""
    if how == "palette":
        band.SetColorTable(palette())
    elif how == "categories":
        band.SetCategoryNames(["none", "water", "wood"])
    elif how == "table":
        band.SetDefaultRAT(table())
    elif how == "direct bins":
        band.SetDefaultRAT(table(binning=(0, 1)))
    elif how == "layer type":
        band.SetMetadataItem("LAYER_TYPE", "thematic")
    elif how == "one bit":
        band.SetMetadataItem("NBITS", "1", "IMAGE_STRUCTURE")
    elif how == "measured table":
        band.SetDefaultRAT(table(gdal.GRTT_ATHEMATIC))
    elif how == "wide bins":
        band.SetDefaultRAT(table(binning=(0, 4)))
    elif how == "measured layer":
        band.SetMetadataItem("LAYER_TYPE", "athematic")
        band.SetDefaultRAT(table())
        band.SetCategoryNames(["none", "water", "wood"])
    elif how == "eight bits":
        band.SetMetadataItem("NBITS", "7", "IMAGE_STRUCTURE")


CLASSES = ["palette", "categories", "table", "direct bins", "layer type", "one bit"]
MEASURED = ["measured table", "wide bins", "measured layer", "eight bits"]


def said(how, dtype="uint8"):
    array = classes((0, 1, 1) if how == "one bit" else (1, 50, 200), dtype)
    source = gdaltest.mem(array, geotransform=GT, code="EPSG:32633")
    say(source.GetRasterBand(1), how)
    return array, source


def assert_levels(path, array, method):
    expected = ngffmodel.pyramid(array, FACTORS, method)
    assert len(expected) > 2
    for got, want in zip(gdaltest.our_levels(path), expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("how", CLASSES + MEASURED)
def test_a_copy_knows_classes(tmp_path, how):
    array, source = said(how)
    with gdaltest.collected_messages() as messages:
        path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    assert_levels(path, array, "MODE" if how in CLASSES else "AVERAGE")
    assert messages == []


@pytest.mark.parametrize("how", ["palette", "categories", "table", "layer type", "one bit"])
def test_a_copy_of_the_copy_knows_them_too(tmp_path, how):
    array, source = said(how)
    first = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", "OVERVIEWS=NONE")
    assert_levels(gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(first), "BLOCKSIZE=32"), array, "MODE")


@pytest.mark.parametrize("how", CLASSES + MEASURED)
def test_create_knows_what_is_said_until_the_end(tmp_path, how):
    array, _ = said(how)
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.mem(array, driver="OMEZARR", path=path, options=["BLOCKSIZE=32"])
    dataset.FlushCache()
    say(dataset.GetRasterBand(1), how)
    del dataset
    assert_levels(path, array, "MODE" if how in CLASSES else "AVERAGE")


@pytest.mark.parametrize("how", CLASSES)
def test_a_store_that_is_there_learns_it(tmp_path, how):
    array, _ = said(how)
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32")
    assert_levels(path, array, "AVERAGE")
    dataset = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE)
    say(dataset.GetRasterBand(1), how)
    del dataset
    assert_levels(path, array, "MODE")


def run(*command):
    done = subprocess.run([str(c) for c in command], env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("how,program", [(how, program) for how in ("palette", "categories", "table", "layer type", "one bit")
                                         for program in ("gdal_translate", "gdal_translate -srcwin", "gdalwarp")
                                         if program != "gdalwarp" or how not in ("categories", "one bit")])  # it does not say these
def test_programs_pass_it_on(tmp_path, how, program):
    array, source = said(how)
    tif = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(tif, source, 0, ["NBITS=1"] if how == "one bit" else []).FlushCache()
    path = tmp_path / "a.ome.zarr"
    program, *more = program.split()
    if more:
        more += ["0", "0", "120", "100"]
    run(program, "-q", "-of", "OMEZARR", "-co", "BLOCKSIZE=32", *more, tif, path)
    assert_levels(path, array, "MODE")


@pytest.mark.parametrize("dtype, method", [("int16", "MODE"), ("float32", "AVERAGE")])
def test_a_table_of_floats_is_one_of_ranges(tmp_path, dtype, method):
    array, source = said("table", dtype)
    assert_levels(gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32"), array, method)


def test_opacity_of_one_bit_is_no_class(tmp_path):
    array = np.concatenate([gdaltest.random_array((1, 100, 120), "uint8"), classes((0, 255))])
    source = gdaltest.mem(array)
    source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    source.GetRasterBand(2).SetMetadataItem("NBITS", "1", "IMAGE_STRUCTURE")
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    np.testing.assert_array_equal(gdaltest.our_levels(path)[1][1], ngffmodel.reduce(array[1], (2, 2)))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("has_key", [True, False])
def test_label_images_are_classes(tmp_path, version, has_key):
    """Of another writer, zarr-python, with and without "image-label"; and through a VRT."""
    pytest.importorskip("zarr")
    from omezarr_subdatasets import group, image, multiscale, put

    root, array = tmp_path / "a.zarr", classes((0, 7, 900), "int32")
    image(group(root, version), "yx", gdaltest.random_array((100, 120), "uint8"), version)
    put(group(root / "labels", version), version, labels=["cells"])
    cells = group(root / "labels" / "cells", version)
    put(cells, version, multiscales=[multiscale(cells, "yx", [array[0]], version=version)],
        **({"image-label": {"source": {"image": "../../"}}} if has_key else {}))
    name = f'OMEZARR:"{root}":labels/cells'
    assert gdaltest.open_band(name).GetMetadataItem("LAYER_TYPE") == "thematic"
    assert gdaltest.open_band(root).GetMetadataItem("LAYER_TYPE") is None
    first = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(name), "BLOCKSIZE=32")
    again = gdaltest.write(tmp_path / "c.ome.zarr", gdal.Open(first), "BLOCKSIZE=32")
    gdal.Translate(str(tmp_path / "d.ome.zarr"), name, format="OMEZARR", srcWin=[0, 0, 120, 100],
                   creationOptions=["BLOCKSIZE=32"])
    for path in (first, again, tmp_path / "d.ome.zarr"):
        assert_levels(path, array, "MODE")


# -- What the user says counts more ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["palette", "table"])
@pytest.mark.parametrize("method, warns", [("AVERAGE", True), ("GAUSS", True), ("NEAREST", False), ("MODE", False),
                                           ("MAX", False)])
def test_a_method_that_is_asked_for_is_taken(tmp_path, method, warns, how):
    array, source = said(how)
    with gdaltest.collected_messages() as messages:
        path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", f"OVERVIEW_RESAMPLING={method}")
    assert_levels(path, array, method)
    assert len(messages) == warns and all("not with their colours" in text for text in messages.warnings())


@pytest.mark.parametrize("by", ["option", "overviews"])
def test_create_warns_once_that_classes_are_averaged(tmp_path, by):
    array, _ = said("palette")
    path = str(tmp_path / "a.ome.zarr")
    with gdaltest.collected_messages() as messages:
        dataset = gdaltest.mem(array, driver="OMEZARR", path=path,
                               options=["BLOCKSIZE=32"] + ["OVERVIEW_RESAMPLING=AVERAGE"] * (by == "option"))
        assert messages == []
        dataset.GetRasterBand(1).SetColorTable(palette())
        if by == "overviews":
            dataset.BuildOverviews("AVERAGE", [2, 4])
            dataset.BuildOverviews("AVERAGE", [2, 4])
        del dataset
    assert [path in text and "OVERVIEW_RESAMPLING=AVERAGE" in text for text in messages.warnings()] == [True]
    assert_levels(path, array, "AVERAGE")


@pytest.mark.parametrize("options, told", [([], True), (["OVERVIEW_RESAMPLING=MODE"], False), (["OVERVIEWS=NONE"], False)])
def test_bands_of_both_kinds_are_named(tmp_path, options, told):
    array = np.concatenate([gdaltest.random_array((1, 100, 120), "uint8"), classes()])
    source = gdaltest.mem(array)
    say(source.GetRasterBand(2), "categories")
    with gdaltest.collected_messages() as messages:
        path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", *options)
    assert ["Band 2 holds classes and band 1 does not" in text for text in messages.warnings()] == [True] * told
    if options != ["OVERVIEWS=NONE"]:
        assert_levels(path, array, "MODE")


# -- Zero is white -----------------------------------------------------------------------------------------------------


def white_tiff(folder, bits):
    """A TIFF whose smallest value is white, as scanners and faxes write it: a ramp, or a fax."""
    path = str(folder / "white.tif")
    array = np.tile(np.arange(120, dtype="uint8") * 2, (100, 1))[None] if bits == 8 else classes((0, 1))
    options = ["PHOTOMETRIC=MINISWHITE"] + ([f"NBITS={bits}"] if bits != 8 else [])
    gdaltest.mem(array, GT, "EPSG:32633", driver="GTiff", path=path, options=options)
    return array, path


def inverted(path):
    return [channel["inverted"] for channel in gdaltest.ome(path)["omero"]["channels"]]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("bits", [8, 1])
def test_min_is_white(tmp_path, bits, version):
    array, tif = white_tiff(tmp_path, bits)
    first = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(tif), f"NGFF_VERSION={version}", "BLOCKSIZE=32")
    second = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(first), f"NGFF_VERSION={version}", "BLOCKSIZE=32")
    dataset = gdal.OpenEx(second, gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.SetMetadataItem("WHO", "me")
    del dataset
    for path in (first, second):
        assert inverted(path) == [True]
        dataset = gdal.Open(path)
        assert dataset.GetMetadataItem("MINISWHITE", "IMAGE_STRUCTURE") == "YES"
        colors = dataset.GetRasterBand(1).GetColorTable()
        assert [colors.GetColorEntry(i)[:3] for i in (0, 2 ** bits - 1)] == [(255,) * 3, (0,) * 3]
        assert_levels(path, array, "AVERAGE" if bits == 8 else "MODE")


@pytest.mark.parametrize("program", ["gdal_translate -srcwin 0 0 50 50", "gdalwarp"])
def test_a_white_zero_by_palette_passes_programs(tmp_path, program):
    _, tif = white_tiff(tmp_path, 1)
    program, *more = program.split()
    run(program, "-q", "-of", "OMEZARR", *more, tif, tmp_path / "a.ome.zarr")
    assert inverted(tmp_path / "a.ome.zarr") == [True]


def test_create_takes_a_white_zero(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.mem(classes((0, 9)), driver="OMEZARR", path=path)
    dataset.SetMetadataItem("MINISWHITE", "YES", "IMAGE_STRUCTURE")
    del dataset
    assert inverted(path) == [True]


@pytest.mark.parametrize("n, step, method", [(256, 1, "AVERAGE"), (256, -1, "AVERAGE"), (64, -1, "AVERAGE"), (200, 2, "MODE"),
                                             (8, 1, "MODE"), (255, 0, "MODE")])
def test_a_scale_of_greys_is_no_classes(tmp_path, n, step, method):
    greys = np.rint(np.linspace(0, 255, n)).astype(int)[::step] if step else np.arange(n) // 2
    array = (gdaltest.random_array((1, 100, 120), "uint8").astype(int) % n).astype("uint8")
    source, colors = gdaltest.mem(array), gdal.ColorTable()
    for value, grey in enumerate(greys):
        colors.SetColorEntry(value, (int(grey),) * 3 + (255,))
    if step == 2:
        colors.SetColorEntry(17, (1, 2, 3, 255))
    source.GetRasterBand(1).SetColorTable(colors)
    assert_levels(gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32"), array, method)


@pytest.mark.parametrize("greys, expected", [([0, 128, 255], False), ([255, 128, 0], True), ([255, 255, 255], False),
                                             ([255, 0, 255], False), ([9], False)])
def test_palettes_that_begin_with_white(tmp_path, greys, expected):
    colors = gdal.ColorTable()
    for value, grey in enumerate(greys):
        colors.SetColorEntry(value, (grey, grey, grey, 255))
    source = gdaltest.mem(classes((0, 1)))
    source.GetRasterBand(1).SetColorTable(colors)
    assert inverted(gdaltest.write(tmp_path / "a.ome.zarr", source)) == [expected]


def test_opacity_and_colours_are_not_inverted(tmp_path):
    source = gdaltest.mem(gdaltest.random_array((2, 20, 20), "uint8"))
    source.SetMetadataItem("MINISWHITE", "YES", "IMAGE_STRUCTURE")
    source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    assert inverted(gdaltest.write(tmp_path / "a.ome.zarr", source)) == [True, False]
    assert inverted(gdaltest.write(tmp_path / "b.ome.zarr", gdaltest.mem(classes()))) == [False]


def test_what_others_invert_is_seen(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(classes()))
    document = gdaltest.read_json(path + "/zarr.json")
    document["attributes"]["ome"]["omero"]["channels"][0]["inverted"] = True
    with open(path + "/zarr.json", "w") as file:
        json.dump(document, file)
    assert gdal.Open(path).GetMetadataItem("MINISWHITE", "IMAGE_STRUCTURE") == "YES"
    assert inverted(gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(path))) == [True]


@pytest.mark.parametrize("bits", [8, 1])
def test_a_viewer_shows_white_as_white(tmp_path, bits):
    """ome-zarr.js, which renders as OMERO does: what GDAL's grey or palette is, a person sees."""
    modules = os.path.join(viewers.PLACE, "node_modules")
    if not os.path.isdir(os.path.join(modules, "ome-zarr.js")):
        pytest.skip("scripts/viewers.sh has not installed ome-zarr.js")
    array, tif = white_tiff(tmp_path, bits)
    gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(tif), f"WINDOW=0:{1 if bits == 1 else 255}")
    with webserver.serve(str(tmp_path)) as server:
        done = subprocess.run(["node", os.path.join(viewers.SCRIPTS, "render.mjs"), modules, f"{server.url}/a.ome.zarr"],
                              capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = np.array(json.loads(done.stdout), "uint8").reshape(100, 120, 4)
    expected = 255 - array[0] * (255 if bits == 1 else 1)
    for color in range(3):
        assert np.abs(seen[..., color].astype(int) - expected).max() <= 1
