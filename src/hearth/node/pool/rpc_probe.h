#pragma once
// Whether one of ggml's RPC servers answers at an address, and speaks our protocol: asked before
// libllama is, which ends the process where it does not.
//
// The greeting is ggml-rpc's HELLO: command 14, a size of 8 bytes, 24 zero bytes of capabilities;
// the answer is a size and at least major, minor, patch (one byte each). Little endian.

#include <string>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/net/address.h"

namespace hearth::node {

// A server that computes for somebody else answers nobody: it has this long.
inline constexpr Duration rpc_answer_time_max = std::chrono::seconds(5);

// unavailable: nobody listens, or answers in time. unsupported: another protocol, by number.
Result<> probe_rpc(const net::Address& address, std::string_view protocol, const StopToken& stop,
                   Duration time_max = rpc_answer_time_max);

}  // namespace hearth::node
