"""The MX of many names by pycares, whose own thread waits for answers."""

import json
import sys
import threading
import time

import pycares

UNDER_WAY = 200


def main(port: int, count: int) -> None:
    """Ask, and print what it took."""
    room = threading.Semaphore(UNDER_WAY)
    answered: list[object] = []

    def take(result: object, error: int | None) -> None:
        if not error and result is not None:
            answered.append(result)
        room.release()

    began, cpu_began = time.perf_counter(), time.process_time()
    channel = pycares.Channel(servers=["127.0.0.1"], udp_port=port, tries=6, timeout=3)
    for number in range(count):
        room.acquire()
        channel.query(f"d{number}.example", pycares.QUERY_TYPE_MX, callback=take)
    for _ in range(UNDER_WAY):
        room.acquire()
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    sys.stdout.write(json.dumps({"answered": len(answered), **spent}) + "\n")


main(int(sys.argv[1]), int(sys.argv[2]))
