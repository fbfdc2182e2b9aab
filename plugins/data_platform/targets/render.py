"""Templates: configuration files, and the strings of `local.yaml` and `kubernetes.yaml`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.stack import lake
from data_platform.stack.errors import PlatformError
from data_platform.targets import escape

if TYPE_CHECKING:
    import jinja2

_SUFFIX = ".j2"
#: `[NAME]` in the name of a template: a file for each word of that binding.
_FOR_EACH = re.compile(r"\[([A-Z][A-Z0-9_]*)\]")


class _Written(str):
    """A value that a template has written by a filter of its own; it is not escaped again."""

    __slots__ = ()


@cache
def _engine(folder: Path | None, written: Callable[[str], str] | None) -> jinja2.Environment:
    import jinja2

    def finalize(value: object) -> object:
        # What Jinja calls safe: `tojson`, and a value that a template says is one (`| safe`).
        if written is None or isinstance(value, _Written) or hasattr(value, "__html__"):
            return value
        return written(str(value))

    engine = jinja2.Environment(
        loader=None if folder is None else jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - configuration files, which are escaped by their own kinds
        finalize=finalize,
        keep_trailing_newline=True,
    )
    engine.filters |= {name: _filter(function) for name, function in escape.FILTERS.items()}
    return engine


def _filter(function: Callable[[str], str]) -> Callable[[object], str]:
    return lambda value: _Written(function(str(value)))


def render(text: str, bindings: Mapping[str, str], where: str, folder: Path | None = None, file: str = "") -> str:
    """Fill a template.

    Args:
        text: the template; a text without `{{` and `{%` is returned as it is.
        bindings: its variables.
        where: file and key for the error message.
        folder: of the files that it may include.
        file: name of the file that it becomes, which says how values are written; empty for a string of its own.

    Raises:
        PlatformError: the template is wrong or names a binding that the component does not have, or a value cannot be
            written in a file of this kind.
    """
    if "{{" not in text and "{%" not in text:
        return text
    import jinja2

    try:
        return _engine(folder, escape.of_file(file) if file else None).from_string(text).render(bindings)
    except ValueError as error:
        raise PlatformError(f"{where}: {error}", "use another path or name for what it is filled with") from None
    except jinja2.TemplateError as error:
        names = ", ".join(sorted(bindings))
        raise PlatformError(
            f"{where}: {error.message}",
            f"correct the name, or add the component that it comes from to `calls`; there is: {names}",
        ) from None


def names(text: str, folder: Path | None = None) -> set[str]:
    """Variables that a template names, or a file of the folder that it includes.

    Args:
        text: the template.
        folder: of the files that it may include; without one these are not looked at.
    """
    from jinja2 import meta

    parsed = _engine(None, None).parse(text)
    found = meta.find_undeclared_variables(parsed)
    for name in meta.find_referenced_templates(parsed):
        if name and folder:
            found |= names((folder / name).read_text(encoding="utf-8"), folder)
    return found


def rendered_files(etc: Path, bindings: Mapping[str, str]) -> dict[str, bytes]:
    """Content of all configuration files of a component, by path below its `ETC`.

    A template with `[NAME]` in its name is rendered once for each word of the binding NAME, which it knows as EACH.
    Templates may include other files of the folder. Values are written as the kind of the file asks for (escape.py).

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
                found[made] = render(path.read_text(encoding="utf-8"), values, str(path), etc, made).encode()
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
