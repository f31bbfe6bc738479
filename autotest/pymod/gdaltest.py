"""Helpers of the tests. Pixels travel as bytes (ReadRaster, WriteRaster), never through gdal_array, because Debian's
GDAL module is built for NumPy 1 and the validators bring NumPy 2."""

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import os
import sys
import time

import numpy as np
import osgeo
import pytest
from osgeo import gdal, osr

OMEZARR = gdal.GetDriverByName("OMEZARR")
AT_LEAST = lambda major, minor: int(gdal.VersionInfo()) >= major * 1000000 + minor * 10000  # noqa: E731

# What runs GDAL's scripts, which need its NumPy helpers: Debian's are built for Debian's own NumPy.
PYTHON = "/usr/bin/python3" if osgeo.__file__.startswith("/usr/lib/python3/") else sys.executable

# GDAL's number of each data type, by the NumPy name that the stores use. Numbers, because older modules lack names.
TYPES = {"uint8": 1, "uint16": 2, "int16": 3, "uint32": 4, "int32": 5, "float32": 6, "float64": 7,
         "complex64": 10, "complex128": 11, "uint64": 12, "int64": 13, "int8": 14, "float16": 15}
NAMES = {number: name for name, number in TYPES.items()}


def require_zarr_codec(codec):
    """Skips where GDAL's own Zarr driver was built without this codec."""
    known = gdal.GetDriverByName("Zarr").GetMetadataItem("COMPRESSORS").split(",")
    if codec != "NONE" and codec.lower() not in known:
        pytest.skip(f"the Zarr driver of this GDAL has no {codec}")


def writable_types(with_complex=False):
    """The real types that this GDAL can hold."""
    names = ["uint8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
    if AT_LEAST(3, 7):
        names.append("int8")
    return names + (["complex64", "complex128"] if with_complex else [])


def libgdal():
    """The library that the Python module has loaded, for what Python cannot say."""
    for line in open("/proc/self/maps"):
        if "/libgdal.so" in line:
            return ctypes.CDLL(line.split()[-1])
    pytest.skip("no libgdal.so is loaded")


# -- Sources ---------------------------------------------------------------------------------------------------------


def crs(code):
    reference = osr.SpatialReference()
    reference.SetFromUserInput(code)
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return reference


def mem(array, geotransform=None, code=None, nodata=None, driver="MEM", path="", options=()):
    """A dataset with the bands of array (band, y, x) or (y, x). nodata: one value, or one per band."""
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[None]
    bands, height, width = array.shape
    data_type = TYPES[array.dtype.name]
    options = list(options)
    dataset = gdal.GetDriverByName(driver).Create(path, width, height, bands, data_type, options)
    for number in range(bands):
        band = dataset.GetRasterBand(number + 1)
        band.WriteRaster(0, 0, width, height, np.ascontiguousarray(array[number]).tobytes())
        value = nodata[number] if isinstance(nodata, (list, tuple)) else nodata
        if value is not None:
            band.SetNoDataValue(value)
    if geotransform is not None:
        dataset.SetGeoTransform(geotransform)
    if code is not None:
        dataset.SetSpatialRef(crs(code))
    return dataset


def random_array(shape, dtype, seed=1):
    """Values over the whole range of the type, its extremes included; floats are multiples of 1/64, whose sums are
    exact."""
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        part = random.integers(-1000, 1000, (2,) + tuple(shape)) / 64
        return (part[0] + 1j * part[1]).astype(dtype)
    if dtype.kind == "f":
        return (random.integers(-100000, 100000, shape) / 64).astype(dtype)
    info = np.iinfo(dtype)
    array = random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    flat = array.reshape(-1)
    flat[: flat.size // 3 : 2] = info.max
    flat[-(flat.size // 4) :: 3] = info.min
    return array


def smooth_array(shape, dtype, seed=1):
    """A picture-like array: a ramp, waves and a little noise, well inside the type's range."""
    height, width = shape[-2:]
    y, x = np.mgrid[0:height, 0:width]
    wave = 60 + 40 * np.sin(x / 9) * np.cos(y / 13) + 20 * (x + y) / (height + width)
    noise = np.random.default_rng(seed).integers(0, 4, shape)
    return (wave + noise + np.arange(shape[0])[:, None, None] if len(shape) == 3 else wave + noise).astype(dtype)


# -- Conversion ------------------------------------------------------------------------------------------------------


def create_copy(path, source, *options, strict=0, callback=None):
    return OMEZARR.CreateCopy(str(path), source, strict, list(options), callback)


def write(path, source, *options, strict=0):
    """Writes and closes; returns the path."""
    assert create_copy(path, source, *options, strict=strict) is not None
    return str(path)


def pixels(thing):
    """All pixels of a band (y, x) or a dataset (band, y, x)."""
    if isinstance(thing, gdal.Dataset):
        return np.stack([pixels(thing.GetRasterBand(i + 1)) for i in range(thing.RasterCount)])
    dtype = np.dtype(NAMES[thing.DataType])
    if thing.DataType == 1 and not AT_LEAST(3, 7) and thing.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE":
        dtype = np.dtype("int8")
    return np.frombuffer(thing.ReadRaster(), dtype).reshape(thing.YSize, thing.XSize)


def open_band(path, number=1):
    """A band that keeps its dataset open (GDAL's bands do not)."""
    dataset = gdal.Open(str(path))
    band = dataset.GetRasterBand(number)
    band.dataset_of_band = dataset
    return band


def our_levels(path):
    """Every level as our driver reads it: a list of (band, y, x)."""
    dataset = gdal.OpenEx(str(path), gdal.OF_RASTER, allowed_drivers=["OMEZARR"])
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    levels = [pixels(dataset)]
    for number in range(bands[0].GetOverviewCount()):
        levels.append(np.stack([pixels(band.GetOverview(number)) for band in bands]))
    return levels


def have(*modules):
    """True if the machine has these readers. What can be checked without them is checked."""
    return all(importlib.util.find_spec(module) for module in modules)


# -- The store, read without us --------------------------------------------------------------------------------------


def read_json(path):
    with open(path) as file:
        return json.load(file)


def attributes(path):
    """Attributes of a group or an array, v3 or v2."""
    path = str(path)
    if os.path.exists(path + "/zarr.json"):
        return read_json(path + "/zarr.json").get("attributes", {})
    return read_json(path + "/.zattrs") if os.path.exists(path + "/.zattrs") else {}


def ome(path):
    found = attributes(path)
    return found.get("ome", found)


def array_json(path):
    path = str(path)
    return read_json(path + ("/zarr.json" if os.path.exists(path + "/zarr.json") else "/.zarray"))


def level_paths(path):
    return [f"{path}/{d['path']}" for d in ome(path)["multiscales"][0]["datasets"]]


def transforms(path):
    """Per level: scale and translation (None if there is none; in 0.6 it may be left out where it is 0)."""
    found = []
    for level in ome(path)["multiscales"][0]["datasets"]:
        steps = level["coordinateTransformations"]
        has_systems = "input" in steps[0]
        of = {t["type"]: t[t["type"]] for t in steps[0].get("transformations", steps)}
        found.append((of["scale"], of.get("translation", [0] * len(of["scale"]) if has_systems else None)))
    return found


def axes(path):
    """Of the image's own system, where there are several."""
    image = ome(path)["multiscales"][0]
    return image["axes"] if "axes" in image else image["coordinateSystems"][0]["axes"]


def zarr_levels(path):
    """Every level as zarr-python reads it."""
    zarr = pytest.importorskip("zarr")
    return [zarr.open_array(p, mode="r")[...] for p in level_paths(path)]


def tensorstore_levels(path):
    import tensorstore

    driver = "zarr3" if os.path.exists(f"{path}/zarr.json") else "zarr"
    return [tensorstore.open({"driver": driver, "kvstore": {"driver": "file", "path": os.path.abspath(p)}},
                             read=True).result().read().result() for p in level_paths(path)]


def files_of(path):
    """Relative paths of all files, sorted."""
    return sorted(os.path.relpath(os.path.join(d, f), path) for d, _, files in os.walk(path) for f in files)


def tree_digest(path):
    """One digest of all names and bytes below a folder."""
    digest = hashlib.sha256()
    for name in files_of(path):
        digest.update(name.encode() + b"\0")
        with open(os.path.join(path, name), "rb") as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def snapshot(folder):
    """All that is in a folder: names, kinds and bytes; two equal ones mean that nothing was touched."""
    found = {}
    for directory, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(directory, name), folder)] = "folder"
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


# -- Errors ----------------------------------------------------------------------------------------------------------


class Messages(list):
    def warnings(self):
        return [text for level, text in self if level == gdal.CE_Warning]

    def errors(self):
        return [text for level, text in self if level >= gdal.CE_Failure]


def comes_true(condition):
    """Whether the condition is true now or soon: for what another part of the system ends in its own time."""
    for _ in range(2000):
        if condition():
            return True
        time.sleep(0.005)
    return False


def has_aged(path):
    """True, when the path is so old that it may be deleted: before GDAL 3.9 what others have just made may not."""
    return comes_true(lambda: time.time_ns() - os.stat(path).st_ctime_ns > 20 * 10**6)


@contextlib.contextmanager
def collected_messages():
    """Collects GDAL's warnings and errors as (level, text)."""
    messages = Messages()
    gdal.PushErrorHandler(lambda level, number, text: messages.append((level, text)))
    try:
        yield messages
    finally:
        gdal.PopErrorHandler()


@contextlib.contextmanager
def config_option(name, value):
    old = gdal.GetConfigOption(name)
    gdal.SetConfigOption(name, value)
    try:
        yield
    finally:
        gdal.SetConfigOption(name, old)


def machine():
    """As claims name it: the machine and, on it, the container, whose processes have numbers of their own."""
    name = f"{os.uname().nodename}+{os.stat('/proc/self/ns/pid').st_ino}"
    with contextlib.suppress(OSError), open("/etc/machine-id", encoding="ascii") as file:
        identity = file.readline().strip()
        name += f"+{identity[:12]}" if identity else ""
    return name


def refused(path, source, *options, strict=0):
    """CreateCopy that must fail: returns the text of all messages."""
    with collected_messages() as messages:
        try:
            dataset = create_copy(path, source, *options, strict=strict)
        except RuntimeError as error:
            messages.append((gdal.CE_Failure, str(error)))
            dataset = None
    assert dataset is None, "CreateCopy succeeded"
    assert messages.errors(), "CreateCopy failed without a message"
    return "\n".join(text for _, text in messages)
