"""LAYOUT=BIOFORMATS2RAW: the image at 0, OME/METADATA.ome.xml beside it. Sources are written by tifffile; the XML is read by
ome-types, pixels by zarr-python and ome-zarr-py, and compared with what tifffile and ome-types say of the source."""

import json
import os
import subprocess
import sys
import warnings
import zipfile

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

ome_types = pytest.importorskip("ome_types")
tifffile = pytest.importorskip("tifffile")

VALIDATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "validate_ngff.py")
BF2RAW = ["LAYOUT=BIOFORMATS2RAW", "BLOCKSIZE=16"]
PIXELS = np.random.default_rng(7).integers(0, 60000, (3, 2, 4, 20, 24), dtype="uint16")  # T, C, Z, Y, X
every_version = pytest.mark.parametrize("version", ["0.4", "0.5"])


def ome_tiff(path, array=PIXELS, axes="TCZYX", **more):
    tifffile.imwrite(path, array, photometric="minisblack", metadata={
        "axes": axes, "Name": "cells", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 500.0,
        "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 1.5, "PhysicalSizeZUnit": "µm", "TimeIncrement": 2.5, "TimeIncrementUnit": "min",
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, -16711681]}, **more})
    return str(path)


def with_xml(path, xml, planes=PIXELS):
    """A TIFF of one page for each plane, with this description."""
    with tifffile.TiffWriter(path) as file:
        for i, plane in enumerate(planes.reshape(-1, *planes.shape[-2:])):
            file.write(plane, contiguous=False, metadata=None, photometric="minisblack", description=xml.encode() if i == 0 else None)
    return str(path)


def written(path, source, *options, **how):
    made = gdal.Translate(str(path), source, format="OMEZARR", creationOptions=[*BF2RAW, *options], **how)
    assert made is not None
    return str(path)


def metadata_of(store):
    """ome-types' reading of the XML, which it validates."""
    with open(f"{store}/OME/METADATA.ome.xml", encoding="utf-8") as file, warnings.catch_warnings():
        warnings.simplefilter("error")
        return ome_types.from_xml(file.read(), validate=False)


def of_source(path):
    with tifffile.TiffFile(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ome_types.from_xml(file.pages[0].tags["ImageDescription"].value)


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


@pytest.fixture
def omezarr():
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
    return lambda *arguments: run(program, *arguments)


def same_pixels_of(ours, theirs):
    """What the XML says of pixels."""
    for name in ("size_x", "size_y", "size_z", "size_c", "size_t", "type", "time_increment", "time_increment_unit",
                 *(f"physical_size_{axis}{unit}" for axis in "xyz" for unit in ("", "_unit"))):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert [(c.name, c.color) for c in ours.channels] == [(c.name, c.color) for c in theirs.channels]
    assert ours.dimension_order.value == "XYZCT" and ours.metadata_only is not None
    assert not ours.tiff_data_blocks and not ours.bin_data_blocks


def assert_valid(store, version, n_documents):
    """By all validators of autotest."""
    done = run(sys.executable, VALIDATOR, store)
    failed = [line for line in done.stdout.splitlines() if ", " in line and ": " in line and not line.endswith(" 0 failed")]
    # ome-zarr-models 1.7 knows the layout in 0.4 only
    assert not [line for line in failed if version == "0.4" or "ome-zarr-models" not in line], done.stdout
    assert "yaozarrs: 1 passed" in done.stdout and f"json-schema: {n_documents} passed" in done.stdout, done.stdout


# -- The store ---------------------------------------------------------------------------------------------------------


@every_version
@pytest.mark.parametrize("axes", ["TCZYX", "CZTYX"])
def test_a_stack_and_its_metadata(tmp_path, version, axes, omezarr):
    array = np.transpose(PIXELS, ["TCZYX".index(a) for a in axes])
    source = ome_tiff(tmp_path / "a.ome.tif", array, axes)
    store = written(tmp_path / "a.ome.zarr", source, f"NGFF_VERSION={version}", "VERIFY=SOURCE")
    root, ome = gdaltest.attributes(store), gdaltest.attributes(f"{store}/OME")
    if version == "0.5":
        assert root == {"ome": {"version": "0.5", "bioformats2raw.layout": 3}} and ome == {"ome": {"version": "0.5", "series": ["0"]}}
    else:
        assert root == {"bioformats2raw.layout": 3} and ome == {"series": ["0"]}
    assert [os.path.relpath(path, store) for path in gdaltest.level_paths(f"{store}/0")] == ["0/0", "0/1"]
    np.testing.assert_array_equal(gdaltest.zarr_levels(f"{store}/0")[0], PIXELS)

    metadata, theirs = metadata_of(store), of_source(source)
    assert len(metadata.images) == 1 and metadata.images[0].name == "cells" and metadata.images[0].id == theirs.images[0].id
    same_pixels_of(metadata.images[0].pixels, theirs.images[0].pixels)
    for command in (("validate", store), ("verify", store), ("verify", store, source)):
        done = omezarr(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    if axes == "TCZYX" and gdaltest.have("ngff_zarr", "ome_zarr_models", "yaozarrs"):
        assert_valid(store, version, n_documents=3)


@every_version
def test_it_reads_back_as_one_raster(tmp_path, version):
    source = ome_tiff(tmp_path / "a.ome.tif")
    store = gdal.Open(written(tmp_path / "a.ome.zarr", source, f"NGFF_VERSION={version}"))
    plain = str(tmp_path / "plain.ome.zarr")
    gdal.Translate(plain, source, format="OMEZARR", creationOptions=["BLOCKSIZE=16", "LAYOUT=FLAT", f"NGFF_VERSION={version}"])
    plain = gdal.Open(plain)
    assert store.RasterCount == 24 and store.GetRasterBand(1).GetOverviewCount() == 1
    assert store.GetMetadata() == plain.GetMetadata() and store.GetMetadata("NGFF") == plain.GetMetadata("NGFF")
    for number in (1, 8, 24):
        ours, theirs = store.GetRasterBand(number), plain.GetRasterBand(number)
        assert ours.GetMetadata() == theirs.GetMetadata() and ours.GetDescription() == theirs.GetDescription()
    np.testing.assert_array_equal(gdaltest.pixels(store), gdaltest.pixels(plain))


@every_version
def test_other_readers(tmp_path, version):
    """ngff-zarr opens the store by its root, ome-zarr-py lists its images and reads them; levels are those of zarr-python."""
    if not gdaltest.have("ome_zarr", "ngff_zarr"):
        pytest.skip("no ome-zarr or ngff-zarr")
    import ngff_zarr
    from ome_zarr import utils
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    store = written(tmp_path / "a.ome.zarr", ome_tiff(tmp_path / "a.ome.tif"), f"NGFF_VERSION={version}")
    levels = gdaltest.zarr_levels(f"{store}/0")
    (image, name, _), = utils.find_multiscales(tmp_path / "a.ome.zarr")
    assert str(image) == f"{store}/0" and name == "cells"
    node, = Reader(parse_url(str(image)))()
    assert [axis["name"] for axis in node.metadata["axes"]] == list("tczyx")
    theirs = ngff_zarr.from_ngff_zarr(store)
    for by_ome_zarr, by_ngff_zarr, by_zarr in zip(node.data, theirs.images, levels):
        np.testing.assert_array_equal(np.asarray(by_ome_zarr), by_zarr)
        np.testing.assert_array_equal(np.asarray(by_ngff_zarr.data), by_zarr)
    assert theirs.images[0].scale["x"] == 0.25


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_an_image_of_no_stack_has_all_five_axes(tmp_path, bands, omezarr):
    """Bio-Formats' reader takes no others. RGB stays RGB, and alpha alpha."""
    array = gdaltest.random_array((bands, 40, 50), "uint8")
    source = gdaltest.mem(array, [100, 10, 0, 900, 0, -10], "EPSG:32633", driver="GTiff", path=str(tmp_path / "a.tif"),
                          options=["PHOTOMETRIC=RGB"] if bands > 2 else [])
    source = None  # noqa: F841
    store = written(tmp_path / "a.ome.zarr", str(tmp_path / "a.tif"), "VERIFY=SOURCE")
    opened, original = gdal.Open(store), gdal.Open(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(gdaltest.zarr_levels(f"{store}/0")[0], array[np.newaxis, :, np.newaxis])
    np.testing.assert_array_equal(gdaltest.pixels(opened), array)
    assert opened.GetGeoTransform() == original.GetGeoTransform() and opened.GetSpatialRef().IsSame(original.GetSpatialRef())
    for number in range(1, bands + 1):
        ours, theirs = opened.GetRasterBand(number), original.GetRasterBand(number)
        assert ours.GetColorInterpretation() == theirs.GetColorInterpretation()
    pixels = metadata_of(store).images[0].pixels
    assert (pixels.size_x, pixels.size_y, pixels.size_z, pixels.size_c, pixels.size_t) == (50, 40, 1, bands, 1)
    assert pixels.physical_size_x == 10 and pixels.physical_size_x_unit.value == "m" and pixels.type.value == "uint8"
    assert omezarr("verify", store).returncode == 0


def test_the_same_by_create(tmp_path):
    array = gdaltest.random_array((3, 40, 50), "int16")
    made = gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 50, 40, 3, gdal.GDT_Int16, BF2RAW)
    for number in range(3):
        made.GetRasterBand(number + 1).WriteRaster(0, 0, 50, 40, array[number].tobytes())
        made.GetRasterBand(number + 1).SetDescription(["red", "green", "<blue> & \"more\""][number])
    made = None
    store = str(tmp_path / "a.ome.zarr")
    np.testing.assert_array_equal(gdaltest.zarr_levels(f"{store}/0")[0], array[np.newaxis, :, np.newaxis])
    pixels = metadata_of(store).images[0].pixels
    assert pixels.type.value == "int16" and [c.name for c in pixels.channels] == ["red", "green", '<blue> & "more"']


# -- The XML is true ---------------------------------------------------------------------------------------------------

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def rich_xml(prefix=""):
    """Two images, of which the first is in the pages; a microscope, planes, annotations; names with a prefix."""
    planes = "".join(f'<Plane TheZ="{z}" TheC="{c}" TheT="{t}" DeltaT="{t * 2.5}" PositionX="10" PositionXUnit="µm" PositionY="20" '
                     f'PositionYUnit="µm"><HashSHA1>0123456789012345678901234567890123456789</HashSHA1></Plane>'
                     for t in range(3) for c in range(2) for z in range(4))
    text = (f'<OME xmlns="{SCHEMA}" UUID="urn:uuid:01234567-89ab-cdef-0123-456789abcdef" Creator="somebody">'
            '<Dataset ID="Dataset:0"><ImageRef ID="Image:7"/><ImageRef ID="Image:8"/></Dataset>'
            '<Plate ID="Plate:0"><Well ID="Well:0" Row="0" Column="0"><WellSample ID="WellSample:0" Index="0"><ImageRef ID="Image:7"/>'
            '</WellSample></Well></Plate>'
            '<Instrument ID="Instrument:0"><Objective ID="Objective:0" NominalMagnification="40"/></Instrument>'
            '<Image ID="Image:7" Name="an image"><AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate><InstrumentRef ID="Instrument:0"/>'
            '<ObjectiveSettings ID="Objective:0"/><Pixels ID="Pixels:7" DimensionOrder="XYZCT" Type="uint16" SignificantBits="12" '
            'BigEndian="true" Interleaved="false" SizeX="24" SizeY="20" SizeZ="4" SizeC="2" SizeT="3" PhysicalSizeX="0.25">'
            '<Channel ID="Channel:7:0" Name="DAPI" EmissionWavelength="461" Color="65535"/>'
            '<Channel ID="Channel:7:1" Name="GFP" EmissionWavelength="509" Color="16711935"/>'
            f'<TiffData IFD="0" PlaneCount="24"/>{planes}</Pixels><AnnotationRef ID="Annotation:0"/></Image>'
            '<Image ID="Image:8" Name="gone"><Pixels ID="Pixels:8" DimensionOrder="XYZCT" Type="uint8" SizeX="5" SizeY="5" SizeZ="1" '
            'SizeC="1" SizeT="1"><Channel ID="Channel:8:0"/><TiffData><UUID FileName="other.tif">urn:uuid:11234567-89ab-cdef-0123-456789abcdef'
            '</UUID></TiffData></Pixels></Image>'
            f'<StructuredAnnotations><CommentAnnotation ID="Annotation:0"><Value>kept</Value></CommentAnnotation></StructuredAnnotations></OME>')
    if prefix:
        text = text.replace("</", f"</{prefix}:").replace("<", f"<{prefix}:").replace(f"<{prefix}:/{prefix}:", f"</{prefix}:")
        text = text.replace("xmlns=", f"xmlns:{prefix}=")
    return text


@pytest.mark.parametrize("prefix", ["", "ome"])
def test_what_is_said_of_the_microscope_stays(tmp_path, prefix):
    store = written(tmp_path / "a.ome.zarr", with_xml(tmp_path / "a.tif", rich_xml(prefix)))
    metadata = metadata_of(store)
    image, = metadata.images
    assert (image.id, image.name) == ("Image:7", "an image") and image.acquisition_date.year == 2020
    assert metadata.creator == "somebody" and metadata.uuid is None and not metadata.plates
    assert metadata.instruments[0].objectives[0].nominal_magnification == 40
    assert [r.id for r in metadata.datasets[0].image_refs] == ["Image:7"]
    assert metadata.structured_annotations[0].value == "kept"
    assert [c.emission_wavelength for c in image.pixels.channels] == [461, 509] and image.pixels.significant_bits == 12
    assert len(image.pixels.planes) == 24 and image.pixels.planes[-1].delta_t == 5 and image.pixels.planes[0].position_x == 10
    text = open(f"{store}/OME/METADATA.ome.xml", encoding="utf-8").read()
    assert not [word for word in ("TiffData", "HashSHA1", "BigEndian", "Interleaved", "gone") if word in text]


def test_a_part_of_the_image_says_what_it_is(tmp_path):
    """One channel, a window, another type, another name: of the XML what is still true."""
    source = f"OMEZARR:{with_xml(tmp_path / 'a.tif', rich_xml())}"
    second = [t * 8 + 4 + z + 1 for t in range(3) for z in range(4)]
    store = written(tmp_path / "a.ome.zarr", source, "NAME=other", bandList=second, srcWin=[8, 4, 10, 12], outputType=gdal.GDT_Float32)
    np.testing.assert_array_equal(gdaltest.zarr_levels(f"{store}/0")[0], PIXELS[:, 1:, :, 4:16, 8:18])
    image, = metadata_of(store).images
    pixels = image.pixels
    assert image.name == "other" and image.id == "Image:7" and image.acquisition_date.year == 2020
    assert (pixels.size_x, pixels.size_y, pixels.size_z, pixels.size_c, pixels.size_t) == (10, 12, 4, 1, 3)
    assert pixels.type.value == "float" and pixels.significant_bits is None and pixels.physical_size_x == 0.25
    channel, = pixels.channels
    assert (channel.name, channel.emission_wavelength) == ("GFP", 509)
    assert not [plane for plane in pixels.planes if plane.delta_t is not None]


def test_a_cut_keeps_planes_without_their_place(tmp_path):
    source = f"OMEZARR:{with_xml(tmp_path / 'a.tif', rich_xml())}"
    pixels = metadata_of(written(tmp_path / "a.ome.zarr", source, srcWin=[8, 4, 10, 12])).images[0].pixels
    assert len(pixels.planes) == 24 and pixels.planes[-1].delta_t == 5 and pixels.planes[0].position_x is None


def test_samples_of_a_page_become_channels(tmp_path):
    array = gdaltest.random_array((4, 20, 24, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.ome.tif", array, photometric="rgb", metadata={"axes": "ZYXS", "PhysicalSizeX": 2.0})
    store = written(tmp_path / "a.ome.zarr", str(tmp_path / "a.ome.tif"), "VERIFY=SOURCE")
    pixels = metadata_of(store).images[0].pixels
    assert pixels.size_c == 3 and [c.samples_per_pixel for c in pixels.channels] == [1, 1, 1] and pixels.physical_size_x == 2
    assert len({c.id for c in pixels.channels}) == 3 and [c.name for c in pixels.channels] == ["Red", "Green", "Blue"]


@pytest.mark.parametrize("xml", [rich_xml().replace("2016-06", "2013-06"), rich_xml().replace(SCHEMA, "http://example.org/x")])
def test_xml_of_another_schema_is_made_anew(tmp_path, xml):
    report = str(tmp_path / "report.json")
    metadata = metadata_of(written(tmp_path / "a.ome.zarr", with_xml(tmp_path / "a.tif", xml), f"REPORT={report}"))
    assert metadata.creator.startswith("libngff") and [c.name for c in metadata.images[0].pixels.channels] == ["DAPI", "GFP"]
    assert [loss for loss in gdaltest.read_json(report)["not_kept"] if "schema 2016-06" in loss]


def test_a_copy_of_such_a_store_takes_its_xml_along(tmp_path):
    first = written(tmp_path / "a.ome.zarr", with_xml(tmp_path / "a.tif", rich_xml()))
    again = metadata_of(written(tmp_path / "b.ome.zarr", first))
    assert again == metadata_of(first)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_a_type_that_ome_does_not_know(tmp_path, dtype):
    with gdaltest.collected_messages() as messages:
        store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 20, 30), dtype)), *BF2RAW)
    assert len(messages.warnings()) == 1 and "METADATA.ome.xml is not written" in messages.warnings()[0]
    assert not os.path.exists(f"{store}/OME/METADATA.ome.xml") and gdal.Open(str(store)).RasterXSize == 30


# -- What holds of every store -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_report_has_all_objects(tmp_path, version):
    import hashlib
    store = written(tmp_path / "a.ome.zarr", ome_tiff(tmp_path / "a.ome.tif"), f"REPORT={tmp_path}/r.json", f"NGFF_VERSION={version}")
    report = gdaltest.read_json(tmp_path / "r.json")
    names = gdaltest.files_of(store)
    lines = "".join(f"{hashlib.sha256(open(f'{store}/{name}', 'rb').read()).hexdigest()}  {name}\n" for name in sorted(names, key=str.encode))
    assert report["tree"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest() and report["counts"]["objects"] == len(names)
    assert [a["path"] for a in report["counts"]["arrays"]] == ["0/0", "0/1"] and all(a["bytes"] > 0 for a in report["counts"]["arrays"])
    assert report["plan"]["layout"] == "BIOFORMATS2RAW"


def test_the_plan_says_where_levels_lie(tmp_path, omezarr):
    done = omezarr("plan", ome_tiff(tmp_path / "a.ome.tif"), "-co", BF2RAW[0], "-co", BF2RAW[1])
    assert done.returncode == 0 and "layout BIOFORMATS2RAW, axes tczyx" in done.stdout and "  0/1 " in done.stdout, done.stdout


def test_one_file(tmp_path):
    store = written(tmp_path / "a.ozx", ome_tiff(tmp_path / "a.ome.tif"), "VERIFY=SOURCE")
    opened = gdal.Open(store)
    assert opened.RasterCount == 24
    np.testing.assert_array_equal(gdaltest.pixels(opened), PIXELS.reshape(24, 20, 24))
    assert "OME/METADATA.ome.xml" in zipfile.ZipFile(store).namelist()


@pytest.mark.parametrize("call", [3, 12, 40, 60])
def test_a_kill_leaves_nothing_and_resume_ends_whole(tmp_path, call):
    place = tmp_path / "place"
    place.mkdir()
    source, store = ome_tiff(tmp_path / "a.ome.tif"), str(place / "a.ome.zarr")
    options = [*BF2RAW, "SHARD=NONE", "NUM_THREADS=1", "RESUME=YES"]
    faults.kill_copy(source, store, options, call)
    assert not os.path.exists(store)
    written(store, source, *options[2:])
    written(tmp_path / "b.ome.zarr", source, *options[2:4])
    ours, theirs = gdaltest.snapshot(store), gdaltest.snapshot(tmp_path / "b.ome.zarr")
    assert set(ours) == set(theirs) and ours["OME/METADATA.ome.xml"] == theirs["OME/METADATA.ome.xml"]
    assert {k for k in ours if "/c/" in k and ours[k] != theirs[k]} == set() and os.listdir(place) == ["a.ome.zarr"]


def test_an_old_store_is_replaced(tmp_path):
    store = written(tmp_path / "a.ome.zarr", ome_tiff(tmp_path / "a.ome.tif"))
    before = gdaltest.snapshot(store)
    with pytest.raises(RuntimeError, match="OVERWRITE=YES"):
        written(store, ome_tiff(tmp_path / "a.ome.tif"))
    assert gdaltest.snapshot(store) == before
    gdaltest.write(store, gdaltest.mem(gdaltest.random_array((1, 20, 30), "uint8")), "OVERWRITE=YES")
    assert not os.path.exists(f"{store}/OME") and gdal.Open(store).RasterXSize == 30
    gdal.GetDriverByName("OMEZARR").Delete(written(tmp_path / "b.ome.zarr", str(tmp_path / "a.ome.tif")))
    assert not os.path.exists(tmp_path / "b.ome.zarr")


@every_version
def test_a_change_in_place_changes_the_xml(tmp_path, version, omezarr):
    store = written(tmp_path / "a.ome.zarr", with_xml(tmp_path / "a.tif", rich_xml()), f"NGFF_VERSION={version}")
    changed = gdal.Open(store, gdal.GA_Update)
    changed.SetGeoTransform([0, 0.5, 0, 0, 0, 0.75])
    changed.GetRasterBand(1).WriteRaster(0, 0, 24, 20, np.full((20, 24), 77, "uint16").tobytes())
    changed = None
    levels = gdaltest.zarr_levels(f"{store}/0")
    assert (levels[0][0, 0, 0] == 77).all() and (levels[1][0, 0, 0] == 77).all() and omezarr("verify", store).returncode == 0
    image, = metadata_of(store).images
    scale = gdaltest.transforms(f"{store}/0")[0][0]
    assert scale[3:] == [0.75, 0.5] and image.acquisition_date.year == 2020
    unit = [axis.get("unit") for axis in gdaltest.ome(f"{store}/0")["multiscales"][0]["axes"]][4]
    assert image.pixels.physical_size_x == (0.5 if unit else None)


def test_labels_lie_beside_the_image(tmp_path, omezarr):
    store = written(tmp_path / "a.ome.zarr", ome_tiff(tmp_path / "a.ome.tif", PIXELS[0, 0, 0], "YX"))
    labels = gdaltest.random_array((1, 20, 24), "uint8") % 5
    for name in ("labels/cells", "0/labels/nuclei"):
        made = gdaltest.OMEZARR.CreateCopy(f'OMEZARR:"{store}":{name}', gdaltest.mem(labels))
        np.testing.assert_array_equal(gdaltest.pixels(made), labels)
    assert sorted(gdaltest.ome(f"{store}/0/labels")["labels"]) == ["cells", "nuclei"]
    done = omezarr("verify", store)
    assert done.returncode == 0, done.stdout
    copy = written(tmp_path / "b.ome.zarr", store)
    assert sorted(gdaltest.ome(f"{copy}/0/labels")["labels"]) == ["cells", "nuclei"]


def test_verify_looks_at_the_whole_store(tmp_path, omezarr):
    store = written(tmp_path / "a.ome.zarr", ome_tiff(tmp_path / "a.ome.tif"))
    for name in ("notes.txt", "OME/more.txt", "1/0/c/0"):
        os.makedirs(os.path.dirname(f"{store}/{name}"), exist_ok=True)
        open(f"{store}/{name}", "w").close()
        done = omezarr("verify", store)
        assert done.returncode == 1 and "stray" in done.stdout and name in done.stdout, (name, done.stdout)
        os.remove(f"{store}/{name}")
    document = f"{store}/OME/zarr.json"
    json.dump({**gdaltest.read_json(document), "attributes": {"ome": {"version": "0.5", "series": "0"}}}, open(document, "w"))
    assert omezarr("verify", store).returncode == 1


def test_a_store_in_memory(tmp_path):
    store = "/vsimem/bf2raw.ome.zarr"
    written(store, ome_tiff(tmp_path / "a.ome.tif"))
    opened = gdal.Open(store)
    np.testing.assert_array_equal(gdaltest.pixels(opened), PIXELS.reshape(24, 20, 24))
    gdal.GetDriverByName("OMEZARR").Delete(store)


# -- SERIES=ALL --------------------------------------------------------------------------------------------------------

SECOND = np.random.default_rng(8).integers(0, 200, (5, 30, 50), dtype="uint8")
THIRD = np.random.default_rng(9).random((17, 19)).astype("float32")


def several(path):
    """An OME-TIFF of three images of other shapes and types."""
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(PIXELS, photometric="minisblack", metadata={
            "axes": "TCZYX", "Name": "first", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]}})
        file.write(SECOND, photometric="minisblack", metadata={"axes": "ZYX", "Name": "second", "PhysicalSizeX": 2.0, "PhysicalSizeXUnit": "nm"})
        file.write(THIRD, photometric="minisblack", metadata={"axes": "YX", "Name": "third"})
    return str(path)


@every_version
def test_all_images_of_a_file(tmp_path, version, omezarr):
    source = several(tmp_path / "a.ome.tif")
    with gdaltest.collected_messages() as messages:
        store = written(tmp_path / "a.ome.zarr", source, "SERIES=ALL", f"NGFF_VERSION={version}", "VERIFY=SOURCE", "NAME=mine")
    assert messages.warnings() == []
    metadata, theirs = metadata_of(store), of_source(source)
    assert [image.name for image in metadata.images] == ["mine", "second", "third"]
    assert [image.id for image in metadata.images] == [image.id for image in theirs.images]
    for number, array in enumerate((PIXELS, SECOND[np.newaxis, np.newaxis], THIRD[np.newaxis, np.newaxis, np.newaxis])):
        levels = gdaltest.zarr_levels(f"{store}/{number}")
        np.testing.assert_array_equal(levels[0], array)
        same_pixels_of(metadata.images[number].pixels, theirs.images[number].pixels)
        opened = gdal.Open(f'OMEZARR:"{store}":{number}')
        np.testing.assert_array_equal(gdaltest.pixels(opened), array.reshape(-1, *array.shape[-2:]))
    assert len(gdal.Open(store).GetMetadata("SUBDATASETS")) == 6
    if gdaltest.have("ome_zarr", "ngff_zarr", "ome_zarr_models", "yaozarrs"):
        from ome_zarr import utils
        listed = [(os.path.relpath(path, store), name) for path, name, _ in utils.find_multiscales(tmp_path / "a.ome.zarr")]
        assert listed == [("0", "mine"), ("1", "second"), ("2", "third")]  # names by the XML
        assert_valid(store, version, n_documents=5)
    for command in (("validate", store), ("verify", store), ("verify", store, source)):
        done = omezarr(*command)
        assert done.returncode == 0 and " of the 3" not in done.stdout, done.stdout + done.stderr
    damaged = [name for name in gdaltest.files_of(f"{store}/1") if name.split("/")[-1].isdigit()][0]
    os.remove(f"{store}/1/{damaged}")
    done = omezarr("verify", store)
    assert done.returncode == 1 and "missing" in done.stdout, done.stdout


def test_pages_of_other_sizes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for size in (20, 20, 30):
            file.write(np.full((size, size), size, "uint8"), contiguous=False, metadata=None)
    with gdaltest.collected_messages() as messages:
        written(tmp_path / "one.ome.zarr", str(tmp_path / "a.tif"))
    assert len(messages.warnings()) == 1 and "SERIES=ALL" in messages.warnings()[0]
    store = written(tmp_path / "a.ome.zarr", str(tmp_path / "a.tif"), "SERIES=ALL")
    assert [gdaltest.zarr_levels(f"{store}/{i}")[0].shape for i in (0, 1)] == [(1, 1, 2, 20, 20), (1, 1, 1, 30, 30)]
    assert len(metadata_of(store).images) == 2


def test_all_series_of_a_store(tmp_path, omezarr):
    first = written(tmp_path / "a.ome.zarr", several(tmp_path / "a.ome.tif"), "SERIES=ALL")
    again = written(tmp_path / "b.ome.zarr", f'OMEZARR:"{first}":0', "SERIES=ALL", "VERIFY=SOURCE")
    for ours, theirs in zip(metadata_of(again).images, metadata_of(first).images, strict=True):
        assert (ours.id, ours.name, ours.pixels.type, ours.pixels.size_x) == (theirs.id, theirs.name, theirs.pixels.type, theirs.pixels.size_x)
        assert [channel.name for channel in ours.pixels.channels] == [channel.name for channel in theirs.pixels.channels]
    done = omezarr("verify", again, first)
    assert done.returncode == 0 and "has the pixels of the source" in done.stdout, done.stdout + done.stderr


def test_a_source_of_more_images_is_not_praised_whole(tmp_path, omezarr):
    """Pages of other sizes, of which the store has two and the source three."""
    paths = [str(tmp_path / name) for name in ("two.tif", "three.tif")]
    for path, sizes in zip(paths, ((20, 30), (20, 30, 40))):
        with tifffile.TiffWriter(path) as file:
            for size in sizes:
                file.write(np.full((size, size), size, "uint8"), contiguous=False, metadata=None)
    store = written(tmp_path / "a.ome.zarr", paths[0], "SERIES=ALL")
    done = omezarr("verify", store, paths[0])
    assert done.returncode == 0 and done.stdout.strip().endswith("whole, and has the pixels of the source"), done.stdout
    done = omezarr("verify", store, paths[1])
    assert done.returncode == 0 and "has the pixels of 2 of the 3 pages or images" in done.stdout, done.stdout


def test_one_series_of_a_store_is_compared_as_one(tmp_path, omezarr):
    source = several(tmp_path / "a.ome.tif")
    with gdaltest.collected_messages() as messages:
        store = written(tmp_path / "a.ome.zarr", source)
    assert len(messages.warnings()) == 1 and "SERIES=ALL" in messages.warnings()[0]
    done = omezarr("verify", store, source)
    assert done.returncode == 0 and "1 of the 3" in done.stdout, done.stdout
    assert [image.name for image in metadata_of(store).images] == ["first"]


def test_other_layouts_hold_one_image(tmp_path):
    source = several(tmp_path / "a.ome.tif")
    with pytest.raises(RuntimeError, match="SERIES=ALL: .* LAYOUT=BIOFORMATS2RAW"):
        gdal.Translate(str(tmp_path / "a.ome.zarr"), source, format="OMEZARR", creationOptions=["SERIES=ALL"])
    assert not os.path.exists(tmp_path / "a.ome.zarr")


@pytest.mark.parametrize("call", [30, 100, 180])
def test_a_kill_between_images_leaves_nothing(tmp_path, call):
    place = tmp_path / "place"
    place.mkdir()
    source, store = several(tmp_path / "a.ome.tif"), str(place / "a.ome.zarr")
    options = [*BF2RAW, "SHARD=NONE", "NUM_THREADS=1", "SERIES=ALL", "RESUME=YES"]
    faults.kill_copy(source, store, options, call)
    assert not os.path.exists(store)
    written(store, source, *options[2:])
    written(tmp_path / "b.ome.zarr", source, *options[2:-1])
    ours, theirs = gdaltest.snapshot(store), gdaltest.snapshot(tmp_path / "b.ome.zarr")
    assert set(ours) == set(theirs) and os.listdir(place) == ["a.ome.zarr"]
    assert {k for k in ours if "/c/" in k and ours[k] != theirs[k]} == set()


def assert_same(store, other):
    """Byte for byte, one file or a folder."""
    if os.path.isfile(store):
        assert open(store, "rb").read() == open(other, "rb").read()
    else:
        assert gdaltest.tree_digest(store) == gdaltest.tree_digest(other)


def two_pages(path):
    """Of two sizes: two images, the second of four chunks."""
    with tifffile.TiffWriter(path) as file:
        for height, width in ((20, 24), (30, 31)):
            file.write(gdaltest.random_array((height, width), "uint8"), contiguous=False, metadata=None)
    return str(path)


ALL = ["SERIES=ALL", "SHARD=NONE", "NUM_THREADS=1"]


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ozx"])
@pytest.mark.parametrize("before", ["three images", "a plain image"])
def test_several_images_replace_an_older_store(tmp_path, name, before):
    """Nothing is left of it, such as its third image."""
    store, source = str(tmp_path / name), two_pages(tmp_path / "two.tif")
    if before == "three images":
        written(store, several(tmp_path / "a.ome.tif"), "SERIES=ALL")
    else:
        gdaltest.write(store, gdaltest.mem(gdaltest.random_array((1, 40, 50), "uint8")))
    with pytest.raises(RuntimeError, match="OVERWRITE=YES"):
        written(store, source, *ALL)
    written(store, source, *ALL, "OVERWRITE=YES")
    assert_same(store, written(tmp_path / f"new-{name}", source, *ALL))
    assert sorted(os.listdir(tmp_path)) == sorted([*([] if before == "a plain image" else ["a.ome.tif"]), name, f"new-{name}", "two.tif"])


@pytest.mark.parametrize("thesis,named", [("thesis/part1.doc", "thesis"), ("0/thesis.doc", "0/thesis.doc"),
                                          ("1/0/0/notes/part1.doc", "1/0/0/notes/part1.doc")])
def test_files_of_others_in_an_older_store_are_left(tmp_path, thesis, named):
    store = written(tmp_path / "a.ome.zarr", several(tmp_path / "a.ome.tif"), "SERIES=ALL")
    os.makedirs(os.path.dirname(f"{store}/{thesis}"), exist_ok=True)
    with open(f"{store}/{thesis}", "w") as file:
        file.write("years of work")
    before = gdaltest.tree_digest(store)
    with pytest.raises(RuntimeError, match=f"holds '{named}'"):
        written(store, two_pages(tmp_path / "two.tif"), *ALL, "OVERWRITE=YES")
    assert gdaltest.tree_digest(store) == before and sorted(os.listdir(tmp_path)) == ["a.ome.tif", "a.ome.zarr", "two.tif"]


def test_several_images_in_one_file(tmp_path, omezarr):
    zarr = pytest.importorskip("zarr")
    store = written(tmp_path / "a.ozx", several(tmp_path / "a.ome.tif"), "SERIES=ALL", "VERIFY=SOURCE")
    group = zarr.open_group(zarr.storage.ZipStore(store, mode="r"), mode="r")
    for number, array in enumerate((PIXELS, SECOND[np.newaxis, np.newaxis], THIRD[np.newaxis, np.newaxis, np.newaxis])):
        np.testing.assert_array_equal(group[f"{number}/0"][...], array)
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f'OMEZARR:"{store}":{number}')), array.reshape(-1, *array.shape[-2:]))
    for command in (("validate", store), ("verify", store), ("verify", store, tmp_path / "a.ome.tif")):
        done = omezarr(*command)
        assert done.returncode == 0, done.stdout + done.stderr


@every_version
def test_other_readers_of_each_image(tmp_path, version):
    """All levels of all images, by ome-zarr-py and ngff-zarr from the image's folder, beside zarr-python's."""
    if not gdaltest.have("ome_zarr", "ngff_zarr"):
        pytest.skip("no ome-zarr or ngff-zarr")
    import ngff_zarr
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    store = written(tmp_path / "a.ome.zarr", several(tmp_path / "a.ome.tif"), "SERIES=ALL", f"NGFF_VERSION={version}")
    for number, array in enumerate((PIXELS, SECOND[np.newaxis, np.newaxis], THIRD[np.newaxis, np.newaxis, np.newaxis])):
        levels = gdaltest.zarr_levels(f"{store}/{number}")
        node, = Reader(parse_url(f"{store}/{number}"))()
        theirs = ngff_zarr.from_ngff_zarr(f"{store}/{number}")
        np.testing.assert_array_equal(levels[0], array)
        for by_ome_zarr, by_ngff_zarr, by_zarr in zip(node.data, theirs.images, levels, strict=True):
            np.testing.assert_array_equal(np.asarray(by_ome_zarr), by_zarr)
            np.testing.assert_array_equal(np.asarray(by_ngff_zarr.data), by_zarr)


def chunks_of_second(source, path):
    """The calls of a copy that open a chunk of level 0 of the second image."""
    calls = faults.calls_of_copy(source, str(path), [*BF2RAW, *ALL, "RESUME=YES"])
    return [number for number, call, at in calls if call == "open" and "/1/0/c/" in at]


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ozx"])
def test_a_disk_that_fails_in_the_second_image_leaves_what_was_there(tmp_path, name):
    place, source = tmp_path / "place", two_pages(tmp_path / "two.tif")
    place.mkdir()
    store, chunks = str(place / name), chunks_of_second(source, tmp_path / name)
    said = faults.fail_copy(source, store, [*BF2RAW, *ALL], chunks[2])
    assert "1/0/c/" in said and str(place) in said and os.listdir(place) == []
    gdaltest.write(store, gdaltest.mem(gdaltest.random_array((1, 40, 50), "uint8")))
    before = gdaltest.snapshot(place)
    said = faults.fail_copy(source, store, [*BF2RAW, *ALL, "OVERWRITE=YES"], chunks[2])
    assert "1/0/c/" in said and gdaltest.snapshot(place) == before


def test_a_run_that_is_cancelled_in_the_second_image_leaves_what_was_there(tmp_path):
    source, store = two_pages(tmp_path / "two.tif"), str(tmp_path / "a.ome.zarr")
    for before in (["two.tif"], ["a.ome.zarr", "two.tif"]):
        told = []
        with pytest.raises(RuntimeError):
            written(store, source, *ALL, "OVERWRITE=YES", callback=lambda share, *_: told.append(share) or share < 0.6)
        assert 0.6 <= told[-1] < 0.9 and sorted(os.listdir(tmp_path)) == before  # after the first of four chunks
        gdaltest.write(store, gdaltest.mem(gdaltest.random_array((1, 40, 50), "uint8")), "OVERWRITE=YES")
    assert gdal.Open(store).RasterXSize == 50


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ozx"])
def test_a_run_that_is_killed_in_the_second_image_goes_on_there(tmp_path, name):
    place, source = tmp_path / "place", two_pages(tmp_path / "two.tif")
    place.mkdir()
    chunks = chunks_of_second(source, tmp_path / name)
    assert len(chunks) == 4
    faults.kill_copy(source, str(place / name), [*BF2RAW, *ALL, "RESUME=YES"], chunks[3])
    partial = place / f".{name}.partial" / "store"
    stored = {file.relative_to(partial): file.stat().st_ino for file in partial.glob("?/0/c/**/*") if file.is_file()}
    assert os.listdir(place) == [f".{name}.partial"] and len(stored) == 4 + 3
    written(place / name, source, *ALL, "RESUME=YES")
    assert_same(str(place / name), str(tmp_path / name))
    if name == "a.ome.zarr":
        spared = {str(file)[0] for file, number in stored.items() if (place / name / file).stat().st_ino == number}
        assert spared == {"0", "1"}
    assert os.listdir(place) == [name]


@pytest.mark.parametrize("version, name", [("0.5", "b.ome.zarr"), ("0.4", "b.ome.zarr"), ("0.5", "b.ozx")])
def test_label_images_of_each_image_travel(tmp_path, version, name, omezarr):
    """And a run that is killed in one of the second image's goes on there."""
    first = written(tmp_path / "a.ome.zarr", several(tmp_path / "a.ome.tif"), "SERIES=ALL")
    labels = {"0/labels/cells": (20, 24), "1/labels/cells": (30, 50), "1/labels/more": (30, 50)}
    for part, shape in labels.items():
        gdaltest.write(f'OMEZARR:"{first}":{part}', gdaltest.mem(gdaltest.random_array((1, *shape), "uint8", len(part)) % 7))
    source, options = f'OMEZARR:"{first}":0', [*ALL, f"NGFF_VERSION={version}"]
    place = tmp_path / "place"
    place.mkdir()
    calls = faults.calls_of_copy(source, str(tmp_path / name), [*BF2RAW, *options, "RESUME=YES"])
    store, chunk = str(tmp_path / name), "/1/labels/more/0/" + ("0/0" if version == "0.4" else "c/0/0")
    number = next(number for number, call, at in calls if call == "open" and at.endswith(chunk))
    for part in labels:
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f'OMEZARR:"{store}":{part}')), gdaltest.pixels(gdal.Open(f'OMEZARR:"{first}":{part}')))
    for command in (("validate", store), ("verify", store)):
        done = omezarr(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [entry for entry in gdal.Open(f'OMEZARR:"{store}":2').GetSubDatasets() if "label" in entry[1]] == []
    assert name == "b.ozx" or len(metadata_of(store).images) == 3
    faults.kill_copy(source, str(place / name), [*BF2RAW, *options, "RESUME=YES"], number)
    assert os.listdir(place) == [f".{name}.partial"]
    written(place / name, source, *options, "RESUME=YES")
    assert_same(str(place / name), store)


def test_an_image_that_cannot_be_written_leaves_nothing(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((20, 20), "uint8"), contiguous=False, metadata=None)
        file.write(np.full((600, 30), 3, "uint16"), contiguous=False, metadata=None, compression="zlib", rowsperstrip=1)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        at = file.pages[1].dataoffsets[-1]
    with open(tmp_path / "a.tif", "r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 8)
    with pytest.raises(RuntimeError):
        written(tmp_path / "a.ome.zarr", str(tmp_path / "a.tif"), "SERIES=ALL")
    assert os.listdir(tmp_path) == ["a.tif"]


def test_the_report_of_several_images(tmp_path):
    store = written(tmp_path / "a.ome.zarr", several(tmp_path / "a.ome.tif"), "SERIES=ALL", f"REPORT={tmp_path}/r.json")
    assert gdaltest.read_json(tmp_path / "r.json")["counts"]["objects"] == len(gdaltest.files_of(store))


def test_what_is_told_of_further_images_is_in_the_report(tmp_path):
    """An image of a type that OME-XML does not know: then there is none for all of them."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((20, 20), "uint8"), contiguous=False, metadata=None)
        file.write(np.zeros((30, 30), "int64"), contiguous=False, metadata=None)
    store = written(tmp_path / "a.ome.zarr", str(tmp_path / "a.tif"), "SERIES=ALL", f"REPORT={tmp_path}/r.json")
    report = gdaltest.read_json(tmp_path / "r.json")
    assert [text for text in report["warnings"] if text.startswith("image 1: OME/METADATA.ome.xml is not written")], report["warnings"]
    assert not os.path.exists(f"{store}/OME/METADATA.ome.xml")


def test_a_change_of_one_image_leaves_what_is_said_of_the_others(tmp_path, omezarr):
    """By its own folder: the list is not opened for changing."""
    store = written(tmp_path / "a.ome.zarr", several(tmp_path / "a.ome.tif"), "SERIES=ALL")
    with pytest.raises(RuntimeError, match="cannot be changed in place"):
        gdal.OpenEx(f'OMEZARR:"{store}":1', gdal.OF_UPDATE)
    before = metadata_of(store)
    changed = gdal.Open(f"{store}/1", gdal.GA_Update)
    changed.SetGeoTransform([0, 7, 0, 0, 0, 9])
    changed = None
    after = metadata_of(store)
    scale = gdaltest.transforms(f"{store}/1")[0][0]
    assert scale[3:] == [9, 7] and after.images[1].pixels.physical_size_x in (7, None)
    assert (after.images[0], after.images[2]) == (before.images[0], before.images[2]) and after.images[1].name == "second"
    assert omezarr("verify", store).returncode == 0
