#include "hearth/engine/job.h"

namespace hearth::engine {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::end_of_generation: return "end_of_generation";
    case FinishReason::stop_string: return "stop_string";
    case FinishReason::token_limit: return "token_limit";
    case FinishReason::context_full: return "context_full";
    case FinishReason::prefilled: return "prefilled";
  }
  return "end_of_generation";
}

}  // namespace hearth::engine
