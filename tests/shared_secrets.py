"""Secrets that an earlier release gave to others than their holder: which they are, and what they open."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import httpx
import psycopg
import yaml
from cryptography.fernet import Fernet, InvalidToken
from minio.error import S3Error

from tests.kept import URN, Kept
from tests.running import Running
from tests.visits import Secrets, Visit, airflow_token

Pair = tuple[str, str]
#: Secrets that the release 0.1.0 gave to others than their holder, by component and name: to the components that depend
#: on it (their processes, tools and templates saw all of it), or, in the environment of Airflow's scheduler, to tasks.
SHARED = (
    ("airflow", "api_secret_key"),
    ("airflow", "database_password"),
    ("airflow", "fernet_seed"),
    ("airflow", "jwt_secret"),
    ("airflow", "password"),
    ("datahub", "token"),
    ("minio", "secret_key"),
    ("postgresql", "password"),
    ("postgresql", "patroni_password"),
    ("postgresql", "pooler_password"),
    ("postgresql", "replication_password"),
    ("postgresql", "rewind_password"),
)


def given_to_others(platform: Running, secrets: Secrets) -> set[Pair]:
    """Secrets that others than their holder have, by the earlier release's own definitions and launch files."""
    files = platform.root.glob("stack/components/*/*/component.yaml")
    definitions = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    components = {found["name"]: found for found in definitions}
    provider = {"s3": "minio"}
    needed = {provider.get(name, name) for found in components.values() for name in found.get("depends_on", ())}
    shared = {(name, key) for name in needed for key in components[name].get("secrets", ())}
    launch = json.loads((platform.folder / "run" / "launch" / "airflow.scheduler.json").read_text(encoding="utf-8"))
    known = {value: (name, key) for name, entry in secrets.items() for key, value in entry.items()}
    return shared | {known[value] for value in launch["environment"].values() if len(value) >= 32 and value in known}


def _opens_store(seen: Visit, kept: Kept, secret: str) -> bool:
    del kept
    try:
        seen.store(secret).list_buckets()
    except S3Error as error:
        if error.code not in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"):
            raise
        return False
    return True


def _logs_in(seen: Visit, user: str, secret: str, name: str) -> bool:
    try:
        seen.database(user, secret, name).close()
    except psycopg.OperationalError as error:
        if "authentication failed" not in str(error):
            raise
        return False
    return True


def _answers(seen: Visit, endpoint: str, path: str, token: str) -> bool:
    with seen.http(endpoint, token) as client:
        status = client.get(path).status_code
    # Airflow says 403 to a session that another secret has signed.
    assert status in (httpx.codes.OK, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN), status
    return status == httpx.codes.OK


def _decrypts(seen: Visit, kept: Kept, secret: str) -> bool:
    with seen.own_database("airflow", "airflow") as database:
        found = database.execute("select val from variable where key = 'kept'").fetchone()
    assert found is not None
    try:
        return Fernet(f"{secret[:43]}=").decrypt(found[0].encode()) == kept.word.encode()
    except InvalidToken:
        return False


def _is_administrator(seen: Visit, secret: str) -> bool:
    try:
        return bool(airflow_token(seen, secret))
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.UNAUTHORIZED:
            raise
        return False


#: Whether a secret opens something. The others of `SHARED` open nothing on `local`.
OPENS: dict[Pair, Callable[[Visit, Kept, str], bool]] = {
    ("airflow", "database_password"): lambda seen, _, secret: _logs_in(seen, "airflow", secret, "airflow"),
    ("airflow", "fernet_seed"): _decrypts,
    # A session that was signed with it.
    ("airflow", "jwt_secret"): lambda seen, kept, _: _answers(seen, "airflow.api", "/api/v2/dags", kept.token),
    ("airflow", "password"): lambda seen, _, secret: _is_administrator(seen, secret),
    ("datahub", "token"): lambda seen, _, secret: _answers(seen, "datahub.http", f"/entitiesV2/{quote(URN)}", secret),
    ("minio", "secret_key"): _opens_store,
    ("postgresql", "password"): lambda seen, _, secret: _logs_in(seen, "postgres", secret, "postgres"),
}


def opening(seen: Visit, kept: Kept, secrets: Secrets) -> set[Pair]:
    """Those secrets that open something."""
    return {pair for pair, opens in OPENS.items() if opens(seen, kept, secrets[pair[0]][pair[1]])}


def holding(platform: Running, secrets: Secrets) -> dict[Pair, list[str]]:
    """Which files of a platform on this machine, and which of its processes, hold a secret of `SHARED`."""
    folders = (platform.folder / "etc", platform.folder / "run", platform.folder / "data" / "trino")
    texts = {
        str(path.relative_to(platform.folder)): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }
    texts |= dict(
        platform.of_processes(
            lambda process: (" ".join(process.cmdline())[:80], "\n".join(process.environ().values()).encode())
        )
    )
    # As much of it as a Fernet key has.
    wanted = {pair: secrets[pair[0]][pair[1]][:43].encode() for pair in SHARED}
    found = {pair: [name for name, text in texts.items() if value in text] for pair, value in wanted.items()}
    return {pair: names for pair, names in found.items() if names}
