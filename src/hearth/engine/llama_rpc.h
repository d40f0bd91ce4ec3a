#pragma once
// ggml's own RPC: computing for another machine, and having layers computed there. It knows no
// authentication and no encryption; what listens here is on loopback (docs/pool.md).

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/result.h"

struct ggml_backend_device;

namespace hearth::engine {

// "8.0.0"; both ends must have the same. Empty: this engine was built without RPC.
std::string rpc_protocol();

// The devices of a server that was proved to answer: a dead endpoint ends the process.
Result<std::vector<ggml_backend_device*>> connect_rpc(const std::string& endpoint);

// Serves one client after another on 127.0.0.1:port, with what `device` names (choose_devices; the
// CPU if that is nothing else). Does not return; failure to listen is a line in the log and an error.
Result<> serve_rpc(std::uint16_t port, const std::string& device, std::uint32_t threads);

}  // namespace hearth::engine
