// Buttons, sliders and keys -> messages; what the simulation says -> how they stand.

const byId = (id) => document.getElementById(id);
const SPEEDS = ["0.1", "0.25", "0.5", "1", "2", "4", ""];
const EVERY = 80; // milliseconds between two messages of one slider

let send = () => {}, hello = null, state = null;
const waiting = new Map(); // of sliders that are moved

/** Begins to send, for the agent that `hello` tells of. */
export function begin(sender, told) {
  [send, hello] = [sender, told];
  const count = hello.inputs.length || 1, fixed = hello.fixed_inputs !== null, many = Boolean(hello.patches);
  const [, most] = hello.allowed.ratio;
  Object.assign(byId("ratio"), { max: many ? most * 100 : Math.min(count - 1, Math.floor(most * count)), step: many ? 5 : 1 });
  byId("channels").max = Math.min(many ? 50 : 20, hello.allowed.channels[1]);
  byId("times").max = hello.allowed.times[1];
  for (const id of ["ratio", "times", "channels", "sigma"]) byId(id).disabled = fixed;
  byId("fixed").hidden = !fixed;
  byId("fixed").textContent = fixed ? `This agent takes ${hello.fixed_inputs} inputs, no more and no fewer: it can only be shuffled.` : "";
  byId("gain-row").hidden = hello.gain === null || fixed;
  byId("actuators-row").hidden = hello.discrete || hello.actuators.length < 2;
  byId("dropped").max = byId("actuators-row").hidden ? 0 : hello.actuators.length;
  byId("dropped").disabled = byId("actuators-row").hidden;
  byId("background-row").hidden = !hello.backgrounds.length;
  const names = hello.backgrounds.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name }));
  byId("background").replaceChildren(byId("background").options[0], ...names);
}

/** Shows how things stand. */
export function show(told) {
  state = told;
  byId("pause").textContent = state.paused ? "Go on" : "Pause";
  option(byId("speed"), state.speed === null ? "" : String(state.speed), "×");
  if (document.activeElement !== byId("seed-input")) byId("seed-input").value = state.seed;
  option(byId("every"), state.every === null ? "" : String(state.every));
  byId("order").disabled = !state.shuffle;
  value("ratio", missing(state.ratio), (shown) => shown ? (hello.patches ? `${shown} %` : `${shown} of ${hello.inputs.length}`) : "none");
  value("times", state.times, (shown) => ["one each", "two each", "three each", "four each"][shown - 1]);
  value("channels", state.channels, (shown) => shown || "none");
  value("sigma", state.sigma, (shown) => `σ ${Number(shown).toFixed(2)}`);
  value("dropped", Math.round(state.dropped * hello.actuators.length), (shown) => shown ? `${shown} of ${hello.actuators.length}` : "none");
  byId("own").disabled = !state.permute;
  byId("gain").checked = state.gain;
  byId("background").value = state.background ?? "";
  byId("undisturb").disabled = !disturbed(state);
}

/** What befalls the senses, in a word or two. */
export function inWords(told) {
  const parts = [];
  if (told.ratio) parts.push(hello.patches ? `${missing(told.ratio)} % missing` : `${missing(told.ratio)} missing`);
  if (told.times > 1) parts.push(`${told.times} copies`);
  if (told.channels) parts.push(`${told.channels} of noise`);
  if (told.shuffle) parts.push(told.every ? `shuffled every ${told.every}` : "shuffled");
  if (told.permute) parts.push("actuators permuted");
  if (told.dropped) parts.push(`${Math.round(told.dropped * hello.actuators.length)} do nothing`);
  if (told.background) parts.push(`before ${told.background}`);
  return parts.join(", ") || "in order";
}

function disturbed(told) {
  return inWords(told) !== "in order";
}

/** A share of the inputs as the slider has it: how many, or of patches how many per cent; and back. */
const missing = (ratio) => Math.round(ratio * (hello.patches ? 100 : hello.inputs.length));
const ratioOf = (shown) => shown / (hello.patches ? 100 : hello.inputs.length);

function option(select, chosen, unit = "") {
  if (![...select.options].some((each) => each.value === chosen)) select.add(new Option(chosen + unit, chosen));
  select.value = chosen;
}

function value(id, shown, text) {
  if (!waiting.has(id)) byId(id).value = shown;
  byId(`${id}-value`).textContent = text(Number(byId(id).value));
}

const set = (values) => send({ do: "set", ...values });

/** A slider sends where it is, but not each pixel of its way. */
function slides(id, valuesOf) {
  byId(id).addEventListener("input", () => {
    if (!waiting.has(id))
      waiting.set(id, setTimeout(() => { waiting.delete(id); set(valuesOf(Number(byId(id).value))); }, EVERY));
    if (state && hello) show(state);
  });
}

slides("ratio", (shown) => ({ ratio: ratioOf(shown) }));
slides("times", (times) => ({ times }));
slides("channels", (channels) => ({ channels }));
slides("sigma", (sigma) => ({ sigma }));
slides("dropped", (shown) => ({ dropped: shown / hello.actuators.length }));
byId("gain").addEventListener("change", () => set({ gain: byId("gain").checked }));
byId("background").addEventListener("change", () => set({ background: byId("background").value || null }));
byId("every").addEventListener("change", () => set({ shuffle: true, every: Number(byId("every").value) || null }));
byId("speed").addEventListener("change", () => send({ do: "speed", times: Number(byId("speed").value) || null }));

const undone = { ratio: 0, times: 1, channels: 0, sigma: 0.1, shuffle: false, every: null, permute: false, dropped: 0, background: null };
const actions = {
  shuffle: () => send({ do: "shuffle" }),
  order: () => set({ shuffle: false, every: null }),
  permute: () => { if (!byId("actuators-row").hidden) send({ do: "permute" }); },
  own: () => set({ permute: false }),
  undisturb: () => set(undone),
  pause: () => send({ do: "pause", on: !state.paused }),
  one: () => send({ do: "step" }),
  restart: () => {
    const seed = byId("seed-input");
    send({ do: "restart", seed: seed.value !== "" && seed.checkValidity() ? Number(seed.value) : null });
    seed.blur();
  },
};
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", () => state && action());
byId("seed-input").addEventListener("keydown", (event) => event.key === "Enter" && state && actions.restart());
byId("help-button").addEventListener("click", () => byId("help").showModal());

function faster(by) {
  const at = SPEEDS.indexOf(state.speed === null ? "" : String(state.speed));
  const next = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (at < 0 ? 3 : at) + by))];
  send({ do: "speed", times: Number(next) || null });
}

function more(id) {
  const slider = byId(id);
  if (slider.disabled) return;
  slider.value = Number(slider.value) >= Number(slider.max) ? slider.min : Number(slider.value) + Number(slider.step);
  slider.dispatchEvent(new Event("input"));
}

function nextBackground() {
  const all = [null, ...hello.backgrounds];
  if (all.length > 1) set({ background: all[(all.indexOf(state.background) + 1) % all.length] });
}

const keys = {
  s: actions.shuffle, o: actions.order, 0: actions.undisturb, " ": actions.pause, ".": actions.one,
  r: () => send({ do: "restart", seed: null }), n: () => send({ do: "restart", seed: (state.seed + 1) % 2 ** 32 }),
  p: actions.permute, d: () => more("dropped"),
  m: () => more("ratio"), c: () => more("times"), v: () => more("channels"), b: nextBackground,
  "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const on = event.target.tagName, typing = on === "INPUT" && event.target.type === "number";
  if (typing || (on === "SELECT" && event.key !== "?") || (["BUTTON", "INPUT"].includes(on) && event.key === " ")) return;
  if (event.key === "?") return byId("help").showModal();
  const action = keys[event.key.toLowerCase()];
  if (!action || !state) return;
  event.preventDefault();
  action();
});
