#pragma once
// A client with no way out but one port of its own loopback, which leads to the gateway.
//
// Linux: new user, network, mount and message namespaces, no capabilities. Outside, a server on a unix
// socket labels requests sealed and hands them to the gateway (sealing_relay.h); inside, `hearth seal
// inside` listens on the loopback and carries bytes to that socket. The client itself can open no unix
// socket, wherever it lies and whenever it was made: hearth egress, message buses, containers and agents
// answer on such, and have a network. /run is hidden. macOS: sandbox-exec with a profile.

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/net/address.h"

namespace hearth::cli {

struct SealedChild {
  net::Address gateway;
  std::uint16_t port = 8484;           // on the client's loopback
  std::string key;                     // for the gateway; may be empty
  std::vector<std::string> command;    // program and arguments
};
// Its exit code; 128 + signal when it was killed. unsupported or permission where the system lets
// nobody make namespaces: then nothing was started.
Result<int> run_sealed(const SealedChild& child, const StopToken& stop);

// The inner half: a relay from the loopback to the socket, and the command. Its exit code.
Result<int> run_inside(const std::string& socket, std::uint16_t port, const std::vector<std::string>& command);

}  // namespace hearth::cli
