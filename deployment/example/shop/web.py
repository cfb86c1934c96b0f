"""The web service: a page and a JSON API over WSGI. `app` is what gunicorn serves."""

import json
import logging
import re
import sys
from datetime import datetime
from pathlib import Path

import psycopg2
import redis

from shop.config import Config
from shop.database import Database
from shop.health import Health
from shop.queue import Queue

MAX_BODY = 16 * 1024
MAX_ITEM = 80
MAX_NOTE = 200
MAX_ID = 2**63 - 1
PAGE = Path(__file__).with_name("page.html")

log = logging.getLogger("shop.web")


class Refusal(Exception):
    """A request that is answered with an error of the client's."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class App:
    """Routes requests."""

    def __init__(self, config):
        self._database = Database(config.database_url)
        self._queue = Queue(config.redis_url)
        self._health = Health(self._database, self._queue, config.version)
        self._page = PAGE.read_bytes()

    def __call__(self, environ, start_response):
        try:
            status, kind, body = self._answer(environ)
        except Refusal as refusal:
            status, kind, body = refusal.status, "application/json", _json({"error": str(refusal)})
        except psycopg2.Error as problem:
            log.error("database: %s", str(problem).strip())
            status, kind, body = "503 Service Unavailable", "application/json", _json({"error": "the database is down"})
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response(status, headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _answer(self, environ):
        path = environ["PATH_INFO"]
        if path == "/":
            _only(environ, "GET", "HEAD")
            return "200 OK", "text/html; charset=utf-8", self._page
        if path == "/health":
            _only(environ, "GET", "HEAD")
            report, well = self._health.report()
            return "200 OK" if well else "503 Service Unavailable", "application/json", _json(report)
        if path == "/api/orders":
            _only(environ, "GET", "HEAD", "POST")
            if environ["REQUEST_METHOD"] == "POST":
                return "201 Created", "application/json", _json(self._place(_body(environ)))
            return "200 OK", "application/json", _json({"orders": self._database.recent(50)})
        if match := re.fullmatch(r"/api/orders/(\d{1,19})", path):
            _only(environ, "GET", "HEAD")
            order_id = int(match.group(1))
            order = self._database.get(order_id) if order_id <= MAX_ID else None
            if order is None:
                raise Refusal("404 Not Found", f"there is no order {order_id}")
            return "200 OK", "application/json", _json(order)
        raise Refusal("404 Not Found", f"there is nothing at {path}")

    def _place(self, wish):
        item = wish.get("item")
        quantity = wish.get("quantity", 1)
        note = wish.get("note", "")
        if not isinstance(item, str) or not 0 < len(item.strip()) <= MAX_ITEM:
            raise Refusal("400 Bad Request", f"item is a text of 1 to {MAX_ITEM} characters")
        if type(quantity) is not int or not 1 <= quantity <= 99:
            raise Refusal("400 Bad Request", "quantity is a whole number from 1 to 99")
        if not isinstance(note, str) or len(note) > MAX_NOTE:
            raise Refusal("400 Bad Request", f"note is a text of at most {MAX_NOTE} characters")
        if "\0" in item + note:
            raise Refusal("400 Bad Request", "a text cannot hold the character NUL")
        order = self._database.place(item.strip(), quantity, note)
        try:
            self._queue.push(order["id"])
        except redis.RedisError as problem:
            # The order stands in the table; the worker finds it there.
            log.warning("order %s: the worker was not told: %s", order["id"], problem)
        return order


def _only(environ, *methods):
    if environ["REQUEST_METHOD"] not in methods:
        raise Refusal("405 Method Not Allowed", f"{environ['PATH_INFO']} understands {', '.join(methods)}")


def _body(environ):
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MAX_BODY:
        raise Refusal("413 Content Too Large", f"a request has at most {MAX_BODY} bytes")
    try:
        wish = json.loads(environ["wsgi.input"].read(int(length)))
    except ValueError:
        raise Refusal("400 Bad Request", "the body is not JSON") from None
    if not isinstance(wish, dict):
        raise Refusal("400 Bad Request", "the body is not a JSON object")
    return wish


def _json(value):
    def other(item):
        if isinstance(item, datetime):
            return item.isoformat(timespec="milliseconds")
        raise TypeError(type(item).__name__)

    return json.dumps(value, default=other).encode() + b"\n"


logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
app = App(Config.from_environment())
