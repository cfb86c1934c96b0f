#!/bin/sh
# Runs redis-server as user redis: `-flags` and `*.conf` alone mean redis-server with those.
set -eu

case ${1:-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis:redis {} +
  exec setpriv --reuid redis --regid redis --clear-groups "$0" "$@"
fi

# What Redis writes into /data is for its own user only, unless the user said otherwise.
[ "$(umask)" = 0022 ] && umask 0077
exec "$@"
