"""The two policies as BADMM sees them: a small one on the state, and the visuomotor one on pixels."""

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import EndToEndConfig
from visuomotor.algorithms.gps.rollout import PolicyFn, Samples
from visuomotor.algorithms.gps.supervised import FitConfig, PolicyTargets, fit
from visuomotor.policies import AugmentationConfig, StatePolicy, VisuomotorPolicy, augment
from visuomotor.tasks import Observations

_CHUNK = 64  # images at once where no gradient is needed: the response maps of more leave the processor's cache
_SMALLEST_SCALE = 1e-3


class StatePolicyOptimizer:
    """The full-state network that stands in for the policy while trajectories are trained first."""

    def __init__(self, policy: StatePolicy, config: FitConfig, generator: torch.Generator):
        self.policy, self._config, self._generator = policy, config, generator

    def fit(self, samples: list[Samples], targets: PolicyTargets, covariance: Tensor) -> float:
        states = torch.cat([s.states.flatten(0, 1) for s in samples])
        policy = self.policy
        _scale_once(policy.state_mean, policy.state_scale, policy.action_scale, states, targets.target)
        policy.covariance.copy_(covariance)
        return fit(policy, list(policy.parameters()), [states.float()], targets, self._config, self._generator)

    @torch.inference_mode()
    def mean_actions(self, samples: Samples) -> Tensor:
        return self.policy(samples.states).double().clone()


class VisuomotorPolicyOptimizer:
    """The visuomotor policy in one iteration. The control head is fitted alone first, on fixed features of the images,
    then all layers together. Every fit gets the same samples, with other targets.

    Args:
        augmentation: of the images that it is fitted to.
        end_to_end: whether to fit all layers; the vision layers stay as they are otherwise, and every fit is one of
            the control head.
    """

    def __init__(
        self,
        policy: VisuomotorPolicy,
        config: EndToEndConfig,
        augmentation: AugmentationConfig,
        generator: torch.Generator,
        end_to_end: bool = True,
    ):
        self.policy, self._config, self._augmentation, self._generator = policy, config, augmentation, generator
        self._end_to_end = end_to_end and config.finetune_fit.steps > 0
        self._features: Tensor | None = None

    def fit(self, samples: list[Samples], targets: PolicyTargets, covariance: Tensor) -> float:
        policy = self.policy
        device = policy.action_scale.device
        images = torch.cat([_images(s) for s in samples])
        readings = torch.cat([s.proprioception.flatten(0, 1) for s in samples]).float().to(device)
        _scale_once(
            policy.proprioception_mean, policy.proprioception_scale, policy.action_scale, readings, targets.target
        )
        policy.covariance.copy_(covariance)
        policy.train()
        loss, first = 0.0, self._features is None
        if self._features is None:
            self._features = self._extract_features(images)
        if first or not self._end_to_end:
            loss = self._fit_head(self._features, readings, targets)
        if self._end_to_end:

            def augmented(images: Tensor, readings: Tensor) -> Tensor:
                return policy(self._augment(images).to(device), readings)

            whole, config = list(policy.parameters()), self._config.finetune_fit
            loss = fit(augmented, whole, [images, readings], targets, config, self._generator)
        policy.eval()
        return loss

    @torch.no_grad()
    def _extract_features(self, images: Tensor) -> Tensor:
        """Features of each image and, because clutter shifts them a little, of the image with pasted shapes; `(B, F)`
        or `(2 B, F)`."""
        device = self.policy.action_scale.device
        features = [self.policy.features(chunk.to(device)) for chunk in images.split(_CHUNK)]
        if self._augmentation.changes:
            features += [self.policy.features(self._augment(chunk).to(device)) for chunk in images.split(_CHUNK)]
        return torch.cat(features)

    def _fit_head(self, features: Tensor, readings: Tensor, targets: PolicyTargets) -> float:
        copies = len(features) // len(readings)
        repeated = PolicyTargets(targets.target.repeat(copies, 1), targets.precision.repeat(copies, 1, 1))
        inputs = [features, readings.repeat(copies, 1)]
        head, config = list(self.policy.control_head.parameters()), self._config.head_fit
        return fit(self.policy.act_from_features, head, inputs, repeated, config, self._generator)

    def _augment(self, images: Tensor) -> Tensor:
        return augment(images, self._augmentation, self._generator)

    @torch.inference_mode()
    def mean_actions(self, samples: Samples) -> Tensor:
        device = self.policy.action_scale.device
        pairs = zip(_images(samples).split(_CHUNK), samples.proprioception.flatten(0, 1).split(_CHUNK), strict=True)
        actions = torch.cat([self.policy(i.to(device), p.to(device)) for i, p in pairs])
        return actions.cpu().double().view(*samples.actions.shape).clone()


def policy_fn(policy: VisuomotorPolicy) -> PolicyFn:
    """The policy's mean action at every step, from images and proprioception alone."""
    device = policy.action_scale.device

    @torch.inference_mode()
    def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
        assert images is not None
        return policy(images.to(device), observations["proprioception"].to(device)).cpu().double()

    return act


def _images(samples: Samples) -> Tensor:
    assert samples.images is not None
    return samples.images.flatten(0, 1)


def _scale_once(mean: Tensor, scale: Tensor, action_scale: Tensor, inputs: Tensor, targets: Tensor) -> None:
    """Set the frozen normalisers from the first data that a policy sees."""
    if bool((scale != 1).any()):
        return
    mean.copy_(inputs.mean(0))
    scale.copy_(inputs.std(0).clamp(min=_SMALLEST_SCALE))
    action_scale.copy_(targets.std(0).clamp(min=_SMALLEST_SCALE))
