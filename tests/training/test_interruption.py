from __future__ import annotations

import os
import signal
import threading

import pytest

from moeclip_cli.training.interruption import deferred_interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_recorded_and_the_second_one_interrupts(number):
    before = signal.getsignal(number)
    with deferred_interrupts() as interruption:
        assert not interruption.requested
        os.kill(os.getpid(), number)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_other_threads_leave_the_handlers_alone():
    before, inside = signal.getsignal(signal.SIGINT), []

    def run():
        with deferred_interrupts() as interruption:
            inside.append((signal.getsignal(signal.SIGINT), interruption.requested))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert inside == [(before, False)]
