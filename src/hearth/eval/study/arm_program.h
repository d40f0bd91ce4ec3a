#pragma once
// The program that makes an arm's endpoint be there, while the arm generates: for arms that do not fit
// together. Started, waited for, and ended with this object. An arm without one is only looked at.

#include <functional>
#include <optional>

#include "hearth/base/child_process.h"
#include "hearth/eval/study/arms_file.h"
#include "hearth/eval/study/service.h"

namespace hearth::eval {

class ArmProgram {
 public:
  // Returns when the service says that it is ready. unavailable, with how the program ended, otherwise.
  static Result<ArmProgram> start(const Arm& arm, Service& service, const std::function<void(const std::string&)>& tell,
                                  const StopToken& stop);

 private:
  ArmProgram() = default;
  std::optional<ChildProcess> child_;
};

}  // namespace hearth::eval
