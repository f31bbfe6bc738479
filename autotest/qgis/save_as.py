"""Run under a Python that has PyQGIS: writes and reads images as a user of QGIS does, and prints what came out as JSON.

    save_as.py FOLDER SOURCE     SOURCE: x.tif, three bands of bytes with a CRS; beside it x_nodata.tif, x_full.tif,
                                 one band that holds every byte, x_infrared.tif, four bands, and x_classes.tif, a palette

Nothing is judged here; omezarr_qgis.py does that."""

import json
import os
import sys

from qgis.core import (Qgis, QgsApplication, QgsCoordinateTransformContext, QgsMapSettings,
                       QgsMapRendererSequentialJob, QgsRasterBlockFeedback, QgsRasterFileWriter, QgsRasterLayer,
                       QgsRasterNuller, QgsRasterPipe, QgsRasterRange, QgsRectangle)
from qgis.PyQt.QtCore import QSize

folder, source = sys.argv[1:]
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
result = {"version": Qgis.QGIS_VERSION}


def pixels(layer, width=None, height=None):
    """The bands of a layer over its whole extent, as lists."""
    width, height = width or layer.width(), height or layer.height()
    provider = layer.dataProvider()
    bands = []
    for band in range(1, layer.bandCount() + 1):
        block = provider.block(band, layer.extent(), width, height)
        bands.append([block.value(y, x) for y in range(height) for x in range(width)])
    return bands


def describe(path, with_pixels=True):
    layer = QgsRasterLayer(path, "layer", "gdal")
    found = {"valid": layer.isValid()}
    if not layer.isValid():
        return found
    extent = layer.extent()
    found.update(crs=layer.crs().authid(), bands=layer.bandCount(), width=layer.width(), height=layer.height(),
                 extent=[extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
                 pyramids=[[p.xDim if hasattr(p, "xDim") else p.getXDim(),
                            p.yDim if hasattr(p, "yDim") else p.getYDim()]
                           for p in layer.dataProvider().buildPyramidList()
                           if (p.exists if hasattr(p, "exists") and not callable(p.exists) else p.getExists())],
                 has_nodata=[layer.dataProvider().sourceHasNoDataValue(b) for b in range(1, layer.bandCount() + 1)])
    if with_pixels:
        found["pixels"] = pixels(layer)
    return found


def save(name, layer, rendered=False, extent=None, size=None, prepare=None, feedback=None, nodata=()):
    """Export > Save As."""
    path = os.path.join(folder, name)
    writer = QgsRasterFileWriter(path)
    writer.setOutputFormat("GTiff" if name.endswith(".tif") else "OMEZARR")
    if prepare:
        prepare(writer)
    pipe = QgsRasterPipe()
    pipe.set(layer.dataProvider().clone())
    if rendered:
        pipe.set(layer.renderer().clone())
    else:  # with the table "additional no data values" of the dialog
        nuller = QgsRasterNuller()
        for band in range(1, layer.bandCount() + 1):
            nuller.setNoData(band, [QgsRasterRange(*pair) for pair in nodata])
        assert pipe.insert(1, nuller)
    width, height = size or (layer.width(), layer.height())
    status = writer.writeRaster(pipe, width, height, extent or layer.extent(), layer.crs(),
                                QgsCoordinateTransformContext(), feedback)
    return path, int(status)


formats = {f.driverName: list(QgsRasterFileWriter.extensionsForFormat(f.driverName))
           for f in QgsRasterFileWriter.supportedFiltersAndFormats()}
result["extensions"] = formats.get("OMEZARR")
result["filter"] = [f.filterString for f in QgsRasterFileWriter.supportedFiltersAndFormats()
                    if f.driverName == "OMEZARR"]

result["filter_for_driver"] = QgsRasterFileWriter.filterForDriver("OMEZARR")
result["driver_for_extension"] = QgsRasterFileWriter.driverForExtension("ome.zarr")
result["driver_for_one_file"] = QgsRasterFileWriter.driverForExtension("ozx")

layer = QgsRasterLayer(source, "source", "gdal")
result["source"] = describe(source)

path, status = save("raw.ome.zarr", layer)
result["raw"] = {"status": status, **describe(path)}
path, status = save("file.ozx", layer)
result["file"] = {"status": status, **describe(path)}
path, status = save("typed.zarr", layer)
result["typed"] = {"status": status, **describe(path, False)}

path, status = save("rendered.ome.zarr", layer, rendered=True)
result["rendered"] = {"status": status, **describe(path)}
path, status = save("rgba.ome.zarr", layer, rendered=True, prepare=lambda writer: writer.setCreateOptions(
    ["COLOR_INTERPRETATION=red,green,blue,alpha"]))
result["rgba"] = {"status": status, **describe(path)}
path, status = save("infrared.ome.zarr", QgsRasterLayer(source.replace(".tif", "_infrared.tif"), "infrared", "gdal"),
                    prepare=lambda writer: writer.setCreateOptions(["BLOCKSIZE=64"]))
result["infrared"] = {"status": status, **describe(path)}
palette = QgsRasterLayer(source.replace(".tif", "_classes.tif"), "classes", "gdal")
for name, options in (("classes", []), ("classes_mode", ["OVERVIEW_RESAMPLING=MODE"])):
    path, status = save(name + ".ome.zarr", palette, prepare=lambda writer: writer.setCreateOptions(["BLOCKSIZE=64"] + options))
    result[name] = {"status": status, **describe(path)}


def with_pyramids(writer):
    flag = getattr(Qgis, "RasterBuildPyramidOption", None)
    writer.setBuildPyramidsFlag(flag.Yes if flag else 1)
    writer.setPyramidsList([2, 4])
    writer.setPyramidsResampling("AVERAGE")
    writer.setCreateOptions(["BLOCKSIZE=64"])


path, status = save("pyramids.ome.zarr", layer, prepare=with_pyramids)
result["pyramids"] = {"status": status, **describe(path)}



with_nodata = QgsRasterLayer(source.replace(".tif", "_nodata.tif"), "nodata", "gdal")
path, status = save("nodata.ome.zarr", with_nodata)
result["nodata"] = {"status": status, **describe(path, False)}

box = layer.extent()
step = box.width() / layer.width()
part = QgsRectangle(box.xMinimum() + 30 * step, box.yMinimum() + 20 * step, box.xMinimum() + 100 * step,
                    box.yMinimum() + 80 * step)
path, status = save("part.ome.zarr", layer, extent=part, size=(70, 60))
result["part"] = {"status": status, **describe(path)}

# No data values that nobody declared: the extent is larger than the source, so QGIS needs one. It takes the lowest value
# of the type, or the highest, or, where both occur, a wider type. (The code in QGIS that deletes the image and starts
# again with a wider type after a conflict is never reached: nothing returns NoDataConflict, up to 3.40.)
wide = QgsRectangle(box.xMinimum() - 20 * step, box.yMinimum(), box.xMaximum(), box.yMaximum() + 10 * step)
for name, of in (("wide_free", layer), ("wide_full", QgsRasterLayer(source.replace(".tif", "_full.tif"), "full", "gdal"))):
    path, status = save(name + ".ome.zarr", of, extent=wide, size=(layer.width() + 20, layer.height() + 10))
    result[name] = {"status": status, **describe(path, False)}
    save(name + ".tif", of, extent=wide, size=(layer.width() + 20, layer.height() + 10))
path, status = save("user_nodata.ome.zarr", layer, nodata=[(70, 70), (100, 120)])
result["user_nodata"] = {"status": status, **describe(path, False)}
path, status = save("user_nodata_2.ome.zarr", with_nodata, nodata=[(100, 120)])
result["user_nodata_2"] = {"status": status, **describe(path, False)}

# What that code would do: create, set, write, remove, create wider.
path = os.path.join(folder, "removed.ome.zarr")
removed = []
for data_type in (1, 3):  # Byte, Int16
    writer = QgsRasterFileWriter(path)
    writer.setOutputFormat("OMEZARR")
    provider = writer.createMultiBandRaster(Qgis.DataType(data_type), 40, 30, box, layer.crs(), 2)
    provider.setNoDataValue(1, 0)
    provider.write(bytes([7] * 40 * 30 * (1 if data_type == 1 else 2)), 1, 40, 30, 0, 0)
    if data_type == 1:
        removed.append(provider.remove())
        removed.append(os.path.exists(path))
    del provider
result["removed"] = {"removed": removed, **describe(path)}

# An image that is there already stays, unless the options say otherwise.
path, status = save("raw.ome.zarr", with_nodata)
result["existing"] = {"status": status, **describe(path)}
path, status = save("replaced.ome.zarr", layer)
path, status = save("replaced.ome.zarr", with_nodata, prepare=lambda writer: writer.setCreateOptions(["OVERWRITE=YES"]))
result["replaced"] = {"status": status, **describe(path, False)}

told = []
feedback = QgsRasterBlockFeedback()
feedback.progressChanged.connect(told.append)
path, status = save("progress.ome.zarr", layer, size=(1500, 1200), feedback=feedback)
result["progress"] = {"status": status, "told": told}

feedback = QgsRasterBlockFeedback()
feedback.cancel()
path, status = save("cancelled.ome.zarr", layer, size=(1500, 1200), feedback=feedback)
result["cancelled"] = {"status": status, "left": sorted(os.listdir(folder))}

# A map of the store, rendered small: QGIS asks for far fewer pixels than level 0 has.
store = QgsRasterLayer(os.path.join(folder, "raw.ome.zarr"), "store", "gdal")
settings = QgsMapSettings()
settings.setLayers([store])
settings.setDestinationCrs(store.crs())
settings.setExtent(store.extent())
settings.setOutputSize(QSize(60, 48))
job = QgsMapRendererSequentialJob(settings)
job.start()
job.waitForFinished()
image = job.renderedImage()
result["map"] = [[image.pixelColor(x, y).red() for x in range(60)] for y in range(48)]

try:
    sys.path.append("/usr/share/qgis/python/plugins")
    import processing
    from processing.core.Processing import Processing
    Processing.initialize()
    # For names that end in .zarr this QGIS leaves the value of "-of" empty; the additional parameters complete it.
    out = os.path.join(folder, "translated.ome.zarr")
    processing.run("gdal:translate", {"INPUT": source, "EXTRA": "OMEZARR", "OUTPUT": out})
    result["translate"] = describe(out)
    out = os.path.join(folder, "warped.ome.zarr")
    processing.run("gdal:warpreproject", {"INPUT": source, "TARGET_CRS": "EPSG:4326", "RESAMPLING": 0,
                                          "EXTRA": "OMEZARR", "OUTPUT": out})
    result["warp"] = describe(out)
except Exception as problem:  # judged by the test
    result["no_processing"] = f"{type(problem).__name__}: {problem}"

print("RESULT " + json.dumps(result))
del of, palette, store, layer, with_nodata, settings, job
app.exitQgis()
