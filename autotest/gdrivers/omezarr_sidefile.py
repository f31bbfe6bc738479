"""The side file (.aux.xml): what a user says about a store that is open for reading. It is heard again, as GTiff's, it
goes where the store goes, and a change of the store neither loses nor ignores it."""

import json
import os
import xml.etree.ElementTree as xml

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
OTHER_GT = (1.0, 2.0, 0.5, 3.0, 0.25, -4.0)


def crs(code):
    return gdaltest.crs(code)


def table(*rows):
    rat = gdal.RasterAttributeTable()
    rat.CreateColumn("v", gdal.GFT_Integer, gdal.GFU_Generic)
    rat.SetRowCount(len(rows))
    for i, value in enumerate(rows):
        rat.SetValueAsInt(i, 0, value)
    return rat


def colors(*entries):
    result = gdal.ColorTable()
    for i, entry in enumerate(entries):
        result.SetColorEntry(i, entry)
    return result


def rows_of(rat):
    return [rat.GetValueAsInt(i, 0) for i in range(rat.GetRowCount())] if rat is not None else None


def entries_of(found):
    return [found.GetColorEntry(i) for i in range(min(2, found.GetCount()))] if found is not None else None


# What is said of the dataset (d) and its first band (b): how it is set to the first value, then to the second, and asked.
SETTERS = {
    "geotransform": (lambda d, b, v: d.SetGeoTransform(v), GT, OTHER_GT, lambda d, b: d.GetGeoTransform()),
    "crs": (lambda d, b, v: d.SetSpatialRef(crs(v)), "EPSG:32633", "EPSG:3035",
            lambda d, b: "EPSG:" + d.GetSpatialRef().GetAuthorityCode(None)),
    "metadata": (lambda d, b, v: d.SetMetadataItem("k", v), "1", "2", lambda d, b: d.GetMetadataItem("k")),
    "domain": (lambda d, b, v: d.SetMetadata({"k": v}, "D"), "1", "2", lambda d, b: d.GetMetadata("D")["k"]),
    "band metadata": (lambda d, b, v: b.SetMetadataItem("k", v), "1", "2", lambda d, b: b.GetMetadataItem("k")),
    "nodata": (lambda d, b, v: b.SetNoDataValue(v), 255, 5, lambda d, b: b.GetNoDataValue()),
    "description": (lambda d, b, v: b.SetDescription(v), "red", "green", lambda d, b: b.GetDescription()),
    "scale": (lambda d, b, v: b.SetScale(v), 2, 1, lambda d, b: b.GetScale()),
    "scale and offset": (lambda d, b, v: (b.SetScale(v), b.SetOffset(v - 3)), 2, 3, lambda d, b: (b.GetScale(), b.GetOffset())),
    "offset": (lambda d, b, v: b.SetOffset(v), 7, 0, lambda d, b: b.GetOffset()),
    "unit": (lambda d, b, v: b.SetUnitType(v), "m", "ft", lambda d, b: b.GetUnitType()),
    "colour": (lambda d, b, v: b.SetColorInterpretation(v), gdal.GCI_RedBand, gdal.GCI_BlueBand,
               lambda d, b: b.GetColorInterpretation()),
    "colour table": (lambda d, b, v: b.SetColorTable(colors(*v)), [(1, 2, 3, 255), (9, 9, 9, 255)], [(4, 5, 6, 255), (7, 8, 9, 255)],
                     lambda d, b: entries_of(b.GetColorTable())),
    "categories": (lambda d, b, v: b.SetCategoryNames(v), ["a", "b"], ["c"], lambda d, b: b.GetCategoryNames()),
    "statistics": (lambda d, b, v: b.SetStatistics(*v), [1, 2, 3, 4], [5, 6, 7, 8], lambda d, b: b.GetStatistics(False, False)),
    "attribute table": (lambda d, b, v: b.SetDefaultRAT(table(*v)), [1, 2], [3], lambda d, b: rows_of(b.GetDefaultRAT())),
}
# GTiff has no place for these in the file: the second value is said of a file without the first.
NOT_IN_A_TIFF = {"categories", "attribute table"}


def said(path, setter, value, is_update=False):
    """What is heard after saying it, in the same session."""
    dataset = gdal.OpenEx(path, gdal.OF_RASTER | (gdal.OF_UPDATE if is_update else 0))
    band = dataset.GetRasterBand(1)
    assert setter[0](dataset, band, value) in (None, gdal.CE_None, (0, 0), (None, None))
    return setter[3](dataset, band)


def heard(path, setter):
    dataset = gdal.Open(path)
    return setter[3](dataset, dataset.GetRasterBand(1))


def made(tmp_path, name, value, options=()):
    """The same picture as a store and as a GeoTIFF, with the first value or without."""
    source = gdaltest.mem(np.arange(600, dtype="uint8").reshape(1, 20, 30))
    if value is not None:
        SETTERS[name][0](source, source.GetRasterBand(1), value)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=8", *options)
    gdal.GetDriverByName("GTiff").CreateCopy(str(tmp_path / "a.tif"), source)
    return store, str(tmp_path / "a.tif")


@pytest.mark.parametrize("is_over_another", [False, True], ids=["new", "over another value"])
@pytest.mark.parametrize("name", SETTERS)
def test_what_is_said_of_a_read_only_dataset_is_heard_again_as_of_a_tiff(tmp_path, name, is_over_another):
    setter = SETTERS[name]
    store, tiff = made(tmp_path, name, setter[1] if is_over_another and name not in NOT_IN_A_TIFF else None)
    if is_over_another and name in NOT_IN_A_TIFF:
        store = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(store), "BLOCKSIZE=8")
        source = gdaltest.mem(np.zeros((1, 20, 30), "uint8"))
        setter[0](source, source.GetRasterBand(1), setter[1])
        store = gdaltest.write(tmp_path / "c.ome.zarr", source, "BLOCKSIZE=8")
    before = gdaltest.tree_digest(store)
    in_session = said(store, setter, setter[2])
    assert in_session == said(tiff, setter, setter[2])
    assert heard(store, setter) == in_session
    assert os.path.exists(store + ".aux.xml") and gdaltest.tree_digest(store) == before
    assert said(store, setter, setter[1]) == heard(store, setter), "said again"


@pytest.mark.parametrize("remove", [
    lambda d, b: b.DeleteNoDataValue(), lambda d, b: b.SetUnitType(""), lambda d, b: b.SetColorTable(None),
    lambda d, b: b.SetCategoryNames([]), lambda d, b: d.SetSpatialRef(None), lambda d, b: d.SetGCPs([], ""),
    lambda d, b: b.SetColorInterpretation(gdal.GCI_Undefined)])
def test_what_the_side_file_cannot_take_away_is_refused(tmp_path, remove):
    source = gdaltest.mem(np.zeros((1, 20, 30), "uint8"), code="EPSG:32633", nodata=3)
    band = source.GetRasterBand(1)
    band.SetUnitType("m"), band.SetColorTable(colors((1, 2, 3, 4))), band.SetCategoryNames(["a"])
    source.SetGCPs([gdal.GCP(1, 2, 0, 3, 4)] * 3, "")
    store = gdaltest.write(tmp_path / "a.ome.zarr", source)
    dataset = gdal.Open(store)
    with pytest.raises(RuntimeError, match="update"):
        assert remove(dataset, dataset.GetRasterBand(1)) == gdal.CE_None
    del dataset
    assert not os.path.exists(store + ".aux.xml")


def test_a_nodata_value_said_of_a_dataset_makes_its_mask_and_that_of_its_overviews(tmp_path):
    array = np.arange(64 * 64, dtype="uint8").reshape(1, 64, 64)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=1), "BLOCKSIZE=16", "OVERVIEW_RESAMPLING=NEAREST")
    dataset = gdal.Open(store)
    band = dataset.GetRasterBand(1)
    for value in (1, 7, 9):
        band.SetNoDataValue(value)
        for part in (band, band.GetOverview(0)):
            assert part.GetNoDataValue() == value
            mask = np.frombuffer(part.GetMaskBand().ReadRaster(), "uint8")
            np.testing.assert_array_equal(mask == 0, np.frombuffer(part.ReadRaster(), "uint8") == value)


def test_the_side_file_does_not_repeat_what_the_store_says(tmp_path):
    source = gdaltest.mem(np.arange(600, dtype="uint8").reshape(1, 20, 30), GT, "EPSG:32633", nodata=3)
    source.SetMetadata({"a": "b", "c": "d"})
    source.SetMetadata(["<x/>"], "xml:XMP")
    source.GetRasterBand(1).SetDescription("red")
    store = gdaltest.write(tmp_path / "a.ome.zarr", source)
    dataset = gdal.Open(store)
    dataset.GetRasterBand(1).SetMetadataItem("mine", "1")
    dataset.SetMetadataItem("c", "e")
    del dataset
    text = open(store + ".aux.xml").read()
    found = xml.fromstring(text)
    assert {item.get("key"): item.text for item in found.iter("MDI")} == {"mine": "1", "c": "e"}, text
    assert {node.tag for node in found.iter()} == {"PAMDataset", "Metadata", "MDI", "PAMRasterBand"}, text
    dataset = gdal.Open(store)
    assert dataset.GetRasterBand(1).GetDescription() == "red" and dataset.GetMetadata() == {"a": "b", "c": "e"}


# -- Update ----------------------------------------------------------------------------------------------------------


def updated(path):
    return gdal.OpenEx(path, gdal.OF_UPDATE | gdal.OF_RASTER)


@pytest.mark.parametrize("change", ["pixel", "metadata", "overviews"])
@pytest.mark.parametrize("name", [name for name in SETTERS if name != "statistics"])
def test_a_change_of_the_store_keeps_what_was_said(tmp_path, name, change):
    setter = SETTERS[name]
    store, _ = made(tmp_path, name, setter[1] if name not in NOT_IN_A_TIFF else None)
    expected = said(store, setter, setter[2])
    dataset = updated(store)
    assert setter[3](dataset, dataset.GetRasterBand(1)) == expected, "shown in update mode"
    if change == "pixel":
        dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"x")
    elif change == "metadata":
        dataset.SetMetadataItem("other", "x")
    else:
        dataset.BuildOverviews("NEAREST", [2])
    del dataset
    assert heard(store, setter) == expected
    assert gdal.Open(store).ReadRaster(0, 0, 1, 1) == (b"x" if change == "pixel" else b"\0")
    os.path.exists(store + ".aux.xml") and os.remove(store + ".aux.xml")
    assert heard(store, setter) == expected, "it is the store's now"


def test_what_is_said_in_update_mode_counts_more_than_the_side_file(tmp_path):
    for name, setter in SETTERS.items():
        if name in ("statistics", "scale and offset"):
            continue
        store, _ = made(tmp_path, name, setter[1] if name not in NOT_IN_A_TIFF else None)
        said(store, setter, setter[2])
        assert said(store, setter, setter[1], is_update=True) == heard(store, setter), name
        gdaltest.OMEZARR.Delete(store)
        os.path.exists(store + ".aux.xml") and os.remove(store + ".aux.xml")


def test_opening_for_update_and_closing_touches_neither_store_nor_side_file(tmp_path):
    store, _ = made(tmp_path, "nodata", 255)
    said(store, SETTERS["nodata"], 5)
    before = gdaltest.snapshot(tmp_path)
    dataset = updated(store)
    assert dataset.GetRasterBand(1).GetNoDataValue() == 5 and dataset.GetRasterBand(1).ReadRaster() is not None
    del dataset
    assert gdaltest.snapshot(tmp_path) == before


def test_statistics_and_histograms_that_a_user_set_go_with_the_pixels(tmp_path):
    store, _ = made(tmp_path, "metadata", "1")
    dataset = gdal.Open(store)
    dataset.GetRasterBand(1).SetStatistics(1, 2, 3, 4)
    dataset.GetRasterBand(1).SetMetadataItem("mine", "1")
    dataset.GetRasterBand(1).SetDefaultHistogram(0, 10, [1, 2])
    del dataset
    dataset = updated(store)
    dataset.SetMetadataItem("other", "x")
    del dataset
    dataset = gdal.Open(store)
    assert dataset.GetRasterBand(1).GetStatistics(False, False) == [1, 2, 3, 4], "other pixels would make them untrue, no other word"
    assert dataset.GetRasterBand(1).GetDefaultHistogram(force=False)[3] == [1, 2]
    del dataset
    dataset = updated(store)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"x")
    del dataset
    dataset = gdal.Open(store)
    assert dataset.GetRasterBand(1).GetStatistics(False, False) != [1, 2, 3, 4]
    assert dataset.GetRasterBand(1).GetMetadataItem("mine") == "1" and dataset.GetMetadataItem("other") == "x"


def test_what_the_store_has_no_place_for_stays_in_the_side_file(tmp_path):
    store, _ = made(tmp_path, "metadata", "1")
    with open(store + ".aux.xml", "w") as file:
        file.write("<PAMDataset><Esri><Note>mine</Note></Esri><Metadata domain='OTHER'><MDI key='a'>b</MDI></Metadata>"
                   f"<Subdataset name='OMEZARR:\"{store}\":0'><PAMDataset><PAMRasterBand band='1'><Description>s</Description>"
                   "<Metadata><MDI key='STATISTICS_MEAN'>1</MDI></Metadata></PAMRasterBand></PAMDataset></Subdataset></PAMDataset>")
    dataset = updated(store)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"x")
    del dataset
    text = open(store + ".aux.xml").read()
    assert "<Note>mine</Note>" in text and "<Description>s</Description>" in text
    assert "OTHER" not in text and "STATISTICS" not in text, text
    assert gdal.Open(store).GetMetadata("OTHER") == {"a": "b"}


def test_a_failed_change_leaves_the_side_file(tmp_path):
    store, _ = made(tmp_path, "metadata", "1")
    said(store, SETTERS["description"], "mine")
    before = open(store + ".aux.xml").read()
    dataset = updated(store)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"x")
    os.rename(f"{store}/scale0", f"{store}/gone")
    open(f"{store}/scale0", "w").close()
    with gdaltest.collected_messages():
        try:
            dataset = None
        except RuntimeError:
            pass
    assert open(store + ".aux.xml").read() == before


def test_an_attribute_table_that_gdal_does_not_clone_survives_a_change(tmp_path):
    """GDAL copies tables of up to a million values only."""
    zarr = pytest.importorskip("zarr")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(np.zeros((1, 20, 30), "uint8")), "CONSOLIDATED=NO")
    root = gdaltest.read_json(f"{store}/zarr.json")
    bands = root["attributes"]["omezarr"]["bands"]
    bands[0]["rat"] = {"columns": [{"name": "v", "type": "integer", "usage": 0, "values": list(range(1000001))}]}
    root["attributes"]["omezarr"]["bands"] = {"$array": "ovr_attributes/bands"}
    with open(f"{store}/zarr.json", "w") as file:
        json.dump(root, file)
    text = np.frombuffer(json.dumps(bands).encode(), "uint8")
    zarr.open_group(store, mode="a").create_array("ovr_attributes/bands", data=text, chunks=text.shape, compressors=None)
    for is_changed in (False, True):
        dataset = gdal.Open(store)
        rat = dataset.GetRasterBand(1).GetDefaultRAT()
        assert rat.GetRowCount() == 1000001 and rat.GetValueAsInt(1000000, 0) == 1000000, is_changed
        del rat, dataset
        if not is_changed:
            dataset = updated(store)
            dataset.SetMetadataItem("a", "b")
            del dataset


# -- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["ome.zarr", "ozx"])
def test_the_side_file_goes_where_the_store_goes(tmp_path, ending):
    first, second, third = (f"{tmp_path}/{name}.{ending}" for name in "abc")
    gdaltest.write(first, gdaltest.mem(np.zeros((1, 20, 30), "uint8")))
    setter = SETTERS["description"]
    said(first, setter, "mine")
    assert gdaltest.OMEZARR.CopyFiles(second, first) == gdal.CE_None
    assert heard(first, setter) == heard(second, setter) == "mine"
    assert gdaltest.OMEZARR.Rename(third, second) == gdal.CE_None
    assert heard(third, setter) == "mine" and not os.path.exists(second + ".aux.xml")
    assert gdaltest.OMEZARR.Delete(third) == gdaltest.OMEZARR.Delete(first) == gdal.CE_None
    assert os.listdir(tmp_path) == []


def test_a_new_store_does_not_take_over_the_old_ones_side_file(tmp_path):
    store, _ = made(tmp_path, "metadata", "1")
    said(store, SETTERS["description"], "mine")
    gdaltest.write(store, gdaltest.mem(np.zeros((1, 20, 30), "uint8")), "OVERWRITE=YES")
    assert heard(store, SETTERS["description"]) == "" and not os.path.exists(store + ".aux.xml")
