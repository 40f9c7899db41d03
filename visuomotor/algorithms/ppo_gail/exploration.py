"""The distribution of actions in training: the policy's means plus exploration noise, white or correlated in time.

All forms share the marginal density N(mean_t, std^2) of an action, with one standard deviation per action dimension,
the same in all states. They differ in how noise is drawn and in which density stands in PPO's ratio:

    form        noise drawn     density of a_t in the ratio
    white       white           N(mean_t, std^2)
    marginal    AR(1)           N(mean_t, std^2)
    carried     AR(1)           N(mean_t + c n_{t-1}, (1 - c^2) std^2), n_{t-1} as it was sampled
    exact       AR(1)           N(mean_t + c (a_{t-1} - mean_{t-1}), (1 - c^2) std^2)

KL divergence and entropy are those of the marginals in every form. For a shift of the means that lasts, which is what
an update does, the conditional densities' KL would be (1 - c) / (1 + c) of that in the exact form and 1 / (1 - c^2) of
it in the carried one, so a KL target would mean something else for each c; their entropy differs by a constant only.
"""

import math

import torch
from torch import Tensor, nn

from visuomotor.algorithms.ppo_gail.config import ExplorationConfig


class WhiteNoise(nn.Module):
    """a_t = mean_t + std e_t,  e_t ~ N(0, 1) independent. Each action has a std of its own, which is learned.

    Also the interface of the other forms. Tensors are `(..., A)`; `std` is `(A,)`.
    """

    def __init__(self, action_size: int, config: ExplorationConfig) -> None:
        super().__init__()
        self.correlation = config.correlation
        self.log_std = nn.Parameter(torch.full((action_size,), config.initial_log_std))

    @property
    def std(self) -> Tensor:
        """Standard deviation of every action in any single step, `(A,)`, in parts of its limit."""
        return self.log_std.exp()

    def sample(self, previous: Tensor, starts: Tensor, generator: torch.Generator) -> Tensor:
        """Noise of one step `(W, A)` in units of std, whose variance is 1 in every step.

        Args:
            previous: `(W, A)`, of the step before. starts: `(W,)` bool, true where an episode begins.
        """
        return torch.randn(previous.shape, generator=generator)

    def log_prob(self, actions: Tensor, means: Tensor, std: Tensor, starts: Tensor, carried: Tensor) -> Tensor:
        """Log-densities `(K, W)` of a rollout's actions `(K, W, A)`, as PPO's ratio compares them.

        Args:
            means: `(K, W, A)`, of the policy, without noise. std: `(A,)`.
            starts: `(K, W)` bool, the step is the first of an episode.
            carried: `(K, W, A)`, the sampled noise of the step before each step, in units of actions.
        """
        return gaussian_log_prob(actions, means, std)

    def kl(self, means: Tensor, std: Tensor, old_means: Tensor, old_std: Tensor) -> Tensor:
        """KL(new || old) of the marginal densities, `(K, W)`."""
        return gaussian_kl(means, std, old_means, old_std)

    def entropy(self) -> Tensor:
        """Entropy of the marginal density, in nats:  sum log std + (1 + log 2 pi) / 2."""
        return (self.log_std + (1 + math.log(2 * math.pi)) / 2).sum()


class MarginalNoise(WhiteNoise):
    """AR(1) noise with the density of white noise in the ratio (coloured-noise PPO, Hollenstein et al. 2024):

        n_t = c n_{t-1} + sqrt(1 - c^2) std e_t,    n_t ~ N(0, std^2) where an episode begins

    The process is stationary, so N(mean_t, std^2) is the density of every single action. The policy gradient is biased:
    an action is credited with what the correlated noise does in the steps after it. The bias grows with c.
    """

    def sample(self, previous: Tensor, starts: Tensor, generator: torch.Generator) -> Tensor:
        c = torch.where(starts, 0.0, self.correlation)[:, None]
        return c * previous + (1 - c**2).sqrt() * super().sample(previous, starts, generator)


class CarriedNoise(MarginalNoise):
    """The same AR(1) noise; what is carried over from the step before counts as a part of the state:

        p(a_t | n_{t-1}) = N(mean_t + c n_{t-1}, (1 - c^2) std^2),    n_{t-1} = a_{t-1} - mean_{t-1} of the old policy

    An update holds n_{t-1} fixed, although it depends on the means. The policy gradient has the bias of the marginal
    density: an action is credited with sum_k c^k G_{t+k}, where G_t is the return's gradient by a_t. Its variance is
    smaller, as only what is new in a step's noise is credited, which is independent from step to step: where means are
    the same in all steps, 1 / (1 + c)^2 of the marginal's.
    """

    def log_prob(self, actions: Tensor, means: Tensor, std: Tensor, starts: Tensor, carried: Tensor) -> Tensor:
        c = torch.where(starts, 0.0, self.correlation)[..., None]
        return gaussian_log_prob(actions, means + c * carried, (1 - c**2).sqrt() * std)


class ExactNoise(MarginalNoise):
    """The same AR(1) noise with its true density (autoregressive policies, Korenkevych et al. 2019):

        p(a_t | a_{t-1}) = N(mean_t + c (a_{t-1} - mean_{t-1}), (1 - c^2) std^2),    N(mean_t, std^2) at a start

    mean_{t-1} is the current policy's, and gradients run through it: the densities of an episode multiply to the
    multivariate normal of all its actions, and the policy gradient is unbiased. Only the noise carried into a rollout's
    first step is taken as it was sampled. It is a constant there, like the recurrent state: an initial condition.
    """

    def log_prob(self, actions: Tensor, means: Tensor, std: Tensor, starts: Tensor, carried: Tensor) -> Tensor:
        previous = torch.cat([carried[:1], (actions - means)[:-1]])
        first, c = starts[..., None], self.correlation
        innovation_std = torch.where(first, std, math.sqrt(1 - c**2) * std)
        return gaussian_log_prob(actions, means + c * previous.masked_fill(first, 0), innovation_std)


def exploration_noise(action_size: int, config: ExplorationConfig) -> WhiteNoise:
    """The noise that the config names."""
    forms = {"white": WhiteNoise, "marginal": MarginalNoise, "carried": CarriedNoise, "exact": ExactNoise}
    return forms[config.noise](action_size, config)


def gaussian_log_prob(actions: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """log N(actions; mean, std^2), summed over the last axis."""
    return -(((actions - mean) / std).square() / 2 + std.log() + math.log(2 * math.pi) / 2).sum(-1)


def gaussian_kl(mean_p: Tensor, std_p: Tensor, mean_q: Tensor, std_q: Tensor) -> Tensor:
    """KL(p || q) of diagonal Gaussians, summed over the last axis.

    sum  log s_q - log s_p + (s_p^2 + (m_p - m_q)^2) / (2 s_q^2) - 1/2
    """
    ratio = (std_p / std_q).square()
    distance = ((mean_p - mean_q) / std_q).square()
    return ((ratio - ratio.log() + distance - 1) / 2).sum(-1)
