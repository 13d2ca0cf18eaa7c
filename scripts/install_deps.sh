#!/bin/bash
# Installs what the build needs on Debian 12: packages, and LibTorch's CPU half
# out of its PyPI wheel. Run it again at any time: it does only what is missing.
#
# usage: scripts/install_deps.sh [--cuda] [--mpi]
#
#   --cuda         LibTorch's CUDA half too, for --device=cuda (500 MB more); the
#                  CUDA libraries that it links to are yours to install, and
#                  those missing are named
#   --mpi          Open MPI too, for --backend=mpi and its test; nothing else
#                  fails where it can't be installed
#
#   T2T_DEPS_DIR   where LibTorch goes (default: ~/.cache/t2t)
#   T2T_WHEEL_DIR  a folder that holds the wheels already: nothing is downloaded
#   T2T_CUDA_DIR   a folder with libcudart.so.13 and libcupti.so.13; "none":
#                  take them from their wheels, whatever is installed
#   T2T_SKIP_APT   set: leave the packages to you
set -euo pipefail
shopt -s inherit_errexit
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES=(
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto
  bazel-skylib ca-certificates curl g++ libabsl-dev libarchive-dev
  libbenchmark-dev libcurl4-openssl-dev libgmock-dev libgrpc++-dev libgtest-dev
  libhdf5-dev libicu-dev libjpeg62-turbo-dev libleveldb-dev liblmdb-dev
  libpng-dev libprotobuf-dev libsentencepiece-dev libssl-dev libwebp-dev
  libyaml-dev libzstd-dev protobuf-compiler protobuf-compiler-grpc python3
  python3-pip unzip zlib1g-dev
)

MPI_PACKAGES=(libopenmpi-dev openmpi-bin)

# name version sha256
TORCH=(torch 2.11.0
  7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a)
CUDART=(nvidia-cuda-runtime 13.0.96
  7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548)
CUPTI=(nvidia-cuda-cupti 13.0.85
  4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8)

LIBRARIES=(libtorch_cpu.so libc10.so libgomp.so.1 libcudart.so.13
  libcupti.so.13)

# ATen's headers, precompiled with the flags of .bazelrc and of Bazel's own
# toolchain (third_party/torch.bzl uses them): a file takes 2 s, not 10.
PRECOMPILED=t2t_aten_${TORCH[1]}.h
PRECOMPILE_FLAGS=(-U_FORTIFY_SOURCE -fstack-protector -fno-omit-frame-pointer
  -g0 -O2 -D_FORTIFY_SOURCE=1 -DNDEBUG -ffunction-sections -fdata-sections
  -fno-canonical-system-headers -std=c++20 -fPIC -Wno-builtin-macro-redefined
  '-D__DATE__="redacted"' '-D__TIMESTAMP__="redacted"'
  '-D__TIME__="redacted"')

CUDA_LIBRARIES=(libtorch_cuda.so libtorch_cuda_linalg.so libtorch_nvshmem.so
  libc10_cuda.so libcaffe2_nvrtc.so)

DEPS=${T2T_DEPS_DIR:-${HOME:-/root}/.cache/t2t}
TORCH_DIR=$DEPS/libtorch-${TORCH[1]}
LINK=$REPO/.deps/libtorch

want_cuda='' want_mpi=''
for argument in "$@"; do
  case $argument in
    --cuda) want_cuda=yes ;;
    --mpi) want_mpi=yes ;;
    *)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      [[ $argument == -h || $argument == --help ]] && exit 0
      exit 2
      ;;
  esac
done

missing_packages() {
  local have name
  have=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' \
    "$@" 2>/dev/null || true)"
  for name in "$@"; do
    if [[ $have != *" installed=$name "* ]]; then echo "$name"; fi
  done
}

install_packages() {
  local missing sudo=()
  if ! command -v dpkg-query >/dev/null; then
    die "this system has no Debian packages" \
      "install the counterparts of these yourself and set T2T_SKIP_APT=1: ${PACKAGES[*]}"
  fi
  mapfile -t missing < <(missing_packages "${PACKAGES[@]}")
  if [[ ${#missing[@]} -eq 0 ]]; then return; fi
  say "Installing Debian packages: ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    die "packages are missing and there is no apt-get: ${missing[*]}"
  fi
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      die "packages are missing and you are not root: ${missing[*]}" \
        "as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  # An index that cannot be refreshed may still do; the install tells.
  "${sudo[@]}" apt-get -q update ||
    say "apt-get update failed; trying with the lists that are there"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}" \
      "is the network up, and is this Debian 12? then run this again"
}

install_mpi() {
  local missing sudo=()
  if ! command -v apt-get >/dev/null; then return; fi
  mapfile -t missing < <(missing_packages "${MPI_PACKAGES[@]}")
  if [[ ${#missing[@]} -eq 0 ]]; then return; fi
  say "Installing Debian packages: ${missing[*]}"
  if [[ $(id -u) -ne 0 ]]; then sudo=(sudo); fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" ||
    say "Open MPI could not be installed; --backend=mpi is left out"
}

# What the stamp of a complete installation says.
stamp_text() {
  printf '%s==%s sha256:%s\n' "${TORCH[@]}" "${CUDART[@]}" "${CUPTI[@]}"
  (cd "$1/lib" && stat -L -c '%n %s' "${LIBRARIES[@]}")
}

torch_is_complete() {
  [[ -f $TORCH_DIR/stamp && -d $TORCH_DIR/include/ATen ]] &&
    [[ $(stamp_text "$TORCH_DIR" 2>/dev/null) == "$(<"$TORCH_DIR/stamp")" ]] &&
    [[ -z $want_cuda || -f $TORCH_DIR/lib/libtorch_cuda.so ]]
}

# Which libraries of CUDA's the loader does not find.
name_missing_cuda() {
  local missing
  missing=$(ldd "$TORCH_DIR/lib/libtorch_cuda.so" 2>/dev/null |
    awk '/not found/ { print $1 }' | sort -u | paste -s -d ' ')
  if [[ -n $missing ]]; then
    say "For --device=cuda these must still be where the loader finds them" \
      "(LD_LIBRARY_PATH): $missing"
  fi
}

# Prints the folder that has both CUDA runtime libraries, if one has.
find_cuda() {
  local folder
  if [[ ${T2T_CUDA_DIR:-} == none ]]; then return; fi
  if [[ -n ${T2T_CUDA_DIR:-} ]]; then
    has_cuda "$T2T_CUDA_DIR" ||
      die "T2T_CUDA_DIR=$T2T_CUDA_DIR has no libcudart.so.13 and libcupti.so.13" \
        "name the folder that has them, or set T2T_CUDA_DIR=none"
    echo "$T2T_CUDA_DIR"
    return
  fi
  for folder in /usr/local/cuda*/{lib64,lib,targets/x86_64-linux/lib} \
    /usr/lib/x86_64-linux-gnu; do
    if has_cuda "$folder"; then
      echo "$folder"
      return
    fi
  done
}

has_cuda() { [[ -e $1/libcudart.so.13 && -e $1/libcupti.so.13 ]]; }

find_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  die "there is no python3 with pip, which downloads the wheels" \
    "install python3-pip, or set T2T_WHEEL_DIR to a folder that has them"
}

# wheel FOLDER NAME VERSION SHA256: downloads it, checks it, prints its path.
wheel() {
  local folder=$1 name=$2 version=$3 sum=$4 file python
  if [[ -n ${T2T_WHEEL_DIR:-} ]]; then
    folder=$T2T_WHEEL_DIR
  else
    python=$(find_python)
    # Tags of the wheels themselves, so that any python3 may be the client;
    # pip's temporary files go where there is room.
    TMPDIR=$folder "$python" -m pip --disable-pip-version-check download \
      --quiet --no-cache-dir --no-deps --only-binary=:all: \
      --python-version 3.11 --implementation cp --abi cp311 --abi none \
      --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
      --platform manylinux2014_x86_64 --dest "$folder" "$name==$version" >&2 ||
      die "pip could not download $name==$version" \
        "is the network up? or set T2T_WHEEL_DIR to a folder that has the wheel"
  fi
  file=$(find "$folder" -maxdepth 1 -name "${name//-/_}-$version-*.whl" |
    head -n 1)
  [[ -n $file ]] || die "$folder has no wheel of $name $version"
  [[ $(sha256sum <"$file") == "$sum  -" ]] ||
    die "$file is damaged: its SHA-256 is not $sum" \
      "delete it and run this again"
  echo "$file"
}

# unpack WHEEL FOLDER PATTERN...
unpack() {
  local file=$1 folder=$2
  shift 2
  unzip -q -o "$file" "$@" -d "$folder" ||
    die "could not unpack $(basename "$file")" "is the disk full?"
}

install_torch() {
  local new file cuda free needed=2200 patterns=()
  if [[ -n $want_cuda ]]; then
    needed=3200
    patterns=("${CUDA_LIBRARIES[@]/#/torch/lib/}")
  fi
  [[ $(uname -sm) == "Linux x86_64" ]] ||
    die "this is $(uname -sm); LibTorch's wheel is for Linux x86_64"
  mkdir -p "$DEPS" || die "cannot make the folder $DEPS" "set T2T_DEPS_DIR"
  exec 9>"$DEPS/lock"
  flock 9
  if torch_is_complete; then return; fi

  free=$(df -Pm "$DEPS" | awk 'NR == 2 { print $4 }')
  ((free >= needed)) ||
    die "$DEPS has $free MB free; LibTorch needs $needed MB while it is unpacked (950 MB after, 1500 MB with --cuda)" \
      "make room, or set T2T_DEPS_DIR"
  # Left over where an earlier run was killed; the lock says nobody uses them.
  rm -rf "$DEPS"/unpack.*
  work=$(mktemp -d "$DEPS/unpack.XXXXXX")  # global: the trap reads it
  trap 'rm -rf "$work"' EXIT
  new=$work/new
  mkdir -p "$new/lib"

  say "Fetching LibTorch ${TORCH[1]} (a wheel of 530 MB)"
  file=$(wheel "$work" "${TORCH[@]}")
  unpack "$file" "$work" 'torch/include/*' torch/lib/libtorch_cpu.so \
    torch/lib/libc10.so torch/lib/libgomp.so.1 "${patterns[@]}"
  if [[ -z ${T2T_WHEEL_DIR:-} ]]; then rm -f "$file"; fi
  mv "$work/torch/include" "$new/include"
  mv "$work"/torch/lib/* "$new/lib/"

  cuda=$(find_cuda)
  if [[ -n $cuda ]]; then
    say "Taking the CUDA runtime libraries from $cuda"
    cp -L "$cuda/libcudart.so.13" "$cuda/libcupti.so.13" "$new/lib/" ||
      die "could not copy from $cuda"
  else
    say "Fetching the two CUDA runtime libraries that LibTorch links to (13 MB)"
    file=$(wheel "$work" "${CUDART[@]}")
    unpack "$file" "$work" nvidia/cu13/lib/libcudart.so.13
    file=$(wheel "$work" "${CUPTI[@]}")
    unpack "$file" "$work" nvidia/cu13/lib/libcupti.so.13
    mv "$work"/nvidia/cu13/lib/* "$new/lib/"
  fi

  stamp_text "$new" >"$work/stamp"
  mv "$work/stamp" "$new/stamp"
  rm -rf "$TORCH_DIR"
  mv "$new" "$TORCH_DIR"
}

# The compiler and the flags that a precompiled header is good for.
precompiled_text() {
  "${CC:-gcc}" -v 2>&1 | tail -n 1
  printf '%s ' "${PRECOMPILE_FLAGS[@]}"
}

precompiled_is_there() {
  local include=$TORCH_DIR/include
  [[ -f $include/$PRECOMPILED.gch && -f $include/$PRECOMPILED ]] &&
    [[ $(precompiled_text) == "$(cat "$TORCH_DIR/precompiled" 2>/dev/null)" ]]
}

precompile_aten() {
  local include=$TORCH_DIR/include new
  exec 9>"$DEPS/lock"
  flock 9
  if precompiled_is_there; then return; fi
  say "Precompiling ATen's headers (half a minute, 400 MB)"
  new=$(mktemp -d "$TORCH_DIR/precompile.XXXXXX")
  echo '#include <ATen/ATen.h>' >"$include/$PRECOMPILED"
  rm -f "$TORCH_DIR/precompiled"
  # Without it everything builds all the same, only slower.
  if "${CC:-gcc}" "${PRECOMPILE_FLAGS[@]}" -isystem "$include" \
    -isystem "$include/torch/csrc/api/include" -x c++-header \
    "$include/$PRECOMPILED" -o "$new/aten.gch"; then
    mv "$new/aten.gch" "$include/$PRECOMPILED.gch"
    precompiled_text >"$TORCH_DIR/precompiled"
  else
    rm -f "$include/$PRECOMPILED.gch"
    say "ATen's headers could not be precompiled: the build takes longer"
  fi
  rm -rf "$new"
}

main() {
  local done=yes
  if [[ -z ${T2T_SKIP_APT:-} ]]; then install_packages; fi
  if [[ -z ${T2T_SKIP_APT:-} && -n $want_mpi ]]; then install_mpi; fi
  if ! torch_is_complete; then
    done=no
    install_torch
  fi
  if ! precompiled_is_there; then
    done=no
    precompile_aten
  fi
  if [[ -n $want_cuda ]]; then name_missing_cuda; fi
  if [[ ! $LINK -ef $TORCH_DIR ]]; then
    done=no
    mkdir -p "$REPO/.deps"
    ln -sfn "$TORCH_DIR" "$LINK"
  fi
  if [[ $done == yes ]]; then
    say "Everything is installed (LibTorch ${TORCH[1]} in $TORCH_DIR)."
  else
    say "Installed: LibTorch ${TORCH[1]} in $TORCH_DIR"
  fi
}

main
