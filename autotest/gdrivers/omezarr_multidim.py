"""Arrays through GDAL's multidimensional API: netCDF and HDF5 files, made by GDAL's netCDF driver, become images by
gdalmdimtranslate and, from GDAL 3.11 on, gdal mdim convert."""

import json
import shutil
import struct
import subprocess
import sys

import gdaltest
import numpy as np
import pytest
from gdaltest import ome, open_band, pixels
from osgeo import gdal

netcdf = gdal.GetDriverByName("netCDF")
pytestmark = pytest.mark.skipif(netcdf is None or not netcdf.GetMetadataItem("DCAP_CREATE_MULTIDIMENSIONAL"),
                                reason="this GDAL writes no netCDF")

TIME = ("time", "TEMPORAL", [6.0, 12.0, 18.0], "hours since 2000-01-01 00:00:00")
LEVEL = ("lev", "VERTICAL", [10.0, 20.0], "m")
LAT = ("lat", "HORIZONTAL_Y", [50 - 0.5 * i for i in range(20)], "degrees_north")
LON = ("lon", "HORIZONTAL_X", [10 + 0.5 * i for i in range(24)], "degrees_east")


def numbers(shape, dtype="int16", seed=1):
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


def data_type(name):
    return gdal.ExtendedDataType.CreateString() if name == "str" else gdal.ExtendedDataType.Create(gdaltest.TYPES[name])


def make(path, arrays, attributes=(), index_attributes=()):
    """A netCDF 4 file (which is an HDF5 file). arrays: name -> (dimensions, array, creation options, what to say of it); a
    dimension: name, type, values or size, unit; "group/name" lies in a group."""
    dataset = netcdf.CreateMultiDimensional(str(path), [], ["FORMAT=NC4"])
    root = dataset.GetRootGroup()
    for name, value in attributes:
        is_text = isinstance(value, str)
        made = root.CreateAttribute(name, [], data_type("str" if is_text else "int64"))
        assert (made.Write(value) if is_text else made.WriteRaw(struct.pack("<q", value))) == gdal.CE_None
    known, groups = {}, {"": root}
    for name, (dimensions, array, options, said) in arrays.items():
        folder, _, base = name.rpartition("/")
        group = groups.setdefault(folder, None) or root.CreateGroup(folder)
        groups[folder] = group
        used = []
        for dimension, kind, values, unit in dimensions:
            if dimension not in known:
                has_values = not isinstance(values, int)
                known[dimension] = root.CreateDimension(dimension, kind, "", len(values) if has_values else values)
                if has_values:
                    index = root.CreateMDArray(dimension, [known[dimension]], data_type("float64"))
                    for key, value in index_attributes:
                        if key.startswith(dimension + "#"):
                            index.CreateAttribute(key.split("#")[1], [], data_type("str")).Write(value)
                    if unit:
                        index.SetUnit(unit)
                    index.Write(np.array(values, "float64").tobytes())
            used.append(known[dimension])
        made = group.CreateMDArray(base, used, data_type(array.dtype.name), list(options))
        for what, value in said.items():
            getattr(made, "Set" + what)(value)
        made.Write(np.ascontiguousarray(array).tobytes())
    return str(path)


def one(path, dimensions, array, options=(), name="temp", **said):
    return make(path, {name: (dimensions, array, options, said)})


def translate(source, target, *arguments):
    """As gdalmdimtranslate does it: its status and what it said."""
    made = None
    with gdaltest.collected_messages() as messages:
        try:
            made = gdal.MultiDimTranslate(str(target), str(source), options=["-of", "OMEZARR", *arguments])
        except RuntimeError as problem:
            messages.append((gdal.CE_Failure, str(problem)))
    return int(made is None), "".join(f"{'Warning' if kind == gdal.CE_Warning else 'Error'}: {text}\n"
                                      for kind, text in messages)


def translated(source, target, *arguments):
    """Makes it without a word; gives all bands."""
    status, said = translate(source, target, *arguments)
    assert (status, said) == (0, "")
    return pixels(gdal.Open(str(target)))


def axes_of(path):
    return "".join(axis["name"] for axis in ome(path)["multiscales"][0]["axes"])


def units_of(path):
    return {axis["name"]: axis["unit"] for axis in ome(path)["multiscales"][0]["axes"] if "unit" in axis}


def position_of(path):
    """Scale and translation of level 0."""
    steps = ome(path)["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    return next(s["scale"] for s in steps if "scale" in s), next(
        (s["translation"] for s in steps if "translation" in s), None)


# -- Writing: axes ---------------------------------------------------------------------------------------------------


def test_array_becomes_axes_by_its_dimensions(tmp_path):
    array = numbers((3, 2, 20, 24))
    source = make(tmp_path / "in.nc", {"temp": ((TIME, LEVEL, LAT, LON), array, (), {"Unit": "K"})},
                  attributes=[("title", "A title")], index_attributes=[("time#calendar", "noleap")])
    got = translated(source, tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(got, array.reshape(6, 20, 24))
    assert axes_of(tmp_path / "out.ome.zarr") == "tzyx"
    scale, translation = position_of(tmp_path / "out.ome.zarr")
    assert (scale[:2], translation[:2]) == ([6, 10], [6, 10])
    assert units_of(tmp_path / "out.ome.zarr") == {"t": "hour", "z": "meter"}
    out = gdal.Open(str(tmp_path / "out.ome.zarr"))
    assert out.GetGeoTransform() == (9.75, 0.5, 0, 50.25, 0, -0.5)
    assert out.GetRasterBand(1).GetUnitType() == "K"
    assert out.GetMetadataItem("time#units") == TIME[3] and out.GetMetadataItem("time#calendar") == "noleap"
    assert out.GetMetadataItem("NC_GLOBAL#title") == "A title"


@pytest.mark.parametrize("calendar", ["360_day", "julian"])
def test_times_of_another_calendar_stay_counts_of_days(tmp_path, calendar):
    """30 February 2000 of 360_day is day 59, and no date of our calendar."""
    time = ("time", "TEMPORAL", [29.0, 59.0, 89.0, 119.0], "days since 2000-01-01")
    source = make(tmp_path / "in.nc", {"temp": ((time, LAT, LON), numbers((4, 20, 24)), (), {})}, index_attributes=[("time#calendar", calendar)])
    path = str(tmp_path / "out.ome.zarr")
    translated(source, path)
    scale, translation = position_of(path)
    assert (scale[0], translation[0], units_of(path)["t"]) == (30, 29, "day")
    t = open_array(path, "/scale0/image").GetDimensions()[0]
    index = t.GetIndexingVariable()
    assert (positions(t), index.GetUnit(), index.GetAttribute("calendar").Read()) == (time[2], time[3], calendar)


def test_zarr_python_reads_the_array(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = numbers((3, 2, 20, 24), "float32")
    translated(one(tmp_path / "in.nc", (TIME, LEVEL, LAT, LON), array), tmp_path / "out.ome.zarr")
    path = ome(tmp_path / "out.ome.zarr")["multiscales"][0]["datasets"][0]["path"]
    np.testing.assert_array_equal(zarr.open_group(str(tmp_path / "out.ome.zarr"), mode="r")[path][...], array)


def test_arrays_on_the_same_dimensions_become_channels(tmp_path):
    a, b = numbers((3, 20, 24)), numbers((3, 20, 24), seed=2)
    source = make(tmp_path / "in.nc", {"temp": ((TIME, LAT, LON), a, (), {"NoDataValueDouble": -9}),
                                       "salt": ((TIME, LAT, LON), b, (), {"NoDataValueDouble": -8, "Scale": 0.5})})
    got = translated(source, tmp_path / "out.ome.zarr")
    assert axes_of(tmp_path / "out.ome.zarr") == "tcyx"
    np.testing.assert_array_equal(got, np.stack([a, b], 1).reshape(6, 20, 24))
    out = gdal.Open(str(tmp_path / "out.ome.zarr"))
    assert [out.GetRasterBand(i + 1).GetDescription() for i in range(2)] == ["temp", "salt"]
    assert [out.GetRasterBand(i + 1).GetNoDataValue() for i in range(2)] == [-9, -8]
    assert [out.GetRasterBand(i + 1).GetScale() for i in range(2)] == [None, 0.5]
    assert [c["label"] for c in ome(tmp_path / "out.ome.zarr")["omero"]["channels"]] == ["temp", "salt"]


def test_arrays_of_other_shapes_are_named(tmp_path):
    array = numbers((3, 20, 24))
    source = make(tmp_path / "in.nc", {"depth": ((LAT, LON), array[0], (), {}), "temp": ((TIME, LAT, LON), array, (), {}),
                                       "deep/salt": ((TIME, LAT, LON), array.astype("float32"), (), {})})
    report = tmp_path / "report.json"
    status, said = translate(source, tmp_path / "out.ome.zarr", "-co", f"REPORT={report}")
    assert status == 0 and said.count("Warning") == 1
    assert "2 of 3 arrays are not written" in said and "depth (20 of lat x 24 of lon)" in said and "-array NAME" in said
    assert "/deep/salt" in said or "temp (" in said  # of two of the same shape the first one is written
    assert any("2 of 3 arrays" in line for line in json.load(open(report))["not_kept"])
    got = translated(source, tmp_path / "one.ome.zarr", "-array", "depth")
    np.testing.assert_array_equal(got, array[:1])
    got = translated(source, tmp_path / "salt.ome.zarr", "-array", "/deep/salt")
    np.testing.assert_array_equal(got, array.astype("float32"))


def test_what_cannot_be_an_image_is_refused_by_name(tmp_path):
    line = ("n", "", [0.0, 1.0, 2.0, 3.0, 4.0], "")
    six = [(f"d{i}", "", 2, "") for i in range(6)]
    source = make(tmp_path / "in.nc", {"line": ((line,), numbers(5), (), {}),
                                       "many": (six, numbers((2,) * 6), (), {})})
    status, said = translate(source, tmp_path / "out.ome.zarr")
    assert status != 0 and "in.nc: no array in it can be an image" in said
    assert "line: it has 1 dimension" in said and "many: it has 6 dimensions" in said and "-subset" in said
    status, said = translate(source, tmp_path / "out.ome.zarr", "-array", "line")
    assert status != 0 and "in.nc" in said and "line: it has 1 dimension" in said
    status, said = translate(source, tmp_path / "out.ome.zarr", "-array", "n")
    assert status != 0 and "n: it has 1 dimension" in said
    assert not (tmp_path / "out.ome.zarr").exists()


def test_uneven_time_is_kept_to_the_number(tmp_path):
    array = numbers((3, 20, 24))
    uneven = ("time", "TEMPORAL", [100.0, 101.0, 103.5], "days since 1850-01-01")
    source = one(tmp_path / "in.nc", (uneven, LAT, LON), array)
    status, said = translate(source, tmp_path / "out.ome.zarr")
    assert status == 0 and said.count("Warning") == 1 and "t (time)" in said and "do not grow evenly" in said
    scale, _ = position_of(tmp_path / "out.ome.zarr")
    assert scale[0] == 1 and "t" not in units_of(tmp_path / "out.ome.zarr")
    out = gdal.Open(str(tmp_path / "out.ome.zarr"))
    found = [float(out.GetRasterBand(i).GetMetadataItem("DIM_time_VALUE")) for i in (1, 2, 3)]
    assert found == uneven[2]
    assert out.GetMetadataItem("time#units") == "days since 1850-01-01"


def test_uneven_latitudes_are_kept_with_a_warning(tmp_path):
    values = [50.0 - i - 0.01 * i * i for i in range(20)]
    source = one(tmp_path / "in.nc", (("lat", "HORIZONTAL_Y", values, "degrees_north"), LON), numbers((20, 24)))
    status, said = translate(source, tmp_path / "out.ome.zarr")
    assert status == 0 and "The positions on lat are not evenly spaced" in said
    out = gdal.Open(str(tmp_path / "out.ome.zarr"))
    assert out.GetGeoTransform(can_return_null=True) is None
    kept = out.GetMetadataItem("DIM_lat_VALUES")
    assert [float(v) for v in kept.strip("{}").split(",")] == values


def test_latitudes_that_grow_keep_their_order(tmp_path):
    array = numbers((20, 24))
    growing = ("lat", "HORIZONTAL_Y", LAT[2][::-1], "degrees_north")
    got = translated(one(tmp_path / "in.nc", (growing, LON), array), tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(got[0], array)
    assert gdal.Open(str(tmp_path / "out.ome.zarr")).GetGeoTransform() == (9.75, 0.5, 0, 40.25, 0, 0.5)


def test_packed_pixels_and_fill_stay_what_they_are(tmp_path):
    array = numbers((20, 24))
    array[3, 4] = -999
    source = one(tmp_path / "in.nc", (LAT, LON), array, Scale=0.01, Offset=273.15, NoDataValueDouble=-999, Unit="K")
    got = translated(source, tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(got[0], array)
    band = open_band(tmp_path / "out.ome.zarr")
    assert (band.GetScale(), band.GetOffset(), band.GetNoDataValue()) == (0.01, 273.15, -999)


def test_dimensions_without_names_for_axes(tmp_path):
    """x and y are the last two; t and an axis named otherwise are told apart though t is a word of ours."""
    array = numbers((3, 2, 20, 24))
    dimensions = (("t", "", [0.0, 1.0, 2.0], "s"), ("sigma", "", 2, ""), ("rows", "", 20, ""), ("columns", "", 24, ""))
    got = translated(one(tmp_path / "in.nc", dimensions, array), tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(got, array.reshape(6, 20, 24))
    assert axes_of(tmp_path / "out.ome.zarr") == "tcyx"
    assert gdal.Open(str(tmp_path / "out.ome.zarr")).GetGeoTransform(can_return_null=True) is None


def test_x_before_y_and_channels_last(tmp_path):
    array = numbers((24, 20, 3))
    dimensions = (LON, LAT, ("band", "", 3, ""))
    got = translated(one(tmp_path / "in.nc", dimensions, array, ("BLOCKSIZE=7,9,2", "COMPRESS=DEFLATE")),
                     tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(got, array.transpose(2, 1, 0))
    assert gdal.Open(str(tmp_path / "out.ome.zarr")).GetGeoTransform() == (9.75, 0.5, 0, 50.25, 0, -0.5)


# -- Writing: options ------------------------------------------------------------------------------------------------


def test_subset_scaleaxes_and_views(tmp_path):
    array = numbers((3, 2, 20, 24))
    source = one(tmp_path / "in.nc", (TIME, LEVEL, LAT, LON), array, ("BLOCKSIZE=2,2,8,8", "COMPRESS=DEFLATE"))
    got = translated(source, tmp_path / "a.ome.zarr", "-array", "temp", "-subset", "time(12,18)", "-subset", "lev(20)")
    np.testing.assert_array_equal(got, array[1:, 1])
    assert axes_of(tmp_path / "a.ome.zarr") == "tyx" and position_of(tmp_path / "a.ome.zarr")[1][0] == 12
    got = translated(source, tmp_path / "b.ome.zarr", "-array", "temp", "-scaleaxes", "lon(3),lat(2)")
    np.testing.assert_array_equal(got, array[:, :, ::2, ::3].reshape(6, 10, 8))
    status, said = translate(source, tmp_path / "c.ome.zarr", "-array", "name=temp,transpose=[1,0,2,3],view=[::-1,1,...]")
    assert status == 0 and "do not grow evenly" in said  # levels go down: no scale says that
    np.testing.assert_array_equal(pixels(gdal.Open(str(tmp_path / "c.ome.zarr"))), array.transpose(1, 0, 2, 3)[::-1, 1])


def test_creation_options_and_verify(tmp_path):
    array = numbers((3, 2, 40, 48))
    lat = ("lat", "HORIZONTAL_Y", [float(i) for i in range(40)], "")
    lon = ("lon", "HORIZONTAL_X", [float(i) for i in range(48)], "")
    source = one(tmp_path / "in.nc", (TIME, LEVEL, lat, lon), array, ("BLOCKSIZE=2,2,16,16", "COMPRESS=DEFLATE"))
    got = translated(source, tmp_path / "out.ome.zarr", "-co", "BLOCKSIZE=16", "-co", "NGFF_VERSION=0.4", "-co",
                     "VERIFY=SOURCE", "-co", "COMPRESS=ZSTD", "-co", "NAME=stack")
    np.testing.assert_array_equal(got, array.reshape(6, 40, 48))
    status, said = translate(source, tmp_path / "out.ome.zarr")
    assert status != 0 and "OVERWRITE" in said
    status, said = translate(source, tmp_path / "dry.ome.zarr", "-co", "DRY_RUN=YES")
    assert status == 0 and not (tmp_path / "dry.ome.zarr").exists()
    status, said = translate(source, tmp_path / "strange.ome.zarr", "-co", "BLOCKSIZE=none")
    assert status != 0 and "BLOCKSIZE" in said


@pytest.mark.parametrize("block", [(1, 1, 40, 48), (3, 2, 40, 48), (2, 1, 7, 100), None])
@pytest.mark.parametrize("size", ["16", "t:2,z:1,y:9,x:48"])
def test_chunks_of_any_shape_are_read_right(tmp_path, block, size):
    array = numbers((5, 2, 40, 48), "uint16")
    dimensions = (("time", "TEMPORAL", 5, ""), ("z", "", 2, ""), ("y", "", 40, ""), ("x", "", 48, ""))
    options = ("BLOCKSIZE=" + ",".join(str(min(a, b)) for a, b in zip(block, array.shape)),) if block else ()
    got = translated(one(tmp_path / "in.nc", dimensions, array, options), tmp_path / "out.ome.zarr", "-co",
                     "BLOCKSIZE=" + size)
    np.testing.assert_array_equal(got, array.reshape(10, 40, 48))


MEASURE = """
import sys
from osgeo import gdal
gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")

def kib(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

def translate(target, *options):
    return gdal.MultiDimTranslate(target, sys.argv[1], options=["-of", "OMEZARR", *[a for o in options for a in ("-co", o)]])

options = ["BLOCKSIZE=128", "NUM_THREADS=1", *sys.argv[3:]]
planned = int(translate(sys.argv[2], "DRY_RUN=YES", *options).GetMetadata("PLAN")["MEMORY"])
before, code = kib("VmRSS:"), kib("RssFile:")
assert translate(sys.argv[2], *options)
print(kib("VmHWM:") - before - (kib("RssFile:") - code), planned >> 10)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")
@pytest.mark.parametrize("memory,most", [(["MEMORY=1MB"], 24), ([], 64)])
def test_memory_is_what_the_plan_says(tmp_path, memory, most):
    """Also what is kept of decoded chunks, by default 32 MiB: it would be in no plan. HDF5 and GDAL themselves get 12 MiB."""
    dimensions = [("a", "", 16, ""), ("b", "", 1024, ""), ("c", "", 1024, "")]
    array = np.random.default_rng(1).integers(0, 65536, (16, 1024, 1024)).astype("uint16")
    one(tmp_path / "in.nc", dimensions, array, ("BLOCKSIZE=16,128,128",), name="data")
    (tmp_path / "in.nc").rename(tmp_path / "in.h5")
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path / "in.h5"), str(tmp_path / "out.ome.zarr"), *memory],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    taken, planned = (int(word) / 1024 for word in done.stdout.split()[-2:])
    assert taken < planned + 12 and planned < most
    np.testing.assert_array_equal(pixels(gdal.Open(str(tmp_path / "out.ome.zarr"))), array)


@pytest.mark.skipif(shutil.which("strace") is None, reason="no program strace")
def test_each_chunk_of_an_hdf5_file_is_read_once(tmp_path):
    """Through GDAL's HDF5 driver, by the calls that it makes to read the file: a chunk holds eight planes."""
    random = np.random.default_rng(1)
    array = random.integers(0, 65536, (16, 512, 512)).astype("uint16")
    dimensions = [("a", "", 16, ""), ("b", "", 512, ""), ("c", "", 512, "")]
    one(tmp_path / "in.nc", dimensions, array, ("BLOCKSIZE=8,256,256", "COMPRESS=DEFLATE"), name="data")
    (tmp_path / "in.nc").rename(tmp_path / "in.h5")
    for arguments in ((), ("-array", "data")):
        target = tmp_path / f"out{len(arguments)}.ome.zarr"
        log = tmp_path / "strace.log"
        done = subprocess.run(["strace", "-f", "-e", "trace=read,pread64", "-P", str(tmp_path / "in.h5"), "-o", str(log),
                               "gdalmdimtranslate", "-q", "-of", "OMEZARR", *arguments, str(tmp_path / "in.h5"),
                               str(target)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        n_bytes = sum(int(line.rsplit("=", 1)[1].split()[0]) for line in open(log) if line.rstrip()[-1].isdigit())
        assert n_bytes < 1.5 * (tmp_path / "in.h5").stat().st_size
        np.testing.assert_array_equal(pixels(gdal.Open(str(target))), array)


def test_reading_error_names_array_and_place(tmp_path):
    array = np.random.default_rng(1).integers(0, 65536, (4, 64, 64)).astype("uint16")
    dimensions = (("time", "", 4, ""), ("y", "", 64, ""), ("x", "", 64, ""))
    source = one(tmp_path / "in.nc", dimensions, array, ("BLOCKSIZE=1,64,64", "COMPRESS=DEFLATE", "CHECKSUM=YES"))
    content = bytearray(open(source, "rb").read())
    for at in range(len(content) // 2, len(content) // 2 + 2000):  # in the middle of the chunks
        content[at] ^= 0x55
    open(source, "wb").write(content)
    status, said = translate(source, tmp_path / "out.ome.zarr")
    assert status != 0 and not (tmp_path / "out.ome.zarr").exists()
    assert "in.nc: array /temp cannot be read at time " in said and "y 0 to 63" in said


def test_resume_knows_which_array_it_was(tmp_path):
    """Two arrays of one file are two sources."""
    a, b = numbers((20, 24)), numbers((20, 24), seed=2)
    source = make(tmp_path / "in.nc", {"a": ((LAT, LON), a, (), {}), "b": ((LAT, LON), b, (), {})})
    for name, array in (("a", a), ("b", b)):
        got = translated(source, tmp_path / f"{name}.ome.zarr", "-array", name, "-co", "RESUME=YES")
        np.testing.assert_array_equal(got[0], array)


def test_classic_netcdf_names_the_same_axes(tmp_path):
    """gdal_translate NETCDF:in.nc:temp, by the rule for bands."""
    array = numbers((3, 2, 20, 24))
    source = make(tmp_path / "in.nc", {"temp": ((TIME, LEVEL, LAT, LON), array, (), {}),
                                       "other": ((LAT, LON), array[0, 0], (), {})})
    gdaltest.write(tmp_path / "out.ome.zarr", gdal.Open(f'NETCDF:"{source}":temp'))
    assert axes_of(tmp_path / "out.ome.zarr") == "tzyx"
    np.testing.assert_array_equal(pixels(gdal.Open(str(tmp_path / "out.ome.zarr"))), array.reshape(6, 20, 24))


@pytest.mark.skipif(not gdaltest.AT_LEAST(3, 11), reason="GDAL 3.11 or newer")
def test_gdal_mdim_convert(tmp_path):
    array = numbers((3, 2, 20, 24))
    source = one(tmp_path / "in.nc", (TIME, LEVEL, LAT, LON), array)
    done = subprocess.run(["gdal", "mdim", "convert", "-q", "-f", "OMEZARR", source, str(tmp_path / "out.ome.zarr")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert axes_of(tmp_path / "out.ome.zarr") == "tzyx"
    np.testing.assert_array_equal(pixels(gdal.Open(str(tmp_path / "out.ome.zarr"))), array.reshape(6, 20, 24))


def test_hdf5_without_names_or_scales(tmp_path):
    """As h5py writes it, in a process of its own because it brings an HDF5 library of its own."""
    if not gdaltest.have("h5py"):
        pytest.skip("no module h5py")
    subprocess.run([sys.executable, "-c",
                    "import h5py, numpy, sys; file = h5py.File(sys.argv[1], 'w');"
                    "file.create_dataset('vol', data=numpy.arange(4*30*40, dtype='u2').reshape(4, 30, 40), chunks=(4, 10, 40));"
                    "file['text'] = ['a', 'b']", str(tmp_path / "in.h5")], check=True)
    status, said = translate(tmp_path / "in.h5", tmp_path / "out.ome.zarr")
    assert status == 0 and "1 of 2 arrays are not written: text" in said
    assert axes_of(tmp_path / "out.ome.zarr") == "cyx"
    np.testing.assert_array_equal(pixels(gdal.Open(str(tmp_path / "out.ome.zarr"))),
                                  np.arange(4 * 30 * 40, dtype="u2").reshape(4, 30, 40))


STRANGE = """
import h5py, numpy, sys
file = h5py.File(sys.argv[1], "w")
file.create_dataset("empty", shape=(3, 0, 5), maxshape=(None, None, None), dtype="u1")
file.create_dataset("six", data=numpy.zeros((2,) * 6, "u1"))
file.create_dataset("one", data=numpy.zeros(7, "u1"))
file.create_dataset("value", data=3.5)
file.create_dataset("null", data=h5py.Empty("f4"))
file.create_dataset("text", data=numpy.array([[b"ab", b"c"]] * 3, "S2"))
file.create_dataset("words", data=numpy.full((2, 2), "word", object), dtype=h5py.string_dtype())
file.create_dataset("pairs", data=numpy.zeros((4, 4), [("a", "u1"), ("b", "f4")]))
file.create_dataset("rows", shape=(2, 2), dtype=h5py.vlen_dtype("i4"))
file.create_dataset("things", data=numpy.zeros((2, 2), "V3"))
"""
WANTED = """
file.create_dataset("huge_chunks", shape=(2, 12, 9), maxshape=(None,) * 3, chunks=(1, 60000, 60000), dtype="u1", fillvalue=7)
file.create_dataset("image", data=numpy.arange(2 * 12 * 9, dtype="u1").reshape(2, 12, 9))
"""


def test_strange_arrays_are_told_apart(tmp_path):
    """Each by its name, without a crash; a file of nothing else is refused with the reasons."""
    if not gdaltest.have("h5py"):
        pytest.skip("no module h5py")
    for name, script in (("strange.h5", STRANGE), ("all.h5", STRANGE + WANTED)):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=True)
    status, said = translate(tmp_path / "strange.h5", tmp_path / "a.ome.zarr")
    assert status != 0 and "strange.h5: no array in it can be an image" in said and not (tmp_path / "a.ome.zarr").exists()
    for words in ("empty: it has no pixels", "six: it has 6 dimensions", "one: it has 1 dimension,", "value: it has 0 dimensions",
                  "text: it holds text", "words: it holds text", "pairs: its type is compound"):
        assert words in said, (words, said)
    status, said = translate(tmp_path / "all.h5", tmp_path / "b.ome.zarr")
    assert status == 0 and "arrays are not written" in said
    expected = np.arange(2 * 12 * 9, dtype="uint8").reshape(2, 12, 9)
    both = pixels(gdal.Open(str(tmp_path / "b.ome.zarr")))
    assert all(any(np.array_equal(plane, wanted) for plane in both) for wanted in [*expected, np.full((12, 9), 7)])
    status, said = translate(tmp_path / "all.h5", tmp_path / "c.ome.zarr", "-array", "huge_chunks")
    assert (status, said) == (0, "")
    np.testing.assert_array_equal(pixels(gdal.Open(str(tmp_path / "c.ome.zarr"))), np.full((2, 12, 9), 7))


def test_two_dimensions_of_one_name(tmp_path):
    """As a matrix of correlations has them; netCDF's driver cannot make it, and a VRT can."""
    (tmp_path / "in.vrt").write_text("""<VRTDataset><Group name="/"><Dimension name="n" size="3"/><Array name="m"><DataType>Float32</DataType>
        <DimensionRef ref="n"/><DimensionRef ref="n"/><DimensionRef ref="n"/><ConstantValue>2.5</ConstantValue></Array></Group></VRTDataset>""")
    got = translated(tmp_path / "in.vrt", tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(got, np.full((3, 3, 3), 2.5, "float32"))


# -- Reading -------------------------------------------------------------------------------------------------------


def open_arrays(path):
    return gdal.OpenEx(str(path), gdal.OF_MULTIDIM_RASTER)


def open_array(path, name):
    dataset = open_arrays(path)
    assert dataset.GetDriver().ShortName == "OMEZARR"
    array = dataset.GetRootGroup().OpenMDArrayFromFullname(name)
    array.dataset_of_array = dataset
    return array


def dtype_of(array):
    return np.dtype(gdaltest.NAMES[array.GetDataType().GetNumericDataType()])


def values(array, **arguments):
    """All of an array, or of a view of it."""
    shape = [dimension.GetSize() for dimension in array.GetDimensions()]
    dtype = dtype_of(array)
    given = "float32" if dtype == "float16" else dtype  # GDAL's Python has no buffers of the half of it
    return np.frombuffer(array.Read(**arguments), given).astype(dtype).reshape(shape)


def positions(dimension):
    index = dimension.GetIndexingVariable()
    return None if index is None else list(np.frombuffer(index.Read(), "float64"))


def all_names(group, head=""):
    names = [head + "/" + name for name in group.GetMDArrayNames() or []]
    for name in group.GetGroupNames() or []:
        names += all_names(group.OpenGroup(name), head + "/" + name)
    return names


STACK = numbers((3, 2, 40, 50), "uint16")


def make_stack(path, *options, array=STACK, t=TIME[2], unit=TIME[3], **said):
    lat = ("lat", "HORIZONTAL_Y", [50 - 0.5 * i for i in range(40)], "degrees_north")
    lon = ("lon", "HORIZONTAL_X", [10 + 0.5 * i for i in range(50)], "degrees_east")
    source = make(str(path) + ".nc", {"temp": (((TIME[0], TIME[1], t, unit), LEVEL, lat, lon), array, (), said)},
                  index_attributes=[("time#calendar", "noleap")])
    status, said = translate(source, path, "-co", "BLOCKSIZE=16", *[a for o in options for a in ("-co", o)])
    assert status == 0, said
    return str(path)


@pytest.mark.parametrize("options", [(), ("LAYOUT=FLAT",), ("NGFF_VERSION=0.4",), ("NGFF_VERSION=0.4", "LAYOUT=FLAT")])
def test_levels_are_what_zarr_python_reads(tmp_path, options):
    zarr = pytest.importorskip("zarr")
    path = make_stack(tmp_path / "a.ome.zarr", *options)
    if "NGFF_VERSION=0.4" in options:
        levels = json.load(open(path + "/.zattrs"))["multiscales"][0]["datasets"]
    else:
        levels = ome(path)["multiscales"][0]["datasets"]
    root = open_arrays(path).GetRootGroup()
    group = zarr.open_group(path, mode="r")
    assert len(levels) == 3
    for level in levels:
        array = open_array(path, "/" + level["path"])
        expected = group[level["path"]]
        np.testing.assert_array_equal(values(array), expected[...])
        assert dtype_of(array) == expected.dtype and list(array.GetBlockSize()) == list(expected.chunks)
        assert "/" + level["path"] in all_names(root)
    dimensions = open_array(path, "/" + levels[0]["path"]).GetDimensions()
    assert [d.GetName() for d in dimensions] == ["t", "z", "y", "x"]
    assert [d.GetType() for d in dimensions] == ["TEMPORAL", "VERTICAL", "HORIZONTAL_Y", "HORIZONTAL_X"]
    attributes = {a.GetName(): a.Read() for a in root.GetAttributes()}
    if "NGFF_VERSION=0.4" not in options:
        assert attributes["ome"]["version"] == "0.5" if isinstance(attributes["ome"], dict) else "0.5" in attributes["ome"]


BIG = 2**53 + 1


def test_whole_numbers_of_attributes_keep_their_value(tmp_path):
    """Of a source, and of what others have put into the root: a double does not hold them."""
    zarr = pytest.importorskip("zarr")
    source = make(tmp_path / "in.nc", {"temp": ((TIME, LEVEL, LAT, LON), numbers((3, 2, 20, 24)), (), {})}, attributes=[("big", BIG), ("least", -2**63)])
    translated(source, tmp_path / "a.ome.zarr")
    out = gdal.Open(str(tmp_path / "a.ome.zarr"))
    assert (out.GetMetadataItem("NC_GLOBAL#big"), out.GetMetadataItem("NC_GLOBAL#least")) == (str(BIG), str(-2**63))
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="r+", use_consolidated=False)
    wanted = {"big": BIG, "least": -2**63, "small": -7, "half": 0.5, "list": [BIG, 1], "beyond": 2**64}
    group.attrs.update(wanted)
    attributes = {a.GetName(): a for a in open_arrays(str(tmp_path / "a.ome.zarr")).GetRootGroup().GetAttributes()}
    for name in ("big", "least", "small"):
        assert attributes[name].GetDataType().GetNumericDataType() == gdal.GDT_Int64
        assert attributes[name].ReadAsString() == str(wanted[name])
    assert attributes["half"].ReadAsDouble() == 0.5 and json.loads(attributes["list"].ReadAsString()) == [BIG, 1]
    assert attributes["beyond"].ReadAsDouble() == 2.0**64


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_arrays_are_what_xarray_reads(tmp_path, version):
    """Dimensions, pixels, and the coordinates that there are; steps and views as xarray slices."""
    xarray = pytest.importorskip("xarray")
    array = numbers((2, 3, 4, 40, 50), "uint16")
    source = gdaltest.mem(array.reshape(24, 40, 50), geotransform=(500000, 10, 0, 4000000, 0, -10), code="EPSG:32633")
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "AXES=t:2,c:3,z:4", "BLOCKSIZE=16", f"NGFF_VERSION={version}")
    for level in ("scale0", "ovr_2x"):
        theirs = xarray.open_zarr(path, group=level, consolidated=False, mask_and_scale=False, decode_times=False).load()
        ours = open_array(path, f"/{level}/image")
        assert [d.GetName() for d in ours.GetDimensions()] == list(theirs["image"].dims) == list("tczyx")
        assert dtype_of(ours) == theirs["image"].dtype
        np.testing.assert_array_equal(values(ours), theirs["image"].values)
        assert set(theirs.coords) == {"y", "x"}
        for dimension in ours.GetDimensions()[3:]:
            np.testing.assert_array_equal(positions(dimension), theirs[dimension.GetName()].values)
        for view in ("[::-1,:,::-1,::-1,::-1]", "[1,::-2,3:0:-1,2:20:7,19:2:-11]", "[0:2:2,0,1:3,5,::40]", "[:,2,...]"):
            np.testing.assert_array_equal(values(ours.GetView(view)), eval(f"theirs['image']{view}").values)


def test_positions_units_and_georeference(tmp_path):
    path = make_stack(tmp_path / "a.ome.zarr", t=[100.0, 101.0, 103.5], unit="days since 1850-01-01", NoDataValueDouble=7,
                      Unit="K", Scale=0.5, Offset=3)
    array = open_array(path, "/scale0/image")
    t, z, y, x = array.GetDimensions()
    assert positions(t) == [100.0, 101.0, 103.5] and t.GetIndexingVariable().GetUnit() == "days since 1850-01-01"
    calendar = t.GetIndexingVariable().GetAttribute("calendar")
    assert calendar.Read() == "noleap"
    assert positions(z) == [10, 20] and z.GetIndexingVariable().GetUnit() in ("m", "meter")
    assert positions(y) == [50 - 0.5 * i for i in range(40)] and positions(x) == [10 + 0.5 * i for i in range(50)]
    assert y.GetIndexingVariable().GetUnit() == "degrees_north"
    assert (array.GetNoDataValueAsDouble(), array.GetScale(), array.GetOffset(), array.GetUnit()) == (7, 0.5, 3, "K")
    assert array.GetAttribute("time#calendar").Read() == "noleap"
    half = open_array(path, "/ovr_2x/image").GetDimensions()
    assert positions(half[3])[:2] == [10.25, 11.25] and positions(half[2])[:2] == [49.75, 48.75]
    assert positions(half[0]) == [100.0, 101.0, 103.5]


def test_crs_counts_dimensions(tmp_path):
    source = gdaltest.mem(numbers((3, 20, 24), "uint16"), geotransform=(500000, 10, 0, 4000000, 0, -10), code="EPSG:32633")
    gdaltest.write(tmp_path / "a.ome.zarr", source)
    array = open_array(tmp_path / "a.ome.zarr", "/scale0/image")
    crs = array.GetSpatialRef()
    assert crs.GetAuthorityCode(None) == "32633" and list(crs.GetDataAxisToSRSAxisMapping()) == [3, 2]
    classic = array.AsClassicDataset(2, 1)
    assert classic.GetGeoTransform() == source.GetGeoTransform()
    assert list(classic.GetSpatialRef().GetDataAxisToSRSAxisMapping()) == [1, 2]
    np.testing.assert_array_equal(pixels(classic), pixels(source))


def test_uneven_latitudes_come_back(tmp_path):
    uneven = [50.0 - i - 0.01 * i * i for i in range(20)]
    source = one(tmp_path / "in.nc", (("lat", "HORIZONTAL_Y", uneven, "degrees_north"), LON), numbers((20, 24)))
    assert translate(source, tmp_path / "a.ome.zarr")[0] == 0
    y, _ = open_array(tmp_path / "a.ome.zarr", "/scale0/image").GetDimensions()
    assert positions(y) == uneven and y.GetIndexingVariable().GetUnit() == "degrees_north"


def test_channels_have_names(tmp_path):
    source = gdaltest.mem(numbers((3, 20, 24), "uint8"))
    gdaltest.write(tmp_path / "a.ome.zarr", source, "CHANNEL_NAMES=DAPI,GFP,RFP")
    c = open_array(tmp_path / "a.ome.zarr", "/scale0/image").GetDimensions()[0]
    assert c.GetIndexingVariable().Read() == ["DAPI", "GFP", "RFP"]


def test_steps_and_strides(tmp_path):
    path = make_stack(tmp_path / "a.ome.zarr")
    array = open_array(path, "/scale0/image")
    for view, expected in (("[::-1,:,::-1,::-1]", STACK[::-1, :, ::-1, ::-1]), ("[1,::-1,3:40:7,49:2:-11]", STACK[1, ::-1, 3:40:7, 49:2:-11]),
                           ("[0:3:2,0,20:40,::40]", STACK[0:3:2, 0, 20:40, ::40]), ("[:,1,5,:]", STACK[:, 1, 5, :])):
        np.testing.assert_array_equal(values(array.GetView(view)), expected)
    np.testing.assert_array_equal(values(array.Transpose([3, 1, 0, 2])), STACK.transpose(3, 1, 0, 2))
    got = array.Read(array_start_idx=[2, 0, 39, 1], count=[3, 2, 13, 24], array_step=[-1, 1, -3, 2], buffer_stride=[1, 3, 6, 78],
                     buffer_datatype=gdal.ExtendedDataType.Create(gdal.GDT_Float64))
    expected = STACK[::-1, :, 39::-3, 1:49:2][:, :, :13].astype("float64")
    assert expected.shape == (3, 2, 13, 24)
    np.testing.assert_array_equal(np.frombuffer(got, "float64").reshape(24, 13, 2, 3).transpose(3, 2, 1, 0), expected)


@pytest.mark.parametrize("dtype", ["int8", "float16", "uint64", "float64", "complex64"])
def test_types_of_stores_of_others(tmp_path, dtype):
    """Values are those of the store, also of types that an older GDAL shows in a larger one."""
    zarr = pytest.importorskip("zarr")
    array = np.arange(-60, 60).reshape(2, 6, 10).astype("int64").astype(dtype)
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=3)
    group.create_array("0", shape=array.shape, chunks=(1, 4, 4), dtype=dtype)[...] = array
    scale = [1.0, 0.25, 0.25]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{
        "axes": [{"name": "z", "type": "space"}, {"name": "y", "type": "space", "unit": "micrometer"},
                 {"name": "x", "type": "space", "unit": "micrometer"}],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]}]}
    made = open_array(tmp_path / "a.zarr", "/0")
    np.testing.assert_array_equal(values(made), array)
    np.testing.assert_array_equal(values(made.GetView("[::-1,1:6:2,::-3]")), array[::-1, 1:6:2, ::-3])
    z, y, x = made.GetDimensions()
    assert positions(x) == [0.25 * i for i in range(10)] and x.GetIndexingVariable().GetUnit() == "micrometer"
    assert positions(z) is None and made.GetNoDataValueAsRaw() is None


def test_arrays_become_the_same_image_again(tmp_path):
    path = make_stack(tmp_path / "a.ome.zarr", NoDataValueDouble=7, Unit="K")
    got = translated(path, tmp_path / "b.ome.zarr", "-array", "/scale0/image")
    np.testing.assert_array_equal(got, STACK.reshape(6, 40, 50))
    assert axes_of(tmp_path / "b.ome.zarr") == "tzyx" and position_of(tmp_path / "b.ome.zarr") == position_of(path)
    assert units_of(tmp_path / "b.ome.zarr") == units_of(path)
    a, b = gdal.Open(path), gdal.Open(str(tmp_path / "b.ome.zarr"))
    assert a.GetGeoTransform() == b.GetGeoTransform() and b.GetRasterBand(6).GetNoDataValue() == 7


def test_rasters_open_as_before(tmp_path):
    path = make_stack(tmp_path / "a.ome.zarr")
    assert gdal.Open(path).RasterCount == 6
    assert gdal.OpenEx(path, gdal.OF_RASTER).RasterCount == 6
    arrays = open_arrays(path)
    assert arrays.RasterCount == 0 and [f.rsplit("/", 1)[1] for f in arrays.GetFileList()] == ["zarr.json"]
    for open_it in (arrays.GetRootGroup().OpenMDArray, arrays.GetRootGroup().OpenGroup):
        with pytest.raises(RuntimeError, match="nothing does not exist"):  # said by GDAL, as for any driver
            open_it("nothing")


def test_several_threads_read_one_array(tmp_path):
    import concurrent.futures
    array = open_array(make_stack(tmp_path / "a.ome.zarr"), "/scale0/image")

    def read(number):
        part = array.GetView(f"[{number % 3},:,::-1,{number}:]")
        return np.array_equal(values(part), STACK[number % 3, :, ::-1, number:])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(24)))


def test_damaged_chunk_is_an_error(tmp_path):
    path = make_stack(tmp_path / "a.ome.zarr")
    open(path + "/scale0/image/c/0/0/0/0", "wb").write(b"no chunk")
    array = open_array(path, "/scale0/image")
    with pytest.raises(RuntimeError, match="c/0/0/0/0"):
        array.Read()
    np.testing.assert_array_equal(values(array.GetView("[1]")), STACK[1])


@pytest.mark.skipif(not gdaltest.AT_LEAST(3, 13), reason="GDAL 3.13 or newer")
def test_levels_are_overviews_of_the_array(tmp_path):
    array = open_array(make_stack(tmp_path / "a.ome.zarr"), "/scale0/image")
    assert array.GetOverviewCount() == 2
    for i, name in enumerate(("ovr_2x", "ovr_4x")):
        assert array.GetOverview(i).GetFullName() == f"/{name}/image"
    assert array.GetOverview(2) is None


def test_gdalmdiminfo_lists_it(tmp_path):
    path = make_stack(tmp_path / "a.ome.zarr")
    done = subprocess.run(["gdalmdiminfo", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    group = json.loads(done.stdout)["groups"]["scale0"]
    assert group["arrays"]["image"]["dimensions"][0] in ("/scale0/t", {}) or group["arrays"]["image"]["dimension_size"] == [3, 2, 40, 50]
