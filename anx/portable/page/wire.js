// The simulation, in this page: it takes the messages that a server would get, and gives those that one would send.

import { makeAgent, numbers } from "./agent.js";
import { draw, gripOf, observe, pull, start, step, whereOn } from "./cartpole.js";
import { colour } from "./colours.js";
import { Senses, randomOf } from "./senses.js";

const told = JSON.parse(document.getElementById("agent").textContent);
const agent = makeAgent(told.agent), starts = numbers(told.starts); // of the first seeds, as torch draws them
const REST = 1500, BURST = 12; // milliseconds between two episodes; of each frame, at most, for steps
const SEEDS = 2 ** 32 - 1;
const ABOUT_HANDS = "<tr><td><kbd>←</kbd> <kbd>→</kbd></td><td>push the pole; or pull at it, or at the cart, by hand</td></tr>";
const canvas = document.getElementById("picture");
const picture = document.createElement("canvas");

let on = {}, controls = told.controls, seed = told.seed, paused = false, speed = 1;
let senses, world, thought, inputs, tally, hand = null, due = 0, until = 0, last = 0, frames = 0;

/** As a server's: begins to play, tells `on` of it, returns what takes messages. */
export function connect(functions) {
  on = functions;
  canvas.width = picture.width = 600 * Math.min(2, Math.max(1, devicePixelRatio || 1));
  canvas.height = picture.height = (canvas.width * 2) / 3;
  document.querySelector("#help tbody").insertAdjacentHTML("beforeend", ABOUT_HANDS);
  queueMicrotask(() => {
    on.hello(told.hello);
    begin(seed);
    tell();
    requestAnimationFrame(goOn);
  });
  return (message) => does[message.do]?.(message);
}

function begin(own) {
  seed = own;
  const random = randomOf(seed, 7), known = 4 * seed < starts.length;
  world = known ? [...starts.subarray(4 * seed, 4 * seed + 4)] : start([0, 0, 0, 0].map(() => 2 * random() - 1));
  senses = new Senses(told.hello.inputs.length, agent, controls, seed);
  tally = { step: 0, total: 0, over: null };
  due = 0;
  look();
}

function look() {
  ({ inputs, thought } = senses.look(observe(world)));
  show();
}

/** A step of the world, a hand's pull included. */
function advance() {
  ({ inputs, thought } = senses.think(observe(world)));
  const next = step(world, thought.action[0]);
  world = hand ? pull(next.state, hand) : next.state;
  const count = tally.step + 1, over = next.done ? "ended" : count === told.hello.max_steps ? "time is up" : null;
  tally = { step: count, total: tally.total + next.reward, over };
  if (over) until = performance.now() + REST;
}

/** Called by the browser before each of its frames. */
function goOn(now) {
  requestAnimationFrame(goOn);
  const passed = Math.min(100, now - last);
  last = now;
  if (paused) return;
  if (tally.over) {
    if (performance.now() > until) next();
    return;
  }
  due += speed ? (passed / 1000) * told.hello.fps * speed : Infinity;
  const before = tally.step, end = performance.now() + BURST;
  for (; due >= 1 && !tally.over && performance.now() < end; due -= 1) advance();
  if (due > 100) due = 0; // slower than it should be, instead of catching up
  if (tally.step !== before) show();
}

function next() {
  begin((seed + 1) % SEEDS);
  tell();
}

/** A frame of how things stand. */
function show() {
  draw(picture.getContext("2d"), picture.width, picture.height, world, hand, colour);
  const attends = thought.attention[0]?.length > 0, [latent, scale] = asBytes(thought.latent);
  const lines = attends ? asBytes(thought.attention.flatMap((row) => [...row]), 1)[0] : new Uint8Array(0);
  const header = {
    frame: (frames += 1), seed, step: tally.step, return: tally.total, over: tally.over, action: [...thought.action],
    inputs, origins: senses.origins, scale, gain: senses.gain ?? null,
    attention: attends ? thought.attention.map((row) => row.reduce((sum, each) => sum + each, 0) / row.length) : [],
  };
  on.frame({ header, parts: { latent, lines }, picture });
}

/** Numbers as signed bytes, and what 127 stands for: the greatest of them, if that is not given. */
function asBytes(x, scale = Math.max(1e-9, ...x.map(Math.abs))) {
  const bytes = Int8Array.from(x, (each) => Math.round(Math.max(-1, Math.min(1, each / scale)) * 127));
  return [new Uint8Array(bytes.buffer), scale];
}

const tell = () => on.state({ ...controls, paused, speed: speed || null, seed });

function set(values) {
  controls = { ...controls, ...values };
  senses.disturb(controls);
  changed();
}

function changed() {
  tell();
  if (paused && !tally.over) look();
}

const does = {
  set: ({ do: _, ...values }) => set(values),
  shuffle() {
    if (!controls.shuffle) return set({ shuffle: true });
    senses.shuffle();
    changed();
  },
  pause(message) { paused = message.on ?? !paused; tell(); },
  step() {
    paused = true;
    if (tally.over) return next();
    advance();
    show();
    tell();
  },
  speed(message) { speed = message.times ?? 0; tell(); },
  restart(message) { begin(message.seed ?? seed); tell(); },
};

// A hand that pulls at what is on the track, and keys that push the pole.

function handAt(event) {
  const box = canvas.getBoundingClientRect();
  return whereOn(box.width, box.height, event.clientX - box.left, event.clientY - box.top);
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  const to = handAt(event);
  hand = { part: gripOf(world, to), to };
});
canvas.addEventListener("pointermove", (event) => { if (hand) hand = { ...hand, to: handAt(event) }; });
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (hand = null));

document.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way || ["INPUT", "SELECT"].includes(event.target.tagName) || document.getElementById("help").open) return;
  event.preventDefault();
  const [x, v, theta, w] = world;
  world = [x, v, theta, w + way * Math.sign(Math.cos(theta)) * 2];
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(show));

// What a test, or a curious person in the console, may look at.
globalThis.parts = { agent, observe, step, starts, Senses };
