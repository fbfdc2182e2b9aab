"""Who changes the platform, since when and until when."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        create table leases (
            name text primary key,
            holder text not null,
            purpose text not null,
            acquired_at timestamptz not null,
            renewed_at timestamptz not null,
            expires_at timestamptz not null
        )
    """)
