"""A copy keeps the meaning: axes t, c, z with scale, translation and unit, units of y and x, labels, colours, windows and
names of channels, from stores of all versions and through all of GDAL's own ways of copying; and the axes that other
drivers' metadata say (netCDF, multidimensional arrays)."""

import contextlib
import filecmp
import json
import os
import subprocess

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

ARRAY = np.random.default_rng(1).integers(0, 3000, (2, 2, 3, 60, 70), dtype="uint16")  # t, c, z, y, x
SCALE = {"t": 3.0, "c": 1.0, "z": 2.5, "y": 0.325, "x": 0.1}
TRANSLATION = {"t": 1.5, "c": 0.0, "z": 7.0, "y": 10.1, "x": 20.3}
UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "nanometer"}
CHANNELS = [{"label": "DAPI", "color": "0000FF", "active": False, "window": {"min": 0.0, "max": 4095.0, "start": 10.0, "end": 900.5}},
            {"label": "GFP µ", "color": "12AB34", "active": True, "window": {"min": -5.0, "max": 65535.0, "start": 30.0, "end": 40.0}}]


@contextlib.contextmanager
def warnings():
    """What GDAL warns of, as a list."""
    found = []
    gdal.PushErrorHandler(lambda level, number, text: found.append(text) if level == gdal.CE_Warning else None)
    try:
        yield found
    finally:
        gdal.PopErrorHandler()


def said(path):
    """Axes as {letter: (scale, translation, unit)} per level, and the channels, as a store's own documents say them."""
    ome = gdaltest.ome(path)
    image = ome["multiscales"][0]
    levels = [{axis["name"]: (scale[i], translation[i] if translation else 0.0, axis.get("unit"))
               for i, axis in enumerate(image["axes"])} for scale, translation in gdaltest.transforms(path)]
    channels = [{key: channel[key] for key in ("label", "color", "active", "window")} for channel in ome["omero"]["channels"]]
    return levels, channels, image["name"]


def expected(level, axes="tczyx"):
    """The pixel of a level of factor f lies (f - 1) / 2 pixels of level 0 further."""
    f = 2 ** level
    of = lambda axis: f if axis in "yx" else 1  # noqa: E731
    return {axis: (SCALE[axis] * of(axis), TRANSLATION[axis] + (of(axis) - 1) / 2 * SCALE[axis], UNITS.get(axis)) for axis in axes}


def assert_near(got, want):
    assert list(got) == list(want)
    for axis, (scale, translation, unit) in want.items():
        assert got[axis][:2] == pytest.approx((scale, translation), rel=1e-12, abs=1e-12), axis
        assert got[axis][2] == unit, axis


def foreign(root, version, array=ARRAY, axes="tczyx"):
    """A store of two levels as zarr-python and a text editor make it."""
    zarr = pytest.importorskip("zarr")
    zarr_format = 2 if version < "0.5" else 3
    group = zarr.open_group(str(root), mode="w", zarr_format=zarr_format)
    datasets = []
    for level in range(2):
        pixels = array[..., :: 2 ** level, :: 2 ** level]
        extra = {"dimension_names": list(axes)} if zarr_format == 3 else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        group.create_array(str(level), shape=pixels.shape, chunks=(1,) * (array.ndim - 2) + (32, 32), dtype=array.dtype,
                           compressors=None, **extra)[...] = pixels
        numbers = expected(level, axes)
        steps = [{"type": "scale", "scale": [numbers[axis][0] for axis in axes]},
                 {"type": "translation", "translation": [numbers[axis][1] for axis in axes]}]
        if version == "0.6":
            steps = [{"type": "sequence", "transformations": steps, "input": {"path": str(level)}, "output": {"name": "physical"}}]
        datasets.append({"path": str(level), **({"coordinateTransformations": steps} if version >= "0.4" else {})})
    described = [{"name": axis, "type": {"t": "time", "c": "channel"}.get(axis, "space"),
                  **({"unit": UNITS[axis]} if axis in UNITS else {})} for axis in axes]
    image = {"name": "cells", "datasets": datasets}
    if version in ("0.4", "0.5"):
        image["axes"] = described
    elif version == "0.6":
        image["coordinateSystems"] = [{"name": "physical", "axes": described}]
    elif version == "0.3":
        image["axes"] = list(axes)
    ome = {"multiscales": [image], "omero": {"channels": CHANNELS[: array.shape[axes.index("c")] if "c" in axes else 1]}}
    if zarr_format == 3:
        group.attrs["ome"] = {"version": version, **ome}
    else:
        image["version"] = version
        group.attrs.update(ome)
    return str(root)


def own(path, *options):
    """The same store by our writer; what it is told nothing of, it decides."""
    return gdaltest.write(path, gdaltest.mem(ARRAY.reshape((-1,) + ARRAY.shape[-2:])), "AXES=t:2,c:2,z:3", "BLOCKSIZE=32", "SCALE_FACTORS=2",
                          "NAME=cells",
                          "AXIS_SCALE=" + ",".join(f"{axis}:{value}" for axis, value in SCALE.items()),
                          "AXIS_TRANSLATION=" + ",".join(f"{axis}:{value}" for axis, value in TRANSLATION.items()),
                          "AXIS_UNITS=" + ",".join(f"{axis}:{value}" for axis, value in UNITS.items()),
                          "CHANNEL_NAMES=DAPI,GFP µ", "CHANNEL_COLORS=0000FF,12AB34", "WINDOW=10:900.5,30:40", *options)


def translate(source, path, *options, **arguments):
    """gdal_translate of a raster to an OME-Zarr."""
    assert gdal.Translate(str(path), source, format="OMEZARR", creationOptions=["BLOCKSIZE=32", "SCALE_FACTORS=2", *options], **arguments) is not None
    return str(path)


def assert_same_files(one, other):
    compared = filecmp.dircmp(one, other)
    assert not compared.left_only and not compared.right_only and not compared.diff_files
    for name in compared.subdirs:
        assert_same_files(f"{one}/{name}", f"{other}/{name}")


# -- From an OME-Zarr --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"])
def test_axes_and_channels_of_foreign_stores_are_copied(tmp_path, version):
    source = foreign(tmp_path / "a.zarr", version)
    with warnings() as found:
        copy = translate(source, tmp_path / "b.zarr")
    levels, channels, name = said(copy)
    for number, level in enumerate(levels):
        f = 2 ** number  # before 0.4 there are no numbers: a pixel is 1
        plain = {axis: (f if axis in "yx" else 1, (f - 1) / 2 if axis in "yx" else 0, None) for axis in "tczyx"}
        assert_near(level, expected(number) if version >= "0.4" else plain)
    assert channels == CHANNELS and name == "cells" and not found
    np.testing.assert_array_equal(gdaltest.zarr_levels(copy)[0], ARRAY)
    assert_same_files(copy, translate(copy, tmp_path / "c.zarr"))


def test_axes_and_channels_of_our_stores_are_copied(tmp_path):
    source = own(tmp_path / "a.zarr")
    copy = translate(source, tmp_path / "b.zarr")
    assert said(copy) == said(source) and said(copy)[1][0]["label"] == "DAPI"
    assert said(copy)[0][0] == expected(0)
    assert_same_files(copy, translate(copy, tmp_path / "c.zarr"))
    older = translate(copy, tmp_path / "d.zarr", "NGFF_VERSION=0.4")
    assert said(older) == said(copy)


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_axes_of_stores_by_ngff_zarr_are_copied(tmp_path, version):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    root = str(tmp_path / "a.zarr")
    image = ngff_zarr.to_ngff_image(ARRAY, dims=list("tczyx"), scale=dict(SCALE), translation=dict(TRANSLATION), name="cells",
                                    axes_units=dict(UNITS))
    ngff_zarr.to_ngff_zarr(root, ngff_zarr.to_multiscales(image, [{"z": 1, "y": 2, "x": 2}], chunks=32), version=version)
    levels, _, name = said(translate(root, tmp_path / "b.zarr"))
    assert_near(levels[0], expected(0))
    assert name == "cells"


@pytest.mark.parametrize("axes", ["cyx", "zyx", "tyx", "yx", "czyx", "tcyx"])
def test_stores_of_fewer_axes_are_copied(tmp_path, axes):
    shape = dict(zip("tczyx", ARRAY.shape))
    array = ARRAY[tuple(slice(None) if axis in axes else 0 for axis in "tczyx")]
    assert array.shape == tuple(shape[axis] for axis in axes)
    levels, channels, _ = said(translate(foreign(tmp_path / "a.zarr", "0.4", array, axes), tmp_path / "b.zarr"))
    assert_near(levels[0], expected(0, axes))
    assert channels == CHANNELS[: shape["c"] if "c" in axes else 1]


def test_options_win_over_the_source(tmp_path):
    source = own(tmp_path / "a.zarr")
    with warnings() as found:
        copy = translate(source, tmp_path / "b.zarr", "CHANNEL_NAMES=x", "WINDOW=1:2", "NAME=n", "AXIS_SCALE=z:9", "AXIS_UNITS=t:h")
        levels, channels, name = said(copy)
        assert levels[0] == {**expected(0), "z": (9.0, 7.0, "micrometer"), "t": (3.0, 1.5, "hour")}
        assert [c["label"] for c in channels] == ["x", "GFP µ"] and channels[0]["color"] == "0000FF" and name == "n"
        assert all((c["window"]["start"], c["window"]["end"]) == (1, 2) for c in channels)
        levels, channels, _ = said(translate(source, tmp_path / "c.zarr", "AXES=c:12"))
        assert list(levels[0]) == ["c", "y", "x"] and len(channels) == 12
        again = translate(str(tmp_path / "c.zarr"), tmp_path / "d.zarr")
        assert list(said(again)[0][0]) == ["c", "y", "x"]
    assert not found


def test_a_unit_that_ngff_does_not_know_stays_with_the_bands(tmp_path):
    source = foreign(tmp_path / "a.zarr", "0.4")
    document = json.load(open(f"{source}/.zattrs"))
    document["multiscales"][0]["axes"][2]["unit"] = document["multiscales"][0]["axes"][3]["unit"] = "slices"
    json.dump(document, open(f"{source}/.zattrs", "w"))
    for path in ("b.zarr", "c.zarr"):
        copy = translate(source, tmp_path / path)
        assert [said(copy)[0][0][axis][2] for axis in "zyx"] == [None, None, "nanometer"]
        assert gdaltest.open_band(copy).GetMetadataItem("DIM_z_UNIT") == "slices"
        assert gdal.Open(copy).GetMetadataItem("DIM_y_UNIT") == "slices"
        source = copy


def test_units_of_y_and_x_are_seen(tmp_path):
    found = gdal.Open(foreign(tmp_path / "a.zarr", "0.4"))
    assert (found.GetMetadataItem("DIM_y_UNIT"), found.GetMetadataItem("DIM_x_UNIT")) == ("micrometer", "nanometer")
    assert found.GetMetadataItem("AXIS_UNITS", "NGFF") == "t:second,z:micrometer,y:micrometer,x:nanometer"
    # A size of 1 with a unit is a size.
    unit = gdaltest.write(tmp_path / "b.zarr", gdaltest.mem(ARRAY[0, 0]), "AXIS_UNITS=y:mm,x:mm")
    assert gdal.Open(unit).GetGeoTransform() == (-0.5, 1, 0, -0.5, 0, 1)
    assert said(translate(unit, tmp_path / "c.zarr", width=35, height=30, noData=0))[0][0]["x"] == (2.0, 0.5, "millimeter")


def test_labels_of_our_channels_are_descriptions(tmp_path):
    source = own(tmp_path / "a.zarr")
    found = gdal.Open(source)
    assert [found.GetRasterBand(i).GetDescription() for i in (1, 6, 12)] == ["DAPI T=0 Z=0", "GFP µ T=0 Z=2", "GFP µ T=1 Z=2"]
    plain = gdaltest.write(tmp_path / "b.zarr", gdaltest.mem(ARRAY[0, :, 0]), "CHANNEL_NAMES=one,two")
    assert [gdaltest.open_band(plain, i).GetDescription() for i in (1, 2)] == ["one", "two"]


def test_what_others_change_in_omero_is_seen(tmp_path):
    source = own(tmp_path / "a.zarr")
    document = json.load(open(f"{source}/zarr.json"))
    document["attributes"]["ome"]["omero"]["channels"][0].update(label="nuclei", color="FF00FF", active=False, inverted=True)
    json.dump(document, open(f"{source}/zarr.json", "w"))
    found = gdaltest.open_band(source)
    assert found.GetDescription() == "nuclei T=0 Z=0" and found.GetMetadataItem("COLOR", "NGFF") == "FF00FF"
    assert gdaltest.ome(translate(source, tmp_path / "i.zarr"))["omero"]["channels"][0]["inverted"] is True
    channel = said(translate(source, tmp_path / "b.zarr"))[1][0]
    assert (channel["label"], channel["color"], channel["active"]) == ("nuclei", "FF00FF", False)
    change = gdal.Open(source, gdal.GA_Update)
    change.SetMetadataItem("who", "me")  # a change of something else keeps it
    change = None
    channel = said(source)[1][0]
    assert (channel["label"], channel["color"], channel["active"]) == ("nuclei", "FF00FF", False)


def test_a_change_in_place_keeps_axes_and_channels(tmp_path):
    copy = translate(foreign(tmp_path / "a.zarr", "0.5"), tmp_path / "b.zarr")
    before = said(copy)
    change = gdal.Open(copy, gdal.GA_Update)
    for i in range(12):
        change.GetRasterBand(i + 1).SetMetadata({"new": "x"})
    change.SetMetadata({"new": "y"})
    change.GetRasterBand(1).WriteRaster(0, 0, 1, 1, np.uint16([5]).tobytes())
    change = None
    assert said(copy)[0] == before[0] and said(copy)[2] == "cells"
    assert [c["label"] + c["color"] for c in said(copy)[1]] == [c["label"] + c["color"] for c in before[1]]
    assert gdaltest.open_band(copy, 2).GetMetadataItem("new") == "x"
    change = gdal.Open(copy, gdal.GA_Update)
    change.GetRasterBand(1).SetDescription("other")
    change = None
    assert said(copy)[1][0]["label"] == "other"


# -- Through GDAL's own copying ----------------------------------------------------------------------------------------

STORES = {"ours": own, "foreign": lambda path: foreign(path, "0.4"), "foreign, 0.6": lambda path: foreign(path, "0.6")}


@pytest.mark.parametrize("kind", STORES)
def test_parts_of_a_store_keep_their_axes(tmp_path, kind):
    source = STORES[kind](tmp_path / "a.zarr")
    all_axes = expected(0)
    of_x = lambda origin, size=1: (0.1 * size, 20.3 + 0.1 * (origin + (size - 1) / 2), "nanometer")  # noqa: E731
    of_y = lambda origin, size=1: (0.325 * size, 10.1 + 0.325 * (origin + (size - 1) / 2), "micrometer")  # noqa: E731
    late = {**all_axes, "t": (3.0, 4.5, "second"), "z": (2.5, 9.5, "micrometer")}
    cases = {
        "srcwin": (dict(srcWin=[4, 6, 40, 30]), {**all_axes, "y": of_y(6), "x": of_x(4)}, CHANNELS),
        "outsize": (dict(width=35, height=30), {**all_axes, "y": of_y(0, 2), "x": of_x(0, 2)}, CHANNELS),
        "bands": (dict(bandList=[8, 9, 11, 12]), late, CHANNELS),  # t 1, z 1 and 2
        "one band": (dict(bandList=[11]), late, CHANNELS[1:]),
        "every second z": (dict(bandList=[1, 3, 4, 6]), {**all_axes, "z": (5.0, 7.0, "micrometer")}, CHANNELS),
        "all": (dict(bandList=list(range(1, 13)), metadataOptions=["a=b"]), all_axes, CHANNELS),
    }
    shown = said(source)[1] if kind == "ours" else CHANNELS
    for name, (arguments, axes, channels) in cases.items():
        channels = [shown[CHANNELS.index(channel)] for channel in channels]
        with warnings() as found:
            for through in ("", "file", "vrt of vrt"):
                vrt = source
                for i in range(("", "file", "vrt of vrt").index(through)):
                    vrt = gdal.Translate(f"{tmp_path}/{name}{i}.vrt", vrt, format="VRT", **(arguments if i == 0 else {})).GetDescription()
                copy = translate(vrt, tmp_path / f"{name} {through}.zarr", **({} if through else arguments))
                got = said(copy)
                assert_near(got[0][0], axes)
                assert got[1:] == (channels, "cells"), (name, through)
        assert not found, name
    picked = gdaltest.zarr_levels(tmp_path / "bands .zarr")[0]
    np.testing.assert_array_equal(picked, ARRAY[1:, :, 1:])


def test_gdalwarp_keeps_axes_and_labels(tmp_path):
    """Without a CRS gdalwarp turns rows around; it copies the default domain of metadata, and descriptions, by itself."""
    source = own(tmp_path / "a.zarr")
    warped = str(tmp_path / "b.zarr")
    with warnings() as found:
        assert gdal.Warp(warped, source, format="OMEZARR") is not None
    levels, channels, _ = said(warped)
    assert {axis: levels[0][axis] for axis in "tcz"} == {axis: expected(0)[axis] for axis in "tcz"}
    assert [levels[0][axis][0] for axis in "yx"] == pytest.approx([0.325, 0.325], rel=0.8)
    assert (channels, said(warped)[2]) == (said(source)[1], "cells") and not found
    vrt = gdal.Warp(f"{tmp_path}/b.vrt", source, format="VRT")
    levels, channels, name = said(translate(vrt, tmp_path / "c.zarr"))
    assert {axis: levels[0][axis] for axis in "tcz"} == {axis: expected(0)[axis] for axis in "tcz"}
    assert (channels, name) == (said(source)[1], "cells")
    np.testing.assert_array_equal(gdaltest.zarr_levels(warped)[0].reshape(12, -1), gdaltest.pixels(vrt).reshape(12, -1))


VIEW = {"defaultT": 1, "defaultZ": 2, "model": "greyscale"}


def with_view(root, view=VIEW):
    attributes = gdaltest.read_json(f"{root}/.zattrs")
    attributes["omero"]["rdefs"] = view
    with open(f"{root}/.zattrs", "w") as file:
        json.dump(attributes, file)
    return root


@pytest.mark.parametrize("axes", ["tczyx", "czyx", "cyx"])
@pytest.mark.parametrize("how", ["translate", "vrt", "tif", "warp", "twice"])
def test_what_viewers_are_told_goes_along(tmp_path, axes, how):
    """Through GDAL's own copying, by Create(), and through a file of another format, whose pixels may be scaled: there
    only what the values do not matter for."""
    array = {"tczyx": ARRAY, "czyx": ARRAY[0], "cyx": ARRAY[0, :, 0]}[axes]
    source = with_view(foreign(tmp_path / "a.zarr", "0.4", array, axes))
    copy = str(tmp_path / "b.zarr")
    with warnings() as found:
        if how == "warp":
            assert gdal.Warp(copy, source, format="OMEZARR") is not None
        elif how == "twice":
            assert gdal.Warp(copy, translate(source, tmp_path / "first.zarr"), format="OMEZARR") is not None
        elif how == "translate":
            translate(source, copy)
        else:
            assert gdal.Translate(f"{tmp_path}/b.{how}", source, format={"vrt": "VRT", "tif": "GTiff"}[how]) is not None
            translate(f"{tmp_path}/b.{how}", copy)
    _, channels, name = said(copy)
    if how == "tif":
        assert all(c.pop("window")["end"] > 2000 for c in channels)
    assert channels == [{k: v for k, v in c.items() if k in channels[0]} for c in CHANNELS] and name == "cells" and not found
    assert gdaltest.ome(copy)["omero"]["rdefs"] == {"model": "greyscale", "defaultT": 1 if "t" in axes else 0, "defaultZ": 2 if "z" in axes else 0}
    dataset = gdal.Open(copy)
    assert all("NGFF_COLOR" in dataset.GetRasterBand(i + 1).GetMetadata() for i in range(dataset.RasterCount))


@pytest.mark.parametrize("bands,expected", [
    ([3, 2, 6, 5], {"model": "greyscale", "defaultT": 0, "defaultZ": 0}),  # t 0; z 2, 1: the plane 2 is the first now
    ([7, 8, 10, 11], {"model": "greyscale", "defaultT": 0, "defaultZ": 1}),  # t 1; z 0, 1: the last one
    ([9, 3], {"model": "greyscale", "defaultT": 0, "defaultZ": 0}),  # one channel of t 1 and 0
])
def test_the_planes_that_are_shown_first_are_those_of_the_picked_bands(tmp_path, bands, expected):
    model = "greyscale" if len(bands) > 2 else "color"  # one channel of several is grey
    source = with_view(foreign(tmp_path / "a.zarr", "0.4"), {**VIEW, "model": model})
    copy = translate(source, tmp_path / "b.zarr", bandList=bands)
    assert gdaltest.ome(copy)["omero"]["rdefs"] == expected


@pytest.mark.parametrize("view", [{"defaultT": "1", "defaultZ": -1, "model": "rgb"}, {"defaultT": 1e300, "defaultZ": 1.5}, [], "color",
                                  {"defaultT": 9, "defaultZ": 99999999999, "model": None}])
def test_a_view_that_no_viewer_could_use(tmp_path, view):
    copy = translate(with_view(foreign(tmp_path / "a.zarr", "0.4"), view), tmp_path / "b.zarr")
    t = 1 if isinstance(view, dict) and view["defaultT"] == 9 else 0
    assert gdaltest.ome(copy)["omero"]["rdefs"] == {"model": "color", "defaultT": t, "defaultZ": 1}


def test_a_change_in_place_keeps_the_view(tmp_path):
    copy = translate(with_view(foreign(tmp_path / "a.zarr", "0.4")), tmp_path / "b.zarr")
    dataset = gdal.Open(copy, gdal.GA_Update)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\1\2")
    dataset = None
    assert gdaltest.ome(copy)["omero"]["rdefs"] == VIEW


def test_what_a_program_says_of_colours_counts_more(tmp_path):
    """NGFF_COLOR of a file is what was said before; the colours that it has now are its own. A range that its type does not
    have is not taken."""
    source = foreign(tmp_path / "a.zarr", "0.4", ARRAY[0, :, 0], "cyx")
    gdal.Translate(f"{tmp_path}/b.tif", source, options=["-colorinterp", "red,undefined"])
    colors = [c["color"] for c in said(translate(f"{tmp_path}/b.tif", tmp_path / "b.zarr"))[1]]
    assert colors == ["FF0000", "12AB34"]
    assert gdal.Warp(f"{tmp_path}/c.zarr", source, format="OMEZARR", outputType=gdal.GDT_Byte) is not None
    windows = [c["window"] for c in said(f"{tmp_path}/c.zarr")[1]]
    assert windows[0]["end"] <= 255 and (windows[1]["start"], windows[1]["end"]) == (30, 40)


def test_plain_pictures_are_copied_without_words_for_viewers(tmp_path):
    source = gdaltest.write(tmp_path / "a.zarr", gdaltest.mem(gdaltest.random_array((3, 50, 60), "uint8")))
    dataset = gdal.Open(source)
    assert not any(key.startswith("NGFF") for key in (dataset.GetMetadata() or {}))
    assert not any(key.startswith("NGFF") for key in dataset.GetRasterBand(1).GetMetadata())


def test_scaled_values_get_windows_of_their_own(tmp_path):
    source = own(tmp_path / "a.zarr")
    copy = translate(source, tmp_path / "b.zarr", outputType=gdal.GDT_Byte, scaleParams=[[0, 3000, 0, 255]])
    channels = said(copy)[1]
    assert [c["label"] for c in channels] == ["DAPI", "GFP µ"] and channels[0]["window"]["end"] < 256


def test_bands_that_are_no_grid_stay_channels(tmp_path):
    source = own(tmp_path / "a.zarr")
    for name, bands in {"a hole": [1, 2, 4, 6], "twice": [1, 1, 2]}.items():
        with warnings() as found:
            copy = translate(source, tmp_path / f"{name}.zarr", bandList=bands)
        assert list(said(copy)[0][0]) == ["c", "y", "x"]
        assert len(found) == 1 and "AXES" in found[0] and "channels" in found[0]
        assert gdaltest.open_band(copy, len(bands)).GetMetadataItem("DIM_z_VALUE") is not None
    assert [c["label"] for c in said(copy)[1]] == ["DAPI T=0 Z=0", "DAPI T=0 Z=0", "DAPI T=0 Z=1"]


def test_uneven_values_are_kept_with_the_bands(tmp_path):
    source = gdaltest.write(tmp_path / "a.zarr", gdaltest.mem(ARRAY[:, 0].reshape(6, 60, 70)), "AXES=z:6", "AXIS_SCALE=z:2.5",
                            "AXIS_TRANSLATION=z:7", "AXIS_UNITS=z:um")
    for path in ("b.zarr", "c.zarr"):
        with warnings() as found:
            copy = translate(source, tmp_path / path, bandList=[1, 2, 4] if path == "b.zarr" else None)
        assert said(copy)[0][0]["z"] == (1.0, 0.0, None)
        assert len(found) == 1 and "evenly" in found[0]
        bands = [gdaltest.open_band(copy, i + 1).GetMetadata() for i in range(3)]
        assert [band["DIM_z_VALUE"] for band in bands] == ["7", "9.5", "14.5"]
        assert [(band["DIM_z_INDEX"], band["DIM_z_UNIT"]) for band in bands] == [("0", "micrometer"), ("1", "micrometer"), ("2", "micrometer")]
        source = copy


# -- From the metadata of other drivers --------------------------------------------------------------------------------


def stack(n, of_dataset=None, **items):
    """n bands, whose metadata are the nth of items."""
    dataset = gdaltest.mem(np.arange(n * 12, dtype="uint16").reshape(n, 3, 4))
    dataset.SetMetadata(of_dataset or {})
    for i in range(n):
        dataset.GetRasterBand(i + 1).SetMetadata({name: values[i] for name, values in items.items()})
    return dataset


def test_dimensions_of_netcdf_are_axes(tmp_path):
    """As GDAL's netCDF driver says them, for time 6, 12, 18 hours and two levels."""
    source = stack(6, {"NETCDF_DIM_EXTRA": "{time,lev}", "NETCDF_DIM_time_DEF": "{3,6}", "NETCDF_DIM_time_VALUES": "{6,12,18}",
                       "NETCDF_DIM_lev_DEF": "{2,6}", "time#units": "hours since 2000-01-01", "lev#units": "hPa"},
                   NETCDF_DIM_time=["6", "6", "12", "12", "18", "18"], NETCDF_DIM_lev=["0.1", "0.4"] * 3)
    with warnings() as found:
        copy = gdaltest.write(tmp_path / "a.zarr", source)
    assert not found
    got = said(copy)[0][0]
    assert got["t"] == (6.0, 6.0, "hour") and got["z"][:2] == pytest.approx((0.3, 0.1)) and got["z"][2] is None
    assert gdaltest.zarr_levels(copy)[0].shape == (3, 2, 3, 4)
    assert gdaltest.open_band(copy, 3).GetMetadataItem("NETCDF_DIM_time") == "12"
    assert gdal.Open(copy).GetMetadataItem("time#units") == "hours since 2000-01-01"
    again = gdaltest.write(tmp_path / "b.zarr", gdal.Open(copy))
    assert_same_files(copy, again)


def test_dimensions_of_a_real_netcdf_are_axes(tmp_path):
    if gdal.GetDriverByName("netCDF") is None:
        pytest.skip("this GDAL has no netCDF driver")
    source = stack(6, {"NETCDF_DIM_EXTRA": "{time,level}", "NETCDF_DIM_time_DEF": "{3,6}", "NETCDF_DIM_time_VALUES": "{6,12,18}",
                       "NETCDF_DIM_level_DEF": "{2,6}", "NETCDF_DIM_level_VALUES": "{10,60}", "time#units": "days since 1900-01-01",
                       "level#units": "m"})
    source.SetGeoTransform((0, 1, 0, 10, 0, -1))
    gdal.GetDriverByName("netCDF").CreateCopy(f"{tmp_path}/a.nc", source, options=["FORMAT=NC4"])
    copy = translate(f"{tmp_path}/a.nc", tmp_path / "a.zarr")
    assert {axis: said(copy)[0][0][axis] for axis in "tz"} == {"t": (6.0, 6.0, "day"), "z": (50.0, 10.0, "meter")}
    copy = translate(f"{tmp_path}/a.nc", tmp_path / "b.zarr", bandList=[3, 5])
    assert {axis: said(copy)[0][0][axis] for axis in "tz"} == {"t": (6.0, 12.0, "day"), "z": (1.0, 10.0, "meter")}


def test_dimensions_of_arrays_are_axes(tmp_path):
    """As GDALMDArray.AsClassicDataset() says them; a name that says nothing is a channel."""
    names = dict(DIM_Height_INDEX=["0", "0", "1", "1"], DIM_Height_VALUE=["1.5", "1.5", "2", "2"], DIM_Height_UNIT=["m"] * 4,
                 DIM_member_INDEX=["0", "1", "0", "1"])
    copy = gdaltest.write(tmp_path / "a.zarr", stack(4, **names))
    got = said(copy)[0][0]
    assert got == {"c": (1.0, 0.0, None), "z": (0.5, 1.5, "meter"), "y": (1.0, 0.0, None), "x": (1.0, 0.0, None)}
    assert gdaltest.zarr_levels(copy)[0][1, :, 0, 0].tolist() == [12, 36]
    one = said(gdaltest.write(tmp_path / "b.zarr", stack(2, DIM_dim0_INDEX=["0", "1"])))
    assert list(one[0][0]) == ["c", "y", "x"]
    four = {f"DIM_d{i}_INDEX": ["0", "1"] for i in range(4)}
    with warnings() as found:
        assert list(said(gdaltest.write(tmp_path / "c.zarr", stack(2, **four)))[0][0]) == ["c", "y", "x"]
    assert len(found) == 1 and "4 dimensions" in found[0]


@pytest.mark.parametrize("values", [["100", "101", "103"], ["3", "2", "1"], ["a", "b", "c"], ["1", "nan", "3"]])
def test_values_without_a_step_have_scale_1(tmp_path, values):
    source = stack(3, {"time#units": "days since 1900-01-01"}, NETCDF_DIM_time=values)
    with warnings() as found:
        copy = gdaltest.write(tmp_path / "a.zarr", source)
    assert said(copy)[0][0]["t"] == (1.0, 0.0, None) and len(found) == 1
    assert [gdaltest.open_band(copy, i + 1).GetMetadataItem("NETCDF_DIM_time") for i in range(3)] == values
    with warnings() as found:
        again = gdaltest.write(tmp_path / "b.zarr", gdal.Open(copy))
    assert_same_files(copy, again)


def test_axes_of_the_user_win_over_metadata(tmp_path):
    items = dict(NETCDF_DIM_time=["6", "6", "12", "12"], NETCDF_DIM_z=["0", "1", "0", "1"])
    with warnings() as found:
        other = gdaltest.write(tmp_path / "a.zarr", stack(4, **items), "AXES=z:4")
        same = gdaltest.write(tmp_path / "b.zarr", stack(4, **items), "AXES=t:2,z:2")
    assert said(other)[0][0]["z"] == (1.0, 0.0, None)
    assert said(same)[0][0]["t"] == (6.0, 6.0, None) and not found
    with warnings() as found:
        assert list(said(gdaltest.write(tmp_path / "c.zarr", gdal.Open(other)))[0][0]) == ["z", "y", "x"]
    assert not found


def test_a_source_in_another_order_is_compared_by_its_places(tmp_path):
    source = stack(6, DIM_c_INDEX=["0", "1"] * 3, DIM_z_INDEX=["0", "0", "1", "1", "2", "2"])
    copy = gdaltest.write(tmp_path / "a.zarr", source, "VERIFY=SOURCE")
    assert gdaltest.zarr_levels(copy)[0][:, :, 0, 0].tolist() == [[0, 24, 48], [12, 36, 60]]


def test_metadata_said_after_create_are_axes(tmp_path):
    """As gdalwarp says them: before the first pixel, for all bands in order."""
    dataset = gdaltest.OMEZARR.Create(f"{tmp_path}/a.zarr", 40, 30, 3, gdal.GDT_Byte)
    for i in range(3):
        dataset.GetRasterBand(i + 1).SetMetadata({"DIM_z_INDEX": str(i), "DIM_z_VALUE": str(2 * i), "DIM_z_UNIT": "um"})
    for i in range(3):
        dataset.GetRasterBand(i + 1).WriteRaster(0, 0, 40, 30, bytes([i + 1]) * 1200)
    dataset = None
    assert said(f"{tmp_path}/a.zarr")[0][0]["z"] == (2.0, 0.0, "micrometer")
    assert [level.tolist()[0][0] for level in gdaltest.zarr_levels(f"{tmp_path}/a.zarr")[0]] == [1, 2, 3]
    # Too late: pixels lie on other axes.
    dataset = gdaltest.OMEZARR.Create(f"{tmp_path}/b.zarr", 40, 30, 3, gdal.GDT_Byte)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 40, 30, bytes(1200))
    dataset.FlushCache()
    for i in range(3):
        dataset.GetRasterBand(i + 1).SetMetadata({"DIM_z_INDEX": str(i)})
    dataset = None
    assert list(said(f"{tmp_path}/b.zarr")[0][0]) == ["c", "y", "x"]


# -- Statistics --------------------------------------------------------------------------------------------------------


def test_statistics_of_the_driver_are_no_metadata_of_the_source(tmp_path):
    first = gdaltest.write(tmp_path / "a.zarr", gdaltest.mem(ARRAY[0, 0]))
    assert gdaltest.open_band(first).GetMetadataItem("STATISTICS_MAXIMUM") is not None
    second = gdaltest.write(tmp_path / "b.zarr", gdal.Open(first))
    assert_same_files(first, second)
    without = gdaltest.write(tmp_path / "c.zarr", gdal.Open(first), "STATISTICS=NO")
    assert not gdaltest.open_band(without).GetMetadata()
    assert "STATISTICS_" not in open(f"{translate(first, tmp_path / 'd.zarr', bandList=[1])}/zarr.json").read()
    # Those of others are theirs, where the driver makes none.
    source = gdaltest.mem(ARRAY[0, 0])
    source.GetRasterBand(1).SetMetadataItem("STATISTICS_MAXIMUM", "7")
    kept = gdaltest.write(tmp_path / "e.zarr", source, "STATISTICS=NO")
    assert gdaltest.open_band(kept).GetMetadata() == {"STATISTICS_MAXIMUM": "7"}


# -- What is left out --------------------------------------------------------------------------------------------------


@pytest.fixture
def pages(tmp_path):
    """A TIFF of 24 pages."""
    tifffile = pytest.importorskip("tifffile")
    path = f"{tmp_path}/pages.tif"
    tifffile.imwrite(path, np.arange(24 * 30 * 40, dtype="uint16").reshape(24, 30, 40), photometric="minisblack", metadata=None)
    return path


def test_pages_that_are_left_out_are_a_warning(tmp_path, pages):
    window = gdal.Translate(f"{tmp_path}/w.vrt", pages, format="VRT", srcWin=[1, 2, 20, 20])
    window = gdal.Translate(f"{tmp_path}/v.vrt", window, format="VRT", bandList=[1]).GetDescription()
    for number, (source, options) in enumerate([(pages, ["PLANES=ONE"]), (window, [])]):
        with warnings() as found:
            translate(source, tmp_path / f"{number}.zarr", f"REPORT={tmp_path}/{number}.json", *options)
        assert len(found) == 1 and "24 pages" in found[0] and "23 are left out" in found[0] and source in found[0]
        assert f'OMEZARR:"{pages}"' in found[0]
        assert any("23 are left out" in text for text in json.load(open(f"{tmp_path}/{number}.json"))["not_kept"])
    with warnings() as found:
        translate(f"GTIFF_DIR:3:{pages}", tmp_path / "one.zarr")
        translate(own(tmp_path / "a.zarr"), tmp_path / "two.zarr")
    assert not found


def test_labels_that_are_left_out_are_a_warning(tmp_path):
    zarr = pytest.importorskip("zarr")
    source = foreign(tmp_path / "a.zarr", "0.5")
    foreign(tmp_path / "a.zarr/labels/cells", "0.5", ARRAY[0, 0, :2], "zyx")  # the image has another number of planes
    zarr.open_group(f"{source}/labels", mode="a").attrs["ome"] = {"version": "0.5", "labels": ["cells"]}
    assert len(gdal.Open(source).GetSubDatasets()) == 2
    with warnings() as found:
        translate(source, tmp_path / "b.zarr")
    assert len(found) == 1 and "1 label image of the source is not copied" in found[0] and "axis z" in found[0]


def verify(store, source):
    """The last line of `omezarr verify`."""
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(os.pathsep)[0], "omezarr")
    done = subprocess.run([program, "verify", store, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()[-1]


def test_verify_does_not_praise_one_page_of_24(tmp_path, pages):
    store = translate(pages, tmp_path / "a.zarr", "PLANES=ONE")
    assert verify(store, pages).endswith("whole, and has the pixels of 1 of the 24 pages or images of the source")
    assert verify(store, f"GTIFF_DIR:1:{pages}").endswith("whole, and has the pixels of the source")
    whole = translate(pages, tmp_path / "b.zarr")
    assert verify(whole, pages).endswith("whole, and has the pixels of the source")


def test_verify_compares_bands_by_their_places(tmp_path):
    """The source's bands lie in the order z, c, as in stores of others; ours is c, z."""
    source = f"{tmp_path}/z.tif"
    gdal.GetDriverByName("GTiff").CreateCopy(source, stack(6, DIM_c_INDEX=["0", "1"] * 3, DIM_z_INDEX=["0", "0", "1", "1", "2", "2"]))
    assert "pixels of the source" in verify(translate(source, tmp_path / "a.zarr"), source)


def findings(store):
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(os.pathsep)[0], "omezarr")
    done = subprocess.run([program, "verify", store], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "contradict" in line]


@pytest.mark.parametrize("code", [None, "EPSG:32633", "EPSG:2263"])
def test_verify_says_where_two_places_contradict_each_other(tmp_path, code):
    source = gdaltest.mem(ARRAY[0, 0], (500, 0.5, 0, 700, 0, -0.5), code)
    source.GetRasterBand(1).SetDescription("one")
    store = gdaltest.write(tmp_path / "a.zarr", source, "CONSOLIDATED=NO")
    assert not findings(store)
    assert not findings(gdaltest.write(tmp_path / "b.zarr", source, "AXIS_SCALE=y:3", "CHANNEL_NAMES=x"))
    document = json.load(open(f"{store}/zarr.json"))
    document["attributes"]["ome"]["omero"]["channels"][0]["label"] = "other"
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][1] *= 2
    json.dump(document, open(f"{store}/zarr.json", "w"))
    label, size = findings(store)
    assert label.startswith("note") and store in label and '"other"' in label and '"one"' in label
    assert size.startswith("note") and "gdal:geotransform" in size
    with gdaltest.collected_messages() as messages:
        dataset = gdal.Open(store)
    assert dataset.GetGeoTransform() == (500, 0.5, 0, 700, 0, -0.5)
    assert len(messages.warnings()) == 1 and "gdal:geotransform" in messages.warnings()[0] and store in messages.warnings()[0]


@pytest.mark.parametrize("code,unit", [("EPSG:32633", 1), ("EPSG:2263", 0.30480060960121924), ("EPSG:4326", 1)])
def test_a_scale_that_others_change_alike_on_both_axes_is_told(tmp_path, code, unit):
    """The unit of the CRS may stand between the two numbers; any other factor is a change."""
    store = gdaltest.write(tmp_path / "a.zarr", gdaltest.mem(ARRAY[0, 0], (50, 0.5, 0, 70, 0, -0.5), code), "CONSOLIDATED=NO")
    assert gdaltest.transforms(store)[0][0] == pytest.approx([1, 0.5 * unit, 0.5 * unit], rel=1e-12)
    with gdaltest.collected_messages() as messages:
        gdal.Open(store)
    assert messages == []
    document = json.load(open(f"{store}/zarr.json"))
    for i in (1, 2):
        document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][i] *= 1.01
    json.dump(document, open(f"{store}/zarr.json", "w"))
    with gdaltest.collected_messages() as messages:
        gdal.Open(store)
    assert len(messages.warnings()) == 1 and "contradict" in messages.warnings()[0]


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_orientations_of_axes_go_on(tmp_path, version):
    """RFC-4: into copies, and through a change in place."""
    def orientations(store):
        return [axis.get("orientation", {}).get("value") for axis in gdaltest.axes(store)]

    given = ["inferior-to-superior", "anterior-to-posterior", "right-to-left"]
    first = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((3, 40, 50), "uint8")), "AXES=z:3", "BLOCKSIZE=16",
                           "AXIS_ORIENTATION=" + ",".join(f"{axis}:{word}" for axis, word in zip("zyx", given)), f"NGFF_VERSION={version}")
    assert orientations(first) == given
    copy = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(first), "BLOCKSIZE=16", f"NGFF_VERSION={version}")
    assert orientations(copy) == given
    dataset = gdal.Open(copy, gdal.GA_Update)
    dataset.GetRasterBand(1).Fill(7)
    dataset = None
    assert orientations(copy) == given
    done = subprocess.run([os.path.join(os.environ["GDAL_DRIVER_PATH"], "omezarr"), "validate", copy], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "valid\n")
