"""What the docs say to type: each block of Python in docs/ runs as it stands, and does what is said of it."""

import os
import re
import xml.etree.ElementTree

import gdaltest
import pytest
from osgeo import gdal

np = pytest.importorskip("numpy")
tifffile = pytest.importorskip("tifffile")
pytest.importorskip("zarr")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCS = os.path.join(ROOT, "docs")


def block(page, heading):
    with open(os.path.join(DOCS, page), encoding="utf-8") as file:
        text = file.read().split(f"## {heading}")[1]
    return re.search(r"```python\n(.*?)```", text, re.S).group(1)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_way_back_keeps_pixels_axes_scale_units_and_names(tmp_path, monkeypatch, version):
    planes = np.random.default_rng(15).integers(0, 60000, (3, 2, 4, 20, 24), np.uint16)
    source = gdal.GetDriverByName("MEM").Create("", 24, 20, 24, gdal.GDT_UInt16)
    for i, plane in enumerate(planes.reshape(24, 20, 24)):
        source.GetRasterBand(i + 1).WriteRaster(0, 0, 24, 20, plane.tobytes())
    gdaltest.write(tmp_path / "stack.ome.zarr", source, f"NGFF_VERSION={version}", "AXES=t:3,c:2,z:4", "NAME=cells",
                   "AXIS_SCALE=t:2.5,z:1.5,y:0.25,x:0.5", "AXIS_UNITS=t:second,z:micrometer,y:micrometer,x:micrometer",
                   "CHANNEL_NAMES=DAPI,GFP")
    monkeypatch.chdir(tmp_path)
    exec(block("stacks.md", "The way back"), {})
    with tifffile.TiffFile("stack.ome.tif") as file:
        assert file.series[0].axes == "TCZYX"
        assert (file.series[0].asarray() == planes).all()
        root = xml.etree.ElementTree.fromstring(file.ome_metadata)
    space = {"o": root.tag[1:].split("}")[0]}
    pixels = root.find("o:Image/o:Pixels", space)
    said = {name: pixels.get(name) for name in ("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ", "TimeIncrement")}
    assert {name: float(value) for name, value in said.items()} == {
        "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 1.5, "TimeIncrement": 2.5}
    assert [pixels.get(name + "Unit") for name in said] == ["µm", "µm", "µm", "s"]
    assert [channel.get("Name") for channel in pixels.findall("o:Channel", space)] == ["DAPI", "GFP"]
    assert root.find("o:Image", space).get("Name") == "cells"


def anchors(page):
    with open(page, encoding="utf-8") as file:
        headings = re.findall(r"^#+ (.*)$", file.read(), re.M)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", *sorted("docs/" + name for name in os.listdir(DOCS) if name.endswith(".md"))])
def test_links_lead_somewhere(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", file.read(), flags=re.S))
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(ROOT, os.path.dirname(page), name)) if name else os.path.join(ROOT, page)
        assert os.path.exists(target), link
        assert not anchor or anchor in anchors(target), link
