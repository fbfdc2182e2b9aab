"""Files that an audit sets aside, and what people decide about files: accept one that breaks rules, or take one back.

What is decided here takes effect with the next run, which loads and audits as always. See docs/decisions/loads.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from data_platform.datasets import arrivals
from data_platform.datasets.decisions import AUDIT, Decision, Verdict, decide, read_decisions
from data_platform.datasets.files import Manifest, RawFile, code_digest, published_files, raw_files
from data_platform.datasets.store import store_of
from data_platform.stack.errors import PlatformError
from data_platform.times import local

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: So many characters of a digest name a file.
_LEAST = 6
#: Name of the subject that is a dataset's code.
CODE = "the code of the dataset"


class Word(NamedTuple):
    """What a person says.

    Attributes:
        by: who.
        why: the reason.
    """

    by: str
    why: str

    def on(self, verdict: Verdict, subject: str, name: str) -> Decision:
        """The person's decision about a subject, made now."""
        return Decision(subject=subject, name=name, verdict=verdict, by=self.by, at=datetime.now(UTC), why=self.why)


class Known(NamedTuple):
    """A file of the raw zone.

    Attributes:
        file: the object.
        published: whether readers see what it says, or did until a later file said otherwise.
        decision: the newest one about it; None where nobody decided anything.
    """

    file: RawFile
    published: bool
    decision: Decision | None

    @property
    def state(self) -> str:
        """What is to be said of it, in a few words."""
        told = self.decision.reason if self.decision else ""
        if self.decision and self.decision.is_out:
            return told
        place = "published" if self.published else "not published yet"
        return f"{place}; {told}" if told else place


def set_aside(
    target: Target, manifest: Manifest, blamed: Mapping[str, Sequence[str]], seconds: float
) -> list[Decision]:
    """Set files of a run aside: it goes on without them, and so do later runs.

    Only files that the run would publish for the first time are; what was published before is taken back by people.
    Of several files of one name all are.

    Args:
        target: where.
        manifest: of the run.
        blamed: names of files, and the rules that each broke.
        seconds: deadline of one request.

    Returns:
        The decisions; none where no file of the run is among them.
    """
    store = store_of(target, seconds)
    before = read_decisions(store, manifest.dataset)
    accepted = {subject for subject, decision in before.items() if decision.verdict is Verdict.ACCEPTED}
    now = datetime.now(UTC)
    found = [
        Decision(
            subject=file.sha256,
            name=file.source_file,
            verdict=Verdict.SET_ASIDE,
            rules=tuple(blamed[file.source_file]),
            by=AUDIT,
            at=now,
            run=manifest.run,
        )
        for file in manifest.candidates
        if file.source_file in blamed and file.sha256 not in accepted
    ]
    decide(store, manifest.dataset, found)
    return found


def wake(target: Target, dataset: str, decisions: Sequence[Decision], seconds: float) -> None:
    """Let the pipeline run again, without what was decided about; nothing where nothing was."""
    for decision in decisions[:1]:
        arrivals.leave(target, dataset, decision.subject, seconds)


def set_aside_by(target: Target, dataset: str, run: str, seconds: float) -> list[Decision]:
    """Files that a run has set aside and about which nobody has decided otherwise since."""
    found = read_decisions(store_of(target, seconds), dataset).values()
    return sorted((d for d in found if d.run == run and d.verdict is Verdict.SET_ASIDE), key=lambda d: d.name)


def known_files(target: Target, dataset: str, seconds: float) -> list[Known]:
    """Every file of the raw zone with what is known of it, the newest last.

    Raises:
        PlatformError: an object there is no file, or no decision, of the platform's.
    """
    store = store_of(target, seconds)
    published, decisions = published_files(target, dataset, seconds), read_decisions(store, dataset)
    files = sorted(raw_files(store, dataset), key=lambda file: (file.ingested_at, file.sha256))
    return [Known(file, file.sha256 in published, decisions.get(file.sha256)) for file in files]


def accept(target: Target, dataset: str, text: str, word: Word, seconds: float) -> Decision:
    """Say yes to a file that broke a rule or a bound of change, or to code whose tables did; the pipeline runs again.

    Args:
        target: where.
        dataset: its name.
        text: the file's name, or the beginning of its digest; or the digest of the code.
        word: who says so, and why.
        seconds: deadline of one request.

    Raises:
        PlatformError: there is no such file, several are meant, or it is published already.
    """
    if text == (code := code_digest(target.stack.root, dataset)):
        return _decide(target, dataset, word.on(Verdict.ACCEPTED, code, CODE), seconds)
    known = _find(target, dataset, text, seconds)
    if known.published and not (known.decision and known.decision.is_out):
        raise PlatformError(
            f"{known.file.source_file} of {dataset} is published already",
            "there is nothing to accept; nothing was done",
        )
    return _decide(target, dataset, word.on(Verdict.ACCEPTED, known.file.sha256, known.file.source_file), seconds)


def take_back(target: Target, dataset: str, text: str, word: Word, seconds: float) -> Decision:
    """Take back what was loaded from a file, or never load it; the pipeline runs again.

    Args:
        target: where.
        dataset: its name.
        text: the file's name, or the beginning of its digest.
        word: who says so, and why.
        seconds: deadline of one request.

    Raises:
        PlatformError: there is no such file, several are meant, or it is out already.
    """
    known = _find(target, dataset, text, seconds)
    if known.decision and known.decision.verdict is Verdict.TAKEN_BACK:
        raise PlatformError(
            f"{known.file.source_file} of {dataset} is out already: {known.decision.reason}", "nothing was done"
        )
    return _decide(target, dataset, word.on(Verdict.TAKEN_BACK, known.file.sha256, known.file.source_file), seconds)


def _decide(target: Target, dataset: str, made: Decision, seconds: float) -> Decision:
    decide(store_of(target, seconds), dataset, [made])
    arrivals.leave(target, dataset, made.subject, seconds)
    return made


def _find(target: Target, dataset: str, text: str, seconds: float) -> Known:
    """The one file that a text means.

    Raises:
        PlatformError: there is none, or there are several.
    """
    known = known_files(target, dataset, seconds)
    found = [one for one in known if one.file.source_file == text]
    if len(text) >= _LEAST:
        found = found or [one for one in known if one.file.sha256.startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    now = datetime.now(UTC)
    several = ", ".join(f"{one.file.sha256[:12]} of {local(one.file.ingested_at, now)}" for one in found)
    raise PlatformError(
        f"several files of {dataset} are meant by {text!r}: {several}" if found else f"{dataset} has no file {text!r}",
        f"give its name, or at least {_LEAST} characters of its digest: python3 -m bootstrap files list {dataset}",
    )
