// An agent's step in double precision: what anx.agent computes, of what anx.portable.port wrote down.

/** A matrix [rows, columns], row by row, times a vector [columns], plus a vector [rows] if there is one. */
function linear({ weight, bias }, x) {
  const columns = x.length, rows = weight.length / columns, y = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += weight[row * columns + column] * x[column];
    y[row] = bias ? sum + bias[row] : sum;
  }
  return y;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** 53 bits rounded to the first 20: the same sum in whatever order it was made (anx.agent.ops.round_to_20_bits). */
function sameInAnyOrder(x) {
  const spread = x * (2 ** 33 + 1);
  return spread - (spread - x);
}

/** Each: an input and the previous action, what the neuron carries -> its key, what it carries on; and how it begins. */
const NEURONS = {
  lstm: ({ hidden, input, recurrent }) => ({
    blank: () => ({ hidden: new Float64Array(hidden), memory: new Float64Array(hidden) }),
    step(seen, previous, before) {
      const gates = linear(input, [seen, ...previous]), again = linear(recurrent, before.hidden);
      const after = { hidden: new Float64Array(hidden), memory: new Float64Array(hidden) };
      for (let k = 0; k < hidden; k++) {
        const [i, f, g, o] = [0, 1, 2, 3].map((gate) => gates[gate * hidden + k] + again[gate * hidden + k]);
        after.memory[k] = sigmoid(f) * before.memory[k] + sigmoid(i) * Math.tanh(g);
        after.hidden[k] = sigmoid(o) * Math.tanh(after.memory[k]);
      }
      return { key: after.hidden, after };
    },
  }),
  stacked: ({ older, layer }) => ({
    blank: () => new Float64Array(older),
    step(seen, previous, before) {
      const stack = [...before, seen];
      return { key: linear(layer, [...stack, ...previous]).map(Math.tanh), after: Float64Array.from(stack.slice(1)) };
    },
  }),
  pass_through: () => ({ blank: () => null, step: (seen) => ({ key: [seen], after: null }) }),
};

/** Each: keys [N][K] and values [N] -> attention [N][M] and the latent code; `gain` scales what is pooled. */
const POOLERS = {
  attention: ({ queries, activation }) => (keys, values, gain) => {
    const attention = keys.map((key) => linear(queries, key)), latent = new Float64Array(attention[0].length);
    if (activation === "tanh") attention.forEach((row) => row.forEach((each, m) => (row[m] = Math.tanh(each))));
    else softmax(attention);
    for (let m = 0; m < latent.length; m++) {
      let sum = 0;
      attention.forEach((row, place) => (sum += row[m] * values[place]));
      latent[m] = Math.tanh(gain * sameInAnyOrder(sum));
    }
    return { attention, latent };
  },
  mean: () => (keys, values) => {
    const rows = keys.map((key, place) => [...key, values[place]]);
    const mean = rows[0].map((_, column) => rows.reduce((sum, row) => sum + row[column], 0) / rows.length);
    return { attention: rows.map(() => []), latent: Float64Array.from(mean, (each) => Math.tanh(sameInAnyOrder(each))) };
  },
  concatenation: () => (keys, values) => ({ attention: keys.map(() => []), latent: Float64Array.from(values) }),
};

/** Over the inputs, for each query, in place. */
function softmax(attention) {
  for (let m = 0; m < attention[0].length; m++) {
    const most = Math.max(...attention.map((row) => row[m]));
    attention.forEach((row) => (row[m] = Math.exp(row[m] - most)));
    const total = attention.reduce((sum, row) => sum + row[m], 0);
    attention.forEach((row) => (row[m] /= total));
  }
}

/** Numbers in base64 -> an array of doubles. */
export function numbers(base64) {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

/** What was written down of an agent, its numbers in base64 -> the agent: `start(n)`, `think(inputs, state, gain)`. */
export function makeAgent(told) {
  const { neuron, pooler, layers, head, felt, actions } = read(told);
  const own = NEURONS[neuron.kind](neuron), pool = POOLERS[pooler.kind](pooler);
  return {
    gain: told.gain,
    blank: own.blank,
    start: (count) => ({ neurons: Array.from({ length: count }, own.blank), previous: new Float64Array(actions) }),
    think(inputs, state, gain = told.gain) {
      const said = state.neurons.map((before, place) => own.step(inputs[place], state.previous.slice(0, felt), before));
      const { attention, latent } = pool(said.map(({ key }) => key), inputs, gain);
      const scores = linear(head, layers.reduce((x, layer) => linear(layer, x).map(Math.tanh), latent));
      const action = scores.map(Math.tanh);
      return { attention, latent, scores, action, state: { neurons: said.map(({ after }) => after), previous: action } };
    },
  };
}

/** The same with arrays of doubles in the place of {"doubles": base64}. */
function read(told) {
  if (Array.isArray(told)) return told.map(read);
  if (told === null || typeof told !== "object") return told;
  if ("doubles" in told) return numbers(told.doubles);
  return Object.fromEntries(Object.entries(told).map(([name, each]) => [name, read(each)]));
}
