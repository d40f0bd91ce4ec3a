#!/usr/bin/env bash
# One-step set-up: the build tools and libraries, then the inference engine (libllama).
#
#   scripts/setup.sh            what `make build` needs
#   scripts/setup.sh --fuzz     clang-19 and its run-time libraries (make fuzz)
#   scripts/setup.sh --sdk      the client libraries of the gateway's tests (npm); skipped without Node
#   scripts/setup.sh --netns    what the tests in network namespaces need (make netns)
#   scripts/setup.sh --vulkan   also ggml's Vulkan backend and Mesa's software device (cross-backend test)
#
# Idempotent: what is already there is left alone, and a second run touches no network.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly deps_dir="$PWD/.deps"
readonly engine_dir="$deps_dir/engine"
readonly vulkan_stamp="$engine_dir/.vulkan"
readonly engine_stamp="$engine_dir/.complete"

# What the build uses from the distribution. Debian 12 has every one of these.
readonly debian_packages=(
  g++ cmake ninja-build ccache pkg-config patchelf python3
  libboost1.81-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev libsodium-dev libxxhash-dev
  nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
# The engine: Debian's own packages from its development suite, unpacked into a private prefix.
# Their C library comes along, because it is newer than Debian 12's.
readonly engine_packages=(
  libllama0 libllama-dev libggml0 libggml-dev libggml0-backend-rpc
  libc6 libstdc++6 libgcc-s1 libgomp1 libssl3t64
  llama.cpp-tools llama.cpp-tools-extra
)
readonly vulkan_packages=(libggml0-backend-vulkan)
readonly netns_packages=(iproute2 iperf3 libfaketime)
readonly fuzz_packages=(clang-19 libclang-rt-19-dev)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: cannot continue: %s\n' "$*" >&2; exit 3; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "installing packages needs root; run as root: $*"; fi
}

missing_debian_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
  done
}

install_debian_packages() {
  local missing
  missing=$(missing_debian_packages "$@")
  if [ -z "$missing" ]; then say "build tools and libraries: all present"; return; fi
  say "installing with apt: $(echo $missing)"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || fail "apt-get update failed (is the network up?)"
  # shellcheck disable=SC2086  # one word per package is meant
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    fail "apt could not install: $(echo $missing)"
}

# Does CMake find an engine of at least 0.7 without our help (Debian testing, Homebrew, a CUDA build)?
system_engine_version() {
  local probe
  probe=$(mktemp -d)
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(probe CXX)' \
    'find_package(llama REQUIRED)' 'if(NOT LLAMA_VERSION VERSION_LESS 0.7)' \
    'message(STATUS "ENGINE ${LLAMA_VERSION}")' 'endif()' >"$probe/CMakeLists.txt"
  cmake -S "$probe" -B "$probe/build" 2>/dev/null | sed -n "s/^-- ENGINE //p" || true  # not found is an answer
  rm -rf "$probe"
}

# apt with lists, cache and sources of its own: nothing of the system changes.
write_private_apt_config() {
  local apt_dir=$1 keyring mirror
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -f "$keyring" ] || fail "missing $keyring (package debian-archive-keyring)"
  mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 | tr -d ' ' || true)
  mirror=${HEARTH_DEBIAN_MIRROR:-$mirror}
  [ -n "$mirror" ] || fail "no Debian mirror found in /etc/apt; name one: HEARTH_DEBIAN_MIRROR=http://HOST/debian make setup"
  mkdir -p "$apt_dir"/lists/partial "$apt_dir"/cache/archives/partial "$apt_dir"/parts
  echo "deb [signed-by=$keyring] $mirror sid main" >"$apt_dir/sources.list"
  cat >"$apt_dir/apt.conf" <<CONF
Dir::Etc::SourceList "$apt_dir/sources.list";
Dir::Etc::SourceParts "$apt_dir/parts";
Dir::State::Lists "$apt_dir/lists";
Dir::Cache "$apt_dir/cache";
APT::Get::List-Cleanup "0";
APT::Sandbox::User "root";
CONF
}

unpack_debian_packages() {
  local apt_dir="$deps_dir/apt" package
  write_private_apt_config "$apt_dir"
  say "downloading from Debian's development suite: $*"
  APT_CONFIG="$apt_dir/apt.conf" apt-get update -qq || fail "apt-get update for the development suite failed (is the network up?)"
  mkdir -p "$deps_dir/packages"
  (cd "$deps_dir/packages" && APT_CONFIG="$apt_dir/apt.conf" apt-get download -qq "$@") ||
    fail "could not download one of: $*"
  for package in "$@"; do
    dpkg -x "$deps_dir/packages/${package}"_*.deb "$engine_dir" || fail "could not unpack $package"
  done
}

# Debian's libllama carries a RUNPATH into /usr/lib, which would pull in the host's libraries.
relocate_engine() {
  local library_dir file
  library_dir=$(dirname "$(find "$engine_dir/usr/lib" -name 'libllama.so.0' | head -1)")
  [ -d "$library_dir" ] || fail "libllama.so.0 is not in the unpacked packages"
  for file in "$library_dir"/libllama*.so* "$library_dir"/libggml*.so* "$library_dir"/libmtmd*.so*; do
    [ -f "$file" ] && [ ! -L "$file" ] && patchelf --set-rpath '$ORIGIN' "$file"
  done
  for file in "$library_dir"/ggml/backends0/*.so; do
    patchelf --set-rpath '$ORIGIN/../..' "$file"
  done
}

install_private_engine() {
  if [ -f "$engine_stamp" ]; then say "engine: $(cat "$engine_stamp") in .deps/engine"; return; fi
  rm -rf "$engine_dir" && mkdir -p "$engine_dir"
  unpack_debian_packages "${engine_packages[@]}"
  relocate_engine
  dpkg-deb -f "$deps_dir"/packages/libllama0_*.deb Version | sed 's/^/libllama /' >"$engine_stamp"
  rm -rf "$deps_dir/apt" "$deps_dir/packages"
  say "engine: $(cat "$engine_stamp") unpacked into .deps/engine"
}

install_vulkan() {
  install_debian_packages libvulkan1 mesa-vulkan-drivers
  if [ -f "$vulkan_stamp" ]; then say "engine: Vulkan backend present"; return; fi
  [ -f "$engine_stamp" ] || fail "the Vulkan backend is added to .deps/engine only; this machine uses its own engine"
  unpack_debian_packages "${vulkan_packages[@]}"
  relocate_engine
  rm -rf "$deps_dir/apt" "$deps_dir/packages"
  touch "$vulkan_stamp"
}

# Node is not a condition of building and testing: without it the tests of client libraries skip.
install_sdk_packages() {
  local sdk_dir="$deps_dir/sdk" lock=tests/e2e/sdk/package-lock.json
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "Node and npm are not installed: the tests with client libraries will be skipped"
    return
  fi
  if cmp -s "$lock" "$sdk_dir/installed-lock.json"; then say "client libraries: present"; return; fi
  say "downloading the client libraries of tests/e2e/sdk/package.json from npm"
  rm -rf "$sdk_dir" && mkdir -p "$sdk_dir"
  cp tests/e2e/sdk/package.json "$lock" "$sdk_dir/"
  (cd "$sdk_dir" && npm ci --ignore-scripts --no-audit --no-fund --silent) ||
    fail "npm could not install the client libraries of tests/e2e/sdk/package.json"
  cp "$lock" "$sdk_dir/installed-lock.json"
}

setup_macos() {
  local missing="" tool
  for tool in cmake ninja pkg-config; do command -v $tool >/dev/null || missing="$missing $tool"; done
  [ -z "$missing" ] || fail "missing:$missing; see docs/install.md, section macOS, for the one brew command"
  [ -n "$(system_engine_version)" ] || fail "no llama.cpp of at least 0.7 found by CMake; see docs/install.md, section macOS"
}

main() {
  if [ "${1:-}" = --sdk ]; then install_sdk_packages; return; fi
  if [ "$(uname -s)" = Darwin ]; then setup_macos; return; fi
  command -v dpkg-query >/dev/null || fail "this set-up knows Debian, Ubuntu and macOS; docs/install.md lists what to install by hand"
  if [ "${1:-}" = --fuzz ]; then install_debian_packages "${fuzz_packages[@]}"; return; fi
  if [ "${1:-}" = --netns ]; then install_debian_packages "${netns_packages[@]}"; return; fi
  install_debian_packages "${debian_packages[@]}"
  if [ ! -f "$engine_stamp" ]; then
    local version
    version=$(system_engine_version)
    if [ -n "$version" ]; then say "engine: libllama $version of this system"; return; fi
  fi
  install_private_engine
  if [ "${1:-}" = --vulkan ]; then install_vulkan; fi
}
main "$@"
