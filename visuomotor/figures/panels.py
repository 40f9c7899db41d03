"""Which metrics share a plot, and how it is drawn."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One small plot: the metrics that share it, by name, with their legends. `{"stage_*": "*"}` is all that begin
    with `stage_`, each with the rest of its name."""

    title: str
    lines: Mapping[str, str]
    log: bool = False
    """Logarithmic, where all values are positive and far apart."""
    both_signs: bool = False
    """Logarithmic away from zero, linear around it."""
    share: bool = False
    """Between 0 and 1, all of which is shown."""

    def among(self, names: Iterable[str]) -> dict[str, str]:
        """`lines` with every star in them replaced by what it looks_stacked for among `names`."""
        found: dict[str, str] = {}
        for line, legend in self.lines.items():
            prefix, star, _ = line.partition("*")
            meant = [name for name in names if name.startswith(prefix)] if star else [line]
            found |= {name: legend.replace("*", name.removeprefix(prefix)) for name in meant}
        return found


PANELS = (
    Panel("cost of a trajectory", {"cost": "cost"}, log=True),
    Panel("KL divergence of an update", {"kl": "measured", "kl_bound": "bound"}, log=True),
    # a controller can look hopeless under the next dynamics: one such value must not flatten all others
    Panel(
        "improvement of the cost",
        {"predicted_improvement": "predicted", "actual_improvement": "actual"},
        both_signs=True,
    ),
    Panel("KL divergence policy to trajectory", {"policy_kl": "mean over steps"}, log=True),
    Panel("final distance (m)", {"final_distance": "mean"}, log=True),
    Panel("success rate", {"success": "of the conditions", "success_random": "random starts, noisy_controller"}, share=True),
    Panel("supervised loss", {"supervised_loss": "policy", "pose_loss": "pose network"}, log=True),
    Panel("error of cloned actions", {"action_error": "in parts of the limit"}, log=True),
    Panel(
        "return of an episode from a random start",
        {"task_return": "task", "demo_return": "task, demonstrations", "imitation_return": "imitation"},
    ),
    Panel("share of steps in a stage", {"stage_*": "*"}, share=True),
    Panel("demonstrated states that are got on from", {"curriculum_*": "*"}, share=True),
    Panel(
        "accuracy of the discriminator",
        {"discriminator_demonstration_accuracy": "demonstrations", "discriminator_policy_accuracy": "policy"},
        share=True,
    ),
    Panel("coefficient of the KL penalty", {"kl_coefficient": "coefficient"}, log=True),
    Panel("entropy of an action", {"entropy": "entropy"}),
    Panel("standard deviation of exploration noise", {"noise_std": "mean over actions"}, log=True),
    Panel("probability ratios outside the clip range", {"clip_fraction": "share of steps"}, share=True),
    Panel("loss of the critic", {"value_loss": "loss"}, log=True),
    Panel("error of seen object positions (m)", {"auxiliary_error": "median"}, log=True),
    Panel("control steps a second", {"steps_per_second": "steps"}),
    Panel(
        "seconds of an iteration",
        {
            "seconds_physics": "physics",
            "seconds_pixels": "pixels",
            "seconds_policy": "policy",
            "seconds_update": "update",
        },
    ),
)
