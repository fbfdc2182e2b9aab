"""skopeo is called with the layout, the target and how to compress; it is pretended by a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data_platform.clients import skopeo
from data_platform.stack.errors import PlatformError

DIGEST = "sha256:" + "a" * 64
TARGET = "registry.test:5000/data-platform/trino:1"
#: Writes its arguments down, one a line, and the digest to where it is told.
_COPIES = """
printf '%s\\n' "$@" > "$0.arguments"
while [ "$1" != --digestfile ]; do shift; done
echo DIGEST > "$2"
"""
_REFUSES = "echo 'unauthorized: authentication required' >&2; exit 1\n"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a skopeo that does this on the path."""

    def make(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        path = folder / "skopeo"
        path.write_text("#!/bin/sh\n" + script.replace("DIGEST", DIGEST), encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return path

    return make


def push(tmp_path: Path, *, compression: str = "zstd", plain_http: bool = False) -> str:
    return skopeo.push(
        tmp_path / "a layout",
        "trino:1",
        TARGET,
        compression=compression,
        plain_http=plain_http,
        digest_file=tmp_path / "digest",
    )


def arguments(program: Path) -> list[str]:
    return Path(f"{program}.arguments").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_an_image_of_the_layout_is_copied_and_its_digest_comes_back(
    tmp_path: Path, program: Callable[[str], Path], compression: str
) -> None:
    path = program(_COPIES)
    assert push(tmp_path, compression=compression) == DIGEST
    said = arguments(path)
    assert said[0] == "copy"
    assert said[said.index("--dest-compress-format") + 1] == compression
    assert said[-2:] == [f"oci:{tmp_path}/a layout:trino:1", f"docker://{TARGET}"]


def test_tls_is_given_up_only_where_the_registry_has_none(tmp_path: Path, program: Callable[[str], Path]) -> None:
    path = program(_COPIES)
    push(tmp_path)
    assert [word for word in arguments(path) if word.startswith("--") and "tls" in word] == []
    push(tmp_path, plain_http=True)
    assert [word for word in arguments(path) if word.startswith("--") and "tls" in word] == ["--dest-tls-verify=false"]


def test_a_registry_that_refuses_is_told_with_its_words_and_the_remedy(
    tmp_path: Path, program: Callable[[str], Path]
) -> None:
    # The digest of an earlier push is not taken for this one's.
    (tmp_path / "digest").write_text(DIGEST, encoding="ascii")
    program(_REFUSES)
    with pytest.raises(PlatformError, match=f"pushing {TARGET}: .*\n.*unauthorized") as caught:
        push(tmp_path)
    assert "log in with skopeo login" in caught.value.remedy


def test_a_machine_without_skopeo_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlatformError, match="skopeo is not there"):
        push(tmp_path)
