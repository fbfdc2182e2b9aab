"""What a server tells of itself is read line by line; what is none of the format is said."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from data_platform.clients import metrics
from data_platform.clients.metrics import MetricsError, samples, scrape

#: As servers of the platform write them: Micrometer's (Nessie) with a comma at the end of the labels, airlift's (Trino)
#: without labels, Patroni's with a comment of its own, MinIO's; then what may be in labels, a time stamp, an exemplar.
TEXT = """\
# HELP jvm_memory_used_bytes The amount of used memory
# TYPE jvm_memory_used_bytes gauge
jvm_memory_used_bytes{application="Nessie",area="heap",id="Eden Space",} 1.7E7
jvm_memory_used_bytes{application="Nessie",area="nonheap",id="Metaspace",} 7.0E7
# TYPE trino_execution_name_QueryManager_RunningQueries gauge
trino_execution_name_QueryManager_RunningQueries 0
# Values: 0 = initdb, 1 = initdb failed
patroni_postgres_state{scope="postgresql",name="postgresql-server-0"} 3
minio_cluster_nodes_online_total{server="127.0.0.1:9000"} 1

queued{name="{a} b \\"} c"} NaN
temperature_max -Inf 1395066363000
seconds_bucket{le="0.5"} 1 # {trace_id="KOO5S4vxi0o"} 0.67
# EOF
"""
NAMES = {
    "jvm_memory_used_bytes": 2,
    "trino_execution_name_QueryManager_RunningQueries": 1,
    "patroni_postgres_state": 1,
    "minio_cluster_nodes_online_total": 1,
    "queued": 1,
    "temperature_max": 1,
    "seconds_bucket": 1,
}


def test_samples_are_counted_by_name() -> None:
    assert samples(TEXT) == NAMES
    assert samples("") == {}


@pytest.mark.parametrize(
    "line",
    [
        "<html>",
        '{"error": 401}',
        "up",
        "up one",
        'up{job="x" 1',
        'up{job="x} 1',
        "9up 1",
        "up{} ",
    ],
)
def test_a_line_that_is_no_sample_is_said(line: str) -> None:
    with pytest.raises(MetricsError) as caught:
        samples(f"{TEXT}{line}\n")
    assert repr(line) in str(caught.value)


def serving(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client whose requests a function answers."""
    return httpx.Client(base_url="http://127.0.0.1:8440", transport=httpx.MockTransport(answer))


def test_it_asks_as_prometheus_does() -> None:
    """Trino has OpenMetrics alone, and answers 406 to who asks for something else."""

    def trino(request: httpx.Request) -> httpx.Response:
        asked = request.headers["Accept"]
        return httpx.Response(200, text=TEXT) if "application/openmetrics-text" in asked else httpx.Response(406)

    assert scrape(serving(trino), "/metrics") == NAMES
    assert "text/plain" in metrics.ACCEPT


def test_it_says_who_it_is_where_the_server_wants_to_know() -> None:
    """Trino refuses a password where nobody has one."""

    def trino(request: httpx.Request) -> httpx.Response:
        said = request.headers.get("Authorization", "")
        wanted = f"Basic {base64.b64encode(b'metrics:').decode()}"
        return httpx.Response(200, text="up 1\n") if said == wanted else httpx.Response(401, text="who are you")

    assert scrape(serving(trino), "/metrics", "metrics") == {"up": 1}
    with pytest.raises(MetricsError, match="it answers 401: 'who are you'"):
        scrape(serving(trino), "/metrics")
