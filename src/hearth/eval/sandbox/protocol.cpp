#include "hearth/eval/sandbox/protocol.h"

#include <fmt/format.h>

#include <cstring>

namespace hearth::eval {
namespace {

constexpr std::string_view end_names[] = {"exited", "killed", "timed out", "output too large"};

Json limits_json(const SandboxLimits& limits) {
  return Json::object({{"wall_seconds", limits.wall_seconds},
                       {"cpu_seconds", limits.cpu_seconds},
                       {"memory_bytes", limits.memory_bytes},
                       {"disk_bytes", limits.disk_bytes},
                       {"output_bytes", limits.output_bytes},
                       {"threads", limits.threads}});
}

Result<SandboxLimits> read_limits(const Json& json) {
  SandboxLimits out;
  out.wall_seconds = TRY(get<double>(json, "wall_seconds"));
  out.cpu_seconds = TRY(get<std::uint32_t>(json, "cpu_seconds"));
  out.memory_bytes = TRY(get<std::uint64_t>(json, "memory_bytes"));
  out.disk_bytes = TRY(get<std::uint64_t>(json, "disk_bytes"));
  out.output_bytes = TRY(get<std::uint64_t>(json, "output_bytes"));
  out.threads = TRY(get<std::uint32_t>(json, "threads"));
  return out;
}

Result<SandboxEnd> read_end(const Json& json) {
  const std::string name = TRY(get<std::string>(json, "end"));
  for (std::size_t i = 0; i < std::size(end_names); ++i) {
    if (end_names[i] == name) return static_cast<SandboxEnd>(i);
  }
  return fail(Code::corrupt, fmt::format("hearth-sandbox names an end '{}' that is unknown; is it of another version?", name));
}

}  // namespace

std::string_view sandbox_end_name(SandboxEnd end) { return end_names[static_cast<std::size_t>(end)]; }

std::string SandboxOutcome::text() const {
  switch (end) {
    case SandboxEnd::exited: return fmt::format("exited with code {}", exit_code);
    case SandboxEnd::killed: return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
    case SandboxEnd::timed_out: return fmt::format("still running after {:.1f} s", wall_seconds);
    case SandboxEnd::output_too_large: return "wrote more than its output may hold";
  }
  return {};
}

std::string sandbox_job_line(const SandboxJob& job) {
  Json arguments = Json::array(), files = Json::array();
  for (const std::string& argument : job.request.arguments) arguments.push(argument);
  for (const SandboxFile& file : job.request.files) {
    files.push(Json::object({{"name", file.name}, {"text", file.text}}));
  }
  return dump_json(Json::object({{"python", job.python.string()},
                                 {"arguments", std::move(arguments)},
                                 {"files", std::move(files)},
                                 {"input", job.request.input},
                                 {"limits", limits_json(job.request.limits)}})) + "\n";
}

Result<SandboxJob> parse_sandbox_job(std::string_view line) {
  const Json json = TRY(parse_json(line));
  SandboxJob out;
  out.python = TRY(get<std::string>(json, "python"));
  out.request.input = TRY(get<std::string>(json, "input"));
  const Json* arguments = json.find("arguments");
  const Json* files = json.find("files");
  const Json* limits = json.find("limits");
  if (!arguments || !arguments->is_array() || !files || !files->is_array() || !limits) {
    return fail(Code::invalid_argument, "a job needs arguments, files and limits");
  }
  for (const Json& argument : arguments->as_array()) {
    out.request.arguments.push_back(TRY(read_json<std::string>(argument, "arguments")));
  }
  for (const Json& file : files->as_array()) {
    SandboxFile one;
    one.name = TRY(get<std::string>(file, "name", "files"));
    one.text = TRY(get<std::string>(file, "text", "files"));
    if (one.name.empty() || one.name.starts_with('.') || one.name.find('/') != std::string::npos) {
      return fail(Code::invalid_argument, fmt::format("a file of a job is named '{}'; expected a plain name", one.name));
    }
    out.request.files.push_back(std::move(one));
  }
  out.request.limits = TRY(read_limits(*limits));
  return out;
}

std::string sandbox_outcome_line(const Result<SandboxOutcome>& outcome) {
  if (!outcome) return dump_json(Json::object({{"error", outcome.error().message}})) + "\n";
  return dump_json(Json::object({{"end", sandbox_end_name(outcome->end)},
                                 {"exit_code", outcome->exit_code},
                                 {"signal", outcome->signal},
                                 {"output", outcome->output},
                                 {"errors", outcome->errors},
                                 {"wall_seconds", outcome->wall_seconds}})) + "\n";
}

Result<SandboxOutcome> parse_sandbox_outcome(std::string_view line) {
  const Json json = TRY(parse_json(line));
  if (const auto error = TRY(find<std::string>(json, "error"))) return fail(Code::unavailable, *error);
  SandboxOutcome out;
  out.end = TRY(read_end(json));
  out.exit_code = static_cast<int>(TRY(get<std::int64_t>(json, "exit_code")));
  out.signal = static_cast<int>(TRY(get<std::int64_t>(json, "signal")));
  out.output = TRY(get<std::string>(json, "output"));
  out.errors = TRY(get<std::string>(json, "errors"));
  out.wall_seconds = TRY(get<double>(json, "wall_seconds"));
  return out;
}

}  // namespace hearth::eval
