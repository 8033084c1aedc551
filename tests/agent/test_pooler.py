import itertools
import math

import pytest
import torch

from anx.agent.ops import round_to_20_bits, sinusoidal_table
from anx.agent.pooler import AttentionPooler, MeanPooler


def test_the_table_is_sines_in_even_columns_and_cosines_in_odd_ones():
    table = sinusoidal_table(16, 8)
    for row, column in itertools.product(range(16), range(8)):
        angle = row / 10000 ** (2 * (column // 2) / 8)
        assert table[row, column] == pytest.approx(math.sin(angle) if column % 2 == 0 else math.cos(angle), abs=1e-6)


OPTIONS = [
    {"num_queries": queries, "activation": activation, "bias": bias, "scale": scale, "value_message_size": v}
    for queries in (3, 64)  # with 3, the key projection is folded into the queries
    for activation in ("tanh", "softmax")
    for bias, scale, v in ((False, False, None), (True, True, 4))
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_attention_is_that_of_plain_loops(options):
    torch.manual_seed(0)
    pooler = AttentionPooler(6, 5, message_size=4, gain=0.7, **options).double()
    assert pooler.folds_key == (options["num_queries"] == 3)
    keys, values = torch.randn(9, 6).double(), torch.randn(9, 5).double()
    queries = [pooler.query(row) for row in pooler.table.double()]
    projected = [pooler.key(key) for key in keys]
    messages = [pooler.value(value) for value in values]
    scale = math.sqrt(4) if options["scale"] else 1.0
    latent = []
    for query in queries:
        logits = torch.stack([query @ key / scale for key in projected])
        weights = logits.tanh() if options["activation"] == "tanh" else logits.exp() / logits.exp().sum()
        total = sum(weight * message for weight, message in zip(weights, messages, strict=True))
        latent.append((0.7 * total).tanh())
    ours = pooler(pooler.prepare(), keys, values)
    torch.testing.assert_close(ours, torch.stack(latent), rtol=0, atol=2e-6)  # 2e-6: the sum is rounded to 20 bits


def test_a_mean_weighs_what_all_neurons_say_alike():
    pooler = MeanPooler(3, 2)
    keys, values = torch.randn(9, 3), torch.randn(9, 2)
    latent = pooler(pooler.prepare(), keys, values)
    assert latent.shape == pooler.latent_shape == (1, 5)
    torch.testing.assert_close(latent[0], torch.cat([keys.mean(0), values.mean(0)]).tanh())
    assert pooler.attend(pooler.prepare(), keys).shape == (9, 0)


def test_softmax_weights_of_a_query_sum_to_one_over_the_inputs():
    pooler = AttentionPooler(6, 5, activation="softmax", bias=True)
    attention = pooler.attend(pooler.prepare(), torch.randn(9, 6))
    assert attention.shape == (9, 16)
    torch.testing.assert_close(attention.sum(0), torch.ones(16))


def test_relu_layer_norm_normalises_each_latent():
    pooler = AttentionPooler(6, 5, value_message_size=32, output="relu_layer_norm").double()
    latent = pooler(pooler.prepare(), torch.randn(9, 6).double(), torch.randn(9, 5).double())
    torch.testing.assert_close(latent.mean(1), torch.zeros(16).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(latent.var(1, correction=0), torch.ones(16).double(), rtol=0, atol=1e-2)


def test_in_double_precision_order_and_repetition_do_not_change_a_bit():
    torch.manual_seed(0)
    pooler = AttentionPooler(8, 1).double()
    halved = AttentionPooler(8, 1, gain=0.5).double()
    halved.load_state_dict(pooler.state_dict())
    for _ in range(100):
        keys, values = torch.randn(28, 8).double(), torch.randn(28, 1).double()
        latent = pooler(pooler.prepare(), keys, values)
        order = torch.randperm(28)
        assert torch.equal(pooler(pooler.prepare(), keys[order], values[order]), latent)
        assert torch.equal(halved(halved.prepare(), keys.repeat(2, 1), values.repeat(2, 1)), latent)


@pytest.mark.parametrize("message_size", [None, 4])
def test_projections_of_queries_and_keys_start_as_much_larger_as_they_are_told_and_nothing_else_does(message_size):
    torch.manual_seed(0)
    one = AttentionPooler(key_size=3, value_size=2, message_size=message_size, value_message_size=5)
    torch.manual_seed(0)
    other = AttentionPooler(key_size=3, value_size=2, message_size=message_size, value_message_size=5, init_scale=16)
    scaled = {"query.weight", "key.weight"}
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], weight * (16 if name in scaled else 1), rtol=0, atol=0)


def test_rounding_keeps_20_bits():
    x = torch.randn(1000).double()
    rounded = round_to_20_bits(x)
    assert ((rounded - x).abs() <= x.abs() * 2.0**-20).all()
    assert torch.equal(round_to_20_bits(rounded), rounded)
    assert not torch.equal(rounded, x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_queries": 0}, "num_queries=0"),
        ({"queries": "random"}, "one of sinusoidal, learned"),
        ({"activation": "relu"}, "one of tanh, softmax"),
        ({"output": "none"}, "one of tanh, relu_layer_norm"),
    ],
)
def test_impossible_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionPooler(8, 1, **options)
