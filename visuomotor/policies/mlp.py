"""Small fully connected networks."""

import itertools
import math
from collections.abc import Sequence

from torch import nn


def mlp(sizes: Sequence[int], output_gain: float = 1.0) -> nn.Sequential:
    """Linear layers of the given sizes, input first and output last, with tanh between them.

    Weights start orthogonal: gain sqrt(2) inside, so that signals keep their size through tanh, and `output_gain` at
    the end, where a small one makes the first outputs nearly zero. Biases start at zero.
    """
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        linear = nn.Linear(inputs, outputs)
        nn.init.orthogonal_(linear.weight, output_gain if index == last else math.sqrt(2))
        nn.init.zeros_(linear.bias)
        layers += [linear] if index == last else [linear, nn.Tanh()]
    return nn.Sequential(*layers)
