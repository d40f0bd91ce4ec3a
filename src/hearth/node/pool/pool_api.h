#pragma once
// What machines tell each other about pooled memory: values to and from JSON.
//
//   GET /v1/pool          LenderFacts, from a member that lends (unsupported from others)
//
// The tunnel itself is a port of its own (tunnel.h).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/node/worker/worker_info.h"

namespace hearth::node {

inline constexpr const char* pool_path = "/v1/pool";

// An engine and what it finds to compute with (hearth-worker devices).
struct PoolEngine {
  std::string version, build;
  std::string rpc_protocol;  // empty: built without RPC
  std::vector<WorkerDevice> devices;

  // What layers are put on. `device` is a worker's: "auto" means all but the CPU, and the CPU where
  // there is nothing else.
  bool computes_on_cpu(std::string_view device = "auto") const;
  std::uint64_t free_bytes(std::string_view device = "auto") const;
};
Json engine_json(const PoolEngine& engine);
Result<PoolEngine> engine_from_json(const Json& json);

// Why the layers of one context cannot lie on both: the first thing that differs.
std::optional<std::string> pooling_refusal(const PoolEngine& ours, const PoolEngine& theirs);

struct LenderFacts {
  PoolEngine engine;
  std::uint16_t tunnel_port = 0;
  std::string used_by;  // the machine whose worker has layers there now; empty: none
};
Json lender_json(const LenderFacts& facts);
Result<LenderFacts> lender_from_json(const Json& json);

}  // namespace hearth::node
