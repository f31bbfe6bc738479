"""pytest plugin: ngff-zarr's own tests with its four calls replaced by ours (scripts/peer_tests.sh).

The tests make and look at ngff-zarr's classes, so images and multiscales are put into these on the way out, and taken out of
them on the way in; its metadata classes are filled from our levels. What our calls do not take is refused, as for users."""

import functools
import json
import os
import sys
import types

for absent in ("itk",):  # imported by fixtures, hundreds of MB; tests that use it fail
    try:
        __import__(absent)
    except ImportError:
        sys.modules[absent] = types.ModuleType(absent)

import ngff_zarr
import ngff_zarr.cli
from ngff_zarr import rfc4
from ngff_zarr.v06 import zarr_metadata as v06

import omezarr

original = {name: getattr(ngff_zarr, name) for name in ("from_ngff_zarr",)}
results = {}


def refuse(**given):
    for name, value in given.items():
        if value:
            raise NotImplementedError(name)


def ours_of(image):
    refuse(axes_types=image.axes_types)
    return omezarr.NgffImage(image.data, image.dims, dict(image.scale), dict(image.translation), image.name,
                             dict(image.axes_units) if image.axes_units else None,
                             channel_names=image.channel_names, channel_colors=image.channel_colors,
                             axes_orientations=image.axes_orientations)


def orientation_of(word):
    return rfc4.AnatomicalOrientation(value=rfc4.AnatomicalOrientationValues(word)) if word else None


def theirs_of(image):
    return ngff_zarr.NgffImage(image.data, image.dims, image.scale, image.translation, image.name, image.axes_units,
                               channel_names=image.channel_names, channel_colors=image.channel_colors,
                               axes_orientations={axis: orientation_of(word) for axis, word in (image.axes_orientations or {}).items()} or None)


def metadata_of(multiscales):
    first = multiscales.images[0]
    kinds = {a.name: a for a in multiscales.metadata.axes}
    axes = [v06.Axis(d, kinds[d].type, kinds[d].unit, orientation=orientation_of(kinds[d].orientation)) for d in first.dims]
    identifier = v06.CoordinateSystemIdentifier
    datasets = []
    for i, dataset in enumerate(multiscales.metadata.datasets):
        scale, translation = dataset.coordinateTransformations
        datasets.append(v06.Dataset(dataset.path, [v06.TransformSequence(
            name=f"scale{i}_to_intrinsic", transformations=[v06.Scale(scale=scale.scale), v06.Translation(translation=translation.translation)],
            input=identifier(path=dataset.path), output=identifier(name="intrinsic"))]))
    return v06.Metadata([v06.CoordinateSystem("intrinsic", axes)], datasets, name=first.name,
                        type=multiscales.method.value if multiscales.method else None)


def to_ngff_image(data, dims=None, scale=None, translation=None, name="image", axes_units=None, channel_names=None):
    return theirs_of(omezarr.to_ngff_image(data, dims, scale, translation, name, axes_units, channel_names))


def to_multiscales(data, scale_factors=128, method=None, chunks=None, progress=None, cache=None, orientation=None,
                   axis_order="canonical"):
    refuse(axis_order=axis_order != "canonical")
    image = data if isinstance(data, ngff_zarr.NgffImage) else to_ngff_image(data)
    ours = omezarr.to_multiscales(ours_of(image), scale_factors, omezarr.Methods[method.name] if method else None, chunks, sizes="floor",
                                  orientation=orientation)
    images = [theirs_of(i) for i in ours.images]
    return ngff_zarr.NgffMultiscales(images, metadata_of(ours), ours.scale_factors, ngff_zarr.Methods[ours.method.name],
                                     ours.chunks, generated_data_keys=[i.data.name for i in images])


def to_ngff_zarr(store, multiscales, version=None, overwrite=True, use_tensorstore=False, chunk_store=None, progress=None,
                 chunks_per_shard=None, scale_strategy="pad", metadata_only=False, start_level=0, consolidate_metadata=True,
                 **more):
    refuse(chunk_store=chunk_store)
    images = [ours_of(i) for i in multiscales.images]
    chunks = multiscales.chunks
    if chunks is not None and not isinstance(chunks, dict):
        chunks = dict.fromkeys(images[0].dims, chunks) if isinstance(chunks, int) else dict(zip(images[0].dims, chunks))
    metadata = omezarr.Metadata([], [], name=multiscales.metadata.name or images[0].name)
    omero = getattr(multiscales.metadata, "omero", None)
    if omero:
        metadata.omero = omezarr.Omero([omezarr.OmeroChannel(c.color, omezarr.OmeroWindow(
            c.window.min, c.window.max, c.window.start, c.window.end) if c.window else None, c.label) for c in omero.channels])
    ours = omezarr.Multiscales(images, metadata, multiscales.scale_factors,
                               omezarr.Methods[multiscales.method.name] if multiscales.method else None, chunks,
                               multiscales.root_attributes)
    omezarr.to_ngff_zarr(store, ours, version or "0.5", overwrite, chunks_per_shard, consolidate_metadata, metadata_only=metadata_only,
                         start_level=start_level, **more)
    for image in multiscales.images:
        for callback in image.computed_callbacks:
            callback()
        image.computed_callbacks = []


def from_ngff_zarr(store, validate=False, version=None, storage_options=None, kind=None):
    theirs = original["from_ngff_zarr"](store, validate=validate, version=version, storage_options=storage_options, kind=kind)
    ours = omezarr.from_ngff_zarr(store, storage_options=storage_options)
    theirs.images = [theirs_of(i) for i in ours.images]
    theirs.root_attributes = ours.root_attributes
    return theirs


replaced = {"to_ngff_image": to_ngff_image, "to_multiscales": to_multiscales, "to_ngff_zarr": to_ngff_zarr,
            "to_ome_zarr": to_ngff_zarr, "from_ngff_zarr": from_ngff_zarr, "from_ome_zarr": from_ngff_zarr}
used = set()


def noting(name, function):
    @functools.wraps(function)
    def call(*arguments, **more):
        used.add(name)
        return function(*arguments, **more)

    return call


if os.environ.get("PEER") != "itself":
    for module in [m for name, m in sys.modules.items() if name.startswith("ngff_zarr")]:
        for name, function in replaced.items():
            if callable(getattr(module, name, None)) and not isinstance(getattr(module, name), types.ModuleType):
                setattr(module, name, noting(name, function))


def pytest_runtest_setup(item):
    used.clear()


def pytest_runtest_teardown(item):
    item.user_properties.append(("calls", sorted(used)))


def pytest_runtest_logreport(report):
    outcome = results.setdefault(report.nodeid, ["passed", False, ""])
    if report.failed or report.skipped:
        outcome[0] = "skipped" if report.skipped else "failed" if report.when == "call" else "error"
        outcome[2] = str(report.longrepr)[-300:] if report.failed else ""
    outcome[1] = outcome[1] or any(value for name, value in report.user_properties if name == "calls")


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):  # one of xdist's; the results come together in its parent
        return
    with open(os.environ["PEER_RESULTS"], "w") as file:
        json.dump(results, file, indent=0)
