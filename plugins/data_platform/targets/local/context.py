"""What components see on this machine: addresses, credentials, bindings, their files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data_platform.checks.base import Address
from data_platform.stack import entrance
from data_platform.stack.bindings import Bindings, Places, bindings, listed
from data_platform.stack.environment import Retention
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import holder as holder_of
from data_platform.stack.load import LOCAL
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets import trust
from data_platform.targets.local import artifacts, ports
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.programs import (
    PYTHON,
    LaunchFile,
    Where,
    launch_file,
)
from data_platform.targets.local.state import State
from data_platform.targets.render import rendered_files


class LocalContext:
    """A state folder and a cache, as components see them.

    Args:
        stack: the platform.
        state: the state folder.
        asked: what else it was asked to be (`State.settings`).
    """

    name = LOCAL

    def __init__(self, stack: Stack, state: State, asked: Mapping[str, Any] = MappingProxyType({})) -> None:
        self.stack = stack
        self.state = state
        self.domain = str(asked.get("domain") or "")
        #: See `Target`.
        self.retention = Retention.model_validate(asked.get("retention") or {})
        #: See `Target`.
        self.authorities = Path(asked["authorities"]) if asked.get("authorities") else None
        self.cache = cache_folder()
        self._known: dict[str, dict[str, str]] | None = None

    @cached_property
    def _ports(self) -> dict[str, int]:
        return ports.choose(self.stack, self.state, self.cache)

    @property
    def _credentials(self) -> dict[str, dict[str, str]]:
        if self._known is None:
            self._known = self.state.credentials(self.stack)
        return self._known

    def _item(self, component: str) -> Loaded:
        return self.stack.components[self.stack.resolve(component)]

    def address(self, component: str, endpoint: str) -> Address:
        """See `Target`."""
        item = self._item(component)
        if endpoint not in item.component.endpoints:
            raise PlatformError(
                f"{item.name} has no endpoint {endpoint!r}", f"use one of: {', '.join(item.component.endpoints)}"
            )
        port, scheme = self._ports[f"{item.name}.{endpoint}"], item.component.endpoints[endpoint].scheme
        return Address(ports.LOOPBACK, port, f"{scheme}://{ports.LOOPBACK}:{port}")

    def internal_address(self, component: str, endpoint: str) -> Address:
        """See `Target`."""
        return self.address(component, endpoint)

    def public_url(self, component: str, endpoint: str) -> str:
        """See `Target`: without an entrance the address on this machine."""
        name = self._item(component).name
        entrance.refuse_strangers(self.stack, name, endpoint)
        return f"https://{entrance.host(name, self.domain)}" if self.domain else self.address(name, endpoint).url

    def credentials(self, holder: str) -> Mapping[str, str]:
        """See `Target`."""
        return self._credentials.get(holder_of(self.stack, holder).name, {})

    def ensure_credentials(self) -> None:
        """See `Target`."""
        self.state.ensure_credentials(self.stack)
        self._known = None

    def stage(self, holder: str, key: str) -> str:
        """See `Target`."""
        self._known = None
        return self.state.stage(holder, key)

    def promote(self, holder: str, key: str) -> None:
        """See `Target`."""
        self.state.promote(holder, key)
        self._known = None

    def _bindings(self, component: str) -> Bindings:
        own = {
            **{f"ARTIFACT_{n.upper()}": self._home(p) for n, p in self._placed(component).items()},
            "BIND": ports.LOOPBACK,
            "NODE_ADDRESS": ports.LOOPBACK,
            "ETC": str(self.state.etc(component)),
            "DATA": str(self.state.data(component)),
            "TMPDIR": str(self.state.tmp(component)),
            "LOGS": str(self.state.logs),
            "ROOT": str(self.stack.root),
            "STATE": str(self.state.folder),
            "PLATFORM_PYTHON": PYTHON,
            **trust.binding(self.authorities, str(self.state.etc(component))),
        }
        return bindings(self.stack, component, self._places, self.credentials).with_open(own)

    @property
    def _places(self) -> Places:
        return Places(self.address, self.public_url)

    def _files(self, item: Loaded) -> dict[str, bytes]:
        """Its configuration files, which may list those for whom it makes something."""
        known = {**self._bindings(item.name).all, **listed(self.stack, item.name, self._places, self.credentials)}
        of_trust = {trust.CA: trust.read(self.authorities).encode()} if self.authorities else {}
        return rendered_files(item.folder / "etc", known) | of_trust

    @staticmethod
    def _home(placed: artifacts.Placed) -> str:
        """Folder that a binding names: a toolchain's `home` is inside its wheel."""
        return str(placed.folder / placed.spec.home)

    def _placed(self, component: str) -> dict[str, artifacts.Placed]:
        return artifacts.place(self.stack, component, self.cache)

    def _launch(self, item: Loaded, name: str, values: Bindings) -> LaunchFile:
        return launch_file(item, name, values, self._files(item), self._where)

    @property
    def _where(self) -> Where:
        return Where(self.stack.root, self.state, self.cache)
