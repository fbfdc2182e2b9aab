"""Airflow signs on at an identity provider that it has deployed. For tests alone: they put this file into `dags/`."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import dag, task


@dag(
    dag_id="throwaway_sign_on",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - it has no schedule
    catchup=False,
    default_args={"owner": "platform", "retries": 0, "execution_timeout": timedelta(minutes=2)},
    doc_md=__doc__,
)
def sign_on() -> None:
    """One task; it is red where the token is not what it must be."""

    @task
    def ask() -> dict[str, str]:
        """Ask for a token with Airflow's own secret, and verify it by the keys that the provider publishes."""
        import os
        from pathlib import Path

        import jwt

        from data_platform.clients import http

        # As every process of Airflow knows whom it calls and what it holds.
        url, name = os.environ["IDENTITY_PROVIDER_HTTP_URL"], "airflow"
        secret = Path(os.environ["ETC"], "secrets", "identity-provider-token").read_text(encoding="utf-8").strip()
        with http.client(seconds=30) as client:
            known = client.get(f"{url}/.well-known/openid-configuration").raise_for_status().json()
            asked = {"grant_type": "client_credentials"}
            answer = client.post(known["token_endpoint"], data=asked, auth=(name, secret)).raise_for_status().json()
            keys = jwt.PyJWKSet.from_dict(client.get(known["jwks_uri"]).raise_for_status().json())
        token = answer["access_token"]
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key.key, ["RS256"], audience=name, issuer=known["issuer"])
        return {"subject": claims["sub"], "issuer": claims["iss"]}

    ask()


sign_on()
