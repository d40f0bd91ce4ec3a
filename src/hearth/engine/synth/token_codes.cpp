#include "hearth/engine/synth/token_codes.h"

#include <algorithm>
#include <cmath>

#include "hearth/engine/synth/noise.h"
#include "hearth/engine/synth/shape.h"

namespace hearth::engine {
namespace {

constexpr std::size_t kCandidates = 96;

bool is_main_byte(std::size_t byte) {
  return (byte >= 0x20 && byte < 0x7F) || byte == '\n' || byte == '\t';
}

float dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void fill_unit_vector(std::uint64_t seed, std::span<float> out) {
  fill_normal(seed, 0, 1.0F, out);
  const float norm = std::sqrt(dot(out, out));
  for (float& value : out) value /= norm;
}

// Bytes from the most frequent in English text to the least.
std::vector<std::uint32_t> bytes_by_frequency() {
  constexpr std::string_view frequent =
      " etaoinshrdlcumwfgypbvkxqjz0123456789.,\n'\"-;:!?()ETAOINSHRDLCUMWFGYPBVKXQJZ";
  std::vector<std::uint32_t> order;
  for (const char c : frequent) order.push_back(static_cast<unsigned char>(c));
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    if (std::find(order.begin(), order.end(), byte) == order.end()) order.push_back(byte);
  }
  return order;
}

// The random vector that resembles the `placed` ones least.
void place_code(Matrix& codes, const std::vector<std::uint32_t>& placed, std::uint32_t token,
                std::size_t text_width, std::uint64_t seed) {
  std::vector<float> candidate(text_width);
  float best = 2;
  for (std::size_t attempt = 0; attempt < kCandidates; ++attempt) {
    fill_unit_vector(bits_at(derived_seed(seed, "lag"), token * kCandidates + attempt), candidate);
    float worst = 0;
    for (const std::uint32_t other : placed) {
      worst = std::max(worst, std::abs(dot(candidate, codes.row(other).first(text_width))));
    }
    if (worst >= best) continue;
    best = worst;
    std::copy(candidate.begin(), candidate.end(), codes.row(token).begin());
  }
}

}  // namespace

Matrix make_token_codes(const Vocabulary& vocabulary, std::uint64_t seed) {
  const Rotation main_set(kTokenCodeWidth, derived_seed(seed, "main tokens"));
  const Rotation other_set(kTokenCodeWidth, derived_seed(seed, "other tokens"));
  Matrix codes(vocabulary.texts.size(), kTokenCodeWidth);
  std::size_t main_count = 0;
  std::size_t other_count = 0;
  for (std::size_t token = 0; token < codes.rows(); ++token) {
    const bool is_markup = token >= 256 && token < 256 + vocabulary.markup_count;
    const bool is_main = is_markup || (token < 256 && is_main_byte(token));
    std::size_t& count = is_main ? main_count : other_count;
    codes.at(token, count++ % kTokenCodeWidth) = 1;
    (is_main ? main_set : other_set).apply(codes.row(token));
  }
  CHECK(main_count <= kTokenCodeWidth);
  return codes;
}

std::vector<std::uint32_t> marker_tokens(Architecture architecture,
                                         const Vocabulary& vocabulary) {
  switch (architecture) {
    case Architecture::kimi:
      return {vocabulary.id("<|im_middle|>"), vocabulary.id("<|im_user|>"),
              vocabulary.id("</think>")};
    case Architecture::qwen3moe: return {vocabulary.id("</think>"), vocabulary.id("<|im_start|>")};
    case Architecture::llama:
      return {vocabulary.id("<|end_header_id|>"), vocabulary.id("<|start_header_id|>")};
    case Architecture::gpt_oss:
    case Architecture::qwen35moe: break;  // no circuit
  }
  CHECK(false);
}

Matrix make_lag_codes(const Vocabulary& vocabulary, const std::vector<std::uint32_t>& markers,
                      std::size_t width, std::uint64_t seed) {
  Matrix codes(vocabulary.texts.size(), width);
  const std::size_t text_width = width - markers.size();
  std::vector<std::uint32_t> placed;
  for (const std::uint32_t token : bytes_by_frequency()) {
    place_code(codes, placed, token, text_width, seed);
    if (placed.size() < 40) placed.push_back(token);
  }
  for (std::uint32_t token = 256; token < codes.rows(); ++token) {
    place_code(codes, placed, token, text_width, seed);
  }
  for (std::size_t i = 0; i < markers.size(); ++i) {
    std::fill(codes.row(markers[i]).begin(), codes.row(markers[i]).end(), 0.0F);
    codes.at(markers[i], text_width + i) = 1;
  }
  return codes;
}

}  // namespace hearth::engine
