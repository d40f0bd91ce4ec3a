#pragma once
// What generated documents are made of. Data; every fact's wording and its question's share no word of meaning.

#include <span>
#include <string_view>

namespace hearth::eval::words {

struct Pair {
  std::string_view told;   // in the document
  std::string_view asked;  // in the question
};

struct Setting {
  std::string_view name;
  std::string_view preface;
  std::span<const std::string_view> places, things, activities;
};

std::span<const Setting> settings();
std::span<const std::string_view> people();
// Sentences with {name}, {other}, {place}, {thing}, {activity}, {number}, {time}, {weather}.
std::span<const std::string_view> filler();
std::span<const std::string_view> weathers();
std::span<const std::string_view> times();

// A landmark and the country or region that it stands in; who sees it, lives there.
std::span<const Pair> landmarks();
std::span<const std::string_view> landmark_sentences();  // {name}, {landmark}
// What somebody was seen doing, and the trade.
std::span<const Pair> trades();  // told: a sentence with {name}
// A thing that changes hands.
std::span<const Pair> heirlooms();
std::span<const std::string_view> handover_sentences();  // {from}, {to}, {thing}
// What is counted, where.
struct Stock {
  std::string_view told, asked, place_told, place_asked;
};
std::span<const Stock> stocks();
// What somebody spends or gets, again and again; told with {name} and {number}.
std::span<const Pair> habits();

}  // namespace hearth::eval::words
