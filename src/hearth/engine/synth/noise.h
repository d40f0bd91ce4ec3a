#pragma once
// Random numbers by position instead of by order, so that rows can be filled in any order and by
// several threads. Integer arithmetic up to one last multiplication: portable to the bit, which
// std::normal_distribution is not.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hearth::engine {

inline std::uint64_t mix_bits(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

// A seed of its own for each named use.
inline std::uint64_t derived_seed(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return mix_bits(mix_bits(seed + 0x9E3779B97F4A7C15u) ^ hash);
}

inline std::uint64_t bits_at(std::uint64_t seed, std::uint64_t index) {
  return mix_bits(seed + (index + 1) * 0x9E3779B97F4A7C15u);
}

// Sum of eight random bytes, centred: close to normal, at the price of one hash.
inline std::int32_t bell_at(std::uint64_t seed, std::uint64_t index) {
  const std::uint64_t bits = bits_at(seed, index);
  constexpr std::uint64_t even_bytes = 0x00FF00FF00FF00FFu;
  const std::uint64_t pairs = (bits & even_bytes) + ((bits >> 8) & even_bytes);
  const auto sum = static_cast<std::int32_t>((pairs * 0x0001000100010001u) >> 48);
  return sum - 1020;
}

inline constexpr double kBellDeviation = 209.0231;  // sqrt(8 * (256^2 - 1) / 12)

inline void fill_normal(std::uint64_t seed, std::uint64_t first_index, float deviation,
                        std::span<float> out) {
  const float scale = static_cast<float>(deviation / kBellDeviation);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(bell_at(seed, first_index + i)) * scale;
  }
}

}  // namespace hearth::engine
