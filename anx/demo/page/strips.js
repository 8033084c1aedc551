// What goes on over time: attention and code as strips, the return as a line.

import { colour, shade, sharp } from "./colours.js";

const WINDOW = 200; // frames that a strip shows
const MOST_ROWS = 96;

/** Rows of colours that scroll to the left. */
export class Strip {
  constructor(canvas) {
    this.canvas = canvas;
    this.past = Object.assign(document.createElement("canvas"), { width: WINDOW, height: 1 });
    this.paint = this.past.getContext("2d");
  }

  clear() { this.paint.clearRect(0, 0, WINDOW, this.past.height); }

  /** Values from -1 to 1, one a row; null where there is none. */
  add(values) {
    const rows = Math.min(values.length, MOST_ROWS), column = new ImageData(1, rows);
    if (this.past.height !== rows) this.past.height = rows; // empties it
    for (let row = 0; row < rows; row++) if (values[row] !== null) column.data.set([...shade(values[row]), 255], 4 * row);
    this.paint.globalCompositeOperation = "copy";
    this.paint.drawImage(this.past, -1, 0);
    this.paint.putImageData(column, WINDOW - 1, 0);
  }

  draw() {
    const { context, width, height } = sharp(this.canvas);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.past, 0, 0, width, height);
  }
}

/** Attention to each sense in its own order, then to noise; copies are one, missing ones null. */
export function inOwnOrder(frame, count) {
  const total = Array(count).fill(0), times = Array(count).fill(0), noise = [];
  frame.origins.forEach((origin, place) => {
    if (origin < 0) noise.push(frame.attention[place]);
    else { total[origin] += frame.attention[place]; times[origin] += 1; }
  });
  return [...total.map((each, place) => (times[place] ? each / times[place] : null)), ...noise];
}

/** Numbers [rows, columns] as one picture. */
export function drawTable(canvas, values, rows, columns) {
  const { context, width, height } = sharp(canvas), image = new ImageData(rows, columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      image.data.set([...shade(values[row * columns + column] / 127), 255], (column * rows + row) * 4);
  const small = Object.assign(document.createElement("canvas"), { width: rows, height: columns });
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = rows > width;
  context.drawImage(small, 0, 0, width, height);
}

/** The return over the steps of an episode, before those of earlier ones. */
export class Returns {
  constructor(canvas) {
    this.canvas = canvas;
    this.earlier = [];
    this.now = blank();
  }

  /** A new episode; the last one stays in the background. */
  begin() {
    if (this.now.points.length > 1) this.earlier = [...this.earlier.slice(-7), this.now];
    this.now = blank();
  }

  add(step, total) {
    if (total === null) return;
    this.now.points.push([step, total]);
    this.now.high = Math.max(this.now.high, total);
    this.now.low = Math.min(this.now.low, total);
  }

  /** Something has befallen the senses. */
  mark(step) { this.now.marks.push(step); }

  draw() {
    const { context, width, height } = sharp(this.canvas), left = 44, bottom = height - 18;
    const all = [...this.earlier, this.now];
    const most = niceTop(Math.max(1, ...all.map((each) => each.points.at(-1)?.[0] ?? 1)));
    const high = niceTop(Math.max(1, ...all.map((each) => each.high)));
    const low = -niceTop(Math.max(0, ...all.map((each) => -each.low)));
    const x = (step) => left + (step / most) * (width - left - 6), y = (total) => 8 + ((high - total) / (high - low || 1)) * (bottom - 12);
    axes(context, x, y, most, low, high, width, bottom);
    const line = (each, style, wide) => {
      context.beginPath();
      each.points.forEach(([step, total], at) => (at ? context.lineTo(x(step), y(total)) : context.moveTo(x(step), y(total))));
      Object.assign(context, { strokeStyle: style, lineWidth: wide });
      context.stroke();
    };
    context.globalAlpha = 0.45;
    this.earlier.forEach((each) => line(each, colour("faint"), 1.2));
    context.globalAlpha = 1;
    this.now.marks.forEach((step) => {
      context.fillStyle = colour("warm");
      context.fillRect(x(step) - 1, bottom - 11, 2, 11);
    });
    line(this.now, colour("primary"), 2);
  }
}

const blank = () => ({ points: [], marks: [], high: 0, low: 0 });

function axes(context, x, y, most, low, high, width, bottom) {
  Object.assign(context, { font: "11px system-ui, sans-serif", fillStyle: colour("faint"), strokeStyle: colour("line"), lineWidth: 1 });
  const lines = y(low) - y(0) <= 16 ? [0, high / 2, high] : y(0) - y(high) <= 16 ? [low, low / 2, 0] : [low, 0, high];
  for (const total of lines) {
    context.beginPath();
    context.moveTo(x(0), y(total));
    context.lineTo(width, y(total));
    context.stroke();
    Object.assign(context, { textAlign: "right", textBaseline: "middle" });
    context.fillText(short(total), x(0) - 6, y(total));
  }
  Object.assign(context, { textAlign: "right", textBaseline: "alphabetic" });
  context.fillText(`${short(most)} steps`, width - 2, bottom + 14);
}

function short(number) {
  return Math.abs(number) >= 10000 ? `${number / 1000}k` : String(Math.round(number * 100) / 100);
}

/** The next number of 1, 2, 5, 10, ... that is as large. */
function niceTop(number) {
  if (number <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= number * 0.999);
}

