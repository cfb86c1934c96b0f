"""The orders table. Owns every SQL statement and the connections; knows nothing of HTTP."""

import select
import threading
from contextlib import contextmanager

import psycopg2
import psycopg2.extras

COLUMNS = "id, item, quantity, note, status, placed_at, packed_at"


class Database:
    """One connection per thread, made anew after it broke."""

    def __init__(self, url):
        self._url = url
        self._local = threading.local()

    @contextmanager
    def _cursor(self):
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed or _hung_up(connection):
            connection = psycopg2.connect(
                self._url,
                connect_timeout=3,
                options="-c statement_timeout=10000",
                keepalives_idle=10,
                cursor_factory=psycopg2.extras.RealDictCursor,
            )
            self._local.connection = connection
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.OperationalError:
            connection.close()
            raise

    def ping(self):
        """Raises psycopg2.Error when the database does not answer."""
        with self._cursor() as cursor:
            cursor.execute("SELECT 1")

    def place(self, item, quantity, note):
        """Adds an order and returns it."""
        with self._cursor() as cursor:
            cursor.execute(
                f"INSERT INTO orders (item, quantity, note) VALUES (%s, %s, %s) RETURNING {COLUMNS}",
                (item, quantity, note),
            )
            return cursor.fetchone()

    def recent(self, limit):
        """The newest orders first."""
        with self._cursor() as cursor:
            cursor.execute(f"SELECT {COLUMNS} FROM orders ORDER BY id DESC LIMIT %s", (limit,))
            return cursor.fetchall()

    def get(self, order_id):
        """One order, or None."""
        with self._cursor() as cursor:
            cursor.execute(f"SELECT {COLUMNS} FROM orders WHERE id = %s", (order_id,))
            return cursor.fetchone()

    def pack(self, order_id):
        """Marks an order as packed; False when it was not waiting, so that doing it twice does no harm."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE orders SET status = 'packed', packed_at = now() WHERE id = %s AND status = 'placed'",
                (order_id,),
            )
            return cursor.rowcount == 1

    def waiting(self, older_than_seconds, limit):
        """Ids of orders that wait for longer than that: their message to the worker was lost."""
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT id FROM orders WHERE status = 'placed' AND placed_at < now() - make_interval(secs => %s)"
                " ORDER BY id LIMIT %s",
                (older_than_seconds, limit),
            )
            return [row["id"] for row in cursor.fetchall()]


def _hung_up(connection):
    """Whether the server ended an idle connection: nothing else makes such a one readable."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)
