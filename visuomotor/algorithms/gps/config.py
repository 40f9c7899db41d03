"""Every setting of guided policy search, and its presets."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.policies import AugmentationConfig
from visuomotor.runs.config import Range, check_range, check_settings


@dataclass(frozen=True)
class ImageConfig:
    """What the policy sees."""

    size: Annotated[int, Range(32, 1024)] = 64
    """Side of the square images in pixels; the paper's robot had 240."""
    supersampling: Annotated[int, Range(1, 8)] = 2
    """Rays along each side of a pixel: a wire thinner than a pixel then keeps its place."""
    first_layer: Path | None = None
    """File of first-layer filters to begin with (see `VisionEncoder.load_first_layer`); None draws them at random."""


@dataclass(frozen=True)
class PoseConfig:
    """Pose regression, which initialises the vision layers."""

    images: Annotated[int, Range(10, 1_000_000)] = 2000
    """Images of random target poses; a tenth of them is held out."""
    epochs: Annotated[int, Range(0, 10_000)] = 80
    """Passes over the images."""
    batch: Annotated[int, Range(1, 100_000)] = 25
    """Images in a step of the optimiser."""
    learning_rate: Annotated[float, Range(1e-8, 1)] = 3e-3
    """Largest learning rate of Adam; it rises in a twentieth of the training and falls along a cosine."""


@dataclass(frozen=True)
class TrajectoryUpdateConfig:
    """How trajectories are sampled, and how far an update may go."""

    initial_noise_std: Annotated[float, Range(1e-6, 1)] = 0.08
    """Exploration of the first controllers: standard deviation as a fraction of each action limit."""
    noise_smoothing_steps: Annotated[float, Range(0, 1000)] = 2.0
    """Control steps over which exploration noise is smoothed."""
    kl_step: Annotated[float, Range(1e-6, 100)] = 1.0
    """How far one update may go: nats a time step, times a multiplier that adapts to how well predictions hold."""
    min_kl_step_mult: Annotated[float, Range(1e-6, 1000)] = 0.5
    """Lower limit of the multiplier."""
    max_kl_step_mult: Annotated[float, Range(1e-6, 1000)] = 3.0
    """Upper limit of the multiplier."""


@dataclass(frozen=True)
class TrajectoryConfig(TrajectoryUpdateConfig):
    """Trajectory optimisation on the full state."""

    iterations: Annotated[int, Range(1, 1000)] = 15
    """Iterations with a small full-state network, before the visuomotor policy comes in."""
    largest_loss: Annotated[float, Range(0, 1e9)] = 1.0
    """An update is undone if it raises a condition's cost by more than this fraction of the improvement so far."""


@dataclass(frozen=True)
class DynamicsConfig:
    """Fitted dynamics; the policy's linearisation uses the same prior settings."""

    clusters: Annotated[int, Range(2, 1000)] = 12
    """Gaussians in the prior, at most."""
    prior_iterations: Annotated[int, Range(1, 100)] = 4
    """How many iterations' samples the prior is fitted to."""
    prior_points: Annotated[int, Range(100, 10_000_000)] = 8000
    """Largest number of time steps, drawn at random, that the prior is fitted to. If it is too small for `clusters`,
    the fitted dynamics become unstable."""
    prior_strength: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """How many samples the prior counts for at each time step."""
    window: Annotated[tuple[float, ...], Range(1e-6, 1000)] = (1.0, 0.7, 0.3)
    """How much the samples of a time step itself, of its neighbours, of their neighbours count in its regression."""
    ridge: Annotated[float, Range(0, 1)] = 1e-6
    """Added to the variances of states and actions in the regression."""


@dataclass(frozen=True)
class BadmmConfig:
    """The alternation between policy and trajectories."""

    inner_iterations: Annotated[int, Range(1, 100)] = 4
    """Alternations on one set of samples."""
    dual_step_size: Annotated[float, Range(0, 10)] = 0.1
    """Step of the Lagrange multipliers on the expected action."""
    initial_kl_weight: Annotated[float, Range(1e-9, 1e6)] = 0.01
    """Weight of the divergence between policy and trajectories at first."""
    reuse_iterations: Annotated[int, Range(1, 100)] = 2
    """Number of iterations whose samples the policy is fitted to, the current one included."""
    importance_std_floor: Annotated[float, Range(1e-6, 100)] = 0.1
    """Standard deviation (state units) by which densities are blurred before their ratio weights old samples."""


@dataclass(frozen=True)
class EndToEndConfig:
    """Training of the visuomotor policy."""

    iterations: Annotated[int | None, Range(0, 1000)] = None
    """Iterations of guided policy search with the visuomotor policy; None takes the task's `num_policy_iterations`. The
    paper took 2 (hanger), 3 (cube, hammer) and 4 (bottle)."""
    min_kl_step_mult: Annotated[float, Range(1e-6, 1000)] = 0.001
    """Lower limit of the multiplier of `trajectory.kl_step` in this phase: trajectories that work already need small
    steps, and the policy falls behind large ones."""
    max_kl_step_mult: Annotated[float, Range(1e-6, 1000)] = 0.1
    """Upper limit of that multiplier."""
    head_fit: FitConfig = field(default_factory=lambda: FitConfig(steps=2000))
    """The fully connected layers alone, on fixed feature points: in each iteration's first alternation, and in all of
    them where the vision layers are fixed."""
    finetune_fit: FitConfig = field(default_factory=lambda: FitConfig(steps=250, batch=50, learning_rate=3e-4))
    """In every alternation, all layers together."""


@dataclass(frozen=True)
class GpsConfig:
    """Guided policy search."""

    vision: Literal["end-to-end", "pose-features", "pose-prediction"] = "end-to-end"
    """What the policy's vision is trained for. The other two are the paper's baselines, with vision layers that learn
    nothing after pose regression: the policy gets the pose network's feature points, or the points that it predicts."""
    num_conditions: Annotated[int | None, Range(2, 10_000)] = None
    """Starts that trajectories are optimised from, drawn once; None takes the task's `num_conditions`. Fewer
    conditions do not make the task easier: the dynamics are fitted to the samples of all conditions."""
    randomize: bool = False
    """Whether every training image has an appearance of its own (`Task.randomize_appearance`), and conditions differ in
    dynamics and appearance where the task's resets do."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the visuomotor policy learns; `auto` takes CUDA where there is one. Physics and pixels stay on the CPU."""
    image: ImageConfig = field(default_factory=ImageConfig)
    augmentation: AugmentationConfig = field(default_factory=lambda: AugmentationConfig(num_shapes=6))
    pose: PoseConfig = field(default_factory=PoseConfig)
    trajectory: TrajectoryConfig = field(default_factory=TrajectoryConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    badmm: BadmmConfig = field(default_factory=BadmmConfig)
    state_policy: FitConfig = field(default_factory=lambda: FitConfig(steps=500))
    """The small full-state network's fit in each inner iteration."""
    end_to_end: EndToEndConfig = field(default_factory=EndToEndConfig)

    def __post_init__(self) -> None:
        check_settings(self)
        check_trajectory_settings(self.trajectory, self.dynamics)
        phase = self.end_to_end
        check_range("end_to_end.min_kl_step_mult", phase.min_kl_step_mult, 1e-6, phase.max_kl_step_mult)

    def in_policy_phase(self) -> "GpsConfig":
        """With the limits that steps of the trajectories have while the visuomotor policy learns."""
        phase = self.end_to_end
        limits = {"min_kl_step_mult": phase.min_kl_step_mult, "max_kl_step_mult": phase.max_kl_step_mult}
        return replace(self, trajectory=replace(self.trajectory, **limits))


def check_trajectory_settings(trajectory: TrajectoryUpdateConfig, dynamics: DynamicsConfig) -> None:
    """For a config's `__post_init__`: what settings must fulfil together.

    Raises:
        VisuomotorError: the multiplier's limits are crossed, or the window is empty.
    """
    check_range("trajectory.min_kl_step_mult", trajectory.min_kl_step_mult, 1e-6, trajectory.max_kl_step_mult)
    check_range("length of dynamics.window", len(dynamics.window), 1, 100)


_LAPTOP = GpsConfig()
PRESETS: dict[str, GpsConfig] = {
    # two cores: small images, and shapes over them so that clutter distracts less
    "laptop": _LAPTOP,
    # the paper's numbers where it gives them (iterations are those of the hanger); shapes are pasted here too
    "paper": replace(
        _LAPTOP,
        image=ImageConfig(size=240, supersampling=1),
        pose=PoseConfig(images=1000, epochs=40, learning_rate=1e-3),
        end_to_end=EndToEndConfig(iterations=2),
    ),
    # one GPU: larger images and longer training
    "gpu": replace(
        _LAPTOP,
        image=ImageConfig(size=128),
        pose=PoseConfig(images=4000),
        end_to_end=EndToEndConfig(
            head_fit=FitConfig(steps=4000), finetune_fit=FitConfig(steps=1000, batch=100, learning_rate=3e-4)
        ),
    ),
}
