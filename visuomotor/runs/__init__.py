"""A run is a folder: its config, metrics, checkpoints, videos, figures and report."""

from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.checkpoint import load_checkpoint, save_checkpoint
from visuomotor.runs.config import config_from_dict, config_to_dict, flatten, learning_settings
from visuomotor.runs.folder import Run
from visuomotor.runs.provenance import git_commit, hardware, versions
from visuomotor.runs.rng import generator_states, restore_generators

__all__ = [
    "Run",
    "config_from_dict",
    "config_to_dict",
    "flatten",
    "generator_states",
    "git_commit",
    "hardware",
    "learning_settings",
    "load_checkpoint",
    "restore_generators",
    "save_checkpoint",
    "versions",
    "write_atomically",
]
