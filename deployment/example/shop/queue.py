"""The list through which web tells the worker of new orders. Losing a message loses no order: the table has it."""

import redis

KEY = "shop:placed"


class Queue:
    """A Redis list used as a queue."""

    def __init__(self, url):
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=15, health_check_interval=30)

    def ping(self):
        """Raises redis.RedisError when Redis does not answer."""
        self._redis.ping()

    def push(self, order_id):
        """Tells the worker of an order."""
        self._redis.rpush(KEY, order_id)

    def pop(self, timeout_seconds):
        """Waits for an order's id; None when none came in time."""
        message = self._redis.blpop([KEY], timeout=timeout_seconds)
        return None if message is None else int(message[1])
