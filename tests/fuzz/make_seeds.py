"""Writes seeds/: small good stores by zarr-python 3.1.6, and for fuzz_store by this driver, in the form that each target
takes. Run by hand, with GDAL_DRIVER_PATH."""
import itertools
import json
import os
import struct
import tempfile
import zipfile

import numcodecs
import numpy as np
import tifffile
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.storage import MemoryStore

here = os.path.dirname(os.path.abspath(__file__))


def save(target, name, parts):
    os.makedirs(f"{here}/seeds/{target}", exist_ok=True)
    with open(f"{here}/seeds/{target}/{name}", "wb") as file:
        file.write(b"\0".join(parts))


def small(raw):
    return json.dumps(json.loads(raw), separators=(",", ":")).encode()


def multiscales():
    return [{"axes": [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}], "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]}]}]


def reader_seeds():
    pixels = np.arange(24, dtype="uint16").reshape(4, 6)
    v3 = {"plain": {"compressors": None}, "zstd": {"compressors": ZstdCodec(level=1)},
          "gzip": {"compressors": [GzipCodec(level=1), Crc32cCodec()]}, "blosc": {"compressors": BloscCodec(cname="lz4")},
          "transpose": {"filters": TransposeCodec(order=(1, 0)), "serializer": BytesCodec(endian="big"), "compressors": None}}
    for location, checksum in itertools.product(("start", "end"), (0, 1)):
        v3[f"shard_{location}_{checksum}"] = {"compressors": None, "serializer": ShardingCodec(
            chunk_shape=(2, 3), codecs=[BytesCodec(), ZstdCodec(level=1)], index_location=location,
            index_codecs=[BytesCodec()] + [Crc32cCodec()] * checksum)}
    for name, how in v3.items():
        store = {}
        root = zarr.create_group(MemoryStore(store), zarr_format=3,
                                 attributes={"ome": {"version": "0.5", "multiscales": multiscales()}})
        root.create_array("0", shape=(4, 6), chunks=(4, 6), dtype="uint16", **how)[...] = pixels
        save("fuzz_reader", name, [small(store["zarr.json"].to_bytes()), small(store["0/zarr.json"].to_bytes()),
                                   store["0/c/0/0"].to_bytes()])
    for codec in (numcodecs.Zlib(1), numcodecs.LZ4(), numcodecs.Blosc("zstd"), None):
        store = {}
        root = zarr.create_group(MemoryStore(store), zarr_format=2, attributes={"multiscales": multiscales()})
        root.create_array("0", shape=(4, 6), chunks=(4, 6), dtype=">u2", compressors=codec, order="F")[...] = pixels
        save("fuzz_reader", f"v2_{codec.codec_id if codec else 'plain'}",
             [b" " + small(store[".zattrs"].to_bytes()), small(store["0/.zarray"].to_bytes()), store["0/0.0"].to_bytes()])


def group(**ome):
    return json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **ome}}},
                      separators=(",", ":")).encode()


def part_seeds():
    image, text = group(multiscales=multiscales()), lambda t: t.encode()
    array = (b'{"zarr_format":3,"node_type":"array","shape":[4,6],"data_type":"uint8","fill_value":0,"chunk_grid":{"name":'
             b'"regular","configuration":{"chunk_shape":[4,6]}},"chunk_key_encoding":{"name":"default"},"codecs":["bytes"]}')
    stores = {
        "plate": ("", {"zarr.json": group(plate={"wells": [{"path": "A/1"}]}),
                       "A/1/zarr.json": group(well={"images": [{"path": "0"}]}), "A/1/0/zarr.json": image}),
        "series": ("", {"zarr.json": group(**{"bioformats2raw.layout": 3}), "OME/zarr.json": group(series=["a", "b"]),
                        "a/zarr.json": image, "b/zarr.json": image}),
        "numbers": ("1", {".zattrs": text('{"bioformats2raw.layout":3}'),
                          "0/.zattrs": json.dumps({"multiscales": multiscales()}).encode(), "0/0/.zarray": text("{}")}),
        "labels": ("labels/a#0", {"zarr.json": image, "0/zarr.json": array, "labels/zarr.json": group(labels=["a"]),
                                  "labels/a/zarr.json": image}),
        "level": ("0", {"zarr.json": image, "0/zarr.json": array})}
    for name, (part, objects) in stores.items():
        save("fuzz_parts", name, [part.encode()] + [x for key, value in objects.items() for x in (key.encode(), value)])


def files_of(folder):
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            yield os.path.relpath(os.path.join(place, name), folder), open(os.path.join(place, name), "rb").read()


def store_seeds():
    from osgeo import gdal

    gdal.UseExceptions()
    os.makedirs(f"{here}/seeds/fuzz_store", exist_ok=True)
    for number, options in enumerate(([], ["NGFF_VERSION=0.4", "LAYOUT=FLAT"], ["SHARD=16", "COMPRESS=ZSTD"], ["AXES=t:1,c:2,z:1", "CHECKSUM=YES"])):
        source = gdal.GetDriverByName("MEM").Create("", 20, 17, 2, gdal.GDT_Byte)
        source.SetGeoTransform((1, 2, 0, 3, 0, -2))
        source.SetGCPs([gdal.GCP(1, 2, 0, 3, 4)] * 3, "") if number == 1 else None
        source.SetMetadata({"a": "b"}, "DOMAIN")
        for band in (1, 2):
            source.GetRasterBand(band).WriteRaster(0, 0, 20, 17, bytes(i * band % 251 for i in range(340)))
        if number < 2:
            source.GetRasterBand(1).SetColorTable(table := gdal.ColorTable()), table
            source.GetRasterBand(1).SetCategoryNames(["none", "one"])
            source.CreateMaskBand(gdal.GMF_PER_DATASET)
            source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 20, 17, bytes(i % 3 // 2 * 255 for i in range(340)))
        with tempfile.TemporaryDirectory() as folder:
            gdal.GetDriverByName("OMEZARR").CreateCopy(f"{folder}/a.zarr", source, 0, ["BLOCKSIZE=8", "CONSOLIDATED=NO"] + options)
            with open(f"{here}/seeds/fuzz_store/{number}", "wb") as file:
                for name, content in files_of(f"{folder}/a.zarr"):
                    if "/c/" not in name or name.endswith("/0"):
                        file.write(b"\1:" + name.encode() + b"\n" + content)


def pack(target, name, folder):
    """A store as fuzz_store and fuzz_tree take it, with the first chunk of each array."""
    os.makedirs(f"{here}/seeds/{target}", exist_ok=True)
    seen = set()
    with open(f"{here}/seeds/{target}/{name}", "wb") as file:
        for key, content in sorted(files_of(folder)):
            is_document = key.endswith((".json", ".xml")) or os.path.basename(key).startswith(".")
            array = key.split("/c/")[0] if "/c/" in key else os.path.dirname(key)
            if is_document or array not in seen:
                file.write(b"\1:" + key.encode() + b"\n" + (small(content) if is_document and not key.endswith(".xml") else content))
            if not is_document:
                seen.add(array)


def image(version, rank=2, **more):
    axes = [{"name": n, "type": {"t": "time", "c": "channel"}.get(n, "space")} for n in "tczyx"[-rank:]]
    entry = {"axes": axes, "name": "image", "datasets": [
        {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1] * (rank - 2) + [2 ** i] * 2}]} for i in range(2)]}
    if version == "0.4":
        return {"multiscales": [{"version": "0.4", **entry}], **more}
    if version == "0.6":
        system = {"name": "physical", "axes": entry.pop("axes")}
        for i, dataset in enumerate(entry["datasets"]):
            dataset["coordinateTransformations"] = [{"type": "scale", "scale": [1] * (rank - 2) + [2 ** i] * 2, "input": str(i), "output": "physical"}]
        entry["coordinateSystems"] = [system]
    return {"ome": {"version": version, "multiscales": [entry], **more}}


def arrays_of(group, rank, **how):
    for i in range(2):
        shape = (2,) * (rank - 2) + (16 >> i, 12 >> i)
        data = np.arange(np.prod(shape), dtype="uint16").reshape(shape)
        group.create_array(str(i), shape=shape, chunks=(1,) * (rank - 2) + (8, 8), dtype="uint16", **how)[...] = data


def seeds_of_others():
    """zarr-python, ngff-zarr, and the layouts of bioformats2raw and of plates, in 0.4, 0.5 and 0.6."""
    omero = {"channels": [{"label": "a", "color": "FF0000", "active": True, "window": {"start": 0, "end": 9, "min": 0, "max": 255}}] * 2}
    label = {"colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}], "source": {"image": "../../"}}
    for version, rank in (("0.4", 2), ("0.5", 3), ("0.6", 2), ("0.5", 5), ("0.4", 5)):
        with tempfile.TemporaryDirectory() as folder:
            how = {} if version == "0.4" else {"dimension_names": list("tczyx"[-rank:])}
            group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
            group.attrs.update(image(version, rank, omero=omero))
            arrays_of(group, rank, compressors=None, **how)
            labels = group.create_group("labels")
            labels.attrs.update({"labels": ["a"]} if version == "0.4" else {"ome": {"version": version, "labels": ["a"]}})
            cells = labels.create_group("a")
            cells.attrs.update(image(version, rank, **{"image-label": label}))
            arrays_of(cells, rank, compressors=None, **how)
            pack("fuzz_tree", f"zarr_{version}_{rank}", folder)
    for version in ("0.4", "0.5"):
        with tempfile.TemporaryDirectory() as folder:  # bioformats2raw's layout: OME, series "0" and "1"
            group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
            mark = {"bioformats2raw.layout": 3}
            group.attrs.update(mark if version == "0.4" else {"ome": {"version": version, **mark}})
            series = {"series": ["0", "1"]}
            group.create_group("OME").attrs.update(series if version == "0.4" else {"ome": {"version": version, **series}})
            for name in "01":
                part = group.create_group(name)
                part.attrs.update(image(version, 3))
                arrays_of(part, 3, compressors=None)
            pack("fuzz_tree", f"series_{version}", folder)
        with tempfile.TemporaryDirectory() as folder:
            group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
            plate = {"plate": {"columns": [{"name": "1"}], "rows": [{"name": "A"}], "version": version,
                               "wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]}}
            group.attrs.update(plate if version == "0.4" else {"ome": {"version": version, **plate}})
            well = {"well": {"images": [{"path": "0"}]}}
            place = group.create_group("A").create_group("1")
            place.attrs.update(well if version == "0.4" else {"ome": {"version": version, **well}})
            field = place.create_group("0")
            field.attrs.update(image(version, 3))
            arrays_of(field, 3, compressors=None)
            pack("fuzz_tree", f"plate_{version}", folder)
    import ngff_zarr

    for version in ("0.4", "0.5"):
        with tempfile.TemporaryDirectory() as folder:
            array = ngff_zarr.to_ngff_image(np.arange(192, dtype="uint8").reshape(16, 12), dims=["y", "x"])
            ngff_zarr.to_ngff_zarr(folder + "/a", ngff_zarr.to_multiscales(array, scale_factors=[2], chunks=8), version=version)
            pack("fuzz_tree", f"ngff_zarr_{version}", folder + "/a")


def zip_seeds():
    os.makedirs(f"{here}/seeds/fuzz_zip", exist_ok=True)
    for name, method, is_zip64 in (("stored", zipfile.ZIP_STORED, False), ("deflated", zipfile.ZIP_DEFLATED, False), ("zip64", zipfile.ZIP_STORED, True)):
        with zipfile.ZipFile(f"{here}/seeds/fuzz_zip/{name}", "w", method) as file:
            file.comment = b'{"ome":{"version":"0.5"}}'
            for key in ("zarr.json", "a/zarr.json", "a/c/0/0"):
                info = zipfile.ZipInfo(key)
                info.compress_type = method
                with file.open(info, "w", force_zip64=is_zip64) as entry:
                    entry.write(b"12345678" * 4)


def describe_seeds():
    """How many pages of what kind, ImageJ's tags by tifffile, and a description: see fuzz_describe.cpp."""
    os.makedirs(f"{here}/seeds/fuzz_describe", exist_ok=True)

    def seed(name, text, n_pages=24, flags=0, counts=(), data=b""):
        data += bytes(-len(data) % 8)
        head = bytes([n_pages - 1, flags, len(counts), len(data) // 8]) + struct.pack(f"<{len(counts)}H", *counts)
        with open(f"{here}/seeds/fuzz_describe/{name}", "wb") as file:
            file.write(head + data + text.encode())

    def ome(inner, sizes='SizeX="8" SizeY="6" SizeZ="4" SizeC="2" SizeT="3"', root="", image=""):
        return (f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {root}><Image ID="Image:0" Name="a">{image}'
                f'<Pixels DimensionOrder="XYZCT" Type="uint16" {sizes} PhysicalSizeX="0.5" TimeIncrement="2">{inner}</Pixels></Image></OME>')

    channel = '<Channel ID="Channel:0" Name="&lt;a&gt;" Color="-16776961"/>'
    plane = '<Plane TheZ="0" TheC="0" TheT="{}" DeltaT="{}" PositionX="1" PositionXUnit="mm"/>'
    uuid = '<TiffData FirstC="{}" PlaneCount="3"><UUID FileName="{}.ome.tif">urn:uuid:{}</UUID></TiffData>'
    seed("ome", ome(channel + "<TiffData/>" + plane.format(0, 1) + plane.format(1, 3)))
    seed("ome_rgb", ome('<Channel SamplesPerPixel="3"/><TiffData IFD="0"/>', 'SizeX="8" SizeY="6" SizeZ="1" SizeC="3" SizeT="1"'), 1, 1)
    seed("ome_set", ome(uuid.format(0, "a", "a") + uuid.format(1, "b", "b"), root='UUID="urn:uuid:a"'))
    seed("ome_elsewhere", '<OME UUID="urn:uuid:a"><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:c"/></OME>')
    seed("ome_2003", '<OME><Image Name="a" DefaultPixels="p" PixelSizeX="1"><CreationDate>2003</CreationDate><ChannelInfo '
         'Name="a"><ChannelComponent ColorDomain="red"/></ChannelInfo><Pixels ID="p" DimensionOrder="XYZTC" SizeX="8" SizeY="6" '
         'SizeZ="4" SizeC="2" SizeT="3"><TiffData NumPlanes="9"/></Pixels></Image></OME>')
    table = np.zeros((3, 256), "uint8")
    for order in "<>":
        data, counts = tifffile.imagej_metadata_tag({"Info": "i", "Labels": ["a", "b"], "Ranges": (1., 2., 3., 4.), "LUTs": [table] * 2},
                                                    order)
        seed("imagej_" + ("little" if order == "<" else "big"), tifffile.imagej_description(
            (3, 4, 2, 6, 8), unit="\\u00B5m", spacing=-2, finterval=1), 24, 128, struct.unpack(
            f"{order}{counts[2]}I", counts[3]), data[3])
    seed("imagej_raw", "ImageJ=1.54f\nimages=4\nslices=4\n", 1, 8)
    seed("shaped", json.dumps({"shape": [3, 2, 4, 6, 8], "axes": "TCZYX", "name": "a", "other": [1]}))
    seed("shaped_old", "shape=(24, 6, 8)")
    seed("leica", '<?xml version="1.0"?><scn xmlns="a"><collection name="g" sizeX="9" sizeY="9"><image name="a"><pixels><dimension r="0" c="0" '
         'ifd="0"/><dimension r="0" c="1" ifd="2"/><dimension r="1" ifd="1"/></pixels><view sizeX="8000" sizeY="6000" offsetX="1"/></image>'
         '<image><pixels><dimension ifd="3"/></pixels><view sizeX="9" sizeY="9"/></image></collection></scn>', 4)
    seed("aperio", "Aperio Image Library v11\r\n8x6 |AppMag = 20|MPP = 0.5", 4, 4)


def pages_seeds():
    """Small TIFFs of several pages."""
    folder = f"{here}/seeds/fuzz_pages"
    os.makedirs(folder, exist_ok=True)
    planes = np.arange(3 * 8 * 8, dtype="uint16").reshape(3, 8, 8)
    grey = {"metadata": None, "photometric": "minisblack", "contiguous": False}
    for name, big, order, how in (("rows", False, "<", {}), ("big", True, "<", {"compression": "zlib", "rowsperstrip": 3}),
                                  ("big_endian", True, ">", {"compression": "zlib", "rowsperstrip": 3})):
        with tifffile.TiffWriter(f"{folder}/{name}", bigtiff=big, byteorder=order) as file:
            for plane in planes:
                file.write(plane, **grey, **how)
    with tifffile.TiffWriter(f"{folder}/pyramids") as file:
        for i in range(2):
            file.write(np.full((64, 64), i, "uint8"), subifds=1, tile=(16, 16), **grey)
            file.write(np.full((32, 32), i, "uint8"), subfiletype=1, tile=(16, 16), **grey)
    tifffile.imwrite(f"{folder}/rgb", np.zeros((2, 8, 8, 3), "uint8"), photometric="rgb", metadata=None, compression="zlib")
    tifffile.imwrite(f"{folder}/imagej", planes, imagej=True, metadata={"Labels": ["a", "b", "c"], "Ranges": (0.0, 1.0)})


reader_seeds()
part_seeds()
store_seeds()
seeds_of_others()
zip_seeds()
describe_seeds()
pages_seeds()
