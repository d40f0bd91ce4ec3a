#include "hearth/eval/sandbox/sandbox.h"

#include <fmt/format.h>
#include <unistd.h>

#include "hearth/base/child_process.h"
#include "hearth/base/file.h"
#include "hearth/eval/sandbox/protocol.h"

namespace hearth::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* python_places[] = {"/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3",
                                         "/Library/Developer/CommandLineTools/usr/bin/python3"};
constexpr double launch_spare_seconds = 20;  // on a machine that is busy with other things

// What must not work, tried from inside. Prints what did.
constexpr std::string_view trial = R"(
import os, socket
leaks = []
def attempt(name, action):
    try:
        action()
        leaks.append(name)
    except OSError:
        pass
attempt("a socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
attempt("a new process", lambda: os.fork() or os._exit(0))
attempt("writing beside itself", lambda: open("leak", "w"))
attempt("writing to the system", lambda: open("/usr/leak", "w"))
attempt("the password file", lambda: open("/etc/shadow").read(1))
print("confined" if not leaks else "not confined: " + ", ".join(leaks))
)";

Result<fs::path> find_python(const fs::path& chosen) {
  std::string looked;
  const auto usable = [&](const fs::path& path) -> fs::path {
    looked += (looked.empty() ? "" : ", ") + path.string();
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (error || ::access(real.c_str(), X_OK) != 0) return {};
    char start[2] = {};
    const auto file = ReadableFile::open(real);  // a script that finds an interpreter is not one
    if (!file || !file->read_at(0, std::as_writable_bytes(std::span(start))) || (start[0] == '#' && start[1] == '!')) return {};
    return real;
  };
  if (!chosen.empty()) {
    if (const fs::path real = usable(chosen); !real.empty()) return real;
  } else {
    for (const char* place : python_places) {
      if (const fs::path real = usable(place); !real.empty()) return real;
    }
  }
  return fail(Code::unavailable, fmt::format("no Python 3 to run the code of answers with (looked for {}): install it, or name the program itself with --python", looked));
}

Result<std::string> read_all(ChildProcess& child, Deadline deadline, const StopToken& stop) {
  std::string out;
  while (true) {
    const ByteSpan bytes = TRY(child.read_output(deadline, stop));
    if (bytes.empty()) return out;
    out += as_text(bytes);
  }
}

}  // namespace

Result<Sandbox> Sandbox::open(fs::path launcher, fs::path python) {
  python = TRY(find_python(python));
  Sandbox out(std::move(launcher), std::move(python));
  const SandboxRequest request{.arguments = {"trial.py"}, .files = {{"trial.py", std::string(trial)}}};
  const SandboxOutcome found = TRY(out.run(request, {}));
  if (found.output == "confined\n") return out;
  return fail(Code::unavailable, fmt::format("the sandbox does not hold here, so no answer's code is run: {} {}{}", found.text(), found.output, found.errors));
}

Result<SandboxOutcome> Sandbox::run(const SandboxRequest& request, const StopToken& stop) const {
  // Without the site module; no files of compiled code.
  SandboxJob job{request, python_};
  job.request.arguments.insert(job.request.arguments.begin(), {"-S", "-s", "-B"});
  ChildProcess child = TRY(ChildProcess::start(launcher_, {}));
  TRY(child.write_input(as_byte_span(sandbox_job_line(job))));
  const Deadline deadline = Deadline::after(std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(request.limits.wall_seconds + launch_spare_seconds)));
  const std::string line = TRY(read_all(child, deadline, stop));
  child.wait();
  if (line.empty()) return fail(Code::internal, fmt::format("{} {} without a word", launcher_.string(), child.how_it_ended()));
  return parse_sandbox_outcome(line);
}

}  // namespace hearth::eval
