// Scalars: which sense leads to which neuron, what the neurons' attention is, the code, the action.

import { colour, hue, shadeCss, sharp } from "./colours.js";

const EASE = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : 450; // milliseconds
const HEAD = 20; // pixels, for what the columns are
const LINES = 5; // shades of attention's lines, each sign
const canvas = document.getElementById("mind");
let wires = new Map(); // by sense and copy: where its end is, where it was, where it goes, since when

export const isMoving = () => [...wires.values()].some((wire) => wire.at !== wire.to);

/** Each input's identity: the sense that it is, or noise, and which copy. */
function identities(origins) {
  const seen = new Map();
  return origins.map((origin) => {
    const copy = seen.get(origin) || 0;
    seen.set(origin, copy + 1);
    return { origin, copy, key: `${origin}/${copy}` };
  });
}

function follow(ids, now) {
  const next = new Map();
  ids.forEach(({ key }, place) => {
    const old = wires.get(key) || { at: place, from: place, to: place, since: now };
    if (old.to !== place) Object.assign(old, { from: old.at, to: place, since: now });
    const part = Math.min(1, (now - old.since) / EASE);
    old.at = part < 1 ? old.from + (old.to - old.from) * (1 - (1 - part) ** 3) : old.to;
    next.set(key, old);
  });
  wires = next;
}

/** Draws all of it. */
export function drawWiring(frame, parts, hello, now) {
  const { context, width, height: whole } = sharp(canvas), height = whole - HEAD;
  const ids = identities(frame.origins);
  follow(ids, now);
  const names = hello.inputs, noise = ids.filter(({ origin }) => origin < 0);
  const count = names.length + noise.length;
  const narrow = width < 440;
  const x = columns(width, narrow);
  const row = (place, of) => 6 + ((place + 0.5) * (height - 12)) / of;
  const value = new Map(ids.map(({ origin, copy }, place) => [origin < 0 ? `-1/${copy}` : origin, frame.inputs[place]]));
  drawHead(context, x, narrow);
  context.translate(0, HEAD);
  const font = Math.max(8, Math.min(12.5, (height - 12) / count - 1));
  context.font = `${font}px system-ui, sans-serif`;
  context.textBaseline = "middle";

  drawLines(context, frame, parts, hello, x, (place) => row(place, ids.length), (at) => row(at, hello.latent[0]));
  const sense = ({ origin, copy }) => (origin < 0 ? names.length + copy : origin);
  ids.forEach((id, place) => {
    const end = row(wires.get(id.key).at, ids.length), start = row(sense(id), count);
    context.strokeStyle = id.origin < 0 ? colour("faint") : hue(id.origin, names.length);
    context.setLineDash(id.origin < 0 ? [3, 4] : []);
    context.lineWidth = Math.max(1, Math.min(2.2, 60 / ids.length));
    curve(context, x.port, start, x.neuron, end);
    context.setLineDash([]);
    drawNeuron(context, x.neuron, row(place, ids.length), frame.attention[place], (height - 12) / ids.length);
  });
  for (let place = 0; place < count; place++) {
    const isNoise = place >= names.length;
    const shown = value.get(isNoise ? `-1/${place - names.length}` : place);
    drawSense(context, isNoise ? "noise" : names[place], shown, row(place, count), x, font);
  }
  drawCode(context, parts.latent, hello.latent, x, height);
  drawActions(context, frame, hello, x, width, height);
}

function drawHead(context, x, narrow) {
  Object.assign(context, { font: "12px system-ui, sans-serif", fillStyle: colour("faint"), textBaseline: "middle" });
  const heads = [["right", "senses", x.label - 2], ["center", "neurons", x.neuron], ["center", "code", x.code + 8], ["left", "action", x.action]];
  for (const [align, text, at] of narrow ? heads.slice(0, 3) : heads) {
    context.textAlign = align;
    context.fillText(text, at, 7);
  }
}

function columns(width, narrow) {
  const label = narrow ? 0.25 * width : 0.215 * width;
  return { label, bar: label + 6, barWidth: narrow ? 22 : 44, port: label + (narrow ? 32 : 56), neuron: 0.55 * width, code: 0.76 * width, action: 0.87 * width };
}

function curve(context, x0, y0, x1, y1) {
  const middle = (x0 + x1) / 2;
  context.beginPath();
  context.moveTo(x0, y0);
  context.bezierCurveTo(middle, y0, middle, y1, x1, y1);
  context.stroke();
}

function drawSense(context, name, value, y, x, font) {
  context.textAlign = "right";
  context.fillStyle = colour("ink");
  context.globalAlpha = value === undefined ? 0.4 : 1; // it is missing
  if (font > 8) context.fillText(shortened(context, name, x.label - 2), x.label - 2, y);
  context.globalAlpha = 1;
  const middle = x.bar + x.barWidth / 2;
  context.fillStyle = colour("line");
  context.fillRect(x.bar, y - 0.5, x.barWidth, 1);
  if (value === undefined || value === null) return;
  const long = (Math.tanh(value / 2) * x.barWidth) / 2, thick = Math.max(2, Math.min(8, font * 0.6));
  context.fillStyle = value < 0 ? colour("cold") : colour("warm");
  context.fillRect(Math.min(middle, middle + long), y - thick / 2, Math.max(1, Math.abs(long)), thick);
}

function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  while (text.length > 2 && context.measureText(text + "…").width > width) text = text.slice(0, -1);
  return text + "…";
}

function drawNeuron(context, x, y, attention, room) {
  const radius = Math.max(1.5, Math.min(7, room * 0.36));
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = attention === undefined ? colour("card") : shadeCss(attention || 0);
  context.fill();
  context.strokeStyle = colour("faint");
  context.lineWidth = 1;
  context.stroke();
}

/** Attention of each query to each neuron: a line, the fuller the stronger. */
function drawLines(context, frame, parts, hello, x, from, to) {
  const queries = hello.latent[0], lines = new Int8Array(parts.lines.slice().buffer);
  if (!lines.length) return;
  const most = lines.reduce((most, each) => Math.max(most, Math.abs(each)), 1);
  const paths = Array.from({ length: 2 * LINES }, () => new Path2D());
  const start = x.neuron + 8, middle = (start + x.code) / 2;
  for (let place = 0; place < frame.origins.length; place++)
    for (let query = 0; query < queries; query++) {
      const weight = lines[place * queries + query] / most;
      const level = Math.min(LINES - 1, Math.floor(Math.abs(weight) * LINES));
      if (!level) continue;
      const path = paths[weight < 0 ? level : LINES + level];
      path.moveTo(start, from(place));
      path.bezierCurveTo(middle, from(place), middle, to(query), x.code - 2, to(query));
    }
  const thin = Math.max(0.15, Math.min(1, 10 / Math.sqrt(lines.length)));
  paths.forEach((path, at) => {
    context.strokeStyle = at < LINES ? colour("cold") : colour("warm");
    context.globalAlpha = (thin * (at % LINES)) / LINES;
    context.stroke(path);
  });
  context.globalAlpha = 1;
}

function drawCode(context, latent, [rows, columnsOf], x, height) {
  const values = new Int8Array(latent.slice().buffer), room = (height - 12) / rows;
  const width = Math.min(16, Math.max(2, 40 / columnsOf));
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < Math.min(columnsOf, 20); column++) {
      context.fillStyle = shadeCss(values[row * columnsOf + column] / 127);
      context.fillRect(x.code + column * width, 6 + row * room, width - 1, Math.max(1, room - 1));
    }
}

/** One bar a component of the action, with the actuator that it drives, if any; or the button that is pressed. */
export function drawActions(context, { action, drives }, hello, x, width, height) {
  const count = action.length, room = Math.min(44, (height - 12) / count), top = (height - room * count) / 2;
  const left = x.action, wide = width - left - 2;
  context.textAlign = "left";
  context.font = `${Math.max(8, Math.min(12, room * 0.36))}px system-ui, sans-serif`;
  action.forEach((value, place) => {
    const y = top + place * room, bar = Math.max(3, Math.min(10, room * 0.3));
    const driven = drives ? drives[place] : place, name = driven < 0 ? "nothing" : hello.actuators[driven];
    context.globalAlpha = driven < 0 ? 0.4 : 1;
    context.fillStyle = driven === place || driven < 0 ? colour("faint") : colour("warm");
    if (room > 14) context.fillText(shortened(context, name, wide), left, y + room * 0.3);
    const at = y + room * (room > 14 ? 0.68 : 0.5);
    context.fillStyle = colour("line");
    context.fillRect(left, at - bar / 2, wide, bar);
    context.fillStyle = value < 0 ? colour("cold") : colour("warm");
    if (hello.discrete) {
      if (value > 0.5) context.fillRect(left, at - bar / 2, wide, bar);
      return;
    }
    const within = Math.max(-1, Math.min(1, value || 0));
    if (hello.one_sided[driven]) {
      context.fillStyle = colour("warm");
      context.fillRect(left, at - bar / 2, Math.max(1, ((within + 1) * wide) / 2), bar);
    } else context.fillRect(left + wide / 2 + Math.min(0, (within * wide) / 2), at - bar / 2, Math.max(1, (Math.abs(within) * wide) / 2), bar);
  });
  context.globalAlpha = 1;
}
