"""What TIFFs say of their planes: OME-XML, ImageJ, tifffile's arrays, Aperio's slides. Files are written by tifffile, some
with hand-made descriptions; what must come out is what tifffile and ome-types say of the same file, read from the store by
zarr-python."""

import ctypes
import itertools
import os
import struct
import types
import warnings
import zipfile

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

tifffile = pytest.importorskip("tifffile")
ome_types = pytest.importorskip("ome_types")

SHAPE = {"T": 3, "C": 2, "Z": 4}
PIXELS = np.random.default_rng(7).integers(0, 60000, (3, 2, 4, 20, 24), dtype="uint16")  # T, C, Z, Y, X
RGB = np.random.default_rng(8).integers(0, 255, (2, 4, 20, 24, 3), dtype="uint8")  # T, Z, Y, X, S
SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
UUID = "urn:uuid:01234567-89ab-cdef-0123-456789abcdef"
UNITS = {"µm": "micrometer", "Å": "angstrom", "nm": "nanometer", "mm": "millimeter", "s": "second", "ms": "millisecond",
         "min": "minute"}


# -- Reading -----------------------------------------------------------------------------------------------------------


def converted(source, *options):
    """The store that gdal_translate makes of a file, as zarr-python reads it, and what GDAL warned of."""
    path = os.path.splitext(str(source))[0] + ".zarr"
    with gdaltest.collected_messages() as messages:
        made = gdal.Translate(path, str(source), format="OMEZARR", creationOptions=["OVERWRITE=YES", *options])
    assert made is not None
    multiscale = gdaltest.ome(path)["multiscales"][0]
    names = [axis["name"] for axis in multiscale["axes"]]
    scale, translation = gdaltest.transforms(path)[0]
    array = gdaltest.zarr_levels(path)[0]
    return types.SimpleNamespace(
        path=path, array=array, axes="".join(names), scale=dict(zip(names, scale)), warnings=messages.warnings(),
        translation=dict(zip(names, translation or [0] * len(names))), name=multiscale.get("name"),
        unit={axis["name"]: axis.get("unit") for axis in multiscale["axes"]},
        channels=gdaltest.ome(path).get("omero", {}).get("channels", []), metadata=gdal.Open(path).GetMetadata())


def as_tczyx(array, axes):
    """tifffile's array with its axes in our order, samples behind the channels."""
    for letter in "TCZS":
        if letter not in axes:
            array, axes = array[np.newaxis], letter + axes
    array = np.transpose(array, [axes.index(letter) for letter in "TCSZYX"])
    return array.reshape(array.shape[0], -1, *array.shape[3:])


def by_tifffile(path):
    with tifffile.TiffFile(path) as file:
        return as_tczyx(file.series[0].asarray(), file.series[0].axes)


def same_pixels(store, expected):
    shape = [n for n in expected.shape[:3] if n > 1] + list(expected.shape[3:])
    assert store.axes == "".join(a for a, n in zip("tcz", expected.shape) if n > 1) + "yx"
    np.testing.assert_array_equal(store.array, expected.reshape(shape))


def by_ome_types(path):
    with tifffile.TiffFile(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ome_types.from_xml(file.pages[0].tags["ImageDescription"].value)


def rgb_of(color):
    red, green, blue = color.as_rgb_tuple(alpha=False)
    return f"{red:02X}{green:02X}{blue:02X}"


def same_metadata(store, image):
    """Spacing, units, names and colours as ome-types has them of an Image."""
    pixels = image.pixels
    for axis in set(store.axes) & set("zyx"):
        size = getattr(pixels, f"physical_size_{axis}")
        assert store.scale[axis] == (1 if size is None else size), axis
        unit = getattr(pixels, f"physical_size_{axis}_unit").value
        assert store.unit[axis] == (None if size is None else UNITS.get(unit)), axis
    if "t" in store.axes:
        assert store.scale["t"] == (pixels.time_increment or 1)
        assert store.unit["t"] == (UNITS[pixels.time_increment_unit.value] if pixels.time_increment else None)
    assert store.name == image.name
    if pixels.channels and pixels.channels[0].samples_per_pixel in (None, 1):
        for ours, theirs in zip(store.channels, pixels.channels):
            assert theirs.name is None or ours["label"] == theirs.name
            assert "color" not in theirs.model_fields_set or ours["color"] == rgb_of(theirs.color)


# -- Writing -----------------------------------------------------------------------------------------------------------


def pages(path, description, planes=PIXELS, **how):
    """A TIFF of one page for each plane, with this description of the first one."""
    text = description if isinstance(description, bytes) else description.encode()
    with tifffile.TiffWriter(path) as file:
        for i, plane in enumerate(planes.reshape(-1, *planes.shape[-2:])):
            file.write(plane, contiguous=False, metadata=None, photometric="minisblack", description=text if i == 0 else None, **how)
    return str(path)


def ome(inside="<TiffData/>", attributes="", order="XYZCT", image="", root="", before="", sizes=(24, 20, 4, 2, 3)):
    of_size = " ".join(f'Size{axis}="{size}"' for axis, size in zip("XYZCT", sizes))
    return (f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{SCHEMA}" {root}>{before}<Image ID="Image:0" Name="an image">{image}'
            f'<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" {of_size} {attributes}>{inside}</Pixels></Image></OME>')


# -- OME-XML -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["".join(order) for order in itertools.permutations("TCZ")])
@pytest.mark.parametrize("way", [{}, {"bigtiff": True}, {"byteorder": ">", "compression": "zlib"}, {"tile": (16, 16)}, {"subifds": 1}],
                         ids=["classic", "BigTIFF", "big-endian", "tiled", "pyramid"])
def test_the_six_orders(tmp_path, axes, way):
    source = str(tmp_path / "a.ome.tif")
    array = np.transpose(PIXELS, ["TCZ".index(a) for a in axes] + [3, 4])
    of_file = {name: value for name, value in way.items() if name in ("bigtiff", "byteorder")}
    of_pages = {name: value for name, value in way.items() if name not in of_file}
    with tifffile.TiffWriter(source, ome=True, **of_file) as file:
        file.write(array, photometric="minisblack", metadata={
            "axes": axes + "YX", "Name": "six", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5,
            "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 1.5, "TimeIncrement": 2.5, "TimeIncrementUnit": "min",
            "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, -16711681]}}, **of_pages)
        if "subifds" in way:  # a level that no program would make of the pages
            file.write(65535 - array[..., ::2, ::2], photometric="minisblack", subfiletype=1)
    if "subifds" in way:
        taken = str(tmp_path / "taken.ome.zarr")
        gdal.Translate(taken, source, format="OMEZARR", creationOptions=["OVERVIEWS=AUTO", "LAYOUT=FLAT", "BLOCKSIZE=16"])
        np.testing.assert_array_equal(gdaltest.zarr_levels(taken)[1], 65535 - PIXELS[..., ::2, ::2])
    store = converted(source, "VERIFY=SOURCE")
    assert store.warnings == []
    np.testing.assert_array_equal(by_tifffile(source), PIXELS)
    same_pixels(store, PIXELS)
    same_metadata(store, by_ome_types(source).images[0])


# -- Files of other programs -------------------------------------------------------------------------------------------


def brought(package, name, folder):
    """A file that data/README.md tells of."""
    with zipfile.ZipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", package)) as file:
        return file.extract(name, folder)


@pytest.mark.parametrize("name", ["plain", "pyramid", "rgb"])
def test_files_of_bio_formats(tmp_path, name):
    source = brought("bioformats.zip", f"{name}.ome.tif", tmp_path)
    store = converted(source, "VERIFY=SOURCE")
    assert [text for text in store.warnings if "1 is left out" not in text] == [] and len(store.warnings) == (name == "rgb")
    same_pixels(store, by_tifffile(source))
    same_metadata(store, by_ome_types(source).images[0])
    if name == "pyramid":
        taken = converted(source, "OVERVIEWS=AUTO", "LAYOUT=FLAT", "BLOCKSIZE=16")
        with tifffile.TiffFile(source) as file:
            level = file.series[0].levels[1]
            np.testing.assert_array_equal(gdaltest.zarr_levels(taken.path)[1], as_tczyx(level.asarray(), level.axes))


@pytest.mark.parametrize("name", ["multipage.tif", "multipage_rgb.tif"])
def test_stacks_of_scikit_image(tmp_path, name):
    source = brought("skimage.zip", name, tmp_path)
    with tifffile.TiffFile(source) as file:
        series = file.series[0]
        expected = as_tczyx(series.asarray(), series.axes.replace("I", "Z").replace("Q", "Z"))
    store = converted(source, "VERIFY=SOURCE")
    assert store.warnings == []
    same_pixels(store, expected)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_samples_are_channels(tmp_path, planarconfig):
    source = str(tmp_path / "a.ome.tif")
    written = RGB if planarconfig == "contig" else np.moveaxis(RGB, -1, 2)
    tifffile.imwrite(source, written, photometric="rgb", planarconfig=planarconfig,
                     metadata={"axes": "TZYXS" if planarconfig == "contig" else "TZSYX"})
    store = converted(source)
    assert by_ome_types(source).images[0].pixels.size_c == 3 and store.warnings == []
    same_pixels(store, by_tifffile(source))
    assert [c["color"] for c in store.channels] == ["FF0000", "00FF00", "0000FF"]
    assert [c["label"] for c in store.channels] == ["Red", "Green", "Blue"]


@pytest.mark.parametrize("attributes", [
    'PhysicalSizeX="2" PhysicalSizeY="3" PhysicalSizeZ="4"',
    'PhysicalSizeX="2" PhysicalSizeXUnit="Å" PhysicalSizeY="3" PhysicalSizeYUnit="&#xB5;m"',
    'PhysicalSizeX="2" PhysicalSizeXUnit="pixel" PhysicalSizeY="3" PhysicalSizeYUnit="reference frame"',
    'TimeIncrement="0.0"', 'TimeIncrement="4"', 'TimeIncrement="4" TimeIncrementUnit="ms"'])
def test_units_and_their_defaults(tmp_path, attributes):
    source = pages(tmp_path / "a.ome.tif", ome(attributes=attributes))
    same_metadata(converted(source), by_ome_types(source).images[0])


@pytest.mark.parametrize("unit, name, factor", [("μm", "micrometer", 1), ("", None, 1), ("frame", None, 1), ("pt", "inch", 1 / 72),
                                                ("ly", "meter", 9460730472580800)])
def test_units_that_few_know(tmp_path, unit, name, factor):
    """Greek mu is no micro sign, and of lengths OME-XML has more than NGFF."""
    store = converted(pages(tmp_path / "a.ome.tif", ome(attributes=f'PhysicalSizeX="2" PhysicalSizeXUnit="{unit}"')))
    assert store.unit["x"] == name and store.scale["x"] == 2 * factor


@pytest.mark.parametrize("color", [-16776961, 16711935, 65535, -1, 255, -2147483648])
def test_colours_are_rgba(tmp_path, color):
    channels = f'<Channel ID="Channel:0:0" Name="a" Color="{color}"/><Channel ID="Channel:0:1"/>'
    source = pages(tmp_path / "a.ome.tif", ome(channels + "<TiffData/>"))
    theirs = by_ome_types(source).images[0].pixels.channels[0].color
    assert converted(source).channels[0]["color"] == rgb_of(theirs)


def test_text_is_unescaped_and_latin_1_is_read(tmp_path):
    text = ome('<Channel ID="Channel:0:0" Name="caf\xe9 &lt;1&gt; &amp; &#x3b1;"/><Channel ID="Channel:0:1"/><TiffData/>',
               'PhysicalSizeX="2" PhysicalSizeXUnit="\xb5m"').replace("UTF-8", "ISO-8859-1")
    store = converted(pages(tmp_path / "a.ome.tif", text.encode("latin-1")))
    assert store.channels[0]["label"] == "café <1> & α" and store.unit["x"] == "micrometer"


def test_halves_of_pairs_are_no_characters(tmp_path):
    """GDAL takes them for UTF-8, and then the copy was refused."""
    channels = '<Channel ID="Channel:0:0" Name="&#xD800;a"/><Channel ID="Channel:0:1" Name="&#x1F600;"/><TiffData/>'
    store = converted(pages(tmp_path / "a.ome.tif", ome(channels)))
    assert [channel["label"] for channel in store.channels] == ["\ufffda", "\U0001f600"]
    source = pages(tmp_path / "b.tif", '{"shape": [24, 20, 24], "name": "\\ud800a"}')
    assert converted(source).name == "\ufffda"
    dataset = gdaltest.mem(PIXELS[0, :, 0])
    gdaltest.libgdal().GDALSetDescription(ctypes.c_void_p(int(dataset.GetRasterBand(1).this)), b"\xed\xa0\x80a")
    gdaltest.create_copy(tmp_path / "c.zarr", dataset)
    assert gdaltest.ome(tmp_path / "c.zarr")["omero"]["channels"][0]["label"] == "\ufffda"


@pytest.mark.parametrize("data", ["<TiffData/>", '<TiffData IFD="0" PlaneCount="24"/>',
                                  "".join(f'<TiffData IFD="{i}" FirstT="{i // 8}" FirstC="{i // 4 % 2}" FirstZ="{i % 4}"/>' for i in range(24)),
                                  '<TiffData IFD="8" PlaneCount="16"/><TiffData IFD="0" FirstT="2" PlaneCount="8"/>'],
                         ids=["all", "counted", "each", "moved"])
def test_where_planes_are(tmp_path, data):
    source = pages(tmp_path / "a.ome.tif", ome(data))
    same_pixels(converted(source, "VERIFY=SOURCE"), by_tifffile(source))


def test_without_tiffdata_all_pages_are_planes(tmp_path):
    """The specification says so; tifffile takes such an image for none."""
    same_pixels(converted(pages(tmp_path / "a.ome.tif", ome(""))), PIXELS)


def test_planes_that_are_nowhere_are_empty_and_counted(tmp_path):
    source = pages(tmp_path / "a.ome.tif", ome('<TiffData IFD="3" FirstT="1"/><TiffData IFD="22" PlaneCount="6" FirstT="2"/>'))
    store = converted(source)
    expected = by_tifffile(source)
    assert expected.any() and not expected[0].any()
    same_pixels(store, expected)
    assert sum("21 of 24 planes" in text and source in text for text in store.warnings) == 1


def test_first_channels_that_count_samples(tmp_path):
    """Two channels of three samples each: some programs say FirstC="3" of the second one, others FirstC="1"."""
    for second in (1, 3):
        source = str(tmp_path / f"{second}.ome.tif")
        data = "".join(f'<TiffData IFD="{i}" FirstC="{i // 4 * second}" FirstZ="{i % 4}"/>' for i in range(8))
        with tifffile.TiffWriter(source) as file:
            for i, page in enumerate(RGB.reshape(8, 20, 24, 3)):
                file.write(page, contiguous=False, metadata=None, photometric="rgb",
                           description=ome(data, sizes=(24, 20, 4, 6, 1)).replace("uint16", "uint8").encode() if i == 0 else None)
        store = converted(source)
        assert store.axes == "czyx"
        np.testing.assert_array_equal(store.array, np.moveaxis(RGB, -1, 1).reshape(6, 4, 20, 24))


def test_uneven_times_and_positions_of_the_stage(tmp_path):
    place = 'PositionX="1.5" PositionXUnit="mm" PositionY="-7" PositionZ="{}" PositionZUnit="nm"'
    planes = "".join(f'<Plane TheT="{t}" TheC="{c}" TheZ="{z}" DeltaT="{[0, 10, 25][t]}" {place.format(100 + 50 * z * (1 + t))}/>'
                     for t, c, z in itertools.product(range(3), range(2), range(4)))
    source = pages(tmp_path / "a.ome.tif", ome("<TiffData/>" + planes, 'PhysicalSizeX="2" PhysicalSizeY="2"'))
    of_planes = by_ome_types(source).images[0].pixels.planes
    store = converted(source)
    assert (store.scale["z"], store.translation["z"], store.unit["z"]) == (50, of_planes[0].position_z, "nanometer")
    assert store.translation["x"] == of_planes[0].position_x * 1000 and store.translation["y"] == 0
    assert store.metadata["OME_PositionY"] == "-7 reference frame"
    opened = gdal.Open(f"OMEZARR:{source}")
    assert [float(opened.GetRasterBand(1 + 8 * t).GetMetadataItem("DIM_t_VALUE")) for t in range(3)] == [
        of_planes[8 * t].delta_t for t in range(3)]
    assert store.scale["t"] == 1 and store.unit["t"] is None


def test_even_times_are_a_scale(tmp_path):
    planes = "".join(f'<Plane TheT="{t}" TheC="0" TheZ="0" DeltaT="{1 + t * 0.1}"/>' for t in range(3))
    store = converted(pages(tmp_path / "a.ome.tif", ome("<TiffData/>" + planes)))
    assert (store.scale["t"], store.translation["t"], store.unit["t"]) == (0.1, 1, "second")


def test_what_has_no_place_is_kept(tmp_path):
    source = pages(tmp_path / "a.ome.tif", ome(
        before='<Instrument ID="Instrument:0"><Objective ID="Objective:0" Model="Plan" NominalMagnification="63"/></Instrument>',
        image='<AcquisitionDate>2020-01-01T00:00:00</AcquisitionDate><Description>d &amp; e</Description><ObjectiveSettings ID="Objective:0"/>',
        inside='<Channel ID="Channel:0" EmissionWavelength="525"/><Channel ID="Channel:1"/><TiffData/>'))
    kept = converted(source).metadata
    found = by_ome_types(source)
    assert kept["OME_Description"] == found.images[0].description
    assert kept["OME_AcquisitionDate"] == found.images[0].acquisition_date.isoformat()
    assert float(kept["OME_Objective_NominalMagnification"]) == found.instruments[0].objectives[0].nominal_magnification
    assert float(kept["OME_Channel_0_EmissionWavelength"]) == found.images[0].pixels.channels[0].emission_wavelength


def test_prefixes_of_the_namespace(tmp_path):
    text = ome(attributes='PhysicalSizeX="2"').replace("<", "<ome:").replace("<ome:/", "</ome:").replace("<ome:?", "<?").replace("xmlns=", "xmlns:ome=")
    source = pages(tmp_path / "a.ome.tif", text)
    store = converted(source)
    same_pixels(store, PIXELS)
    same_metadata(store, by_ome_types(source).images[0])


def test_the_schema_of_2003(tmp_path):
    """ome-types reads 2008-09 on; what moved is in its own transforms of old schemas."""
    text = ('<OME xmlns="http://www.openmicroscopy.org/XMLschemas/OME/FC/ome.xsd"><Image Name="old" ID="urn:lsid:a" '
            'DefaultPixels="p" PixelSizeX="0.5" PixelSizeY="0.25" TimeIncrement="2"><CreationDate>2003-01-01T00:00:00</CreationDate>'
            '<ChannelInfo ID="c1" Name="A"><ChannelComponent Pixels="p" Index="0" ColorDomain="red"/></ChannelInfo>'
            '<ChannelInfo ID="c2" Name="B"><ChannelComponent Pixels="p" Index="1" ColorDomain="B"/></ChannelInfo>'
            '<Pixels ID="p" DimensionOrder="XYZCT" PixelType="Uint16" BigEndian="true" SizeX="24" SizeY="20" SizeZ="4" SizeC="2" '
            'SizeT="3"><TiffData IFD="0" NumPlanes="24"/></Pixels></Image></OME>')
    source = pages(tmp_path / "a.ome.tif", text)
    store = converted(source)
    same_pixels(store, by_tifffile(source))
    assert (store.scale["x"], store.scale["y"], store.scale["t"]) == (0.5, 0.25, 2) and store.name == "old"
    assert (store.unit["x"], store.unit["t"]) == ("micrometer", "second")
    assert [(c["label"], c["color"]) for c in store.channels] == [("A", "FF0000"), ("B", "0000FF")]
    assert store.metadata["OME_AcquisitionDate"] == "2003-01-01T00:00:00"


def test_several_images(tmp_path):
    source = str(tmp_path / "a.ome.tif")
    with tifffile.TiffWriter(source) as file:
        file.write(PIXELS[0], photometric="minisblack", metadata={"axes": "CZYX", "Name": "first"})
        file.write(PIXELS[1, 0, :, :9], photometric="minisblack", metadata={"axes": "ZYX", "Name": "second"})
    store = converted(source)
    same_pixels(store, by_tifffile(source))
    assert store.name == by_ome_types(source).images[0].name and len(store.warnings) == 1
    names = [name for name, _ in gdal.Open(f"OMEZARR:{source}").GetSubDatasets()]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(names[1])), PIXELS[1, 0, :, :9])


# -- Sets of files -----------------------------------------------------------------------------------------------------


def set_of_two(folder, name="b.ome.tif", uuid="urn:uuid:b"):
    """Two files with a channel each."""
    data = "".join(f'<TiffData FirstC="{c}" PlaneCount="12"><UUID FileName="{file}">urn:uuid:{own}</UUID></TiffData>'
                   for c, (own, file) in enumerate([("a", "a.ome.tif"), ("b", name)]))
    pages(folder / "b.ome.tif", ome(data, order="XYZTC", root=f'UUID="{uuid}"'), PIXELS[:, 1])
    return pages(folder / "a.ome.tif", ome(data, order="XYZTC", root='UUID="urn:uuid:a"'), PIXELS[:, 0])


def test_a_set_of_files_is_joined(tmp_path):
    source = set_of_two(tmp_path)
    for name in ("a.ome.tif", "b.ome.tif"):
        same_pixels(converted(tmp_path / name, "VERIFY=SOURCE"), PIXELS)
    np.testing.assert_array_equal(by_tifffile(source), PIXELS)


def refusal(source):
    with pytest.raises(RuntimeError) as error:
        gdal.Open(f"OMEZARR:{source}")
    assert str(source) in str(error.value)
    return str(error.value)


def test_a_missing_or_wrong_file_of_a_set_is_named(tmp_path):
    source = set_of_two(tmp_path)
    os.rename(tmp_path / "b.ome.tif", tmp_path / "c.ome.tif")
    assert '"b.ome.tif"' in refusal(source) and "put it there" in refusal(source)
    source = set_of_two(tmp_path, uuid="urn:uuid:other")
    assert "urn:uuid:b" in refusal(source) and "urn:uuid:other" in refusal(source)
    assert "PLANES=ONE" in gdaltest.refused(tmp_path / "out.zarr", gdal.Open(source))


@pytest.mark.parametrize("name", ["../b.ome.tif", "/etc/b.ome.tif", "..", "x\\b.ome.tif", "C:b.ome.tif"])
def test_a_set_does_not_leave_its_folder(tmp_path, name):
    os.makedirs(tmp_path / "d")
    pages(tmp_path / "b.ome.tif", ome(root='UUID="urn:uuid:b"'))
    assert "same folder" in refusal(set_of_two(tmp_path / "d", name=name))


def test_a_file_of_a_plate_is_opened_as_its_own_image(tmp_path):
    """Each file has the XML of all; the other files need not be there."""
    size = 'DimensionOrder="XYZCT" Type="uint16" SizeX="24" SizeY="20" SizeZ="4" SizeC="2" SizeT="1"'
    images = "".join(f'<Image ID="Image:{i}" Name="{n}"><Pixels ID="Pixels:{i}" {size}><TiffData IFD="0" PlaneCount="8"><UUID FileName='
                     f'"{n}.ome.tif">urn:uuid:{n}</UUID></TiffData></Pixels></Image>' for i, n in enumerate("abc"))
    source = pages(tmp_path / "b.ome.tif", f'<OME xmlns="{SCHEMA}" UUID="urn:uuid:b">{images}</OME>', PIXELS[1])
    store = converted(source)
    same_pixels(store, PIXELS[1:2])
    assert store.name == "b" and [text for text in store.warnings if '"a.ome.tif"' in text and "2 images" in text] == store.warnings


def test_a_file_of_another_name_knows_itself(tmp_path):
    data = '<TiffData><UUID FileName="old.ome.tif">urn:uuid:a</UUID></TiffData>'
    for root in ("", 'UUID="urn:uuid:a"'):
        same_pixels(converted(pages(tmp_path / "new.ome.tif", ome(data, root=root))), PIXELS)


def test_xml_in_another_file(tmp_path):
    source = pages(tmp_path / "a.ome.tif",
                   f'<OME xmlns="{SCHEMA}" UUID="{UUID}"><BinaryOnly MetadataFile="a.companion.ome" UUID="{UUID[:-1]}b"/></OME>')
    assert '"a.companion.ome"' in refusal(source) and "put it there" in refusal(source)
    companion = ome(f'<TiffData><UUID FileName="a.ome.tif">{UUID}</UUID></TiffData>', 'PhysicalSizeX="2"', root=f'UUID="{UUID[:-1]}b"')
    (tmp_path / "a.companion.ome").write_text(companion)
    store = converted(source)
    same_pixels(store, PIXELS)
    same_metadata(store, ome_types.from_xml(companion).images[0])
    pages(tmp_path / "a.companion.ome", companion)
    assert "open that one instead" in refusal(source)


# -- XML that is no use ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, says", [
    (ome()[:-20], "broken"),
    (ome().replace("<OME", '<!DOCTYPE OME [<!ENTITY a "b">]><OME'), "DOCTYPE"),
    (ome(sizes=(25, 20, 4, 2, 3)), "25 x 20"),
    (ome(sizes=(24, 20, 2000000000, 2, 3)), "2000000000"),
    (ome(sizes=(24, 20, 4, 2, 0)), "sizes"),
    (ome(order="XYZZT"), "XYZZT"),
    (ome('<TiffData IFD="99"/>'), "TiffData"),
    (f'<OME xmlns="{SCHEMA}"/>', "no image")],
                         ids=["broken", "doctype", "other size", "too many", "no size", "order", "no page", "no image"])
def test_xml_that_is_no_use_costs_a_warning(tmp_path, text, says):
    """All pixels are better than none, a wrong meaning is worse than none: then pages are planes along z."""
    source = pages(tmp_path / "a.ome.tif", text)
    store = converted(source)
    np.testing.assert_array_equal(store.array, PIXELS.reshape(24, 20, 24))
    assert store.axes == "zyx" and any(says in text and source in text for text in store.warnings)


def test_entities_do_not_grow(tmp_path):
    """Before its root a text has a DOCTYPE, whatever stands between."""
    bomb = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(9))
    source = pages(tmp_path / "a.ome.tif", f'<?xml version="1.0"?><!-- <OME> --><!DOCTYPE OME [<!ENTITY a0 "a">{bomb}]>' +
                   ome(image="<Description>&a9;</Description>")[38:])
    assert any("DOCTYPE" in text for text in converted(source).warnings)


def test_xml_that_would_take_all_memory_is_not_read(tmp_path):
    """Four bytes of it are a node of eighty."""
    source = pages(tmp_path / "a.ome.tif", ome(image="<a/>" * 6000000), PIXELS[:1, :1])
    store = converted(source)
    same_pixels(store, PIXELS[:1, :1])
    assert any("too large" in text and source in text for text in store.warnings)


@pytest.mark.parametrize("axes", ["".join(order) for order in itertools.permutations("TCZ")])
def test_the_six_orders_in_lzw_by_gdal(tmp_path, axes):
    """tifffile writes LZW with a library only that is not there, so GDAL does, page by page."""
    plain, source = str(tmp_path / "plain.ome.tif"), str(tmp_path / "a.ome.tif")
    tifffile.imwrite(plain, np.transpose(PIXELS, ["TCZ".index(a) for a in axes] + [3, 4]), photometric="minisblack", ome=True,
                     metadata={"axes": axes + "YX", "Name": "six"})
    for page in range(24):
        more = ["APPEND_SUBDATASET=YES"] if page > 0 else []
        gdal.Translate(source, f"GTIFF_DIR:{page + 1}:{plain}", creationOptions=["COMPRESS=LZW", *more])
    store = converted(source, "VERIFY=SOURCE")
    assert store.warnings == []
    same_pixels(store, PIXELS)
    same_metadata(store, by_ome_types(source).images[0])


# -- ImageJ ------------------------------------------------------------------------------------------------------------


def imagej(path, byteorder="<", **metadata):
    tifffile.imwrite(path, np.transpose(PIXELS, (0, 2, 1, 3, 4)), imagej=True, byteorder=byteorder, resolution=(4, 2),
                     metadata={"axes": "TZCYX", **metadata})
    return str(path)


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("unit, name", [("um", "micrometer"), ("micron", "micrometer"), ("\\u00B5m", "micrometer"), ("nm", "nanometer"),
                                        ("inch", "inch"), ("cm", "centimeter"), ("pixel", None), ("A.U.", None)])
def test_imagej_stacks(tmp_path, byteorder, unit, name):
    source = imagej(tmp_path / "a.tif", byteorder, unit=unit, spacing=-1.5, finterval=2.5)
    store = converted(source, "VERIFY=SOURCE")
    same_pixels(store, by_tifffile(source))
    with tifffile.TiffFile(source) as file:
        said = file.imagej_metadata
    assert (store.scale["t"], store.unit["t"]) == (said["finterval"], "second")
    assert [store.scale[a] for a in "zyx"] == ([-said["spacing"], 1 / 2, 1 / 4] if name else [1, 1, 1])
    assert [store.unit[a] for a in "zyx"] == [name] * 3 and store.warnings == []


def test_imagej_latin_1_micro_and_time(tmp_path):
    text = "ImageJ=1.54f\nimages=24\nchannels=2\nslices=4\nframes=3\nunit=\xb5m\nyunit=mm\nfinterval=0\nxorigin=3\nmin=0\nmax=9\n"
    store = converted(pages(tmp_path / "a.tif", text.encode("latin-1"), np.transpose(PIXELS, (0, 2, 1, 3, 4)), resolution=(4, 2)))
    same_pixels(store, PIXELS)
    assert [store.unit[a] for a in "tzyx"] == [None, "micrometer", "millimeter", "micrometer"]
    assert store.scale["z"] == 1 and store.translation["x"] == -3 / 4  # ImageJ leaves out a spacing of 1


@pytest.mark.parametrize("byteorder", "<>")
def test_imagej_ranges_tables_labels_and_info(tmp_path, byteorder):
    tables = np.zeros((2, 3, 256), "uint8")
    tables[0, 1], tables[1, 0], tables[1, 2] = range(256), range(256), np.arange(256) // 2
    labels = [f"plane {i} é" for i in range(24)]
    source = imagej(tmp_path / "a.tif", byteorder, mode="composite", Ranges=(1., 100., 2., 200.), LUTs=list(tables), Labels=labels, Info="é = 1\nb")
    with tifffile.TiffFile(source) as file:
        said = file.imagej_metadata
    store = converted(source)
    assert [(c["window"]["start"], c["window"]["end"]) for c in store.channels] == [said["Ranges"][:2], said["Ranges"][2:]]
    assert [c["color"] for c in store.channels] == ["".join(f"{v:02X}" for v in table[:, -1]) for table in said["LUTs"]]
    assert store.metadata["IMAGEJ_Info"] == said["Info"]
    opened = gdal.Open(f"OMEZARR:{source}")
    found = [opened.GetRasterBand(i + 1).GetDescription() for i in range(24)]
    assert found == list(np.transpose(np.reshape(said["Labels"], (3, 4, 2)), (0, 2, 1)).ravel())


def test_broken_imagej_tags_cost_a_warning(tmp_path):
    source = imagej(tmp_path / "a.tif", Ranges=(1., 100., 2., 200.), Labels=["a", "b"])
    with tifffile.TiffFile(source, mode="r+") as file:
        counts = file.pages[0].tags[50838]
        file.filehandle.seek(counts.valueoffset + 8)
        file.filehandle.write(b"\xff\xff\xff\x7f")
    store = converted(source)
    same_pixels(store, PIXELS)
    assert any("50838" in text and source in text for text in store.warnings)


def single_page(source):
    """Cuts the chain behind the first page: ImageJ's form of stacks above 4 GB."""
    with tifffile.TiffFile(source) as file:
        page, order = file.pages[0], file.byteorder
        at = page.offset + 2 + 12 * len(page.tags)
        start = page.dataoffsets[0]
    with open(source, "r+b") as file:
        file.seek(at)
        file.write(bytes(4))
    return start, order


@pytest.mark.parametrize("byteorder", "<>")
def test_imagej_stacks_of_one_page(tmp_path, byteorder):
    source = imagej(tmp_path / "a.tif", byteorder, unit="um", spacing=2)
    start, _ = single_page(source)
    assert gdal.Open(source).RasterCount == 1 and gdal.Open(source).GetSubDatasets() == []
    same_pixels(converted(source, "VERIFY=SOURCE"), by_tifffile(source))
    os.truncate(source, start + 23 * 20 * 24 * 2)
    assert "24 planes" in refusal(source) and str(start + 23 * 20 * 24 * 2) in refusal(source)


def test_imagej_counts_that_do_not_fit(tmp_path):
    text = "ImageJ=1.54f\nimages=24\nchannels=5\nslices=4\nframes=3\n"
    store = converted(pages(tmp_path / "a.tif", text))
    np.testing.assert_array_equal(store.array, PIXELS.reshape(24, 20, 24))
    assert store.axes == "zyx" and any("5 channels" in text for text in store.warnings)


def test_imagej_rgb(tmp_path):
    source = str(tmp_path / "a.tif")
    tifffile.imwrite(source, RGB, imagej=True, metadata={"axes": "TZYXS"})
    same_pixels(converted(source), by_tifffile(source))


# -- tifffile's arrays, and slides -------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["TCZ", "CZT", "ZTC", "TZ", "CT", "Z", "Q", "QZ"])
def test_arrays_of_tifffile_with_axes(tmp_path, axes):
    source = str(tmp_path / "a.tif")
    array = PIXELS.reshape(-1, 20, 24)[:np.prod([SHAPE.get(a, 3) for a in axes])].reshape([SHAPE.get(a, 3) for a in axes] + [20, 24])
    tifffile.imwrite(source, array, photometric="minisblack", metadata={"axes": axes + "YX", "other": 5})
    store = converted(source)
    with tifffile.TiffFile(source) as file:
        said = file.series[0].axes
    same_pixels(store, as_tczyx(array, said.replace("Q", "T" if "Z" in said else "Z")))
    assert store.warnings == [] and store.metadata["TIFFFILE_other"] == "5"


def test_a_page_of_two_descriptions(tmp_path):
    """The user's own, and tifffile's behind it."""
    source = str(tmp_path / "a.tif")
    tifffile.imwrite(source, PIXELS, photometric="minisblack", description="by hand", metadata={"axes": "TCZYX"})
    same_pixels(converted(source), by_tifffile(source))


def test_pages_that_tifffile_wrote_one_by_one(tmp_path):
    """Each has a description of its own, which speaks of no other page: they are a stack as without any."""
    source = str(tmp_path / "a.tif")
    planes = PIXELS.reshape(-1, *PIXELS.shape[-2:])
    with tifffile.TiffWriter(source) as file:
        for plane in planes:
            file.write(plane, photometric="minisblack", contiguous=False)
        file.write(planes[0][:8], photometric="minisblack")
    with tifffile.TiffFile(source) as file:
        assert [series.shape for series in file.series][:2] == [planes.shape[1:]] * 2
    store = converted(source)
    assert store.axes == "zyx"
    np.testing.assert_array_equal(store.array, planes)
    assert len(store.warnings) == 1 and "of other sizes" in store.warnings[0]


def test_arrays_of_tifffile_without_axes(tmp_path):
    source = str(tmp_path / "a.tif")
    tifffile.imwrite(source, PIXELS[0], photometric="minisblack")
    store = converted(source)
    assert store.axes == "tzyx" and any("AXES" in text for text in store.warnings)
    np.testing.assert_array_equal(store.array, PIXELS[0])


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (1, 1, 4, 1, 1)])
def test_axes_of_one_plane_are_not_guessed_at(tmp_path, shape):
    source = str(tmp_path / "a.tif")
    tifffile.imwrite(source, PIXELS[0, 0].reshape(-1, 20, 24)[:4].reshape(*shape, 20, 24), photometric="minisblack")
    store = converted(source)
    assert store.axes == "zyx"
    np.testing.assert_array_equal(store.array, PIXELS[0, 0].reshape(-1, 20, 24)[:4])


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_arrays_of_tifffile_with_samples(tmp_path, planarconfig):
    source = str(tmp_path / "a.tif")
    tifffile.imwrite(source, RGB if planarconfig == "contig" else np.moveaxis(RGB, -1, 2), photometric="rgb", planarconfig=planarconfig,
                     metadata={"axes": "TZYXS" if planarconfig == "contig" else "TZSYX"})
    same_pixels(converted(source), by_tifffile(source))


def test_an_array_of_tifffile_in_one_page(tmp_path):
    source = str(tmp_path / "a.tif")
    tifffile.imwrite(source, PIXELS, photometric="minisblack", metadata={"axes": "TCZYX"}, truncate=True)
    with tifffile.TiffFile(source) as file:
        assert len(file.pages) == 1
    same_pixels(converted(source), by_tifffile(source))


@pytest.mark.parametrize("shape", ["[3, 2, 5, 20, 24]", "[2, 12, 24, 20]", "[-1, -24, 20, 24]", '"x"', "[2, 3, 2, 2, 20, 24]",
                                   "[99999999999, 99999999999, 20, 24]"])
def test_shapes_that_are_no_use_cost_a_warning(tmp_path, shape):
    source = pages(tmp_path / "a.tif", f'{{"shape": {shape}}}')
    store = converted(source)
    np.testing.assert_array_equal(store.array, PIXELS.reshape(24, 20, 24))
    assert any("tifffile" in text and source in text for text in store.warnings)


def test_slides_of_aperio(tmp_path):
    """The label and the macro are no overviews of the slide, though GDAL lists them so."""
    source, random = str(tmp_path / "a.svs"), np.random.default_rng(9)
    text = "Aperio Image Library v11.2.1\r\n256x128 (64x64) JPEG/RGB Q=30|AppMag = 20|MPP = 0.4990|Filename = CMU-1|Title = a: b=c"
    slide, copy, label = [random.integers(0, 255, (*size, 3), dtype="uint8") for size in ((128, 256), (64, 128), (20, 10))]
    with tifffile.TiffWriter(source) as file:
        how = {"metadata": None, "photometric": "rgb"}
        file.write(slide, tile=(64, 64), description=text, **how)
        file.write(copy[::2, ::2], **how)
        file.write(copy, tile=(64, 64), **how)
        file.write(label, description="Aperio Image Library v11.2.1\r\nlabel 10x20", subfiletype=1, **how)
        file.write(label[:, ::2], description="Aperio Image Library v11.2.1\r\nmacro 10x20", subfiletype=9, tile=(16, 16), **how)
    store = converted(source)
    with tifffile.TiffFile(source) as file:
        said = tifffile.tifffile.svs_description_metadata(file.pages[0].description)
        assert [s.name for s in file.series] == ["Baseline", "Thumbnail", "Label", "Macro"]
    np.testing.assert_array_equal(store.array, np.moveaxis(slide, -1, 0))
    assert [store.scale[a] for a in "yx"] == [said["MPP"]] * 2 and store.unit["x"] == "micrometer"
    assert store.metadata["APERIO_AppMag"] == str(said["AppMag"]) and store.metadata["APERIO_Title"] == said["Title"]
    opened = gdal.Open(f"OMEZARR:{source}")
    assert opened.GetRasterBand(1).GetOverviewCount() == 0
    for name in ("thumbnail", "label", "macro"):
        assert [text for _, text in opened.GetSubDatasets() if name in text], name


def slide(seed, height, width):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype="uint8")


def leica(path, change=lambda xml: xml):
    """A picture of the glass with a level, then the slide with two focal planes and a level."""
    xml = ('<?xml version="1.0"?>\n<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection name="glass" sizeX="26000000" sizeY="10400000">'
           '<image name="overview"><pixels sizeX="100" sizeY="40"><dimension r="0" ifd="0"/><dimension r="1" ifd="1"/></pixels>'
           '<view sizeX="26000000" sizeY="10400000" offsetX="0" offsetY="0"/></image>'
           '<image name="tissue"><creationDate>2012-01-02T03:04:05.00Z</creationDate><device model="Leica SCN400"/><pixels sizeX="256" sizeY="128">'
           '<dimension r="0" z="0" ifd="2"/><dimension r="0" z="1" ifd="4"/><dimension r="1" ifd="3"/></pixels>'
           '<view sizeX="128000" sizeY="32000" offsetX="5000000" offsetY="2500"/>'
           '<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings></scanSettings></image></collection></scn>')
    arrays = [slide(0, 40, 100), slide(1, 20, 50), slide(2, 128, 256), slide(3, 32, 64), slide(4, 128, 256)]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for i, array in enumerate(arrays):
            file.write(array, photometric="rgb", metadata=None, contiguous=False, tile=(64, 64), description=change(xml) if i == 0 else None)
    return str(path), arrays


def test_slides_of_leica(tmp_path):
    source, arrays = leica(tmp_path / "a.scn", lambda xml: xml.replace('<dimension r="0" z="1" ifd="4"/>', ""))
    with tifffile.TiffFile(source) as file:
        assert [(s.name, s.shape) for s in file.series] == [("overview", (40, 100, 3)), ("tissue", (128, 256, 3))]
    source, arrays = leica(tmp_path / "b.scn")  # of which tifffile wants no planes
    store = converted(source)
    assert len(store.warnings) == 1 and "2 " in store.warnings[0]
    np.testing.assert_array_equal(store.array, np.stack([arrays[2], arrays[4]]).transpose(3, 0, 1, 2))
    assert store.axes == "czyx" and store.name == "tissue"
    assert (store.scale["y"], store.scale["x"], store.unit["x"]) == (0.25, 0.5, "micrometer")
    assert (store.translation["y"], store.translation["x"]) == (2.5 + 0.25 / 2, 5000 + 0.5 / 2)  # centres of pixels
    assert (store.metadata["LEICA_Objective"], store.metadata["LEICA_Device"]) == ("20", "Leica SCN400")
    glass = gdal.Open(f'OMEZARR:"{source}":#1')
    np.testing.assert_array_equal(gdaltest.pixels(glass), np.moveaxis(arrays[0], -1, 0))
    assert len(gdal.Open(f"OMEZARR:{source}").GetSubDatasets()) == 2  # levels are none


@pytest.mark.parametrize("old, new, words", [
    ('ifd="4"', 'ifd="5"', "a page that is not there"), ('z="1"', 'z="2000000000"', "2 pages for 1 channels"), ('z="1"', 'z="0"', "2 pages for 1 channels and 1"),
    ('ifd="4"', 'ifd="3"', "several sizes"), ("</collection>", "", "is broken"), ("<image ", "<picture ", "broken"), ("<scn ", "<!DOCTYPE scn><scn ", "DOCTYPE")])
def test_slides_of_leica_that_cannot_be_are_told(tmp_path, old, new, words):
    source, arrays = leica(tmp_path / "a.scn", lambda xml: xml.replace(old, new))
    store = converted(source)
    assert [text for text in store.warnings if words in text], store.warnings
    np.testing.assert_array_equal(store.array, np.moveaxis(arrays[0], -1, 0))


def test_slides_of_hamamatsu(tmp_path):
    source, lenses = str(tmp_path / "a.tif"), [20.0, 20.0, 10.0, 2.5, -1.0, -2.0]
    arrays = [slide(0, 128, 256), slide(1, 128, 256), slide(2, 64, 128), slide(3, 16, 32), slide(4, 40, 100), slide(5, 20, 30)[..., 0]]
    with tifffile.TiffWriter(source) as file:
        for array, lens in zip(arrays, lenses):
            tags = [(271, "s", 0, "Hamamatsu", True), (65420, "I", 1, 1, True), (65421, "f", 1, lens, True)]
            file.write(array, photometric="rgb" if array.ndim == 3 else "minisblack", metadata=None, contiguous=False, extratags=tags,
                       resolution=(40000, 20000), resolutionunit="CENTIMETER")
    with tifffile.TiffFile(source) as file:
        assert file.pages[0].is_ndpi and [page.ndpi_tags["Magnification"] for page in file.pages] == lenses
    store = converted(source)
    assert len(store.warnings) == 1 and "2 " in store.warnings[0]
    np.testing.assert_array_equal(store.array, np.stack(arrays[:2]).transpose(3, 0, 1, 2))
    assert (store.scale["y"], store.scale["x"], store.unit["x"]) == (0.5, 0.25, "micrometer")
    listed = gdal.Open(f"OMEZARR:{source}").GetSubDatasets()
    assert len(listed) == 3 and "macro" in listed[1][1] and "map" in listed[2][1]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(listed[2][0]))[0], arrays[5])


def test_modulo_axes_are_told_and_have_no_spacing(tmp_path):
    """FLIM: 2 times of 3 lifetimes each. NGFF has no axis of lifetimes."""
    annotation = ('<StructuredAnnotations><XMLAnnotation ID="Annotation:3" Namespace="openmicroscopy.org/omero/dimension/modulo"><Value>'
                  '<Modulo namespace="http://www.openmicroscopy.org/Schemas/Additions/2011-09"><ModuloAlongT Type="lifetime" Unit="ps" '
                  'Start="0" Step="100" End="200"/></Modulo></Value></XMLAnnotation></StructuredAnnotations>')
    text = ome(sizes=(24, 20, 1, 1, 6), attributes='TimeIncrement="60" PhysicalSizeX="0.5"').replace("</OME>", annotation + "</OME>")
    planes = PIXELS.reshape(-1, 20, 24)[:6]
    store = converted(pages(tmp_path / "a.ome.tif", text, planes))
    assert len(store.warnings) == 1 and "lifetime (ModuloAlongT)" in store.warnings[0]
    assert store.axes == "tyx" and store.scale == {"t": 1, "y": 1, "x": 0.5} and store.unit["t"] is None
    np.testing.assert_array_equal(store.array, planes)
    assert store.metadata["OME_ModuloAlongT_Step"] == "100"


# -- Tags of microscopes ---------------------------------------------------------------------------------------------------


def metamorph(path, planes, distances, times, order="<", unit="um", **how):
    """tifffile writes one page with MetaMorph's tags, which are patched to what follows the pixels of all planes."""
    n = len(planes)
    tags = [(33628, "I", 4, [0] * 4, True), (33629, "2I", n, [1] * 2 * n, True)]
    tifffile.imwrite(path, planes[0], metadata=None, photometric="minisblack", byteorder=order, extratags=tags, **how)
    with tifffile.TiffFile(path) as file:
        at = {tag.code: tag.offset for tag in file.pages[0].tags}
    with open(path, "r+b") as file:
        file.seek(0, 2)
        if not how:
            file.write(planes[1:].astype(planes.dtype.newbyteorder(order)).tobytes())
        uic2, pack = file.tell(), lambda text, *numbers: struct.pack(order + text, *numbers)
        for distance, time in zip(distances, times):
            day, time = 2450000 + time // 86400000, time % 86400000
            file.write(pack("6I", *distance, day, time, day, time))
        of_size = file.tell()
        file.write(pack("4I", 1, 4, 1, 2) + pack("I", len(unit) + 1) + unit.encode() + b"\0")
        uic1 = file.tell()
        file.write(pack("8I", 3, 1, 4, of_size, 5, of_size + 8, 6, of_size + 16))
        for tag, place in ((33628, uic1), (33629, uic2)):
            file.seek(at[tag] + 8)
            file.write(pack("I", place))
    return str(path)


@pytest.mark.parametrize("distances, times, axes, scale, unit", [
    ([(3, 2)] * 6, [0] * 6, "zyx", 1.5, "micrometer"), ([(0, 1)] * 6, range(0, 3000, 500), "tyx", 500, "millisecond"),
    ([(0, 1)] * 6, range(86398000, 86401000, 500), "tyx", 500, "millisecond"),
    ([(0, 1)] * 6, [0] * 6, "zyx", 1, None)], ids=["z", "t", "midnight", "nothing"])
def test_metamorph_stacks_have_all_planes(tmp_path, distances, times, axes, scale, unit):
    planes = PIXELS.reshape(-1, 20, 24)[:6]
    source = metamorph(tmp_path / "a.stk", planes, distances, times)
    with tifffile.TiffFile(source) as file:
        assert file.is_stk and (not unit or file.series[0].axes[0] == axes[0].upper())
        np.testing.assert_array_equal(file.series[0].asarray(), planes)
        assert file.stk_metadata["XCalibration"] == 0.25 and file.stk_metadata["CalibrationUnits"] == "um"
    store = converted(source, "VERIFY=SOURCE")
    assert store.warnings == [] and store.axes == axes
    np.testing.assert_array_equal(store.array, planes)
    assert store.scale == {axes[0]: scale, "y": 0.5, "x": 0.25}
    assert store.unit == {axes[0]: unit, "y": "micrometer", "x": "micrometer"}


def test_metamorph_planes_that_cannot_be_read_are_told(tmp_path):
    planes = PIXELS.reshape(-1, 20, 24)[:6]
    store = converted(metamorph(tmp_path / "a.stk", planes, [(1, 1)] * 6, [0] * 6, compression="zlib"))
    np.testing.assert_array_equal(store.array, planes[0])
    assert len(store.warnings) == 1 and "6 planes" in store.warnings[0]
    source = metamorph(tmp_path / "b.stk", planes, [(1, 1)] * 6, [0] * 6)
    os.truncate(source, os.path.getsize(source) - 1500)
    with gdaltest.collected_messages(), pytest.raises(RuntimeError, match="b.stk.*6 planes.*incomplete"):
        gdal.Open(f"OMEZARR:{source}")


def zeiss(path, planes, scan=6, magic=0x00400494C, n_z=None, channels=b""):
    """Pages of tifffile, each with its thumbnail, and the tag of the first one: planes are t, z, c, y, x. channels: the block of their
    names and colours, at the end of the file."""
    n_t, z, n_c = planes.shape[:3]
    info = struct.pack("<Ii5i3i6dHH5Id", magic, 120, 24, 20, z if n_z is None else n_z, n_c, n_t, 2, 8, 8, 2.5e-7, 5e-7, 1.5e-6, 0, 0, 0, scan, 0, 0, 0, 0, 0, 0, 2.5)
    how = {"metadata": None, "contiguous": False, "planarconfig": "separate" if n_c > 1 else None}
    with tifffile.TiffWriter(path) as file:
        for i, page in enumerate(planes.reshape(-1, n_c, 20, 24)):
            tags = [(34412, "B", len(info), info, True)] if i == 0 else []
            file.write(page if n_c > 1 else page[0], photometric="rgb" if n_c == 3 else "minisblack", extratags=tags, **how)
            file.write(np.zeros((n_c, 8, 8) if n_c > 1 else (8, 8), "uint8"), photometric="rgb" if n_c == 3 else "minisblack", subfiletype=1, **how)
    if channels:
        with tifffile.TiffFile(path) as file:
            at = file.pages[0].tags[34412].valueoffset
        with open(path, "r+b") as file:
            place = file.seek(0, 2)
            file.write(channels)
            file.seek(at + 108)
            file.write(struct.pack("<I", place))
    return str(path)


def zeiss_channels(colors, names, is_gray=0, **other):
    at = 24 + 4 * len(colors)
    texts = b"".join(struct.pack("<I", len(name) + 1) + name + b"\0" for name in names)
    head = {"size": at + len(texts), "n_colors": len(colors), "n_names": len(names), "color": 24, "name": at, "gray": is_gray, **other}
    return struct.pack("<6I", *head.values()) + b"".join(bytes([*color, 0]) for color in colors) + texts


@pytest.mark.parametrize("shape, scan", [((2, 4, 3), 6), ((1, 6, 3), 0), ((6, 1, 1), 3)], ids=["time series", "stack", "times of a plane"])
def test_zeiss_stacks_have_times_and_sizes_and_no_thumbnails(tmp_path, shape, scan):
    planes = PIXELS.reshape(-1, 20, 24)[:np.prod(shape)].reshape(*shape, 20, 24)
    source = zeiss(tmp_path / "a.lsm", planes, scan)
    with tifffile.TiffFile(source) as file:
        series = file.series[0]
        assert file.is_lsm and series.axes.strip("C") and file.lsm_metadata["VoxelSizeZ"] == 1.5e-6
        np.testing.assert_array_equal(series.asarray().ravel(), planes.ravel())
    store = converted(source, "VERIFY=SOURCE")
    assert store.warnings == []
    same_pixels(store, planes.transpose(0, 2, 1, 3, 4))
    of_axes = {"t": 2.5, "c": 1, "z": 1.5, "y": 0.5, "x": 0.25}
    assert store.scale == pytest.approx({axis: of_axes[axis] for axis in store.axes}, rel=1e-15)
    assert store.unit == {axis: {"t": "second", "c": None}.get(axis, "micrometer") for axis in store.axes}


def test_zeiss_channels_have_their_names_and_colours(tmp_path):
    planes, colors, names = PIXELS.reshape(2, 4, 3, 20, 24), [(255, 0, 0), (0, 128, 255), (1, 2, 3)], [b"Ch1-T1", b"\xb5 label", b""]
    source = zeiss(tmp_path / "a.lsm", planes, channels=zeiss_channels(colors, names))
    with tifffile.TiffFile(source) as file:
        theirs = file.lsm_metadata["ChannelColors"]
    assert [tuple(color[:3]) for color in theirs["Colors"]] == colors and theirs["ColorNames"] == ["Ch1-T1", "µ label", ""]
    store = converted(source)
    assert store.warnings == []
    assert [(c["label"], c["color"]) for c in store.channels[:2]] == [("Ch1-T1", "FF0000"), ("µ label", "0080FF")]
    assert store.channels[2]["color"] == "010203"


@pytest.mark.parametrize("block", [
    zeiss_channels([(1, 2, 3)], [b"one"]), zeiss_channels([(1, 2, 3)] * 3, [b"a"] * 3)[:-3], zeiss_channels([(1, 2, 3)] * 3, [b"a"] * 3, color=2**32 - 4),
    zeiss_channels([(1, 2, 3)] * 3, [b"a"] * 3, name=2**32 - 2), zeiss_channels([(1, 2, 3)] * 3, [b"a"] * 3, size=2**31), b"short"],
    ids=["another number", "cut", "colours outside", "names outside", "huge", "no head"])
def test_zeiss_channels_that_are_broken_are_left_out(tmp_path, block):
    planes = PIXELS.reshape(2, 4, 3, 20, 24)
    store = converted(zeiss(tmp_path / "a.lsm", planes, channels=block))
    same_pixels(store, planes.transpose(0, 2, 1, 3, 4))
    assert store.warnings == [] and not {c["label"] for c in store.channels} & {"one", "a"}


@pytest.mark.parametrize("how, words", [({"scan": 4}, "scan type 4"), ({"magic": 7}, "is broken"), ({"n_z": 5}, "3 times 5 planes")])
def test_zeiss_stacks_of_another_kind_are_planes_along_z_with_a_warning(tmp_path, how, words):
    planes = PIXELS.reshape(3, 4, 2, 20, 24)
    store = converted(zeiss(tmp_path / "a.lsm", planes, **how))
    assert len(store.warnings) == 1 and words in store.warnings[0]
    np.testing.assert_array_equal(store.array, planes.reshape(12, 2, 20, 24).transpose(1, 0, 2, 3))
