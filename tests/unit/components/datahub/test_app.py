"""The endpoint as clients see it: what is open, what is refused, and in which form."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from datahub_lite import api, app, auth
from datahub_lite.rules import Rules
from datahub_lite.settings import Settings

with warnings.catch_warnings():
    # Starlette would rather use httpx2, which nothing else here needs.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

# An event loop wakes itself through a pair of sockets; nothing connects to anything.
pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.filterwarnings("ignore:Call to deprecated method:DeprecationWarning"),
]

TOKEN = "token-of-the-tests-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
#: Programs with tokens of their own, of which the server knows the digests.
PROGRAMS = ("token-of-spark-0123", "token-of-checks-0123")
DIGESTS = frozenset(hashlib.sha256(token.encode()).hexdigest() for token in PROGRAMS)
TABLE = "urn:li:dataset:(urn:li:dataPlatform:iceberg,lakehouse.raw.orders,PROD)"
INGEST = "/aspects?action=ingestProposal"
RULES = Rules("trino:(lakehouse[.].+) -> iceberg:\\1")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    made = app.create(Settings("127.0.0.1", 1, TOKEN, DIGESTS, tmp_path / "datahub.db", RULES))
    with TestClient(made, base_url="http://127.0.0.1", follow_redirects=False) as opened:
        yield opened


def proposal(**changed: Any) -> dict[str, Any]:
    value = {"name": "orders", "description": "<script>alert(1)</script>"}
    found = {"entityUrn": TABLE, "aspectName": "datasetProperties", "aspect": {"value": json.dumps(value)}}
    return {"proposal": found | changed}


def is_refusal(answer: httpx.Response, status: int) -> bool:
    """Whether an answer has DataHub's form of a refusal."""
    body = answer.json()
    assert answer.status_code == status, body
    return body["status"] == status and bool(body["message"]) and "exceptionClass" in body


def log_in(client: TestClient) -> None:
    assert client.post("/login", data={"token": TOKEN}).status_code == 303


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \xe9", f"Bearer {min(DIGESTS)}"],
)
def test_programs_need_a_token(client: TestClient, header: str | None) -> None:
    given = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in (
        ("POST", INGEST),
        ("GET", f"/aspects/{TABLE}?aspect=status"),
        ("GET", f"/entitiesV2/{TABLE}"),
        ("POST", "/entities?action=delete"),
        ("PATCH", "/openapi/v3/entity/dataset"),
        ("DELETE", f"/openapi/v3/entity/dataset/{TABLE}"),
        ("POST", "/openapi/openlineage/api/v1/lineage"),
        ("GET", "/made/up"),
        ("GET", "/entity/"),
    ):
        answer = client.request(method, path, headers=given)
        assert is_refusal(answer, 401), path
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", PROGRAMS)
def test_a_program_is_known_by_the_digest_of_its_token(client: TestClient, token: str) -> None:
    answer = client.post(INGEST, json=proposal(), headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"value": TABLE}
    assert is_refusal(client.post(INGEST, json=proposal(), headers={"Authorization": f"Bearer {token}0"}), 401)


@pytest.mark.parametrize("token", [*PROGRAMS, *DIGESTS])
def test_the_token_of_a_program_is_no_login_of_a_person(client: TestClient, token: str) -> None:
    assert client.post("/login", data={"token": token}).status_code == 401
    assert "set-cookie" not in client.post("/login", data={"token": token}).headers


def test_the_session_of_a_person_opens_no_call_of_a_program(client: TestClient) -> None:
    log_in(client)
    assert client.get("/").status_code == 200
    assert is_refusal(client.post(INGEST, json=proposal()), 401)


def test_health_and_config_are_open_and_tell_no_secret(client: TestClient) -> None:
    health, config = client.get("/health"), client.get("/config")
    assert (health.status_code, config.status_code) == (200, 200)
    assert config.json()["noCode"] == "true"
    assert TOKEN not in health.text + config.text


def test_a_proposal_comes_back_in_all_forms(client: TestClient) -> None:
    answer = client.post(INGEST, json=proposal(), headers=BEARER)
    assert answer.json() == {"value": TABLE}
    one = client.get(f"/aspects/{TABLE}", params={"aspect": "datasetProperties"}, headers=BEARER).json()
    entity = client.get(f"/entitiesV2/{TABLE}", params={"aspects": "List(datasetProperties)"}, headers=BEARER).json()
    openapi = client.get(f"/openapi/v3/entity/dataset/{TABLE}", headers=BEARER).json()
    batch = client.post(
        "/openapi/v3/entity/dataset/batchGet", json=[{"urn": TABLE, "datasetProperties": {}}], headers=BEARER
    ).json()
    values = [
        one["aspect"]["com.linkedin.dataset.DatasetProperties"],
        entity["aspects"]["datasetProperties"]["value"],
        openapi["datasetProperties"]["value"],
        batch[0]["datasetProperties"]["value"],
    ]
    assert [v["name"] for v in values] == ["orders"] * 4
    assert (entity["entityName"], batch[0]["urn"]) == ("dataset", TABLE)


def test_the_openapi_calls_write_patch_and_delete(client: TestClient) -> None:
    path = "/openapi/v3/entity/dataset?async=false"
    written = [{"urn": TABLE, "globalTags": {"value": {"tags": [{"tag": "urn:li:tag:a"}]}}}]
    assert client.post(path, json=written, headers=BEARER).status_code == 200
    added = [{"op": "add", "path": "/tags/urn:li:tag:b", "value": {"tag": "urn:li:tag:b"}}]
    patched = [{"urn": TABLE, "globalTags": {"value": {"patch": added}}}]
    assert client.patch(path, json=patched, headers=BEARER).status_code == 200
    found = client.get(f"/openapi/v3/entity/dataset/{TABLE}", headers=BEARER).json()
    assert [t["tag"] for t in found["globalTags"]["value"]["tags"]] == ["urn:li:tag:a", "urn:li:tag:b"]
    assert client.delete(f"/openapi/v3/entity/dataset/{TABLE}", headers=BEARER).status_code == 200
    assert is_refusal(client.get(f"/openapi/v3/entity/dataset/{TABLE}", headers=BEARER), 404)


def test_a_batch_is_written_whole_or_not_at_all(client: TestClient) -> None:
    good, bad = proposal()["proposal"], proposal(aspectName="madeUp")["proposal"]
    path = "/aspects?action=ingestProposalBatch"
    assert is_refusal(client.post(path, json={"proposals": [good, bad]}, headers=BEARER), 422)
    assert client.get(f"/entitiesV2/{TABLE}", headers=BEARER).json()["aspects"] == {}
    assert client.post(path, json={"proposals": [good]}, headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (INGEST, [], 400),
        (INGEST, {"proposal": 1}, 400),
        (INGEST, {}, 400),
        ("/aspects?action=ingestProposalBatch", {"proposals": 1}, 422),
        ("/aspects?action=other", {}, 400),
        ("/aspects", {}, 400),
        (INGEST, proposal(entityUrn="x"), 422),
        (INGEST, proposal(entityUrn=None), 422),
        (INGEST, proposal(changeType="MOVE"), 422),
        (INGEST, proposal(changeType=["x"]), 422),
        (INGEST, proposal(changeType="MERGE"), 422),
        (INGEST, proposal(aspect=None), 400),
        (INGEST, proposal(aspect={"value": "{"}), 422),
        (INGEST, proposal(aspect={"value": 3}), 422),
        (INGEST, proposal(systemMetadata="x"), 422),
        (INGEST, proposal(changeType="DELETE", aspectName="madeUp"), 422),
        (INGEST, proposal(entityUrn=TABLE.replace("raw", "\ud800")), 400),
        (INGEST, proposal(aspect={"value": json.dumps({"description": "\ud800"})}), 422),
        (INGEST, proposal(aspect={"value": "[" * 100_000}), 422),
        (INGEST, proposal(changeType="PATCH", aspect={"value": "3"}), 422),
        ("/openapi/v3/entity/dataset", {}, 400),
        ("/openapi/v3/entity/chart", [{"urn": TABLE}], 422),
        ("/openapi/v3/entity/dataset", [{"urn": TABLE, "status": 3}], 400),
        ("/openapi/openlineage/api/v1/lineage", {}, 422),
        ("/entities?action=search", {}, 501),
        ("/api/graphql", {}, 501),
        ("/made/up", {}, 404),
    ],
)
def test_a_wrong_write_is_refused_in_datahubs_form(client: TestClient, path: str, body: object, status: int) -> None:
    assert is_refusal(client.post(path, content=json.dumps(body), headers=BEARER), status)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/aspects/{TABLE}?aspect=status", 404),
        (f"/aspects/{TABLE}?aspect=madeUp", 404),
        (f"/aspects/{TABLE}?aspect=status&version=x", 400),
        (f"/aspects/{TABLE}?aspect=status&version=99999999999999999999", 400),
        (f"/aspects/{TABLE}", 400),
        ("/aspects/x?aspect=status", 422),
        ("/entitiesV2/x", 422),
        ("/openapi/v3/entity/dataset/x", 422),
    ],
)
def test_a_wrong_read_is_refused_in_datahubs_form(client: TestClient, path: str, status: int) -> None:
    assert is_refusal(client.get(path, headers=BEARER), status)


def test_packed_bodies_are_taken_and_bombs_are_not(client: TestClient) -> None:
    packed = {**BEARER, "Content-Encoding": "gzip"}
    good = client.post(INGEST, content=gzip.compress(json.dumps(proposal()).encode()), headers=packed)
    assert good.status_code == 200
    bomb = gzip.compress(b" " * (api.MAX_BYTES + 1))
    assert len(bomb) < 100_000
    assert is_refusal(client.post(INGEST, content=bomb, headers=packed), 413)
    assert is_refusal(client.post(INGEST, content=b"not packed", headers=packed), 400)
    assert is_refusal(client.post(INGEST, content=b" " * (api.MAX_BYTES + 1), headers=BEARER), 413)


def test_openlineage_names_are_remembered_over_a_restart(tmp_path: Path) -> None:
    settings = Settings("127.0.0.1", 1, TOKEN, DIGESTS, tmp_path / "datahub.db", RULES)
    place = {"namespace": "s3://lakehouse", "name": "orders-1"}
    symlink = {"namespace": "c", "name": "raw.orders", "type": "TABLE"}
    facets = {"symlinks": {"identifiers": [symlink]}, "catalog": {"framework": "iceberg", "name": "lakehouse"}}
    target = {"namespace": "postgres://db", "name": "a.b.c"}
    start = {"eventType": "START", "run": {}, "job": {"namespace": "n", "name": "j"}}
    for event in (
        start | {"inputs": [{**place, "facets": facets}]},
        start | {"eventType": "COMPLETE", "inputs": [place], "outputs": [target]},
    ):
        with TestClient(app.create(settings)) as client:
            answer = client.post("/openapi/openlineage/api/v1/lineage", json=event, headers=BEARER)
            assert answer.status_code == 200
    with TestClient(app.create(settings)) as client:
        urn = "urn:li:dataset:(urn:li:dataPlatform:postgres,a.b.c,PROD)"
        found = client.get(f"/aspects/{urn}", params={"aspect": "upstreamLineage"}, headers=BEARER).json()
    upstreams = found["aspect"]["com.linkedin.dataset.UpstreamLineage"]["upstreams"]
    assert [u["dataset"] for u in upstreams] == [TABLE]


def test_people_are_sent_to_the_login_and_back(client: TestClient) -> None:
    wanted = f"/entity?urn={TABLE}"
    sent = client.get(wanted)
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/login?to=%2Fentity%3Furn%3D")
    form = client.get(sent.headers["location"])
    assert f'name="to" value="{wanted}"' in form.text
    wrong = client.post("/login", data={"token": "wrong", "to": wanted})
    assert (wrong.status_code, wrong.cookies.get(auth.COOKIE)) == (401, None)
    right = client.post("/login", data={"token": TOKEN, "to": wanted})
    assert (right.status_code, right.headers["location"]) == (303, wanted)
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    client.post(INGEST, json=proposal(), headers=BEARER)
    assert "lakehouse.raw.orders" in client.get(wanted).text
    client.post("/logout")
    assert client.get(wanted).status_code == 303


@pytest.mark.parametrize("elsewhere", ["//evil.example", "/\\evil.example", "https://evil.example", "evil"])
def test_the_login_leads_to_no_other_site(client: TestClient, elsewhere: str) -> None:
    assert client.post("/login", data={"token": TOKEN, "to": elsewhere}).headers["location"] == "/"


def test_a_session_ends_and_cannot_be_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = auth.new_session(TOKEN)
    ends, _, signature = cookie.partition(".")
    assert auth.is_session(TOKEN, cookie)
    for wrong in ("", ".", ends, f"{int(ends) + 1}.{signature}", f"{ends}.{signature[:-1]}", f"{ends}.\xe9"):
        assert not auth.is_session(TOKEN, wrong), wrong
    assert not auth.is_session("another token", cookie)
    later = time.time() + auth.SESSION_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert not auth.is_session(TOKEN, cookie)


def test_pages_say_what_they_are_and_run_nothing_that_was_sent(client: TestClient) -> None:
    log_in(client)
    assert "Nothing has been received yet" in client.get("/").text
    client.post(INGEST, json=proposal(), headers=BEARER)
    for path in ("/", "/?q=<script>", f"/entity?urn={TABLE}", "/entity?urn=<script>"):
        page = client.get(path)
        assert "DataHub Lite endpoint: not the DataHub UI" in page.text, path
        assert "<script" not in page.text, path
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/entity?urn=nothing").status_code == 404
    assert "&lt;script&gt;" in client.get(f"/entity?urn={TABLE}").text


def test_the_page_shows_lineage_from_left_to_right(client: TestClient) -> None:
    names = ("first", "second", "third")
    first, second, third = (TABLE.replace("orders", name) for name in names)
    for downstream, upstream in ((second, first), (third, second)):
        value = json.dumps({"upstreams": [{"dataset": upstream, "type": "COPY"}]})
        body = proposal(entityUrn=downstream, aspectName="upstreamLineage", aspect={"value": value})
        assert client.post(INGEST, json=body, headers=BEARER).status_code == 200
    log_in(client)
    for urn in (first, second, third):
        page = client.get("/entity", params={"urn": urn}).text
        lineage = page[page.index('<div class="lineage">') :]
        places = [lineage.index(f"lakehouse.raw.{name}") for name in names]
        assert places == sorted(places), urn


def test_lineage_is_scrolled_both_ways_with_datahubs_names_of_relations(client: TestClient) -> None:
    job = "urn:li:dataJob:(urn:li:dataFlow:(spark,f,PROD),t)"
    source, target = (TABLE.replace("orders", name) for name in ("source", "target"))
    aspects = [
        (job, "dataJob", "dataJobInputOutput", {"inputDatasets": [source], "outputDatasets": [target]}),
        (target, "dataset", "upstreamLineage", {"upstreams": [{"dataset": source, "type": "TRANSFORMED"}]}),
    ]
    for urn, kind, name, value in aspects:
        proposal = {"entityType": kind, "entityUrn": urn, "aspectName": name, "changeType": "UPSERT"}
        body = {"proposal": {**proposal, "aspect": {"value": json.dumps(value), "contentType": "application/json"}}}
        assert client.post(INGEST, json=body, headers=BEARER).status_code == 200

    def scroll(urns: list[str], direction: str = "") -> set[tuple[str, str, str]]:
        query = {"direction": direction} if direction else {}
        answer = client.post("/openapi/v3/lineage/scroll", json={"urns": urns}, params=query, headers=BEARER)
        assert answer.json()["scrollId"] is None
        return {(r["relationshipType"], r["upstream"], r["downstream"]) for r in answer.json()["results"]}

    consumes, produces = ("Consumes", source, job), ("Produces", job, target)
    assert scroll([source], "DOWNSTREAM") == {consumes, ("DownstreamOf", source, target)}
    assert scroll([source], "UPSTREAM") == set()
    assert scroll([job]) == {consumes, produces}
    removed = {"entityType": "dataJob", "entityUrn": job, "aspectName": "status", "changeType": "UPSERT"}
    body = {"proposal": {**removed, "aspect": {"value": '{"removed": true}', "contentType": "application/json"}}}
    assert client.post(INGEST, json=body, headers=BEARER).status_code == 200
    assert scroll([source, target]) == {("DownstreamOf", source, target)}
    assert client.post("/openapi/v3/lineage/scroll", json={"urns": "x"}, headers=BEARER).status_code == 422


def test_a_proposal_is_stored_under_its_declared_name(client: TestClient) -> None:
    told = TABLE.replace("iceberg", "trino")
    proposal = {"entityType": "dataset", "entityUrn": told, "aspectName": "status", "changeType": "UPSERT"}
    body = {"proposal": {**proposal, "aspect": {"value": '{"removed": false}', "contentType": "application/json"}}}
    assert client.post(INGEST, json=body, headers=BEARER).status_code == 200
    assert client.get(f"/entitiesV2/{TABLE}", headers=BEARER).json()["aspects"].keys() == {"datasetKey", "status"}
    assert client.get(f"/entitiesV2/{told}", headers=BEARER).json()["aspects"] == {}
