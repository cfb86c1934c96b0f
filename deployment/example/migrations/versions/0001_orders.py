"""orders

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute(
        """
        CREATE TABLE orders (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            item text NOT NULL CHECK (length(item) BETWEEN 1 AND 80),
            quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 99),
            status text NOT NULL DEFAULT 'placed' CHECK (status IN ('placed', 'packed')),
            placed_at timestamptz NOT NULL DEFAULT now(),
            packed_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX orders_waiting ON orders (placed_at) WHERE status = 'placed'")


def downgrade():
    op.execute("DROP TABLE orders")
