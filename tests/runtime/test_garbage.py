"""Python collects again when the last who put it off is done."""

import gc
import threading

import pytest

from tf_darts.runtime.garbage import beginning, begun, without_collection


def test_it_is_off_inside_and_on_afterwards():
    with without_collection(), without_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_on_after_an_error():
    with pytest.raises(ZeroDivisionError), without_collection():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_who_turned_it_off_keeps_it_off():
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_of_two_threads_the_last_turns_it_on():
    inside, go_on = threading.Event(), threading.Event()

    def work():
        with without_collection():
            inside.set()
            assert go_on.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert inside.wait(60)
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        go_on.set()
        thread.join()
    assert gc.isenabled()


def test_a_run_puts_it_off_until_its_first_step():
    @beginning()
    def run(steps):
        assert not gc.isenabled()
        for _ in range(steps):
            begun()
            assert gc.isenabled()

    for steps in (2, 0):
        run(steps)
        assert gc.isenabled()
    begun()  # of somebody whose beginning nobody announced
    assert gc.isenabled()


def test_a_run_within_another_has_its_own_beginning():
    with beginning():
        with beginning():
            begun()
            assert not gc.isenabled()  # the outer one has not begun
        assert not gc.isenabled()
        begun()
        assert gc.isenabled()
