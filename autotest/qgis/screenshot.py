"""Run under a Python that has PyQGIS: renders a map from a store and saves it as PNG.

    screenshot.py STORE PICTURE [WIDTH]"""

import sys

from qgis.core import QgsApplication, QgsMapRendererSequentialJob, QgsMapSettings, QgsRasterLayer
from qgis.PyQt.QtCore import QSize

store, picture = sys.argv[1:3]
width = int(sys.argv[3]) if len(sys.argv) > 3 else 640
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
layer = QgsRasterLayer(store, "map", "gdal")
if not layer.isValid():
    sys.exit(f"{store}: QGIS cannot open it: {layer.error().summary()}")
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(layer.crs())
settings.setExtent(layer.extent())
settings.setOutputSize(QSize(width, round(width * layer.extent().height() / layer.extent().width())))
job = QgsMapRendererSequentialJob(settings)
job.start()
job.waitForFinished()
if not job.renderedImage().save(picture, "PNG"):
    sys.exit(f"{picture}: cannot be written")
del job, settings, layer
app.exitQgis()
