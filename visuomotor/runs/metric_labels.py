"""What metrics are called: one table for the progress display, TensorBoard, figures and the report."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

PROGRESS_KEYS: Final = ("phase", "iteration", "iterations", "fraction", "elapsed_seconds")
"""How far training has come; all other keys of a row are metrics."""


@dataclass(frozen=True)
class MetricGroup:
    """Metrics that are shown together: one row of the progress display, one plot of a figure."""

    title: str
    metrics: Mapping[str, str]
    """Keys in metrics.jsonl, and what each is called beside the others. `{"stage_fraction/*": "*"}` is all keys that
    begin so, each called by the rest of its key."""
    unit: Literal["", "%", "m", "s"] = ""
    """Shares have "%": they lie between 0 and 1."""
    scale: Literal["linear", "log", "symlog"] = "linear"
    """Scale of a plot's axis. log: where all values are positive and far apart. symlog: linear around zero only."""
    live: bool = True
    """Whether the progress display shows it; logs and figures have all."""
    parts_of_whole: bool = False
    """Whether the progress display shows each as its share of the sum."""

    def among(self, keys: Iterable[str]) -> dict[str, str]:
        """The metrics of this group that are among `keys`, and what they are called."""
        keys, found = list(keys), dict[str, str]()
        for key, label in self.metrics.items():
            prefix, star, _ = key.partition("*")
            if star:
                found |= {name: label.replace("*", name[len(prefix) :]) for name in keys if name.startswith(prefix)}
            elif key in keys:
                found[key] = label
        return found

    @property
    def heading(self) -> str:
        """The title, and the unit where it is one."""
        return f"{self.title} ({self.unit})" if self.unit in ("m", "s") else self.title


GROUPS: Final = (
    MetricGroup(
        "success rate",
        {"success_rate": "random starts (with noise)", "success": "local controllers", "policy_success": "policy"},
        unit="%",
    ),
    MetricGroup(
        "return from a random start",
        {"task_return": "task", "demo_return": "demonstrations", "imitation_return": "imitation"},
    ),
    MetricGroup(
        "final distance",
        {"final_distance_m": "local controllers", "policy_distance_m": "policy"},
        unit="m",
        scale="log",
    ),
    MetricGroup("steps by stage", {"stage_fraction/*": "*"}, unit="%"),
    MetricGroup("demonstration starts that advance", {"advance_rate/*": "*"}, unit="%"),
    MetricGroup("cost of a trajectory", {"cost": "cost"}, scale="log"),
    MetricGroup("cost of the solution, without noise", {"policy_cost": "cost"}, scale="log"),
    # A controller can look hopeless under the next dynamics: one such value must not flatten all others.
    MetricGroup(
        "improvement of the cost",
        {"predicted_improvement": "predicted", "actual_improvement": "actual"},
        scale="symlog",
    ),
    MetricGroup("updates that were kept", {"accepted": "conditions"}, unit="%"),
    MetricGroup("KL divergence of an update", {"kl": "measured", "kl_bound": "bound"}, scale="log"),
    MetricGroup("multiplier of the KL bound", {"kl_step_mult": "multiplier"}),
    MetricGroup("dual variable of the KL bound", {"eta": "median over conditions"}, scale="log", live=False),
    MetricGroup("coefficient of the KL penalty", {"kl_coefficient": "coefficient"}, scale="log"),
    MetricGroup("KL divergence trajectory to policy", {"policy_kl": "mean over steps"}, scale="log"),
    MetricGroup("weight of the KL to the policy", {"kl_weight": "mean over steps"}, scale="log"),
    MetricGroup("action gap policy to trajectory", {"policy_action_gap": "mean over steps"}, scale="log"),
    MetricGroup("supervised loss", {"supervised_loss": "policy", "pose_loss": "pose network"}, scale="log"),
    MetricGroup(
        "error of object positions",
        {"object_position_error_m": "auxiliary head (median)", "pose_error_m": "pose network (mean)"},
        unit="m",
        scale="log",
    ),
    MetricGroup("error of cloned actions (fraction of the limit)", {"action_error": "mean"}, scale="log"),
    MetricGroup(
        "discriminator accuracy",
        {"discriminator_accuracy/demo": "demonstrations", "discriminator_accuracy/policy": "policy"},
        unit="%",
    ),
    MetricGroup(
        "mean of the discriminator",
        {"discriminator_mean/demo": "demonstrations", "discriminator_mean/policy": "policy"},
        live=False,
    ),
    MetricGroup(
        "loss of the discriminator",
        {"discriminator_loss": "loss", "discriminator_penalty": "gradient penalty"},
        live=False,
    ),
    MetricGroup("task reward of a step", {"task_reward": "mean"}, live=False),
    MetricGroup("entropy of an action", {"entropy": "entropy"}),
    MetricGroup("exploration noise (standard deviation)", {"noise_std": "mean over actions"}, scale="log"),
    MetricGroup("loss of the critic", {"value_loss": "loss"}, scale="log"),
    MetricGroup("surrogate objective", {"surrogate": "mean"}, live=False),
    MetricGroup("norm of the policy's gradient", {"gradient_norm": "before clipping"}, scale="log", live=False),
    MetricGroup("probability ratios outside the clip range", {"clip_fraction": "steps"}, unit="%", live=False),
    MetricGroup("mean actions beyond the limits", {"saturated_fraction": "mean actions"}, unit="%", live=False),
    MetricGroup("sampled parameters that count", {"effective_samples": "effective number"}),
    MetricGroup("spread of sampled parameters", {"search_std": "mean standard deviation"}, scale="log"),
    MetricGroup("price on changed actions", {"regularization": "median over conditions"}, scale="log", live=False),
    MetricGroup("episodes sampled so far", {"episodes": "episodes"}),
    MetricGroup("episodes of the known model", {"model_episodes": "episodes"}, live=False),
    MetricGroup("worlds whose physics diverged", {"num_diverged": "worlds"}),
    MetricGroup("control steps a second", {"sps": "steps"}),
    MetricGroup("time of an iteration", {"time/*": "*"}, unit="s", parts_of_whole=True),
)
"""In the order in which they are shown."""


def group_of(key: str) -> MetricGroup:
    """The group of a metric; one that is in none has a group of its own, under its own name."""
    found = (group for group in GROUPS if group.among([key]))
    return next(found, MetricGroup(key.replace("_", " "), {key: key}))


def groups_of(keys: Iterable[str], own_groups: bool = True) -> list[tuple[MetricGroup, dict[str, str]]]:
    """The groups that some of `keys` are in, in the table's order; each with these keys and what they are called.

    Args:
        own_groups: whether keys that are in none have groups of their own, which come last.
    """
    keys = list(keys)
    known = [(group, found) for group in GROUPS if (found := group.among(keys))]
    others = [(group, {key: key}) for key in keys if (group := group_of(key)) not in GROUPS]
    return known + others if own_groups else known


def metric_text(key: str, value: Any) -> str:
    """A value as text for displays."""
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    return f"{100 * value:.0f}%" if group_of(key).unit == "%" else f"{float(value):.4g}"


def tensorboard_layout() -> dict[str, dict[str, list[Any]]]:
    """Charts of several lines, for `SummaryWriter.add_custom_scalars`: one for each group."""
    charts = {
        group.heading: ["Multiline", ["(.*/)?" + re.escape(key).replace(r"\*", ".*") + "$" for key in group.metrics]]
        for group in GROUPS
    }
    return {"training": charts}
