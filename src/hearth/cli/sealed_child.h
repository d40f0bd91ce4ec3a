#pragma once
// A client with no way out but one port of its own loopback, which leads to the gateway.
//
// Linux: new user, network and mount namespaces. Outside, a relay takes connections on a unix socket
// and opens them to the gateway; inside, `hearth seal inside` listens on the loopback and opens them
// to that socket. Services that answer on sockets under /run (name service, message bus, containers)
// are hidden: they have a network of their own. macOS: sandbox-exec with a profile.

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
