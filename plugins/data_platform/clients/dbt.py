"""dbt's own words: what its tool is called, and where its pages lie."""

from __future__ import annotations

#: Tool of the component that makes models.
TOOL = "dbt"
#: Task group of a run, and folder of a dataset's documentation in the bucket of pages.
GROUP = FOLDER = "dbt"
#: The documentation of a dataset, below its name.
PAGE = f"{FOLDER}/index.html"
#: Program for those that want the path of one, in the project's `bin/`.
PROGRAM = "dbt"
