# shellcheck shell=bash
# Sourced by recipes: an image holds the files that are named, the libraries they ask for, a busybox, and nothing else.
# Small matters here: every droplet of a test pulls the images under emulation.
#
#   begin PACKAGE...   unpacks the packages of Debian's release $suite (trixie, unless it is set) and what they depend on into
#                      $source, and starts an image in $root
#   copy PATH...       copies files or directories of $source
#   program PATH...    copies programs or libraries of $source together with the shared libraries they ask for
#   user NAME ID HOME  adds a user with a group of the same name and id
#   finish OUT         writes OUT/rootfs.tar

set -euo pipefail

common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

begin() {
  if ((EUID != 0)); then
    echo "recipes keep the owners of files: run them as root" >&2
    exit 1
  fi
  local packages mirror directory
  mirror=$("$common/../../debian-mirror")
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  source=$work/source
  root=$work/root
  packages=$(IFS=,; echo "$*")
  mmdebstrap --mode=root --variant=extract --include="base-files,libc-bin,busybox,$packages" \
    "${suite:=trixie}" "$source" "deb $mirror $suite main"
  mkdir -p "$root"/{dev,etc,proc,root,run,sys,tmp,usr/bin,usr/lib,usr/sbin,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  ln -s ../run "$root/var/run"
  for directory in bin lib lib64 sbin; do
    # Packages before Debian 13 have some of their files still there.
    if [[ -d $source/$directory && ! -L $source/$directory ]]; then
      mkdir -p "$source/usr/$directory"
      cp -a "$source/$directory/." "$source/usr/$directory/"
      rm -rf "${source:?}/$directory"
    fi
    [[ -e $source/$directory ]] || ln -s "usr/$directory" "$source/$directory"
  done
  for directory in bin lib sbin; do
    ln -s "usr/$directory" "$root/$directory"
  done
  if [[ -d $source/usr/lib64 ]]; then
    mkdir -p "$root/usr/lib64"
    ln -s usr/lib64 "$root/lib64"
  fi
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
  copy /etc/debian_version /usr/lib/os-release /usr/lib/locale/C.utf8
  ln -s ../usr/lib/os-release "$root/etc/os-release"
  program /usr/bin/busybox
  chroot "$source" /usr/bin/busybox --list | while read -r applet; do
    ln -s busybox "$root/usr/bin/$applet" 2>/dev/null || true
  done
}

copy() {
  local path
  for path in "$@"; do
    mkdir -p "$root$(dirname "$path")"
    cp -a "$source$path" "$root$path"
  done
}

program() {
  local path library target
  for path in "$@"; do
    [[ -e $root$path || -L $root$path ]] || copy "$path"
    target=$(chroot "$source" busybox readlink -f "$path")
    [[ -e $root$target ]] || copy "$target"
    libraries_of "$target" | while read -r library; do
      target=$(chroot "$source" busybox readlink -f "$library")
      [[ -e $root$target ]] || copy "$target"
      # The name that programs ask for is a link beside the library, found through the merged /usr.
      library=${library/#\/lib/\/usr\/lib}
      [[ -e $root$library || -L $root$library ]] || copy "$library"
    done
  done
}

libraries_of() {
  local loader
  loader=$(cd "$source" && echo usr/lib*/ld-linux-*.so.* | cut -d' ' -f1)
  # A program linked statically has none, of which the loader complains.
  chroot "$source" "/$loader" --list "$1" 2>/dev/null |
    awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' || true
}

user() {
  echo "$1:x:$2:$2::$3:/bin/sh" >>"$root/etc/passwd"
  echo "$1:x:$2:" >>"$root/etc/group"
}

finish() {
  local missing
  missing=$(find "$root/usr" -xtype l -printf '%P -> %l\n')
  if [[ -n $missing ]]; then
    printf 'links to nothing:\n%s\n' "$missing" >&2
  fi
  tar --create --file "$1/rootfs.tar" --directory "$root" --sort=name --mtime=@0 --numeric-owner .
}
