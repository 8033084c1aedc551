// The world's picture, and on it the patches that are most attended to.

import { colour } from "./colours.js";

const MOST_ATTENDED = 0.1;
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const corners = Object.assign(document.createElement("canvas"), { width: 4, height: 1 })
  .getContext("2d", { willReadFrequently: true });

/** Which inputs are the most attended tenth, at least one. */
export function mostAttended(attention) {
  const order = attention.map((_, place) => place).sort((a, b) => attention[b] - attention[a]);
  return attention.length ? order.slice(0, Math.max(1, Math.round(MOST_ATTENDED * attention.length))) : [];
}

/** Draws a decoded picture (null: there is none) and what is attended to of it. */
export function drawStage(picture, frame, hello) {
  const { width, height } = canvas;
  context.fillStyle = colour("well");
  context.fillRect(0, 0, width, height);
  if (!picture) {
    context.fillStyle = colour("faint");
    context.font = "16px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText("this world draws no pictures", width / 2, height / 2);
    return;
  }
  const scale = Math.min(width / picture.width, height / picture.height);
  const w = picture.width * scale, h = picture.height * scale;
  const left = (width - w) / 2, top = (height - h) / 2;
  context.imageSmoothingEnabled = picture.width > 200;
  context.drawImage(picture, left, top, w, h);
  fillAround(picture, left, top, w, h);
  if (hello.patches) highlight(frame, hello.patches, left, top, w, h);
}

/** The colour of a picture's corners [r, g, b]; null where they differ. */
function cornerOf(picture) {
  const right = picture.width - 3, bottom = picture.height - 3;
  [[2, 2], [right, 2], [2, bottom], [right, bottom]].forEach(([x, y], at) => corners.drawImage(picture, x, y, 1, 1, at, 0, 1, 1));
  const data = corners.getImageData(0, 0, 4, 1).data, first = [...data.slice(0, 3)];
  return data.every((value, at) => at % 4 === 3 || Math.abs(value - first[at % 4]) < 8) ? first : null;
}

/** What is beside a picture goes on as its corners do. */
function fillAround(picture, left, top, w, h) {
  const around = cornerOf(picture);
  canvas.classList.toggle("paper", around !== null && Math.min(...around) > 240);
  context.fillStyle = around === null ? colour("well") : `rgb(${around.join(" ")})`;
  if (top > 0.5) {
    context.fillRect(0, 0, canvas.width, top);
    context.fillRect(0, top + h, canvas.width, canvas.height - top - h);
  }
  if (left > 0.5) {
    context.fillRect(0, 0, left, canvas.height);
    context.fillRect(left + w, 0, canvas.width - left - w, canvas.height);
  }
}

function highlight(frame, patches, left, top, w, h) {
  const [rows, columns] = patches.frame;
  context.fillStyle = "rgb(255 128 0 / 0.42)";
  for (const place of mostAttended(frame.attention)) {
    const origin = frame.origins[place];
    if (origin < 0) continue; // noise is nowhere on the picture
    const y = Math.floor(origin / patches.grid[1]) * patches.stride, x = (origin % patches.grid[1]) * patches.stride;
    context.fillRect(left + (x * w) / columns, top + (y * h) / rows, (patches.size * w) / columns, (patches.size * h) / rows);
  }
}
