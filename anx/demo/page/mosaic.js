// Patches: the inputs as tiles in the order in which the agent gets them, and its action.

import { colour, sharp } from "./colours.js";
import { mostAttended } from "./stage.js";
import { drawActions } from "./wiring.js";

const canvas = document.getElementById("mind");
const tiles = document.createElement("canvas"); // a pixel a pixel, and one between patches

/** Rows and columns for so many tiles: the frame's where they fit, else more in about its shape. */
function gridFor(count, [rows, columns]) {
  if (count <= rows * columns) return [rows, columns];
  const wide = Math.ceil(Math.sqrt((count * columns) / rows));
  return [Math.ceil(count / wide), wide];
}

/** Draws all of it. */
export function drawMosaic(frame, parts, hello) {
  const { context, width, height } = sharp(canvas);
  const { size, coloured, grid } = hello.patches, count = frame.origins.length;
  const [rows, columns] = gridFor(count, grid), cell = size + 1;
  paintTiles(parts.patches, count, rows, columns, size, coloured, mostAttended(frame.attention));
  const scale = Math.min((width * 0.8) / tiles.width, height / tiles.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(tiles, 0, (height - tiles.height * scale) / 2, tiles.width * scale, tiles.height * scale);
  const action = Math.max(columns * cell * scale + 24, width - 150);
  drawActions(context, frame, hello, { action }, width, height);
}

function paintTiles(pixels, count, rows, columns, size, coloured, attended) {
  const cell = size + 1, context = tiles.getContext("2d");
  if (tiles.width !== columns * cell || tiles.height !== rows * cell)
    Object.assign(tiles, { width: columns * cell, height: rows * cell });
  const image = context.createImageData(tiles.width, tiles.height);
  const warm = new Set(attended), channels = coloured ? 3 : 1;
  for (let place = 0; place < count; place++) {
    const top = Math.floor(place / columns) * cell, left = (place % columns) * cell, tint = warm.has(place);
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const from = ((place * size + y) * size + x) * channels, to = ((top + y) * tiles.width + left + x) * 4;
        for (let c = 0; c < 3; c++) {
          const value = pixels[from + (coloured ? c : 0)];
          image.data[to + c] = tint ? value / 2 + [128, 64, 0][c] : value;
        }
        image.data[to + 3] = 255;
      }
  }
  context.putImageData(image, 0, 0);
}

/** Attention to each patch where it is on the frame, [rows, columns] of colours; missing ones are empty. */
export function drawAttentionMap(canvasOf, frame, hello) {
  const { context, width, height } = sharp(canvasOf);
  const [rows, columns] = hello.patches.grid, most = Math.max(...frame.attention), least = Math.min(...frame.attention);
  const spread = most - least > 0.01 * Math.abs(most) ? most - least : Infinity; // else it is the same everywhere
  const total = new Map();
  frame.origins.forEach((origin, place) => {
    if (origin >= 0) total.set(origin, Math.max(total.get(origin) || 0, frame.attention[place] || 0));
  });
  const cell = Math.min(width / columns, height / rows), left = (width - cell * columns) / 2, top = (height - cell * rows) / 2;
  context.fillStyle = colour("warm");
  for (const [origin, value] of total) {
    context.globalAlpha = 0.12 + 0.88 * ((value - least) / spread);
    context.fillRect(left + (origin % columns) * cell, top + Math.floor(origin / columns) * cell, cell - 0.6, cell - 0.6);
  }
  context.globalAlpha = 1;
}
