"""What a notebook shows of an image: a small picture and a table."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ._sources import as_pixels, stored_dtype

if TYPE_CHECKING:
    from ._model import Multiscales, NgffImage

MOST = 256  # pixels of a side


def _png(rgb: np.ndarray[Any, Any]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, _ = rgb.shape
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def _plane(image: NgffImage, channel: int) -> np.ndarray[Any, Any]:
    """One plane, thinned to a small size, in 0 to 1 between its 2nd and 98th percentile."""
    key = tuple({"t": slice(0, 1), "z": slice(n // 2, n // 2 + 1), "c": slice(channel, channel + 1)}.get(
        d, slice(None, None, max(1, -(-n // MOST)))) for d, n in zip(image.dims, image.shape))
    block = image.source[key]
    block = block.compute() if hasattr(block, "compute") else block
    plane = np.abs(as_pixels(block, stored_dtype(image.dtype)).reshape([len(range(n)[k]) for d, k, n in zip(
        image.dims, key, image.shape) if d in "yx"])).astype(float)
    if list(image.dims).index("x") < list(image.dims).index("y"):
        plane = plane.T
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    scaled: np.ndarray[Any, Any] = np.nan_to_num(np.clip((plane - low) / ((high - low) or 1.0), 0, 1))
    return scaled


def picture(image: NgffImage, colors: list[str | None]) -> bytes:
    """A PNG: the first three channels in their colours, or the only one in grey; the middle z, the first t."""
    n_channels = dict(zip(image.dims, image.shape)).get("c", 1)
    standard = ["FFFFFF"] if n_channels == 1 else ["FF0000", "00FF00", "0000FF"]
    total: Any = 0.0
    for channel in range(min(n_channels, 3)):
        color = (colors[channel] if channel < len(colors) else None) or standard[channel]
        weights = np.array([int(color.lstrip("#")[i:i + 2], 16) / 255 for i in (0, 2, 4)])
        total = total + _plane(image, channel)[:, :, None] * weights
    return _png(np.round(255 * np.clip(total, 0, 1)).astype(np.uint8))


def multiscales_html(multiscales: Multiscales, is_cheap: bool) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(dataset.path)}</td><td>{' × '.join(map(str, image.shape))}</td>"
        f"<td>{', '.join(f'{d} {s:g} ' + html.escape((image.axes_units or {}).get(d, '')) for d, s in image.scale.items())}</td></tr>"
        for dataset, image in zip(multiscales.metadata.datasets, multiscales.images))
    first = multiscales.images[0]
    shown = ""
    if is_cheap:  # a level that nobody has made yet is not made for a picture
        omero = multiscales.metadata.omero
        png = picture(multiscales.images[-1], [c.color for c in omero.channels] if omero else [])
        shown = f'<img style="image-rendering:pixelated" src="data:image/png;base64,{base64.b64encode(png).decode()}"/>'
    return (f"<div><b>{html.escape(multiscales.metadata.name)}</b>, {first.dtype}, axes {', '.join(first.dims)}<br/>{shown}"
            f"<table><tr><th>level</th><th>shape</th><th>scale</th></tr>{rows}</table></div>")
