#pragma once
// Verbs and their flags. CLI11 stays behind this header, in command_line.cpp.
//
// A verb declares its flags into fields it owns, then runs; what it returns is the exit code:
// 0 done, 1 the answer is no, 2 usage or configuration, 3 environment, 4 our bug.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::cli {

enum ExitCode : int { exit_done = 0, exit_no = 1, exit_usage = 2, exit_environment = 3, exit_bug = 4 };
inline constexpr int exit_interrupted = 130;  // Ctrl-C, as shells have it

int exit_code_of(const Error& error);
// "hearth: what went wrong", on standard error. Returns the exit code.
int report(const Error& error);

// Declares flags. Targets must outlive the parse; their values are the defaults shown in --help.
class Flags {
 public:
  virtual ~Flags() = default;
  virtual void text(const std::string& flag, std::string& target, const std::string& help) = 0;
  virtual void choice(const std::string& flag, std::string& target,
                      const std::vector<std::string>& allowed, const std::string& help) = 0;
  virtual void path(const std::string& flag, std::filesystem::path& target,
                    const std::string& help) = 0;
  virtual void count(const std::string& flag, std::uint32_t& target, const std::string& help) = 0;
  virtual void big_count(const std::string& flag, std::uint64_t& target, const std::string& help) = 0;
  virtual void number(const std::string& flag, double& target, const std::string& help) = 0;
  virtual void toggle(const std::string& flag, bool& target, const std::string& help) = 0;
  // A flag that may be given again, with one value each time; or the arguments that are left.
  virtual void list(const std::string& flag, std::vector<std::string>& target,
                    const std::string& help) = 0;
  // The flag declared last must be given.
  virtual void required() = 0;
};

struct Verb {
  std::string name;
  std::string summary;  // one line of the list of verbs
  std::string example;  // one line at the end of its --help; a verb with children may leave it to them
  std::function<void(Flags&)> declare;
  std::function<int()> run;         // absent for a verb that is nothing without a child
  std::vector<Verb> children;
};

// Parses and runs one verb. `description` is the first line of the program's --help.
int run_command_line(int argc, char** argv, const std::string& description,
                     const std::string& version, const std::vector<Verb>& verbs);

}  // namespace hearth::cli
