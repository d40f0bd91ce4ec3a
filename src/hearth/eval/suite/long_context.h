#pragma once
// Documents with facts in them, made from a seed at a stated length, with questions whose answers are known.
// Pure: the same request gives the same bytes on every machine.
//
// A document is a year of notes by members of a society. Facts stand in single sentences, scattered, among
// many that look like them; questions are worded so that a search for their words does not find the
// sentence: "the shore of the Limmat" answers "in which country". Kinds of questions: where somebody is
// (a fact about the world links the two), the last holder of a thing that changed hands, a number that
// was corrected later, the n-th report of somebody on something, what is said nowhere.

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::eval {

inline constexpr std::uint32_t long_context_tokens_min = 8'000;
inline constexpr std::uint32_t long_context_tokens_max = 1'000'000;

struct LongContextRequest {
  std::string setting = "rowing club";  // see long_context_settings
  std::uint64_t seed = 1;
  std::uint32_t tokens = 16'000;  // of four bytes (item.h)
  std::uint32_t hops = 3;         // times that a thing changes hands, at most 6
};

// A fact: the sentence in the document and the question that it answers.
struct Needle {
  std::string sentence;
  std::string question;
  double depth = 0;  // 0: first byte of the document, 1: last
};

struct LongContext {
  std::string document;
  std::string questions;              // with the keys that the answer is to have
  Json expected;                      // an object of these keys
  std::vector<Json> wrong;            // answers of a reader who took a neighbour's or an old value
  std::vector<Needle> needles;
};

std::vector<std::string> long_context_settings();
LongContext make_long_context(const LongContextRequest& request);

// Share of the question's words of meaning that occur in the sentence; names do not count, they stand in
// hundreds of other sentences too.
double lexical_overlap(std::string_view question, std::string_view sentence);

}  // namespace hearth::eval
