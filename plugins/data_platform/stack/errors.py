"""The one error that people see."""

from __future__ import annotations


class PlatformError(Exception):
    """Something is wrong and a person can mend it.

    The message has two parts: what is wrong (naming the file, field, service or port) and what to do next.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}\n  → {self.remedy}"
