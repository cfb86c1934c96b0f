#!/bin/sh
# Runs valkey-server as user valkey: `-flags` and `*.conf` alone mean valkey-server with those. Protected mode is off unless
# arguments or file say otherwise, as in the official image: else no other container could reach this one.
set -eu

case ${1:-} in
  -* | *.conf) set -- valkey-server "$@" ;;
esac

if [ "$1" = valkey-server ]; then
  if [ "$(id -u)" = 0 ]; then
    find . \! -user valkey -exec chown valkey:valkey {} +
    exec setpriv --reuid valkey --regid valkey --clear-groups "$0" "$@"
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

# What Valkey writes into /data is for its own user only, unless the user said otherwise.
[ "$(umask)" != 0022 ] || umask 0077
exec "$@"
