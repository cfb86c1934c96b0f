"""A small shop: orders come in over a page and a JSON API, a worker packs them.

`web` serves, `worker` works; both keep their state in PostgreSQL and talk through a Redis list.
"""
