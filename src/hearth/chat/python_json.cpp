#include "hearth/chat/python_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::chat {
namespace {

constexpr int indent_width = 4;

std::string python_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Writer {
 public:
  explicit Writer(JsonSpacing spacing) : spacing_(spacing) {}

  void write(const Json& value, int depth) {
    if (value.is_array()) {
      write_array(value.as_array(), depth);
    } else if (value.is_object()) {
      write_object(value.as_object(), depth);
    } else if (value.is_number() && !value.is_integer()) {
      out_ += python_float(value.as_double());
    } else {
      out_ += dump_json(value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void write_array(const Json::Array& items, int depth) {
    out_ += '[';
    bool first = true;
    for (const Json& item : items) {
      separate(first, depth + 1);
      write(item, depth + 1);
    }
    close(first, depth, ']');
  }
  void write_object(const Json::Object& members, int depth) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, item] : members) {
      separate(first, depth + 1);
      out_ += dump_json(Json(key));
      out_ += spacing_ == JsonSpacing::compact ? ":" : ": ";
      write(item, depth + 1);
    }
    close(first, depth, '}');
  }
  void separate(bool& first, int depth) {
    if (!first) out_ += spacing_ == JsonSpacing::spaced ? ", " : ",";
    first = false;
    new_line(depth);
  }
  void close(bool empty, int depth, char bracket) {
    if (!empty) new_line(depth);
    out_ += bracket;
  }
  void new_line(int depth) {
    if (spacing_ != JsonSpacing::indented) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth * indent_width), ' ');
  }

  JsonSpacing spacing_;
  std::string out_;
};

}  // namespace

std::string python_json(const Json& value, JsonSpacing spacing) {
  Writer writer(spacing);
  writer.write(value, 0);
  return writer.take();
}

std::string python_str(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_null()) return "None";
  if (value.is_bool()) return value.as_bool() ? "True" : "False";
  return python_json(value);
}

Json sort_keys(const Json& value) {
  if (value.is_array()) {
    Json::Array items;
    items.reserve(value.as_array().size());
    for (const Json& item : value.as_array()) items.push_back(sort_keys(item));
    return Json::array(std::move(items));
  }
  if (!value.is_object()) return value;
  Json::Object members;
  members.reserve(value.as_object().size());
  for (const auto& [key, item] : value.as_object()) members.emplace_back(key, sort_keys(item));
  std::sort(members.begin(), members.end(),
            [](const Json::Member& a, const Json::Member& b) { return a.first < b.first; });
  return Json::object(std::move(members));
}

}  // namespace hearth::chat
