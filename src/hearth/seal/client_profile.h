#pragma once
// How clients are told to talk to Hearth and to nobody else. A namespace or a sandbox keeps them in
// whatever they do; these settings save them from waiting for what they cannot reach. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::seal {

struct ClientProfile {
  std::string name;  // "claude", "codex", "opencode"; empty: any other client
  std::vector<std::pair<std::string, std::string>> variables;
};

struct ProfileInputs {
  std::string_view program;  // as the user typed it: "claude", "/usr/bin/codex"
  std::uint16_t port = 0;    // of the gateway, on the client's loopback
  std::string_view key;      // of the gateway; empty: none is needed
};
ClientProfile client_profile(const ProfileInputs& inputs);

// What a client must not inherit: ways around, and keys of services outside.
const std::vector<std::string>& withheld_variables();
// Of "NAME=value" lines: those that a sealed client gets, its profile's included.
std::vector<std::string> sealed_environment(const std::vector<std::string>& inherited, const ClientProfile& profile);

// For sandbox-exec of macOS: no network but this port of loopback, no DNS, no unix sockets of services
// that would ask for it.
std::string sandbox_profile(std::uint16_t port);

}  // namespace hearth::seal
