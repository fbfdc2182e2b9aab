"""What a holder has made for it by another component: the base of all kinds of claims.

A kind is a module of `data_platform.claims` with one model that says what may be claimed, what it is called and which
credentials come with it, and how it is looked for, made and removed. All kinds: `data_platform.stack.kinds`.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from data_platform.stack.terms import Strict, unsaid

if TYPE_CHECKING:
    from pathlib import Path

    from data_platform.stack.plan import Seen

#: Served by the provider's configuration files, which list all that is claimed; nothing has to be made.
CONFIGURATION = "configuration"


class Location(Protocol):
    """Address of an endpoint."""

    @property
    def host(self) -> str:
        """Name or number of the machine."""

    @property
    def port(self) -> int:
        """TCP port."""

    @property
    def url(self) -> str:
        """Scheme, host and port."""


class Place(Protocol):
    """What a kind may know of the place: addresses and credentials, the same on every target."""

    @property
    def authorities(self) -> Path | None:
        """File with the certificates by which the platform's own servers are known; None for the usual authorities."""

    def address(self, component: str, endpoint: str) -> Location:
        """Address of a component's (or capability's) endpoint, as reached from here."""

    def credentials(self, holder: str) -> Mapping[str, str]:
        """What a holder has: a component, a capability (its provider's own) or an identity."""


class Claim(Strict):
    """Base of all kinds: what one holder has made for it by another component."""

    kind: str

    #: How a component may serve it: words for `serves` in component.yaml.
    ways: ClassVar[tuple[str, ...]]
    #: Data: made where it is missing, never removed.
    keeps: ClassVar[bool] = False
    #: Its credentials are bindings named after their holder (NESSIE_DATABASE_USER), not after what they are alone.
    of_holder: ClassVar[bool] = False
    #: Binding by which the provider's templates know all that is claimed, where it serves it by its configuration.
    listed_as: ClassVar[str] = ""
    #: What its provider has of its secrets, by way.
    kept: ClassVar[Mapping[str, str]] = {}
    #: Binding with all names of the kind, for who says `shows`.
    shown_as: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a kind that its ways cannot be gone with, when it is read and not when something is claimed.

        Raises:
            TypeError: it does not say what its ways need.
        """
        super().__pydantic_init_subclass__(**kwargs)
        needed = ["entry"] if CONFIGURATION in cls.ways else []
        if set(cls.ways) - {CONFIGURATION}:
            needed += ["observe", "make"] if cls.keeps else ["observe", "make", "remove"]
        if missing := unsaid(cls, Claim, needed):
            raise TypeError(f"{cls.__name__} is served by {', '.join(cls.ways)} and does not say {', '.join(missing)}")

    @property
    @abstractmethod
    def provider(self) -> str:
        """Component or capability that makes it."""

    @property
    def first(self) -> bool:
        """Whether its holder can do nothing before it is made, so that it comes after the provider."""
        return True

    @abstractmethod
    def made(self, holder: str) -> str:
        """Name of what is made; no two claims of the kind with one provider have the same."""

    @abstractmethod
    def definition(self, holder: str) -> object:
        """All that decides what is made, as JSON can say it; not its credentials."""

    def about(self) -> tuple[tuple[str, str], ...]:
        """Kind and name of each claim of the same provider, anybody's, that it is about and that must be there."""
        return ()

    def fixed(self, holder: str) -> dict[str, str]:
        """Its credentials that are no secret, by key."""
        del holder
        return {}

    @property
    def generated(self) -> tuple[str, ...]:
        """Keys of its secrets."""
        return ()

    def entry(self, holder: str, credentials: Mapping[str, str]) -> dict[str, Any]:
        """How the provider's configuration knows it (`listed_as`)."""
        raise NotImplementedError(f"{self.kind} is not served by configuration")

    @classmethod
    def observe(cls, place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        """What of the claimed is there, and what is left over of what was; reads only.

        A server that does not answer has nothing healthy; what it has is then left alone.
        """
        raise NotImplementedError(f"{cls.__name__} is not made by a way of its own")

    @classmethod
    def make(cls, place: Place, provider: str, claimed: Claimed) -> None:
        """Make it, or change what is there to what is claimed; may be repeated."""
        raise NotImplementedError(f"{cls.__name__} is not made by a way of its own")

    @classmethod
    def remove(cls, place: Place, provider: str, name: str) -> None:
        """Remove what nobody claims any more."""
        raise NotImplementedError(f"{cls.__name__} is never removed")


class Claimed(NamedTuple):
    """A claim and whose it is.

    Attributes:
        holder: name of the component or identity.
        claim: what it has claimed.
    """

    holder: str
    claim: Claim

    @property
    def name(self) -> str:
        """Name of what is made."""
        return self.claim.made(self.holder)

    @property
    def resource(self) -> str:
        """The same with its kind: its name in a plan."""
        return resource_name(self.claim.kind, self.name)

    @property
    def digest(self) -> str:
        """Of its definition."""
        return digest_of(self.claim.definition(self.holder))


def resource_name(kind: str, name: str) -> str:
    """Name in a plan of what was claimed: `database nessie`."""
    return f"{kind} {name}"


def digest_of(definition: object) -> str:
    """Of anything that JSON can say."""
    return json.dumps(definition, sort_keys=True)
