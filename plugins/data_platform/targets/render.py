"""Templates of the `local` target: configuration files and the strings of `local.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.stack import lake
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    import jinja2

_SUFFIX = ".j2"
#: `[NAME]` in the name of a template: a file for each word of that binding.
_FOR_EACH = re.compile(r"\[([A-Z][A-Z0-9_]*)\]")


@cache
def _engine(folder: Path | None) -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=None if folder is None else jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
        keep_trailing_newline=True,
    )


def render(text: str, bindings: Mapping[str, str], where: str, folder: Path | None = None) -> str:
    """Fill a template.

    Args:
        text: the template; a text without `{{` and `{%` is returned as it is.
        bindings: its variables.
        where: file and key for the error message.
        folder: of the files that it may include.

    Raises:
        PlatformError: the template is wrong or names a binding that the component does not have.
    """
    if "{{" not in text and "{%" not in text:
        return text
    import jinja2

    try:
        return _engine(folder).from_string(text).render(bindings)
    except jinja2.TemplateError as error:
        names = ", ".join(sorted(bindings))
        raise PlatformError(
            f"{where}: {error.message}",
            f"correct the name, or add the component that it comes from to `calls`; there is: {names}",
        ) from None


def rendered_files(etc: Path, bindings: Mapping[str, str]) -> dict[str, bytes]:
    """Content of all configuration files of a component, by path below its `ETC`.

    A template with `[NAME]` in its name is rendered once for each word of the binding NAME, which it knows as EACH.
    Templates may include other files of the folder.

    Args:
        etc: the component's `etc/` folder in the checkout; it may be missing.
        bindings: variables of the templates, besides the names of the lakehouse.
    """
    known = {**lake.told(), **bindings}
    found: dict[str, bytes] = {}
    for path in sorted(p for p in etc.rglob("*") if p.is_file()):
        name = str(path.relative_to(etc))
        if path.suffix == _SUFFIX:
            for made, values in _for_each(name.removesuffix(_SUFFIX), known, str(path)):
                found[made] = render(path.read_text(encoding="utf-8"), values, str(path), etc).encode()
        else:
            found[name] = path.read_bytes()
    return found


def _for_each(name: str, bindings: Mapping[str, str], where: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Files that a template becomes, each with its bindings."""
    if not (found := _FOR_EACH.search(name)):
        yield name, bindings
        return
    for word in render(f"{{{{ {found[1]} }}}}", bindings, where).split():
        yield name.replace(found[0], word), {**bindings, "EACH": word}
