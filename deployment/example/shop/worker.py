"""The worker: waits at the queue, packs what was ordered, and ends in order when it is asked to."""

import logging
import signal
import sys
import time
from pathlib import Path

import psycopg2
import redis

from shop.config import Config
from shop.database import Database
from shop.queue import Queue

POLL_SECONDS = 5
LOST_AFTER_SECONDS = 30
RETRY_SECONDS = 2
HEARTBEAT = Path("/tmp/heartbeat")

log = logging.getLogger("shop.worker")


class Stop(Exception):
    """Asked to end while waiting."""


class Worker:
    """Packs orders one after the other."""

    def __init__(self, database, queue):
        self._database = database
        self._queue = queue
        self._waiting = False
        self._stopping = False

    def stop(self, number, _frame):
        """A signal: an order in hand is finished, waiting is broken off."""
        log.info("got %s, ending", signal.Signals(number).name)
        self._stopping = True
        if self._waiting:
            raise Stop

    def run(self):
        """Works until stopped."""
        log.info("waiting for orders")
        try:
            while not self._stopping:
                self._step()
        except Stop:
            pass
        log.info("ended")

    def _step(self):
        try:
            order_id = self._wait(lambda: self._queue.pop(POLL_SECONDS))
            if order_id is not None:
                self._pack(order_id)
            else:
                for lost in self._database.waiting(LOST_AFTER_SECONDS, limit=20):
                    self._pack(lost)
            HEARTBEAT.touch()
        except (redis.RedisError, psycopg2.Error) as problem:
            # No heartbeat: when this lasts, the health check says so.
            log.warning("%s; trying again", str(problem).strip())
            self._wait(lambda: time.sleep(RETRY_SECONDS))

    def _wait(self, wait):
        self._waiting = True
        try:
            if self._stopping:
                raise Stop
            return wait()
        finally:
            self._waiting = False

    def _pack(self, order_id):
        if self._database.pack(order_id):
            log.info("packed order %s", order_id)


def main():
    """Entry point."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
    config = Config.from_environment()
    worker = Worker(Database(config.database_url), Queue(config.redis_url))
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


if __name__ == "__main__":
    main()
