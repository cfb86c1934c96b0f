"""a note with an order: added with a default, so that the release before goes on working

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN note text NOT NULL DEFAULT '' CHECK (length(note) <= 200)")


def downgrade():
    op.execute("ALTER TABLE orders DROP COLUMN note")
