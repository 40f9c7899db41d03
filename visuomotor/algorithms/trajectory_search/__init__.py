"""Policy search on the full state, for any task with a cost: CEM, REPS, RWR, iLQG, and guided policy search."""

from visuomotor.algorithms.trajectory_search.cem import Cem, CemConfig
from visuomotor.algorithms.trajectory_search.gps_network import GpsNetwork, GpsNetworkConfig
from visuomotor.algorithms.trajectory_search.gps_trajectories import GpsTrajectories, GpsTrajectoriesConfig
from visuomotor.algorithms.trajectory_search.ilqg import Ilqg, IlqgConfig
from visuomotor.algorithms.trajectory_search.reps import Reps, RepsConfig
from visuomotor.algorithms.trajectory_search.rwr import Rwr, RwrConfig

__all__ = [
    "Cem",
    "CemConfig",
    "GpsNetwork",
    "GpsNetworkConfig",
    "GpsTrajectories",
    "GpsTrajectoriesConfig",
    "Ilqg",
    "IlqgConfig",
    "Reps",
    "RepsConfig",
    "Rwr",
    "RwrConfig",
]
