#pragma once
// What a model might do, by the dice: steps for an AnswerWriter.

#include "hearth/base/random.h"
#include "tests/support/gateway_json.h"

namespace hearth::test {

// begin, events and heartbeats in any mixture, then end or (one in five) error.
std::vector<WriterStep> random_steps(Random& random);
gateway::AnswerEnd random_end(Random& random);

}  // namespace hearth::test
