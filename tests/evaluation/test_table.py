from visuomotor.evaluation import PROTOCOLS, markdown_table


def test_seeds_of_a_protocol_share_a_row(result):
    table = markdown_table(
        [
            result(seed=1, successes=9),
            result(seed=0, successes=5),
            result(protocol="visual", mean_final_distance_m=None),
        ]
    )
    lines = table.splitlines()
    assert lines[2] == "| hanger | gps | laptop | training | 2 | 14 / 20 | 70% | 48 to 85% | 1.2 cm |"
    assert lines[3] == "| hanger | gps | laptop | visual | 1 | 5 / 10 | 50% | 24 to 76% |  |"
    assert lines[-1] == "Measured on a laptop, 2 cores; commit 0123456789."


def test_settings_have_rows_of_their_own(result):
    table = markdown_table([result(successes=3), result(settings="image.size 32", successes=4)])
    assert " settings |" in table.splitlines()[0]
    assert " image.size 32 |" in table.splitlines()[3]
    assert "settings" not in markdown_table([result()])


def test_commits_of_training_are_told_where_known(result):
    table = markdown_table([result(), result(seed=1, training_commit="fedcba9876543210")])
    assert table.splitlines()[-1].endswith("commit 0123456789 (policies trained at fedcba9876).")
    assert "commit fedcba9876-dirty." in markdown_table([result(commit="fedcba9876543210-dirty")])


def test_each_seed_counts_alike_whatever_its_trials(result):
    table = markdown_table([result(seed=0, trials=90, successes=90), result(seed=1, trials=10, successes=0)])
    assert "| 90 / 100 | 50% |" in table


def test_columns_without_numbers_are_left_out(result):
    assert "final distance" not in markdown_table([result(mean_final_distance_m=None)])
    assert "training time" in markdown_table([result(training_seconds=1200.0)])


def test_both_methods_share_a_table(result):
    stages = {"start": 10, "reached": 9, "lifted": 8, "stacked": 7}
    staged = {"task": "stacking", "method": "ppo-gail", "protocol": "random", "mean_final_distance_m": None}
    table = markdown_table([result(), result(**staged, stages=stages, mean_return=12.34, successes=7)])
    header, _, first, second = table.splitlines()[:4]
    assert header.endswith("| 95% interval | final distance | return | got to |")
    assert first.endswith("| 24 to 76% | 1.2 cm |  |  |")
    assert second.startswith("| stacking | ppo-gail | laptop | random | 1 | 7 / 10 | 70% |")
    assert second.endswith("|  | 12.3 | reached 90%, lifted 80% |")


def test_protocols_come_in_the_papers_order(result):
    table = markdown_table([result(protocol=protocol) for protocol in reversed(PROTOCOLS)])
    listed = [line.split(" | ")[3] for line in table.splitlines()[2:7]]
    assert listed == ["training", "spatial", "visual", "background", "random"]


def test_no_results_says_how_to_get_some():
    assert "visuomotor evaluate" in markdown_table([])
