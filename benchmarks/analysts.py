"""Many people with small questions to the marts, at once: answers a second, seconds of an answer, what Trino spends.

    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/analysts.py --state .platform

Needs a running platform with `fx_rates` loaded, and nothing else on the machine. Each person asks the next question
when the last one is answered, as a page of several panels does: that is the most that so many people can ask. Each 25
are a process of their own, with Trino's own client; what they cost the processors is told apart from what Trino costs.
On Kubernetes they reach Trino through a forwarded port.

The first phase (`--warm`) is told apart: after a start Java's compilers are busy for a minute or two. One person alone
comes last, as the other side: what the same questions take when nobody else asks.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import psutil

from bootstrap.arguments import ROOT
from bootstrap.place import open_target
from data_platform.clients.trino import Trino
from data_platform.stack.lake import CATALOG

PEOPLE_A_PROCESS = 25
CURRENCIES = ("USD", "GBP", "JPY", "CHF", "XOF", "CAD", "AUD", "SEK", "NOK", "ZAR")


#: What people ask of a mart, by kind.
QUESTIONS = {
    "months of a currency": """
        select month, mean_rate, volatility from marts.fx_currency_monthly
        where currency = '{currency}' and month >= date '{first}' and month < date '{last}' order by month""",
    "days of a currency": """
        select * from marts.fx_rates_daily
        where currency = '{currency}' and rate_date >= date '{first}' and rate_date < date '{last}'
        order by rate_date""",
    "list": "select distinct currency from marts.fx_currency_monthly order by currency",
    "aggregate": """
        select currency, min(min_rate) lowest, max(max_rate) highest, avg(volatility) moved
        from marts.fx_currency_monthly where month >= date '{first}' and month < date '{last}'
        group by currency order by moved desc""",
}


class Answer(NamedTuple):
    """A question's kind, and the seconds until its last row."""

    kind: str
    seconds: float


class Round(NamedTuple):
    """What so many people got in so many seconds."""

    people: int
    seconds: float
    answers: list[Answer]
    trino: float
    clients: float

    def figures(self) -> dict[str, float]:
        """Requests a second, percentiles of an answer in seconds, processor seconds of Trino for an answer."""
        times = sorted(answer.seconds for answer in self.answers)
        return {
            "people": self.people,
            "answers": len(times),
            "requests_a_second": len(times) / self.seconds,
            "p50": statistics.median(times),
            "p95": times[math.ceil(0.95 * len(times)) - 1],
            "trino_cpu_an_answer": self.trino / len(times),
            "clients_cpu_an_answer": self.clients / len(times),
        }


def questions(seed: int) -> Iterator[tuple[str, str]]:
    """Kinds and texts of what one person asks, without end: no two texts need be the same."""
    dice = random.Random(seed)
    while True:
        year, months = dice.randint(1999, 2025), dice.randint(2, 11)
        values = {
            "currency": dice.choice(CURRENCIES),
            "first": f"{year}-01-01",
            "last": f"{year}-{months + 1:02d}-01",
        }
        yield from ((kind, text.format(**values)) for kind, text in QUESTIONS.items())


def person(url: str, seed: int, until: float) -> list[Answer]:
    """Ask one question after the other until that moment (of `time.time`)."""
    found = []
    with Trino(url, 120, CATALOG, user=f"person-{seed}") as trino:
        for kind, sql in questions(seed):
            began = time.time()
            if began >= until:
                return found
            if not trino.rows(sql):
                raise RuntimeError(f"no rows: {sql}")
            found.append(Answer(kind, time.time() - began))
    raise AssertionError


def people(url: str, seeds: list[int], until: float) -> tuple[list[Answer], float]:
    """Some people in this process: their answers, and its processor seconds."""
    before = time.process_time()
    with ThreadPoolExecutor(len(seeds)) as pool:
        found = list(chain.from_iterable(pool.map(lambda seed: person(url, seed, until), seeds)))
    return found, time.process_time() - before


def java(word: str) -> psutil.Process | None:
    """The server with that word in its command line; None where it is a pod of another machine."""
    found = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "java" and word in (process.info["cmdline"] or [])
    ]
    return found[0] if len(found) == 1 else None


def busy(process: psutil.Process | None) -> float:
    """Its processor seconds until now."""
    if process is None:
        return math.nan
    times = process.cpu_times()
    return float(times.user + times.system)


def ask(url: str, number: int, seconds: float) -> Round:
    """That many people ask for that long."""
    server = java("io.trino.server.TrinoServer")
    before, began = busy(server), time.time()
    seeds = list(range(number))
    shares = [seeds[at : at + PEOPLE_A_PROCESS] for at in range(0, number, PEOPLE_A_PROCESS)]
    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
        asked = [pool.submit(people, url, share, began + seconds) for share in shares]
        found = [done.result() for done in asked]
    answers = list(chain.from_iterable(answer for answer, _ in found))
    spent = busy(server) - before
    return Round(number, time.time() - began, answers, spent, sum(clients for _, clients in found))


def by_kind(answers: list[Answer]) -> dict[str, float]:
    """Median seconds of each kind of question."""
    return {
        kind: statistics.median(a.seconds for a in answers if a.kind == kind)
        for kind in dict.fromkeys(a.kind for a in answers)
    }


def main() -> None:
    """Print the figures, one line a number of people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=ROOT / ".platform")
    parser.add_argument("--people", type=int, nargs="+", default=[50, 10, 1])
    parser.add_argument("--warm", type=float, default=120, help="seconds that are not counted")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    target = open_target(argparse.Namespace(state=arguments.state.resolve()))
    url = target.address("trino", "http").url
    if arguments.warm:
        print(json.dumps({"warming": ask(url, arguments.people[0], arguments.warm).figures()}), flush=True)
    for number in arguments.people:
        round_ = ask(url, number, arguments.seconds)
        server = java("io.trino.server.TrinoServer")
        memory = {"trino_mib": server.memory_full_info().pss / 2**20, "threads": server.num_threads()} if server else {}
        print(json.dumps(round_.figures() | by_kind(round_.answers) | memory), flush=True)


if __name__ == "__main__":
    main()
