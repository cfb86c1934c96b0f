#!/bin/sh
# Runs redis-server as user redis: `-flags` and `*.conf` alone mean redis-server with those. Protected mode is off unless
# arguments or file say otherwise, as in the official image: else no other container could reach this one.
set -eu

case ${1:-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ]; then
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid redis --regid redis --clear-groups "$0" "$@"
  fi
  case "${2:-}" in
    *.conf) settings=$2 ;;
    *) settings=/dev/null ;;
  esac
  case " $* " in
    *' --protected-mode '*) ;;
    *) grep -qs '^[[:space:]]*protected-mode' "$settings" || set -- "$@" --protected-mode no ;;
  esac
fi

# What Redis writes into /data is for its own user only, unless the user said otherwise.
[ "$(umask)" != 0022 ] || umask 0077
exec "$@"
