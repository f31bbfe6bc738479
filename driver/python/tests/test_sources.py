"""Arrays of all kinds: the stored pixels of level 0 are those of the array, whatever library holds it."""

import numpy as np
import pytest
from conftest import attributes, level, mean

import omezarr


def written(tmp_path, data, expected, dims=None, **options):
    store = tmp_path / "out.ome.zarr"
    image = omezarr.to_ngff_image(data, dims)
    multiscales = omezarr.to_multiscales(image, [2] if image.shape[-1] > 8 else [], "mean", 16)
    omezarr.to_ngff_zarr(store, multiscales, **options)
    stored = level(store)
    assert stored.dtype == expected.dtype
    assert np.array_equal(stored, expected, equal_nan=stored.dtype.kind in "fc")
    return store


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 2**16, (37, 41), dtype=np.uint16)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_type_in_both_byte_orders(tmp_path, rng, dtype, order):
    bits = rng.integers(0, 100, (20, 24))
    data = bits.astype(order + dtype)
    written(tmp_path, data, bits.astype(dtype))


@pytest.mark.parametrize("view", [
    lambda a: np.asfortranarray(a),
    lambda a: a[::-1, ::2],
    lambda a: np.broadcast_to(a[0], (12, 41)),
    lambda a: a.T,
    lambda a: a.tolist(),
], ids=["fortran", "negative and wide strides", "stride zero", "transposed", "list"])
def test_any_strides(tmp_path, pixels, view):
    data = view(pixels)
    written(tmp_path, data, np.array(data))


def test_channel_last_is_stored_channel_first(tmp_path, rng):
    data = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    store = written(tmp_path, data, np.moveaxis(data, -1, 0), dims=("y", "x", "c"))
    assert [a["name"] for a in attributes(store)["multiscales"][0]["axes"]] == ["c", "y", "x"]


def test_read_only_and_memory_mapped(tmp_path, pixels):
    np.save(tmp_path / "a.npy", pixels)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert not mapped.flags.writeable
    written(tmp_path, mapped, pixels)


def test_bool_is_stored_as_zeros_and_ones(tmp_path, pixels):
    written(tmp_path, pixels > 2**15, (pixels > 2**15).astype(np.uint8))


def test_masked_array_keeps_its_mask_and_leaves_masked_pixels_out_of_levels(tmp_path):
    data = np.ma.masked_array(np.full((32, 32), 10, np.uint8))
    data[0, 0] = 200
    data[0, 0] = np.ma.masked
    data[8:10, 4:6] = np.ma.masked
    store = tmp_path / "masked.ome.zarr"
    omezarr.to_ngff_zarr(store, omezarr.to_multiscales(data, [2], "mean", 16))
    opened = omezarr.from_ngff_zarr(store)
    assert np.array_equal(np.asarray(opened.images[0].mask) != 0, ~data.mask)
    assert level(store, 1)[0, 0] == 10  # the mean of three tens: the masked 200 does not count
    assert not np.asarray(opened.images[1].mask)[4, 2]


def test_mask_that_differs_between_planes_is_refused():
    data = np.ma.masked_array(np.zeros((2, 8, 8), np.uint8))
    data[1, 0, 0] = np.ma.masked
    with pytest.raises(ValueError, match="differs between channels or planes"):
        omezarr.to_ngff_image(data, ("c", "y", "x"))


def test_dlpack_alone(tmp_path, pixels):
    class Tensor:
        shape, dtype = pixels.shape, pixels.dtype

        def __dlpack__(self, **options):
            return pixels.__dlpack__(**options)

        def __dlpack_device__(self):
            return pixels.__dlpack_device__()

    written(tmp_path, Tensor(), pixels)


def test_memory_of_a_device_is_copied_to_the_host(tmp_path, pixels):
    class OnDevice:  # as CuPy: DLPack is refused without a stream, get() copies
        shape, dtype = pixels.shape, pixels.dtype

        def __dlpack__(self, **options):
            raise BufferError("not on this device")

        def __dlpack_device__(self):
            return (2, 0)

        def get(self):
            return pixels

    written(tmp_path, OnDevice(), pixels)


def test_array_interface_alone(tmp_path, pixels):
    class Interface:
        shape, dtype = pixels.shape, pixels.dtype
        __array_interface__ = pixels.__array_interface__

    written(tmp_path, Interface(), pixels)


def test_slices_alone_are_taken_one_region_at_a_time(tmp_path, pixels):
    class Sliced:
        shape, dtype = pixels.shape, pixels.dtype
        taken: list = []

        def __getitem__(self, key):
            self.taken.append(key)
            return pixels[key]

    source = Sliced()
    written(tmp_path, source, pixels)
    covered = np.zeros(pixels.shape, int)
    for key in source.taken:
        covered[key] += 1
        assert covered[key].size <= 16 * 16
    assert (covered == 1).all()  # every pixel once


def test_torch(tmp_path, pixels):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(pixels.astype(np.float32)).requires_grad_()
    written(tmp_path, tensor.T, pixels.astype(np.float32).T)


def test_zarr_h5py_tensorstore(tmp_path, pixels):
    zarr, h5py, tensorstore = map(pytest.importorskip, ("zarr", "h5py", "tensorstore"))
    array = zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(10, 41))
    written(tmp_path, array, pixels)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        written(tmp_path, file.create_dataset("a", data=pixels, chunks=(8, 8)), pixels)
    opened = tensorstore.open({"driver": "zarr3", "kvstore": f"file://{tmp_path / 'a.zarr'}"}).result()
    written(tmp_path, opened, pixels)
    written(tmp_path, array, np.ascontiguousarray(pixels.T), dims=("x", "y"))


def test_xarray_brings_dims_scale_translation_units_and_names(tmp_path, rng):
    xarray = pytest.importorskip("xarray")
    data = rng.integers(0, 99, (2, 20, 30), dtype=np.uint8)
    x = xarray.DataArray(data, name="cells", dims=("channel", "y", "x"), coords={
        "channel": ["DAPI", "GFP, green"],
        "y": ("y", 5 + 0.5 * np.arange(20), {"units": "um"}),
        "x": ("x", -1 + 0.25 * np.arange(30), {"units": "micrometer"})})
    store = written(tmp_path, x, data)
    found = attributes(store)
    entry = found["multiscales"][0]
    assert [(a["name"], a.get("unit")) for a in entry["axes"]] == [("c", None), ("y", "micrometer"), ("x", "micrometer")]
    assert entry["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0, 0.5]}, {"type": "translation", "translation": [0.0, 5.25, -0.875]}]
    assert entry["name"] == "cells"
    assert [c["label"] for c in found["omero"]["channels"]] == ["DAPI", "GFP, green"]


def test_xarray_with_falling_coordinates_is_refused():
    xarray = pytest.importorskip("xarray")
    x = xarray.DataArray(np.zeros((4, 4)), dims=("lat", "lon"), coords={"lat": [4.0, 3.0, 2.0, 1.0]})
    with pytest.raises(ValueError, match="lat falls"):
        omezarr.to_ngff_image(x)
    assert omezarr.to_ngff_image(x.isel(lat=slice(None, None, -1))).translation["y"] == 1.0


def test_scale_of_an_axis_that_is_not_there_is_a_warning():
    with pytest.warns(UserWarning, match="z"):
        image = omezarr.to_ngff_image(np.zeros((4, 4)), scale={"z": 3.0, "y": 2.0})
    assert image.scale == {"y": 2.0, "x": 1.0}


@pytest.mark.parametrize("data, error, match", [
    (np.zeros((4, 4), "U1"), TypeError, "cannot be stored"),
    (np.zeros((4, 4), [("a", "u1")]), TypeError, "cannot be stored"),
    (np.zeros(4), ValueError, "1 axes"),
    (np.zeros((1,) * 6), ValueError, "6 axes"),
    (np.zeros((0, 4)), ValueError, "empty"),
    ("a.zarr", TypeError, "is a path"),
])
def test_what_is_no_image_is_refused(data, error, match):
    with pytest.raises(error, match=match):
        omezarr.to_ngff_image(data)


def test_odd_sizes_of_levels_against_a_model(tmp_path, pixels):
    store = written(tmp_path, pixels, pixels)
    assert np.array_equal(level(store, 1), mean(pixels, 2))
