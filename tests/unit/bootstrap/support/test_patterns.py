"""What looks like a secret is redacted whoever's it is, and what only sounds like one is left."""

from __future__ import annotations

import time

import pytest

from bootstrap.support.redaction import Redactor

HIDDEN = "hush-hush"
KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV"


def redact(text: str) -> str:
    return Redactor({}, {"s3_secret_key"})(text).text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://nessie:{}@127.0.0.1:5432/nessie",
        "jdbc:postgresql://nessie:{}@db/nessie",
        "amqp://:{}@queue",
        "https://user:a/b@{}@registry.example.com/simple",
        "uri=postgresql%3A%2F%2Fnessie%3A{}%40db%2Fnessie",
        "https://{}-0123456789@git.example.com/x.git",
        "Authorization: Bearer {}",
        "> authorization: Digest username=x, response={}",
        'headers={{"Authorization": "Basic {}"}}',
        "{{'Proxy-Authorization': 'Negotiate {}'}}",
        "[(b'authorization', b'Bearer {}'), (b'accept', b'*/*')]",
        'curl -H "Authorization: token {}"',
        "Set-Cookie: session={}; HttpOnly",
        "bearer {}-0123",
        "password={}",
        "password = '{}'",
        "DB_PASSWORD: {}",
        "minio.secret-key={}",
        '{{"client_secret": "{}"}}',
        '{{"password": "a\\"{}"}}',
        '"line": "{{\\"token\\": \\"{}\\"}}"',
        "dict(password='{}', user='x')",
        'password="{}',
        "https://store/x?X-Amz-Credential=a&X-Amz-Signature={}&z=1",
        "fernet_key => {}",
        '{{\n  "name": "GIT_PASSWORD",\n  "value": "{}"\n}}',
        "- name: GIT_PASSWORD\n  value: {}\n",
        "https://hooks.slack.com/services/T00/B00/{}",
        "https://example.webhook.office.com/webhookb2/{}",
        "ghp_{}0123456789abcdef",
        "glpat-{}0123456789",
        "SCRAM-SHA-256$4096:salt/+=$hushhush=:{}=".replace("{}", "hush/hush"),
    ],
)
def test_it_is_redacted(text: str) -> None:
    said = text if "{}" not in text else text.format(HIDDEN)
    found = redact(said)
    assert HIDDEN not in found
    assert "hush" not in found
    assert "«redacted: " in found


@pytest.mark.parametrize("end", ["\n-----END RSA PRIVATE KEY-----\nafter", ""])
@pytest.mark.parametrize("ends", ["\n", "\\n", "\\\\n", "\r\n"])
def test_a_private_key_is_redacted_also_where_its_end_was_cut(end: str, ends: str) -> None:
    text = f"before\n-----BEGIN RSA PRIVATE KEY-----\n{KEY}{end}".replace("\n", ends)
    found = redact(text)
    assert "MIIE" not in found
    assert "BKcw" not in found
    assert found.startswith("before")
    assert found.endswith("after" if end else "«redacted: private key»")


def test_a_private_key_whose_beginning_was_cut_is_redacted() -> None:
    found = redact(f"{KEY}\n-----END PRIVATE KEY-----\nafter")
    assert found == "«redacted: private key»-----END PRIVATE KEY-----\nafter"


def test_a_certificate_is_told() -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{KEY}\n-----END CERTIFICATE-----"
    assert redact(text) == text


@pytest.mark.parametrize(
    "token", [JWT, JWT.rpartition(".")[0], f"{JWT}.a.b", "AKIAIOSFODNN7EXAMPLE", "gAAAAA" + "b" * 80]
)
def test_a_token_is_redacted_by_its_form(token: str) -> None:
    found = redact(f"it is <{token}>, they say")
    assert token[:12] not in found
    assert found.startswith("it is <«redacted: ")
    assert found.endswith(">, they say")


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/users/a@b",
        "http://trino:8443/ui/?x=a@b",
        "Basic authentication failed for user x",
        "bearer authentication is off",
        "password authentication failed for user nessie",
        "secrets: [password, secret_key]",
        "connection: {login: s3_access_key, password: s3_secret_key}",
        'TOKEN: "{{ READER_TOKEN }}"',
        "password=${DB_PASSWORD} token=$(cat /x) secret=$TOKEN",
        "password=****** secret: null token: <none>",
        '"secretName": "airflow-etc-0a1b", "secretKeyRef": {"name": "x"}',
        "password: password",
        "s3a://lakehouse/warehouse@main",
        "sha256:0f44edd2667bded4358846dfa1ecedbb",
        "«secret: reader/token»: 3, «redacted: named value»",
    ],
)
def test_it_is_left(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 200_000,
        "eyJhbGci" * 50_000,
        "://" + "a:b" * 100_000,
        "://a:" * 80_000,
        "-----BEGIN PRIVATE KEY-----\n" * 10_000,
        "password=" * 40_000,
        '"password":"' * 30_000,
        "authorization: " * 20_000,
        "%3a%2f%2f" * 40_000,
        "Bearer " * 50_000,
        "0f44edd2" * 5_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    Redactor({"a/b": "0f44edd2" * 8})(text)
    # What grows with the square of the length takes minutes.
    assert time.process_time() - started < 30
