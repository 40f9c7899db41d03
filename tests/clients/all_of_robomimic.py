"""robomimic's dataset tools on the file that the example has rendered, and its reader on a merged one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from robomimic.utils import obs_utils
from robomimic.utils.dataset import SequenceDataset

from visuomotor.cli import main as visuomotor


def tool(name: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"robomimic.scripts.{name}", "--dataset", "rendered.hdf5"]
    return subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    told = tool("get_dataset_info")
    for line in ("total trajectories: 30", "filter key valid with 3 demos", '"type": 2'):
        assert line in told, line
    tool("playback_dataset", *["--use-obs", "--render_image_names", "image", "--video_path", "played.mp4", "--n", "1"])
    assert Path("played.mp4").stat().st_size > 0

    assert visuomotor(["demos", "generate", "lifting", "--episodes", "2", "--observations", "--out", "two.hdf5"]) == 0
    assert visuomotor(["demos", "merge", "rendered.hdf5", "two.hdf5", "--out", "merged.hdf5"]) == 0
    obs_utils.initialize_obs_utils_with_obs_specs([{"obs": {"rgb": ["image"], "low_dim": ["proprioception"]}}])
    for mask, count in (("train", 27 + 1), ("valid", 3 + 1)):
        read = SequenceDataset("merged.hdf5", ["image", "proprioception"], ["actions"], filter_by_attribute=mask)
        assert read.n_demos == count
        first, second = read[0], read[1]
        for name in ("image", "proprioception"):
            assert np.array_equal(first["next_obs"][name], second["obs"][name])


main()
