#include "hearth/node/worker/worker_options.h"

#include <fmt/format.h>

#include <charconv>

namespace hearth::node {

std::string RemoteLayers::text() const { return fmt::format("{}={}", endpoint, layers); }

Result<RemoteLayers> RemoteLayers::parse(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  RemoteLayers out;
  if (equals != text.npos) {
    const std::string_view count = text.substr(equals + 1);
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), out.layers);
    if (error != std::errc() || end != count.data() + count.size()) out.layers = 0;
    out.endpoint = text.substr(0, equals);
  }
  if (out.layers == 0 || out.endpoint.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("'{}' is not HOST:PORT=LAYERS, for example 127.0.0.1:50052=12", text));
  }
  return out;
}

std::vector<std::string> WorkerOptions::arguments() const {
  std::vector<std::string> out = {"serve",      "--model",     model_path.string(),
                                  "--socket",   socket_path.string(),
                                  "--context",  std::to_string(context_tokens),
                                  "--sequences", std::to_string(sequences),
                                  "--chunk-tokens", std::to_string(chunk_tokens),
                                  "--ubatch",   std::to_string(ubatch_tokens),
                                  "--kv-type",  kv_type,
                                  "--threads",  std::to_string(threads),
                                  "--device",   device,
                                  "--name",     name};
  for (const RemoteLayers& layers : remote) {
    out.push_back("--remote");
    out.push_back(layers.text());
  }
  for (const model::AdapterSet& set : adapters) {
    out.push_back("--adapter");
    out.push_back(dump_json(model::adapter_set_json(set)));
  }
  if (scores) out.push_back("--scores");
  if (verbose) out.push_back("--verbose");
  return out;
}

}  // namespace hearth::node
