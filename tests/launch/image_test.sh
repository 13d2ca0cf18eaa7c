#!/bin/bash
# What the image's Dockerfile says, without Docker: every program and library is
# among those that scripts/install.sh puts there, and every library that one of
# them links to is LibTorch's, one of these, of a package that is installed, or
# of Debian's own base. Arguments: Dockerfile, install.sh, BUILD.bazel of the
# root, LibTorch's folder, programs and libraries (*.so).
set -euo pipefail
dockerfile=$1 install=$2 root=$3 torch=$(dirname "$(realpath "$4")")
shift 4
if ! command -v dpkg-query >/dev/null || ! command -v readelf >/dev/null; then
  echo "no dpkg or no readelf here: nothing is checked"
  exit 0
fi
fail() { echo "$1"; exit 1; }

grep -q 'scripts/install.sh --prefix=/out$' "$dockerfile" ||
  fail "it does not install the programs"

runtime=$(sed -n '/^FROM debian:12-slim/,$p' "$dockerfile")
# The image's user and paths are those of the manifests.
grep -q '^USER 1000:1000$' <<<"$runtime" || fail "not of the user 1000"
words=" $(tr '\\\n' '  ' <<<"$runtime") "
libraries=$(/sbin/ldconfig -p)  # not in every PATH
checked=0
declare -A seen=()
for program; do
  name=$(basename "$program")
  case $name in
    *.so)
      grep -q "/${name%.so}\b" "$install" || fail "the image lacks $name"
      ;;
    *) grep -q "\"$name\"" "$root" || fail "the image lacks $name" ;;
  esac
  for library in $(readelf -d "$program" |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    checked=$((checked + 1))
    if [[ -n ${seen[$library]:-} ]]; then continue; fi
    seen[$library]=yes
    if [[ -e $torch/$library || $library == libt2t_* ]]; then continue; fi
    file=$(awk -v l="$library" '$1 == l && !n++ { print $NF }' <<<"$libraries")
    [[ -n $file ]] || fail "$name: $library is nowhere"
    # Merged /usr: dpkg knows a file by one of its two names.
    package=$(dpkg-query -S "$file" 2>/dev/null) ||
      package=$(dpkg-query -S "/usr$file" 2>/dev/null) ||
      package=$(dpkg-query -S "${file#/usr}" 2>/dev/null) ||
      fail "$name: $library ($file) is of no package"
    package=${package%%:*}
    case $package in libc6 | libgcc-s1 | libstdc++6) continue ;; esac
    [[ $words == *" $package "* ]] ||
      fail "$name: $library is of $package, which the image lacks"
  done
done
# These are opened when data is fetched, or made.
for package in libarchive13 libcurl4 libhdf5-103-1 liblmdb0 libwebp7; do
  [[ $words == *" $package "* ]] || fail "the image lacks $package"
done
((checked > 20)) || fail "only $checked libraries were seen"
echo "$checked libraries of $# programs and plug-ins are in the image"
