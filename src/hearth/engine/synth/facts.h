#pragma once
// Text with facts planted in it, for asking a model what it has read. Made of a small grammar, so
// nothing is copied and every seed gives another text. Pure; needs no engine.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::engine {

struct Fact {
  std::string question;       // "the secret code of lorvane is": stands once in the text
  std::string answer;         // " 7391"
  std::size_t position_bytes;  // where the question begins in the text
};

struct PlantedText {
  std::string text;
  std::vector<Fact> facts;
};

// A text of exactly `byte_count` bytes (all ASCII) with `fact_count` facts spread evenly, none in
// the last 100 bytes. Every fourth name differs from an earlier one in one letter: a model that
// computes badly mixes them up. No answer stands anywhere else in the text, no two facts share a
// name or a code. invalid_argument when the text is too short for the facts (100 bytes each).
Result<PlantedText> plant_facts(std::uint64_t seed, std::size_t fact_count, std::size_t byte_count);

}  // namespace hearth::engine
