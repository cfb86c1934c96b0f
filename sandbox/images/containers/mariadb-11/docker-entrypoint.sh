#!/bin/sh
# Starts MariaDB; makes the data directory first where it is empty.
#
# MARIADB_ROOT_PASSWORD, MARIADB_DATABASE, MARIADB_USER, MARIADB_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD; each also with MYSQL_
# instead, and the first four also as NAME_FILE, a file with the value.
set -eu

die() {
  echo "docker-entrypoint: $*" >&2
  exit 1
}

# value NAME: sets NAME from MARIADB_NAME, MYSQL_NAME, or the file that either names with _FILE.
value() {
  given=
  for prefix in MARIADB MYSQL; do
    eval "given=\${given:-\${${prefix}_$1:-}} file=\${${prefix}_$1_FILE:-}"
    # file is set by eval.
    # shellcheck disable=SC2154
    [ -n "$given" ] || [ -z "$file" ] || given=$(cat "$file") || die "$file cannot be read"
  done
  eval "$1=\$given"
}

# A text as SQL writes it.
text() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }
# Backticks are SQL's here.
# shellcheck disable=SC2016
identifier() { printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"; }

make_data() {
  [ -n "$ROOT_PASSWORD" ] || [ -n "${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ] ||
    die "the data directory is empty and no password of root is given: set MARIADB_ROOT_PASSWORD"
  mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db \
    --skip-name-resolve --force >/dev/null || die "mariadb-install-db failed"
  {
    echo "FLUSH PRIVILEGES;"
    for host in localhost %; do
      echo "CREATE USER IF NOT EXISTS root@'$host';"
      echo "ALTER USER root@'$host' IDENTIFIED BY $(text "$ROOT_PASSWORD");"
      echo "GRANT ALL ON *.* TO root@'$host' WITH GRANT OPTION;"
    done
    [ -z "$DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS $(identifier "$DATABASE");"
    if [ -n "$USER_NAME" ]; then
      echo "CREATE USER $(text "$USER_NAME")@'%' IDENTIFIED BY $(text "$PASSWORD");"
      [ -z "$DATABASE" ] || echo "GRANT ALL ON $(identifier "$DATABASE").* TO $(text "$USER_NAME")@'%';"
    fi
  } | mariadbd --bootstrap --skip-networking || die "setting up the data directory failed"
  echo "docker-entrypoint: the data directory is made"
}

case ${1:-} in
  -*) set -- mariadbd "$@" ;;
  mysqld) shift && set -- mariadbd "$@" ;;
esac

if [ "$1" = mariadbd ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p /run/mysqld
    find /var/lib/mysql /run/mysqld \! -user mysql -exec chown mysql:mysql {} +
    exec setpriv --reuid mysql --regid mysql --clear-groups "$0" "$@"
  fi
  if [ ! -d /var/lib/mysql/mysql ]; then
    value ROOT_PASSWORD
    value DATABASE
    value USER
    USER_NAME=$USER
    value PASSWORD
    make_data
  fi
fi

exec "$@"
