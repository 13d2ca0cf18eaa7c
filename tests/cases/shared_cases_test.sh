#!/bin/bash
# Runs the small inputs from real use in ../shared/cases (a folder beside the
# checkout), where there is one; own tests of the same kinds stand beside the
# code. Each script there ends with 0 where the programs behave right, with 77
# where it could not be tried.
set -u
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
cases=$here/../../../shared/cases
if ! [[ -d $cases ]]; then
  echo "skipped: there is no $cases"
  exit 0
fi
cases=$(cd "$cases" && pwd)
export T2T_BIN=$PWD/t2t/bin

wrong=0
for script in "$cases"/[0-9]*.sh; do
  output=$(bash "$script" 2>&1)
  code=$?
  case $code in
    0) verdict=right ;;
    77) verdict="not tried" ;;
    *) verdict=WRONG wrong=1 ;;
  esac
  printf '%-9s %s\n' "$verdict" "$(basename "$script")"
  if [[ $code -ne 0 ]]; then printf '%s\n' "$output" | sed 's/^/  /'; fi
done
exit "$wrong"
