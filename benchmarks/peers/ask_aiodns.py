"""The MX of many names by aiodns."""

import asyncio
import json
import sys
import time

import aiodns

UNDER_WAY = 200


async def main(port: int, count: int) -> None:
    """Ask, and print what it took."""
    numbers = iter(range(count))
    answered = 0

    async def work(resolver: aiodns.DNSResolver) -> None:
        nonlocal answered
        for number in numbers:
            await resolver.query_dns(f"d{number}.example", "MX")
            answered += 1

    began, cpu_began = time.perf_counter(), time.process_time()
    resolver = aiodns.DNSResolver(["127.0.0.1"], udp_port=port, tries=6, timeout=3)
    await asyncio.gather(*(work(resolver) for _ in range(UNDER_WAY)))
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    sys.stdout.write(json.dumps({"answered": answered, **spent}) + "\n")


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
