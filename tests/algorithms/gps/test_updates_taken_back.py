"""Updates of trajectories that lost what had been gained are taken back."""

from dataclasses import replace

import pytest
import torch
from badmm_problem import CONDITIONS, QUADRATIC, FixedPolicy, draw, first_controller, run, settings, starts

from visuomotor.algorithms.gps.badmm import initial_state


def test_a_condition_whose_physics_blew_up_takes_its_update_back(fitted):
    config = settings(kl_step=0.05)
    controller, start = first_controller(), starts(2)
    drawn = draw(controller, start, seed=3)
    first, _ = run(initial_state(controller, config), drawn, config)
    again = draw(first.controller, start, seed=4)
    broken = torch.zeros(CONDITIONS, dtype=torch.bool)
    broken[3] = True
    states = torch.where(broken[:, None, None], 1e9, again.states)
    policy = FixedPolicy()
    second, rows = run(first, replace(again, states=states, proprioception=states, diverged=broken), config, policy)
    tried = second.last_update
    assert torch.equal(tried.controller.gain[3], controller.gain[3])
    assert torch.equal(tried.controller.gain[~broken], first.controller.gain[~broken])
    assert torch.equal(tried.samples.states[3], drawn.states[3])
    assert torch.equal(tried.samples.states[~broken], again.states[~broken])
    # neither the step size nor the prior learn anything from it
    costs = [QUADRATIC(samples.states, samples.actions).sum(-1)[~broken].mean() for samples in (drawn, again)]
    assert rows[0]["actual_improvement"] == pytest.approx((costs[0] - costs[1]).item())
    assert torch.equal(second.transition_history[-1].valid, ~broken)
    pairs = torch.cat([again.states[:, :-1], again.actions[:, :-1], again.states[:, 1:]], -1)
    assert torch.equal(fitted[-1][0][-1], pairs[~broken])
    # training goes on from the last good samples
    assert torch.equal(policy.fits[0][0][-1].states, tried.samples.states)
    assert second.controller.offset.abs().max() < 10
    assert second.last_update.predicted.abs() < 10


def with_costs(samples, wanted):
    """Episodes with the same actions, whose states are scaled so that they cost `wanted` `(N,)`."""

    def cost(scale):
        return QUADRATIC(scale * samples.states, samples.actions).sum(-1)

    none, plus, minus = cost(0.0), cost(1.0), cost(-1.0)
    a, b, c = (plus + minus) / 2 - none, (plus - minus) / 2, none - wanted
    states = samples.states * ((-b + (b.square() - 4 * a * c).sqrt()) / (2 * a))[:, None, None]
    return replace(samples, states=states, proprioception=states)


def test_a_condition_that_lost_a_quarter_of_its_gain_takes_its_update_back():
    """Costs 100, then 60: the gain is 40, and a rise of more than 10 is too much."""
    config = settings(kl_step=0.05, largest_loss=0.25)
    controller, start = first_controller(), starts(2)
    costs = torch.full((CONDITIONS,), 100.0, dtype=torch.float64)
    first, _ = run(initial_state(controller, config), with_costs(draw(controller, start, seed=3), costs), config)
    torch.testing.assert_close(first.first_cost, costs)
    better = with_costs(draw(first.controller, start, seed=4), 0.6 * costs)
    second, _ = run(first, better, config)
    now = torch.full((CONDITIONS,), 55.0, dtype=torch.float64)
    now[1], now[2], now[4] = 69.9, 70.1, 1000.0
    lost = now > 70
    policy = FixedPolicy()
    third, rows = run(second, with_costs(draw(second.controller, start, seed=5), now), config, policy)
    tried = third.last_update
    assert torch.equal(tried.controller.gain[lost], first.controller.gain[lost])
    assert torch.equal(tried.controller.gain[~lost], second.controller.gain[~lost])
    assert torch.equal(tried.samples.states[lost], better.states[lost])
    torch.testing.assert_close(QUADRATIC(tried.samples.states, tried.samples.actions).sum(-1)[~lost], now[~lost])
    assert torch.equal(policy.fits[0][0][-1].states, tried.samples.states)
    # the prior does not learn from what was hit or dropped, the step size learns that something was
    assert torch.equal(third.transition_history[-1].valid, ~lost)
    assert rows[0]["actual_improvement"] == pytest.approx((60 - now.clamp(max=70)).mean().item())


def test_first_updates_are_kept_at_any_cost():
    """Nothing has been gained yet that could be lost."""
    config = settings(kl_step=0.05, largest_loss=0.25)
    controller, start = first_controller(), starts(2)
    costs = torch.full((CONDITIONS,), 100.0, dtype=torch.float64)
    first, _ = run(initial_state(controller, config), with_costs(draw(controller, start, seed=3), costs), config)
    second, rows = run(first, with_costs(draw(first.controller, start, seed=4), 2 * costs), config)
    assert torch.equal(second.last_update.controller.gain, first.controller.gain)
    assert rows[0]["actual_improvement"] == pytest.approx(-100)
    torch.testing.assert_close(second.first_cost, costs)


def test_the_cost_of_the_first_episodes_outlives_a_change_of_policies():
    """Another policy begins with trajectories that have gained much already."""
    config = settings(kl_step=0.05)
    known = torch.arange(CONDITIONS, dtype=torch.float64)
    state = replace(initial_state(first_controller(), config), first_cost=known)
    after, _ = run(state, draw(state.controller, starts(2), seed=3), config)
    assert torch.equal(after.first_cost, known)


def test_when_the_physics_of_all_conditions_blew_up_training_goes_on_with_smaller_steps():
    config = settings(kl_step=0.05)
    controller, start = first_controller(), starts(2)
    drawn = draw(controller, start, seed=3)
    first, before = run(initial_state(controller, config), drawn, config)
    again = draw(first.controller, start, seed=4)
    broken = torch.ones(CONDITIONS, dtype=torch.bool)
    states = torch.full_like(again.states, torch.nan)
    second, rows = run(first, replace(again, states=states, proprioception=states, diverged=broken), config)
    assert torch.equal(second.last_update.controller.gain, controller.gain)
    assert torch.equal(second.last_update.samples.states, drawn.states)
    assert second.kl_step_mult == 0.1 * first.kl_step_mult
    assert len(second.transition_history) == 1  # the prior remembers no empty iteration
    assert "actual_improvement" not in rows[-1]
    assert rows[-1]["cost"] == before[-1]["cost"] == QUADRATIC(drawn.states, drawn.actions).sum(-1).mean().item()
    assert second.controller.offset.isfinite().all()
