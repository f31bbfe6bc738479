// viv: the windows and colours that the store's omero has, at one plane and one zoom.
import React from 'react';
import {createRoot} from 'react-dom/client';
import {loadOmeZarr} from '@vivjs/loaders';
import {PictureInPictureViewer} from '@vivjs/viewers';
import {DETAIL_VIEW_ID} from '@vivjs/views';

export async function show({url, width, height, zoom, plane}) {
  const {data, metadata} = await loadOmeZarr(url, {type: 'multiscales'});
  const {channels} = (metadata.ome ?? metadata).omero;
  const {labels, shape} = data[0];
  const selections = channels.map((_, c) =>
    Object.fromEntries(labels.slice(0, -2).map((label) => [label, label === 'c' ? c : plane[label] ?? 0])));
  const target = [shape[shape.length - 1] / 2, shape[shape.length - 2] / 2, 0];
  await new Promise((resolve) => {
    createRoot(document.body.appendChild(document.createElement('div'))).render(React.createElement(PictureInPictureViewer, {
      loader: data, selections, width, height, overviewOn: false, overview: {}, snapScaleBar: false,
      contrastLimits: channels.map(({window}) => [window.start, window.end]),
      colors: channels.map(({color}) => [0, 2, 4].map((i) => parseInt(color.slice(i, i + 2), 16))),
      channelsVisible: channels.map(() => true),
      viewStates: [{id: DETAIL_VIEW_ID, target, zoom: Math.log2(zoom)}],
      onViewportLoad: resolve,
    }));
  });
  return {levels: data.map((level) => level.shape), names: channels.map(({label}) => label)};
}
