"""Poolers: what N neurons say -> a latent code of fixed size."""

import math
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anx.agent.base import Prepared
from anx.agent.ops import Gains, check_positive, normalise, same_in_any_order, sinusoidal_table
from anx.errors import check_choice

PUBLISHED_MESSAGE = 32  # features of the authors' messages for scalars
MANY_INPUTS = 64  # from so many on a softmax over rows of them is faster than one over columns


class AttentionPooler(nn.Module):
    """M fixed queries attend to N inputs: latent = output(gain * attention(Wq Q, Wk keys) @ Wv values).

    Tang & Ha 2021, equations 2 to 4. The sum runs over the inputs, so their order does not matter.

    Args:
        key_size: features of a neuron's key, K.
        value_size: features of a neuron's value, V.
        num_inputs: not needed: the code has the same size for any number of inputs.
        num_queries: M, rows of the latent code.
        query_size: columns of the table Q.
        queries: Q is the fixed `sinusoidal` table, or `learned` with the other parameters, from that table on.
        message_size: features into which queries and keys are projected, d. null: only the queries are, into the keys'
            K; Q Wq^T Wk is then one matrix and no more than that, and all of its numbers count.
        value_message_size: features into which values are projected; null takes the values as they are.
        activation: `tanh` weighs each input by itself, `softmax` lets the inputs compete.
        bias: whether the projections have one.
        scale: whether dot products are divided by sqrt(d); without d by sqrt(K).
        output: `tanh`, or `relu_layer_norm` over a latent's features.
        gain: scales the pooled sum before `output`; 0.5 accounts for twice the inputs.
        value_gains: features of a value that have a learnt gain and offset, the same in each row of so many: of pixels,
            frame by frame; null: none have.
        output_gains: whether the features of the latent code have, after `output`.
        init_scale: how many times torch's own the projections of queries and keys are at the start. Where keys are what
            moved between frames, dot products start near 0, and all inputs are attended to alike.
    """

    takes_counts = True

    def __init__(
        self,
        key_size: int,
        value_size: int,
        num_inputs: int | None = None,
        *,
        num_queries: int = 16,
        query_size: int = 8,
        queries: Literal["sinusoidal", "learned"] = "sinusoidal",
        message_size: int | None = 32,
        value_message_size: int | None = None,
        activation: Literal["tanh", "softmax"] = "tanh",
        bias: bool = False,
        scale: bool = False,
        output: Literal["tanh", "relu_layer_norm"] = "tanh",
        gain: float = 1.0,
        value_gains: int | None = None,
        output_gains: bool = False,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_positive(num_queries=num_queries, query_size=query_size, init_scale=init_scale)
        check_positive(message_size=message_size, value_message_size=value_message_size)
        if value_gains is not None and (value_gains < 1 or value_size % value_gains):
            raise ValueError(f"value_gains={value_gains} must be null or divide the {value_size} features of a value")
        check_choice("queries", queries, ("sinusoidal", "learned"))
        check_choice("activation", activation, ("tanh", "softmax"))
        check_choice("output", output, ("tanh", "relu_layer_norm"))
        self.as_published = partial(
            AttentionPooler,
            key_size,
            value_size,
            num_queries=num_queries,
            query_size=query_size,
            queries=queries,
            message_size=message_size or PUBLISHED_MESSAGE,
            value_message_size=value_message_size,
            activation=activation,
            bias=bias,
            scale=scale,
            output=output,
            gain=gain,
            value_gains=value_gains,
            output_gains=output_gains,
            init_scale=init_scale,
        )
        self.activation = activation
        self.output = output
        self.gain = gain
        self.scale = scale
        self.temperature = math.sqrt(message_size or key_size) if scale else 1.0
        self.latent_shape = (num_queries, value_message_size or value_size)
        self.table: Tensor
        table = sinusoidal_table(num_queries, query_size)
        if queries == "learned":
            self.table = nn.Parameter(table)
            self.own_start = ("table",)  # queries of 0 would all be the same
        else:
            self.register_buffer("table", table, persistent=False)
        self.query = nn.Linear(query_size, message_size or key_size, bias=bias)
        self.key = nn.Linear(key_size, message_size, bias=bias) if message_size else None
        # What the keys' bias comes to; where inputs compete, it is the same for all of them.
        self.offset = nn.Linear(query_size, 1) if bias and not message_size and activation == "tanh" else None
        self.value = nn.Linear(value_size, value_message_size, bias=bias) if value_message_size else nn.Identity()
        self.value_gains = Gains(value_gains) if value_gains else nn.Identity()
        self.output_gains = Gains(self.latent_shape[1]) if output_gains else nn.Identity()
        for projection in filter(None, (self.query, self.key)):
            projection.weight.data *= init_scale
        # (Wq Q)(Wk k + b)^T = (Wq Q Wk) k^T + (Wq Q) b^T: with few queries it is cheaper to move Wk to their side,
        # once an agent instead of once an input and step.
        self.folds_key = not message_size or num_queries * key_size < message_size * (key_size + num_queries)

    def converted(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights with or without projected keys -> as this pooler has them.

        Queries (Wq q + bq) and keys (Wk k + bk) meet in q Wq^T Wk k + bq Wk k + q Wq^T bk + bq bk.

        Raises:
            ValueError: its messages are shorter than the keys.
        """
        wq, bq = weights["query.weight"], weights.get("query.bias")  # [d, Q], [d]
        if ("key.weight" in weights) == (self.key is not None):
            return weights
        kept = {name: value for name, value in weights.items() if name.split(".")[0] not in ("query", "key", "offset")}
        size = len(wq) if self.key is None else self.key.weight.shape[1]
        factor = self.temperature / math.sqrt(size) if self.scale else 1.0
        if self.key is None:
            wk, bk = weights["key.weight"], weights.get("key.bias")  # [d, K], [d]
            kept["query.weight"] = factor * wk.T @ wq
            if bq is not None and bk is not None:
                kept["query.bias"] = factor * wk.T @ bq
                if self.offset is not None:
                    kept["offset.weight"], kept["offset.bias"] = factor * (bk @ wq)[None], factor * (bk @ bq)[None]
            return kept
        return kept | self._with_keys(weights, factor)

    def _with_keys(self, weights: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
        """Weights without projected keys -> queries and keys that are projected: keys are copied, and their bias is a
        feature of its own, which is 1."""
        assert self.key is not None
        wq = weights["query.weight"]  # [K, Q]
        offset = "offset.weight" in weights
        if len(wq) + offset > len(self.key.weight):
            raise ValueError(f"message_size={len(self.key.weight)} must be at least {len(wq) + offset}")
        message, size = self.key.weight.shape
        projected = {
            "query.weight": wq.new_zeros(message, wq.shape[1]),
            "key.weight": torch.eye(message, size, dtype=wq.dtype),
        }
        projected["query.weight"][:size] = factor * wq
        if "query.bias" in weights:
            projected["query.bias"], projected["key.bias"] = wq.new_zeros(message), wq.new_zeros(message)
            projected["query.bias"][:size] = factor * weights["query.bias"]
        if offset:
            projected["query.weight"][size] = factor * weights["offset.weight"][0]
            projected["query.bias"][size] = factor * weights["offset.bias"][0]
            projected["key.bias"][size] = 1
        return projected

    def prepare(self) -> Prepared:
        """What attention needs that no input changes: queries [M, K or d] and their offsets [M]."""
        queries = self.query(self.table) / self.temperature  # [M, d]
        if self.offset is not None:
            return queries, self.offset(self.table)[:, 0] / self.temperature
        if self.key is None or not self.folds_key:
            return queries, queries.new_zeros(len(queries))
        offsets = queries @ self.key.bias if self.key.bias is not None else queries.new_zeros(len(queries))
        return queries @ self.key.weight, offsets

    def attend(self, prepared: Prepared, keys: Tensor) -> Tensor:
        """Keys [N, K] -> attention weights [N, M]."""
        return self._attention(prepared, keys).T

    def _attention(self, prepared: Prepared, keys: Tensor, counts: Tensor | None = None) -> Tensor:
        """Keys [N, K] -> attention weights [M, N], in memory as each activation is worked out fastest."""
        queries, offsets = prepared
        keys = keys if self.key is None or self.folds_key else self.key(keys)
        if self.activation == "tanh":
            weights = F.linear(keys, queries, offsets).tanh().T
            return weights if counts is None else weights * counts
        # A query's offset is the same for all inputs: it changes nothing.
        if counts is None and len(keys) >= MANY_INPUTS:
            return (queries @ keys.T).softmax(dim=-1)
        dots = keys @ queries.T  # few rows of length M: a compiled step is 3.4 times as fast as with M rows of 5
        return (dots if counts is None else dots + counts.log().unsqueeze(1)).softmax(dim=0).T

    def forward(self, prepared: Prepared, keys: Tensor, values: Tensor, counts: Tensor | None = None) -> Tensor:
        """Keys [N, K], values [N, V], how many inputs each stands for [N] (None: one) -> latent code [M, V']."""
        pooled = self._attention(prepared, keys, counts) @ self.value(self.value_gains(values))  # [M, V']
        pooled = self.gain * same_in_any_order(pooled)
        return self.output_gains(pooled.tanh() if self.output == "tanh" else normalise(pooled.relu()))


class PoolerWithoutAttention(nn.Module):
    """What poolers that attend to nothing have in common."""

    def prepare(self) -> Prepared:
        """Nothing."""
        return ()

    def attend(self, prepared: Prepared, keys: Tensor) -> Tensor:
        """No attention: [N, 0]."""
        return keys[:, :0]


class MeanPooler(PoolerWithoutAttention):
    """No attention: the latent code is the mean over the inputs of what their neurons say, keys and values, then tanh.

    Permutation invariant, as any mean is (Zaheer et al. 2017, Deep Sets).

    Args:
        key_size: K.
        value_size: V.
        num_inputs: not needed: the code has the same size for any number of inputs.
    """

    def __init__(self, key_size: int, value_size: int, num_inputs: int | None = None) -> None:
        super().__init__()
        self.latent_shape = (1, key_size + value_size)

    def forward(self, prepared: Prepared, keys: Tensor, values: Tensor) -> Tensor:
        """Keys [N, K], values [N, V] -> latent code [1, K + V]."""
        mean = torch.cat([keys, values], dim=-1).mean(dim=0, keepdim=True)
        return same_in_any_order(mean).tanh()


class ConcatenationPooler(PoolerWithoutAttention):
    """No attention: the latent code is the values in their order. Not permutation invariant, on purpose.

    Args:
        key_size: not needed.
        value_size: V.
        num_inputs: N; with a perturbation that changes it, this agent cannot act.
    """

    def __init__(self, key_size: int, value_size: int, num_inputs: int) -> None:
        super().__init__()
        self.fixed_inputs = num_inputs
        self.latent_shape = (num_inputs, value_size)

    def forward(self, prepared: Prepared, keys: Tensor, values: Tensor) -> Tensor:
        """Values [N, V] -> latent code [N, V]."""
        return values
