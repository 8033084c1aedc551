// The page's colours on a canvas, light or dark, and canvases as sharp as the screen.

const dark = matchMedia("(prefers-color-scheme: dark)");
let named = {};

function read() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "faint", "line", "card", "well", "cold", "warm", "primary", "light"])
    named[name] = style.getPropertyValue(`--${name}`).trim();
  for (const name of ["cold", "warm", "well"]) named[`${name}Rgb`] = rgb(named[name]);
}
read();
dark.addEventListener("change", read);

/** A colour of the style sheet by its name. */
export const colour = (name) => named[name];

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** -1 to 1 -> [r, g, b]: cold below zero, warm above, the ground at zero. */
export function shade(value) {
  const to = value < 0 ? named.coldRgb : named.warmRgb;
  const part = Math.min(1, Math.abs(value));
  return named.wellRgb.map((from, at) => Math.round(from + (to[at] - from) * part));
}

/** The same as a colour of CSS. */
export const shadeCss = (value) => `rgb(${shade(value).join(" ")})`;

/** A colour for one of `count` senses, by its place: neighbours look alike. */
export function hue(place, count) {
  return `oklch(${named.light} 0.13 ${235 - (195 * place) / Math.max(1, count - 1)})`;
}

/** A canvas as sharp as the screen -> its context, width and height in CSS pixels, empty. */
export function sharp(canvas) {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
