// The world's picture, and on it the patches that are most attended to.

import { colour } from "./colours.js";

const MOST_ATTENDED = 0.1;
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const corner = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
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
  corner.drawImage(picture, -2, -2);
  fillAround(left, top, w, h, hello);
  if (hello.patches) highlight(frame, hello.patches, left, top, w, h);
}

/** What is beside a picture goes on as its corner does. */
function fillAround(left, top, w, h, hello) {
  const [r, g, b] = corner.getImageData(0, 0, 1, 1).data;
  canvas.classList.toggle("paper", !hello.patches && Math.min(r, g, b) > 240);
  context.fillStyle = hello.patches ? colour("well") : `rgb(${r} ${g} ${b})`;
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
