#!/bin/bash
# Two libraries of one process that export a variable of one name with two
# sizes share the memory of the smaller one: whoever writes the larger one
# overwrites what lies behind it. (Debian's libsentencepiece and LibTorch's
# libc10 both have a FLAGS_minloglevel, of 32 and 4 bytes.) Fails and lists
# such variables, for each program with the libraries that it loads; lists,
# too, flags (FLAGS_*) that a program or a plug-in of ours exports, and variables
# of libraries that a program has a copy of (R_*_COPY): what is behind a wall
# would see the original.
#
# usage: exported_symbols.sh ARGUMENT...
#   PROGRAM         with the libraries that it names, and those that they name
#   global:PLUGIN   joins what each program loads that follows
#   walled:PLUGIN   opened RTLD_LOCAL|RTLD_DEEPBIND: a set of its own, of which
#                   the others see only what is STB_GNU_UNIQUE
set -euo pipefail
shopt -s inherit_errexit

work=${TEST_TMPDIR:-$(mktemp -d)}/symbols
mkdir -p "$work"

# The object itself and all that the loader loads for it, one path a line.
closure() {
  realpath "$1"
  LC_ALL=C ldd "$1" | awk '
    /not found/ { print "exported_symbols: " $0 > "/dev/stderr"; exit 1 }
    $2 == "=>" && $3 ~ /^\// { print $3 }
    $1 ~ /^\// { print $1 }' | xargs -r realpath
}

# symbols FILE: the list of its variables, "name size binding"; made once. (A
# large size is hexadecimal, always.)
symbols() {
  local list=$work/${1//\//+}
  if [[ ! -e $list ]]; then
    # Of several versions of a name the one that new programs get (@@).
    LC_ALL=C readelf --dyn-syms -W "$1" | awk '
      ($4 == "OBJECT" || $4 == "TLS") && $7 != "UND" && $7 != "ABS" &&
          ($5 == "GLOBAL" || $5 == "WEAK" || $5 == "UNIQUE") {
        if ($8 ~ /[^@]@[^@]/) next
        sub(/@.*/, "", $8)
        print $8, $3, $5
      }' | sort -u >"$list.new"
    mv "$list.new" "$list"
  fi
  echo "$list"
}

# own_flags FILE
own_flags() {
  local list
  list=$(symbols "$(realpath "$1")")
  awk -v file="$(basename "$1")" '$1 ~ /^FLAGS_/ || $1 ~ /[0-9]FLAGS_/ {
    print file " exports the flag " $1; bad = 1 } END { exit bad }' \
    "$list"
}

# copies FILE
copies() {
  LC_ALL=C readelf -rW "$1" | awk -v file="$(basename "$1")" '
    $3 ~ /_COPY$/ { print file " has a copy of " $5; bad = 1 }
    END { exit bad }'
}

# clashes WHAT ONLY_UNIQUE LIST...: variables of several sizes.
clashes() {
  local what=$1 only_unique=$2
  shift 2
  awk -v what="$what" -v only_unique="$only_unique" '
    {
      library = FILENAME
      sub(/.*\+/, "", library)
      if ($1 in size && size[$1] != $2 && where[$1] != library &&
          (!only_unique || ($3 == "UNIQUE" && binding[$1] == "UNIQUE"))) {
        print what ": " $1 " has " size[$1] " bytes in " where[$1] " and " \
            $2 " in " library
        bad = 1
      }
      if (!($1 in size)) {
        size[$1] = $2; where[$1] = library; binding[$1] = $3
      }
    }
    END { exit bad }' "$@"
}

failed=0 programs=0 seen=0
global=() walled=()
for argument; do
  paths=() lists=()
  if ! own_flags "${argument#*:}"; then failed=1; fi
  if ! copies "${argument#*:}"; then failed=1; fi
  mapfile -t paths < <(closure "${argument#*:}")
  for path in "${paths[@]}"; do
    list=$(symbols "$path")
    lists+=("$list")
  done
  case $argument in
    global:*) global+=("${lists[@]}") && continue ;;
    walled:*) walled+=("${lists[@]}") ;;
    *) lists+=("${global[@]}") ;;
  esac
  mapfile -t lists < <(printf '%s\n' "${lists[@]}" | sort -u)
  name=$(basename "$argument")
  if ! clashes "$name" 0 "${lists[@]}"; then failed=1; fi
  if [[ $argument == walled:* ]]; then continue; fi
  mapfile -t lists < <(printf '%s\n' "${lists[@]}" "${walled[@]}" | sort -u)
  if ! clashes "$name, through the wall" 1 "${lists[@]}"; then failed=1; fi
  programs=$((programs + 1))
  seen=$((seen + ${#lists[@]}))
done
echo "$programs programs, $seen libraries were looked at"
((programs > 0 && seen > 3 * programs)) || failed=1
exit $failed
