"""Stores as other people's software writes them today, opened by us and compared pixel by pixel, every level. Where the
software can be installed it writes here; iohub (needs zarr 2) wrote data/iohub.zip; bioformats2raw (Java) cannot be had here:
its layout is repeated by zarr-python from what it writes."""

import json
import os
import shutil

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

zarr = pytest.importorskip("zarr")
FIVE = np.random.default_rng(1).integers(0, 60000, (2, 3, 4, 60, 70), dtype="uint16")


def open_array(path):
    return zarr.open_array(str(path), mode="r")[...]


def bands(array):
    return array.reshape((-1,) + array.shape[-2:])


def scale_of(entry):
    parts = [part for t in entry["coordinateTransformations"] for part in t.get("transformations", [t])]
    return next(part["scale"] for part in parts if part["type"] == "scale")


def as_deep(level, base, entry, first):
    """The planes of a level that lie where those of the base lie: plane floor((i + 1/2) / f), where the level has it."""
    for axis in range(level.ndim - 2):
        factor = scale_of(entry)[axis] / scale_of(first)[axis]
        index = np.floor((np.arange(base.shape[axis]) + 0.5) / factor).astype(int)
        level = np.take(level, np.minimum(index, level.shape[axis] - 1), axis)
    return level


def assert_all_levels(path):
    """The overviews, and the levels opened by name, are what zarr-python reads. Gives the number of levels."""
    levels = gdaltest.zarr_levels(str(path))
    entries = gdaltest.ome(path)["multiscales"][0]["datasets"]
    found = gdaltest.our_levels(path)
    assert len(found) == len(levels)
    assert gdal.Open(str(path)).GetSubDatasets() == []
    for got, want, entry in zip(found, levels, entries):
        np.testing.assert_array_equal(got, bands(as_deep(want, levels[0], entry, entries[0])))
    for entry, level in zip(entries, levels):
        name = f'OMEZARR:"{path}":{entry["path"]}'
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(name)), bands(level))
    return len(levels)


# -- ome-zarr-py -----------------------------------------------------------------------------------------------------


def ome_zarr_format(version):
    formats = pytest.importorskip("ome_zarr.format")
    return {"0.4": formats.FormatV04, "0.5": formats.FormatV05}[version]()


VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


@VERSIONS
@pytest.mark.parametrize("factors", [(2, 4), [{"z": 2, "y": 2, "x": 2}, {"z": 4, "y": 4, "x": 4}]], ids=["yx", "zyx"])
def test_ome_zarr_py_images(tmp_path, version, factors):
    writer = pytest.importorskip("ome_zarr.writer")
    fmt = ome_zarr_format(version)
    root = str(tmp_path / "a.zarr")
    writer.write_image(FIVE, zarr.open_group(root, mode="w", zarr_format=fmt.zarr_format), axes="tczyx", fmt=fmt,
                       scale_factors=factors, storage_options={"chunks": (1, 1, 2, 32, 32)})
    np.testing.assert_array_equal(gdaltest.our_levels(root)[0], bands(FIVE))
    assert assert_all_levels(root) == 3


@VERSIONS
def test_ome_zarr_py_labels(tmp_path, version):
    writer = pytest.importorskip("ome_zarr.writer")
    fmt = ome_zarr_format(version)
    root = str(tmp_path / "a.zarr")
    node = zarr.open_group(root, mode="w", zarr_format=fmt.zarr_format)
    writer.write_image(FIVE[0, :, 0], node, axes="cyx", fmt=fmt, scale_factors=(2,))
    labels = np.repeat(np.repeat(np.arange(35, dtype="int32").reshape(5, 7), 12, 0), 10, 1)
    writer.write_labels(labels, node, name="cells", axes="yx", fmt=fmt, scale_factors=(2,),
                        label_metadata={"colors": [{"label-value": 1, "rgba": [255, 0, 0, 255]}]})
    names = [name for name, _ in gdal.Open(root).GetSubDatasets()]
    assert names == [f'OMEZARR:"{root}":#0', f'OMEZARR:"{root}":labels/cells']
    np.testing.assert_array_equal(gdaltest.our_levels(names[1])[0][0], labels)
    assert_all_levels(f"{root}/labels/cells")


@VERSIONS
def test_ome_zarr_py_plates(tmp_path, version):
    writer = pytest.importorskip("ome_zarr.writer")
    fmt = ome_zarr_format(version)
    root = str(tmp_path / "p.zarr")
    node = zarr.open_group(root, mode="w", zarr_format=fmt.zarr_format)
    writer.write_plate_metadata(node, ["A", "B"], ["1", "2", "3"], ["A/1", "B/3"], fmt=fmt)
    for well in ("A/1", "B/3"):
        group = node.require_group(well)
        writer.write_well_metadata(group, ["0", "1"], fmt=fmt)
        for field in range(2):
            writer.write_image(FIVE[field, :, 0] + ord(well[0]), group.require_group(str(field)), axes="cyx", fmt=fmt,
                               scale_factors=(2,))
    dataset = gdal.Open(root)
    assert [title for _, title in dataset.GetSubDatasets()] == [
        "well A/1, field 0", "well A/1, field 1", "well B/3, field 0", "well B/3, field 1"]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(dataset.GetSubDatasets()[3][0])), FIVE[1, :, 0] + ord("B"))


# -- ngff-zarr -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version,sharded", [("0.4", False)] + [(version, sharded) for version in ("0.5", "0.6", "0.9.dev1") for sharded in (False, True)])
def test_ngff_zarr_images(tmp_path, version, sharded):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    root = str(tmp_path / "a.zarr")
    array = np.random.default_rng(2).integers(0, 60000, (3, 128, 160), dtype="uint16")
    image = ngff_zarr.to_ngff_image(array, dims=["c", "y", "x"], scale={"c": 1, "y": 0.5, "x": 0.25},
                                    translation={"c": 0, "y": 10, "x": 20}, name="cells",
                                    axes_units={"y": "micrometer", "x": "micrometer"})
    pyramid = ngff_zarr.to_multiscales(image, [2, 4], chunks=32, method=ngff_zarr.Methods.ITKWASM_BIN_SHRINK
                                       if hasattr(ngff_zarr.Methods, "ITKWASM_BIN_SHRINK") else None)
    ngff_zarr.to_ngff_zarr(root, pyramid, version=version, **({"chunks_per_shard": 2} if sharded else {}))
    np.testing.assert_array_equal(gdaltest.our_levels(root)[0], array)
    assert assert_all_levels(root) == 3
    # the centre of the first pixel is at 20, 10
    assert gdal.Open(root).GetGeoTransform() == (19.875, 0.25, 0, 9.75, 0, 0.5)


def test_ngff_zarr_halves_z_too(tmp_path):
    """Its plain call; 9 planes become 4, then 2, and the last plane of level 0 has none of its own."""
    ngff_zarr = pytest.importorskip("ngff_zarr")
    root = str(tmp_path / "a.zarr")
    array = np.random.default_rng(2).integers(0, 60000, (2, 9, 64, 80), dtype="uint16")
    image = ngff_zarr.to_ngff_image(array, dims=["c", "z", "y", "x"], scale={"c": 1, "z": 2, "y": 0.5, "x": 0.5})
    ngff_zarr.to_ngff_zarr(root, ngff_zarr.to_multiscales(image, [2, 4], chunks=32), version="0.5")
    assert [level.shape[1] for level in gdaltest.zarr_levels(root)] == [9, 4, 2]
    assert assert_all_levels(root) == 3
    # a view: all bands at half the size are those of level 1
    level = gdaltest.zarr_levels(root)[1][:, [0, 0, 1, 1, 2, 2, 3, 3, 3]]
    dataset = gdal.Open(root)
    got = np.frombuffer(dataset.ReadRaster(buf_xsize=40, buf_ysize=32), "uint16").reshape(18, 32, 40)
    np.testing.assert_array_equal(got, bands(level))
    out = gdal.Translate("", root, format="MEM", bandList=[12], width=40, height=32)
    np.testing.assert_array_equal(gdaltest.pixels(out)[0], bands(level)[11])


# -- acquire-zarr ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["BLOSC_ZSTD", "BLOSC_LZ4", "ZSTD", None])
def test_acquire_zarr_streams(tmp_path, codec):
    """Always sharded; shards of the last, incomplete time points too."""
    aqz = pytest.importorskip("acquire_zarr")
    root = str(tmp_path / "a.zarr")
    array = np.random.default_rng(3).integers(0, 60000, (3, 2, 48, 64), dtype="uint16")
    space = {"kind": aqz.DimensionType.SPACE, "chunk_size_px": 16, "unit": "micrometer", "scale": 0.5}
    dimensions = [
        aqz.Dimension(name="t", kind=aqz.DimensionType.TIME, array_size_px=0, chunk_size_px=2, shard_size_chunks=1),
        aqz.Dimension(name="c", kind=aqz.DimensionType.CHANNEL, array_size_px=2, chunk_size_px=1, shard_size_chunks=1),
        aqz.Dimension(name="y", array_size_px=48, shard_size_chunks=3, **space),
        aqz.Dimension(name="x", array_size_px=64, shard_size_chunks=2, **space)]
    compression = None if codec is None else aqz.CompressionSettings(
        compressor=aqz.Compressor.ZSTD if codec == "ZSTD" else aqz.Compressor.BLOSC1,
        codec=getattr(aqz.CompressionCodec, codec), level=1, shuffle=0 if codec == "ZSTD" else 1)
    settings = aqz.ArraySettings(output_key="", dimensions=dimensions, data_type=aqz.DataType.UINT16,
                                 downsampling_method=aqz.DownsamplingMethod.MEAN, compression=compression)
    stream = aqz.ZarrStream(aqz.StreamSettings(arrays=[settings], store_path=root, version=aqz.ZarrVersion.V3,
                                               overwrite=True))
    stream.append(array)
    stream.close()
    np.testing.assert_array_equal(gdaltest.our_levels(root)[0], bands(array))
    assert assert_all_levels(root) == 3
    dataset = gdal.Open(root)
    assert [dataset.GetRasterBand(i + 1).GetDescription() for i in range(3)] == ["T=0 C=0", "T=0 C=1", "T=1 C=0"]
    assert dataset.GetGeoTransform() == (-0.25, 0.5, 0, -0.25, 0, 0.5)


def test_acquire_zarr_stacks(tmp_path):
    """z is halved with y and x; no translations."""
    aqz = pytest.importorskip("acquire_zarr")
    root = str(tmp_path / "a.zarr")
    array = np.random.default_rng(4).integers(0, 60000, (10, 48, 64), dtype="uint16")
    space = {"kind": aqz.DimensionType.SPACE, "unit": "micrometer", "scale": 0.5}
    dimensions = [aqz.Dimension(name=name, array_size_px=n, chunk_size_px=chunk, shard_size_chunks=1, **space)
                  for name, n, chunk in (("z", 10, 2), ("y", 48, 16), ("x", 64, 16))]
    settings = aqz.ArraySettings(output_key="", dimensions=dimensions, data_type=aqz.DataType.UINT16,
                                 downsampling_method=aqz.DownsamplingMethod.MEAN)
    stream = aqz.ZarrStream(aqz.StreamSettings(arrays=[settings], store_path=root, version=aqz.ZarrVersion.V3,
                                               overwrite=True))
    stream.append(array)
    stream.close()
    assert [level.shape[0] for level in gdaltest.zarr_levels(root)] == [10, 5, 3, 2]
    assert assert_all_levels(root) == 4


# -- tensorstore and zarr-python -------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64"])
def test_tensorstore_defaults(tmp_path, driver, dtype):
    tensorstore = pytest.importorskip("tensorstore")
    root = str(tmp_path / "a.zarr")
    array = (FIVE[0, 0] % 200).astype(dtype) if dtype != "bool" else FIVE[0, 0] % 3 == 0
    for name, level in (("0", array), ("1", array[:, ::2, ::2])):
        tensorstore.open({"driver": driver, "kvstore": {"driver": "file", "path": f"{root}/{name}"}}, create=True,
                         dtype=array.dtype, shape=level.shape).result().write(level).result()
    scales = [{"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1, 2 ** i, 2 ** i]}]}
              for i in range(2)]
    content = [{"axes": [{"name": d, "type": "space"} for d in "zyx"], "datasets": scales}]
    if driver == "zarr":
        json.dump({"zarr_format": 2}, open(f"{root}/.zgroup", "w"))
        json.dump({"multiscales": content}, open(f"{root}/.zattrs", "w"))
    else:
        json.dump({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {
            "version": "0.5", "multiscales": content}}}, open(f"{root}/zarr.json", "w"))
    found = gdaltest.our_levels(root)
    np.testing.assert_array_equal(found[0], array)
    np.testing.assert_array_equal(found[1], array[:, ::2, ::2])


# -- iohub -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_plate_by_iohub(tmp_path, is_zipped):
    """data/iohub.zip, by iohub 0.2.3: axes in capitals, identity transforms, levels that halve z; pixels count up."""
    archive = os.path.join(os.path.dirname(__file__), "data", "iohub.zip")
    root = f"/vsizip/{archive}/plate.zarr"
    if not is_zipped:
        shutil.unpack_archive(archive, tmp_path)
        root = f"{tmp_path}/plate.zarr"
    names = [name for name, _ in gdal.Open(root).GetSubDatasets()]
    assert names == [f'OMEZARR:"{root}":{field}' for field in ("A/1/0", "B/2/0")]
    for number, name in enumerate(names):
        array = np.arange(2 * 2 * 3 * 16 * 20, dtype="uint16").reshape(2, 2, 3, 16, 20) + np.uint16(1000 * number)
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(name)), bands(array))
        assert gdal.Open(name).GetSubDatasets() == []
        found = gdaltest.our_levels(name)
        for number, index in ((1, [0, 0, 1]), (2, [0, 0, 0])):
            level = gdaltest.pixels(gdal.Open(f"{name}/{number}")).reshape(2, 2, -1, 16 >> number, 20 >> number)
            np.testing.assert_array_equal(found[number], bands(level[:, :, index]))
    dataset = gdal.Open(names[0])
    band = dataset.GetRasterBand(1 + 1 * 6 + 1 * 3 + 2)
    assert band.GetDescription() == "GFP T=1 Z=2"
    found = band.GetMetadata("NGFF")
    assert found["LABEL"] == "GFP" and found["COLOR"] == "00FF00" and found["ACTIVE"] == "YES"
    assert (found["WINDOW_START"], found["WINDOW_END"], found["WINDOW_MIN"], found["WINDOW_MAX"]) == ("0", "65535", "0", "65535")
    assert (found["T"], found["C"], found["Z"], found["Z_UNIT"], found["T_UNIT"]) == ("1", "1", "2", "micrometer", "second")


# -- bioformats2raw --------------------------------------------------------------------------------------------------


def test_the_layout_of_bioformats2raw(tmp_path):
    """0.11: NGFF 0.4, blosc lz4, '/', five axes, OME-XML in the group OME, series numbered."""
    import numcodecs

    root = tmp_path / "a.zarr"
    node = zarr.open_group(str(root), mode="w", zarr_format=2)
    node.attrs["bioformats2raw.layout"] = 3
    node.require_group("OME").attrs["series"] = ["0", "1"]
    (root / "OME/METADATA.ome.xml").write_text("<OME/>")
    for series in range(2):
        image = node.require_group(str(series))
        levels = [FIVE + series, (FIVE + series)[..., ::2, ::2]]
        for i, level in enumerate(levels):
            image.create_array(str(i), shape=level.shape, chunks=(1, 1, 1, 32, 32), dtype=">u2", fill_value=0,
                               compressors=numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE),
                               chunk_key_encoding={"name": "v2", "separator": "/"})[...] = level
        image.attrs["multiscales"] = [{
            "metadata": {"method": "loci.common.image.SimpleImageScaler", "version": "Bio-Formats 8.2.0"},
            "axes": [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"},
                     {"name": "z", "type": "space"}, {"unit": "micrometer", "name": "y", "type": "space"},
                     {"unit": "micrometer", "name": "x", "type": "space"}],
            "name": f"photo.czi #{series + 1}", "datasets": [
                {"path": str(i), "coordinateTransformations": [{"scale": [1.0, 1.0, 1.0, 0.5 * 2 ** i, 0.5 * 2 ** i],
                                                                "type": "scale"}]} for i in range(2)],
            "version": "0.4"}]
        image.attrs["omero"] = {"channels": [
            {"color": c, "coefficient": 1, "active": True, "label": f"Channel {i}", "window": {
                "min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0}, "family": "linear", "inverted": False}
            for i, c in enumerate(("FF0000", "00FF00", "0000FF"))], "rdefs": {"defaultT": 0, "model": "color", "defaultZ": 2}}
    dataset = gdal.Open(str(root))
    assert [title for _, title in dataset.GetSubDatasets()] == ["series 0: photo.czi #1", "series 1: photo.czi #2"]
    for series, (name, _) in enumerate(dataset.GetSubDatasets()):
        found = gdaltest.our_levels(name)
        np.testing.assert_array_equal(found[0], bands(FIVE + series))
        np.testing.assert_array_equal(found[1], bands(np.ascontiguousarray((FIVE + series)[..., ::2, ::2])))
        assert gdal.Open(name).GetGeoTransform() == (-0.25, 0.5, 0, -0.25, 0, 0.5)
