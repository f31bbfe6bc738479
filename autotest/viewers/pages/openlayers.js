// OpenLayers: the colours of the page's style, one screen pixel per image pixel (or zoom times that). A store without a CRS is
// shown in a plane of its own: the page gives its extent.
import Map from 'ol/Map.js';
import View from 'ol/View.js';
import WebGLTileLayer from 'ol/layer/WebGLTile.js';
import Projection from 'ol/proj/Projection.js';
import GeoZarr from 'ol/source/GeoZarr.js';

export async function show({url, width, height, zoom, plane, channels, size, background}) {
  const [rows, columns] = size;
  const n = channels.length;
  const extent = [0, 0, columns, rows];
  const meta = await (await fetch(`${url}/zarr.json`)).json();
  const isGeo = 'proj:code' in meta.attributes;
  const dimensions = {...plane, ...(n > 1 ? {c: channels.map((_, c) => c)} : {})};
  const source = new GeoZarr({
    url, variable: 'image', dimensions, transition: 0,
    ...(isGeo ? {} : {extent, projection: new Projection({code: 'PLANE', units: 'pixels', extent})}),
  });
  source.setProperties({interpolate: false});
  await new Promise((resolve, reject) => source.on('change', () => {
    if (source.getState() === 'ready') resolve();
    if (source.getState() === 'error') reject(source.error_);
  }));
  // The sum over the channels of colour * (value - start) / (end - start).
  const part = channels.map(({window: [start, end]}, c) => ['clamp', ['/', ['-', ['band', c + 1], start], end - start], 0, 1]);
  const light = [0, 1, 2].map((k) => ['clamp', ['+', 0, ...channels.map(({color}, c) => ['*', color[k], part[c]])], 0, 255]);
  const alpha = source.hasAlpha ? ['band', n + 1] : 1;
  const layer = new WebGLTileLayer({source, style: {color: ['color', ...light, alpha]}});
  const whole = source.tileGrid.getExtent();
  const target = document.body.appendChild(document.createElement('div'));
  target.style = `width: ${width}px; height: ${height}px; background: ${background}`;
  const map = new Map({target, layers: [layer], controls: [], view: new View({
    projection: source.projection, center: [(whole[0] + whole[2]) / 2, (whole[1] + whole[3]) / 2],
    resolution: (whole[2] - whole[0]) / columns / zoom, constrainResolution: false, minResolution: 1e-9, maxResolution: 1e9,
  })});
  await new Promise((resolve) => map.once('rendercomplete', resolve));
  return {extent: whole, code: source.projection.getCode?.() ?? source.projection, levels: source.tileGrid.getResolutions(), hasAlpha: source.hasAlpha};
}
