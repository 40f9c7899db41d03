"""Tasks as environments of gymnasium: many worlds in one vector environment, or a single one."""

from importlib import import_module

from visuomotor.errors import VisuomotorError

try:
    import_module("gymnasium")
except ImportError as error:
    raise VisuomotorError(f"gymnasium is missing ({error}); install it with pip install 'visuomotor[gym]'") from error

from visuomotor.adapters.gymnasium.env import VisuomotorEnv
from visuomotor.adapters.gymnasium.vector_env import Infos, Observation, VisuomotorVectorEnv

__all__ = ["Infos", "Observation", "VisuomotorEnv", "VisuomotorVectorEnv"]
