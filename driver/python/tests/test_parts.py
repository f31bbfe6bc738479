"""One store by several processes: part=(i, n), finish."""

import concurrent.futures
import multiprocessing
import os

import numpy as np
import pytest

import omezarr


def files(folder):
    return {os.path.relpath(os.path.join(at, name), folder): open(os.path.join(at, name), "rb").read()
            for at, _, names in os.walk(folder) for name in names}


def multiscales(method=omezarr.Methods.ITKWASM_GAUSSIAN, data=None):
    data = np.random.default_rng(3).integers(0, 60000, (3, 150, 170), "uint16") if data is None else data
    return omezarr.to_multiscales(omezarr.to_ngff_image(data, dims=("z", "y", "x"), scale={"y": 0.5}), [{"y": 2, "x": 2}, {"y": 4, "x": 4}],
                                  method=method, chunks=16)


def write(store, i, n):
    omezarr.to_ngff_zarr(store, multiscales(), part=(i, n))
    return i


def test_parts_of_other_processes_are_the_bytes_of_one_call(tmp_path):
    omezarr.to_ngff_zarr(tmp_path / "one.ome.zarr", multiscales())
    store = str(tmp_path / "p.ome.zarr")
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert sorted(pool.map(write, [store] * 5, [4, 1, 3, 2, 4], [4] * 5)) == [1, 2, 3, 4, 4]
    assert omezarr.missing_parts(store) == [] and not os.path.exists(store)
    omezarr.finish(store, verify=True)
    assert files(store) == files(tmp_path / "one.ome.zarr")


def test_dask_blocks_that_fit_nothing(tmp_path):
    dask_array = pytest.importorskip("dask.array")
    data = np.random.default_rng(3).integers(0, 60000, (3, 150, 170), "uint16")
    omezarr.to_ngff_zarr(tmp_path / "one.ome.zarr", multiscales(data=data))
    for i in (2, 3, 1):
        blocks = dask_array.from_array(data, chunks=(2, 37, 53), name="data")
        omezarr.to_ngff_zarr(tmp_path / "p.ome.zarr", multiscales(data=blocks), part=(i, 3))
    omezarr.finish(tmp_path / "p.ome.zarr")
    assert files(tmp_path / "p.ome.zarr") == files(tmp_path / "one.ome.zarr")


def test_missing_parts_are_named_and_others_are_refused(tmp_path):
    store = tmp_path / "p.ome.zarr"
    for call in (omezarr.missing_parts, omezarr.finish, omezarr.abandon):
        with pytest.raises(FileNotFoundError, match="no parts are there"):
            call(store)
    write(store, 2, 4)
    assert omezarr.missing_parts(store) == [1, 3, 4]
    with pytest.raises(omezarr.StateError, match="3 of 4 parts are missing: 1, 3, 4"):
        omezarr.finish(store)
    with pytest.raises(FileExistsError, match="of another run"):
        omezarr.to_ngff_zarr(store, multiscales(omezarr.Methods.DASK_BIN_SHRINK), part=(1, 4))
    omezarr.abandon(store)
    assert os.listdir(tmp_path) == []


def test_a_store_of_the_host_takes_parts(tmp_path):
    omezarr.to_ngff_zarr(tmp_path / "one.ome.zarr", multiscales())
    objects: dict[str, bytes] = {}
    for i in (2, 1):
        omezarr.to_ngff_zarr(objects, multiscales(), part=(i, 2))
        assert "zarr.json" not in objects
    omezarr.finish(objects)
    assert {key: bytes(value) for key, value in objects.items()} == files(tmp_path / "one.ome.zarr")


def test_what_does_not_go_with_parts_is_said(tmp_path):
    with pytest.raises(ValueError, match="part=\\(i, n\\)"):
        omezarr.plan(multiscales(), part="1/2")
    with pytest.raises(ValueError, match="PART"):
        omezarr.to_ngff_zarr(tmp_path / "p.ome.zarr", multiscales(), part=(3, 2))
    with pytest.raises(ValueError, match="PART"):
        omezarr.to_ngff_zarr(tmp_path / "p.ome.zarr", multiscales(), part=(1, 2), resume=True)
