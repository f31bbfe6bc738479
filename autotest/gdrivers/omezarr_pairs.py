"""Pairs of features: random images with random options are written, changed, resumed and copied, and all that is there is
compared with a model by NumPy (pymod/ngffmodel.py, from docs/details.md): pixels and masks of every level, positions,
statistics, display windows, fill; a flipped bit is found, or changes nothing for any reader. OMEZARR_PAIRS_SEED=N draws other cases, OMEZARR_PAIRS_CASE=N only that one."""

import math
import os
import subprocess
import traceback

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal

TOOL = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
SEED = int(os.environ.get("OMEZARR_PAIRS_SEED", "14"))
N_ITEMS, N_CASES = 20, 50  # cases of an item
WINDOWED = ["AVERAGE", "MODE", "NEAREST", "MIN", "MAX", "RMS"]
KERNELS = ["GAUSS", "BILINEAR", "CUBIC", "CUBICSPLINE", "LANCZOS"]
FOOT = 0.3048006096012192  # of EPSG:2263, US survey


class Case:
    """What is to be written, and what must come of it. planes: stored order of the axes before y and x."""

    def __init__(self, seed, number, folder, disk):
        self.random = np.random.default_rng([seed, number])
        self.draw_image()
        self.draw_options()
        self.path = f"{disk if self.is_on_disk else folder}/{number}.{'ozx' if self.is_archive else 'ome.zarr'}"

    def chance(self, share):
        return self.random.random() < share

    def pick(self, *things):
        return things[self.random.integers(len(things))]

    # -- The image -------------------------------------------------------------------------------------------------------

    def draw_image(self):
        self.dims, self.sizes = self.pick(("", ()), ("", ()), ("c", (2,)), ("c", (3,)), ("c", (4,)), ("z", (3,)), ("t", (2,)), ("t", (1,)),
                                          ("cz", (2, 3)), ("zc", (4, 2)), ("tc", (2, 2)), ("tcz", (2, 1, 3)), ("zt", (2, 2)))
        self.dtype = np.dtype(self.pick("uint8", "uint8", "uint8", *gdaltest.writable_types(with_complex=True)))
        size = lambda: int(self.pick(self.random.integers(1, 5), self.random.integers(5, 40), self.random.integers(20, 75)))  # noqa: E731
        self.shape = self.sizes + (size(), size())
        kinds = ["none", "nodata", "mask"] + ["alpha"] * (self.dims == "c" or (math.prod(self.sizes) > 1 and self.chance(0.1))) + ["nan"] * (self.dtype.kind == "f") + ["bands"] * (self.dims == "c")
        self.validity = "none" if self.dtype.kind == "c" else self.pick(*kinds)
        self.array = self.draw_pixels(self.shape)
        self.nodata = None  # per channel of the axis c
        if self.validity in ("nodata", "bands"):
            values = self.random.choice(self.array.reshape(-1), 4)
            n = self.sizes[0] if self.validity == "bands" else 1
            self.nodata = [self.array.dtype.type(v) for v in values[:n]] if np.isfinite(values[:n]).all() else None
            if self.nodata is not None and len(set(self.nodata)) > 1 and n == 1:
                self.nodata = self.nodata[:1]
        self.mask = self.draw_mask() if self.validity == "mask" else None
        self.is_refused = self.validity == "alpha" and self.dims != "c"
        if self.validity == "alpha" and self.dims == "c":
            self.array[-1] = self.draw_mask() // self.pick(1, 3) if self.dtype.itemsize > 1 or self.dtype.kind == "u" else self.draw_mask() // 3
        self.colours = self.dims == "c" and self.sizes[0] >= 3 and self.chance(0.5)
        self.crs, self.unit = self.pick((None, 1), (None, 1), ("EPSG:32633", 1), ("EPSG:2263", FOOT))
        self.geotransform = None if self.crs is None else (500000, self.pick(10, 0.5), 0, 200000, 0, -self.pick(10, 20))

    def draw_pixels(self, shape):
        if self.dtype.kind in "fc":
            array = gdaltest.random_array(shape, self.dtype, int(self.random.integers(1 << 30)))
            if self.dtype.kind == "f":
                if self.chance(0.5):
                    array = (array % 9).astype(self.dtype)
                if self.validity == "nan":
                    array[self.random.random(shape) < self.pick(0.1, 0.9)] = np.nan
                elif self.validity == "none" and self.chance(0.2):
                    array[self.random.random(shape) < 0.02] = np.inf
            return array
        low, high = self.pick((0, 4), (0, 100), (None, None))
        info = np.iinfo(self.dtype)
        return self.random.integers(info.min if low is None else low, info.max if high is None else high, shape, self.dtype, endpoint=True)

    def draw_mask(self):
        mask = (self.random.random(self.shape[-2:]) < self.pick(0.1, 0.5, 0.9)).astype("uint8") * 255
        y, x = self.shape[-2] // 2, self.shape[-1] // 2
        mask[:y, :x] = 0
        mask[0, 0] = 0  # not valid everywhere: then no mask would be stored
        return mask

    # -- Options ---------------------------------------------------------------------------------------------------------

    def draw_options(self):
        self.is_archive, self.is_on_disk = self.chance(0.06), self.chance(0.4)
        version = self.pick("0.5", "0.6") if self.is_archive else self.pick("0.5", "0.6", "0.4")
        self.way = self.pick("copy", "copy", "create", "tiff")
        if self.validity in ("mask", "alpha", "bands") and self.way == "tiff":  # what GTiff cannot say
            self.way = "copy"
        if self.is_on_disk and not self.is_archive and self.way == "tiff" and self.chance(0.7):
            self.way = "resume"
        self.spills = self.way == "resume" and self.dims == "" and self.chance(0.8)
        if self.spills:  # many cells that wait for others, and no room for them
            self.shape = (int(self.random.integers(80, 150)), int(self.random.integers(80, 150)))
            self.array = self.draw_pixels(self.shape)
        options = self.draw_store_options(version)
        self.draw_levels()
        options += self.levels_options
        if self.dims not in ("", "c"):
            options.append("AXES=" + ",".join(f"{d}:{n}" for d, n in zip(self.dims, self.sizes)))
        self.southing = self.geotransform is not None and self.chance(0.3)
        options += ["ORIGIN=SOUTHING"] * self.southing
        self.statistics = self.pick("AUTO", "YES", "NO")
        self.window = self.pick("AUTO", "PERCENTILE", "MINMAX")
        options += [f"STATISTICS={self.statistics}", f"WINDOW={self.window}"]
        if self.chance(0.2):
            options.append(self.pick("VERIFY=STORE", "VERIFY=SOURCE"))
        self.options = options

    def draw_store_options(self, version):
        many = math.prod(self.sizes) > 3
        self.block = (int(self.pick(16, 32, 64) if many else self.pick(8, 16, 32)), int(self.pick(16, 32, 64) if many else self.pick(8, 16, 32)))
        if self.spills:
            self.block = (8, 8)
        split = "c" if self.validity in ("mask", "alpha") else "tcz"  # a mask is one for all planes
        extra = [f"{d}:{self.pick(1, 2, 3)}" for d in self.dims if d in split and self.chance(0.3)]
        options = ["BLOCKSIZE=" + ",".join([f"y:{self.block[0]},x:{self.block[1]}"] + extra), f"NGFF_VERSION={version}",
                   f"LAYOUT={self.pick('OVERVIEWS', 'SCALES', 'FLAT')}"]
        if version != "0.4" and self.chance(0.4):
            options.append(f"SHARD=y:{self.block[0] * self.pick(1, 2, 3)},x:{self.block[1] * self.pick(1, 2, 4)}")
        codecs = ["ZSTD", "BLOSC", "GZIP", "NONE"] + ["ZLIB", "LZ4"] * (version == "0.4")
        options += [f"COMPRESS={self.pick('AUTO', *codecs)}", f"NUM_THREADS={self.pick(0, 1, 2, 3)}"]
        options += ["CHECKSUM=YES"] * (version != "0.4" and self.chance(0.2)) + ["CONSOLIDATED=NO"] * self.chance(0.2)
        return options + ["MEMORY=1"] * (self.spills or self.chance(0.3))

    def draw_levels(self):
        """The factors of y and x (and z) of each level."""
        self.method = self.pick(None, *WINDOWED, *WINDOWED, *KERNELS) if self.dtype.kind != "c" else self.pick(None, "NEAREST", "AVERAGE")
        self.levels_options = [] if self.method is None else [f"OVERVIEW_RESAMPLING={self.method}"]
        self.method = self.method or ("NEAREST" if self.dtype.kind == "c" else "AVERAGE")
        self.is_floor = self.chance(0.3)
        self.levels_options += ["SIZES=FLOOR"] * self.is_floor
        one = (1,) * len(self.dims)
        how = "spilled" if self.spills else self.pick("default", "default", "list", "list", "pairs", "count", "none", "z")
        stored = self.stored_dims()
        if how in ("list", "spilled"):
            factors = [3, 9] if self.spills else self.pick([2, 4], [3, 9], [2, 3, 4], [2, 6], [5], [2, 4, 8], [4])
            self.levels_options.append("SCALE_FACTORS=" + ",".join(map(str, factors)))
            self.factors = [one + (f, f) for f in [1] + factors]
        elif how == "pairs":
            self.levels_options.append("SCALE_FACTORS=y:2,x:3;y:4,x:3;y:4,x:6")
            self.factors = [one + f for f in [(1, 1), (2, 3), (4, 3), (4, 6)]]
        elif how == "z" and "z" in self.dims:
            self.levels_options.append("SCALE_FACTORS=y:2,x:2;z:2,y:4,x:4")
            z = tuple(2 if d == "z" else 1 for d in stored)
            self.factors = [one + (1, 1), one + (2, 2), z + (4, 4)]
        elif how == "none":
            self.levels_options.append("OVERVIEWS=NONE")
            self.factors = [one + (1, 1)]
        else:
            count = int(self.pick(0, 1, 2, 3)) if how == "count" else None
            self.levels_options += [f"OVERVIEW_COUNT={count}"] if how == "count" else []
            self.factors = [one + f for f in self.ladder(count)]

    def ladder(self, count):
        """y and x double until both sides fit one chunk, or so many times; one pixel is not halved."""
        factors, shape = [(1, 1)], self.shape[-2:]
        while True:
            now = self.sizes_of(shape, factors[-1])
            if len(factors) > count if count is not None else now[0] <= self.block[0] and now[1] <= self.block[1]:
                return factors
            if now == (1, 1):
                return factors
            factors.append(tuple(f * (2 if n > 1 else 1) for f, n in zip(factors[-1], now)))

    def sizes_of(self, shape, factors):
        """Of a level: a part of a window makes a pixel, or it is left out."""
        return tuple(max(n // f, 1) if self.is_floor else -(-n // f) for n, f in zip(shape, factors))

    # -- What must be there ------------------------------------------------------------------------------------------------

    def stored_dims(self):
        return "".join(sorted(self.dims, key="tcz".index))

    def stored(self):
        """The array with its axes in the order t, c, z, y, x."""
        order = [self.dims.index(d) for d in self.stored_dims()]
        return np.ascontiguousarray(self.array.transpose(order + [len(order), len(order) + 1]))

    def nodata_of(self, channel):
        return None if self.nodata is None else self.nodata[channel % len(self.nodata)]

    def channels(self, array):
        """Views (t, z, y, x) by channel, whatever axes there are."""
        stored = self.stored_dims()
        for d in "tcz":
            if d not in stored:
                array = np.expand_dims(array, "tcz".index(d))
        return [array[:, c] for c in range(array.shape[1])]

    def valid_of(self, channel, pixels):
        if self.mask is not None:
            return np.broadcast_to(self.mask != 0, pixels.shape).copy()
        if self.validity == "alpha":
            return np.broadcast_to(self.array[-1] != 0, pixels.shape).copy() if channel < self.sizes[0] - 1 else np.ones(pixels.shape, bool)
        return ngffmodel.is_valid(pixels, self.nodata_of(channel))

    def model(self):
        """Per level: the stored array, the mask or None, how far a pixel may be off (None: not sure)."""
        full = [self.factors_tzyx(f) for f in self.factors]
        by_channel = [self.model_of(c, pixels, full) for c, pixels in enumerate(self.channels(self.stored()))]
        levels = []
        for number in range(len(full)):
            parts = [levels_of[number] for levels_of in by_channel]
            array = np.stack([pixels for pixels, _, _ in parts], 1)
            axes = tuple("tcz".index(d) for d in "tcz" if d not in self.stored_dims())
            tolerances = [tolerance for _, _, tolerance in parts]
            mask = None if self.mask is None else np.where(parts[0][1][0, 0], 255, 0).astype("uint8")
            levels.append((array.squeeze(axes), mask, None if None in tolerances else max(tolerances)))
        return levels

    def factors_tzyx(self, factors):
        of = dict(zip(self.stored_dims(), factors))
        return (of.get("t", 1), of.get("z", 1)) + factors[-2:]

    def model_of(self, channel, pixels, full):
        is_alpha = self.validity == "alpha" and channel == self.sizes[0] - 1
        method = self.method if not is_alpha or self.method in ("MODE", "NEAREST") else "AVERAGE"
        levels = [(pixels, self.valid_of(channel, pixels), 0)]
        colours = [self.array[-1][None, None]]
        for number in range(1, len(full)):
            below = max((j for j in range(number) if all(a % b == 0 for a, b in zip(full[number], full[j]))), key=lambda j: math.prod(full[j]))
            ratio = tuple(a // b for a, b in zip(full[number], full[below]))
            array, valid, tolerance = levels[below]
            if self.validity == "alpha":  # each level counts by its own alpha
                alpha_method = self.method if self.method in ("MODE", "NEAREST") else "AVERAGE"
                alpha = colours[below]
                colours.append(ngffmodel.step(alpha, np.ones(alpha.shape, bool), (1, 1) + ratio[-2:], alpha_method)[0])
                valid = np.ones(array.shape, bool) if is_alpha else np.broadcast_to(alpha != 0, array.shape)
            elif self.mask is None:
                valid = ngffmodel.is_valid(array, self.nodata_of(channel))
            out, any_valid, is_sure = ngffmodel.step(array, valid, ratio, method, self.nodata_of(channel))
            kept = tuple(slice(n) for n in self.sizes_of(pixels.shape, full[number]))
            out, any_valid = out[kept], any_valid[kept]
            if self.validity == "alpha":
                colours[-1] = colours[-1][(slice(None), slice(None)) + kept[-2:]]
            rounding = 1 if method in KERNELS else 0 if self.dtype.kind in "iu" or (below == 0 and method != "RMS") or method in WINDOWED[1:5] else -1
            levels.append((out, any_valid, None if tolerance is None or not is_sure else 2 * abs(tolerance) + 1 if rounding == 1 else
                           max(tolerance, 0) or min(tolerance, rounding)))
        return levels

    # -- Writing -----------------------------------------------------------------------------------------------------------

    def describe(self, dataset):
        if self.geotransform is not None:
            dataset.SetGeoTransform(self.geotransform)
            dataset.SetSpatialRef(gdaltest.crs(self.crs))
        for number in range(dataset.RasterCount):
            band = dataset.GetRasterBand(number + 1)
            if self.nodata is not None:
                band.SetNoDataValue(self.nodata_of(number).item())
            if self.colours and number < 3:
                band.SetColorInterpretation([gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand][number])
            if self.validity == "alpha" and number == dataset.RasterCount - 1:
                band.SetColorInterpretation(gdal.GCI_AlphaBand)

    def planes(self):
        return self.array.reshape((-1,) + self.shape[-2:])

    def source(self, driver="MEM", path="", options=()):
        planes = self.planes()
        dataset = gdal.GetDriverByName(driver).Create(path, self.shape[-1], self.shape[-2], len(planes), gdaltest.TYPES[self.dtype.name], list(options))
        self.fill(dataset, planes)
        return dataset

    def fill(self, dataset, planes):
        self.describe(dataset)
        dataset.WriteRaster(0, 0, self.shape[-1], self.shape[-2], np.ascontiguousarray(planes).tobytes())
        if self.mask is not None:
            dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
            dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, self.shape[-1], self.shape[-2], self.mask.tobytes())

    def windows(self, n):
        height, width = self.shape[-2:]
        for _ in range(n):
            y, x = int(self.random.integers(height)), int(self.random.integers(width))
            yield y, x, int(self.random.integers(1, height - y + 1)), int(self.random.integers(1, width - x + 1))

    def write(self, messages):
        if self.way == "create" and "VERIFY=SOURCE" in self.options:
            with pytest.raises(RuntimeError, match=r"VERIFY=SOURCE compares .* Create\(\) .* has none: use VERIFY=STORE"):
                self.create()
            self.options = [option for option in self.options if option != "VERIFY=SOURCE"]
            messages.clear()
        if self.way == "create":
            dataset = self.create()
            noise = self.planes()[::-1].copy()
            dataset.WriteRaster(0, 0, self.shape[-1], self.shape[-2], noise.tobytes())  # written over by what follows
            self.fill(dataset, self.planes())
            del dataset
        else:
            source = self.source()
            if self.way != "copy":
                tiff = f"{os.path.dirname(self.path)}/source{os.path.basename(self.path)}.tif"
                blocks = self.pick([], ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32"], ["TILED=YES", "BLOCKXSIZE=48", "BLOCKYSIZE=48"])
                with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
                    source = self.source("GTiff", tiff, [*blocks, "INTERLEAVE=" + self.pick("BAND", "PIXEL"), "PHOTOMETRIC=MINISBLACK", "ALPHA=NO"])
                    del source
                source = gdal.Open(tiff)
            if self.way == "resume":
                self.kill(source)
                self.options = self.options + ["RESUME=YES"]
            gdaltest.write(self.path, source, *self.options)
        assert not messages.errors(), messages
        assert not any("MEMORY=0 MB" in text or "(0 MB)" in text for text in messages.warnings()), messages

    def create(self):
        return gdaltest.OMEZARR.Create(self.path, self.shape[-1], self.shape[-2], len(self.planes()), gdaltest.TYPES[self.dtype.name], self.options)

    def kill(self, source):
        """A child of this process writes and dies at a call of the progress function."""
        at = self.pick(0.1, 0.3, 0.6, 0.9)
        child = os.fork()
        if child == 0:
            try:
                gdaltest.create_copy(self.path, source, *self.options, callback=lambda share, *_: os._exit(0) if share >= at else 1)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        if os.path.exists(self.path):  # it was done before the last call
            gdaltest.OMEZARR.Delete(self.path)

    def change(self, messages):
        """Some windows of some bands, and perhaps nodata."""
        dataset = gdal.OpenEx(self.path, gdal.OF_RASTER | gdal.OF_UPDATE)
        stored = self.stored()
        planes = stored.reshape((-1,) + self.shape[-2:])
        for y, x, height, width in self.windows(self.random.integers(1, 4)):
            number = int(self.random.integers(len(planes)))
            if self.validity == "alpha" and number == len(planes) - 1:
                continue
            new = self.draw_pixels((height, width))
            planes[number, y : y + height, x : x + width] = new
            dataset.GetRasterBand(number + 1).WriteRaster(x, y, width, height, new.tobytes())
            if self.chance(0.3):
                dataset.FlushCache()
        if self.validity == "nodata" and self.nodata is not None and self.chance(0.4):
            self.nodata = [planes[0, 0, 0]] if np.isfinite(planes[0, 0, 0]) else self.nodata
            for number in range(len(planes)):
                dataset.GetRasterBand(number + 1).SetNoDataValue(self.nodata[0].item())
        if self.mask is not None and self.chance(0.5):
            self.mask = self.draw_mask()
            dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, self.shape[-1], self.shape[-2], self.mask.tobytes())
        del dataset
        assert not messages.errors(), messages
        order = [self.stored_dims().index(d) for d in self.dims]
        self.array = np.ascontiguousarray(stored.transpose(order + [len(order), len(order) + 1]))

    def copy(self, messages):
        """The store as a source, with other options: what bands, nodata, masks and positions are is known from it."""
        source = gdal.Open(self.path)
        self.array, self.dims = self.stored(), self.stored_dims()
        self.sizes, self.shape = self.array.shape[:-2], self.array.shape
        self.path = self.path.replace(".ozx", "").replace(".ome.zarr", "") + ".copy.ome.zarr"
        self.spills = False
        options = self.draw_store_options(self.pick("0.5", "0.4", "0.6"))
        self.draw_levels()
        self.statistics, self.window = self.pick("AUTO", "NO", "NO"), self.pick("AUTO", "PERCENTILE")
        self.options = options + self.levels_options + [f"STATISTICS={self.statistics}", f"WINDOW={self.window}"]
        gdaltest.write(self.path, source, *self.options)
        assert not messages.errors(), messages

    def damage(self, messages):
        """A bit of a chunk is flipped, in its head as a rule: verify says so, or all readers find what was there before."""
        codec = next(option[9:] for option in self.options if option.startswith("COMPRESS="))
        has_sum = codec in ("ZSTD", "GZIP", "ZLIB") or (codec == "AUTO" and self.dtype.itemsize == 1) or "CHECKSUM=YES" in self.options
        chunks = sorted(os.path.join(folder, name) for level in gdaltest.level_paths(self.path) for folder, _, names in os.walk(level)
                        for name in names if not name.startswith(".z") and name != "zarr.json")
        if not has_sum or not chunks or not gdaltest.have("zarr"):
            return
        before = gdaltest.our_levels(self.path), gdaltest.zarr_levels(self.path)
        path = self.pick(*chunks)
        with open(path, "rb") as file:
            whole = file.read()
        places = [(int(self.random.integers(min(12, len(whole)) if self.chance(0.7) else len(whole))), int(self.random.integers(8))) for _ in range(2)]
        for at, bit in [(4, 4), *places]:  # there: the unused bit of a head of ZSTD, the time in one of GZIP
            with open(path, "wb") as file:
                file.write(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            if subprocess.run([TOOL, "verify", self.path], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
                continue
            what = f"{path}, byte {at}, bit {bit}, called whole"
            assert "CHECKSUM=YES" not in self.options and (at, bit) != (4, 4) or codec == "ZLIB", what
            assert codec != "GZIP" or at >= 10 or at == 8, what  # 8: how hard was compressed
            for found, expected in zip(gdaltest.our_levels(self.path) + gdaltest.zarr_levels(self.path), before[0] + before[1]):
                np.testing.assert_array_equal(found, expected, what)
        with open(path, "wb") as file:
            file.write(whole)

    # -- Checks ------------------------------------------------------------------------------------------------------------

    def same(self, found, expected, tolerance, what):
        assert found.shape == expected.shape, f"{what}: {found.shape}, not {expected.shape}"
        if tolerance is None:
            return
        if tolerance > 0 and self.dtype.kind != "f":
            worst = max(int(v) for v in np.abs(np.asarray(found, object) - np.asarray(expected, object)).reshape(-1)) if found.dtype.itemsize > 4 else \
                np.abs(found.astype("int64") - expected.astype("int64")).max()
            if found.dtype.itemsize == 8:
                tolerance += float(np.abs(expected.astype("float64")).max()) * 1e-13  # kernels compute in doubles
            assert worst <= tolerance, f"{what}: off by {worst}"
        elif tolerance != 0:
            precision = 1e-12 if found.dtype == "float64" else 1.3e-7
            scale = float(np.nanmax(np.abs(np.where(np.isfinite(expected), expected, 0)), initial=0)) if tolerance > 0 else 0
            np.testing.assert_allclose(found, expected, rtol=precision, atol=20 * tolerance * precision * scale, err_msg=what)
        else:
            np.testing.assert_array_equal(found, expected, err_msg=what)

    def check(self):
        levels = self.model()
        dataset = gdal.OpenEx(self.path, gdal.OF_RASTER, allowed_drivers=["OMEZARR"])
        found = gdaltest.our_levels(self.path)
        assert len(found) == len(levels), f"{len(found)} levels, not {len(levels)}"
        for number, (array, mask, tolerance) in enumerate(levels):
            planes = array.reshape((-1,) + array.shape[-2:])
            if "z" in self.dims and number > 0:  # plane z of an overview is plane floor(z / f)
                stored = self.stored_dims()
                f = self.factors[number][stored.index("z")]
                index = np.arange(self.sizes[self.dims.index("z")]) // f
                index = np.minimum(index, array.shape[stored.index("z")] - 1)
                planes = np.take(array, index, stored.index("z")).reshape((-1,) + array.shape[-2:])
            self.same(found[number], planes, tolerance, f"level {number}")
            if mask is not None:
                band = dataset.GetRasterBand(1) if number == 0 else dataset.GetRasterBand(1).GetOverview(number - 1)
                assert band.GetMaskFlags() == gdal.GMF_PER_DATASET
                np.testing.assert_array_equal(np.frombuffer(band.GetMaskBand().ReadRaster(), "uint8").reshape(mask.shape), mask, f"mask {number}")
        self.check_description(dataset)
        if self.path.startswith("/vsimem/") or self.path.endswith(".ozx"):
            return
        self.check_documents(levels)
        if gdaltest.have("zarr") and self.chance(0.5):
            for number, (raw, (array, _, tolerance)) in enumerate(zip(gdaltest.zarr_levels(self.path), levels)):
                self.same(raw, array, tolerance, f"level {number} by zarr-python")

    def check_description(self, dataset):
        if self.mask is not None:
            assert dataset.GetRasterBand(1).GetMaskFlags() == gdal.GMF_PER_DATASET
        if self.geotransform is not None:
            assert dataset.GetGeoTransform() == self.geotransform
        channels = self.channels(self.stored())
        of_band = [c for _ in range(channels[0].shape[0]) for c in range(len(channels)) for _ in range(channels[0].shape[1])]
        planes = self.stored().reshape((-1,) + self.shape[-2:])
        for number, channel in enumerate(of_band):
            band = dataset.GetRasterBand(number + 1)
            if self.nodata is not None:
                assert band.GetNoDataValue() == self.nodata_of(channel).item()
            if self.dtype.kind != "c":
                self.check_statistics(band, channels, channel, planes[number], len(of_band) // len(channels))

    def counted(self, channels, channel):
        pixels = channels[channel]
        valid = self.valid_of(channel, pixels)
        return pixels[valid & np.isfinite(pixels)]

    def check_statistics(self, band, channels, channel, plane, n_planes):
        said = {k: float(v) for k, v in band.GetMetadata().items() if k.startswith("STATISTICS_") and k != "STATISTICS_APPROXIMATE"}
        values = self.counted(channels, channel) if n_planes == 1 else None
        if self.statistics == "NO":
            assert not said, said
        elif values is not None and len(values):
            exact = values.astype("longdouble")
            mean, deviation = exact.mean(), exact.std()
            assert said["STATISTICS_MINIMUM"] == float(values.min()) and said["STATISTICS_MAXIMUM"] == float(values.max())
            scale = float(np.abs(exact).max())
            assert abs(said["STATISTICS_MEAN"] - float(mean)) <= 1e-12 * scale, (said, mean)
            assert abs(said["STATISTICS_STDDEV"] - float(deviation)) <= 1e-8 * scale, (said, deviation)

    def check_documents(self, levels):
        transforms, unit = gdaltest.transforms(self.path), self.unit
        gt = self.geotransform
        scale = [1.0] * len(self.dims) + ([1, 1] if gt is None else [-gt[5] * unit, gt[1] * unit])
        start = [0.0] * len(self.dims) + ([-(gt[3] + gt[5] / 2) * unit, (gt[0] + gt[1] / 2) * unit] if self.southing else [0, 0])
        for number, factors in enumerate(self.factors):
            found_scale, found_start = transforms[number]
            np.testing.assert_allclose(found_scale, [f * s for f, s in zip(factors, scale)], rtol=1e-12)
            np.testing.assert_allclose(found_start or [0] * len(factors), [t + (f - 1) / 2 * s for f, s, t in zip(factors, scale, start)], rtol=1e-9, atol=1e-9)
            array = gdaltest.array_json(gdaltest.level_paths(self.path)[number])
            assert tuple(array["shape"]) == levels[number][0].shape
        assert [axis["name"] for axis in gdaltest.axes(self.path)] == list(self.stored_dims() + "yx")
        if self.dtype.kind != "c":
            self.check_windows()

    def check_windows(self):
        channels = self.channels(self.stored())
        for number, channel in enumerate(gdaltest.ome(self.path)["omero"]["channels"]):
            window, values = channel["window"], self.counted(channels, number).astype("float64")
            is_alpha = self.validity == "alpha" and number == len(channels) - 1
            is_colour = self.colours and number < 3 and len(channels) - (self.validity == "alpha") >= 3
            if self.dtype.itemsize == 1:
                info = np.iinfo(self.dtype)
                assert (window["min"], window["max"]) == (info.min, info.max)
            elif not len(values):
                assert (window["start"], window["end"]) == (0, 1)
                continue
            elif not is_colour and values.min() < values.max():
                assert (window["min"], window["max"]) == (values.min(), values.max())
            if is_colour or is_alpha or not len(values):
                if is_colour and self.dtype == "uint8" and self.window == "AUTO":
                    assert (window["start"], window["end"]) == (0, 255)
                elif is_colour and self.dtype.itemsize > 1 and self.window != "MINMAX" and len(values):
                    self.check_joint_window(window, values, [self.counted(channels, k).astype("float64") for k in range(3)])
                continue
            share = [0, 100] if self.window == "MINMAX" else [2, 98]
            start, end = np.percentile(values, share)
            if start == end:
                continue
            span = float(np.abs(values).max())
            assert abs(window["start"] - start) <= 1e-9 * span and abs(window["end"] - end) <= 1e-9 * span, (number, window, start, end)


    def check_joint_window(self, window, values, colours):
        """Red, green and blue share start and end; the least and the largest value are widened to hold them."""
        start, end = np.percentile(np.concatenate(colours), [2, 98])
        if start == end:
            return
        span = float(np.abs(np.concatenate(colours)).max())
        expected = [min(values.min(), start), start, end, max(values.max(), end)]
        np.testing.assert_allclose([window[key] for key in ("min", "start", "end", "max")], expected, rtol=0, atol=1e-9 * span)


def run(number, folder, disk):
    """None, or what went wrong with the case."""
    case = Case(SEED, number, folder, disk)
    done = []
    try:
        if case.is_refused:
            assert "alpha" in gdaltest.refused(case.path, case.source(), *case.options)
            return None
        with gdaltest.collected_messages() as messages:
            for what, share, is_possible in (("write", 1, True), ("change", 0.4, not case.is_archive), ("copy", 0.3, True),
                                             ("damage", 0.3, case.is_on_disk and not case.is_archive)):
                if is_possible and case.chance(share):
                    done.append(what)
                    getattr(case, what)(messages)
                    if what != "damage":
                        case.check()
    except Exception:
        return (f"OMEZARR_PAIRS_SEED={SEED} OMEZARR_PAIRS_CASE={number}: {' '.join(done)}: {case.way} of {case.dims}yx {case.shape} {case.dtype}, "
                f"{case.validity} {case.nodata}, {' '.join(case.options)}\n{traceback.format_exc(limit=-3)}")
    return None


@pytest.mark.parametrize("item", range(N_ITEMS))
def test_random_pairs_of_features_are_as_the_model_says(tmp_path, tmp_vsimem, item):
    only = os.environ.get("OMEZARR_PAIRS_CASE")
    numbers = range(item * N_CASES, (item + 1) * N_CASES) if only is None else [int(only)] * (item == 0)
    failures = [text for text in (run(number, tmp_vsimem, tmp_path) for number in numbers) if text]
    assert not failures, "\n\n".join([f"{len(failures)} of {len(numbers)} cases, seed {SEED}", *failures[:3]])
