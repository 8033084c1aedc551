// The page: what the simulation sends, drawn as it comes.

import { begin, inWords, show } from "./controls.js";
import { drawAttentionMap, drawMosaic } from "./mosaic.js";
import { drawStage } from "./stage.js";
import { Returns, Strip, drawTable, inOwnOrder } from "./strips.js";
import { connect } from "./wire.js";
import { drawWiring, isMoving } from "./wiring.js";

const byId = (id) => document.getElementById(id);
const MOST_NUMBERS = 96; // of a code that is drawn over time, a row each
const OVER = { ended: "it is over", "time is up": "time is up" };

const attention = new Strip(byId("attention")), code = new Strip(byId("code")), returns = new Returns(byId("returns"));
const episodes = []; // that are over, the newest first
let hello = null, state = null, latest = null, fresh = false, picture = null, befell = "in order", alive = true, resized = false;

// What a test, or a curious person in the console, may look at.
globalThis.demo = { drawn: 0, latest: null, state: null };

const send = connect({
  hello(told) {
    hello = told;
    byId("name").textContent = told.name;
    byId("which").textContent = `${told.weights ?? "untrained"}, ${told.parameters.toLocaleString("en")} parameters`;
    document.title = `${told.name}: an agent whose senses can be shuffled`;
    byId("lead").textContent = lead(told);
    byId("mind-title").textContent = told.patches ? "What it gets, in this order" : "From senses to action";
    byId("mind-note").textContent = told.patches ? "patches of the newest frame; the most attended tenth in orange" : "";
    if (told.patches) byId("attention-note").textContent = "where on the frame its attention is";
    if (told.patches || told.latent[0] * told.latent[1] > MOST_NUMBERS)
      byId("code-note").textContent = `what is left of all senses: ${told.latent[0]} × ${told.latent[1]} numbers, now`;
    begin(send, told);
  },
  state(told) {
    if (state && inWords(told) !== inWords(state)) tell(inWords(told));
    state = globalThis.demo.state = told;
    show(told);
  },
  refused(why) { notice(why, 6000); },
  failed(why) { alive = false; notice(why); },
  async frame({ header, parts, picture: blob }) {
    const decoded = blob ? await createImageBitmap(blob) : null;
    if (latest && header.frame < latest.header.frame) return;
    picture?.close();
    picture = decoded;
    latest = { header, parts };
    fresh = true;
    remember(header, parts);
    requestAnimationFrame(draw);
  },
  end() { if (alive) notice("The simulation has ended: reload the page for another one, once it is served."); },
});

/** What there is to know beforehand, in two sentences. */
function lead(told) {
  const what = told.patches ? "Every patch of the picture that this agent sees" : "Every sense of this agent";
  if (told.fixed_inputs !== null) return `${what} has its place in one network, as is usual. Shuffle them, and see.`;
  const how = `${what} goes to its own copy of one small network.`;
  return told.weights === null
    ? `${how} It is untrained and knows nothing yet, in whatever order they come.`
    : `${how} Shuffle them, take some away, add noise: it goes on.`;
}

/** What figures over time keep of a frame. */
function remember(frame, parts) {
  const seed = frame.seed, last = globalThis.demo.latest;
  if (!last || frame.step < last.step || seed !== last.seed) {
    returns.begin();
    for (const strip of [attention, code]) strip.clear();
    befell = inWords(state ?? { ratio: 0, times: 1, channels: 0 });
  }
  if (state && inWords(state) !== befell.split(" → ").at(-1)) {
    befell = frame.step ? `${befell} → ${inWords(state)}` : inWords(state);
    if (frame.step) returns.mark(frame.step);
  } else if (state?.shuffle && last && frame.step > 1 && String(last.origins) !== String(frame.origins)) returns.mark(frame.step);
  returns.add(frame.step, frame.return);
  if (frame.over) episode(frame);
  if (!hello.patches && frame.attention.length) {
    const own = inOwnOrder(frame, hello.inputs.length);
    scale = Math.max(scale * 0.998, 1e-6, ...own.map((each) => Math.abs(each ?? 0)));
    attention.add(own.map((each) => (each === null ? null : each / scale)));
  }
  if (!hello.patches && hello.latent[0] * hello.latent[1] <= MOST_NUMBERS)
    code.add(Array.from(new Int8Array(parts.latent.slice().buffer), (each) => each / 127));
  globalThis.demo.latest = frame;
}
let scale = 1e-6; // the strongest attention of late

function episode(frame) {
  episodes.unshift([frame.seed, befell.split(" → ").slice(-2).join(" → "), frame.step, short(frame.return)]);
  episodes.length = Math.min(episodes.length, 6);
  byId("episodes").replaceChildren(...episodes.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text, at) => Object.assign(document.createElement("td"), { textContent: text, className: at > 1 ? "number" : "" })));
    return row;
  }));
  tell(`episode ${frame.seed}: return ${short(frame.return)}`);
}

/** Draws what is new. The picture is drawn each time; of what is beside it one half now, the other next time. */
function draw(now) {
  if (!latest) return;
  const { header: frame, parts } = latest;
  if (fresh) {
    const turn = globalThis.demo.drawn % 2, all = state?.paused || frame.over || frame.step === 0 || resized;
    drawStage(picture, frame, hello);
    figures(frame);
    if (all || turn === 0) drawMind(frame, parts, now);
    if (all || turn === 1) drawOverTime(frame, parts);
    if (all || globalThis.demo.drawn % 8 === 7) returns.draw(); // it hardly moves
    globalThis.demo.drawn += 1;
    send({ do: "seen", frame: frame.frame });
    count(now);
    fresh = resized = false;
  } else if (!hello.patches && isMoving()) drawMind(frame, parts, now);
  if (!hello.patches && isMoving()) requestAnimationFrame(draw);
}

function drawMind(frame, parts, now) {
  if (hello.patches) drawMosaic(frame, parts, hello);
  else drawWiring(frame, parts, hello, now);
}

function drawOverTime(frame, parts) {
  if (!hello.patches) attention.draw();
  else if (frame.attention.length) drawAttentionMap(byId("attention"), frame, hello);
  if (hello.patches || hello.latent[0] * hello.latent[1] > MOST_NUMBERS)
    drawTable(byId("code"), new Int8Array(parts.latent.slice().buffer), ...hello.latent);
  else code.draw();
}

function figures(frame) {
  byId("return").textContent = short(frame.return);
  byId("step").textContent = frame.step;
  byId("seed").textContent = frame.seed;
  byId("over").hidden = !frame.over;
  byId("over").textContent = OVER[frame.over] ?? "";
  const inputs = frame.origins.length, of = hello.inputs.length;
  byId("inputs-count").textContent = inputs === of ? `${inputs} inputs` : `${inputs} inputs instead of ${of}`;
  byId("gain-value").textContent = frame.gain === null ? "" : `(gain ${frame.gain.toFixed(2)})`;
  if (!frame.attention.length) byId("attention-note").textContent = "this agent has no attention";
}

const times = [];
function count(now) {
  times.push(now);
  while (times[0] < now - 1000) times.shift();
  byId("rate").textContent = times.length > 5 && !state?.paused ? `${times.length} frames/s` : "";
}

const short = (number) => (number === null ? "–" : number.toFixed(Math.abs(number) < 100 ? 1 : 0).replace(/^-(0\.0)$/, "$1"));

let hides = 0;
function notice(text, milliseconds) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
  clearTimeout(hides);
  if (milliseconds) hides = setTimeout(() => (byId("notice").hidden = true), milliseconds);
}

function tell(text) { byId("told").textContent = text; }

// Another size, or another scheme of colours: all is drawn again.
function again() {
  fresh = resized = Boolean(latest);
  requestAnimationFrame(draw);
}
addEventListener("resize", again);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(again));
