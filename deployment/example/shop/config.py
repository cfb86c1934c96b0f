"""What the shop is told by its environment. Read once, at start."""

import os
from dataclasses import dataclass


class ConfigError(Exception):
    """A setting is missing or wrong."""


@dataclass(frozen=True)
class Config:
    """Settings of web and worker."""

    database_url: str
    redis_url: str
    version: str

    @classmethod
    def from_environment(cls, environment=os.environ):
        """Reads the settings; a missing one is named."""
        missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not environment.get(name)]
        if missing:
            raise ConfigError(f"not set: {', '.join(missing)}")
        return cls(
            database_url=environment["DATABASE_URL"],
            redis_url=environment["REDIS_URL"],
            version=environment.get("SHOP_VERSION", "dev"),
        )
