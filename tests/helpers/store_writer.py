"""A process that writes to an embedded store until it is killed; used by the durability tests.

Prints the number of each document after the store has confirmed it.
"""

import sys
from itertools import count

from vitrion.store.job_store import open_job_store


def output(writer: str, number: int) -> dict:
    """Return a job's output whose large part can be recomputed from its name."""
    values = [number + i / 7 for i in range(2000)]
    return {"uuid": f"{writer}-{number}", "index": 1, "output": {"values": values, "n": number}}


def main(folder: str, writer: str, limit: str) -> None:
    store = open_job_store(folder)
    print("ready", flush=True)
    for number in count():
        if number == int(limit):
            return
        store.update(output(writer, number), save={"data": ["values"]})
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
