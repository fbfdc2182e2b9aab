"""What a server makes for those who have claimed it: users with a policy and a key, databases of identities.

A grant is a resource of the server, made once the server runs: a changed policy or key of a holder is a step of the
server's plan. Servers whose configuration lists their users have no grants here (`stack.bindings.granted`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from data_platform.stack.holders import claim_key, holders, s3_users
from data_platform.stack.plan import Resource, Seen
from data_platform.targets import provision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minio import MinioAdmin

    from data_platform.stack.holders import Holder
    from data_platform.stack.model import S3User
    from data_platform.targets.base import Target

R = TypeVar("R", Resource, Seen)
_USER, _DATABASE = "s3_user", "database"


def wanted(target: Target, component: str) -> list[Resource]:
    """What a component has to make for others."""
    from data_platform.clients import s3_admin

    found = [
        Resource(kind="grant", name=_name(_USER, name), digest=provision.digest_of(s3_admin.policy_of(claim.buckets)))
        for name, claim in _users(target, component)
    ]
    for identity in _with_databases(target, component):
        found += [_renamed(r) for r in provision.databases(identity.name, identity.databases, "grant")]
    return found


def observe(target: Target, component: str) -> list[Seen]:
    """What a component has made for others and is still good; a server that does not answer has none that is."""
    found: list[Seen] = []
    if target.stack.components[component].component.grants.get("s3_user") == "minio_admin":
        found += _observe_users(target, component)
    for identity in _with_databases(target, component):
        found += [_renamed(s) for s in provision.observe_databases(target, identity.name, identity.databases, "grant")]
    return found


def make(target: Target, component: str, name: str) -> None:
    """Make or change one grant; may be repeated.

    Args:
        target: where.
        component: the server.
        name: of the grant.

    Raises:
        PlatformError, MinioAdminException: the server does not take it.
    """
    kind, _, of = name.partition(" ")
    if kind == _USER:
        from data_platform.clients import s3_admin

        (claim,) = (claim for user, claim in _users(target, component) if user == of)
        key = target.credentials(of)[claim_key(claim, "secret_key")]
        s3_admin.ensure_user(_admin(target, component), of, key, claim.buckets)
        return
    owner = next(i.name for i in _with_databases(target, component) if of in {spec.name for spec in i.databases})
    provision.create_database(target, owner, of)


def revoke(target: Target, component: str, name: str) -> None:
    """Remove a user that nobody claims any more. Databases are data: they are never removed."""
    from data_platform.clients import s3_admin

    s3_admin.remove_user(_admin(target, component), name.partition(" ")[2])


def _name(kind: str, of: str) -> str:
    return f"{kind} {of}"


def _renamed(thing: R) -> R:
    return thing.model_copy(update={"name": _name(_DATABASE, thing.name)})


def _users(target: Target, component: str) -> Iterator[tuple[str, S3User]]:
    """Those for whom a component makes a user by its own API, with their claims."""
    if target.stack.components[component].component.grants.get("s3_user") != "minio_admin":
        return
    yield from ((each.name, claim) for each, claim in s3_users(target.stack, component))


def _with_databases(target: Target, component: str) -> list[Holder]:
    """Identities that have databases, if the component is the server of them. Components make theirs themselves."""
    if target.stack.components[component].component.grants.get("database") != "sql":
        return []
    return [h for h in holders(target.stack).values() if h.databases and h.name not in target.stack.components]


def _admin(target: Target, component: str, seconds: float = 10) -> MinioAdmin:
    from data_platform.clients import s3_admin

    root = target.credentials(component)
    return s3_admin.client(target.address(component, "http").url, root["access_key"], root["secret_key"], seconds)


def _observe_users(target: Target, component: str) -> list[Seen]:
    import urllib3
    from minio.error import MinioAdminException

    from data_platform.clients import s3_admin

    claims = dict(_users(target, component))
    admin = _admin(target, component, 3)
    try:
        there, policies = s3_admin.users(admin), s3_admin.policies(admin)
    except (MinioAdminException, urllib3.exceptions.HTTPError, OSError):
        note = "the object store does not answer"
        return [Seen(kind="grant", name=_name(_USER, name), healthy=False, note=note) for name in claims]
    found = [Seen(kind="grant", name=_name(_USER, name)) for name in there if name not in claims]
    for name, claim in claims.items():
        if name not in there:
            continue
        problem = _problem(target, component, name, claim) if there[name].enabled else "it is disabled"
        policy = policies.get(there[name].policy)
        digest = None if problem else provision.digest_of(policy)
        found.append(Seen(kind="grant", name=_name(_USER, name), digest=digest, note=problem))
    return found


def _problem(target: Target, component: str, name: str, claim: S3User) -> str:
    """Why a user's key is no good; empty when the store lets it in."""
    from minio.error import S3Error

    from data_platform.clients import s3

    own = target.credentials(name)
    key = own[claim_key(claim, "secret_key")]
    store = s3.client(target.address(component, "http").url, own[claim_key(claim, "access_key")], key, seconds=3)
    try:
        store.bucket_exists(min(claim.buckets))
    except S3Error as error:
        return f"its key is refused ({error.code})"
    return ""
