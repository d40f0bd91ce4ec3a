#include "hearth/node/pool/pool_api.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::node {
namespace {

constexpr std::size_t name_bytes_max = 128;

bool is_cpu(const WorkerDevice& device) { return device.kind == "cpu"; }
bool computes(const WorkerDevice& device) { return device.kind.starts_with("gpu"); }

Result<std::string> short_text(const Json& json, std::string_view member) {
  auto text = TRY(get<std::string>(json, member));
  if (text.size() > name_bytes_max) return fail(Code::invalid_argument, fmt::format("{}: too long", member));
  return text;
}

}  // namespace

bool PoolEngine::computes_on_cpu(std::string_view device) const {
  return device == "cpu" || std::ranges::none_of(devices, computes);
}

std::uint64_t PoolEngine::free_bytes(std::string_view device) const {
  std::uint64_t out = 0;
  for (const WorkerDevice& candidate : devices) {
    const bool wanted = computes_on_cpu(device) ? is_cpu(candidate)
                                                : computes(candidate) && (device == "auto" || device == candidate.name);
    if (wanted) out += candidate.free_bytes;
  }
  return out;
}

Json engine_json(const PoolEngine& engine) {
  return Json::object({{"engine_version", engine.version}, {"engine_build", engine.build},
                       {"rpc_protocol", engine.rpc_protocol}, {"devices", devices_json(engine.devices)}});
}

Result<PoolEngine> engine_from_json(const Json& json) {
  PoolEngine out;
  out.version = TRY(short_text(json, "engine_version"));
  out.build = TRY(short_text(json, "engine_build"));
  out.rpc_protocol = TRY(short_text(json, "rpc_protocol"));
  out.devices = TRY(devices_from_json(json));
  return out;
}

std::optional<std::string> pooling_refusal(const PoolEngine& ours, const PoolEngine& theirs) {
  if (ours.rpc_protocol.empty()) return "the engine here was built without RPC (GGML_RPC=ON)";
  if (theirs.rpc_protocol.empty()) return "the engine there was built without RPC (GGML_RPC=ON)";
  const auto differ = [](std::string_view what, const std::string& here, const std::string& there) {
    return fmt::format("{}: {} here against {} there; pooled machines need the same build", what, here, there);
  };
  if (ours.version != theirs.version) return differ("engine version", ours.version, theirs.version);
  if (ours.build != theirs.build) return differ("engine build", ours.build, theirs.build);
  if (ours.rpc_protocol != theirs.rpc_protocol) {
    return differ("RPC protocol", ours.rpc_protocol, theirs.rpc_protocol);
  }
  return std::nullopt;
}

Json lender_json(const LenderFacts& facts) {
  Json out = engine_json(facts.engine);
  out.set("tunnel_port", facts.tunnel_port);
  out.set("used_by", facts.used_by);
  return out;
}

Result<LenderFacts> lender_from_json(const Json& json) {
  LenderFacts out;
  out.engine = TRY(engine_from_json(json));
  const auto port = TRY(get<std::uint32_t>(json, "tunnel_port"));
  if (port == 0 || port > UINT16_MAX) return fail(Code::invalid_argument, "tunnel_port: not a port");
  out.tunnel_port = static_cast<std::uint16_t>(port);
  out.used_by = TRY(short_text(json, "used_by"));
  return out;
}

}  // namespace hearth::node
