"""What was decided about files of a dataset, and about its code: by an audit, or by a person, with who, when and why.

Each decision is an object of its own, `raw/_decisions/<dataset>/<subject>/<time>.json`; none is changed, and the newest
about a subject counts. They lie beside the files because a dataset's pods can read them there, and because they must
survive together with them. See docs/decisions/loads.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from data_platform.datasets.store import put, read_json
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import DECISIONS, RAW

if TYPE_CHECKING:
    from minio import Minio

#: Who decides where no person does.
AUDIT = "the audit"


class Verdict(StrEnum):
    """What is to become of a file."""

    SET_ASIDE = "set aside"
    ACCEPTED = "accepted"
    TAKEN_BACK = "taken back"


class Decision(BaseModel):
    """What was decided about a subject.

    Attributes:
        subject: digest of a file's content, or of a dataset's code.
        name: of the file as it came; what it is where it is no file.
        verdict: what was decided.
        rules: what it broke, as people read it.
        by: who: the audit, or a person and the machine.
        at: when, UTC.
        why: the person's reason; empty of the audit, whose reason are the rules.
        run: Airflow's id of the run that decided; empty of a person.
    """

    model_config = ConfigDict(frozen=True)

    subject: str = Field(pattern=r"^[0-9a-f]{16,64}$")
    name: str
    verdict: Verdict
    rules: tuple[str, ...] = ()
    by: str
    at: datetime
    why: str = ""
    run: str = ""

    @property
    def is_about_a_file(self) -> bool:
        """Whether the subject is a file: a whole SHA-256. That of code is shorter."""
        return len(self.subject) == hashlib.sha256().digest_size * 2

    @property
    def is_out(self) -> bool:
        """Whether the file is not loaded."""
        return self.verdict is not Verdict.ACCEPTED

    @property
    def reason(self) -> str:
        """Verdict and reason in one line."""
        who = "" if self.by == AUDIT else f" by {self.by}"
        return f"{self.verdict}{who}: {self.why or '; '.join(self.rules)}"


def read_decisions(store: Minio, dataset: str) -> dict[str, Decision]:
    """The newest decision about each subject.

    Args:
        store: the object store.
        dataset: its name.

    Raises:
        PlatformError: an object there is no decision.
    """
    prefix = f"{DECISIONS}/{dataset}/"
    keys = sorted(str(item.object_name) for item in store.list_objects(RAW, prefix=prefix, recursive=True))
    # In the order of time, so the last one of a subject stays.
    newest = {key.removeprefix(prefix).partition("/")[0]: key for key in keys}
    found: dict[str, Decision] = {}
    for subject, key in newest.items():
        try:
            found[subject] = Decision.model_validate(read_json(store, RAW, key))
        except ValueError as error:
            raise PlatformError(
                f"{RAW}/{key} is no decision about a file: {error}",
                "remove what was put there by hand; decisions are written by:"
                " python3 -m bootstrap files accept DATASET FILE --why WORDS",
            ) from None
    return found


def decide(store: Minio, dataset: str, decisions: Iterable[Decision]) -> None:
    """Write decisions down; earlier ones stay.

    Args:
        store: the object store.
        dataset: its name.
        decisions: each about another subject.
    """
    for decision in decisions:
        stamp = decision.at.astimezone(UTC).strftime("%Y%m%dT%H%M%S%f")
        put(store, f"{DECISIONS}/{dataset}/{decision.subject}/{stamp}.json", decision.model_dump_json(indent=1))


def accepted_names(decisions: Mapping[str, Decision]) -> tuple[str, ...]:
    """Names of the files that somebody has accepted although they break rules."""
    return tuple(sorted({d.name for d in decisions.values() if d.verdict is Verdict.ACCEPTED and d.is_about_a_file}))
