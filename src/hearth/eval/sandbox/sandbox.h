#pragma once
// Runs code that nobody trusts: no network, no files but its own and the system's programs (read-only),
// one process, limits on time, memory, output and disk; nothing of it is left when run() returns.
// docs/eval_suite.md says how, on each system, and what is not promised.
//
// What comes back are bytes from its standard output: they are the program's claim and no more.
// A Sandbox is immutable and may be used by several threads at once.

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"

namespace hearth::eval {

struct SandboxLimits {
  double wall_seconds = 10;
  std::uint32_t cpu_seconds = 10;
  std::uint64_t memory_bytes = 512u << 20;  // address space of the one process
  std::uint64_t disk_bytes = 16u << 20;     // all files together
  std::uint64_t output_bytes = 1u << 20;    // of standard output
  std::uint32_t threads = 16;
};

struct SandboxFile {
  std::string name;  // no folder
  std::string text;
};

struct SandboxRequest {
  std::vector<std::string> arguments;  // of Python, after its own isolating flags; files lie in the working folder
  std::vector<SandboxFile> files;      // read-only for the program
  std::string input;                   // its standard input
  SandboxLimits limits;
};

enum class SandboxEnd : std::uint8_t { exited, killed, timed_out, output_too_large };
std::string_view sandbox_end_name(SandboxEnd end);

struct SandboxOutcome {
  SandboxEnd end = SandboxEnd::exited;
  int exit_code = 0;
  int signal = 0;       // of `killed`
  std::string output;
  std::string errors;   // the end of its standard error
  double wall_seconds = 0;
  std::string text() const;  // "killed by signal 24 (CPU time limit exceeded)"
};

class Sandbox {
 public:
  // `launcher`: the executable hearth-sandbox. `python`: empty looks in the usual places. Tries it out
  // once: unavailable, with what this system lacks and how to mend it, where code would not be confined.
  static Result<Sandbox> open(std::filesystem::path launcher, std::filesystem::path python = {});

  // An error is ours or the system's, never the program's.
  Result<SandboxOutcome> run(const SandboxRequest& request, const StopToken& stop) const;

 private:
  Sandbox(std::filesystem::path launcher, std::filesystem::path python)
      : launcher_(std::move(launcher)), python_(std::move(python)) {}
  std::filesystem::path launcher_;
  std::filesystem::path python_;
};

}  // namespace hearth::eval
