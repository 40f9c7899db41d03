"""The supervised half of guided policy search: the policy's targets, and how a network is fitted to them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from visuomotor.algorithms.gps.linalg import cholesky, solve_lower
from visuomotor.algorithms.gps.linear_gaussian import Controller, Marginals
from visuomotor.errors import VisuomotorError
from visuomotor.runs.config import Range


@dataclass(frozen=True)
class PolicyTargets:
    """Weighted regression, one row a sample and step: minimise 1/2 sum_i (mean_i - target_i)' P_i (mean_i - target_i).

    target `(B, U)`; precision `(B, U, U)`. Float64.
    """

    target: Tensor
    precision: Tensor


def policy_targets(
    controller: Controller,
    states: Tensor,
    multiplier: Tensor,
    weight: Tensor,
    importance: Tensor,
) -> PolicyTargets:
    """The part of the augmented Lagrangian that depends on the policy's mean, as weighted regression.

        nu_t/2 (mu - m)' C^-1 (mu - m) + lambda_t' mu    with m = K x + k

    Completing the square, the target is  m - C lambda / nu  and the precision  nu C^-1  (Levine et al. 2015, IV-A; IV-C
    prints it for nu = 1). The precision is the curvature of the cost-to-go: it says which mistakes matter.

    Args:
        controller: the current local controllers, `(N, T, ...)`.
        states: `(N, T, X)` visited by these or by earlier controllers; they are labelled by the current ones.
        multiplier: lambda `(N, T, U)`. weight: nu `(N, T)`. importance: `(N, T)`, 1 for the current samples.
    """
    label = controller.mean_action(states) - (controller.covariance @ multiplier[..., None])[..., 0] / weight[..., None]
    precision = controller.precision * (importance * weight)[..., None, None]
    return PolicyTargets(label.flatten(0, 1), precision.flatten(0, 1))


def policy_covariance(controller: Controller) -> Tensor:
    """The covariance of a policy that is the same everywhere, `(U, U)`:  [ 1/(N T) sum C_ti^-1 ]^-1  (appendix A.2).

    As there, all steps count alike; the mean is fitted with the weights nu_t.
    """
    mean = controller.precision.flatten(0, 1).mean(0)
    covariance = torch.linalg.inv(mean)
    return (covariance + covariance.T) / 2


def importance_weights(states: Tensor, now: Marginals, log_density_then: Tensor, floor: float) -> Tensor:
    """min(1, p_now(x_t) / p_then(x_t)) for states `(N, T, X)` drawn from earlier marginals, `(N, T)`.

    Ratios above one are cut: few samples would outweigh all others.

    Args:
        log_density_then: `log_density` of these states under the marginals that they were drawn from.
    """
    return (log_density(states, now, floor) - log_density_then).clamp(max=0.0).exp()


def log_density(states: Tensor, marginals: Marginals, floor: float) -> Tensor:
    """log N(x_t; mean, covariance + floor^2 I) without its constant, for states `(N, T, X)`, as `(N, T)`.

    The state holds points that follow from the joint angles, so its covariance is singular: densities are blurred by
    `floor` (standard deviation, state units).
    """
    eye = torch.eye(states.shape[-1], dtype=states.dtype, device=states.device)
    factor = cholesky(marginals.state_covariance + floor**2 * eye)
    white = solve_lower(factor, (states - marginals.state_mean)[..., None])[..., 0]
    return -0.5 * white.square().sum(-1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


@dataclass(frozen=True)
class FitConfig:
    """How a network is fitted."""

    steps: Annotated[int, Range(0, 10_000_000)]
    """Steps of the optimiser."""
    batch: Annotated[int, Range(1, 100_000)] = 100
    """Samples in a step."""
    learning_rate: Annotated[float, Range(1e-8, 1)] = 1e-3
    """Learning rate of Adam at the start; it falls to a tenth along a cosine."""
    weight_decay: Annotated[float, Range(0, 1)] = 1e-4
    """Decoupled (AdamW), on weights only."""


def fit(
    mean: Callable[..., Tensor],
    parameters: Sequence[nn.Parameter],
    inputs: Sequence[Tensor],
    targets: PolicyTargets,
    config: FitConfig,
    generator: torch.Generator,
) -> float:
    """Fit a mean function to targets by AdamW on random batches; returns the mean loss of the last tenth of the steps.

    Precisions are scaled to a mean diagonal of one, so that the learning rate does not depend on the units of actions.

    Args:
        mean: maps batches of the inputs to mean actions `(b, U)`.
        parameters: what to train.
        inputs: tensors whose first axis is that of the targets.

    Raises:
        VisuomotorError: the loss is no longer finite.
    """
    if config.steps == 0:
        return 0.0
    device = parameters[0].device
    scale = targets.precision.diagonal(dim1=-2, dim2=-1).mean()
    # L L' = precision: the loss is the squared length of L'(mean - target), stable in float32
    root = cholesky(targets.precision / scale + 1e-9 * torch.eye(targets.target.shape[-1])).float().to(device)
    target = targets.target.float().to(device)
    decayed = [p for p in parameters if p.ndim > 1]
    kept = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
    last: list[float] = []
    for step in range(config.steps):
        for group in optimiser.param_groups:  # torch's own schedule takes a quarter of a small network's step
            group["lr"] = config.learning_rate * (0.55 + 0.45 * math.cos(math.pi * step / config.steps))
        rows = torch.randint(len(target), (config.batch,), generator=generator)
        error = mean(*(tensor[rows] for tensor in inputs)) - target[rows]
        loss = 0.5 * (root[rows].mT @ error[..., None]).square().sum((-2, -1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step >= int(config.steps * 0.9):
            last.append(loss.item())
    result = sum(last) / max(1, len(last))
    if not result < float("inf"):
        raise VisuomotorError(
            "the policy's loss is no longer finite; lower learning-rate in state-policy, end-to-end.head-fit or "
            "end-to-end.finetune-fit (gps), or in network (gps-network)"
        )
    return result
