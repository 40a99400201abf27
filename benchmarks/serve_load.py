"""`moeclip serve` under load: speed beside `moeclip score`, many clients, hostile bodies, memory.

    nice python benchmarks/serve_load.py --minutes 30

Speed is measured with the built-in model on pictures of examples/, in turns with `moeclip score`;
everything else with a small stand-in model, where HTTP is most of the work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import torch
from support.image_mutants import mutants
from support.server import form, png
from support.standins import authors_checkpoint, backbone_state

ROOT = Path(__file__).parents[1]
PARTS = ("speed", "clients", "hostile", "memory")
STANDIN = [
    "--model", "model.pth", "--backbone-weights", "backbone.pt", "--image-size", "70",
    "--device", "cpu",
]  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")
# What a hostile body may get: an answer about it, or 503 if its inspection takes longer than the
# server allows, on a busy machine. It is then sent again, as a client would.
PERMITTED = {200, 400, 413, 415, 422, 503}
_TRIES = 5


@dataclass(frozen=True)
class Service:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def files(self) -> int:
        """Number of open files."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def processor_seconds(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30, help="of the memory test")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed test")
    parser.add_argument("--pictures", type=int, default=32, help="in each round")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--part", choices=PARTS, action="append")
    options = parser.parse_args()
    parts = options.part or PARTS
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        torch.save(authors_checkpoint("small"), "model.pth")
        torch.save(backbone_state("small"), "backbone.pt")
        if "speed" in parts:
            speed(options.rounds, options.pictures)
        with serving(*STANDIN) as service:
            if "clients" in parts:
                asyncio.run(clients(service, options.clients))
            if "hostile" in parts:
                asyncio.run(hostile(service, options.bodies))
            if "memory" in parts:
                asyncio.run(memory(service, options.minutes))
        os.chdir("/")


@contextmanager
def serving(*args: str) -> Iterator[Service]:
    """A server, from the moment when it is ready."""
    command = [sys.executable, "-m", "moeclip_cli", "serve", "--port", "0", *args]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    port = int(re.findall(r":(\d+)\.", process.stderr.readline())[0])
    print(process.stderr.readline().strip(), flush=True)
    try:
        yield Service(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    print(f"End: exit code {process.returncode}. {errors.strip()}", flush=True)


async def send(port: int, body: bytes, kind: str = "image/png") -> int:
    """The status of one inspection on a connection of its own; 0 if it was ended without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /inspect HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1]) if answer else 0
    except ConnectionError:
        return 0
    finally:
        writer.close()


async def patient(port: int, body: bytes, counts: Counter[int]) -> None:
    """Send a picture until it is inspected."""
    while True:
        status = await send(port, body)
        counts[status] += 1
        if status == 200:
            return
        await asyncio.sleep(random.uniform(0.5, 1.5))


async def inspect_all(port: int, bodies: list[bytes], clients: int) -> None:
    """Send pictures, from `clients` clients that each wait for their answers."""
    places, counts = asyncio.Semaphore(clients), Counter()

    async def run(body: bytes) -> None:
        async with places:
            await patient(port, body, counts)

    await asyncio.gather(*map(run, bodies))


def require(statuses: Counter[int], permitted: set[int]) -> None:
    """End with an error if a status is not permitted."""
    if not set(statuses) <= permitted:
        sys.exit(f"Wrong answers: {dict(statuses)}")


def speed(rounds: int, pictures: int) -> None:
    """Pictures a second and processor time a picture, in turns with `moeclip score`."""
    samples = sorted((ROOT / "examples" / "images").rglob("*.*g"))
    Path("parts").mkdir()
    for number, sample in enumerate(islice(cycle(samples), pictures)):
        shutil.copy(sample, f"parts/{number:04}{sample.suffix}")
    bodies = [path.read_bytes() for path in sorted(Path("parts").iterdir())]
    rates: dict[str, list[float]] = {"score": [], "serve": []}
    costs: dict[str, list[float]] = {"score": [], "serve": []}
    score(len(bodies))
    with serving() as service:
        for _ in range(rounds):
            rate, cost = score(len(bodies))
            rates["score"].append(rate)
            costs["score"].append(cost)
            before, started = service.processor_seconds(), time.perf_counter()
            asyncio.run(inspect_all(service.port, bodies, 16))
            rates["serve"].append(len(bodies) / (time.perf_counter() - started))
            costs["serve"].append((service.processor_seconds() - before) / len(bodies))
    for what, found in (("pictures/s", rates), ("processor seconds a picture", costs)):
        middle = {name: statistics.median(values) for name, values in found.items()}
        print(f"{what}: " + ", ".join(f"{name} {value:.3f}" for name, value in middle.items()))
    ratios = [b / a for a, b in zip(rates["score"], rates["serve"], strict=True)]
    print(f"serve / score in pictures/s: median {statistics.median(ratios):.2f}, {ratios}")


def score(pictures: int) -> tuple[float, float]:
    """Pictures a second as `moeclip score` says it, and processor seconds a picture.

    The start of the process and of PyTorch, of about the same length each time, is left out by
    scoring one picture as well.
    """
    cost = []
    for limit in (1, pictures):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "moeclip_cli", "score", "parts", "--overwrite", "--limit",
             str(limit)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    rate = float(re.findall(r"([\d.]+) images/s", done.stderr)[0])
    return rate, (cost[1] - cost[0]) / (pictures - 1)


async def clients(service: Service, number: int) -> None:
    """Clients that all send a picture at the same moment, and again until it is inspected."""
    body, counts, started = png(), Counter(), time.perf_counter()
    await asyncio.gather(*(patient(service.port, body, counts) for _ in range(number)))
    seconds = time.perf_counter() - started
    require(counts, {200, 429})
    print(
        f"{number} clients at once: all inspected after {seconds:.1f} s, answers {dict(counts)}, "
        f"{service.memory():.0f} MB, {service.files()} open files",
        flush=True,
    )


async def hostile(service: Service, number: int) -> None:
    """Damaged image files, alone and in forms that are cut off as well."""
    chance = random.Random(0)
    before, counts = service.memory(), Counter()
    for _ in range(-(-number // 100)):
        await asyncio.gather(
            *(one_hostile(service.port, body, chance, counts) for body in some_mutants(chance))
        )
    require(counts, PERMITTED)
    print(
        f"{number} hostile bodies: answers {dict(sorted(counts.items()))}; {before:.0f} MB before, "
        f"{service.memory():.0f} MB after, {service.files()} open files",
        flush=True,
    )


def some_mutants(chance: random.Random) -> list[bytes]:
    """A hundred damaged files."""
    return [body for _, body in islice(mutants(chance.randrange(10**9)), 100)]


async def one_hostile(port: int, body: bytes, chance: random.Random, counts: Counter[int]) -> None:
    """Send a damaged file as it is, or in a form; again if the server has no time for it."""
    kind = "image/png"
    if chance.random() < 0.3:
        body, kind = form({"a.png": body, "b.png": body})
        body = body[: chance.randrange(len(body))] if chance.random() < 0.5 else body
    for _ in range(_TRIES):
        while (status := await send(port, body, kind)) == 429:
            await asyncio.sleep(0.2)
        counts[status] += 1
        if status != 503:
            return
    sys.exit(f"The server had no time for a body {_TRIES} times.")


async def memory(service: Service, minutes: float) -> None:
    """Memory while pictures, hostile bodies and overlays arrive all the time."""
    end = time.monotonic() + 60 * minutes
    chance, counts, samples = random.Random(1), Counter(), []
    good = [png(seed, 300, 400) for seed in range(10)]
    while time.monotonic() < end:
        until = min(end, time.monotonic() + max(5, 2 * minutes))
        while time.monotonic() < until:
            bodies = [*some_mutants(chance)[:20], *good]
            await asyncio.gather(
                *(one_hostile(service.port, body, chance, counts) for body in bodies)
            )
        samples.append(round(service.memory()))
    require(counts, PERMITTED)
    print(
        f"{sum(counts.values())} requests in {minutes:g} min: answers "
        f"{dict(sorted(counts.items()))}; MB over time {json.dumps(samples)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
