"""What package clients (pip, uv, mvn, go) are told of the user's settings. Standard library only.

Where packages come from, through which proxy and by whose certificates is the user's to say. Where they are put, and
which Python they are for, is ours: `PIP_TARGET`, or `UV_PYTHON`, would put them elsewhere.

Proxies are for these clients alone, for servers and tasks speak to each other on this machine. Python's HTTP clients
end at once where a proxy is of a kind that they lack (SOCKS), even if they would not use it; so proxies are kept in one
variable of our own and given back here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

#: Proxies of the user: a JSON object, by the name of the variable.
PROXIES = "DATA_PLATFORM_PROXIES"
_PROXY = re.compile(r"(?:ALL|HTTP|HTTPS|FTP|SOCKS|GRPC|WS|WSS)_PROXY", re.IGNORECASE)
#: What Python's HTTP clients can use.
_USABLE = re.compile(r"https?://[^\s/]+/?", re.IGNORECASE)
#: pip's options that are the user's to say; in pip.conf with hyphens.
PIP_OPTIONS = frozenset(
    {
        *("index_url", "extra_index_url", "find_links", "no_index", "trusted_host", "cert", "client_cert", "proxy"),
        *("timeout", "default_timeout", "retries", "cache_dir", "no_cache_dir", "keyring_provider", "use_deprecated"),
        "config_file",
    }
)
_UV = re.compile(
    r"UV_(?:DEFAULT_INDEX|INDEX|INDEX_.*|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|OFFLINE|KEYRING_PROVIDER|SYSTEM_CERTS"
    r"|NATIVE_TLS|INSECURE_HOST|HTTP_.*|REQUEST_TIMEOUT|CACHE_DIR|NO_CACHE|CONCURRENT_.*|LINK_MODE|CREDENTIALS_DIR"
    r"|CONFIG_FILE|NO_CONFIG|SSL_.*)"
)
#: Ours to say: for which machine a program is built, and from which module.
_GO = frozenset({"GOOS", "GOARCH", "GOARM", "GOAMD64", "GOARM64", "GOWORK", "GO111MODULE", "GOBIN", "GOEXPERIMENT"})


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for a program of ours: the proxies that Python's clients cannot use are set aside, all of them noted.

    Args:
        environment: the caller's.
    """
    known: dict[str, str] = json.loads(environment.get(PROXIES) or "{}")
    proxies = known | {name: value for name, value in environment.items() if value and _PROXY.fullmatch(name)}
    kept = {
        name: value for name, value in environment.items() if not _PROXY.fullmatch(name) or _USABLE.fullmatch(value)
    }
    return {**kept, PROXIES: json.dumps(proxies, sort_keys=True)} if proxies else kept


def for_clients(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for a package client: the user's, without what is ours to say.

    Args:
        environment: of this process.
    """
    proxies: dict[str, str] = json.loads(environment.get(PROXIES) or "{}")
    kept = {name: value for name, value in environment.items() if _is_users(name)}
    return {**kept, **proxies}


def _is_users(name: str) -> bool:
    if name.upper().startswith("PIP_"):
        return name.upper().removeprefix("PIP_").lower() in PIP_OPTIONS
    if name.startswith("UV_"):
        return _UV.fullmatch(name) is not None
    return name not in _GO and not name.startswith(("PYTHON", "VIRTUAL_ENV", "CONDA_"))
