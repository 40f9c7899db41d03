import pytest

from visuomotor.engine.workers import share_work


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_task_runs_once(threads: int) -> None:
    done: list[int] = []
    share_work(done.append, 50, threads)
    assert sorted(done) == list(range(50))


def test_no_tasks() -> None:
    share_work(pytest.fail, 0, 4)


def test_a_failure_reaches_the_caller() -> None:
    def fail(number: int) -> None:
        if number == 7:
            raise KeyError(number)

    with pytest.raises(KeyError):
        share_work(fail, 20, 2)
