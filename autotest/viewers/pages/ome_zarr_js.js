// ome-zarr.js: one plane in its own rendering, and the pixels of level 0.
import {NgffImage} from 'ome-zarr.js';
import {get} from 'zarrita';

export async function show({url, plane}) {
  const image = await NgffImage.load(url);
  const shapes = await image.calcShapes();
  const slices = Object.fromEntries(Object.entries(plane).filter(([name]) => image.axes.some((axis) => axis.name === name)));
  const {data, width, height} = await image.renderRgba({arrayPathOrIndex: 0, slices, autoBoost: false});
  const canvas = document.body.appendChild(document.createElement('canvas'));
  [canvas.width, canvas.height] = [width, height];
  canvas.style = 'position: absolute; left: 0; top: 0';
  canvas.getContext('2d').putImageData(new ImageData(data, width, height), 0, 0);
  const array = await image.openArray(0);
  const level = await get(array);
  const bytes = new Uint8Array(level.data.buffer, level.data.byteOffset, level.data.byteLength);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return {levels: shapes, scales: image.getScales(), digest: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''),
          dtype: array.dtype, names: image.omero?.channels.map(({label}) => label)};
}
