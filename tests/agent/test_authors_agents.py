"""The authors' released agents against plain loops over their flat vectors, in double precision.

Ours round the pooled sum to 20 bits; the tolerances allow for that.
"""

import numpy as np
import torch
from conftest import make_agent

from anx.experiment.files.weights import load_into, read_weights


def act(agent, episode):
    """The actions [T, A] of an agent that is given observations [T, ...]."""
    inputs = torch.stack([agent.splitter(torch.from_numpy(observation)) for observation in episode]).double()
    state, prepared, actions = agent.initial_state(inputs.shape[1]), agent.prepare(), []
    with torch.no_grad():
        for each in inputs:
            action, state = agent(prepared, each, state)
            actions.append(action)
    return torch.stack(actions).numpy()


def split(vector, sizes):
    """A flat vector -> its parts by name."""
    parts, start = {}, 0
    for name, shape in sizes.items():
        parts[name] = vector[start : start + np.prod(shape)].reshape(shape)
        start += np.prod(shape)
    assert start == len(vector)
    return parts


def sinusoids(rows, columns=8):
    queries = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            angle = row / 10000 ** (2 * (column // 2) / columns)
            queries[row, column] = np.sin(angle) if column % 2 == 0 else np.cos(angle)
    return queries


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lstm(p, x, hidden, memory):
    i, f, g, o = np.split(p["w_ih"] @ x + p["b_ih"] + p["w_hh"] @ hidden + p["b_hh"], 4)
    memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(memory), memory


def normalise(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def load(reference, name, *overrides):
    path = reference(name)
    agent, _ = make_agent(*overrides)
    load_into(agent, read_weights(path), name)
    return agent, np.load(path)["params"].astype(np.float64)


LSTM = {"w_ih": (32, 2), "w_hh": (32, 8), "b_ih": (32,), "b_hh": (32,)}


def test_their_cart_pole_acts_as_their_equations_say(reference):
    agent, vector = load(reference, "cartpole_pi.npz")
    p = split(vector, LSTM | {"wq": (32, 8), "wk": (32, 8), "w": (1, 16), "b": (1,)})
    episode = np.random.RandomState(0).randn(50, 5)
    hidden, memory, action, theirs = np.zeros((5, 8)), np.zeros((5, 8)), np.zeros(1), []
    for observation in episode:
        for n in range(5):
            hidden[n], memory[n] = lstm(p, np.concatenate([observation[n : n + 1], action]), hidden[n], memory[n])
        attention = np.tanh((sinusoids(16) @ p["wq"].T) @ (hidden @ p["wk"].T).T)  # [M, N]
        action = np.tanh(p["w"] @ np.tanh(attention @ observation) + p["b"])
        theirs.append(action)
    np.testing.assert_allclose(act(agent, episode), np.stack(theirs), rtol=0, atol=1e-4)


def test_their_ant_acts_as_their_equations_say(reference):
    agent, vector = load(reference, "ant_pi.npz", "+experiment=ant")
    sizes = LSTM | {"w_ih": (32, 9), "wq": (32, 8), "bq": (32,), "wk": (32, 8), "bk": (32,)}
    p = split(vector, sizes | {"w1": (32, 32), "b1": (32,), "w2": (8, 32), "b2": (8,)})
    episode = np.random.RandomState(0).randn(50, 28)
    hidden, memory, action, theirs = np.zeros((28, 8)), np.zeros((28, 8)), np.zeros(8), []
    for observation in episode:
        for n in range(28):
            hidden[n], memory[n] = lstm(p, np.concatenate([observation[n : n + 1], action]), hidden[n], memory[n])
        queries, keys = sinusoids(32) @ p["wq"].T + p["bq"], hidden @ p["wk"].T + p["bk"]
        latent = np.tanh(np.tanh(queries @ keys.T / np.sqrt(32)) @ observation)
        action = np.tanh(p["w2"] @ np.tanh(p["w1"] @ latent + p["b1"]) + p["b2"])
        theirs.append(action)
    np.testing.assert_allclose(act(agent, episode), np.stack(theirs), rtol=0, atol=1e-4)


def test_their_car_drives_as_their_equations_say(reference):
    agent, vector = load(reference, "carracing_pi.npz", "+experiment=car_racing")
    sizes = {"wq": (16, 8), "bq": (16,), "wk": (16, 111), "bk": (16,), "wv": (16, 144), "bv": (16,)}
    sizes |= {"vq": (4, 16), "vbq": (4,), "vk": (4, 16), "vbk": (4,)}
    sizes |= {"w_ih": (64, 20), "w_hh": (64, 16), "b_ih": (64,), "b_hh": (64,), "w": (3, 16), "b": (3,)}
    p = split(vector, sizes | {"m1": (16, 19), "mb1": (16,), "m2": (1, 16), "mb2": (1,)})
    random = np.random.RandomState(0)
    # Soft blobs that move: the ten most voted must not hang on the last bits.
    coarse = random.randint(0, 256, (12, 16, 16)).astype(np.uint8)
    frames = np.kron(coarse, np.ones((1, 6, 6), np.uint8))
    frames = (frames * (0.5 + 0.5 * random.rand(12, 96, 96))).astype(np.uint8)
    episode = np.stack([frames[t : t + 4] for t in range(9)])  # [T, 4, 96, 96]
    queries = sinusoids(1024) @ p["wq"].T + p["bq"]
    hidden, memory, action, theirs = np.zeros(16), np.zeros(16), np.zeros(3), []
    smoothed, alpha = np.zeros((1024, 16)), 0.0
    for stack in episode / 255:
        keys, values = np.zeros((256, 111)), np.zeros((256, 144))
        for n in range(256):
            row, column = divmod(n, 16)
            patch = stack[:, 6 * row : 6 * row + 6, 6 * column : 6 * column + 6]
            keys[n] = np.concatenate([np.diff(patch, axis=0).transpose(1, 2, 0).ravel(), action])
            values[n] = normalise(patch.reshape(4, 36)).ravel()
        attention = softmax(queries @ (keys @ p["wk"].T + p["bk"]).T / np.sqrt(16))
        latent = normalise(np.maximum(attention @ (values @ p["wv"].T + p["bv"]), 0))
        smoothed = (1 - alpha) * latent + alpha * smoothed
        votes = softmax((smoothed @ p["vq"].T + p["vbq"]) @ (smoothed @ p["vk"].T + p["vbk"]).T).sum(0)
        chosen = np.argsort(-votes)[:10]
        seen = np.stack([chosen // 32, chosen % 32], axis=1).ravel() / 32
        hidden, memory = lstm(p, seen, hidden, memory)
        action = np.tanh(p["w"] @ hidden + p["b"])
        mixed = np.tanh(p["m1"] @ np.concatenate([hidden, action]) + p["mb1"])
        alpha = sigmoid(p["m2"] @ mixed + p["mb2"])
        theirs.append(action)
    np.testing.assert_allclose(act(agent, episode), np.stack(theirs), rtol=0, atol=1e-3)


def test_the_authors_attention_agent_sees_as_its_layout_says():
    """Its weights are not at hand: random ones, in the order in which theirs lie."""
    agent, _ = make_agent("+experiment=car_racing", "+ablation=attention_agent", sigma=0.05)
    vector = torch.nn.utils.parameters_to_vector(agent.parameters()).detach().numpy()
    sizes = {"wq": (4, 147), "bq": (4,), "wk": (4, 147), "bk": (4,)}
    p = split(
        vector, sizes | {"w_ih": (64, 20), "w_hh": (64, 16), "b_ih": (64,), "b_hh": (64,), "w": (3, 16), "b": (3,)}
    )
    episode = np.random.RandomState(0).randint(0, 256, (5, 3, 96, 96)).astype(np.uint8)
    hidden, memory, theirs = np.zeros(16), np.zeros(16), []
    for frame in episode.transpose(0, 2, 3, 1) / 255:
        corners = [(4 * i, 4 * j) for i in range(23) for j in range(23)]
        patches = np.stack([frame[i : i + 7, j : j + 7].ravel() for i, j in corners])
        votes = softmax((patches @ p["wq"].T + p["bq"]) @ (patches @ p["wk"].T + p["bk"]).T / 2).sum(0)
        seen = np.array([((i + 3) / 96, (j + 3) / 96) for i, j in np.array(corners)[np.argsort(-votes)[:10]]]).ravel()
        hidden, memory = lstm(p, seen, hidden, memory)
        theirs.append(np.tanh(p["w"] @ hidden + p["b"]))
    np.testing.assert_allclose(act(agent, episode), np.stack(theirs), rtol=0, atol=1e-6)


def test_their_plain_network_for_ant_acts_as_its_layout_says():
    """Its weights are not at hand: random ones, in the order in which theirs lie."""
    agent, _ = make_agent("+experiment=ant", "+ablation=fnn")
    vector = torch.nn.utils.parameters_to_vector(agent.parameters()).detach().numpy()
    p = split(vector, {"w1": (32, 28), "b1": (32,), "w2": (32, 32), "b2": (32,), "w3": (8, 32), "b3": (8,)})
    episode = np.random.RandomState(0).randn(5, 28).astype(np.float32)
    theirs = [np.tanh(p["w3"] @ np.tanh(p["w2"] @ np.tanh(p["w1"] @ x + p["b1"]) + p["b2"]) + p["b3"]) for x in episode]
    np.testing.assert_allclose(act(agent, episode), np.stack(theirs), rtol=0, atol=1e-9)
