#include "hearth/cli/own_server.h"

#include "hearth/cli/environment.h"

namespace hearth::cli {
namespace {

// 600 GB from a slow disk.
constexpr Duration load_time_max = std::chrono::hours(1);
constexpr std::string_view ready = "ready ";
constexpr std::size_t first_line_bytes_max = 4096;

}  // namespace

Result<std::unique_ptr<OwnServer>> OwnServer::start(const std::filesystem::path& model,
                                                    const std::vector<std::string>& flags,
                                                    const StopToken& stop) {
  std::vector<std::string> arguments = {"serve", "--model", model.string(), "--port", "0", "--log", "warning"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const auto executable = own_executable();
  ChildProcess process = TRY(ChildProcess::start(executable, std::move(arguments), {.defaults = {ends_with_input}}));
  std::string line;
  while (line.find('\n') == std::string::npos) {
    const ByteSpan bytes = TRY(process.read_output(Deadline::after(load_time_max), stop));
    line += as_text(bytes);
    if (!bytes.empty() && line.size() < first_line_bytes_max) continue;
    process.stop();
    return fail(Code::unavailable, "the server for " + model.string() + " did not start; what it said is above");
  }
  line.resize(line.find('\n'));
  if (!line.starts_with(ready)) return fail(Code::internal, "the server began with an unknown line");
  return std::unique_ptr<OwnServer>(new OwnServer(std::move(process), line.substr(ready.size())));
}

}  // namespace hearth::cli
