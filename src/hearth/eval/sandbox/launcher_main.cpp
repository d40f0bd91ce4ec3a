// hearth-sandbox: reads one job from its standard input, runs it confined, writes how it ended. A process
// of its own because what it gives up (namespaces, identity, rights) is given up for ever, and because
// only a process with one thread can do so.

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "hearth/base/process_memory.h"
#include "hearth/eval/sandbox/confinement.h"

namespace hearth::eval {
namespace {

Result<std::string> read_line() {
  std::string line;
  char buffer[65536];
  while (line.empty() || line.back() != '\n') {
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(Code::invalid_argument, "hearth-sandbox runs code that hearth hands to it; see hearth eval --help");
    line.append(buffer, static_cast<std::size_t>(count));
    if (line.size() > sandbox_request_bytes_max) return fail(Code::resource_exhausted, "a job for the sandbox is too large");
  }
  return line;
}

Result<SandboxOutcome> run_job() {
  const std::string line = TRY(read_line());
  const SandboxJob job = TRY(parse_sandbox_job(line));
  ConfinedProcess process = TRY(start_confined(job));
  return supervise(std::move(process), job.request);
}

}  // namespace
}  // namespace hearth::eval

int main() {
  ::signal(SIGPIPE, SIG_IGN);
  const auto outcome = hearth::eval::run_job();
  const std::string line = hearth::eval::sandbox_outcome_line(outcome);
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t count = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return 3;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return outcome ? 0 : 3;
}
