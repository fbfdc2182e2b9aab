"""A dataset in words, from what its contract and its pipeline say. Pure."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from data_platform.stack.lake import table

if TYPE_CHECKING:
    from data_platform.stack.datasets import Dataset

_WIDTH = 120
_CODE = re.compile(r"`[^`]*`")


def pipeline_doc(one: Dataset) -> str:
    """The page of a dataset's DAG, as Markdown: what it does, who answers for it, what to do when it fails."""
    contract, runs = one.contract, one.pipeline.runs
    marts = " and ".join(f"`{table.name}`" for table in contract.on("marts"))
    refused = f"select * from {table('raw.quarantine')} where dataset = '{one.name}'"  # noqa: S608 - words for people
    does = (
        f"Files that the flow has stored are loaded into `{table(f'raw.{one.name}')}`, turned into {marts}, and audited"
        " on a branch of the catalog. Readers see a load only when it has passed, all tables at once. Runs when files"
        f" come, and at `{runs.cron}` ({runs.zone})."
    )
    fails = (
        f"**Owner:** {contract.owner}. **When it fails:** the failed task's log names the file, the rule and the next"
        " step. Mend it and clear the failed task, or trigger the DAG again: nothing is loaded twice. Refused files"
        f" and rows: `{refused}`."
    )
    paragraphs = [f"### {contract.name}, from files to marts", contract.description.purpose, does, fails]
    if one.pipeline.days:
        paragraphs.append("Parameters `from` and `to`: load these days again from all files.")
    return "\n\n".join(map(_filled, paragraphs)) + "\n"


def _filled(text: str) -> str:
    """A paragraph in lines; what is code stays in one."""
    whole = _CODE.sub(lambda code: code[0].replace(" ", "\0"), text)
    return textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False).replace("\0", " ")
