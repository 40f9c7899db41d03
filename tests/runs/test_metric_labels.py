import re
from dataclasses import dataclass

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2, metadata
from tensorboard.util.tensor_util import make_ndarray

from visuomotor.runs import Run
from visuomotor.runs.metric_labels import GROUPS, group_of, groups_of, metric_text, tensorboard_layout


@dataclass(frozen=True)
class _Nothing:
    pass


def test_each_metric_is_in_one_group():
    keys = [key for group in GROUPS for key in group.metrics]
    assert len(keys) == len(set(keys))
    assert len({group.title for group in GROUPS}) == len(GROUPS)


def test_a_star_stands_for_the_rest_of_a_key():
    keys = ["cost", "stage_fraction/start", "advance_rate/start", "stage_fraction/poured"]
    [(group, found)] = [pair for pair in groups_of(keys) if "stage_fraction/*" in pair[0].metrics]
    assert found == {"stage_fraction/start": "start", "stage_fraction/poured": "poured"}
    for key in ("stage_fraction/poured", "cost", "demo_return"):
        assert sum(bool(each.among([key])) for each in GROUPS) == 1
    assert group is group_of("stage_fraction/lifted")


def test_unknown_metrics_come_last_under_their_own_names():
    found = groups_of(["my_own", "cost"])
    assert [group.title for group, _ in found] == ["cost of a trajectory", "my own"]
    assert [labels for _, labels in groups_of(["my_own", "cost"], own_groups=False)] == [{"cost": "cost"}]


def test_groups_keep_the_tables_order():
    keys = [key for group in reversed(GROUPS) for key in group.metrics if "*" not in key]
    titles = [group.title for group, _ in groups_of(keys)]
    assert titles == [group.title for group in GROUPS if not any("*" in key for key in group.metrics)]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("success_rate", 0.756, "76%"),
        ("stage_fraction/lifted", 0.25, "25%"),
        ("discriminator_accuracy/policy", 1.0, "100%"),
        ("cost", 0.123456, "0.1235"),
        ("control_steps", 24_000_000, "24,000,000"),
        ("my_own", 2.5, "2.5"),
        ("note", "x", "x"),
    ],
)
def test_values_as_people_read_them(key, value, text):
    assert metric_text(key, value) == text


def test_units_are_told_where_there_are_some():
    assert group_of("final_distance_m").heading == "final distance (m)"
    assert group_of("success_rate").heading == "success rate"


def test_tensorboard_charts_of_a_group_have_its_metrics_in_all_phases():
    charts = tensorboard_layout()["training"]
    _, patterns = charts["KL divergence of an update"]

    def shown(tag: str) -> bool:
        return any(re.match(pattern, tag) for pattern in patterns)

    assert [tag for tag in ("ppo/kl", "kl", "policy/kl_bound", "policy/kl_step_mult", "policy_kl") if shown(tag)] == [
        "ppo/kl",
        "kl",
        "policy/kl_bound",
    ]
    [pattern] = charts["steps by stage"][1]
    assert re.match(pattern, "ppo/stage_fraction/lifted")


def test_a_runs_tensorboard_has_the_charts(tmp_path):
    run = Run.create(tmp_path, algorithm="gps", task="hanger", preset="laptop", seed=0, config=_Nothing(), name="a")
    run.log({"phase": "policy", "cost": 1.0})
    run.close()
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    written = events.Tensors(metadata.CONFIG_SUMMARY_TAG)[0].tensor_proto
    layout = layout_pb2.Layout.FromString(make_ndarray(written).item())
    assert [chart.title for chart in layout.category[0].chart] == [group.heading for group in GROUPS]
