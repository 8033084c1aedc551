// CartPoleSwingUpHarder in double precision: anx.envs.cartpole.

const GRAVITY = 9.82, CART_MASS = 0.5, POLE_MASS = 0.5, POLE_LENGTH = 0.6, FRICTION = 0.1, FORCE = 10, DT = 0.01;
const X_LIMIT = 2.4;

/** Position (m), velocity, angle from upright (rad), angular velocity -> what the agent observes. */
export const observe = ([x, v, theta, w]) => [x, v, Math.cos(theta), Math.sin(theta), w];

/** A state, an action from -1 to 1 -> the next state, its reward, whether the cart has left the track. */
export function step([x, v, theta, w], action) {
  const force = FORCE * Math.min(1, Math.max(-1, action)), s = Math.sin(theta), c = Math.cos(theta);
  const m = POLE_MASS, length = POLE_LENGTH, total = CART_MASS + POLE_MASS;
  const push = force - FRICTION * v, swing = m * length * w ** 2 * s;
  const xAccel = (-2 * swing + 3 * m * GRAVITY * s * c + 4 * push) / (4 * total - 3 * m * c ** 2);
  const thetaAccel =
    (-3 * swing * c + 6 * total * GRAVITY * s + 6 * push * c) / (4 * length * total - 3 * m * length * c ** 2);
  const state = [x + DT * v, v + DT * xAccel, theta + DT * w, w + DT * thetaAccel];
  const reward = ((Math.cos(state[2]) + 1) / 2) * Math.cos((state[0] / X_LIMIT) * (Math.PI / 2));
  return { state, reward, done: Math.abs(state[0]) > X_LIMIT };
}

/** A start like those that torch draws, of four numbers from -1 to 1. */
export const start = ([a, b, c, d]) => [a * X_LIMIT, b * 10, c * (Math.PI / 2) + Math.PI, d * 10];

/** A hand that pulls at the pole's tip, or at the cart, towards a point (m): the state after that. */
export function pull([x, v, theta, w], { part, to }) {
  if (part === "cart") return [x, v + DT * clip(40 * (to[0] - x) - 4 * v, 60), theta, w];
  const along = [Math.sin(theta), Math.cos(theta)], away = [to[0] - x, to[1]];
  const turn = away[0] * along[1] - away[1] * along[0]; // towards the point, from the hinge
  return [x, v, theta, w + DT * clip(150 * turn - 3 * w, 120)];
}

const clip = (x, most) => Math.min(most, Math.max(-most, x));

const LOW = 0.52; // where the track is, of a picture's height

/** Metres a picture shows, and back: of a canvas [width, height]. */
function scaleOf(width) { return width / (2 * X_LIMIT + 0.6); }

/** A point of the picture -> metres from the track's middle, up is positive. */
export function whereOn(width, height, px, py) {
  const scale = scaleOf(width);
  return [(px - width / 2) / scale, (height * LOW - py) / scale];
}

/** What a hand at a point (m) has hold of: the cart, if it is nearer than the pole's tip. */
export function gripOf([x, , theta], [px, py]) {
  const tip = Math.hypot(px - x - POLE_LENGTH * Math.sin(theta), py - POLE_LENGTH * Math.cos(theta));
  return Math.hypot(px - x, py) < Math.min(tip, 0.35) ? "cart" : "pole";
}

/** Draws a state, and a hand, if there is one; `colour` gives a colour by its name. */
export function draw(context, width, height, [x, , theta], hand, colour) {
  const scale = scaleOf(width), ground = height * LOW, at = width / 2 + x * scale;
  const tip = [at + POLE_LENGTH * scale * Math.sin(theta), ground - POLE_LENGTH * scale * Math.cos(theta)];
  context.fillStyle = colour("well");
  context.fillRect(0, 0, width, height);
  Object.assign(context, { lineCap: "round", strokeStyle: colour("line"), lineWidth: scale * 0.03 });
  line(context, [width / 2 - X_LIMIT * scale, ground], [width / 2 + X_LIMIT * scale, ground]);
  for (const end of [-X_LIMIT, X_LIMIT])
    line(context, [width / 2 + end * scale, ground - 0.1 * scale], [width / 2 + end * scale, ground + 0.1 * scale]);
  context.fillStyle = colour("primary");
  context.beginPath();
  context.roundRect(at - 0.25 * scale, ground - 0.125 * scale, 0.5 * scale, 0.25 * scale, 0.05 * scale);
  context.fill();
  Object.assign(context, { strokeStyle: colour("warm"), fillStyle: colour("warm"), lineWidth: 0.06 * scale });
  line(context, [at, ground], tip);
  dot(context, tip, 0.065 * scale);
  dot(context, [at, ground], 0.045 * scale);
  if (!hand) return;
  const to = [width / 2 + hand.to[0] * scale, ground - hand.to[1] * scale];
  Object.assign(context, { strokeStyle: colour("faint"), fillStyle: colour("faint"), lineWidth: 0.015 * scale });
  context.setLineDash([0.06 * scale, 0.05 * scale]);
  line(context, hand.part === "cart" ? [at, ground] : tip, to);
  context.setLineDash([]);
  dot(context, to, 0.04 * scale);
}

function line(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

function dot(context, at, radius) {
  context.beginPath();
  context.arc(...at, radius, 0, 2 * Math.PI);
  context.fill();
}
