// render.mjs MODULES URL: level 0 of the image at URL as ome-zarr.js renders it, RGBA, as a JSON list of bytes.
import {pathToFileURL} from 'node:url';

const [modules, url] = process.argv.slice(2);
const {NgffImage} = await import(pathToFileURL(`${modules}/ome-zarr.js/dist/ome-zarr.js`).href);
const image = await NgffImage.load(url);
const {data} = await image.renderRgba({arrayPathOrIndex: 0, autoBoost: false});
process.stdout.write(JSON.stringify(Array.from(data)));
