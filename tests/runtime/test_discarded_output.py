"""Output of packages is discarded in one thread, and the streams are restored."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from vitrion.runtime.discarded_output import discard_output


def test_other_threads_still_print(capsys):
    def print_elsewhere():
        print("from another thread")
        print("and its errors", file=sys.stderr)

    with discard_output():
        print("nothing of this")
        print("nor of this", file=sys.stderr)
        other = threading.Thread(target=print_elsewhere)
        other.start()
        other.join()
    print("afterwards")
    assert capsys.readouterr() == ("from another thread\nafterwards\n", "and its errors\n")


def test_overlapping_threads_restore_the_streams():
    before = sys.stdout, sys.stderr
    meeting = threading.Barrier(4)

    def overlap(number):
        meeting.wait(60)
        for _ in range(200):
            with discard_output(), discard_output():
                print(number, flush=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(overlap, range(4)))
    assert (sys.stdout, sys.stderr) == before
