"""Take the pictures of the documentation from a running platform.

Needs Chromium (Debian: apt-get install chromium) and Playwright (pip install playwright) in the calling environment:

    python docs/screenshots.py --credentials .platform/credentials.json --url http://127.0.0.1:8080 --out docs/images
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

# Chromium's own background calls only fail on a machine without a way out.
_CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: Picture, path in the UI, text that must be on the page before the picture is taken.
PAGES = [
    ("airflow-dags", "/dags", "stack_deploy"),
    ("stack-deploy", "/dags/stack_deploy", "artifacts"),
    ("platform", "/data-platform/", "Component"),
    ("health", "/data-platform/health", "last 24 hours"),
    ("pipeline", "/dags/pipelines_fx_rates", "validate_marts"),
    ("data", "/data-platform/data", "fx_rates"),
    ("fx-rates", "/data-platform/reports/fx_rates/index.html", "XOF"),
    ("expectations", "/data-platform/reports/fx_rates/expectations/index.html", "Expectation"),
    ("dbt", "/data-platform/reports/fx_rates/dbt/index.html", "Overview"),
]


def take(page: Page, url: str, path: str, text: str, picture: Path) -> None:
    """Open a page, wait for a text, and save a picture."""
    page.goto(url + path)
    page.wait_for_load_state("networkidle")
    page.get_by_text(text).first.wait_for()
    page.screenshot(path=str(picture))


def main() -> None:
    """Log in and take every picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--credentials", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    login = json.loads(arguments.credentials.read_text(encoding="utf-8"))["airflow"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(arguments.url)
        page.fill('input[name="username"]', login["username"])
        page.fill('input[name="password"]', login["password"])
        page.click('button[type="submit"]')
        page.wait_for_url(lambda there: "login" not in there)
        for name, path, text in PAGES:
            take(page, arguments.url, path, text, arguments.out / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
