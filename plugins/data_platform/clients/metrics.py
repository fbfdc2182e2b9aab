"""Metrics of a server, in the text formats of Prometheus and OpenMetrics."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

#: What Prometheus itself asks for. Some servers have one of the formats alone, and refuse who does not ask for it.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0;q=0.9,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
#: Name, labels, value; then a time stamp or an exemplar may follow. In both formats a sample is one line, and a label's
#: value may hold anything.
_LABELS = r'\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}'
_SAMPLE = re.compile(rf"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:{_LABELS})?[ \t]+(\S+)(?:[ \t].*)?$")


class MetricsError(Exception):
    """What a server answers is no metrics; the message says what it is."""


def scrape(client: httpx.Client, path: str, user: str = "") -> Counter[str]:
    """How many samples of each name a server has.

    Args:
        client: of its endpoint.
        path: below the endpoint's address.
        user: name to log in with and an empty password; nobody when empty.

    Raises:
        MetricsError: it answers with something else.
        httpx.HTTPError: it does not answer.
    """
    answer = client.get(path, headers={"Accept": ACCEPT}, auth=(user, "") if user else None)
    if answer.status_code != 200:  # noqa: PLR2004 - a status of HTTP
        raise MetricsError(f"it answers {answer.status_code}: {answer.text[:200]!r}")
    return samples(answer.text)


def samples(text: str) -> Counter[str]:
    """How many samples of each name a text has.

    Raises:
        MetricsError: a line is none of the format.
    """
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not (match := _SAMPLE.match(line)) or not _is_number(match[2]):
            raise MetricsError(f"this line of it is no sample: {line[:200]!r}")
        found[match[1]] += 1
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
