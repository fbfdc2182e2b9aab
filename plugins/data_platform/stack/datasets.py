"""The registry of datasets: a dataset is a folder in `datasets/` with a contract, and with what its pipeline needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from data_platform.stack.contract import Contract, Zone
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import parse
from data_platform.stack.stack import CONTRACT, DATASETS, datasets
from data_platform.stack.terms import Strict

_PIPELINE = "pipeline.yaml"
#: Minute, hour, day, month, weekday.
_CRON = r"^(\S+ ){4}\S+$"


class Times(Strict):
    """Fixed times at which a pipeline runs, besides whenever files come."""

    cron: str = Field(pattern=_CRON, description="Minute, hour, day of the month, month, day of the week.")
    zone: Zone = Field(description="Time zone of these times, such as Europe/Paris.")


class Reference(Strict):
    """A copy of the data that a new platform begins with."""

    file: str = Field(description="Path in the checkout, or in the package.")
    package: str = Field("", description="The Python package that ships it; empty for the checkout.")


class Pipeline(Strict):
    """`pipeline.yaml`: what of a dataset's pipeline is its own. All else is the same for every dataset."""

    runs: Times
    reference: Reference | None = Field(None, description="Delivered when nothing was ever received.")
    days: bool = Field(False, description="Whether a run can be told days to load again from all files.")


@dataclass(frozen=True)
class Dataset:
    """One dataset of a checkout.

    Attributes:
        name: of its folders, tables, branch and DAG.
        contract: what it is and what it promises.
        pipeline: what of its pipeline is its own.
    """

    name: str
    contract: Contract
    pipeline: Pipeline


def contract(root: Path, name: str) -> Contract:
    """The contract of a dataset.

    Args:
        root: the checkout.
        name: of the dataset.

    Raises:
        PlatformError: there is no such dataset, or its contract is wrong; the message names file and key.
    """
    _refuse_unknown(root, name)
    path = root / DATASETS / name / CONTRACT
    found = parse(Contract, path)
    if found.id != name:
        raise PlatformError(
            f"{path}: id is {found.id!r}, but the folder is {name!r}", "give the folder and the contract the same name"
        )
    return found


def dataset(root: Path, name: str) -> Dataset:
    """A dataset with all that is said of it.

    Args:
        root: the checkout.
        name: of the dataset.

    Raises:
        PlatformError: see `contract`.
    """
    return Dataset(name, contract(root, name), parse(Pipeline, root / DATASETS / name / _PIPELINE))


def registry(root: Path) -> dict[str, Dataset]:
    """Every dataset of a checkout, by name.

    Raises:
        PlatformError: a file of one is missing or wrong, or two contracts have the same table.
    """
    found = {name: dataset(root, name) for name in datasets(root)}
    owners: dict[str, str] = {}
    for one in found.values():
        for table in one.contract.tables:
            if other := owners.get(table.name):
                raise PlatformError(
                    f"the contracts of {other} and {one.name} both have the table {table.name}", "remove it from one"
                )
            owners[table.name] = one.name
    return found


def _refuse_unknown(root: Path, name: str) -> None:
    if name not in (known := datasets(root)):
        raise PlatformError(
            f"there is no dataset {name!r}: {DATASETS}/{name}/{CONTRACT} is missing",
            f"use one of: {', '.join(known) or 'none yet'}; or see docs/how-to/add-a-dataset.md",
        )
