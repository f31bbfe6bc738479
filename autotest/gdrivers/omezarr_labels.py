"""NGFF label images (LABELS=YES): pixels of every level against MODE in NumPy, "image-label" against the colour table, the categories
and the attribute table, as the specification's schemas and readers of others see it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import faults
import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal

VALIDATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "validate_ngff.py")
TOOL = os.path.join(os.environ["GDAL_DRIVER_PATH"], "omezarr")
VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
HEIGHT, WIDTH, BLOCK = 101, 83, 32
FACTORS = ngffmodel.plain_factors(HEIGHT, WIDTH, BLOCK)


def labels(dtype="uint8", values=(0, 3, 7, 9), shape=(HEIGHT, WIDTH)):
    """Blobs, and single pixels that make ties in many windows."""
    random = np.random.default_rng(5)
    coarse = np.array(values, dtype)[random.integers(0, len(values), [-(-n // 8) for n in shape])]
    array = np.repeat(np.repeat(coarse, 8, 0), 8, 1)[:shape[0], :shape[1]].copy()
    noise = random.random(shape) < 0.3
    array[noise] = np.array(values, dtype)[random.integers(0, len(values), noise.sum())]
    return array


def palette(n=256, colors=None):
    table = gdal.ColorTable()
    for value in range(n):
        table.SetColorEntry(value, (colors or {}).get(value, (0, 0, 0, 255)))
    return table


def source(array=None, colors=None, categories=None, rat=None, n=256):
    dataset = gdaltest.mem(labels() if array is None else array)
    band = dataset.GetRasterBand(1)
    if colors:
        band.SetColorTable(palette(n, colors))
    if categories:
        band.SetCategoryNames(categories)
    if rat:
        band.SetDefaultRAT(rat)
    return dataset


def table_of_cells():
    rat = gdal.RasterAttributeTable()
    for name, type_, usage in (("v", gdal.GFT_Integer, gdal.GFU_MinMax), ("kind", gdal.GFT_String, gdal.GFU_Name),
                               ("area", gdal.GFT_Real, gdal.GFU_Generic), ("n", gdal.GFT_Integer, gdal.GFU_Generic)):
        rat.CreateColumn(name, type_, usage)
    for row, (value, name, area, n) in enumerate([(3, 'a "µ"', 1.5, 4), (200, "not here", 0.25, -1)]):
        rat.SetValueAsInt(row, 0, value)
        rat.SetValueAsString(row, 1, name)
        rat.SetValueAsDouble(row, 2, area)
        rat.SetValueAsInt(row, 3, n)
    rat.SetTableType(gdal.GRTT_THEMATIC)
    return rat


COLORS = {0: (0, 0, 0, 0), 3: (255, 0, 0, 255), 7: (0, 0, 0, 255), 50: (1, 2, 3, 255), 200: (9, 8, 7, 128)}


def image_label(store):
    return gdaltest.ome(store)["image-label"]


def rgba_of(label):
    return {entry["label-value"]: tuple(entry["rgba"]) for entry in label["colors"]}


def properties_of(label):
    return {entry["label-value"]: {k: v for k, v in entry.items() if k != "label-value"} for entry in label["properties"]}


def validate(*stores):
    for store in stores:
        done = subprocess.run([TOOL, "validate", "--strict", store], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (0, "valid\n")


def test_validators_of_others_agree(tmp_path):
    """All in one run, because it takes them seconds to start."""
    if not gdaltest.have("ngff_zarr", "ome_zarr_models", "yaozarrs"):
        pytest.skip("no validators of others")
    stores = []
    for version in ("0.4", "0.5"):
        options = [f"BLOCKSIZE={BLOCK}", f"NGFF_VERSION={version}"]
        stores.append(gdaltest.write(tmp_path / f"{version}.ome.zarr", source(None, COLORS, rat=table_of_cells()), "LABELS=YES", *options))
        stores.append(image(tmp_path / f"image-{version}.ome.zarr", f"NGFF_VERSION={version}"))
        gdaltest.write(name_of(stores[-1]), source(None, COLORS, ["nothing"]), f"BLOCKSIZE={BLOCK}")
        stores.append(gdaltest.write(tmp_path / f"stack-{version}.ome.zarr", gdaltest.mem(IMAGE), "AXES=z:3", *options))
        gdaltest.write(name_of(stores[-1]), source(None, COLORS, ["nothing"]))  # one plane for all
    done = subprocess.run([sys.executable, VALIDATOR, "-q", *stores], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# -- A store of its own ------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("dtype,values", [("uint8", (0, 3, 7, 9)), ("uint16", (0, 3, 7, 60000)), ("int32", (-5, 0, 3, 1 << 30)),
                                          ("uint32", (0, 3, 7, 4000000000))])
def test_levels_are_modes_at_0_1_2(tmp_path, version, dtype, values):
    array = labels(dtype, values)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "LABELS=YES", f"BLOCKSIZE={BLOCK}", f"NGFF_VERSION={version}")
    assert [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]] == ["0", "1", "2"]
    for found, expected in zip(gdaltest.zarr_levels(store), ngffmodel.pyramid(array, FACTORS, "MODE"), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert "omero" not in gdaltest.ome(store) and gdaltest.ome(store)["multiscales"][0]["type"] == "mode"
    assert image_label(store) == ({"version": "0.4"} if version == "0.4" else {})  # there is nothing to say


def test_colours_are_of_values_that_occur_or_have_a_meaning(tmp_path):
    array = labels()
    every = {value: COLORS.get(value, (0, 0, 0, 255)) for value in range(256)}
    stores = [gdaltest.write(tmp_path / f"{version}.ome.zarr", source(array, COLORS, rat=table_of_cells()), "LABELS=YES",
                             f"BLOCKSIZE={BLOCK}", f"NGFF_VERSION={version}") for version in ("0.4", "0.5")]
    for store, version in zip(stores, ("0.4", None)):
        label = image_label(store)
        assert rgba_of(label) == {value: every[value] for value in sorted({*np.unique(array).tolist(), 3, 200})}
        assert label.get("version") == version and "source" not in label
        said = {3: {"name": 'a "µ"', "area": 1.5, "n": 4}, 200: {"name": "not here", "area": 0.25, "n": -1}}
        assert properties_of(label) == {value: said.get(value, {}) for value in rgba_of(label)}  # as ome-zarr-models wants it
    validate(*stores)


def test_categories_are_names(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(None, COLORS, ["nothing", "", "", "cell"]), "LABELS=YES")
    assert properties_of(image_label(store)) == {0: {"name": "nothing"}, 3: {"name": "cell"}, 7: {}, 9: {}}


def test_rows_of_a_table_without_values_count_from_its_first(tmp_path):
    rat = gdal.RasterAttributeTable()
    rat.CreateColumn("kind", gdal.GFT_String, gdal.GFU_Name)
    for row, name in enumerate(["three", "four"]):
        rat.SetValueAsString(row, 0, name)
    rat.SetLinearBinning(3, 1)
    rat.SetTableType(gdal.GRTT_THEMATIC)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(None, COLORS, rat=rat), "LABELS=YES")
    assert {value: said for value, said in properties_of(image_label(store)).items() if said} == {
        3: {"name": "three"}, 4: {"name": "four"}}


def test_a_table_of_ranges_stays_in_the_block(tmp_path):
    rat = gdal.RasterAttributeTable()
    for name, usage in (("from", gdal.GFU_Min), ("to", gdal.GFU_Max), ("class", gdal.GFU_Name)):
        rat.CreateColumn(name, gdal.GFT_String if usage == gdal.GFU_Name else gdal.GFT_Integer, usage)
    rat.SetValueAsInt(0, 1, 5)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(rat=rat), "LABELS=YES")
    assert image_label(store) == {} and gdaltest.open_band(store).GetDefaultRAT().GetNameOfCol(1) == "to"


def test_colours_of_an_attribute_table(tmp_path):
    rat = gdal.RasterAttributeTable()
    for name, usage in (("value", gdal.GFU_MinMax), ("r", gdal.GFU_Red), ("g", gdal.GFU_Green), ("b", gdal.GFU_Blue)):
        rat.CreateColumn(name, gdal.GFT_Integer, usage)
    for row, line in enumerate([(3, 10, 20, 30), (7, 40, 50, 60)]):
        for column, value in enumerate(line):
            rat.SetValueAsInt(row, column, value)
    label = image_label(gdaltest.write(tmp_path / "a.ome.zarr", source(rat=rat), "LABELS=YES"))
    assert rgba_of(label)[3] == (10, 20, 30, 255) and rgba_of(label)[7] == (40, 50, 60, 255)
    assert not any(properties_of(label).values())


@VERSIONS
def test_the_way_there_and_back_is_a_fixed_point(tmp_path, version):
    first = source(None, COLORS, ["nothing", "", "", "cell"], table_of_cells())
    options = ["LABELS=YES", f"BLOCKSIZE={BLOCK}", f"NGFF_VERSION={version}"]
    one = gdaltest.write(tmp_path / "a.ome.zarr", first, *options)
    two = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(one), *options)
    band, before = gdaltest.open_band(two), first.GetRasterBand(1)
    assert band.GetColorInterpretation() == gdal.GCI_PaletteIndex
    assert [band.GetColorTable().GetColorEntry(i) for i in range(256)] == [before.GetColorTable().GetColorEntry(i) for i in range(256)]
    assert band.GetCategoryNames() == before.GetCategoryNames()
    assert band.GetDefaultRAT().GetValueAsString(0, 1) == 'a "µ"'
    assert gdaltest.tree_digest(one) == gdaltest.tree_digest(two)


@pytest.mark.parametrize("dtype, last", [("int32", 100000), ("uint8", 200)])
def test_what_another_writer_says_of_labels_goes_on(tmp_path, dtype, last):
    """GDAL has no colour table for 32 bits, of which 8 bits have one, and no place for free properties, nor for colours of
    what does not occur."""
    array = labels(dtype, (0, 3, 100000) if dtype == "int32" else (0, 3, 7))
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "LABELS=YES", f"BLOCKSIZE={BLOCK}")
    with open(store + "/zarr.json") as file:
        document = json.load(file)
    said = {"colors": [{"label-value": 3, "rgba": [1, 2, 3, 4]}, {"label-value": last, "rgba": [5, 6, 7, 255]}],
            "properties": [{"label-value": last, "lineage": {"parent": 3}, "areas": [1, 2.5]}]}
    document["attributes"]["ome"]["image-label"] = said
    del document["attributes"]["omezarr"]
    with open(store + "/zarr.json", "w") as file:
        json.dump(document, file)
    assert image_label(gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(store), "LABELS=YES")) == said


def test_a_value_that_is_painted_later_gets_its_colour(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(None, COLORS), "LABELS=YES", f"BLOCKSIZE={BLOCK}")
    before = rgba_of(image_label(store))
    assert 50 not in before
    dataset = gdal.OpenEx(store, gdal.OF_UPDATE)
    dataset.GetRasterBand(1).WriteRaster(5, 6, 3, 2, bytes([50] * 6))
    dataset = None
    assert rgba_of(image_label(store)) == {**before, 50: (1, 2, 3, 255)}
    dataset = gdal.OpenEx(store, gdal.OF_UPDATE)
    dataset.GetRasterBand(1).SetCategoryNames(["a"])
    dataset = None
    assert rgba_of(image_label(store)) == {**before, 50: (1, 2, 3, 255)} and properties_of(image_label(store))[0] == {"name": "a"}


def test_pixels_that_are_pushed(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.OMEZARR.Create(path, WIDTH, HEIGHT, 1, gdal.GDT_Byte, ["LABELS=YES", f"BLOCKSIZE={BLOCK}"])
    dataset.GetRasterBand(1).SetColorTable(palette(256, COLORS))
    array = labels()
    dataset.GetRasterBand(1).WriteRaster(0, 0, WIDTH, HEIGHT, array.tobytes())
    dataset = None
    assert set(rgba_of(image_label(path))) == set(np.unique(array).tolist())
    np.testing.assert_array_equal(gdaltest.zarr_levels(path)[2], ngffmodel.pyramid(array, FACTORS, "MODE")[2])


@pytest.mark.parametrize("options,array,words", [
    ([], labels().astype("float32"), "whole numbers"),
    (["LAYOUT=SCALES"], labels(), "LAYOUT=SCALES"),
    (["COLOR_INTERPRETATION=red,green,blue"], np.stack([labels()] * 3), "give the band of labels alone"),
    (["COLOR_INTERPRETATION=gray,alpha"], np.stack([labels()] * 2), "give the band of labels alone")])
def test_what_is_no_label_image_is_refused(tmp_path, options, array, words):
    message = gdaltest.refused(tmp_path / "a.ome.zarr", gdaltest.mem(array), "LABELS=YES", *options)
    assert words in message and "LABELS=YES" in message or words == "LAYOUT=SCALES" and words in message
    assert list(tmp_path.iterdir()) == []


# -- Beside an image ---------------------------------------------------------------------------------------------------------


IMAGE = gdaltest.smooth_array((3, HEIGHT, WIDTH), "uint16")


def image(path, *options, array=IMAGE):
    return gdaltest.write(path, gdaltest.mem(array), f"BLOCKSIZE={BLOCK}", "AXIS_SCALE=y:0.5,x:0.25", "AXIS_UNITS=y:um,x:um", *options)


def name_of(store, label="labels/cells"):
    return f'OMEZARR:"{store}":{label}'


def group_of(store):
    document = gdaltest.attributes(store + "/labels")
    return document.get("ome", document)["labels"]


def copies_of(store, version):
    document = gdaltest.read_json(f"{store}/.zmetadata" if version == "0.4" else f"{store}/zarr.json")
    return (document if version == "0.4" else document["consolidated_metadata"])["metadata"]


def assert_copies_are_right(store, version):
    """Every document below labels/ has a copy in the root that is equal to it, and no other is there."""
    names = (".zarray", ".zgroup", ".zattrs") if version == "0.4" else ("zarr.json",)
    found = {}
    for folder, _, files in os.walk(store + "/labels"):
        for name in set(names) & set(files):
            key = os.path.relpath(folder, store)
            found[f"{key}/{name}" if version == "0.4" else key] = gdaltest.read_json(f"{folder}/{name}")
    assert {key: value for key, value in copies_of(store, version).items() if key.split("/")[0] == "labels"} == found


def verify(store):
    done = subprocess.run([TOOL, "verify", store], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout


@VERSIONS
def test_a_label_beside_an_image(tmp_path, version):
    store = image(tmp_path / "a.ome.zarr", f"NGFF_VERSION={version}")
    before = gdaltest.files_of(store)
    array = labels()
    with gdaltest.collected_messages() as messages:
        name = gdaltest.write(name_of(store), source(array, COLORS, ["nothing"]), f"BLOCKSIZE={BLOCK}")
    assert messages == [] and group_of(store) == ["cells"]
    assert set(gdaltest.files_of(store)) > set(before) and not [n for n in os.listdir(store + "/labels") if "partial" in n or "dirty" in n]
    assert gdal.Open(store).GetSubDatasets()[1] == (name, "label cells")
    for found, expected in zip(gdaltest.zarr_levels(store + "/labels/cells"), ngffmodel.pyramid(array, FACTORS, "MODE"), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert image_label(store + "/labels/cells")["source"] == {"image": "../../"}
    scales, ours = gdaltest.transforms(store), gdaltest.transforms(store + "/labels/cells")
    assert [s[0][1:] for s in scales] == [s[0] for s in ours] and [s[1][1:] for s in scales] == [s[1] for s in ours]
    assert [a.get("unit") for a in gdaltest.axes(store + "/labels/cells")] == ["micrometer"] * 2
    assert gdal.Open(name).GetRasterBand(1).GetColorTable().GetColorEntry(3) == COLORS[3]
    assert_copies_are_right(store, version)
    validate(store)
    assert verify(store) == (0, f"{store}: whole\n")


def test_programs_of_others_see_it(tmp_path):
    reader = pytest.importorskip("ome_zarr.reader")
    io = pytest.importorskip("ome_zarr.io")
    zarr = pytest.importorskip("zarr")
    store, array = image(tmp_path / "a.ome.zarr"), labels("int32", (0, 3, 7, 70000))
    gdaltest.write(name_of(store), source(array), f"BLOCKSIZE={BLOCK}")
    nodes = list(reader.Reader(io.parse_url(store))())
    found = [node for node in nodes if any(isinstance(spec, reader.Label) for spec in node.specs)]
    assert len(found) == 1
    np.testing.assert_array_equal(np.asarray(found[0].data[0]), array)
    consolidated = zarr.open_consolidated(store)
    assert list(consolidated["labels"].attrs["ome"]["labels"]) == ["cells"]
    np.testing.assert_array_equal(consolidated["labels/cells/1"][:], ngffmodel.pyramid(array, FACTORS, "MODE")[1])


def test_a_stack_and_the_depth_of_its_labels(tmp_path):
    array = gdaltest.smooth_array((6, 40, 30), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "AXES=c:2,z:3", "AXIS_SCALE=z:2,y:0.5,x:0.25",
                           "SCALE_FACTORS=y:2,x:2;z:2,y:4,x:4")
    cells = np.stack([labels(shape=(40, 30))] * 3)
    name = gdaltest.write(name_of(store), gdaltest.mem(cells), "AXES=z:3", f"BLOCKSIZE=z:2,y:{BLOCK},x:{BLOCK}")
    assert [d["coordinateTransformations"][0]["scale"] for d in gdaltest.ome(store + "/labels/cells")["multiscales"][0]["datasets"]] == [
        [2, 0.5, 0.25], [2, 1, 0.5], [4, 2, 1]]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(name)), cells)
    two = gdaltest.refused(name_of(store, "labels/two"), gdaltest.mem(cells[:2]), "AXES=z:2")
    assert "2 planes on axis z" in two and "the image 3" in two and "one for all of them" in two
    flat = gdaltest.write(name_of(store, "labels/flat"), gdaltest.mem(cells[:1]))  # of all planes: the axis is irrelevant to it
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(flat)), cells[:1])
    assert group_of(store) == ["cells", "flat"]


def test_readers_of_others_take_one_plane_for_all(tmp_path):
    reader = pytest.importorskip("ome_zarr.reader")
    io = pytest.importorskip("ome_zarr.io")
    stack = gdaltest.smooth_array((3, 40, 30), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(stack), "AXES=z:3", "AXIS_SCALE=z:2,y:0.5,x:0.5", f"BLOCKSIZE={BLOCK}")
    array = labels(shape=(40, 30))
    gdaltest.write(name_of(store), gdaltest.mem(array))
    nodes = list(reader.Reader(io.parse_url(store))())
    found = [node for node in nodes if any(isinstance(spec, reader.Label) for spec in node.specs)]
    assert [node.data[0].shape for node in nodes if node.data] == [stack.shape, array.shape]
    np.testing.assert_array_equal(np.asarray(found[0].data[0]), array)


def test_overwrite_replaces_a_label_and_nothing_else(tmp_path):
    store = image(tmp_path / "a.ome.zarr")
    name = gdaltest.write(name_of(store), source(labels(values=(1, 2)), COLORS))
    digest = gdaltest.tree_digest(store)
    assert "OVERWRITE=YES" in gdaltest.refused(name, source())
    assert gdaltest.tree_digest(store) == digest
    second = labels("uint16", values=(5, 60000))
    gdaltest.write(name, gdaltest.mem(second), "OVERWRITE=YES")
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(name))[0], second)
    gdaltest.write(name_of(store, "labels/other"), source())
    assert group_of(store) == ["cells", "other"]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(store)), IMAGE)
    assert_copies_are_right(store, "0.5")
    os.makedirs(store + "/labels/mine")
    with open(store + "/labels/mine/thesis.doc", "w") as file:
        file.write("years of work")
    assert "not an OME-Zarr" in gdaltest.refused(name_of(store, "labels/mine"), source(), "OVERWRITE=YES")
    assert os.listdir(store + "/labels/mine") == ["thesis.doc"] and group_of(store) == ["cells", "other"]


@pytest.mark.parametrize("name,array,options,words", [
    ("labels/cells", labels()[:-1], [], "axis y"),
    ("labels/cells", labels(), ["OVERVIEW_COUNT=1"], "OVERVIEW_COUNT=1"),
    ("labels/cells", labels(), ["NGFF_VERSION=0.4"], "NGFF_VERSION=0.4"),
    ("labels/cells", labels().astype("float32"), [], "whole numbers"),
    ("labels/deep/inner", labels(), [], "no place for a label image"),
    ("labels/.hidden", labels(), [], "no place for a label image"),
    ("labels/../cells", labels(), [], "no place for a label image"),
    ("scale0/image", labels(), [], "names a part of a store")])
def test_what_does_not_fit_is_refused(tmp_path, name, array, options, words):
    store = image(tmp_path / "a.ome.zarr")
    digest = gdaltest.tree_digest(store)
    assert words in gdaltest.refused(name_of(store, name), gdaltest.mem(array), *options)
    assert gdaltest.tree_digest(store) == digest


def test_a_list_of_labels_that_is_none_is_not_made_anew(tmp_path):
    """It may be the work of another program, and names labels that would be lost."""
    store = image(tmp_path / "a.ome.zarr")
    gdaltest.write(name_of(store), source())
    group = f"{store}/labels/zarr.json"
    document = gdaltest.read_json(group)
    document["attributes"]["ome"]["labels"] = {"cells": 1}
    with open(group, "w", encoding="utf-8") as file:
        json.dump(document, file)
    with pytest.raises(RuntimeError, match='"labels" is no list'):
        gdaltest.write(name_of(store, "labels/more"), source())
    assert gdaltest.read_json(group) == document


def test_one_file_and_no_image_are_refused(tmp_path):
    store = image(tmp_path / "a.ozx")
    assert "in which nothing is changed" in gdaltest.refused(name_of(store), source())
    assert "b.ome.zarr" in gdaltest.refused(name_of(tmp_path / "b.ome.zarr"), source())
    assert os.listdir(tmp_path) == ["a.ozx"]


@VERSIONS
def test_a_change_of_the_image_keeps_its_labels(tmp_path, version):
    store = image(tmp_path / "a.ome.zarr", f"NGFF_VERSION={version}")
    gdaltest.write(name_of(store), source(None, COLORS))
    gdaltest.write(name_of(store, "labels/others"), source(None, COLORS))
    with gdaltest.collected_messages() as messages:
        dataset = gdal.OpenEx(store, gdal.OF_UPDATE)
        dataset.GetRasterBand(2).WriteRaster(0, 0, 2, 1, bytes(4))
        dataset = None
    assert messages == [] and group_of(store) == ["cells", "others"]
    assert_copies_are_right(store, version)
    assert verify(store) == (0, f"{store}: whole\n")
    with gdaltest.collected_messages() as messages:
        dataset = gdal.OpenEx(store, gdal.OF_UPDATE)
        dataset.BuildOverviews("AVERAGE", [8])
        dataset = None
    assert len(messages) == 1 and "4 levels now; its label images (2)" in messages[0][1], messages


def test_a_change_of_a_label_keeps_what_it_is_of(tmp_path):
    store = image(tmp_path / "a.ome.zarr")
    gdaltest.write(name_of(store), source(None, COLORS))
    label = store + "/labels/cells"
    before = image_label(label)
    dataset = gdal.OpenEx(label, gdal.OF_UPDATE)
    dataset.GetRasterBand(1).WriteRaster(5, 6, 3, 2, bytes([50] * 6))
    dataset = None
    assert image_label(label)["source"] == before["source"] and 50 in rgba_of(image_label(label))


@VERSIONS
def test_a_change_of_a_label_reaches_the_copies_in_the_root(tmp_path, version):
    """Readers of consolidated metadata would see its old levels, colours and statistics."""
    store = image(tmp_path / "a.ome.zarr", f"NGFF_VERSION={version}")
    gdaltest.write(name_of(store), source(None, COLORS))
    before = copies_of(store, version)
    dataset = gdal.OpenEx(store + "/labels/cells", gdal.OF_UPDATE)
    dataset.GetRasterBand(1).WriteRaster(5, 6, 3, 2, bytes([50] * 6))
    dataset.GetRasterBand(1).SetDescription("nuclei")
    dataset = None
    assert copies_of(store, version) != before
    assert_copies_are_right(store, version)
    assert verify(store) == (0, f"{store}: whole\n") and ".omezarr-dirty" not in os.listdir(store)


def test_a_label_is_not_written_block_by_block(tmp_path):
    store = image(tmp_path / "a.ome.zarr")
    digest = gdaltest.tree_digest(store)
    with pytest.raises(RuntimeError, match="gdal_translate -of OMEZARR FILE 'OMEZARR:\".*\":labels/cells'"):
        gdaltest.OMEZARR.Create(name_of(store), WIDTH, HEIGHT, 1, gdal.GDT_Byte)
    assert gdaltest.tree_digest(store) == digest


def test_a_lost_chunk_of_a_label_is_found(tmp_path):
    store = image(tmp_path / "a.ome.zarr")
    gdaltest.write(name_of(store), source(labels(values=(1, 2))), f"BLOCKSIZE={BLOCK}")
    os.remove(store + "/labels/cells/0/c/1/1")
    code, said = verify(store)
    assert code == 1 and "labels/cells" in said and "0/c/1/1" in said


def test_deleting_and_copying_the_image_takes_its_labels_along(tmp_path):
    store = image(tmp_path / "a.ome.zarr")
    gdaltest.write(name_of(store), source())
    copy = str(tmp_path / "b.ome.zarr")
    gdaltest.OMEZARR.CopyFiles(copy, store)
    assert gdaltest.tree_digest(copy) == gdaltest.tree_digest(store)
    gdaltest.OMEZARR.Delete(store)
    assert os.listdir(tmp_path) == ["b.ome.zarr"]


@VERSIONS
def test_label_arrays_are_groups_of_the_image(tmp_path, version):
    store = image(tmp_path / "a.ome.zarr", f"NGFF_VERSION={version}")
    array = labels("uint16", (0, 3, 60000))
    gdaltest.write(name_of(store), source(array))
    done = subprocess.run(["gdalmdiminfo", store], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(json.loads(done.stdout)["groups"]["labels"]["groups"]["cells"]["arrays"]) == ["0", "1", "2", "x", "x_1", "x_2", "y", "y_1", "y_2"]
    root = gdal.OpenEx(store, gdal.OF_MULTIDIM_RASTER).GetRootGroup()
    for level, expected in enumerate(ngffmodel.pyramid(array, FACTORS, "MODE")):
        found = root.OpenMDArrayFromFullname(f"/labels/cells/{level}")
        assert found.GetDimensions()[0].GetFullName() == "/labels/cells/y" + (f"_{level}" if level else "")
        np.testing.assert_array_equal(np.frombuffer(found.Read(), "uint16").reshape(expected.shape), expected)
    own = gdal.OpenEx(name_of(store), gdal.OF_MULTIDIM_RASTER).GetRootGroup()
    assert set(own.GetMDArrayNames()) >= {"0", "1", "2"} and not own.GetGroupNames()
    os.remove(store + ("/labels/cells/.zattrs" if version == "0.4" else "/labels/cells/zarr.json"))
    root = gdal.OpenEx(store, gdal.OF_MULTIDIM_RASTER).GetRootGroup()
    assert root.OpenGroup("labels").GetGroupNames() == ["cells"]
    with pytest.raises(RuntimeError, match="labels/cells"):  # what is listed and cannot be opened is not absent
        root.OpenGroup("labels").OpenGroup("cells")


# -- Labels travel -----------------------------------------------------------------------------------------------------------


def with_labels(path, *options):
    store = image(path, *options)
    gdaltest.write(name_of(store), source(None, COLORS, ["nothing"]), f"BLOCKSIZE={BLOCK}")
    gdaltest.write(name_of(store, "labels/wide"), source(labels("int32", (0, 3, 70000))), f"BLOCKSIZE={BLOCK}")
    return store


@VERSIONS
def test_labels_travel_with_a_copy(tmp_path, version):
    first = with_labels(tmp_path / "a.ome.zarr")
    with gdaltest.collected_messages() as messages:
        second = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(first), f"BLOCKSIZE={BLOCK}", f"NGFF_VERSION={version}", "VERIFY=SOURCE")
    assert messages == [] and group_of(second) == ["cells", "wide"]
    for name in ("cells", "wide"):
        for found, expected in zip(gdaltest.zarr_levels(f"{second}/labels/{name}"), gdaltest.zarr_levels(f"{first}/labels/{name}"), strict=True):
            np.testing.assert_array_equal(found, expected)
        without = {k: v for k, v in image_label(f"{second}/labels/{name}").items() if k != "version"}
        assert without == image_label(f"{first}/labels/{name}")
    assert_copies_are_right(second, version)
    assert verify(second)[0] == 0


def test_a_dry_run_lists_the_labels_that_travel(tmp_path):
    first = with_labels(tmp_path / "a.ome.zarr")
    command = ["gdal_translate", "-q", "-of", "OMEZARR", "-co", "DRY_RUN=YES"]
    done = subprocess.run([*command, first, str(tmp_path / "b.ome.zarr")], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("label image")]
    assert lines == [f"label image of the source, copied as it is: labels/{name}" for name in ("cells", "wide")] and done.stderr == ""
    done = subprocess.run([*command, "-srcwin", "0", "0", "50", "50", first, str(tmp_path / "b.ome.zarr")], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=True)
    assert "label image of" not in done.stdout and "2 label images of the source are not copied" in done.stderr
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_what_another_writer_says_of_labels_travels(tmp_path):
    writer = pytest.importorskip("ome_zarr.writer")
    zarr = pytest.importorskip("zarr")
    root = str(tmp_path / "a.zarr")
    node = zarr.open_group(root, mode="w", zarr_format=3)
    writer.write_image(IMAGE, node, axes="cyx", scale_factors=(2,))
    said = {"colors": [{"label-value": 3, "rgba": [255, 0, 0, 255]}, {"label-value": 200, "rgba": [1, 2, 3, 4]}],
            "properties": [{"label-value": 3, "class": "a"}, {"label-value": 200, "class": "b", "n": 1.5}]}
    writer.write_labels(labels("int32"), node, name="cells", axes="yx", scale_factors=(2,), label_metadata=said)
    store = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(root), f"BLOCKSIZE={BLOCK}")
    found = image_label(store + "/labels/cells")
    assert found["colors"] == said["colors"] and found["properties"] == said["properties"]
    np.testing.assert_array_equal(gdaltest.zarr_levels(store + "/labels/cells")[0], labels("int32"))


def test_what_cannot_travel_is_one_warning(tmp_path):
    first = with_labels(tmp_path / "a.ome.zarr")
    for path, options in (("b.ome.zarr", {"srcWin": [0, 0, 50, 50]}), ("c.ome.zarr", {"width": 40})):
        with gdaltest.collected_messages() as messages:
            gdal.Translate(str(tmp_path / path), first, format="OMEZARR", **options)
        assert len(messages) == 1 and "2 label images of the source are not copied" in messages[0][1], (path, messages)
    image_alone = image(tmp_path / "e.ome.zarr")
    with gdaltest.collected_messages() as messages:
        gdal.Translate(str(tmp_path / "f.ome.zarr"), image_alone, format="OMEZARR", srcWin=[0, 0, 50, 50])
    assert messages == []


def test_labels_travel_into_one_file(tmp_path):
    zarr = pytest.importorskip("zarr")
    first = with_labels(tmp_path / "a.ome.zarr")
    with gdaltest.collected_messages() as messages:
        second = gdaltest.write(tmp_path / "b.ozx", gdal.Open(first), f"BLOCKSIZE={BLOCK}", "VERIFY=SOURCE")
    assert messages == [] and verify(second)[0] == 0
    group = zarr.open_group(zarr.storage.ZipStore(second, mode="r"), mode="r")
    assert group["labels"].attrs["ome"]["labels"] == ["cells", "wide"]
    for name in ("cells", "wide"):
        expected = gdaltest.zarr_levels(f"{first}/labels/{name}")
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(name_of(second, f"labels/{name}")))[0], expected[0])
        for level, array in enumerate(expected):
            np.testing.assert_array_equal(group[f"labels/{name}/{level}"][...], array)


@VERSIONS
def test_the_report_of_a_copy_has_its_labels(tmp_path, version):
    first = with_labels(tmp_path / "a.ome.zarr")
    report = tmp_path / "r.json"
    store = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(first), f"NGFF_VERSION={version}", f"REPORT={report}")
    names = gdaltest.files_of(store)
    lines = "".join(f"{hashlib.sha256(open(f'{store}/{name}', 'rb').read()).hexdigest()}  {name}\n" for name in sorted(names, key=str.encode))
    found = gdaltest.read_json(report)
    assert found["tree"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest() and found["counts"]["objects"] == len(names)


def test_a_label_image_that_cannot_be_read_leaves_nothing(tmp_path):
    """Before, it left a store without it."""
    first = with_labels(tmp_path / "a.ome.zarr")
    with open(first + "/labels/wide/0/c/1/1", "r+b") as file:
        file.truncate(5)
    with pytest.raises(RuntimeError, match="labels/wide"):
        gdaltest.create_copy(tmp_path / "b.ome.zarr", gdal.Open(first))
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_progress_goes_through_label_images_which_can_be_cancelled(tmp_path):
    first, told = with_labels(tmp_path / "a.ome.zarr"), []
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(tmp_path / "b.ome.zarr", gdal.Open(first), callback=lambda share, *_: told.append(share) or share < 0.5)
    assert 0.5 <= told[-1] < 0.9 and os.listdir(tmp_path) == ["a.ome.zarr"]  # in the first of two
    told = []
    assert gdaltest.create_copy(tmp_path / "b.ome.zarr", gdal.Open(first), callback=lambda share, *_: told.append(share) or True)
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.parametrize("version, name", [("0.5", "b.ome.zarr"), ("0.4", "b.ome.zarr"), ("0.5", "b.ozx")])
def test_a_copy_that_is_killed_in_a_label_image_goes_on_there(tmp_path, version, name):
    """A label image has chunks of its own size: here six."""
    first, shape = str(tmp_path / "a.ome.zarr"), (700, 1100)
    gdaltest.write(first, gdaltest.mem(gdaltest.smooth_array((1, *shape), "uint8")))
    for label, dtype in (("cells", "uint8"), ("wide", "int32")):
        gdaltest.write(name_of(first, f"labels/{label}"), source(labels(dtype, shape=shape)))
    options = ["SHARD=NONE", "NUM_THREADS=1", f"NGFF_VERSION={version}"]
    place = tmp_path / "place"
    place.mkdir()
    path, whole = place / name, tmp_path / name
    calls = faults.calls_of_copy(first, str(whole), [*options, "RESUME=YES"])
    for part in ("labels/cells/0/", "labels/wide/0/"):
        chunks = [number for number, call, at in calls if part in at and call == "open" and at.split("/")[-1].isdigit()]
        assert len(chunks) == 6
        faults.kill_copy(first, str(path), [*options, "RESUME=YES"], chunks[4])
        assert os.listdir(place) == [f".{name}.partial"]
        partial = place / f".{name}.partial" / "store"
        stored = {file: file.stat().st_ino for file in partial.glob(part + "**/*") if file.is_file() and file.name.isdigit()}
        assert len(stored) == 4
        gdaltest.write(path, gdal.Open(first), *options, "RESUME=YES")
        assert os.listdir(place) == [name]
        if name.endswith(".ozx"):
            assert path.read_bytes() == whole.read_bytes()
        else:
            assert gdaltest.tree_digest(path) == gdaltest.tree_digest(whole)
            spared = [file for file, number in stored.items() if (path / file.relative_to(partial)).stat().st_ino == number]
            assert spared  # the last ones had not been noted yet
        gdaltest.OMEZARR.Delete(str(path))


# -- A kill at any call ------------------------------------------------------------------------------------------------------


class Killed:
    def __init__(self, folder):
        self.tif = str(folder / "cells.tif")
        dataset = gdal.GetDriverByName("GTiff").CreateCopy(self.tif, source(None, COLORS))
        dataset = None
        self.library = os.path.join(os.environ["GDAL_DRIVER_PATH"], "..", "..", "tests", "faults", "liblocalfault.so")

    def run(self, store, fault=None):
        environment = dict(os.environ, LD_PRELOAD=self.library, FAULT_LOG=store + ".log", FAULT_ROOT=store)
        if fault:
            environment["FAULT"] = fault
        command = ["gdal_translate", "-q", "-of", "OMEZARR", "-co", f"BLOCKSIZE={BLOCK}", "-co", "NUM_THREADS=1", self.tif, name_of(store)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        return done.returncode, done.stderr


@VERSIONS
def test_a_kill_leaves_the_old_store_or_the_new_one(tmp_path, version):
    killed = Killed(tmp_path)
    first = image(tmp_path / "first.ome.zarr", f"NGFF_VERSION={version}")
    whole = str(tmp_path / "whole.ome.zarr")
    shutil.copytree(first, whole)
    assert killed.run(whole)[0] == 0 and verify(whole) == (0, f"{whole}: whole\n")
    with open(whole + ".log") as log:
        n_calls = sum(not line.startswith("r") for line in log)
    assert n_calls > 40
    array, states = labels(), set()
    for number in sorted({*range(1, n_calls - 24, 12), *range(n_calls - 24, n_calls + 1, 2)}):
        store = str(tmp_path / f"{number}.ome.zarr")
        shutil.copytree(first, store)
        code, said = killed.run(store, f"{number}:kill")
        assert code == -9, (number, code, said)
        listed = group_of(store) if os.path.exists(store + "/labels/" + (".zattrs" if version == "0.4" else "zarr.json")) else []
        states.add(tuple(listed))
        if listed:  # then it is whole, whoever looks
            np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(name_of(store)))[0], array)
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(store)), IMAGE)
        assert subprocess.run([TOOL, "validate", store], capture_output=True).returncode == 0
        code, said = killed.run(store)
        assert code == 0 or (listed and "OVERWRITE=YES" in said), (number, said)  # it had come to its end
        assert gdaltest.tree_digest(store) == gdaltest.tree_digest(whole), number
        shutil.rmtree(store)
    assert states == {(), ("cells",)}
