"""Stores that hold more than one raster: series (bioformats2raw's layout), plates and wells, labels, several multiscales,
levels that are not as deep as the first, more planes than bands. All written by zarr-python after the specification; every
subdataset is opened by the name that is listed and compared with the array that was written."""

import json
import os
import shutil

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

zarr = pytest.importorskip("zarr")
KINDS = {"t": "time", "c": "channel"}
VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def random(*shape, dtype="uint8", seed=1):
    return np.random.default_rng(seed + sum(shape)).integers(0, 200, shape, dtype=dtype)


def group(path, version="0.5"):
    return zarr.open_group(str(path), mode="a", zarr_format=2 if version == "0.4" else 3)


def put(node, version, **content):
    """NGFF's keys where the version has them."""
    if version == "0.4":
        node.attrs.update(content)
    else:
        node.attrs["ome"] = {"version": version, **content}


def halved(array, dims):
    return np.ascontiguousarray(array[tuple(slice(None, None, 2) if d in "yx" else slice(None) for d in dims)])


def multiscale(node, dims, levels, paths=None, name=None, version="0.5"):
    """Writes the levels and gives the entry."""
    paths = paths or [str(i) for i in range(len(levels))]
    datasets = []
    for path, level in zip(paths, levels):
        target = node.create_array(path, shape=level.shape, chunks=(1,) * (level.ndim - 2) + (16, 16), dtype=level.dtype)
        target[...] = level
        scale = [levels[0].shape[i] / level.shape[i] for i in range(level.ndim)]
        datasets.append({"path": path, "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    entry = {"axes": [{"name": d, "type": KINDS.get(d, "space")} for d in dims], "datasets": datasets}
    if version == "0.4":
        entry["version"] = version
    if name:
        entry["name"] = name
    return entry


def image(node, dims, array, version="0.5", name=None):
    levels = [array, halved(array, dims)]
    put(node, version, multiscales=[multiscale(node, dims, levels, name=name, version=version)])
    return levels


def bands(array):
    return array.reshape((-1,) + array.shape[-2:])


def listed(path):
    """Names and titles of the subdatasets."""
    dataset = gdal.Open(str(path))
    found = dataset.GetSubDatasets()
    return [name for name, _ in found], [title for _, title in found]


def name_of(path, part):
    return f'OMEZARR:"{path}":{part}'


def assert_levels(name, *expected):
    found = gdaltest.our_levels(name)
    assert len(found) == len(expected)
    for got, want in zip(found, expected):
        np.testing.assert_array_equal(got, bands(want))


# -- Series: bioformats2raw ------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("how", ["numbers", "series"])
def test_series_are_subdatasets(tmp_path, version, how):
    root = tmp_path / "a.zarr"
    paths = ["0", "1", "2"] if how == "numbers" else ["first", "b/second", "2"]
    put(group(root, version), version, **{"bioformats2raw.layout": 3})
    written = [image(group(root / p, version), "tczyx", random(2, 1, 3, 40, 50 + i), version, f"name {i}")
               for i, p in enumerate(paths)]
    if how == "series":
        put(group(root / "OME", version), version, series=paths)
        (root / "OME" / "METADATA.ome.xml").write_text("<OME/>")
    dataset = gdal.Open(str(root))
    assert dataset.RasterCount == 0
    assert dataset.GetDriver().ShortName == "OMEZARR"
    names, titles = listed(root)
    assert names == [name_of(root, p) for p in paths]
    assert titles == ["series 0: name 0", "series 1: name 1", "series 2: name 2"]
    for name, levels in zip(names, written):
        assert_levels(name, *levels)
        assert gdal.Open(name).GetSubDatasets() == []


@VERSIONS
def test_one_series_is_the_raster_itself_and_lists_its_labels(tmp_path, version):
    root = tmp_path / "a.zarr"
    put(group(root, version), version, **{"bioformats2raw.layout": 3})
    levels = image(group(root / "0", version), "cyx", random(3, 40, 50), version, "only one")
    put(group(root / "0/labels", version), version, labels=["cells"])
    label = image(group(root / "0/labels/cells", version), "yx", random(40, 50, dtype="uint16"), version)
    assert_levels(root, *levels)
    names, titles = listed(root)
    assert names == [name_of(root, "0#0"), name_of(root, "0/labels/cells")]
    assert titles == ["image: only one", "label cells"]
    assert_levels(names[0], *levels)
    assert_levels(names[1], *label)


def test_an_unknown_layout_is_refused(tmp_path):
    put(group(tmp_path / "a.zarr"), "0.5", **{"bioformats2raw.layout": 4})
    with pytest.raises(RuntimeError, match="zarr.json: bioformats2raw.layout is not 3"):
        gdal.Open(str(tmp_path / "a.zarr"))


# -- Plates ----------------------------------------------------------------------------------------------------------


def make_plate(root, version, wells=("A/1", "B/2"), fields=2):
    put(group(root, version), version, plate={
        "name": "p", "rows": [{"name": "A"}, {"name": "B"}], "columns": [{"name": "1"}, {"name": "2"}],
        "wells": [{"path": w, "rowIndex": "AB".index(w[0]), "columnIndex": int(w[2]) - 1} for w in wells]})
    written = {}
    for w in wells:
        put(group(root / w, version), version, well={"images": [{"path": str(f)} for f in range(fields)]})
        for f in range(fields):
            array = random(2, 20, 30, seed=ord(w[0]) + 10 * f)
            written[f"{w}/{f}"] = image(group(root / w / str(f), version), "cyx", array, version)
    return written


@VERSIONS
def test_a_plate_lists_the_fields_of_its_wells(tmp_path, version):
    root = tmp_path / "p.zarr"
    written = make_plate(root, version)
    names, titles = listed(root)
    assert names == [name_of(root, p) for p in written]
    assert titles == ["well A/1, field 0", "well A/1, field 1", "well B/2, field 0", "well B/2, field 1"]
    for name, levels in zip(names, written.values()):
        assert_levels(name, *levels)


@VERSIONS
@pytest.mark.parametrize("by", ["path", "part"])
def test_a_well_lists_its_fields(tmp_path, version, by):
    root = tmp_path / "p.zarr"
    written = make_plate(root, version)
    names, titles = listed(root / "B" / "2" if by == "path" else name_of(root, "B/2"))
    assert titles == ["field 0", "field 1"]
    for i, name in enumerate(names):
        assert_levels(name, *written[f"B/2/{i}"])


def test_wells_without_images_are_passed_over_and_broken_ones_tell_when_opened(tmp_path):
    root = tmp_path / "p.zarr"
    make_plate(root, "0.5")
    document = gdaltest.read_json(root / "zarr.json")
    document["attributes"]["ome"]["plate"]["wells"].append({"path": "A/2", "rowIndex": 0, "columnIndex": 1})
    (root / "zarr.json").write_text(json.dumps(document))
    (root / "B/2/zarr.json").write_text("{")
    names, titles = listed(root)
    assert titles == ["well A/1, field 0", "well A/1, field 1", "well B/2"]
    with pytest.raises(RuntimeError, match="B/2/zarr.json is not usable JSON"):
        gdal.Open(names[2])


# -- Labels ----------------------------------------------------------------------------------------------------------


@VERSIONS
def test_labels_are_listed_beside_their_image(tmp_path, version):
    root = tmp_path / "a.zarr"
    levels = image(group(root, version), "cyx", random(3, 40, 50), version, "cells")
    put(group(root / "labels", version), version, labels=["nuclei", "membranes/outer"])
    written = {}
    for name in ("nuclei", "membranes/outer"):
        node = group(root / "labels" / name, version)
        array = random(40, 50, dtype="int32", seed=len(name))
        written[name] = [array, halved(array, "yx")]
        put(node, version, multiscales=[multiscale(node, "yx", written[name], version=version)],
            **{"image-label": {"source": {"image": "../../"}}})
    assert_levels(root, *levels)
    names, titles = listed(root)
    assert names == [name_of(root, "#0"), name_of(root, "labels/nuclei"), name_of(root, "labels/membranes/outer")]
    assert titles == ["image: cells", "label nuclei", "label membranes/outer"]
    assert_levels(names[0], *levels)
    assert gdal.Open(names[0]).GetSubDatasets() == []
    assert_levels(names[1], *written["nuclei"])
    assert_levels(names[2], *written["membranes/outer"])
    # the group of labels, by itself
    assert listed(name_of(root, "labels"))[1] == ["label nuclei", "label membranes/outer"]


@pytest.mark.parametrize("text", ["{", '{"attributes": {"ome": {"labels": ["../.."]}}}'])
def test_broken_labels_are_told_and_the_image_opens(tmp_path, text):
    root = tmp_path / "a.zarr"
    levels = image(group(root), "cyx", random(3, 40, 50))
    (root / "labels").mkdir()
    (root / "labels/zarr.json").write_text(text)
    with gdaltest.collected_messages() as messages:
        assert gdal.Open(str(root)).GetSubDatasets() == []
    assert len(messages) == 1 and "labels/zarr.json" in messages[0][1] and "left out" in messages[0][1], messages
    assert_levels(root, *levels)
    assert_levels(name_of(root, "#0"), *levels)


def test_colours_of_a_label_are_its_colour_table(tmp_path):
    node = group(tmp_path / "a.zarr")
    array = random(20, 30)
    put(node, "0.5", multiscales=[multiscale(node, "yx", [array])], **{"image-label": {"colors": [
        {"label-value": 1, "rgba": [255, 10, 0, 255]}, {"label-value": 7, "rgba": [0, 20, 255, 128]},
        {"label-value": 700, "rgba": [0, 0, 0, 0]}, {"label-value": 2, "rgba": [1, 2]}]}})
    band = gdaltest.open_band(tmp_path / "a.zarr")  # the table is the band's
    table = band.GetColorTable()
    assert table.GetCount() == 8
    assert table.GetColorEntry(1) == (255, 10, 0, 255)
    assert table.GetColorEntry(7) == (0, 20, 255, 128)
    assert table.GetColorEntry(2) == (0, 0, 0, 0)


# -- Several multiscales, levels -------------------------------------------------------------------------------------


@VERSIONS
def test_further_multiscales_of_a_group_have_numbers(tmp_path, version):
    root = tmp_path / "a.zarr"
    node = group(root, version)
    first, second = random(3, 40, 50), random(20, 30, dtype="uint16")
    put(node, version, multiscales=[
        multiscale(node, "cyx", [first, halved(first, "cyx")], ["a0", "a1"], "one", version),
        multiscale(node, "yx", [second, halved(second, "yx")], ["b0", "b1"], "two", version)])
    assert_levels(root, first, halved(first, "cyx"))
    names, titles = listed(root)
    assert names == [name_of(root, "#0"), name_of(root, "#1")]
    assert titles == ["image: one", "image 1: two"]
    assert_levels(names[0], first, halved(first, "cyx"))
    assert_levels(names[1], second, halved(second, "yx"))
    assert [gdal.Open(name).GetMetadataItem("NAME", "NGFF") for name in names] == ["one", "two"]
    assert gdal.Open(name_of(root, "b1")).GetMetadataItem("NAME", "NGFF") == "two"


def deep_levels():
    """z is halved with y and x from level 2 on."""
    array = random(8, 64, 96)
    return [array, np.ascontiguousarray(array[:, ::2, ::2]), np.ascontiguousarray(array[::2, ::4, ::4]),
            np.ascontiguousarray(array[::2, ::8, ::8])]


@VERSIONS
@pytest.mark.parametrize("paths", [["0", "1", "2", "3"], ["scale0/image", "scale1/image", "scale2/image", "s/3"]])
def test_levels_of_other_depth_are_overviews(tmp_path, version, paths):
    """Plane z is plane z // 2 of them. By name each level opens with its own planes."""
    root = tmp_path / "a.zarr"
    node, levels = group(root, version), deep_levels()
    put(node, version, multiscales=[multiscale(node, "zyx", levels, paths, version=version)])
    twice = [np.repeat(level, 2, 0) for level in levels[2:]]
    assert_levels(root, levels[0], levels[1], *twice)
    assert listed(root) == ([], [])
    assert_levels(name_of(root, paths[1]), levels[1], *twice)
    assert_levels(name_of(root, paths[2]), levels[2], levels[3])
    assert_levels(name_of(root, paths[3]), levels[3])


def test_planes_of_a_level_lie_where_its_translation_says(tmp_path):
    """z, z / 2 that begins one plane later, and z / 4 without a translation of its own."""
    root, array = tmp_path / "a.zarr", random(8, 32, 48)
    levels = [array, random(4, 16, 24), random(2, 8, 12)]
    node = group(root)
    entry = multiscale(node, "zyx", levels)
    for number, z in ((0, 10), (1, 12), (2, 10)):
        entry["datasets"][number]["coordinateTransformations"] = [
            {"type": "scale", "scale": [2 * 2**number, 2**number, 2**number]}, {"type": "translation", "translation": [z, 0, 0]}]
    put(node, "0.5", multiscales=[entry])
    # centres of level 1 at 12, 16, 20, 24, of level 0 at 10, 12, 14 ...: planes 1, 3, 5 and 7, each two planes wide
    assert_levels(root, array, levels[1][[0, 0, 1, 1, 2, 2, 3, 3]], levels[2][[0, 0, 0, 0, 1, 1, 1, 1]])


def test_a_level_with_fewer_channels_is_a_subdataset(tmp_path):
    root, levels = tmp_path / "a.zarr", [random(3, 32, 48), random(1, 16, 24), random(3, 8, 12)]
    node = group(root)
    put(node, "0.5", multiscales=[multiscale(node, "cyx", levels)])
    assert_levels(root, levels[0], levels[2])
    assert listed(root) == ([name_of(root, "#0"), name_of(root, "1")], ["image", "level 1: c 1, y 16, x 24"])
    assert_levels(name_of(root, "1"), levels[1])


def test_bands_of_a_selection_have_their_planes_in_each_level(tmp_path):
    root, levels = tmp_path / "a.zarr", deep_levels()
    node = group(root)
    put(node, "0.5", multiscales=[multiscale(node, "zyx", levels)])
    dataset = gdal.OpenEx(str(root), open_options=["Z=3-6"])
    for overview, level in zip(range(3), (levels[1][3:7], levels[2][[1, 2, 2, 3]], levels[3][[1, 2, 2, 3]])):
        got = [gdaltest.pixels(dataset.GetRasterBand(b).GetOverview(overview)) for b in (1, 2, 3, 4)]
        np.testing.assert_array_equal(got, level)


@pytest.mark.parametrize("geotransform", [(500000, 10, 0, 5000000, 0, -10), (5, 1, 0.25, 7, -0.5, -2)])
def test_a_level_of_our_own_store_keeps_its_place(tmp_path, geotransform):
    source = gdaltest.mem(random(4, 64, 96), geotransform, "EPSG:32633")
    root = gdaltest.write(tmp_path / "a.zarr", source, "AXES=z:4", "BLOCKSIZE=z:1,y:16,x:16",
                          "SCALE_FACTORS=z:2,y:2,x:2;z:4,y:4,x:4")
    paths = [entry["path"] for entry in gdaltest.ome(root)["multiscales"][0]["datasets"]]
    for factor, path, planes in zip((2, 4), paths[1:], (2, 1)):
        dataset = gdal.Open(name_of(root, path))
        assert dataset.RasterCount == planes
        assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
        # the same origin, steps that are so many times as long
        want = [g * (1 if i in (0, 3) else factor) for i, g in enumerate(geotransform)]
        np.testing.assert_allclose(dataset.GetGeoTransform(), want, rtol=1e-12)


# -- Planes ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    root = tmp_path_factory.mktemp("five") / "a.zarr"
    array = random(4, 2, 3, 40, 50)
    node = group(root)
    levels = [array, halved(array, "tczyx")]
    put(node, "0.5", multiscales=[multiscale(node, "tczyx", levels)])
    return str(root), levels


@pytest.mark.parametrize("options, index", [
    (["T=2"], np.s_[2:3]), (["Z=1"], np.s_[:, :, 1:2]), (["C=1"], np.s_[:, 1:2]), (["T=1-2", "Z=0-1"], np.s_[1:3, :, :2]),
    (["T=3", "Z=2", "C=0"], np.s_[3:4, 0:1, 2:3]), (["T=0-3"], np.s_[:])])
@pytest.mark.parametrize("how", ["options", "name"])
def test_planes_are_chosen_by_options_or_name(five, options, index, how):
    root, levels = five
    if how == "name":
        dataset = gdal.Open(name_of(root, ":".join(options)))
    else:
        dataset = gdal.OpenEx(root, gdal.OF_RASTER, open_options=options)
    np.testing.assert_array_equal(gdaltest.pixels(dataset), bands(levels[0][index]))
    first = dataset.GetRasterBand(1)
    np.testing.assert_array_equal(gdaltest.pixels(first.GetOverview(0)), bands(levels[1][index])[0])
    last = dataset.GetRasterBand(dataset.RasterCount)
    np.testing.assert_array_equal(gdaltest.pixels(last.GetOverview(0)), bands(levels[1][index])[-1])


def test_planes_of_chunks_that_hold_several(tmp_path):
    """One chunk is decoded for all its planes; those that are not bands must not become bands."""
    root = tmp_path / "a.zarr"
    array = random(5, 3, 40, 50)
    node = group(root)
    node.create_array("0", shape=array.shape, chunks=(4, 2, 16, 16), dtype=array.dtype)[...] = array
    put(node, "0.5", multiscales=[{"axes": [{"name": d, "type": KINDS.get(d, "space")} for d in "tzyx"], "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, 1]}]}]}])
    dataset = gdal.OpenEx(str(root), gdal.OF_RASTER, open_options=["T=2-4", "Z=1"])
    np.testing.assert_array_equal(gdaltest.pixels(dataset), array[2:5, 1])
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(str(root))), bands(array))


def test_a_plane_says_where_it_is(five):
    root, _ = five
    dataset = gdal.OpenEx(root, gdal.OF_RASTER, open_options=["T=2"])
    assert dataset.RasterCount == 6
    band = dataset.GetRasterBand(5)
    assert band.GetDescription() == "T=2 C=1 Z=1"
    found = band.GetMetadata("NGFF")
    assert {k: found[k] for k in "TCZ"} == {"T": "2", "C": "1", "Z": "1"}


@pytest.mark.parametrize("option, words", [("T=4", "0 to 3"), ("T=2-1", "range"), ("T=x", "range"), ("Z=-1", "range"),
                                           ("C=0-2", "0 to 1"), ("T=99999999999999999999", "range")])
def test_planes_that_are_not_there_are_refused(five, option, words):
    with pytest.raises(RuntimeError, match=f"{option}.*{words}"):
        gdal.OpenEx(five[0], gdal.OF_RASTER, open_options=[option])


def test_an_axis_that_is_not_there_is_refused(tmp_path):
    image(group(tmp_path / "a.zarr"), "cyx", random(3, 40, 50))
    with pytest.raises(RuntimeError, match="no axis z"):
        gdal.OpenEx(str(tmp_path / "a.zarr"), gdal.OF_RASTER, open_options=["Z=0"])


@pytest.mark.parametrize("most, n, first", [(23, 4, "T=0"), (6, 4, "T=0"), (5, 12, "T=0:Z=0"), (2, 12, "T=0:Z=0"),
                                            (1, 24, "T=0:Z=0:C=0")])
def test_more_planes_than_bands_are_portions(five, most, n, first):
    """A t has 6 planes, a t and z has 2."""
    root, levels = five
    with gdaltest.config_option("GDAL_MAX_BAND_COUNT", str(most)):
        dataset = gdal.Open(root)
        assert dataset.RasterCount == 0
        names = [name for name, _ in dataset.GetSubDatasets()]
        assert len(names) == n
        assert names[0] == name_of(root, first)
        got = np.concatenate([gdaltest.pixels(gdal.Open(name)) for name in names])
    assert len(got) == 24
    wanted = levels[0].transpose(0, 2, 1, 3, 4) if "Z" in first else levels[0]  # the portions' order
    np.testing.assert_array_equal(got, bands(np.ascontiguousarray(wanted)))


def test_a_million_planes_open(tmp_path):
    """Without pixels: only documents. The list stays short enough to use."""
    root = tmp_path / "a.zarr"
    node = group(root)
    node.create_array("0", shape=(1000000, 4, 8), chunks=(1, 4, 8), dtype="uint8")
    put(node, "0.5", multiscales=[{"axes": [{"name": d, "type": KINDS.get(d, "space")} for d in "tyx"], "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]}])
    names, _ = listed(root)
    assert len(names) == 16  # 65536 bands each
    assert names[1] == name_of(root, "T=65536-131071")
    assert names[-1] == name_of(root, "T=983040-999999")
    assert gdal.Open(name_of(root, "T=999999")).RasterCount == 1


def test_planes_times_levels_are_bounded(tmp_path):
    """Each level has a band for each plane: a short document must not ask for gigabytes of them."""
    root, n_levels = tmp_path / "a.zarr", 20
    node = group(root)
    for level in range(n_levels):
        node.create_array(str(level), shape=(2, 100 - level, 100 - level), chunks=(1, 64, 64), dtype="uint8")
    put(node, "0.5", multiscales=[{"axes": [{"name": d, "type": KINDS.get(d, "space")} for d in "tyx"], "datasets": [
        {"path": str(level), "coordinateTransformations": [
            {"type": "scale", "scale": [1, 100 / (100 - level), 100 / (100 - level)]}]} for level in range(n_levels)]}])
    for most, n_overviews in [("65536", n_levels - 1), ("2", 16)]:
        with gdaltest.config_option("GDAL_MAX_BAND_COUNT", most), gdaltest.collected_messages() as messages:
            dataset = gdal.Open(str(root))
            assert dataset.GetRasterBand(2).GetOverviewCount() == n_overviews
        told = [text for text in messages.warnings() if "after level 16 are no overviews" in text]
        assert len(told) == (n_overviews == 16)


def test_more_portions_than_can_be_listed_are_told(tmp_path):
    root = tmp_path / "a.zarr"
    node = group(root)
    node.create_array("0", shape=(20000, 2, 4, 8), chunks=(1, 1, 4, 8), dtype="uint8")
    put(node, "0.5", multiscales=[{"axes": [{"name": d, "type": KINDS.get(d, "space")} for d in "tzyx"], "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, 1]}]}]}])
    with gdaltest.config_option("GDAL_MAX_BAND_COUNT", "1"), gdaltest.collected_messages() as messages:
        names, _ = listed(root)
        assert gdal.Open(name_of(root, "T=19999:Z=1")).RasterCount == 1
    assert len(names) == 10000
    assert any("choose with T=, Z= and C=" in text for text in messages.warnings())


@pytest.mark.parametrize("threads", [1, 4])
def test_chosen_planes_copy_on_several_threads(five, tmp_path, threads):
    """The writer opens a source once per thread: with the same planes."""
    root, levels = five
    chosen = gdal.OpenEx(root, gdal.OF_RASTER, open_options=["T=2", "Z=0-1"])
    copy = gdaltest.write(tmp_path / "a.ome.zarr", chosen, f"NUM_THREADS={threads}", "BLOCKSIZE=16")
    np.testing.assert_array_equal(gdaltest.our_levels(copy)[0], bands(levels[0][2:3, :, :2]))
    named = gdal.Open(name_of(root, "T=3:C=1"))
    copy = gdaltest.write(tmp_path / "b.ome.zarr", named, f"NUM_THREADS={threads}", "BLOCKSIZE=16")
    np.testing.assert_array_equal(gdaltest.our_levels(copy)[0], bands(levels[0][3:4, 1:]))


def test_gdals_own_ways_to_an_overview(five):
    root, levels = five
    level = gdal.OpenEx(name_of(root, "#0:T=1"), gdal.OF_RASTER, open_options=["OVERVIEW_LEVEL=0"])
    np.testing.assert_array_equal(gdaltest.pixels(level), bands(levels[1][1:2]))
    half = gdal.Translate("", gdal.Open(name_of(root, "T=1")), format="MEM", width=25, height=20)
    np.testing.assert_array_equal(gdaltest.pixels(half), bands(levels[1][1:2]))


# -- Names and identification ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part, words", [
    ("nowhere", "no group or array nowhere"), ("../a.zarr", "below the root"), ("/etc/../..", "below the root"),
    ("#7", "no number 7"), ("#x", "behind #"), ("#-1", "behind #"), ("0:T", "below the root"), ("a//b", "below the root")])
def test_parts_that_are_not_there_are_refused(five, part, words):
    with pytest.raises(RuntimeError, match=words):
        gdal.Open(name_of(five[0], part))


def test_arrays_beside_the_levels_are_no_images(five):
    root, _ = five
    group(root).create_array("other", shape=(4, 5), dtype="uint8", overwrite=True)
    with pytest.raises(RuntimeError, match="other is an array, but no image has it as a level"):
        gdal.Open(name_of(root, "other"))


@VERSIONS
def test_subdatasets_in_memory_and_in_a_zip(tmp_path, tmp_vsimem, version):
    root = tmp_path / "p.zarr"
    written = make_plate(root, version)
    gdal.MkdirRecursive(f"{tmp_vsimem}/p.zarr", 0o755)
    for name in gdaltest.files_of(root):
        gdal.FileFromMemBuffer(f"{tmp_vsimem}/p.zarr/{name}", (root / name).read_bytes())
    shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path, "p.zarr")
    for place in (f"{tmp_vsimem}/p.zarr", f"/vsizip/{tmp_path}/z.zip/p.zarr"):
        names, _ = listed(place)
        assert len(names) == 4
        assert_levels(names[3], *written["B/2/1"])


def test_plain_zarr_with_these_words_is_not_ours(tmp_path):
    group(tmp_path / "a.zarr", "0.4").attrs.update({"plate": "x", "labels": ["y"], "well": 1})
    group(tmp_path / "b.zarr", "0.5").attrs.update({"plate": {"wells": []}, "labels": ["y"]})
    group(tmp_path / "c.zarr", "0.5").attrs.update({"ome": {"version": "0.5"}})
    for name in "abc":
        driver = gdal.IdentifyDriverEx(str(tmp_path / f"{name}.zarr"))
        assert driver is None or driver.ShortName == "Zarr"


def test_subdatasets_copy_into_stores_of_their_own(tmp_path):
    root = tmp_path / "p.zarr"
    written = make_plate(root, "0.5")
    name = listed(root)[0][2]
    copy = gdaltest.write(tmp_path / "copy.ome.zarr", gdal.Open(name))
    np.testing.assert_array_equal(gdaltest.our_levels(copy)[0], written["B/2/0"][0])
    assert gdal.Open(copy).GetSubDatasets() == []
    # deleting by a subdataset's name deletes nothing
    before = gdaltest.snapshot(root)
    with pytest.raises(RuntimeError):
        gdal.GetDriverByName("OMEZARR").Delete(name)
    assert gdaltest.snapshot(root) == before


def test_a_side_file_keeps_the_subdatasets_apart(tmp_path):
    root = tmp_path / "p.zarr"
    make_plate(root, "0.5")
    names, _ = listed(root)
    for i in (0, 3):
        dataset = gdal.Open(names[i])
        dataset.GetRasterBand(1).SetMetadataItem("mine", str(i))
        del dataset
    assert [gdaltest.open_band(name).GetMetadataItem("mine") for name in names] == ["0", None, None, "3"]
    assert os.path.exists(f"{root}.aux.xml")


@VERSIONS
def test_a_plate_is_deleted_whole_or_not_at_all(tmp_path, version):
    root = tmp_path / "p.zarr"
    make_plate(root, version)
    (root / "A" / "notes.txt").write_text("mine")
    before = gdaltest.snapshot(root)
    assert gdaltest.has_aged(root)
    with pytest.raises(RuntimeError, match="notes.txt"):
        gdal.GetDriverByName("OMEZARR").Delete(str(root))
    assert gdaltest.snapshot(root) == before
    (root / "A" / "notes.txt").unlink()
    assert gdaltest.has_aged(root)
    gdal.GetDriverByName("OMEZARR").Delete(str(root))
    assert not root.exists()


# -- Groups of arrays ------------------------------------------------------------------------------------------------


def arrays_below(group, head=""):
    """The pixels of all arrays of two and more dimensions below a group, by their full names."""
    found = {}
    for name in group.GetMDArrayNames() or []:
        array = group.OpenMDArray(name)
        shape = [dimension.GetSize() for dimension in array.GetDimensions()]
        if len(shape) > 1:
            assert array.GetFullName() == f"{head}/{name}"
            found[array.GetFullName()] = np.frombuffer(array.Read(), gdaltest.NAMES[array.GetDataType().GetNumericDataType()]).reshape(shape)
    for name in group.GetGroupNames() or []:
        found.update(arrays_below(group.OpenGroup(name), f"{head}/{name}"))
    return found


def arrays_of(path):
    dataset = gdal.OpenEx(str(path), gdal.OF_MULTIDIM_RASTER)
    assert dataset.GetDriver().ShortName == "OMEZARR"
    return arrays_below(dataset.GetRootGroup())


def assert_arrays(found, expected):
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@VERSIONS
def test_series_are_groups_of_arrays(tmp_path, version):
    root = tmp_path / "a.zarr"
    put(group(root, version), version, **{"bioformats2raw.layout": 3})
    written = {f"/{i}/{level}": array for i in range(3)
               for level, array in enumerate(image(group(root / str(i), version), "zyx", random(2, 40, 50 + i), version))}
    assert_arrays(arrays_of(root), written)


@VERSIONS
def test_a_plate_is_a_tree_of_groups(tmp_path, version):
    root = tmp_path / "p.zarr"
    written = {f"/{field}/{level}": array for field, levels in make_plate(root, version).items() for level, array in enumerate(levels)}
    put(group(root / "A/1/0/labels", version), version, labels=["cells"])
    label = image(group(root / "A/1/0/labels/cells", version), "yx", random(20, 30, dtype="uint16"), version)
    written.update({f"/A/1/0/labels/cells/{level}": array for level, array in enumerate(label)})
    assert_arrays(arrays_of(root), written)
    assert_arrays(arrays_of(name_of(root, "A/1")), {name[4:]: array for name, array in written.items() if name.startswith("/A/1/")})
    assert_arrays(arrays_of(name_of(root, "A/1/0")), {name[6:]: array for name, array in written.items() if name.startswith("/A/1/0/")})
    shutil.rmtree(root / "A/1/1")
    document = root / "B/2" / (".zattrs" if version == "0.4" else "zarr.json")
    document.write_text(document.read_text()[:-3])
    top = gdal.OpenEx(str(root), gdal.OF_MULTIDIM_RASTER).GetRootGroup()
    assert top.OpenGroup("A").OpenGroup("1").GetGroupNames() == ["0", "1"] and top.OpenGroup("B").GetGroupNames() == ["2"]
    with pytest.raises(RuntimeError, match="A/1/1"):
        top.OpenGroup("A").OpenGroup("1").OpenGroup("1")
    with pytest.raises(RuntimeError, match="B/2"):
        top.OpenGroup("B").OpenGroup("2")
