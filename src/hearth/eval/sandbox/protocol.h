#pragma once
// What hearth and hearth-sandbox say to each other: one line of JSON each way. Pure.

#include <string>

#include "hearth/eval/sandbox/sandbox.h"

namespace hearth::eval {

inline constexpr std::uint64_t sandbox_request_bytes_max = 64u << 20;

struct SandboxJob {
  SandboxRequest request;
  std::filesystem::path python;  // the interpreter itself, not a link to it
};

std::string sandbox_job_line(const SandboxJob& job);
Result<SandboxJob> parse_sandbox_job(std::string_view line);

std::string sandbox_outcome_line(const Result<SandboxOutcome>& outcome);
Result<SandboxOutcome> parse_sandbox_outcome(std::string_view line);

}  // namespace hearth::eval
