"""Copy images to a registry, with skopeo. Logins are its own: `skopeo login`, or the user's Docker configuration."""

from __future__ import annotations

from pathlib import Path

from data_platform.clients.commands import run

_SECONDS = 3600.0


def push(layout: Path, name: str, target: str, *, compression: str, plain_http: bool, digest_file: Path) -> str:
    """Copy one image of an OCI layout to a registry; returns the digest of its manifest there.

    Layers that are there already are not sent again.

    Args:
        layout: folder of the layout.
        name: of the image in it.
        target: full name in the registry.
        compression: gzip or zstd.
        plain_http: whether the registry speaks HTTP without TLS.
        digest_file: where skopeo may write the digest.

    Raises:
        PlatformError: skopeo is missing, or the registry refuses.
    """
    run(
        [
            "skopeo", "copy", "--quiet", "--dest-compress-format", compression, "--digestfile", str(digest_file),
            *(["--dest-tls-verify=false"] if plain_http else []),
            f"oci:{layout}:{name}", f"docker://{target}",
        ],
        doing=f"pushing {target}",
        remedy="look at the registry's address and log in with skopeo login, then run it again",
        seconds=_SECONDS,
    )  # fmt: skip
    return digest_file.read_text(encoding="ascii").strip()
