"""What /health tells: how long this process has been up and whether database and Redis answer."""

import time
from datetime import datetime, timezone

import psycopg2
import redis


class Health:
    """Checks both at each question."""

    def __init__(self, database, queue, version):
        self._database = database
        self._queue = queue
        self._version = version
        self._started = time.monotonic()

    def report(self):
        """The report, and whether all is well."""
        database = _state(self._database.ping, psycopg2.Error)
        cache = _state(self._queue.ping, redis.RedisError)
        well = database == cache == "connected"
        report = {
            "status": "healthy" if well else "unhealthy",
            "version": self._version,
            "uptime": round(time.monotonic() - self._started, 1),
            "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "database": database,
            "redis": cache,
        }
        return report, well


def _state(ping, error):
    try:
        ping()
    except error as problem:
        # The first line says what is wrong; none of these messages holds a password.
        words = str(problem).strip().splitlines() or [type(problem).__name__]
        return f"unreachable: {words[0]}"
    return "connected"
