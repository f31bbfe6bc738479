"""Levels: pixels against models of their own and against ngff-zarr, where they lie, and what may not be asked for."""

import warnings

import numpy as np
import pytest
from conftest import attributes, level, mean, mode

import omezarr
from omezarr import Methods


@pytest.fixture
def volume(rng):
    return rng.integers(0, 2**16, (5, 33, 47), dtype=np.uint16)


def test_mean_of_a_volume(tmp_path, volume):
    m = omezarr.to_multiscales(volume, [2, 4], Methods.AVERAGE, 16)
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
    assert np.array_equal(level(tmp_path / "a.ome.zarr", 1), mean(volume, 2))
    assert np.array_equal(np.asarray(m.images[2].data), level(tmp_path / "a.ome.zarr", 2))


def test_mode_of_labels(tmp_path, rng):
    labels = rng.integers(0, 4, (30, 41), dtype=np.int32)
    for method in (Methods.DASK_IMAGE_MODE, "mode"):
        omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(labels, [3], method, 16))
        assert np.array_equal(level(tmp_path / "a.ome.zarr", 1), mode(labels, 3))


@pytest.mark.parametrize("name", ["ITKWASM_GAUSSIAN", "ITKWASM_BIN_SHRINK", "DASK_BIN_SHRINK"])
def test_ngff_zarr_has_the_same_pixels(tmp_path, rng, name):
    nz = pytest.importorskip("ngff_zarr")
    data = rng.integers(0, 256, (64, 96), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nz.to_multiscales(nz.to_ngff_image(data, ["y", "x"]), [2, 4], nz.Methods[name], 32)
    ours = omezarr.to_multiscales(data, [2, 4], Methods[name], 32)
    for a, b in zip(theirs.images, ours.images):
        assert np.array_equal(np.asarray(a.data), np.asarray(b.data))
        assert a.scale == b.scale and a.translation == b.translation


@pytest.mark.parametrize("shape", [(37, 90), (7, 33, 47), (13, 16, 31)])
@pytest.mark.parametrize("factors", [[2, 4], [2, 3, 6], 8])
def test_sizes_may_be_those_of_ngff_zarr(tmp_path, rng, shape, factors):
    nz = pytest.importorskip("ngff_zarr")
    data = rng.integers(0, 2**16, shape, dtype=np.uint16)
    dims = ["z", "y", "x"][-len(shape):]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nz.to_multiscales(nz.to_ngff_image(data, dims), factors, nz.Methods.DASK_BIN_SHRINK, 16)
    ours = omezarr.to_multiscales(data, factors, "mean", 16, sizes="floor")
    assert [i.data.shape for i in ours.images] == [i.data.shape for i in theirs.images]
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", ours)
    exact = 1 if isinstance(factors, list) and factors[1] % factors[0] else len(ours.images)  # theirs makes 3 of the level of 2
    for number, a in enumerate(theirs.images[:exact + 1]):
        assert np.array_equal(level(tmp_path / "a.ome.zarr", number), np.asarray(a.data))
    again = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr")
    assert [i.data.shape for i in again.images] == [i.data.shape for i in theirs.images]


def test_factors_and_chunks_by_axis(tmp_path, volume):
    image = omezarr.to_ngff_image(volume, scale={"z": 2.0, "y": 0.5, "x": 0.5})
    m = omezarr.to_multiscales(image, [{"y": 2, "x": 2}, {"z": 2, "y": 4, "x": 4}], "mean", {"z": 2, "y": 16, "x": 24})
    assert [i.shape for i in m.images] == [(5, 33, 47), (5, 17, 24), (3, 9, 12)]
    assert m.images[2].scale == {"z": 4.0, "y": 2.0, "x": 2.0}
    assert m.images[2].translation == {"z": 1.0, "y": 0.75, "x": 0.75}
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m, chunks_per_shard={"y": 2})
    opened = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr")
    assert opened.images[0].source.chunks == (2, 16, 24)
    assert [d.path for d in opened.metadata.datasets] == ["scale0/image", "scale1/image", "scale2/image"]


@pytest.mark.parametrize("shape, chunks, expected", [
    ((1024, 1024), None, [2, 4]),
    ((511, 511), None, [2]),
    ((2048, 1000), None, [(2, 1), (4, 2), (8, 2)]),
    ((100, 100), None, []),
])
def test_factors_of_two_until_a_level_is_a_chunk(shape, chunks, expected):
    found = omezarr.to_multiscales(np.broadcast_to(np.uint8(0), shape), chunks=chunks).scale_factors
    pairs = [(f, f) if isinstance(f, int) else f for f in expected]
    assert [(f["y"], f["x"]) for f in found] == pairs


def test_replaced_level_is_written_as_it_is(tmp_path, volume):
    m = omezarr.to_multiscales(volume, [2, 4], "mean", 16)
    own = np.full(m.images[1].shape, 7, np.uint16)
    m.images[1].data = own
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
    assert np.array_equal(level(tmp_path / "a.ome.zarr"), volume)
    assert np.array_equal(level(tmp_path / "a.ome.zarr", 1), own)
    assert (level(tmp_path / "a.ome.zarr", 2) == 7).all()  # made from the level below it


@pytest.mark.parametrize("method, factors, nearest", [
    (Methods.ITK_GAUSSIAN, [2], "ITKWASM_GAUSSIAN"),
    (Methods.DASK_IMAGE_GAUSSIAN, [2], "ITKWASM_GAUSSIAN"),
    (Methods.ITKWASM_LABEL_IMAGE, [4], "MODE"),
    (Methods.DASK_IMAGE_NEAREST, [2, 6], "NEAREST"),
])
def test_method_without_an_equal_is_refused_with_the_nearest(method, factors, nearest):
    with pytest.raises(NotImplementedError, match=nearest):
        omezarr.to_multiscales(np.zeros((64, 64), np.uint8), factors, method, 16)


def test_names_and_colours_of_channels(tmp_path):
    image = omezarr.to_ngff_image(np.zeros((2, 32, 32), np.uint16), ("c", "y", "x"), channel_names=["a", "b"],
                                  channel_colors=["#FF8000", "00FF00"])
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(image, []))
    channels = attributes(tmp_path / "a.ome.zarr")["omero"]["channels"]
    assert [(c["label"], c["color"]) for c in channels] == [("a", "FF8000"), ("b", "00FF00")]


def test_channels_are_shown_as_metadata_says(tmp_path):
    m = omezarr.to_multiscales(omezarr.to_ngff_image(np.zeros((2, 32, 32), np.uint16), ("c", "y", "x")), [], None, 16)
    m.metadata.omero = omezarr.Omero([
        omezarr.OmeroChannel("00FF00", omezarr.OmeroWindow(0, 4095, 10, 900), "GFP"), omezarr.OmeroChannel("FF0000")])
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m, version="0.4")
    channels = attributes(tmp_path / "a.ome.zarr")["omero"]["channels"]
    assert channels[0]["color"] == "00FF00" and channels[0]["label"] == "GFP"
    assert channels[0]["window"] == {"min": 0, "max": 4095, "start": 10, "end": 900}
    assert channels[1]["color"] == "FF0000"
    assert omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").metadata.omero.channels[0] == m.metadata.omero.channels[0]


@pytest.mark.parametrize("shape, blocks, dims, expected", [
    ((4096, 4096), (512, 512), "yx", {"y": 512, "x": 512}), ((1024, 1024), (64, 64), "yx", {"y": 256, "x": 256}),
    ((2, 2048, 2048), (1, 512, 512), "zyx", {"z": 128, "y": 512, "x": 512}), ((9000, 9000), (2048, 2048), "yx", {"y": 256, "x": 256}),
    ((700, 700), (400, 400), "yx", {"y": 256, "x": 256})])
def test_chunks_that_nobody_gives_are_those_of_a_tiled_source(shape, blocks, dims, expected):
    class Tiled:
        dtype, chunks = np.dtype("uint8"), blocks

        def __getitem__(self, key):
            raise AssertionError("it is read")

    source = Tiled()
    source.shape = shape
    assert omezarr.to_multiscales(omezarr.to_ngff_image(source, dims), []).chunks == expected


def test_transforms_of_the_whole_image_are_not_dropped_in_silence(tmp_path):
    m = omezarr.to_multiscales(omezarr.to_ngff_image(np.zeros((64, 64), np.uint8)), [])
    m.metadata.coordinateTransformations = [omezarr.Scale([2.0, 2.0])]
    with pytest.raises(NotImplementedError, match="put them there"):
        omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
