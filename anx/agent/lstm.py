"""One step of an LSTM, in a form that torch.func can vectorise over agents."""

import torch.nn.functional as F
from torch import Tensor, nn


def lstm_step(cell: nn.LSTMCell, seen: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Input [..., F], hidden and cell state [..., H] -> hidden and cell state, as `cell` itself would give them.

    torch.func cannot vectorise the fused LSTMCell; its parameters and its mathematics are these.
    """
    gates = F.linear(seen, cell.weight_ih, cell.bias_ih)
    gates = gates + F.linear(hidden, cell.weight_hh, cell.bias_hh)  # [..., 4 H]
    i, f, g, o = gates.chunk(4, dim=-1)
    memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
    return o.sigmoid() * memory.tanh(), memory
