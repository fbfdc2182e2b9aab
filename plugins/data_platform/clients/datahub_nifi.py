"""DataHub's NiFi source, taught the processors that our flows begin and end with.

The source reads flows and provenance events; which data set an event speaks of it knows for a few processors only, and
its own comment says how to add others. Its Kerberos package needs a C compiler and is not here.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from data_platform.clients.datahub import load_library

load_library()
if "requests_gssapi" not in sys.modules:
    _kerberos = ModuleType("requests_gssapi")
    _kerberos.HTTPSPNEGOAuth = None  # type: ignore[attr-defined]
    sys.modules["requests_gssapi"] = _kerberos

from datahub.emitter.mce_builder import make_data_job_urn_with_flow, make_dataset_urn  # noqa: E402
from datahub.ingestion.source import nifi  # noqa: E402
from datahub.metadata.schema_classes import DataJobInfoClass  # noqa: E402
from requests.adapters import HTTPAdapter  # noqa: E402, TID251 - the source speaks through a session of it
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential  # noqa: E402

if TYPE_CHECKING:
    from datahub.ingestion.api.workunit import MetadataWorkUnit

TAKE_FILE = "dataplatform.nifi.TakeFile"
PUT_OBJECT = "dataplatform.nifi.PutObjectS3"
#: Which events of a processor name a data set outside of NiFi.
EVENTS = {TAKE_FILE: nifi.NifiEventType.RECEIVE, PUT_OBJECT: nifi.NifiEventType.SEND}
#: A folder that files arrive in is one data set, wherever it lies.
_LANDING = re.compile(r"(?:.*/)?(landing/[^/]+)/.+")
#: What the platform itself notes beside the datasets of a bucket, such as `s3://raw/_arrivals/fx_rates`.
_NO_DATA = re.compile(r"s3://[^/]+/_")
_LAST = "last_event_time"
_SECONDS = 5.0
#: Deadline of a request; a provenance query of a busy NiFi takes some seconds.
_REQUEST_SECONDS = 60.0
#: Path of NiFi's page, where the source looks for its API.
PAGE = "/nifi/"

# It warns of every processor between the first and the last one, and of every loop for another try.
logging.getLogger(nifi.__name__).setLevel(logging.ERROR)
nifi.NifiProcessorProvenanceEventAnalyzer.KNOWN_INGRESS_EGRESS_PROCESORS |= EVENTS


class Analyzer(nifi.NifiProcessorProvenanceEventAnalyzer):
    """Finds the data set of an event."""

    def __init__(self, env: str) -> None:
        super().__init__()
        self.env = env
        self.provenance_event_to_lineage_map |= {
            TAKE_FILE: self.landing_folder,
            PUT_OBJECT: self.process_s3_provenance_event,  # by the attributes s3.bucket and s3.key
        }

    def landing_folder(self, event: Mapping[str, Any]) -> nifi.ExternalDataset:
        """The folder of a file, by the event's transit URI."""
        path = unquote(urlsplit(event.get("transitUri") or "").path)
        found = _LANDING.fullmatch(path)
        name = found[1] if found else path.rpartition("/")[0]
        return nifi.ExternalDataset("file", name, {}, make_dataset_urn("file", name, self.env))


class _Bounded(HTTPAdapter):
    """Gives a deadline to requests that have none: the source's have none."""

    def send(self, request: Any, **settings: Any) -> Any:  # type: ignore[override] # the rest is handed on
        """As `HTTPAdapter.send`."""
        return super().send(request, **{**settings, "timeout": settings.get("timeout") or _REQUEST_SECONDS})


class Source(nifi.NifiSource):
    """The source with our processors. It asks only for events that the catalog has not seen."""

    def __init__(self, config: nifi.NifiSourceConfig, ctx: Any) -> None:
        super().__init__(config, ctx)
        self.session.trust_env = False  # as http.client
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Bounded())

    def process_provenance_events(self) -> None:
        """Give each processor the data sets that its newest events name."""
        analyzer = Analyzer(self.config.env)
        for component in self.nifi_flow.components.values():
            if component.nifi_type is not nifi.NifiType.PROCESSOR:
                continue
            kind = analyzer.KNOWN_INGRESS_EGRESS_PROCESORS[component.type]
            places = component.outlets if kind == nifi.NifiEventType.SEND else component.inlets
            seen = self._last_event(component)
            for event in self.fetch_provenance_events(component, kind, self._since(seen)):
                dataset = analyzer.provenance_event_to_lineage_map[component.type](event)
                if not _NO_DATA.match(dataset.dataset_properties.get("s3_uri", "")):
                    places[dataset.dataset_urn] = dataset
            if component.last_event_time in (None, "None"):
                component.last_event_time = seen

    def _last_event(self, component: nifi.NifiComponent) -> str | None:
        if self.ctx.graph is None:
            return None
        job = make_data_job_urn_with_flow(self.make_flow_urn(), component.id)
        known = self.ctx.graph.get_aspect(job, DataJobInfoClass)
        return (known.customProperties or {}).get(_LAST) if known else None

    def _since(self, seen: str | None) -> datetime:
        oldest = datetime.now(UTC) - timedelta(days=self.config.provenance_days)
        return max(oldest, datetime.fromisoformat(seen).astimezone(UTC)) if seen else oldest

    def fetch_provenance_events(
        self, processor: Any, kind: str, since: datetime, *until: Any
    ) -> Iterable[dict[str, Any]]:
        """The newest thousand events name the data sets; older ones, asked for by a last day, name the same."""
        return () if until else super().fetch_provenance_events(processor, kind, since)

    def submit_provenance_query(self, *arguments: Any) -> Any:
        """Ask, and come back when NiFi has finished: the source would sleep a second between two looks."""
        answer = super().submit_provenance_query(*arguments)  # type: ignore[no-untyped-call]
        if answer.ok:
            place = answer.json()["provenance"]["uri"]
            Retrying(
                stop=stop_after_delay(_SECONDS),
                wait=wait_exponential(multiplier=0.02, max=0.5),
                retry=retry_if_result(lambda finished: not finished),
                retry_error_callback=lambda _: None,  # the source looks again, and says so
            )(
                lambda: (
                    self.session.get(place, timeout=_REQUEST_SECONDS)
                    .json()
                    .get("provenance", {})
                    .get("finished", False)
                )
            )
        return answer

    def construct_job_workunits(self, *arguments: Any, **more: Any) -> Iterable[MetadataWorkUnit]:
        """A job without the settings of its processor: they name keys and folders."""
        (more.get("job_properties") or {}).pop("properties", None)
        return super().construct_job_workunits(*arguments, **more)
