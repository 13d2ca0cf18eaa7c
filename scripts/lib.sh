# shellcheck shell=bash disable=SC2034
# Shared by the scripts here; sourced, not run.

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
  BOLD='' DIM='' GREEN='' RED='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }

# die WHAT [WHAT TO DO]: one message to stderr.
die() {
  printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
  if [[ $# -gt 1 ]]; then printf '       %s\n' "$2" >&2; fi
  exit 1
}

# Compiler processes at once: one a core, but no more than memory holds (a
# file that includes ATen takes about 1.5 GB).
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
  if ((memory < 1)); then memory=1; fi
  echo $((cores < memory ? cores : memory))
}

# bz COMMAND ...: Bazel in this repository.
bz() { (cd "$REPO" && "${BAZEL:-bazel}" "$@"); }
