#include "hearth/eval/study/arm_program.h"

#include <fmt/format.h>

namespace hearth::eval {
namespace {

constexpr Duration look_pause = std::chrono::milliseconds(500);

// Some services do not tell when they are ready.
bool is_there(const Arm& arm, const upstream::EndpointState& state) {
  const bool tells = arm.endpoint.kind == upstream::Kind::hearth || arm.endpoint.kind == upstream::Kind::llama_server;
  return tells ? state.ready : state.alive;
}

}  // namespace

Result<ArmProgram> ArmProgram::start(const Arm& arm, Service& service,
                                     const std::function<void(const std::string&)>& tell, const StopToken& stop) {
  ArmProgram out;
  if (arm.start.empty()) return out;
  // The shell only looks the program up in the path; its words stay words.
  std::vector<std::string> arguments = {"-c", "exec \"$@\" >/dev/null", "start"};
  arguments.insert(arguments.end(), arm.start.begin(), arm.start.end());
  ChildProcess child = TRY(ChildProcess::start("/bin/sh", std::move(arguments)));
  out.child_.emplace(std::move(child));
  const Deadline deadline =
      Deadline::after(std::chrono::milliseconds(static_cast<std::int64_t>(arm.start_seconds_max * 1'000)));
  tell(fmt::format("{}: starting {}", arm.name, arm.start.front()));
  while (!is_there(arm, service.look(stop))) {
    if (!out.child_->is_running()) {
      return fail(Code::unavailable, fmt::format("arm {}: {} {} before its endpoint answered", arm.name,
                                                 arm.start.front(), out.child_->how_it_ended()));
    }
    if (deadline.passed()) {
      return fail(Code::timed_out, fmt::format("arm {}: {} did not answer at {} within {:.0f} s", arm.name,
                                               arm.start.front(), arm.endpoint.url, arm.start_seconds_max));
    }
    if (stopped_while_waiting(stop, Deadline::after(look_pause))) return fail(Code::cancelled, "stopped");
  }
  return out;
}

}  // namespace hearth::eval
