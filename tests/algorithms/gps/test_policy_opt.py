"""What the two policies learn from samples whose right actions are known."""

import pytest
import torch
from linear_problems import normal

from visuomotor.algorithms.gps.config import EndToEndConfig
from visuomotor.algorithms.gps.policy_opt import StatePolicyOptimizer, VisuomotorPolicyOptimizer, policy_fn
from visuomotor.algorithms.gps.rollout import Samples
from visuomotor.algorithms.gps.supervised import FitConfig, PolicyTargets
from visuomotor.errors import VisuomotorError
from visuomotor.policies import AugmentationConfig, StatePolicy, VisuomotorPolicy

CONDITIONS, STEPS = 3, 4
COVARIANCE = torch.tensor([[0.3, 0.1], [0.1, 0.2]], dtype=torch.float64)
NOTHING = FitConfig(steps=0)
FINE = torch.zeros(CONDITIONS, dtype=torch.bool)


def targets_of(actions):
    """The right actions of one or several iterations' samples, `(N, T, 2)` each, as equally precise targets."""
    target = torch.cat([a.flatten(0, 1) for a in actions])
    return PolicyTargets(target, torch.eye(2, dtype=torch.float64).repeat(len(target), 1, 1))


def test_the_state_policy_learns_each_step_s_action():
    generator = torch.Generator().manual_seed(0)
    gain = normal(generator, 5, 2)
    samples, actions = [], []
    for _ in range(2):
        states = 2 + normal(generator, CONDITIONS, STEPS, 5)
        samples.append(Samples(states, states[..., :1], torch.zeros(CONDITIONS, STEPS, 2).double(), None, FINE))
        actions.append(3 * states @ gain)
    torch.manual_seed(0)
    policy = StatePolicy(5, 2)
    optimizer = StatePolicyOptimizer(policy, FitConfig(steps=200, batch=24, learning_rate=1e-2), generator)
    optimizer.fit(samples, targets_of(actions), COVARIANCE)
    for episode, right in zip(samples, actions, strict=True):
        found = optimizer.mean_actions(episode)
        assert (found - right).square().mean() < 0.01 * right.var()
    torch.testing.assert_close(policy.covariance, COVARIANCE)
    # its normalisers come from the first data and stay
    mean = policy.state_mean.clone()
    torch.testing.assert_close(mean, torch.cat([s.states.flatten(0, 1) for s in samples]).mean(0).float())
    optimizer.fit([samples[0]], targets_of(actions[:1]), COVARIANCE)
    assert torch.equal(policy.state_mean, mean)


@pytest.mark.parametrize("steps", [1, 9, 15])
def test_a_fit_that_is_not_finite_is_an_error_however_short(steps):
    samples = Samples(*(torch.ones(CONDITIONS, STEPS, size).double() for size in (5, 1, 2)), None, FINE)
    optimizer = StatePolicyOptimizer(StatePolicy(5, 2), FitConfig(steps=steps, batch=6), torch.Generator())
    assert optimizer.fit([samples], targets_of([samples.actions]), COVARIANCE) > 0
    with pytest.raises(VisuomotorError, match="loss is no longer finite"):
        optimizer.fit([samples], targets_of([torch.nan * samples.actions]), COVARIANCE)


def episodes_with_a_square(generator):
    """Images with a bright square; its place (not any reading's number) and one reading say which action is right."""
    row, column = 4 + 10 * torch.randint(3, (2, CONDITIONS, STEPS), generator=generator)
    images = torch.zeros(CONDITIONS, STEPS, 40, 40, 3, dtype=torch.uint8)
    for n in range(CONDITIONS):
        for t in range(STEPS):
            images[n, t, row[n, t] : row[n, t] + 9, column[n, t] : column[n, t] + 9] = 255
    readings = normal(generator, CONDITIONS, STEPS, 1)
    actions = torch.stack([row / 10 - readings[..., 0], column / 10 + readings[..., 0]], -1).double()
    return Samples(readings, readings, torch.zeros_like(actions), images, FINE), actions


@pytest.mark.parametrize(
    ("num_shapes", "head_fit", "finetune_fit"),
    [
        (0, FitConfig(steps=200, batch=24, learning_rate=1e-2), NOTHING),
        (1, FitConfig(steps=200, batch=48, learning_rate=1e-2), NOTHING),
        (0, NOTHING, FitConfig(steps=150, batch=12, learning_rate=5e-3)),
    ],
    ids=["control head", "control head among shapes", "whole"],
)
def test_the_visuomotor_policy_learns_each_image_s_action(num_shapes, head_fit, finetune_fit):
    generator = torch.Generator().manual_seed(1)
    samples, actions = zip(*(episodes_with_a_square(generator) for _ in range(2)), strict=True)
    torch.manual_seed(0)
    policy = VisuomotorPolicy(1, 2)
    optimizer = VisuomotorPolicyOptimizer(
        policy,
        EndToEndConfig(head_fit=head_fit, finetune_fit=finetune_fit),
        AugmentationConfig(num_shapes=num_shapes),
        generator,
    )
    optimizer.fit(list(samples), targets_of(actions), COVARIANCE)
    torch.testing.assert_close(policy.covariance, COVARIANCE)
    act = policy_fn(policy)
    for episode, right in zip(samples, actions, strict=True):
        seen = [act(t, {"proprioception": episode.proprioception[:, t]}, episode.images[:, t]) for t in range(STEPS)]
        step_by_step = torch.stack(seen, 1)
        assert (step_by_step - right).square().mean() < 0.1 * right.var()
        torch.testing.assert_close(optimizer.mean_actions(episode), step_by_step, rtol=1e-4, atol=1e-4)


def test_a_baseline_fits_its_control_layers_alone():
    generator = torch.Generator().manual_seed(1)
    samples, actions = episodes_with_a_square(generator)
    torch.manual_seed(0)
    policy = VisuomotorPolicy(1, 2, predicted_coordinates=6)
    before = {name: value.clone() for name, value in policy.named_parameters()}
    fits = EndToEndConfig(
        head_fit=FitConfig(steps=200, batch=24, learning_rate=1e-2), finetune_fit=FitConfig(steps=2, batch=12)
    )
    optimizer = VisuomotorPolicyOptimizer(policy, fits, AugmentationConfig(), generator, end_to_end=False)
    optimizer.fit([samples], targets_of((actions,)), COVARIANCE)
    for name, value in policy.named_parameters():
        assert torch.equal(value, before[name]) != name.startswith("control_head"), name
    assert (optimizer.mean_actions(samples) - actions).square().mean() < 0.1 * actions.var()


@pytest.mark.parametrize(("end_to_end", "head_fits"), [(True, 1), (False, 3)])
def test_features_are_computed_once_an_iteration_and_the_head_is_fitted_alone_once_unless_nothing_else_is(
    end_to_end, head_fits, monkeypatch
):
    generator = torch.Generator().manual_seed(1)
    samples, actions = episodes_with_a_square(generator)
    torch.manual_seed(0)
    policy = VisuomotorPolicy(1, 2)
    fits = EndToEndConfig(head_fit=FitConfig(steps=5, batch=12), finetune_fit=FitConfig(steps=3, batch=12))
    optimizer = VisuomotorPolicyOptimizer(policy, fits, AugmentationConfig(), generator, end_to_end=end_to_end)
    seen = {"forward": 0, "act_from_features": 0, "features": 0}

    def count(name, original):
        def counted(*inputs):
            seen[name] += 1
            return original(*inputs)

        return counted

    for name in seen:
        monkeypatch.setattr(policy, name, count(name, getattr(policy, name)))
    targets = targets_of((actions,))
    for _ in range(3):
        optimizer.fit([samples], targets, COVARIANCE)
    whole = 3 * fits.finetune_fit.steps if end_to_end else 0
    assert seen["forward"] == whole
    assert seen["features"] == whole + 1  # 12 images are one batch
    assert seen["act_from_features"] == whole + head_fits * fits.head_fit.steps


def test_the_head_follows_each_alternation_s_targets_where_only_it_is_fitted():
    generator = torch.Generator().manual_seed(1)
    samples, actions = episodes_with_a_square(generator)
    torch.manual_seed(0)
    policy = VisuomotorPolicy(1, 2)
    fits = EndToEndConfig(head_fit=FitConfig(steps=200, batch=24, learning_rate=1e-2), finetune_fit=NOTHING)
    optimizer = VisuomotorPolicyOptimizer(policy, fits, AugmentationConfig(), generator)
    for right in (actions, 1 - actions):
        optimizer.fit([samples], targets_of((right,)), COVARIANCE)
        assert (optimizer.mean_actions(samples) - right).square().mean() < 0.1 * right.var()
