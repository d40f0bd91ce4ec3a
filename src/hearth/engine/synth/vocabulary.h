#pragma once
// Tokens of the synthetic models: one for each byte, then the markup of the model family, then
// reserved ones up to kTokenCount.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/engine/synth/synth.h"

namespace hearth::engine {

struct Vocabulary {
  std::string pre;                   // name of the pre-tokenizer
  std::vector<std::string> texts;    // as the GGUF stores them
  std::vector<std::int32_t> kinds;   // 1 normal, 3 control, 4 user defined
  std::array<std::uint32_t, 256> token_of_byte{};
  std::uint32_t begin = 0;
  std::uint32_t end = 0;             // end of a message
  std::size_t markup_count = 0;      // markup tokens follow the 256 bytes
  bool adds_begin = false;
  std::string chat_template;

  // The id of a markup token; our own mistake if there is none.
  std::uint32_t id(std::string_view text) const;
};

Vocabulary vocabulary_of(Architecture architecture);

}  // namespace hearth::engine
