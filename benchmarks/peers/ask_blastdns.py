"""The MX of many names by blastdns."""

import asyncio
import json
import sys
import time

import blastdns

UNDER_WAY = 200


async def main(port: int, count: int) -> None:
    """Ask, and print what it took."""
    config = blastdns.ClientConfig(
        max_inflight_per_resolver=UNDER_WAY, max_concurrency=UNDER_WAY, adaptive=False, cache_capacity=0
    )
    answered = 0
    began, cpu_began = time.perf_counter(), time.process_time()
    client = blastdns.Client([f"127.0.0.1:{port}"], config)
    async for _ in client.resolve_batch((f"d{number}.example" for number in range(count)), "MX"):
        answered += 1
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    sys.stdout.write(json.dumps({"answered": answered, **spent}) + "\n")


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
