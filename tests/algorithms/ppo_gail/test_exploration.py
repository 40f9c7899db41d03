"""Exploration noise: densities against the multivariate normal of whole episodes, and the policy gradient."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import ExplorationConfig, PpoConfig, PpoGailConfig
from visuomotor.algorithms.ppo_gail.exploration import WhiteNoise, exploration_noise, gaussian_kl, gaussian_log_prob
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.errors import VisuomotorError
from visuomotor.policies.recurrent_policy import SequenceOutput
from visuomotor.runs.distributed import Distributed

FORMS = ("white", "marginal", "carried", "exact")
STEPS, WORLDS, ACTIONS, C = 9, 2, 3, 0.7


def make(form: str, actions: int = ACTIONS, correlation: float = C, **settings: object) -> WhiteNoise:
    return exploration_noise(actions, ExplorationConfig(noise=form, correlation=correlation, **settings))  # pyright: ignore[reportArgumentType]


def log_likelihood_by_dense_normals(form: str, actions: Tensor, means: Tensor, std: Tensor, starts, carried) -> Tensor:
    """Of all actions: every episode and action dimension is one multivariate normal over time, given what precedes."""
    correlation = 0.0 if form == "white" else C
    total = torch.zeros((), dtype=actions.dtype)
    for world in range(actions.shape[1]):
        borders = [0, *(starts[1:, world].nonzero()[:, 0] + 1).tolist(), len(actions)]
        for first, last in pairwise(borders):
            noise = (actions - means)[first:last, world]
            continues = not starts[first, world]
            if continues:  # the step before the rollout is part of the episode
                noise = torch.cat([carried[None, 0, world], noise])
            time = torch.arange(len(noise), dtype=actions.dtype)
            for dimension in range(actions.shape[2]):
                covariance = std[dimension] ** 2 * correlation ** (time[:, None] - time).abs()
                if form == "marginal":
                    covariance = covariance.diagonal().diag()
                joint = MultivariateNormal(torch.zeros_like(time), covariance).log_prob(noise[:, dimension])
                if continues:
                    joint = joint - torch.distributions.Normal(0, std[dimension]).log_prob(noise[0, dimension])
                total = total + joint
    return total


@pytest.mark.parametrize("form", ["white", "marginal", "exact"])
def test_the_log_likelihood_and_its_gradient_are_those_of_one_multivariate_normal(form: str):
    noise = make(form).double()
    generator = torch.Generator().manual_seed(0)
    actions, means, carried = torch.randn(3, STEPS, WORLDS, ACTIONS, generator=generator, dtype=torch.float64)
    std = torch.tensor([0.3, 0.5, 1.2], dtype=torch.float64)
    starts = torch.zeros(STEPS, WORLDS, dtype=torch.bool)
    starts[0, 0] = starts[4, 0] = starts[5, 0] = starts[3, 1] = True
    arguments = means.requires_grad_(), std.requires_grad_()

    def found(means: Tensor, std: Tensor) -> Tensor:
        return noise.log_prob(actions, means, std, starts, carried).sum()

    def expected(means: Tensor, std: Tensor) -> Tensor:
        return log_likelihood_by_dense_normals(form, actions, means, std, starts, carried)

    torch.testing.assert_close(found(*arguments), expected(*arguments))
    gradients = [torch.autograd.grad(function(*arguments), arguments) for function in (found, expected)]
    torch.testing.assert_close(*gradients)
    assert torch.autograd.gradcheck(found, arguments)  # against finite differences


def test_carried_noise_is_a_normal_around_the_mean_and_what_is_carried_over():
    """Of that, no gradient."""
    noise = make("carried").double()
    generator = torch.Generator().manual_seed(0)
    actions, means, carried = torch.randn(3, STEPS, WORLDS, ACTIONS, generator=generator, dtype=torch.float64)
    std = torch.tensor([0.3, 0.5, 1.2], dtype=torch.float64)
    starts = torch.zeros(STEPS, WORLDS, dtype=torch.bool)
    starts[0, 0] = starts[4, 0] = starts[3, 1] = True
    found = noise.log_prob(actions, means.requires_grad_(), std, starts, carried)
    for step in range(STEPS):
        for world in range(WORLDS):
            c = 0.0 if starts[step, world] else C
            normal = torch.distributions.Normal(
                means[step, world] + c * carried[step, world], math.sqrt(1 - c**2) * std
            )
            torch.testing.assert_close(found[step, world], normal.log_prob(actions[step, world]).sum())
    gradient = torch.autograd.grad(found[1, 0], means)[0]
    assert gradient[0].abs().max() == 0
    expected = (actions - means - C * carried)[1, 0] / (1 - C**2) / std**2
    torch.testing.assert_close(gradient[1, 0], expected.detach())


class TwoMeans(nn.Module):
    """A policy without a state: one mean for each of two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.zeros(2, 1))
        self.device = torch.device("cpu")

    def forward_sequence(self, seen: Tensor, proprioception: Tensor, state: Tensor, starts: Tensor) -> SequenceOutput:
        return SequenceOutput(self.means[:, None].expand(*starts.shape, 1), state)


@pytest.mark.parametrize(("form", "bias"), [("white", 0.0), ("marginal", C), ("carried", C), ("exact", 0.0)])
def test_the_loss_has_the_policy_gradient(form: str, bias: float):
    """The return is the second action, whose expectation is the second mean: the gradient is (0, 1)."""
    worlds = 400_000
    noise, policy, generator = make(form, actions=1), TwoMeans(), torch.Generator().manual_seed(0)
    starts = torch.tensor([True, False])[:, None].expand(2, worlds)
    unit = torch.zeros(worlds, 1)
    sampled = noise.std.detach() * torch.stack([unit := noise.sample(unit, start, generator) for start in starts])
    empty = torch.zeros(2, worlds, 1)
    rows = dict.fromkeys(Rollout.__dataclass_fields__, empty)
    rows |= {
        "actions": sampled,
        "noise": sampled,
        "carried": torch.stack([empty[0], sampled[0]]),
        "std": noise.std.detach(),
        "episode_starts": starts,
        "diverged": torch.zeros(2, worlds, dtype=torch.bool),
        "initial_hidden_state": empty[0],
    }
    advantages = sampled[1, :, 0].expand(2, worlds)
    everywhere, kl = torch.arange(worlds), AdaptiveKl(1.0)
    loss, sums = policy_loss(
        policy,  # pyright: ignore[reportArgumentType]
        noise,
        Rollout(**rows),
        advantages,
        everywhere,
        PpoConfig(clip_range=None),
        kl,
        Distributed(),
        train_vision=False,
    )
    gradient = -2 * torch.autograd.grad(loss, policy.means)[0][:, 0]  # the loss is a mean over two steps
    assert sums[2] == 0
    assert gradient.tolist() == pytest.approx([bias, 1.0], abs=0.02)


def test_the_gradient_of_carried_noise_varies_less_than_that_of_marginal_noise():
    """By 1 / (1 + c)^2, for a mean that is the same in all of many steps; the first step of an episode has no past."""
    steps, worlds, generator = 60, 4000, torch.Generator().manual_seed(0)
    starts = torch.zeros(steps, worlds, dtype=torch.bool)
    starts[0] = True
    noise, unit = make("carried", actions=1), torch.zeros(worlds, 1)
    sampled = noise.std.detach() * torch.stack([unit := noise.sample(unit, start, generator) for start in starts])
    carried = torch.cat([torch.zeros(1, worlds, 1), sampled[:-1]])
    variances = []
    for form in ("carried", "marginal"):
        means = torch.zeros(worlds, 1, requires_grad=True)
        log_prob = make(form, actions=1).log_prob(sampled, means.expand(steps, -1, -1), noise.std, starts, carried)
        variances.append(torch.autograd.grad(log_prob.sum(), means)[0].var().item())
    assert variances[0] / variances[1] == pytest.approx(1 / (1 + C) ** 2, rel=0.1)


@pytest.mark.parametrize(("form", "correlation"), [("white", 0.0), ("marginal", C), ("carried", C), ("exact", C)])
def test_noise_has_the_same_variance_in_every_step_and_forgets_at_a_start(form: str, correlation: float):
    noise, generator, worlds = make(form), torch.Generator().manual_seed(0), 100_000
    starts = torch.zeros(6, worlds, dtype=torch.bool)
    starts[0] = starts[3] = True
    unit = torch.full((worlds, 1), 5.0)  # of an episode that is over
    units = torch.stack([unit := noise.sample(unit, start, generator) for start in starts])[..., 0]
    covariance = units @ units.T / worlds
    episode = torch.arange(6) // 3
    lag = (torch.arange(6)[:, None] - torch.arange(6)).abs()
    expected = torch.where(episode[:, None] == episode, correlation**lag, torch.zeros(()))
    torch.testing.assert_close(covariance, expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_divergence_and_entropy_are_those_of_single_actions(form: str):
    """Whatever the correlation: a KL target and an entropy mean the same in all forms."""
    noise = make(form, initial_log_std=-0.4)
    means, old_means = torch.randn(2, STEPS, WORLDS, ACTIONS, generator=torch.Generator().manual_seed(0))
    old_std = torch.tensor([0.3, 0.5, 1.2])
    new, old = torch.distributions.Normal(means, noise.std), torch.distributions.Normal(old_means, old_std)
    expected = torch.distributions.kl_divergence(new, old).sum(-1)
    torch.testing.assert_close(noise.kl(means, noise.std, old_means, old_std), expected)
    torch.testing.assert_close(noise.entropy(), new.entropy()[0, 0].sum())


def test_gaussians_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    mean_p, mean_q, action = torch.randn(3, 5, 4, ACTIONS, generator=generator)
    std_p, std_q = torch.randn(2, ACTIONS, generator=generator).exp()
    p, q = torch.distributions.Normal(mean_p, std_p), torch.distributions.Normal(mean_q, std_q)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(gaussian_log_prob(action, mean_p, std_p), p.log_prob(action).sum(-1), **close)
    expected = torch.distributions.kl_divergence(p, q).sum(-1)
    torch.testing.assert_close(gaussian_kl(mean_p, std_p, mean_q, std_q), expected, **close)
    assert gaussian_kl(mean_p, std_p, mean_p, std_p).abs().max() == 0


def test_each_action_learns_a_deviation_of_its_own():
    noise = make("exact", initial_log_std=-0.7)
    assert noise.std.tolist() == pytest.approx([math.exp(-0.7)] * ACTIONS)
    torch.testing.assert_close(
        torch.autograd.grad(noise.std[1], noise.log_std)[0][:2].detach(), torch.tensor([0.0, math.exp(-0.7)])
    )


def test_settings_that_cannot_be():
    for settings in ({"correlation": 1.0}, {"initial_log_std": 1e300}):
        with pytest.raises(VisuomotorError, match="must be between"):
            PpoGailConfig(exploration=ExplorationConfig(**settings))
