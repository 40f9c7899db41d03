"""A small true run: the block goes through the cube's hole."""

from visuomotor.cli.bench_policy_search import run_search
from visuomotor.tasks import make_task


def test_guided_policy_search_solves_the_cube():
    """From one start, with the small network that learns from controllers. Seeds 0, 1 and 2 took 20 to 35 episodes."""
    settings = {"num_conditions": 1}
    found = run_search(make_task("cube"), "gps-network", 0, episodes=75, settings=settings, until_solved=True)

    assert found["episodes_to_solve"] is not None
