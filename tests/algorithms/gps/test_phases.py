"""What the pipeline hands from one phase to the next."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from visuomotor.algorithms.gps.badmm import BadmmState, SampleBatch, Transitions, Update, initial_state
from visuomotor.algorithms.gps.checkpointing import from_plain
from visuomotor.algorithms.gps.config import PRESETS, TrajectoryConfig
from visuomotor.algorithms.gps.gps import Gps
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.policy_opt import StatePolicyOptimizer, VisuomotorPolicyOptimizer
from visuomotor.algorithms.gps.rollout import Samples, add_images, engine_positions, rollout
from visuomotor.errors import VisuomotorError
from visuomotor.runs import load_checkpoint, save_checkpoint
from visuomotor.tasks import EpisodeOutcome, VecEnv, make_task

LAPTOP = PRESETS["laptop"]


def transitions_of(samples: Samples) -> Transitions:
    return Transitions(samples.states, samples.actions, ~samples.diverged)


class Iteration(NamedTuple):
    """What went into an iteration, what came out, and the first filters of the policy at that time."""

    state: BadmmState
    samples: Samples
    optimizer: StatePolicyOptimizer | VisuomotorPolicyOptimizer
    after: BadmmState
    filters: Tensor
    limits: TrajectoryConfig


@pytest.fixture(scope="module")
def pipeline():
    """Training after two iterations with the state policy and two with the other, their mathematics replaced."""
    config = replace(
        LAPTOP,
        image=replace(LAPTOP.image, size=32, supersampling=1),
        pose=replace(LAPTOP.pose, epochs=0),
        trajectory=replace(LAPTOP.trajectory, iterations=2),
        end_to_end=replace(LAPTOP.end_to_end, iterations=2),
    )
    gps, iterations = Gps(make_task("hanger"), config, 0), []

    def iterate(state, samples, optimizer, _cost, config, *_args, **_more):
        after = replace(
            state,
            controller=replace(state.controller, offset=state.controller.offset + 0.01),
            lagrange_multiplier=state.lagrange_multiplier + 1.0,
            kl_weight=2 * state.kl_weight,
            kl_step_mult=3 * state.kl_step_mult,
            eta=5 * state.eta,
            sample_history=(*state.sample_history, None),
            transition_history=(*state.transition_history, transitions_of(samples)),
            last_update=Update(state.controller, samples, torch.ones(()).double()),
        )
        filters = gps.visuomotor_policy.vision.conv1.weight.clone()
        iterations.append(Iteration(state, samples, optimizer, after, filters, config.trajectory))
        return after

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("visuomotor.algorithms.gps.gps.iterate", iterate)
        list(gps.steps())
    return gps, iterations


@pytest.mark.parametrize("task", ["hanger", "cube", "hammer", "bottle"])
def test_a_checkpoint_takes_less_than_16_MB(task: str, tmp_path: Path):
    """With all that it remembers at its most: no two tensors alike, so that nothing is stored once for two."""
    gps = Gps(make_task(task), LAPTOP, 0)
    shape = len(gps.conditions), gps.task.max_episode_steps
    actions, states = gps.task.action_size, gps.task.size("state")

    def made_up() -> tuple[Controller, Samples]:
        gain, covariance = torch.rand(*shape, actions, states), torch.rand(*shape, actions, actions)
        samples = Samples(
            torch.rand(*shape, states).double(),
            torch.rand(*shape, gps.task.size("proprioception")),
            torch.rand(*shape, actions).double(),
            None,
            torch.zeros(shape[0], dtype=torch.bool),
            torch.rand(*shape, engine_positions(gps.env.engine).shape[1]).double(),
        )
        return Controller(gain.half().double(), torch.rand(*shape, actions).double(), covariance.double()), samples

    controller, _ = made_up()
    episodes = [made_up()[1] for _ in range(LAPTOP.dynamics.prior_iterations)]
    gps.badmm = replace(
        initial_state(controller, LAPTOP),
        lagrange_multiplier=torch.rand(*shape, actions).double(),
        sample_history=tuple(
            SampleBatch(each, torch.rand(*shape).double()) for each in episodes[-LAPTOP.badmm.reuse_iterations :]
        ),
        transition_history=tuple(transitions_of(each) for each in episodes),
        last_update=Update(made_up()[0], episodes[-1], torch.zeros(()).double()),
        first_cost=torch.rand(shape[0]).double(),
    )
    gps.phase, gps.iteration = "policy", 1
    file = tmp_path / "latest.pt"
    save_checkpoint(file, {"state": gps.state_dict()})
    assert 5e6 < file.stat().st_size < 16e6
    # and it does not grow when it is loaded and saved again
    again = Gps(make_task(task), LAPTOP, 0)
    again.badmm = from_plain(BadmmState, load_checkpoint(file)["state"]["badmm"])
    again.phase, again.iteration = "policy", 1
    assert torch.equal(again.badmm.controller.gain, gps.badmm.controller.gain)
    save_checkpoint(tmp_path / "again.pt", {"state": again.state_dict()})
    assert (tmp_path / "again.pt").stat().st_size < 1.01 * file.stat().st_size


def test_another_policy_means_no_multipliers_no_history_and_first_weights(pipeline):
    """BADMM's dual variables belong to the constraint that ties trajectories to one policy."""
    gps, iterations = pipeline
    kinds = [StatePolicyOptimizer] * 2 + [VisuomotorPolicyOptimizer] * 2
    assert [type(one.optimizer) for one in iterations] == kinds
    for one in (iterations[0], iterations[2]):
        assert not one.state.lagrange_multiplier.any()
        assert (one.state.kl_weight == gps.config.badmm.initial_kl_weight).all()
        assert one.state.sample_history == ()
        assert one.state.last_update is None
    # what was learnt of the trajectories stays
    assert torch.equal(iterations[2].state.controller.offset, iterations[1].after.controller.offset)
    assert torch.equal(iterations[2].state.eta, iterations[1].after.eta)
    before, now = iterations[1].after.transition_history, iterations[2].state.transition_history
    assert torch.equal(now[-2].states, before[-1].states)
    assert len(now) == 3  # two iterations', and one episode a condition with the last controllers


def test_trajectories_take_smaller_steps_while_the_visuomotor_policy_learns(pipeline):
    gps, iterations = pipeline
    phase = gps.config.end_to_end
    assert phase.max_kl_step_mult < 1 <= gps.config.trajectory.max_kl_step_mult
    allowed = [(one.limits.min_kl_step_mult, one.limits.max_kl_step_mult) for one in iterations]
    usual = gps.config.trajectory.min_kl_step_mult, gps.config.trajectory.max_kl_step_mult
    assert allowed == 2 * [usual] + 2 * [(phase.min_kl_step_mult, phase.max_kl_step_mult)]
    assert iterations[0].state.kl_step_mult == 1
    assert iterations[2].state.kl_step_mult == phase.max_kl_step_mult


def test_iterations_of_one_policy_go_on_from_each_other(pipeline):
    gps, iterations = pipeline
    assert iterations[1].state is iterations[0].after
    assert iterations[3].state is iterations[2].after
    assert gps.badmm is iterations[3].after


def test_samples_are_drawn_from_the_state_s_controllers(pipeline):
    _, iterations = pipeline
    for one in iterations:
        gap = one.samples.actions - one.state.controller.mean_action(one.samples.states)
        unclipped = one.samples.actions.abs() < 1
        assert unclipped.double().mean() > 0.9
        variance = (gap / LAPTOP.trajectory.initial_noise_std).square()[unclipped].mean()
        assert 0.8 < variance < 1.2  # smooth noise: some 2,500 independent numbers
        assert (one.samples.images is None) == isinstance(one.optimizer, StatePolicyOptimizer)


def test_conditions_whose_physics_blew_up_are_sampled_again(pipeline, monkeypatch):
    """Each keeps its first episode that held; those that never hold are told."""
    gps, iterations = pipeline
    samples, conditions = iterations[0].samples, len(gps.conditions)
    tries = []

    def rollout(*_args, **_more):
        tries.append(float(len(tries)))
        # the n-th try fails in conditions 0 to 2 - n, and always in the last one
        diverged = torch.arange(conditions) < 3 - len(tries)
        diverged[-1] = True
        number = torch.full((conditions,), tries[-1])
        episodes = replace(samples, states=number.view(-1, 1, 1) + 0 * samples.states, diverged=diverged)
        return episodes, EpisodeOutcome(number > 0, number)

    monkeypatch.setattr("visuomotor.algorithms.gps.gps.rollout", rollout)
    found, outcome = gps._sample(gps.badmm, render=False)
    assert len(tries) == 4
    expected = torch.zeros(conditions)
    expected[:2] = torch.tensor([2.0, 1.0])
    assert torch.equal(found.states[:, 0, 0], expected.double())
    assert torch.equal(outcome.distance, expected)
    assert outcome.success[:3].tolist() == [True, True, False]
    assert found.diverged.nonzero()[:, 0].tolist() == [conditions - 1]
    with pytest.raises(VisuomotorError, match=rf"diverges in conditions \[{conditions - 1}\]"):
        gps._sample(replace(gps.badmm, last_update=None), render=False)


def test_images_are_rendered_again_to_the_bit(pipeline):
    """A checkpoint has positions in their place."""
    gps, iterations = pipeline
    samples = iterations[2].samples
    again = add_images(gps.env, gps.conditions, replace(samples, images=None))
    assert torch.equal(again.images, samples.images)
    assert len({image.numpy().tobytes() for image in samples.images[:, -1]}) == len(gps.conditions)
    assert not torch.equal(samples.images[:, 0], samples.images[:, -1])


def test_images_are_those_that_a_policy_would_have_seen(pipeline):
    """Positions are rounded to float32: hardly a pixel changes."""
    gps, _ = pipeline
    seen, actions = [], torch.full((len(gps.conditions), 7), 0.1).double()

    def act(step, observations, images):
        seen.append(images.clone())
        return actions

    samples, _ = rollout(gps.env, gps.conditions, act, render=True, record_positions=True)
    assert samples.images is None
    images = add_images(gps.env, gps.conditions, samples).images
    assert images.shape == (len(gps.conditions), 100, 32, 32, 3)
    assert (images != torch.stack(seen, 1)).double().mean() < 1e-3


def test_random_appearances_of_training_images_are_the_same_at_any_time(pipeline):
    """Each image has its own, and the next episode the usual one."""
    gps, iterations = pipeline
    config = replace(gps.config, randomize=True)
    varied, samples = Gps(gps.task, config, 0), replace(iterations[2].samples.rows(torch.arange(2)), images=None)
    env = VecEnv(gps.task, 2, torch.Generator(), image_size=32, observations=("state",), randomize=True)
    conditions = varied.conditions[torch.arange(2)]
    short = replace(samples, positions=samples.positions[:, :1].repeat(1, 3, 1))
    images = [add_images(env, conditions, short).images for _ in range(2)]
    assert torch.equal(images[0], images[1])
    for a, b in ((images[0][:, 0], images[0][:, 1]), (images[0][0], images[0][1])):
        assert (a != b).any(-1).float().mean() > 0.5
    env.reset(params=conditions)
    plain = add_images(
        VecEnv(gps.task, 2, torch.Generator(), image_size=32, observations=("state",), randomize=False),
        conditions,
        short,
    ).images
    assert (images[0] != plain).any(-1).float().mean() > 0.5
    env.reset(params=conditions)
    fresh = VecEnv(gps.task, 2, torch.Generator(), image_size=32, observations=("state",), randomize=False)
    fresh.reset(params=conditions)
    assert torch.equal(env.render(), fresh.render())
    assert varied.env._randomize


def test_the_policy_begins_with_the_pose_network_s_vision(pipeline):
    gps, iterations = pipeline
    assert torch.equal(iterations[2].filters, gps.pose_network.vision.conv1.weight)


@pytest.mark.parametrize(("task", "setting", "iterations"), [("cube", None, 6), ("hanger", None, 3), ("cube", 0, 0)])
def test_iterations_from_pixels_are_as_many_as_the_task_wants_or_the_setting_says(task, setting, iterations):
    end_to_end = replace(LAPTOP.end_to_end, iterations=setting)
    config = replace(LAPTOP, pose=replace(LAPTOP.pose, epochs=0), end_to_end=end_to_end, num_conditions=2)
    gps = Gps(make_task(task), config, 0)
    gps.phase, gps.iteration = "policy", max(0, iterations - 1)
    gps._leave_finished_phases()
    assert gps.done == (iterations == 0)
    gps.iteration = iterations
    gps._leave_finished_phases()
    assert gps.done


def test_conditions_are_as_many_as_the_task_wants_or_the_setting_says():
    config = replace(LAPTOP, image=replace(LAPTOP.image, size=32), pose=replace(LAPTOP.pose, epochs=0))
    assert len(Gps(make_task("hanger"), config, 0).conditions) == 54
    hammer = Gps(make_task("hammer"), config, 0)
    assert len(hammer.conditions) == 60
    target, grasp = hammer.conditions.placement["target"], hammer.conditions.dynamics["grasp"]
    assert torch.equal(target[:15], target[15:30])
    assert torch.equal(grasp[:15], grasp[15:30])
    assert len(Gps(make_task("hammer"), replace(config, num_conditions=4), 0).conditions) == 4
