#pragma once
// What hearth up tells a machine to run, as the part of hearth.toml that it then reads, and what
// the file says of the links. Pure. Errors are invalid_argument: file:line, and what is right.
//
//   [models]
//   kimi = "/models/kimi-00001-of-00012.gguf"
//
//   [[machine]]
//   name = "spark-1"           # as in hearth cluster ls
//   model = "kimi"             # of [models], or a path there
//   prefills = 1               # also: threads, device, ubatch (default: as in [worker])
//
//   [[machine]]
//   name = "spark-2"
//   lend = true
//
//   [[link]]
//   ends = ["studio", "spark-1"]
//   mb_per_s = 900             # less than this is told
//
// All that pairs must share (context, chunk_tokens, kv_type, sequences) is that of [worker].

#include <string>
#include <string_view>
#include <vector>

#include "hearth/cli/serve_config.h"

namespace hearth::cli {

struct MachineAssignment {
  std::string name;
  bool has_model = false, lends = false;
  std::string toml;
};

struct LinkWish {
  std::string a, b;
  double mb_per_s = 0;
};

struct ClusterWish {
  std::vector<MachineAssignment> machines;  // in the file's order
  std::vector<LinkWish> links;
};

// `config` is what read_serve_config made of the same text.
Result<ClusterWish> read_cluster_wish(std::string_view toml, std::string_view name, const ServeConfig& config);

// On the machine that is told: the sections that may be assigned, over what it has of its own.
Result<> read_assignment(std::string_view toml, ServeConfig& config);

}  // namespace hearth::cli
