import dataclasses
import os

import pytest
import torch
from test_dataset import assert_equal_episodes

from visuomotor.demos import read_demonstrations, write_demonstrations
from visuomotor.demos.dataset import write_file
from visuomotor.demos.merge import merge
from visuomotor.errors import VisuomotorError


@pytest.fixture
def other(tmp_path, lifting, episodes):
    """Three episodes, the second of which is gone and the third of which has another name."""
    written = write_demonstrations(tmp_path / "other.hdf5", lifting, [*episodes, episodes[0]], {"seed": 4})
    names = {"demo_0": "demo_0", "demo_2": "nice"}
    kept = [dataclasses.replace(it, name=names[it.name]) for it in written.episodes if it.name in names]
    masks = {"train": ["demo_0"], "valid": ["nice"], "mine": ["nice", "demo_0"]}
    write_file(tmp_path / "other.hdf5", dataclasses.replace(written, episodes=kept, masks=masks))
    return tmp_path / "other.hdf5"


def test_episodes_are_numbered_anew_and_stay_in_their_masks(path, other, lifting, episodes, tmp_path):
    write_file(tmp_path / "merged.hdf5", merge([other, path]))
    merged = read_demonstrations(tmp_path / "merged.hdf5", lifting)
    assert [episode.name for episode in merged.episodes] == ["demo_0", "demo_1", "demo_2", "demo_3"]
    for episode, original in zip(merged.episodes, [episodes[0], episodes[0], *episodes], strict=True):
        assert_equal_episodes(episode, original)
    assert merged.masks == {
        "train": ["demo_0", "demo_2"],
        "valid": ["demo_1", "demo_3"],
        "mine": ["demo_1", "demo_0"],
        "success": [],
    }


def test_episodes_of_a_file_without_masks_get_the_usual_ones(path, other):
    read = read_demonstrations(other)
    for masks, mine in (({}, []), ({"mine": ["nice"]}, ["demo_3"])):
        write_file(other, dataclasses.replace(read, masks=masks))
        merged = merge([path, other])
        assert (merged.masks["train"], merged.masks["valid"]) == (["demo_0", "demo_2"], ["demo_1", "demo_3"])
        assert merged.masks.get("mine", []) == mine
    write_file(other, dataclasses.replace(read, masks={"train": ["demo_0", "nice"]}))  # somebody wants no validation
    assert merge([path, other]).masks["valid"] == ["demo_1"]


def test_metadata_say_where_everything_is_from(path, other):
    merged = merge([path, other])
    assert "seed" not in merged.metadata
    assert merged.metadata["sources"] == [{"file": "lifting.hdf5", "seed": 3}, {"file": "other.hdf5", "seed": 4}]
    assert merged.metadata["model_hash"] == read_demonstrations(path).metadata["model_hash"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_hash": "beef"}, "model_hash is beef, not "),
        ({"control_dt": 0.1}, r"control_dt is 0.1, not 0.05"),
        ({"stages": ["a", "b", "c"], "max_episode_steps": 7}, r"stages is \[.*; max_episode_steps is 7, not 100"),
        ({"state": "float32"}, "state is float32, not"),
    ],
)
def test_files_of_different_scenes_do_not_go_together(path, other, changes, told):
    read = read_demonstrations(other)
    write_file(other, dataclasses.replace(read, metadata={**read.metadata, **changes}))
    with pytest.raises(VisuomotorError, match=rf"other.hdf5 does not go with .*lifting.hdf5: {told}"):
        merge([path, other])


def test_nor_do_files_of_different_tasks_or_observations(path, other):
    read = read_demonstrations(other)
    write_file(other, dataclasses.replace(read, task="juggling"))
    with pytest.raises(VisuomotorError, match="task is juggling, not lifting"):
        merge([path, other])
    observed = [dataclasses.replace(it, observations={"x": torch.ones(len(it) + 1, 5)}) for it in read.episodes]
    write_file(other, dataclasses.replace(read, episodes=observed))
    with pytest.raises(VisuomotorError, match=r"observations is x \(5,\), not none .*visuomotor demos render"):
        merge([path, other])


def test_a_file_is_not_merged_with_itself(path):
    with pytest.raises(VisuomotorError, match="given twice"):
        merge([path, path.parent / ".." / path.parent.name / path.name])
    for link in (os.symlink, os.link):
        other_name = path.with_name(f"{link.__name__}.hdf5")
        link(path, other_name)
        with pytest.raises(VisuomotorError, match="given twice"):
            merge([path, other_name])


def test_observations_stay(other, path, lifting, episodes):
    observed = [
        dataclasses.replace(it, observations={"x": torch.arange(len(it) + 1.0)[:, None] + 100 * index})
        for index, it in enumerate(episodes)
    ]
    for file in (path, other):
        write_demonstrations(file, lifting, observed)
    write_file(path.with_name("merged.hdf5"), merge([path, other]))
    read = read_demonstrations(path.with_name("merged.hdf5"), observations=True)
    for episode, original in zip(read.episodes, [*observed, *observed], strict=True):
        assert torch.equal(episode.observations["x"], original.observations["x"])
    assert not read_demonstrations(path).episodes[0].observations  # training does not read them


def test_a_file_of_format_1_becomes_one_of_format_2(lifting, tmp_path, request):
    old = request.path.parent / "format1_lifting.hdf5"
    new = request.path.parents[2] / "demos" / "lifting.hdf5"
    write_file(tmp_path / "merged.hdf5", merge([old, new]))
    merged = read_demonstrations(tmp_path / "merged.hdf5", lifting)
    assert merged.metadata["format"] == 2
    assert merged.metadata["task"] == "lifting"
    assert len(merged.episodes) == 31
    (first,) = read_demonstrations(old).episodes
    assert_equal_episodes(merged.episodes[0], first)


def test_the_mask_of_successes_is_made_anew(path, other):
    read = read_demonstrations(other)
    first = read.episodes[0]
    last_stage = torch.tensor([len(read.metadata["stages"]) - 1])
    done = dataclasses.replace(first, name="mine", success=True, stages=torch.cat([first.stages[:-1], last_stage]))
    write_file(other, dataclasses.replace(read, episodes=[done, *read.episodes[1:]]))  # its masks know no "mine"
    assert merge([path, other]).masks["success"] == [f"demo_{len(read_demonstrations(path).episodes)}"]
