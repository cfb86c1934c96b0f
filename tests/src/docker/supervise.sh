#!/usr/bin/env bash
# supervise NAME RUN_DIR DATA_DIR [DOCKERD_FLAG...]: owns one test daemon in the network namespace NAME.
#
# Reads orders from standard input, one a line (start, stop, kill), and answers each with one line. At the end of input,
# which also comes when the owner dies, it removes every container, stops the daemon and removes the namespace. A daemon
# that an earlier supervisor could not end is ended first. The lock on RUN_DIR/lock is held all that time.
# With SMALL_DISK=BYTES in the environment DATA_DIR is a tmpfs of that size, which begins empty and goes at the end.
set -u
trap '' INT TERM HUP

name=$1 run=$2 data=$3
shift 3
flags=("$@")
socket=$run/docker.sock
daemon=

say() { printf '%s\n' "$*"; }
fail() {
  say "failed: $*"
  exit 1
}
client() { DOCKER_HOST=unix://$socket timeout 60 docker "$@" 9>&-; }

# Ends process $1 by TERM, after 20 s by KILL, and waits until it is gone.
end() {
  kill -TERM "$1" 2>/dev/null || return 0
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null
  sleep 0.5
}

# A new dockerd takes the containerd of a killed one for alive while that is still dying, and then waits for it in vain.
await_containerd_end() {
  local pid tries
  pid=$(cat "$run/exec/containerd/containerd.pid" 2>/dev/null) || return 0
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.05
  done
}

# What a daemon that could not be ended in order left behind: shims, whose arguments name this run directory.
kill_shims() {
  local cmdline process words
  # Without programs of its own: there are hundreds of processes, and this runs at the end of each test.
  for cmdline in /proc/[0-9]*/cmdline; do
    process=${cmdline#/proc/}
    mapfile -d '' -t words 2>/dev/null <"$cmdline" || continue
    if [[ "${words[*]} " == *"-address $run/exec/"* ]]; then
      kill -KILL "${process%/cmdline}" 2>/dev/null
    fi
  done
}

start() {
  nsenter --net="/run/netns/$name" dockerd --host "unix://$socket" --data-root "$data" \
    --exec-root "$run/exec" --pidfile "$run/docker.pid" "${flags[@]}" \
    >>"$run/dockerd.log" 2>&1 </dev/null 9>&- &
  daemon=$!
}

await_answer() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    client version >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  return 1
}

unmount_below() {
  local point
  awk -v below="$1/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r point; do
    umount -l "$point" 2>/dev/null
  done
}

release_disk() {
  [[ -n ${SMALL_DISK:-} ]] && mountpoint --quiet "$data" && umount -l "$data"
}

finish() {
  # Containers that a stopped daemon left running (live-restore) are removed by a running one.
  if [[ -z $daemon ]]; then
    start
    await_answer
  fi
  client ps --all --quiet | xargs --no-run-if-empty -- \
    env DOCKER_HOST="unix://$socket" timeout 60 docker rm --force --volumes >/dev/null 2>&1
  end "$daemon"
  wait "$daemon" 2>/dev/null
  await_containerd_end
  kill_shims
  unmount_below "$run"
  unmount_below "$data"
  release_disk
  ip netns del "$name" 2>/dev/null
  rm -rf "$run/exec" "$socket" "$run/docker.pid"
}

mkdir -p "$run" "$data" || fail "cannot make $run and $data; the Docker tests need root"
exec 9>"$run/lock" || fail "cannot write $run/lock; the Docker tests need root"
if ! flock --nonblock 9; then
  say busy
  exit 0
fi
for program in dockerd docker ip nsenter; do
  command -v "$program" >/dev/null || fail "$program is not installed; script/setup installs it"
done

orphan=$(cat "$run/docker.pid" 2>/dev/null)
if [[ -n $orphan ]] && tr '\0' ' ' <"/proc/$orphan/cmdline" 2>/dev/null | grep -qF -- "--data-root $data "; then
  end "$orphan"
fi
rm -f "$run/docker.pid"
if [[ -n ${SMALL_DISK:-} ]]; then
  unmount_below "$data"
  release_disk
  mount -t tmpfs -o "size=$SMALL_DISK" tidegate-test "$data" || fail "mount a tmpfs at $data: the Docker tests need root"
fi
: >"$run/dockerd.log"
if [[ ! -e /run/netns/$name ]]; then
  ip netns add "$name" || fail "ip netns add $name: the Docker tests need root and network namespaces"
fi
ip netns exec "$name" ip link set lo up || fail "ip link set lo up"
say ready

while read -r order; do
  case $order in
    start)
      start
      say started
      ;;
    stop)
      end "$daemon"
      wait "$daemon" 2>/dev/null
      daemon=
      say stopped
      ;;
    kill)
      kill -KILL "$daemon" 2>/dev/null
      wait "$daemon" 2>/dev/null
      await_containerd_end
      daemon=
      say killed
      ;;
    *) say "failed: unknown order $order" ;;
  esac
done
finish
