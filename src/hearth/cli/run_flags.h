#pragma once
// The flags that `run` and `demo` share: the worker, the store, the sampling.

#include <string>
#include <vector>

#include "hearth/cli/command_line.h"
#include "hearth/node/local_run.h"

namespace hearth::cli {

struct RunFlags {
  node::LocalRunOptions local;
  bool no_store = false;
  std::uint64_t store_disk_gb = 20;
  std::vector<std::string> remote;

  void declare(Flags& flags);
  // Finds the worker executable and the store's directory.
  Result<node::LocalRunOptions> resolve() const;
};

Json answer_json(const node::Answer& answer);
// The measurements of one answer as lines for people.
std::string answer_text(const node::Answer& answer);

}  // namespace hearth::cli
