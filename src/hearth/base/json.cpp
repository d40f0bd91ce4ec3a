#include "hearth/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "hearth/base/check.h"
#include "hearth/base/utf8.h"

namespace hearth {
namespace {

// The last of equal keys wins, in the place of the first. Sorted, because looking for each key among all before it would
// take a day for an object of a few million.
void drop_repeated_keys(Json::Object& members) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key_of = [&](std::size_t i) -> const std::string& { return members[i].first; };
  std::ranges::stable_sort(order, {}, key_of);
  std::vector<bool> is_repeated(members.size());
  for (std::size_t i = 1, first = 0; i < order.size(); ++i) {
    if (key_of(order[i]) != key_of(order[first])) {
      first = i;
      continue;
    }
    members[order[first]].second = std::move(members[order[i]].second);
    is_repeated[order[i]] = true;
  }
  std::size_t index = 0;
  std::erase_if(members, [&](const Json::Member&) { return is_repeated[index++]; });
}

// Builds our tree from parse events, so that depth and number kinds are under our control.
class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(Json& root) : root_(root) {}

  bool null() override { return add(Json()); }
  bool boolean(bool v) override { return add(Json(v)); }
  bool number_integer(number_integer_t v) override { return add(Json(v)); }
  bool number_unsigned(number_unsigned_t v) override { return add(Json(v)); }
  bool number_float(number_float_t v, const string_t&) override { return add(Json(v)); }
  bool string(string_t& v) override { return add(Json(std::move(v))); }
  bool binary(binary_t&) override { return false; }
  bool key(string_t& v) override {
    key_ = std::move(v);
    return true;
  }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override {
    drop_repeated_keys(open_.back()->as_object());
    return close();
  }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // The library's text repeats the document; keep what follows its last colon-marked cause.
    std::string what = error.what();
    if (const auto cut = what.find("; last read:"); cut != std::string::npos) what.resize(cut);
    if (const auto bracket = what.find("] "); bracket != std::string::npos) what.erase(0, bracket + 2);
    error_ = fmt::format("not valid JSON at byte {}: {}", position, what);
    return false;
  }

  std::string error() const { return error_.empty() ? "not valid JSON" : error_; }

 private:
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) return &parent.push(std::move(value));
    return &parent.as_object().emplace_back(std::move(key_), std::move(value)).second;
  }
  bool open(Json value) {
    if (open_.size() >= static_cast<std::size_t>(json_depth_max)) {
      error_ = fmt::format("JSON nested deeper than {} levels", json_depth_max);
      return false;
    }
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  std::vector<Json*> open_;  // stable: only the innermost container grows
  std::string key_;
  std::string error_;
};

void append_string(std::string& out, std::string_view raw) {
  const std::string clean = is_valid_utf8(raw) ? std::string() : replace_invalid_utf8(raw);
  const std::string_view text = clean.empty() ? raw : std::string_view(clean);
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

void new_line(std::string& out, int indent, int depth) {
  if (indent == 0) return;
  out.push_back('\n');
  out.append(static_cast<std::size_t>(indent * depth), ' ');
}

void append(std::string& out, const Json& value, int indent, int depth) {
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_integer()) {
    out += fmt::format("{}", value.as_integer());
  } else if (value.is_number()) {
    const double number = value.as_double();
    // JSON has no infinity; null is what every other writer emits.
    out += std::isfinite(number) ? fmt::format("{}", number) : "null";
  } else if (value.is_string()) {
    append_string(out, value.as_string());
  } else if (value.is_array()) {
    out.push_back('[');
    bool first = true;
    for (const Json& item : value.as_array()) {
      if (!first) out.push_back(',');
      first = false;
      new_line(out, indent, depth + 1);
      append(out, item, indent, depth + 1);
    }
    if (!first) new_line(out, indent, depth);
    out.push_back(']');
  } else {
    out.push_back('{');
    bool first = true;
    for (const auto& [key, item] : value.as_object()) {
      if (!first) out.push_back(',');
      first = false;
      new_line(out, indent, depth + 1);
      append_string(out, key);
      out += indent > 0 ? ": " : ":";
      append(out, item, indent, depth + 1);
    }
    if (!first) new_line(out, indent, depth);
    out.push_back('}');
  }
}

std::unexpected<Error> wrong_kind(std::string_view path, std::string_view expected,
                                  const Json& value) {
  return fail(Code::invalid_argument, fmt::format("{}: expected {}, got {}",
                                                  path.empty() ? "value" : path, expected,
                                                  value.kind_name()));
}

std::string join_path(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

}  // namespace

std::string_view Json::kind_name() const {
  if (is_null()) return "null";
  if (is_bool()) return "a boolean";
  if (is_number()) return "a number";
  if (is_string()) return "a string";
  return is_array() ? "an array" : "an object";
}

bool Json::as_bool() const {
  CHECK(is_bool());
  return std::get<bool>(value_);
}
std::int64_t Json::as_integer() const {
  CHECK(is_integer());
  return std::get<std::int64_t>(value_);
}
double Json::as_double() const {
  CHECK(is_number());
  return is_integer() ? static_cast<double>(std::get<std::int64_t>(value_))
                      : std::get<double>(value_);
}
const std::string& Json::as_string() const {
  CHECK(is_string());
  return std::get<std::string>(value_);
}
const Json::Array& Json::as_array() const {
  CHECK(is_array());
  return std::get<Array>(value_);
}
Json::Array& Json::as_array() {
  CHECK(is_array());
  return std::get<Array>(value_);
}
const Json::Object& Json::as_object() const {
  CHECK(is_object());
  return std::get<Object>(value_);
}
Json::Object& Json::as_object() {
  CHECK(is_object());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, value] : as_object()) {
    if (name == key) return &value;
  }
  return nullptr;
}

Json* Json::find(std::string_view key) {
  return const_cast<Json*>(std::as_const(*this).find(key));
}

Json& Json::set(std::string key, Json value) {
  if (is_null()) *this = object();
  if (Json* there = find(key)) {
    *there = std::move(value);
    return *there;
  }
  as_object().emplace_back(std::move(key), std::move(value));
  return as_object().back().second;
}

Json& Json::push(Json value) {
  if (is_null()) *this = array();
  as_array().push_back(std::move(value));
  return as_array().back();
}

bool Json::erase(std::string_view key) {
  if (!is_object()) return false;
  return std::erase_if(as_object(), [&](const Member& m) { return m.first == key; }) > 0;
}

Result<Json> parse_json(std::string_view text) {
  Json root;
  TreeBuilder builder(root);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return fail(Code::invalid_argument, builder.error());
  }
  return root;
}

std::string dump_json(const Json& value, int indent) {
  std::string out;
  append(out, value, indent, 0);
  return out;
}

template <>
Result<bool> read_json<bool>(const Json& value, std::string_view path) {
  if (!value.is_bool()) return wrong_kind(path, "true or false", value);
  return value.as_bool();
}
template <>
Result<std::int64_t> read_json<std::int64_t>(const Json& value, std::string_view path) {
  if (value.is_integer()) return value.as_integer();
  if (value.is_number()) {
    const double number = value.as_double();  // 3.0 is an integer to most clients
    if (std::abs(number) < 9e15 && number == std::floor(number)) {
      return static_cast<std::int64_t>(number);
    }
    return fail(Code::invalid_argument, fmt::format("{}: expected an integer, got {}", path, number));
  }
  return wrong_kind(path, "an integer", value);
}
template <>
Result<std::uint64_t> read_json<std::uint64_t>(const Json& value, std::string_view path) {
  const auto number = TRY(read_json<std::int64_t>(value, path));
  if (number < 0) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected an integer of at least 0, got {}", path, number));
  }
  return static_cast<std::uint64_t>(number);
}
template <>
Result<std::uint32_t> read_json<std::uint32_t>(const Json& value, std::string_view path) {
  const auto number = TRY(read_json<std::uint64_t>(value, path));
  if (number > UINT32_MAX) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected an integer of at most {}, got {}", path, UINT32_MAX, number));
  }
  return static_cast<std::uint32_t>(number);
}
template <>
Result<double> read_json<double>(const Json& value, std::string_view path) {
  if (!value.is_number()) return wrong_kind(path, "a number", value);
  return value.as_double();
}
template <>
Result<std::string> read_json<std::string>(const Json& value, std::string_view path) {
  if (!value.is_string()) return wrong_kind(path, "a string", value);
  return value.as_string();
}

template <class T>
Result<std::optional<T>> find(const Json& object, std::string_view key, std::string_view path) {
  const Json* value = object.find(key);
  if (value == nullptr || value->is_null()) return std::optional<T>();
  return std::optional<T>(TRY(read_json<T>(*value, join_path(path, key))));
}

template <class T>
Result<T> get(const Json& object, std::string_view key, std::string_view path) {
  const Json* value = object.find(key);
  if (value == nullptr) {
    return fail(Code::invalid_argument, fmt::format("{}: missing", join_path(path, key)));
  }
  return read_json<T>(*value, join_path(path, key));
}

#define HEARTH_JSON_READERS(T)                                                             \
  template Result<T> get<T>(const Json&, std::string_view, std::string_view);              \
  template Result<std::optional<T>> find<T>(const Json&, std::string_view, std::string_view);
HEARTH_JSON_READERS(bool)
HEARTH_JSON_READERS(std::int64_t)
HEARTH_JSON_READERS(std::uint32_t)
HEARTH_JSON_READERS(std::uint64_t)
HEARTH_JSON_READERS(double)
HEARTH_JSON_READERS(std::string)
#undef HEARTH_JSON_READERS

}  // namespace hearth
