#include "hearth/experiment/step_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/child_process.h"

namespace hearth::experiment {
namespace {

constexpr Duration look_interval = std::chrono::milliseconds(20);
constexpr Duration leave_time_max = std::chrono::seconds(20);  // to keep what it measured

struct CommandLine {
  std::filesystem::path program;
  std::vector<std::string> arguments;
};

CommandLine command_line(const Step& step, const std::filesystem::path& hearth) {
  if (step.verb.empty()) return {step.command.front(), {step.command.begin() + 1, step.command.end()}};
  CommandLine out{hearth, step.verb};
  out.arguments.insert(out.arguments.end(), step.arguments.begin(), step.arguments.end());
  out.arguments.emplace_back("--json");
  return out;
}

Result<> append(const FileDescriptor& file, ByteSpan bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Result<StepOutcome> run_step_process(const Step& step, const std::filesystem::path& hearth,
                                     const std::filesystem::path& working_directory,
                                     const std::filesystem::path& output, const std::filesystem::path& errors,
                                     const StopToken& stop) {
  const FileDescriptor file(::open(output.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("open", output, errno);
  CommandLine line = command_line(step, hearth);
  const Instant began = std::chrono::steady_clock::now();
  const Deadline deadline = Deadline::after(std::chrono::seconds(step.time_max_s));
  // A command's own children may read what it pipes to them.
  std::vector<std::string> defaults;
  if (!step.verb.empty()) defaults.emplace_back(ends_with_input);
  ChildProcess child = TRY(ChildProcess::start(line.program, std::move(line.arguments),
                                                {.defaults = defaults, .error_log = errors, .working_directory = working_directory,
                                                 .stop_signal = SIGTERM, .stop_time_max = leave_time_max}));
  StepOutcome out;
  std::uint64_t bytes = 0;
  for (;;) {
    const auto piece = child.read_output(deadline, stop);
    if (!piece && piece.error().code == Code::timed_out) {
      out.trouble = fmt::format("it ran longer than {} s (time_max_s)", step.time_max_s);
      break;
    }
    if (!piece) return std::unexpected(piece.error());
    if (piece->empty()) break;
    bytes += piece->size();
    if (bytes > step_output_bytes_max) {
      out.trouble = fmt::format("it wrote more than {} bytes", step_output_bytes_max);
      break;
    }
    TRY(append(file, *piece, output));
  }
  // It may have closed its output and gone on.
  while (out.trouble.empty() && child.is_running()) {
    if (deadline.passed()) out.trouble = fmt::format("it ran longer than {} s (time_max_s)", step.time_max_s);
    if (stopped_while_waiting(stop, Deadline::after(look_interval))) return fail(Code::cancelled, "stopped");
  }
  if (!out.trouble.empty()) child.stop();
  out.exit_code = child.wait();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (::fsync(file.get()) != 0) return fail_errno("write", output, errno);
  return out;
}

}  // namespace hearth::experiment
