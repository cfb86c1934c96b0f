#!/bin/sh
# Starts PostgreSQL; makes the cluster first where PGDATA is empty.
#
# POSTGRES_USER (postgres), POSTGRES_PASSWORD, POSTGRES_DB (the user's name), POSTGRES_INITDB_ARGS, POSTGRES_INITDB_WALDIR,
# POSTGRES_HOST_AUTH_METHOD; the first five also as NAME_FILE, a file with the value. *.sh, *.sql and *.sql.gz in
# /docker-entrypoint-initdb.d run once, in the order of their names, against a server that no one else can reach.
set -eu

die() {
  echo "docker-entrypoint: $*" >&2
  exit 1
}

# value NAME DEFAULT: sets NAME from NAME, from the file NAME_FILE, or to DEFAULT.
value() {
  eval "given=\${$1:-} file=\${$1_FILE:-}"
  # given and file are set by eval.
  # shellcheck disable=SC2154
  if [ -n "$given" ] && [ -n "$file" ]; then
    die "both $1 and $1_FILE are set; set one"
  fi
  if [ -n "$file" ]; then
    given=$(cat "$file") || die "$1_FILE names $file, which cannot be read"
  fi
  [ -n "$given" ] || given=$2
  eval "$1=\$given"
  unset "$1_FILE"
}

# A name as SQL writes it.
identifier() { printf '"%s"' "$(printf %s "$1" | sed 's/"/""/g')"; }

make_cluster() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
    die "the database is empty and no superuser password is given: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
  fi
  case $POSTGRES_INITDB_ARGS in
    *--locale* | *--no-locale*) locale= ;;
    *) locale='--locale=C.UTF-8 --encoding=UTF8' ;;
  esac
  # Its own rules for letters, which no library's update changes, came with 17.
  if [ -n "$locale" ] && [ "$PG_MAJOR" -ge 17 ]; then
    locale="--locale-provider=builtin $locale"
  fi
  passwords=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$passwords"
  waldir=
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || waldir="--waldir=$POSTGRES_INITDB_WALDIR"
  # Several words each, on purpose.
  # shellcheck disable=SC2086
  initdb --username="$POSTGRES_USER" --pwfile="$passwords" $locale $waldir $POSTGRES_INITDB_ARGS || made=no
  rm -f "$passwords"
  [ "${made:-yes}" = yes ] || die "initdb failed"
  echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    # One statement needs no server that is started and stopped again.
    echo "CREATE DATABASE $(identifier "$POSTGRES_DB") OWNER $(identifier "$POSTGRES_USER")" |
      postgres --single -j -D "$PGDATA" postgres >/dev/null || die "creating the database $POSTGRES_DB failed"
  fi
}

run_init_scripts() {
  set -- /docker-entrypoint-initdb.d/*
  [ -e "$1" ] || return 0
  pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses='' -p ${PGPORT:-5432}" >/dev/null
  for script in "$@"; do
    echo "docker-entrypoint: running $script"
    case $script in
      *.sh)
        if [ -x "$script" ]; then
          "$script"
        else
          # What a user's script is cannot be known here.
          # shellcheck disable=SC1090
          . "$script"
        fi
        ;;
      *.sql) init_psql -f "$script" ;;
      *.sql.gz) gunzip -c "$script" | init_psql ;;
      *) echo "docker-entrypoint: ignoring $script" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
}

init_psql() {
  PGHOST='' PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-psqlrc \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

case ${1:-} in
  -*) set -- postgres "$@" ;;
esac

if [ "$1" = postgres ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    find "$PGDATA" /run/postgresql \! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
  fi
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA" 2>/dev/null || true
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    value POSTGRES_USER postgres
    value POSTGRES_PASSWORD ''
    value POSTGRES_DB "$POSTGRES_USER"
    value POSTGRES_INITDB_ARGS ''
    make_cluster
    run_init_scripts
    echo "docker-entrypoint: the cluster is made"
  fi
  # The server does not need them, and what it starts shall not inherit them.
  unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE
fi

exec "$@"
