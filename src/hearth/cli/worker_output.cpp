#include "hearth/cli/worker_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "hearth/base/log.h"
#include "hearth/cli/command_line.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::cli {
namespace {

// What the engine prints when it ends the process is no event either.
std::FILE* event_stream() {
  static std::FILE* const stream = [] {
    const int own = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    return ::fdopen(own, "w");
  }();
  return stream;
}

}  // namespace

void claim_output() { (void)event_stream(); }

void tell(const Json& event) {
  const std::string line = net::ndjson_line(event);
  std::fwrite(line.data(), 1, line.size(), event_stream());
  std::fflush(event_stream());
}

int fail_start(const Error& error) {
  Json event = node::error_json(error);
  event.set("event", "failed");
  tell(event);
  log_error(error.message);
  return exit_code_of(error);
}

}  // namespace hearth::cli
