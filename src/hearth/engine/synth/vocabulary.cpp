#include "hearth/engine/synth/vocabulary.h"

#include <fmt/format.h>

#include <span>

#include "hearth/base/check.h"
#include "hearth/engine/synth/chat_templates.h"
#include "hearth/engine/synth/shape.h"

namespace hearth::engine {
namespace {

constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;

constexpr std::array<std::string_view, 24> kKimiMarkup = {
    "[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>",
    "<|im_middle|>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>",
    "<|tool_call_section_begin|>", "<|tool_call_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>", "<think>", "</think>",
    "<|media_begin|>", "<|media_content|>", "<|media_end|>", "<|media_pad|>",
    "<|start_header_id|>", "<|end_header_id|>", "[UNK]", "[PAD]"};

constexpr std::array<std::string_view, 14> kChatMlMarkup = {
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>",
    "</tool_call>", "<tool_response>", "</tool_response>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|vision_start|>", "<|vision_end|>"};

constexpr std::array<std::string_view, 8> kLlama3Markup = {
    "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>", "<|eom_id|>", "<|python_tag|>", "<|finetune_right_pad_id|>"};

std::string utf8_of(std::uint32_t code_point) {
  CHECK(code_point < 0x800);
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | (code_point >> 6)),
          static_cast<char>(0x80 | (code_point & 0x3F))};
}

bool stands_for_itself(std::uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// A byte-level GGUF vocabulary writes each byte as one printable character: printable bytes as
// themselves, the others counted up from U+0100.
void add_bytes(Vocabulary& vocabulary) {
  std::uint32_t substitute = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    vocabulary.token_of_byte[byte] = byte;
    vocabulary.texts.push_back(utf8_of(stands_for_itself(byte) ? byte : substitute++));
    vocabulary.kinds.push_back(kNormal);
  }
}

void add_markup(Vocabulary& vocabulary, std::span<const std::string_view> markup) {
  for (const std::string_view text : markup) {
    vocabulary.texts.emplace_back(text);
    vocabulary.kinds.push_back(kControl);
  }
  vocabulary.markup_count = markup.size();
  for (std::size_t i = 0; vocabulary.texts.size() < kTokenCount; ++i) {
    vocabulary.texts.push_back(fmt::format("<|reserved_{}|>", i));
    vocabulary.kinds.push_back(kControl);
  }
}

}  // namespace

std::uint32_t Vocabulary::id(std::string_view text) const {
  for (std::size_t i = 256; i < texts.size(); ++i) {
    if (texts[i] == text) return static_cast<std::uint32_t>(i);
  }
  CHECK(!"a markup token of this family");
  return 0;
}

Vocabulary vocabulary_of(Architecture architecture) {
  Vocabulary vocabulary;
  vocabulary.chat_template = chat_template_of(architecture);
  add_bytes(vocabulary);
  switch (architecture) {
    case Architecture::kimi:
      vocabulary.pre = "kimi-k2";
      add_markup(vocabulary, kKimiMarkup);
      vocabulary.begin = vocabulary.id("[BOS]");
      vocabulary.end = vocabulary.id("<|im_end|>");
      break;
    case Architecture::qwen3moe:
    case Architecture::gpt_oss:  // not its own markup: it is there to compute
    case Architecture::qwen35moe:
      vocabulary.pre = "qwen2";
      add_markup(vocabulary, kChatMlMarkup);
      vocabulary.begin = vocabulary.id("<|endoftext|>");
      vocabulary.end = vocabulary.id("<|im_end|>");
      // Ordinary text to this family's tokenizer, not control tokens.
      for (const std::string_view text : {"<think>", "</think>", "<tool_call>", "</tool_call>",
                                          "<tool_response>", "</tool_response>"}) {
        vocabulary.kinds[vocabulary.id(text)] = kUserDefined;
      }
      break;
    case Architecture::llama:
      vocabulary.pre = "llama-bpe";
      add_markup(vocabulary, kLlama3Markup);
      vocabulary.begin = vocabulary.id("<|begin_of_text|>");
      vocabulary.end = vocabulary.id("<|eot_id|>");
      vocabulary.adds_begin = true;
      break;
  }
  return vocabulary;
}

}  // namespace hearth::engine
