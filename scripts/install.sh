#!/bin/bash
# Builds the programs and copies them, with what they load, to a folder from
# which every user of this machine can run them: Bazel's own outputs lie in the
# builder's home, which others may not enter (root's, above all).
#
# usage: scripts/install.sh [FOLDER, default /opt/t2t]
#
# FOLDER/bin gets the programs and their plug-ins, FOLDER/lib LibTorch (550 MB).
# The folder may be moved, or copied to another machine of the same Debian.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  -*)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    [[ $1 == -h || $1 == --help ]] && exit 0
    exit 2
    ;;
esac
TO=${1:-/opt/t2t}
umask 022
mkdir -p "$TO/bin" "$TO/lib" || die "could not make the folder $TO" \
  "name another, or run this as root"

"$REPO/scripts/install_deps.sh"
mapfile -t programs < <(sed -n 's/.*("[a-z_]*", "\(t2t-[a-z-]*\)").*/\1/p' \
  "$REPO/BUILD.bazel")
((${#programs[@]} > 0)) || die "$REPO/BUILD.bazel names no programs"
bz build --jobs="$(build_jobs)" "${programs[@]/#///:}"
built=$(bz info bazel-bin 2>/dev/null)

# copy FROM FOLDER: whole or not there, also where the old one is running.
copy() {
  local to
  to=$2/$(basename "$1")
  install -m 755 "$1" "$to.new"
  mv "$to.new" "$to"
}
for program in "${programs[@]}"; do
  copy "$(find -L "$built/t2t/bin" -maxdepth 2 -type f -name "$program")" \
    "$TO/bin"
done
for plugin in data/libt2t_sentencepiece cuda/libt2t_cuda mpi/libt2t_mpi; do
  file=$built/t2t/$plugin.so
  if [[ -f $file ]]; then copy "$file" "$TO/bin"; fi
done
for library in "$REPO"/.deps/libtorch/lib/*.so*; do copy "$library" "$TO/lib"; done
say "Installed in $TO; PATH=\$PATH:$TO/bin finds the programs."
