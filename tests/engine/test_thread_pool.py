import pytest

from visuomotor.engine.thread_pool import parallel_for


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_task_runs_once(threads: int) -> None:
    done: list[int] = []
    parallel_for(done.append, 50, threads)
    assert sorted(done) == list(range(50))


def test_no_tasks() -> None:
    parallel_for(pytest.fail, 0, 4)


def test_a_failure_reaches_the_caller() -> None:
    def fail(number: int) -> None:
        if number == 7:
            raise KeyError(number)

    with pytest.raises(KeyError):
        parallel_for(fail, 20, 2)
