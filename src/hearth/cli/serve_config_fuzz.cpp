// Any text as hearth.toml: settings, or a refusal with a reason; never half of both unnoticed. What it
// assigns to other machines, they can read.
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/cli/assignment_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cli::ServeConfig config;
  const auto read = cli::read_serve_config(text, "hearth.toml", config);
  if (!read) {
    CHECK(read.error().message.starts_with("hearth.toml"));
    return 0;
  }
  CHECK(config.port <= 65535 && config.sequences >= 1 && config.context_tokens >= 256);
  (void)cli::check_serve_config(config);
  if (const auto wish = cli::read_cluster_wish(text, "hearth.toml", config)) {
    for (const cli::MachineAssignment& machine : wish->machines) {
      cli::ServeConfig assigned;
      CHECK(cli::read_assignment(machine.toml, assigned));
      CHECK(assigned.lend == machine.lends && assigned.model.empty() != machine.has_model);
    }
  }
  return 0;
}
