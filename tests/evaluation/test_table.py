from visuomotor.evaluation import SPLITS, markdown_table
from visuomotor.evaluation.table import success_table


def test_seeds_of_a_split_share_a_row(result):
    table = markdown_table(
        [
            result(seed=1, successes=9),
            result(seed=0, successes=5),
            result(split="visual", mean_final_distance_m=None),
        ]
    )
    lines = table.splitlines()
    assert lines[2] == "| hanger | gps | laptop | training | 2 | 14 / 20 | 70% | 48 to 85% | 1.2 cm |"
    assert lines[3] == "| hanger | gps | laptop | visual | 1 | 5 / 10 | 50% | 24 to 76% |  |"
    assert lines[-1].startswith("Measured on a laptop, 2 cores.")


def test_settings_have_rows_of_their_own(result):
    table = markdown_table([result(successes=3), result(settings="image.size 32", successes=4)])
    assert " settings |" in table.splitlines()[0]
    assert " image.size 32 |" in table.splitlines()[3]
    assert "settings" not in markdown_table([result()])


def test_each_seed_counts_alike_whatever_its_trials(result):
    table = markdown_table([result(seed=0, trials=90, successes=90), result(seed=1, trials=10, successes=0)])
    assert "| 90 / 100 | 50% |" in table


def test_columns_without_numbers_are_left_out(result):
    assert "final distance" not in markdown_table([result(mean_final_distance_m=None)])
    assert "training time" in markdown_table([result(training_seconds=1200.0)])


def test_both_algorithms_share_a_table(result):
    stages = {"start": 10, "reached": 9, "lifted": 8, "stacked": 7}
    staged = {"task": "stacking", "algorithm": "ppo-gail", "split": "random", "mean_final_distance_m": None}
    table = markdown_table([result(), result(**staged, stages=stages, mean_return=12.34, successes=7)])
    header, _, first, second = table.splitlines()[:4]
    assert header.endswith("| 95% interval | final distance | return | stage reached |")
    assert first.endswith("| 24 to 76% | 1.2 cm |  |  |")
    assert second.startswith("| stacking | ppo-gail | laptop | random | 1 | 7 / 10 | 70% |")
    assert second.endswith("|  | 12.3 | reached 90%, lifted 80% |")


def test_splits_come_in_the_papers_order(result):
    table = markdown_table([result(split=split) for split in reversed(SPLITS)])
    listed = [line.split(" | ")[3] for line in table.splitlines()[2:7]]
    assert listed == ["training", "spatial", "visual", "background", "random"]


def test_no_results_says_how_to_get_some():
    assert "visuomotor evaluate" in markdown_table([])


def test_the_short_table_has_presets_of_the_newest_version_only(result):
    found = [
        result(seed=0, successes=10, trials=10, algorithm_version=2),
        result(seed=1, successes=4, trials=10, algorithm_version=2),
        result(seed=1, successes=5, trials=10, algorithm_version=2, split="visual"),
        result(seed=2, successes=0, trials=10, algorithm_version=1),
        result(seed=2, successes=0, trials=10),
        result(seed=0, successes=1, trials=10, algorithm_version=2, settings="image.size 32"),
        result(seed=0, successes=9, trials=10, algorithm_version=2, settings="total_steps 100"),
    ]
    lines = success_table(found).splitlines()
    assert lines[0] == "| task | algorithm | preset | training | visual | seeds | training time |"
    assert lines[2].split(" | ")[2:6] == ["laptop", "70%", "50%", "1 to 2"]
    assert lines[3].split(" | ")[2:6] == ["laptop, total_steps 100", "90%", "", "1"]
    assert len(lines) == 4


def test_stages_of_other_names_are_left_out(result):
    one, other = ({"start": 10, name: 7, "lifted": 9, "held": 5} for name in ("reached", "grasped"))
    table = markdown_table([result(stages=one), result(seed=1, stages=other)])
    assert table.splitlines()[2].endswith("| lifted 90% |")
