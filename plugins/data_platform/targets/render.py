"""Templates of the `local` target: configuration files and the strings of `local.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    import jinja2

_SUFFIX = ".j2"


@cache
def _engine() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
        keep_trailing_newline=True,
    )


def render(text: str, bindings: Mapping[str, str], where: str) -> str:
    """Fill a template.

    Args:
        text: the template; a text without `{{` and `{%` is returned as it is.
        bindings: its variables.
        where: file and key for the error message.

    Raises:
        PlatformError: the template is wrong or names a binding that the component does not have.
    """
    if "{{" not in text and "{%" not in text:
        return text
    import jinja2

    try:
        return _engine().from_string(text).render(bindings)
    except jinja2.TemplateError as error:
        names = ", ".join(sorted(bindings))
        raise PlatformError(
            f"{where}: {error.message}",
            f"correct the name, or add the component that it comes from to depends_on; there is: {names}",
        ) from None


def rendered_files(etc: Path, bindings: Mapping[str, str]) -> dict[str, bytes]:
    """Content of all configuration files of a component, by path below its `ETC`.

    Args:
        etc: the component's `etc/` folder in the checkout; it may be missing.
        bindings: variables of the templates.
    """
    found: dict[str, bytes] = {}
    for path in sorted(p for p in etc.rglob("*") if p.is_file()):
        name = str(path.relative_to(etc))
        if path.suffix == _SUFFIX:
            text = render(path.read_text(encoding="utf-8"), bindings, str(path))
            found[name.removesuffix(_SUFFIX)] = text.encode()
        else:
            found[name] = path.read_bytes()
    return found
