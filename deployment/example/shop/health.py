"""What /health tells: how long this process has been up and whether database and Redis answer."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import psycopg2
import redis

PATIENCE_SECONDS = 3


class Health:
    """Asks both at each question, at the same time."""

    def __init__(self, database, queue, version):
        self._database = Probe(database.ping, psycopg2.Error)
        self._redis = Probe(queue.ping, redis.RedisError)
        self._version = version
        self._started = time.monotonic()

    def report(self):
        """The report, and whether all is well."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._database.ask()
        self._redis.ask()
        database = self._database.answer(deadline)
        cache = self._redis.answer(deadline)
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


class Probe:
    """One question at a time, on a thread of its own: a name server that stays silent must not silence /health."""

    def __init__(self, ping, error):
        self._ping = ping
        self._error = error
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._pending = None

    def ask(self):
        """Puts the question, unless the last one is still open."""
        if self._pending is None or self._pending.done():
            self._pending = self._thread.submit(self._state)

    def answer(self, deadline):
        """The answer, waited for until the deadline."""
        try:
            return self._pending.result(timeout=max(0, deadline - time.monotonic()))
        except TimeoutError:
            return f"unreachable: no answer within {PATIENCE_SECONDS} s"

    def _state(self):
        try:
            self._ping()
        except self._error as problem:
            # The first line says what is wrong; none of these messages holds a password.
            words = str(problem).strip().splitlines() or [type(problem).__name__]
            return f"unreachable: {words[0]}"
        return "connected"
