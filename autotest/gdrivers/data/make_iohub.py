"""Makes iohub.zip, a store by iohub 0.2.3 (BSD licence; it needs zarr 2, so it has no place among the other packages):

    python -m venv v && v/bin/pip install iohub==0.2.3 && v/bin/python make_iohub.py

Two wells, t c z y x, three levels each of which halves z too; pixels count from 1000 * field in C order."""

import os
import shutil
import tempfile

import numpy as np
from iohub import open_ome_zarr

here = os.path.dirname(os.path.abspath(__file__))
with tempfile.TemporaryDirectory() as folder:
    with open_ome_zarr(f"{folder}/plate.zarr", layout="hcs", mode="w", channel_names=["DAPI", "GFP"], version="0.4") as plate:
        for number, (row, column) in enumerate((("A", "1"), ("B", "2"))):
            position = plate.create_position(row, column, "0")
            position.create_image("0", np.arange(2 * 2 * 3 * 16 * 20, dtype="uint16").reshape(2, 2, 3, 16, 20) + np.uint16(1000 * number))
            position.initialize_pyramid(3)
            position.compute_pyramid() if hasattr(position, "compute_pyramid") else None
    shutil.make_archive(f"{here}/iohub", "zip", folder, "plate.zarr")
