"""One bad thing does not take the rest: stores with something wrong that the pixels do not need. What opens, which warning
tells it, which pixels are there; and that `omezarr validate` says once that it is wrong. The stores are made by hand, after
those of public reports, and by other programs, whose documents are then broken member by member."""

import copy
import itertools
import json
import os
import subprocess

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

KINDS = {"t": "time", "c": "channel"}


# -- Stores by hand --------------------------------------------------------------------------------------------------


def dump(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file)


def scale(*values):
    return {"type": "scale", "scale": list(values)}


def translation(*values):
    return {"type": "translation", "translation": list(values)}


def pixels_of(shape, dtype, seed):
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def put_array(place, array, separator="/"):
    """A Zarr v2 array in chunks of one plane, 16 x 16."""
    chunks = [1] * (array.ndim - 2) + [16, 16]
    dump(f"{place}/.zarray", {"zarr_format": 2, "shape": array.shape, "chunks": chunks, "dtype": array.dtype.str, "order": "C",
                              "fill_value": 0, "filters": None, "compressor": None, "dimension_separator": separator})
    for index in itertools.product(*(range(-(-s // c)) for s, c in zip(array.shape, chunks))):
        part = array[tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunks))]
        padded = np.zeros(chunks, array.dtype)
        padded[tuple(slice(0, s) for s in part.shape)] = part
        key = f"{place}/" + separator.join(map(str, index))
        os.makedirs(os.path.dirname(key), exist_ok=True)
        padded.tofile(key)


class Store:
    """NGFF 0.4, 40 x 50 pixels, 2 planes on each axis before y and x, levels of 40, 20, 10 rows."""

    def __init__(self, root, axes="cyx", scales=None, levels=3, types=("<u2", "<u2", "<u2")):
        self.root = str(root)
        first = scales or [1] * (len(axes) - 2) + [2, 3]
        self.levels = []
        datasets = []
        for n in range(levels):
            shape = [40 >> n if a == "y" else 50 >> n if a == "x" else 2 for a in axes]
            self.levels.append(pixels_of(shape, types[n], n))
            put_array(f"{root}/{n}", self.levels[-1])
            datasets.append({"path": str(n), "coordinateTransformations": [
                scale(*(s * 2 ** n if a in "yx" else s for s, a in zip(first, axes)))]})
        self.image = {"version": "0.4", "axes": [{"name": a, "type": KINDS.get(a, "space")} for a in axes],
                      "datasets": datasets}
        self.attributes = {"multiscales": [self.image]}
        dump(f"{root}/.zgroup", {"zarr_format": 2})
        self.save()

    def save(self, change=lambda text: text):
        with open(f"{self.root}/.zattrs", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(change(json.dumps(self.attributes)))

    def edit(self, key, **members):
        dump(f"{self.root}/{key}", {**gdaltest.read_json(f"{self.root}/{key}"), **members})


def opened(root, *options):
    """The dataset, and the warnings."""
    with gdaltest.collected_messages() as messages:
        dataset = gdal.OpenEx(str(root), gdal.OF_RASTER, ["OMEZARR"], list(options))
    assert dataset is not None, messages
    assert all(kind == gdal.CE_Warning for kind, _ in messages), messages
    return dataset, [text for _, text in messages]


def levels_of(dataset):
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    found = [gdaltest.pixels(dataset)]
    for number in range(bands[0].GetOverviewCount()):
        found.append(np.stack([gdaltest.pixels(band.GetOverview(number)) for band in bands]))
    return found


def assert_levels(dataset, levels):
    found = levels_of(dataset)
    assert len(found) == len(levels)
    for got, want in zip(found, levels):
        np.testing.assert_array_equal(got, want.reshape(got.shape))


def assert_opens(root, levels, *words):
    """Opens with these levels and one warning for each of words, which all have the store's name in them."""
    dataset, told = opened(root)
    assert_levels(dataset, levels)
    assert len(told) == len(words) and all(word in text for word, text in zip(words, told)), told
    assert all(str(root) in text for text in told), told
    return dataset


def position(dataset):
    return dataset.GetGeoTransform(can_return_null=True)


def validate(root, *arguments):
    """Exit status and lines."""
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"], "omezarr")
    run = subprocess.run([program, "validate", *arguments, str(root)], capture_output=True, text=True)
    return run.returncode, run.stdout.splitlines() + run.stderr.splitlines()


def assert_invalid_once(root, *words):
    code, lines = validate(root)
    found = [line for line in lines if line.startswith("invalid: ")]
    assert code == 1 and len(found) == 1 and all(word in found[0] for word in words), lines


# -- Levels ----------------------------------------------------------------------------------------------------------


def test_a_level_that_is_not_there_is_left_out(tmp_path):
    store = Store(tmp_path / "a.zarr")
    os.rename(tmp_path / "a.zarr/1", tmp_path / "other")
    assert_opens(store.root, [store.levels[0], store.levels[2]], ".zattrs names the array 1, but there is none; the level is left out")
    dataset, _ = opened(f'OMEZARR:"{store.root}":0')
    np.testing.assert_array_equal(gdaltest.pixels(dataset), store.levels[0])
    assert_invalid_once(store.root, "multiscales[0].datasets[1]", "no array 1")


def test_the_full_size_has_to_be_there(tmp_path):
    store = Store(tmp_path / "a.zarr")
    os.rename(tmp_path / "a.zarr/0", tmp_path / "other")
    with pytest.raises(RuntimeError, match=".zattrs names the array 0, but there is none"):
        gdal.Open(store.root)
    assert_invalid_once(store.root, "multiscales[0].datasets[0]")


def test_the_full_size_has_to_be_there_wherever_it_is_listed(tmp_path):
    store = Store(tmp_path / "a.zarr")
    store.image["datasets"].reverse()
    store.save()
    os.rename(tmp_path / "a.zarr/0", tmp_path / "other")
    with pytest.raises(RuntimeError, match=".zattrs names the array 0, but there is none"):
        gdal.Open(store.root)


def test_a_level_of_another_type_is_left_out(tmp_path):
    store = Store(tmp_path / "a.zarr", types=("<i8", "<f8", "<i8"))
    assert_opens(store.root, [store.levels[0], store.levels[2]], "the array 1 has the type float64, not int64")
    code, lines = validate(store.root)
    assert any("1/.zarray" in line and "type" in line for line in lines), lines


@pytest.mark.parametrize("change, words", [
    ({"dtype": "<U4"}, '"<U4" is not read'), ({"compressor": {"id": "bz2"}}, "bz2"), ({"shape": [2, 2, 20, 25], "chunks": [1, 1, 16, 16]}, "4 axes, not 3"),
    ({"shape": [2, 0, 25]}, "shape is missing or wrong"), ({"chunks": None}, "chunks is missing or wrong"),
    ({"zarr_format": 5}, "not a Zarr v2 array"), ({"fill_value": "x"}, "fill_value does not fit"),
    ({"chunks": [1, 30000, 30000]}, "MAX_CHUNK")])
def test_a_level_that_cannot_be_read_is_left_out(tmp_path, change, words):
    store = Store(tmp_path / "a.zarr")
    store.edit("1/.zarray", **change)
    assert_opens(store.root, [store.levels[0], store.levels[2]], words)
    if "axes" in words:  # an image of 4 axes, then
        return
    store.edit("0/.zarray", **change)
    with pytest.raises(RuntimeError):
        opened(f"OMEZARR:{store.root}")


def test_levels_from_small_to_large_are_sorted(tmp_path):
    store = Store(tmp_path / "a.zarr")
    store.image["datasets"].reverse()
    store.save()
    dataset = assert_opens(store.root, store.levels, "not listed from large to small: they are sorted")
    assert position(dataset) == (-1.5, 3, 0, -1, 0, 2)
    assert validate(store.root)[0] == 1


@pytest.mark.parametrize("given", ["./0", "0/", "/0", "0//", "././0/."])
def test_paths_that_say_more_than_they_need(tmp_path, given):
    store = Store(tmp_path / "a.zarr")
    store.image["datasets"][0]["path"] = given
    store.save()
    assert_opens(store.root, store.levels, f'the path "{given}" of a dataset is read as "0"')
    assert_invalid_once(store.root, f'"{given}" must be "0"')


@pytest.mark.parametrize("given, words", [("a:b", "one of : ? # "), ("#1", "one of : ? # "), ("..\\0", "one of : ? # "),
                                          ("../0", "does not stay below the root"), ("", "empty"), (5, "no text"),
                                          ("x" * 300, "too long"), (".", "the group itself")])
def test_paths_that_cannot_be_used_say_why(tmp_path, given, words):
    store = Store(tmp_path / "a.zarr")
    store.image["datasets"][1]["path"] = given
    store.save()
    assert_opens(store.root, [store.levels[0], store.levels[2]], words)
    store.image["datasets"][0]["path"] = given
    store.save()
    with pytest.raises(RuntimeError) as raised:
        gdal.Open(store.root)
    assert words in str(raised.value)


def test_a_store_of_ours_without_a_level_still_knows_its_lost_chunks(tmp_path):
    """The record of chunks has one entry for each level that was written."""
    array = gdaltest.random_array((1, 300, 280), "uint8") | 1
    root = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=64")
    os.rename(f"{root}/ovr_2x", tmp_path / "other")
    dataset, told = opened(root)
    assert len(told) == 1 and "ovr_2x/image" in told[0]
    np.testing.assert_array_equal(gdaltest.pixels(dataset), array)
    os.unlink(f"{root}/scale0/image/c/0/0")
    with pytest.raises(RuntimeError, match="recorded it as stored"):
        opened(root)[0].ReadRaster()
    os.unlink(f"{root}/ovr_4x/image/c/0/0")
    dataset, _ = opened(root)
    assert dataset.GetRasterBand(1).GetOverview(0).XSize == 70
    with pytest.raises(RuntimeError, match="recorded it as stored"):
        dataset.GetRasterBand(1).GetOverview(0).ReadRaster()
    with pytest.raises(RuntimeError, match="copy it with gdal_translate"):
        gdal.OpenEx(root, gdal.OF_RASTER | gdal.OF_UPDATE)


# -- Positions -------------------------------------------------------------------------------------------------------

NOWHERE = None
PLACE = (-1.5, 3, 0, -1, 0, 2)


def axis_output(name):
    return {"name": name, "axes": []}


@pytest.mark.parametrize("axes, transforms, common, words, expected", [
    ("czyx", [scale(1, 2, 3)], None, [], PLACE),  # one for each axis of space
    ("czyx", [scale(2, 3)], None, ["not a number for each axis; the image has no position"], NOWHERE),
    ("cyx", [translation(0, 10, 20)], None, [], (19.5, 1, 0, 9.5, 0, 1)),
    ("cyx", [translation(0, 5, 5), scale(1, 2, 3)], None, [], (13.5, 3, 0, 9, 0, 2)),  # 2 * 5 - 1, 3 * 5 - 1.5
    ("cyx", [scale(1, 2, 3), translation(0, 10, 20)], None, [], (18.5, 3, 0, 9, 0, 2)),
    ("cyx", [{"type": "scale", "scale": None}], None, ["not a number for each axis"], NOWHERE),
    ("cyx", [{"type": "scale", "scale": ["1", "2", "3"]}], None, ["not a number for each axis"], NOWHERE),
    ("cyx", [{"type": "scale", "path": "s"}], None, ["an array of their own"], NOWHERE),
    ("cyx", [{"type": "scale"}], None, ["not a number for each axis"], NOWHERE),
    ("cyx", ["scale"], None, ["no type"], NOWHERE), ("cyx", 5, None, ["no list"], NOWHERE),
    ("cyx", [{"type": "identity"}], None, [], NOWHERE),
    ("cyx", [{"type": "mapAxis", "mapAxis": [0, 2, 1]}], None, ["others than identity"], NOWHERE),
    ("cyx", [{"type": "affine", "affine": [[1, 0, 0, 0], [0, 2, 0, 10], [0, 0, 3, 20]]}], None, [], (18.5, 3, 0, 9, 0, 2)),
    ("cyx", [{"type": "affine", "affine": [[1, 0, 0, 0], [0, 0, 2, 0], [0, 3, 0, 0]]}], None, ["turn, shear"], NOWHERE),
    ("cyx", [{"type": "sequence", "transformations": [scale(1, 2, 3), translation(0, 10, 20)]}], None, [], (18.5, 3, 0, 9, 0, 2)),
    ("cyx", [scale(0, 2, 3)], None, ["axis c is no size of a pixel: 1 is taken"], PLACE),
    ("tczyx", [scale(0.0, 1, 0, 2, 3)], None, ["axis z", "axis t"], PLACE),
    ("cyx", [scale(1, 0, 3)], None, ["axis y is no size of a pixel: the image has no position"], NOWHERE),
    ("cyx", None, [scale(1, 2, 3)], [], (-4.5, 9, 0, -2, 0, 4)),
    ("cyx", None, [translation(0, 10, 20)], [], (18.5, 3, 0, 9, 0, 2)),
    ("cyx", None, [{"type": "affine", "affine": [[1, 0, 0, 0], [0, 2, 0, 5], [0, 0, 2, 6]]}], [], (3, 6, 0, 3, 0, 4)),
    # x = 3 * row, y = 2 * column from the pixel's centre: turned and mirrored
    ("cyx", None, [{"type": "affine", "affine": [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]}], [], (-1, 0, 2, -1.5, 3, 0)),
    ("cyx", None, [{"type": "affine", "affine": [[1, 0, 0, 0], [0, 2, 0], [0, 0, 2, 6]]}], ["row for each axis"], NOWHERE),
    ("cyx", None, [{"type": "affine", "affine": [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 6]]}], ["turn, shear"], NOWHERE),
    ("cyx", None, [{"type": "rotation", "rotation": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]}], ["turn, shear"], NOWHERE),
    ("cyx", None, [{"type": "identity", "output": axis_output("global")}, {**scale(1, .5, .5), "output": axis_output("other")}],
     ['several coordinate systems: its position is that in "global"'], PLACE),
    ("cyx", None, [{**scale(1, 2, 2), "output": "a"}, {"type": "affine", "affine": [], "output": "b"}],
     ['several coordinate systems: its position is that in "a"'], (-3, 6, 0, -2, 0, 4)),
    ("cyx", None, 5, ["no list"], NOWHERE)])
def test_transforms(tmp_path, axes, transforms, common, words, expected):
    """Pixels open whatever the transforms are. The levels of the images with common ones have the scale 2, 3."""
    store = Store(tmp_path / "a.zarr", axes, levels=1)
    if transforms is not None:
        store.image["datasets"][0]["coordinateTransformations"] = transforms
    if common is not None:
        store.image["coordinateTransformations"] = common
    store.save()
    assert position(assert_opens(store.root, store.levels, *words)) == expected


def test_transforms_of_a_small_level_take_no_other_position(tmp_path):
    store = Store(tmp_path / "a.zarr")
    store.image["datasets"][1]["coordinateTransformations"] = [{"type": "bijection"}]
    store.save()
    assert position(assert_opens(store.root, store.levels, "the transforms of 1 are not")) == PLACE
    assert validate(store.root)[0] == 1


# -- Documents -------------------------------------------------------------------------------------------------------


def document_cases():
    """What is done to the text of .zattrs, the warning, and the finding of validate."""
    return {
        "nan": (lambda t: t.replace("{", '{"mean": NaN, ', 1), "1 number is NaN or infinite", "read as null"),
        "infinite": (lambda t: t.replace("{", '{"mean": [-Infinity, 1e999], ', 1), "2 numbers are NaN or infinite", "read as null"),
        "nan in NGFF": (lambda t: t.replace('"version"', '"name": NaN, "version"', 1), '"name" is NaN or infinite', "left out"),
        "mark": (lambda t: "\ufeff" + t, "byte order mark", "must not"),
        "twice": (lambda t: t.replace("{", '{"multiscales": 5, ', 1), '"multiscales" more than once', "the last one counts"),
        "surrogate": (lambda t: t.replace("{", r'{"file": "\udcb5m", ', 1), "characters that JSON does not allow", "replaced"),
        "latin": (lambda t: t.replace("{", '{"unit": "\udcb5m", ', 1), "characters that JSON does not allow", "replaced"),
        "nul": (lambda t: t.replace("{", r'{"a": "\u0000", ', 1), "characters that JSON does not allow", "replaced")}


@pytest.mark.parametrize("name", document_cases())
def test_documents_that_are_nearly_json(tmp_path, name):
    change, word, finding = document_cases()[name]
    store = Store(tmp_path / "a.zarr")
    store.save(change)
    assert position(assert_opens(store.root, store.levels, word)) == PLACE
    assert_invalid_once(store.root, word, finding)


def test_a_scale_of_nan_is_no_position(tmp_path):
    store = Store(tmp_path / "a.zarr", levels=1)
    store.save(lambda text: text.replace("[1, 2, 3]", "[1, NaN, 3]"))
    assert position(assert_opens(store.root, store.levels, "NaN or infinite", "the image has no position")) is None


def test_a_fill_of_nan_is_that(tmp_path):
    """A float array with fill_value NaN, as Python's json writes it, and the attribute that xarray reads as nodata."""
    store = Store(tmp_path / "a.zarr", levels=1, types=["<f4"])
    text = open(f"{store.root}/0/.zarray").read().replace('"fill_value": 0', '"fill_value": NaN')
    open(f"{store.root}/0/.zarray", "w").write(text)
    open(f"{store.root}/0/.zattrs", "w").write('{"_FillValue": NaN}')
    os.unlink(f"{store.root}/0/1/0/0")
    dataset, told = opened(store.root)
    assert len(told) == 2 and np.isnan(dataset.GetRasterBand(1).GetNoDataValue())
    want = store.levels[0].copy()
    want[1, :16, :16] = np.nan
    np.testing.assert_array_equal(gdaltest.pixels(dataset), want)


@pytest.mark.parametrize("key", ["0/.zattrs", "1/.zattrs", "labels/.zattrs"])
@pytest.mark.parametrize("text", ["{", "[]", '{"labels": 5}', ""])
def test_documents_that_pixels_do_not_need(tmp_path, key, text):
    store = Store(tmp_path / "a.zarr")
    os.makedirs(os.path.dirname(f"{store.root}/{key}"), exist_ok=True)
    open(f"{store.root}/{key}", "w").write(text)
    dataset, told = opened(store.root)
    assert_levels(dataset, store.levels)
    assert position(dataset) == PLACE
    is_told = text != '{"labels": 5}' and key != "1/.zattrs"
    assert len(told) == is_told and all(key in line and "left out" in line for line in told), told


def test_many_colours_of_labels(tmp_path):
    """30,000 labels have 210,000 values; core needs none of them, the host has its own limit."""
    store = Store(tmp_path / "a.zarr", "yx")
    store.attributes["image-label"] = {"version": "0.4", "colors": [
        {"label-value": n, "rgba": [n % 256, 7, 7, 255]} for n in range(1, 30001)]}
    store.save()
    dataset = assert_opens(store.root, store.levels)
    table = dataset.GetRasterBand(1).GetColorTable()
    assert table.GetCount() == 30001 and table.GetColorEntry(29999) == (29999 % 256, 7, 7, 255)
    assert validate(store.root)[0] == 0


def test_too_many_values_name_the_option(tmp_path):
    store = Store(tmp_path / "a.zarr", "yx", levels=1)
    store.image["junk"] = []
    store.save(lambda text: text.replace("[]", "[7" + ",7" * 210000 + "]"))
    with pytest.raises(RuntimeError, match=r"too many values \(at most 200000\); raise the option MAX_METADATA"):
        gdal.Open(store.root)
    assert_levels(opened(store.root, "MAX_METADATA=32MB")[0], store.levels)
    assert validate(store.root)[0] == 0
    store.save(lambda text: text.replace("[]", "[7" + ",7" * 2100000 + "]"))
    code, lines = validate(store.root)
    assert code == 3 and len(lines) == 1 and "(at most 2000000); raise the option MAX_METADATA" in lines[0], lines
    assert validate(store.root, "-oo", "MAX_METADATA=32MB")[0] == 0
    assert validate(store.root, "-oo", "MAX_METADATA=x")[0] == 3
    assert validate(store.root, "-oo")[0] == 2


def test_copies_of_documents_that_are_too_large(tmp_path):
    """The root of a plate, consolidated: 60 KiB, of which the plate itself has little; the limit is lowered to 20."""
    root = tmp_path / "p.zarr"
    array = pixels_of((40, 50), "uint8", 3)
    for well in ("A/1", "B/2"):
        field = tmp_path / "p.zarr" / well / "0"
        node = {"zarr_format": 3, "node_type": "group"}
        dump(f"{root}/{well}/zarr.json", {**node, "attributes": {"ome": {"version": "0.5", "well": {"images": [{"path": "0"}]}}}})
        dump(f"{field}/zarr.json", {**node, "attributes": {"ome": {"version": "0.5", "multiscales": [
            {"axes": [{"name": a, "type": "space"} for a in "yx"],
             "datasets": [{"path": "0", "coordinateTransformations": [scale(2, 3)]}]}]}}})
        dump(f"{field}/0/zarr.json", {
            "zarr_format": 3, "node_type": "array", "shape": [40, 50], "data_type": {"name": "uint8"}, "fill_value": 0,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [40, 50]}}, "attributes": {},
            "chunk_key_encoding": "default", "codecs": ["bytes"], "dimension_names": ["y", "x"]})
        os.makedirs(f"{field}/0/c/0")
        array.tofile(f"{field}/0/c/0/0")
    plate = {"rows": [{"name": "A"}, {"name": "B"}], "columns": [{"name": "1"}, {"name": "2"}],
             "wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}, {"path": "B/2", "rowIndex": 1, "columnIndex": 1}]}
    one = gdaltest.read_json(f"{root}/A/1/0/zarr.json")
    dump(f"{root}/zarr.json", {
        "attributes": {"ome": {"version": "0.5", "plate": plate}}, "zarr_format": 3,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": {
            f"A/1/{i}": one for i in range(60 * 2 ** 10 // len(json.dumps(one)))}},
        "node_type": "group"})
    assert os.path.getsize(root / "zarr.json") > 50 * 2 ** 10
    dataset, told = opened(root, "MAX_METADATA=20KB")
    names = [name for name, _ in dataset.GetSubDatasets()]
    assert len(names) == 2 and not told
    assert_levels(opened(names[1])[0], [array])
    code, lines = validate(root, "-oo", "MAX_METADATA=20KB")
    assert code == 0 and not any("MAX_METADATA" in line for line in lines), lines
    document = gdaltest.read_json(root / "zarr.json")
    dump(f"{root}/zarr.json", {"consolidated_metadata": document.pop("consolidated_metadata"), **document})
    with pytest.raises(RuntimeError, match="raise the open option MAX_METADATA"):
        gdal.OpenEx(str(root), gdal.OF_RASTER, ["OMEZARR"], ["MAX_METADATA=20KB"])


# -- Zarr v3 ---------------------------------------------------------------------------------------------------------


def make_v3(root, in_ome=True):
    zarr = pytest.importorskip("zarr")
    array = pixels_of((2, 40, 50), "uint16", 1)
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    group.create_array("0", shape=array.shape, chunks=(1, 16, 16), dtype=array.dtype)[...] = array
    image = {"version": "0.4", "axes": [{"name": a, "type": KINDS.get(a, "space")} for a in "cyx"],
             "datasets": [{"path": "0", "coordinateTransformations": [scale(1, 2, 3)]}]}
    if in_ome:
        del image["version"]
    group.attrs.update({"ome": {"version": "0.5", "multiscales": [image]}} if in_ome else {"multiscales": [image]})
    return array


@pytest.mark.parametrize("change", [
    {"chunk_key_encoding": "default"}, {"data_type": {"name": "uint16"}}, {"data_type": {"name": "uint16", "configuration": {}}},
    {"codecs": ["bytes", "zstd"]}, {"storage_transformers": None}, {"dimension_names": 5}, {"attributes": None},
    {"attributes": [1]}])
def test_short_and_strange_members_of_arrays(tmp_path, change):
    root = tmp_path / "a.zarr"
    array = make_v3(root)
    document = gdaltest.read_json(root / "0/zarr.json")
    dump(f"{root}/0/zarr.json", {**document, **change})
    assert_levels(opened(root)[0], [array])


def test_keys_of_04_in_zarr_v3(tmp_path):
    root = tmp_path / "a.zarr"
    array = make_v3(root, in_ome=False)
    assert position(assert_opens(root, [array], 'has no "ome"')) == PLACE
    assert_invalid_once(root, 'must have the object "ome"')


# -- Collections -----------------------------------------------------------------------------------------------------


def test_a_bad_path_in_a_plate_takes_no_other_well(tmp_path):
    root = tmp_path / "p.zarr"
    stores = [Store(root / "A/1/0", levels=1), Store(root / "A/1/1", levels=1)]
    dump(f"{root}/A/1/.zattrs", {"well": {"version": "0.4", "images": [{"path": "0/"}, {"path": 5}, {}, 7, {"path": "1"}]}})
    dump(f"{root}/.zattrs", {"plate": {"version": "0.4", "wells": [{"path": "../A"}, {"path": "./A/1"}, {"path": "A:1"}, 5]}})
    dataset, told = opened(root)
    names = dataset.GetSubDatasets()
    assert [title for _, title in names] == ["well ./A/1, field 0", "well ./A/1, field 4"]
    assert len(told) == 6 and all("is left out" in text for text in told), told
    for (name, _), store in zip(names, stores):
        assert_levels(opened(name)[0], store.levels)


def test_a_bad_label_takes_no_other(tmp_path):
    store = Store(tmp_path / "a.zarr")
    label = Store(tmp_path / "a.zarr/labels/cells", levels=1)
    dump(f"{store.root}/labels/.zattrs", {"labels": ["../x", 5, "cells/", None]})
    dataset, told = opened(store.root)
    assert_levels(dataset, store.levels)
    assert [title for _, title in dataset.GetSubDatasets()] == ["image", "label cells/"] and len(told) == 3, told
    assert_levels(opened(dataset.GetSubDatasets()[1][0])[0], label.levels)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("ome, words", [
    ({"plate": {"wells": []}}, "the plate has 0 wells"), ({"plate": {"rows": [], "columns": []}}, "the plate has 0 wells"),
    ({"multiscales": []}, "multiscales is an empty list"), ({"plate": {"wells": [{"path": "A/1"}]}}, "it is a plate of images"),
    ({"well": {"images": []}}, "it is a well of images"), ({"bioformats2raw.layout": 3}, "it is a list of series of images")])
def test_what_holds_no_image_says_so_when_it_is_opened(tmp_path, version, ome, words):
    """By its plain name: GDAL itself would only say that no driver knows it."""
    root = tmp_path / "a.zarr"
    if version == "0.4":
        dump(f"{root}/.zgroup", {"zarr_format": 2})
        dump(f"{root}/.zattrs", ome)
    else:
        dump(f"{root}/zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **ome}}})
    with pytest.raises(RuntimeError) as raised:
        gdal.Open(str(root))
    assert words in str(raised.value) and str(root) in str(raised.value)


# -- Documents of other writers, member by member ---------------------------------------------------------------------


def members_of(value, path=()):
    """Every member and item below a value, as a path."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, below in entries:
        yield path + (key,)
        yield from members_of(below, path + (key,))


def changed(document, path, value):
    document = copy.deepcopy(document)
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return document


# A path that contains one of these, and what pixels need of it: paths that end so may be refused.
NEEDED = [("multiscales",), ("multiscales", 0), ("multiscales", 0, "datasets"), ("multiscales", 0, "datasets", 0),
          ("multiscales", 0, "datasets", 0, "path")]


def is_needed(path):
    """By the keys behind attributes.ome, if there are such; the outermost objects themselves; versions and axes' names say
    what the rest means."""
    inner = tuple(key for key in path if key not in ("attributes", "ome"))
    return not inner or inner in NEEDED or inner[-1] == "version" or (inner[-2:-1] == ("axes",) or inner[-1] == "name" and "axes" in inner)


def write_by_ngff_zarr(root, array, version):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    image = ngff_zarr.to_ngff_image(array, dims=("c", "y", "x"), scale={"c": 1, "y": 2, "x": 3}, axes_units={"y": "micrometer", "x": "micrometer"})
    levels = ngff_zarr.to_multiscales(image, scale_factors=[{"y": 2, "x": 2}], chunks={"c": 1, "y": 16, "x": 16})
    ngff_zarr.to_ngff_zarr(root, levels, version=version)


def write_by_ome_zarr_py(root, array, version):
    zarr = pytest.importorskip("zarr")
    writer, formats = pytest.importorskip("ome_zarr.writer"), pytest.importorskip("ome_zarr.format")
    group = zarr.open_group(root, mode="w", zarr_format=2 if version == "0.4" else 3)
    writer.write_image(array, group, axes="cyx", fmt={"0.4": formats.FormatV04, "0.5": formats.FormatV05}[version](),
                       metadata={"omero": {"channels": [{"label": "a", "color": "FF0000", "active": True,
                                                         "window": {"min": 0, "max": 9, "start": 1, "end": 5}}]}})


def write_by_zarr_python(root, array, version):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(root, mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", shape=array.shape, chunks=(1, 16, 16), dtype=array.dtype)[...] = array
    image = {"name": "a", "axes": [{"name": a, "type": KINDS.get(a, "space"), "unit": "micrometer"} for a in "cyx"],
             "datasets": [{"path": "0", "coordinateTransformations": [scale(1, 2, 3), translation(0, 1, 1)]}],
             "type": "x", "metadata": {"a": [1]}, "coordinateTransformations": [scale(1, 2, 2)]}
    attributes = {"multiscales": [image], "image-label": {"colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}]},
                  "omero": {"channels": [{"label": "a"}], "rdefs": {"model": "color"}}, "series": ["x"], "labels": ["x"]}
    image.update({"version": "0.4"} if version == "0.4" else {})
    group.attrs.update(attributes if version == "0.4" else {"ome": {"version": "0.5", **attributes}})


WRITERS = {"ngff-zarr": write_by_ngff_zarr, "ome-zarr-py": write_by_ome_zarr_py, "zarr-python": write_by_zarr_python}


@pytest.mark.parametrize("writer, version", [("ngff-zarr", "0.5"), ("ome-zarr-py", "0.4"), ("zarr-python", "0.4"), ("zarr-python", "0.5")])
def test_a_wrong_type_of_any_other_member_opens(tmp_path, writer, version):
    root = str(tmp_path / "a.zarr")
    array = pixels_of((3, 40, 50), "uint16", 1)
    WRITERS[writer](root, array, version)
    key = f"{root}/" + (".zattrs" if version == "0.4" else "zarr.json")
    document = gdaltest.read_json(key)
    document.pop("consolidated_metadata", None)
    paths = [path for path in members_of(document if version == "0.4" else {"attributes": document["attributes"]})]
    assert len(paths) > 20
    for path in paths:
        for value in (None, 7, "x", [None], {"x": []}):
            if is_needed(path):
                continue
            dump(key, changed(document, path, value))
            try:
                dataset, _ = opened(f"OMEZARR:{root}")
            except RuntimeError as error:
                pytest.fail(f"{path} = {value}: {error}")
            np.testing.assert_array_equal(gdaltest.pixels(dataset), array, err_msg=f"{path} = {value}")
