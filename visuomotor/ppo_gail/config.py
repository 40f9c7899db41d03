"""Every setting of reinforcement and imitation learning, and its presets."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from visuomotor.errors import VisuomotorError
from visuomotor.ppo_gail.curriculum import Choice
from visuomotor.ppo_gail.discriminator import Penalty
from visuomotor.ppo_gail.rewards import Form


@dataclass(frozen=True)
class PolicyConfig:
    """The network that acts."""

    image_size: int = 64
    """Side of the square images in pixels."""
    supersampling: int = 1
    """Rays along each side of a pixel."""
    recurrent: bool = True
    """Whether there is an LSTM; else a layer of its width."""
    initial_log_std: float = -1.0
    """Logarithm of the first standard deviation of every action, in parts of its limit."""
    auxiliary_hidden: tuple[int, ...] = ()
    """Hidden layers of the head that predicts object positions; the paper says one layer, so none are hidden."""


@dataclass(frozen=True)
class PpoConfig:
    """The policy's update."""

    rollout: int = 25
    """Control steps of a rollout: K of the K-step return, and how far backpropagation goes through time."""
    epochs: int = 4
    """Passes over a rollout."""
    minibatches: int = 4
    """Parts of the worlds, each an update."""
    learning_rate: float = 7e-4
    """Adam's."""
    vision_epochs: int = 1
    """How many of the epochs, the last ones, train the vision layers too. In those before them image features are what
    they were when acting, which saves most of the time of an epoch."""
    vision_learning_rate: float = 1e-4
    """Adam's, of the vision layers."""
    last_learning_rate: float = 0.05
    """What is left of the policy's learning rates at the end; they fall geometrically. The less noise a policy has,
    the farther a step of the same length moves it."""
    noise_correlation: float = 0.8
    """Of exploration noise from one control step to the next, 0 to below 1. A hand that trembles at 20 Hz goes nowhere;
    noise that lasts a few steps moves it (the paper's has none)."""
    clip: float | None = 0.2
    """How far a probability ratio may go before its gradient is cut; None for the KL penalty alone, as in the paper."""
    kl_target: float = 0.05
    """Nats a step that an iteration should move the policy; the penalty's coefficient follows."""
    discount: float = 0.99
    """Gamma, per control step."""
    advantage: Literal["gae", "k-step"] = "gae"
    """Generalised advantages, or the K-step return of the paper."""
    gae_lambda: float = 0.95
    entropy: float = 0.0
    """Weight of the policy's entropy."""
    largest_gradient: float = 1.0
    """Norm that a gradient is cut to."""

    def __post_init__(self) -> None:
        if not 0 < self.last_learning_rate <= 1:
            raise VisuomotorError(
                f"ppo.last_learning_rate is a share and must be above 0 and at most 1, not {self.last_learning_rate}"
            )
        if not 0 <= self.vision_epochs <= self.epochs:
            raise VisuomotorError(f"ppo.vision_epochs must be between 0 and ppo.epochs, not {self.vision_epochs}")
        if not 0 <= self.noise_correlation < 1:
            raise VisuomotorError(f"ppo.noise_correlation must be at least 0 and below 1, not {self.noise_correlation}")


@dataclass(frozen=True)
class CriticConfig:
    """The value function, which reads the simulator's state."""

    hidden: tuple[int, ...] = (300, 200)
    learning_rate: float = 1e-3
    """Adam's."""
    epochs: int = 4
    """Passes over a rollout."""
    minibatches: int = 8


@dataclass(frozen=True)
class ImitationConfig:
    """The imitation reward."""

    weight: float = 0.5
    """Lambda, between 0 (reinforcement only) and 1 (imitation only)."""
    source: Literal["discriminator", "ground-truth"] = "discriminator"
    """Ground truth puts the task's reward in the discriminator's place: for debugging all the rest."""
    form: Form = "gail"
    """-log(1-D), log D ("negative") or their sum ("airl")."""
    clip: float = 10.0
    """Largest magnitude of the imitation reward."""
    centred: bool = True
    """Whether the rollout's mean is subtracted. Episodes that are cut short are bootstrapped, so no policy gains by
    it; but the critic need not follow the reward's level, which changes with the discriminator."""
    features: Literal["object-centric", "privileged"] = "object-centric"
    """What the discriminator sees. With the whole state it watches the arm, and fails (the paper's ablation)."""
    actions: bool = False
    """Whether it also sees actions; the demonstrations must then hold them."""
    learning_rate: float = 1e-3
    """Adam's."""
    updates: int = 10
    """Updates of the discriminator an iteration."""
    batch: int = 1024
    """Steps of either kind in an update."""
    gradient_penalty: float = 0.2
    """Weight; 0 for none."""
    penalty_on: Penalty = "demonstrations"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise VisuomotorError(
                "imitation.weight must be between 0 (task reward only) and 1 (imitation reward only), "
                f"not {self.weight}"
            )


@dataclass(frozen=True)
class CurriculumConfig:
    """Where training episodes start."""

    random_starts: float = 0.3
    """Share of control steps, at least, in episodes that start at random; the others start in states of demonstrations.
    1 leaves these out."""
    choice: Choice = "frontier"
    """Which demonstrated states: those from which the policy sometimes gets on, or any ("stages", as in the paper)."""
    steps: int = 60
    """Control steps of an episode that starts in a demonstrated state, at most the task's: what is left of the task is
    shorter then, and more starts are practised in the same time. Values bootstrap where it is cut."""
    patience: int = 10
    """Such an episode is cut too after so many steps in other stages than its first one: a block that has been dropped
    would else be most of what is practised."""

    def __post_init__(self) -> None:
        if not 0 <= self.random_starts <= 1:
            raise VisuomotorError(
                f"curriculum.random_starts is a share and must be between 0 and 1, not {self.random_starts}"
            )


@dataclass(frozen=True)
class SightConfig:
    """The auxiliary task: to tell from an image where the objects are. It trains the vision layers."""

    lessons: int = 0
    """Updates before anything else, on random starts and demonstrated states, each image in other looks."""
    batch: int = 64
    """Images in a lesson. Many small lessons teach more than few large ones in the same time."""
    random_starts: float = 0.4
    """Share of random starts in a lesson."""
    learning_rate: float = 1e-3
    """Adam's, in lessons; it falls to nothing."""
    updates: int = 50
    """Updates in each iteration of reinforcement, each on a part of the rollout's states in other looks; 0 for none."""
    update_learning_rate: float = 3e-4
    """Adam's, of these; it falls as the policy's does."""


@dataclass(frozen=True)
class CloningConfig:
    """Behaviour cloning from the demonstrations' pixels, before reinforcement begins."""

    updates: int = 0
    """Gradient steps; 0 leaves it out. With control_steps 0 there is nothing else: the baseline."""
    batch: int = 16
    """Sequences in an update."""
    length: int = 50
    """Steps of a sequence."""
    learning_rate: float = 3e-4
    """Adam's."""
    auxiliary_weight: float = 0.5
    """Weight of the error of predicted object positions (Huber's loss, in units of 0.1 m)."""
    renderings: int = 8
    """How often each demonstration is rendered, each time with other looks."""


@dataclass(frozen=True)
class PpoGailConfig:
    """Reinforcement and imitation learning."""

    demos: Path | None = None
    """File of demonstrations (`visuomotor demos script TASK` makes one)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks live; `auto` takes CUDA where there is one. Physics and pixels stay on the CPU."""
    control_steps: int = 8_000_000
    """How long to train, in control steps of all worlds together."""
    worlds: int = 128
    """Copies of the task that are simulated at once (in each process)."""
    vary: bool = True
    """Whether worlds differ in looks and physics."""
    checkpoint_every: int = 40
    """Iterations."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    ppo: PpoConfig = field(default_factory=PpoConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    sight: SightConfig = field(default_factory=SightConfig)
    cloning: CloningConfig = field(default_factory=CloningConfig)

    def __post_init__(self) -> None:
        if self.worlds < self.ppo.minibatches:
            raise VisuomotorError(f"{self.worlds} worlds cannot make {self.ppo.minibatches} minibatches; use more")

    @property
    def needs_demonstrations(self) -> bool:
        discriminates = self.imitation.weight > 0 and self.imitation.source == "discriminator"
        return discriminates or self.curriculum.random_starts < 1 or self.cloning.updates > 0


LAPTOP = PpoGailConfig(imitation=ImitationConfig(weight=0.3), sight=SightConfig(lessons=20_000))

PRESETS: dict[str, PpoGailConfig] = {
    "laptop": LAPTOP,
    "paper": replace(
        LAPTOP,
        control_steps=100_000_000,
        worlds=256,
        ppo=PpoConfig(
            rollout=50,
            epochs=10,
            learning_rate=1e-4,
            vision_epochs=10,
            last_learning_rate=1.0,
            noise_correlation=0.0,
            clip=None,
            discount=0.995,
            kl_target=0.015,
            advantage="k-step",
            entropy=0.0,
        ),
        imitation=ImitationConfig(centred=False, learning_rate=1e-4, updates=5, gradient_penalty=0.0),
        curriculum=CurriculumConfig(random_starts=0.5, choice="stages", steps=10_000, patience=10_000),
        sight=SightConfig(update_learning_rate=1e-4),
    ),
    "gpu": replace(LAPTOP, control_steps=30_000_000, worlds=512, checkpoint_every=20),
}
