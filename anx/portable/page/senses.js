// What befalls the inputs: some are missing, come several times, noise joins, all are shuffled (anx.perturb.inputs).

/** Random numbers from 0 to 1 of a seed: sfc32, whose first ones are thrown away. */
export function randomOf(...seed) {
  let [a, b, c, d] = [seed[0] | 0, (seed[1] ?? 0) | 0, 0x9e3779b9 | 0, 1];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

function orderOf(count, random) {
  const keys = Array.from({ length: count }, random);
  return keys.map((_, place) => place).sort((a, b) => keys[a] - keys[b]);
}

/** The inputs of one episode: who is there, in which order, and what each neuron remembers. */
export class Senses {
  constructor(count, agent, controls, seed) {
    Object.assign(this, { count, agent, seed, controls, changes: 0, t: 0, random: randomOf(seed) });
    this.missing = this.order = null;
    this.plug();
    this.state = agent.start(this.origins.length);
  }

  /** Which sense each input is, -1 for noise: drawn anew only where their number has changed. */
  plug() {
    const { ratio, times, channels, shuffle } = this.controls, gone = Math.round(ratio * this.count);
    if (this.missing?.length !== gone) this.missing = orderOf(this.count, this.random).slice(0, gone);
    const there = [...Array(this.count).keys()].filter((each) => !this.missing.includes(each));
    this.there = [...Array(times).fill(there).flat(), ...Array(channels).fill(-1)];
    if (!shuffle) this.order = null;
    else if (this.order?.length !== this.there.length) this.order = orderOf(this.there.length, this.random);
  }

  get origins() { return this.order ? this.order.map((place) => this.there[place]) : this.there; }

  /** What scales the pooled sum: less, where there are more inputs; undefined where nothing does. */
  get gain() {
    if (this.agent.gain === null) return undefined;
    return this.agent.gain / (this.controls.gain ? Math.max(1, this.there.length / this.count) : 1);
  }

  /** What befalls them changes within an episode: who stays keeps what it remembers, who is new begins with nothing. */
  disturb(controls) {
    const before = numbered(this.origins), was = this.controls, neurons = this.state.neurons;
    this.controls = controls;
    this.random = randomOf(this.seed, (this.changes += 1));
    this.plug();
    if (["ratio", "times", "channels"].every((name) => was[name] === controls[name])) return;
    const at = new Map(before.map((each, place) => [each, place]));
    const own = (each) => (at.has(each) ? neurons[at.get(each)] : this.agent.blank());
    this.state = { ...this.state, neurons: numbered(this.origins).map(own) };
  }

  /** A new order, now; every neuron hears another sense than it remembers. */
  shuffle() { this.order = orderOf(this.there.length, this.random); }

  /** Observation -> inputs and how the agent comes to its action. `look` changes nothing, `think` is a step. */
  look(observation) {
    const inputs = this.there.map((origin) => (origin < 0 ? this.controls.sigma * normal(this.random) : observation[origin]));
    const given = this.order ? this.order.map((place) => inputs[place]) : inputs;
    return { inputs: given, thought: this.agent.think(given, this.state, this.gain) };
  }

  think(observation) {
    const { shuffle, every } = this.controls;
    if (this.t && shuffle && every && this.t % every === 0) this.shuffle();
    this.t += 1;
    const seen = this.look(observation);
    this.state = seen.thought.state;
    return seen;
  }
}

/** Each origin with how often it came before. */
function numbered(origins) {
  const seen = new Map();
  return origins.map((origin) => {
    seen.set(origin, (seen.get(origin) ?? -1) + 1);
    return `${origin}/${seen.get(origin)}`;
  });
}
