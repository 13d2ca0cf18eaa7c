#!/bin/bash
# Follows each guide literally: the files that it shows are written, its commands
# run, in their order, in an empty folder.
#
# usage: guides_test.sh GUIDE.md PROGRAM...
set -euo pipefail
guide=$PWD/$1
shift
if ! command -v "${CXX:-g++}" >/dev/null; then
  echo "no compiler here: nothing is checked"
  exit 0
fi
bin=$TEST_TMPDIR/bin
mkdir -p "$bin"
for program in "$@"; do
  # (A link would not be found beside its libraries.)
  printf '#!/bin/bash\nexec "%s" "$@"\n' "$PWD/$program" >"$bin/${program##*/}"
  chmod +x "$bin/${program##*/}"
done
export PATH=$bin:$PATH XDG_CACHE_HOME=$TEST_TMPDIR/cache
mkdir "$TEST_TMPDIR/empty"
cd "$TEST_TMPDIR/empty"

# "```c++ FILE" starts a file, "```sh" commands; both end at "```".
blocks=0 kind='' text=''
while IFS= read -r line || [[ -n $line ]]; do
  case $kind in
    '')
      [[ $line == '```sh' ]] && kind=sh text=''
      [[ $line == '```c++ '* ]] && kind=${line#'```c++ '} text=''
      ;;
    *)
      if [[ $line != '```' ]]; then
        text+=$line$'\n'
      elif [[ $kind == sh ]]; then
        printf '%s' "$text"
        bash -euo pipefail -c "$text"
        kind='' blocks=$((blocks + 1))
      else
        mkdir -p "$(dirname "$kind")"
        printf '%s' "$text" >"$kind"
        kind='' blocks=$((blocks + 1))
      fi
      ;;
  esac
done <"$guide"
[[ -z $kind ]] || { echo "FAILED: a block of $guide does not end"; exit 1; }
((blocks >= 2)) || { echo "FAILED: only $blocks blocks in $guide"; exit 1; }
echo "$blocks blocks followed"
