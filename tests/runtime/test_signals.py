import os
import signal

import pytest

from tf_darts.runtime.signals import Stopped, graceful_stop, stop_here


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_only_sets_the_request(number):
    before = signal.signal(number, signal.SIG_DFL)  # whatever started the tests ignores
    try:
        with graceful_stop() as stop:
            assert not stop
            assert stop.signal_number is None
            os.kill(os.getpid(), number)
            assert stop
            assert stop.signal_number == number
    finally:
        signal.signal(number, before)


def test_a_second_ctrl_c_interrupts_at_once():
    with graceful_stop() as stop, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_sigterm_is_patient():
    with graceful_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        for later in (signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), later)
        assert stop.signal_number == signal.SIGTERM, "the first one"


def test_a_signal_is_answered_at_once(capfd):
    with graceful_stop():
        os.kill(os.getpid(), signal.SIGTERM)
        assert capfd.readouterr().err == (
            "Stopping as soon as the state can be saved; Ctrl-C again stops at once.\n"
        )
        os.kill(os.getpid(), signal.SIGTERM)
        assert capfd.readouterr().err == "", "once"


def test_where_nothing_is_to_be_saved_a_signal_ends_it(capfd):
    """At the next place where it can."""
    done = []
    words = "Stopped before step 1."
    with (
        graceful_stop() as stop,
        pytest.raises(Stopped, match=words) as stopped,
        stop.nothing_to_save(words),
    ):
        stop_here()
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("this work")
        stop_here()
        done.append("more work")
    assert stopped.value.signal_number == signal.SIGTERM and done == ["this work"]
    answer = "Stopping as soon as this is compiled; Ctrl-C again stops at once.\n"
    assert capfd.readouterr().err == answer
    with graceful_stop() as stop:
        with stop.nothing_to_save(words):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        stop_here()  # it is over: only the request is set
        with pytest.raises(Stopped), stop.nothing_to_save(words):
            done.append("more work")
    assert done == ["this work"]


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with graceful_stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_put_back_even_after_an_error():
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    with pytest.raises(RuntimeError), graceful_stop():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
        raise RuntimeError
    assert {n: signal.getsignal(n) for n in before} == before


def test_stopped_says_which_signal():
    stopped = Stopped(signal.SIGTERM, "Stopped after step 3.")
    assert (stopped.signal_number, str(stopped)) == (signal.SIGTERM, "Stopped after step 3.")
