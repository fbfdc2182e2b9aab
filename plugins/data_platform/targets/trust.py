"""By which authorities' certificates the platform's own servers are known, where these are not the usual ones."""

from __future__ import annotations

from pathlib import Path

from data_platform.stack.errors import PlatformError

#: In the ETC of each component, whose binding CA_FILE names it; empty where there is none.
CA, CA_FILE = "ca.pem", "CA_FILE"
_BEGIN = "-----BEGIN CERTIFICATE-----"


def read(file: Path) -> str:
    """The certificates that an environment names.

    Raises:
        PlatformError: there is no such file, or no certificate in it.
    """
    try:
        found = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(
            f"environment: authorities: {file} cannot be read: {error}", "give a file with certificates (PEM)"
        ) from None
    if _BEGIN not in found:
        raise PlatformError(
            f"environment: authorities: {file} holds no certificate",
            f"give a file with certificates (PEM): each begins with {_BEGIN}",
        )
    return found


def binding(authorities: object, etc: str) -> dict[str, str]:
    """What a component is told: the file among its own.

    Args:
        authorities: anything that says whether there are some.
        etc: its folder of configuration files.
    """
    return {CA_FILE: f"{etc}/{CA}" if authorities else ""}
