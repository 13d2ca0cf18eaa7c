#!/bin/bash
# Builds the programs and puts them, what they load, and the headers for
# --t2t_usr_dir where they work without Bazel, for every user of this machine
# (Bazel's own outputs lie in the builder's home, which others may not enter).
#
# usage: scripts/install.sh [--prefix=FOLDER, default /opt/t2t]
#
# FOLDER/bin gets the programs, FOLDER/lib their libraries, plug-ins and LibTorch
# (550 MB), FOLDER/include/t2t the headers of both (60 MB). The folder may be
# moved, or copied to another machine of the same Debian. CUDA's and MPI's
# plug-ins come along where their toolkits are here.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TO=/opt/t2t
for argument in "$@"; do
  case $argument in
    --prefix=?*) TO=${argument#*=} ;;
    -*)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      [[ $argument == -h || $argument == --help ]] && exit 0
      exit 2
      ;;
    *) TO=$argument ;;
  esac
done
umask 022
mkdir -p "$TO/bin" "$TO/lib" "$TO/include" ||
  die "could not make the folder $TO" "name another, or run this as root"
TO=$(cd "$TO" && pwd)

"$REPO/scripts/install_deps.sh"
mapfile -t programs < <(sed -n 's/.*("[a-z_]*", "\(t2t-[a-z-]*\)").*/\1/p' \
  "$REPO/BUILD.bazel")
((${#programs[@]} > 0)) || die "$REPO/BUILD.bazel names no programs"
libraries=(bin/libt2t_base bin/libt2t_datagen bin/libt2t_torch
  text/libt2t_sentencepiece)
# These targets are there where the toolkit is.
for plugin in ops/cuda:libt2t_cuda distributed/mpi:libt2t_mpi; do
  if bz query --noshow_progress "//t2t/$plugin.so" >/dev/null 2>&1; then
    libraries+=("${plugin/:/\/}")
  fi
done
targets=("${programs[@]/#///:}")
for library in "${libraries[@]}"; do
  targets+=("//t2t/$(dirname "$library"):$(basename "$library").so")
done
bz build --jobs="$(build_jobs)" "${targets[@]}"
built=$(bz info bazel-bin 2>/dev/null)

# copy FROM FOLDER: whole or not there, also where the old one is running.
copy() {
  local to
  to=$2/$(basename "$1")
  install -m 755 "$1" "$to.new"
  mv "$to.new" "$to"
}
# The libraries first: a new program is never beside an old one for long.
for library in "${libraries[@]}"; do copy "$built/t2t/$library.so" "$TO/lib"; done
for library in "$REPO"/.deps/libtorch/lib/*.so*; do copy "$library" "$TO/lib"; done
for program in "${programs[@]}"; do
  copy "$(find -L "$built/t2t/bin" -maxdepth 2 -type f -name "$program")" \
    "$TO/bin"
done

new=$TO/include/t2t.new
rm -rf "$new"
mkdir -p "$new/libtorch/include"
(cd "$REPO" && find t2t hparams models problems -name '*.h' \
  -exec cp --parents {} "$new" \;)
for headers in ATen c10 caffe2 torch; do
  cp -rL "$REPO/.deps/libtorch/include/$headers" "$new/libtorch/include/"
done
rm -rf "$TO/include/t2t"
mv "$new" "$TO/include/t2t"
say "Installed in $TO; PATH=\$PATH:$TO/bin finds the programs."
