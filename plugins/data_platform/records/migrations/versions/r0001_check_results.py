"""Results of checks. Up to 0.1.0 each use made this table where it was missing; one that is there is taken over."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make table and index where they are missing."""
    op.execute("""
        create table if not exists check_results (
            at timestamptz not null default now(),
            component text not null,
            name text not null,
            status text not null check (status in ('passed', 'failed', 'skipped')),
            seconds double precision not null,
            evidence text not null,
            definition text not null,
            reason text not null
        )
    """)
    op.execute("create index if not exists check_results_by_check on check_results (component, name, at desc)")
