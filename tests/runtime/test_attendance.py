"""Workers that count the sums they come to, and one that does not come."""

import threading

from tf_darts.runtime.attendance import Attendance

ADDRESSES = ["one:1", "two:2", "three:3"]


# Long enough for a busy disk: who has not written its count yet would be named as missing.
def _attendance(index, given_up, seconds=1.5):
    return Attendance(ADDRESSES, index, seconds, given_up.set)


def test_who_does_not_come_is_named(tmp_path):
    given_up = threading.Event()
    workers = [_attendance(index, given_up) for index in range(3)]
    for worker in workers:
        worker.tell(tmp_path / "workers")
    for worker in workers:
        with worker.at_sum():
            pass
    with workers[0].at_sum(), workers[2].at_sum():
        assert given_up.wait(10)
    sentence = workers[0].missing or workers[2].missing
    assert sentence.startswith("worker 1 (two:2) did not come to where the other workers")
    assert "1.5 seconds" in sentence and "stop all workers" in sentence
    assert not workers[1].missing


def test_who_is_slow_in_a_sum_has_come(tmp_path):
    given_up = threading.Event()
    workers = [_attendance(index, given_up, 1.0) for index in range(3)]
    for worker in workers:
        worker.tell(tmp_path)
    with workers[0].at_sum(), workers[1].at_sum(), workers[2].at_sum():
        assert not given_up.wait(2.5)
    assert not given_up.wait(0.5), "nobody waits between two sums"


def test_counts_of_an_earlier_run_do_not_count(tmp_path):
    given_up = threading.Event()
    for worker in range(3):
        (tmp_path / str(worker)).write_text("1000")
    workers = [_attendance(index, given_up) for index in range(3)]
    for worker in workers:
        worker.tell(tmp_path)
    with workers[0].at_sum(), workers[1].at_sum():
        assert given_up.wait(10)
    assert "worker 2 (three:3)" in workers[0].missing + workers[1].missing


def test_before_counts_are_told_all_others_are_missing():
    given_up = threading.Event()
    worker = _attendance(1, given_up)
    with worker.at_sum():
        assert given_up.wait(10)
    assert worker.missing.startswith("worker 0 (one:1) and worker 2 (three:3) did not come")
