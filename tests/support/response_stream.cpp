#include "tests/support/response_stream.h"

#include <algorithm>
#include <optional>

#include "hearth/net/sse.h"

namespace hearth::test {
namespace {

std::string text_at(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found != nullptr && found->is_string() ? found->as_string() : std::string();
}

std::int64_t number_at(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found != nullptr && found->is_integer() ? found->as_integer() : -1;
}

const Json& member(const Json& json, std::string_view key) {
  static const Json nothing;
  const Json* found = json.find(key);
  return found != nullptr ? *found : nothing;
}

class Checker {
 public:
  void event(std::string_view name, std::string_view data) {
    const auto json = parse_json(data);
    if (!json || !json->is_object()) return complain("an event is no JSON object");
    const std::string type = text_at(*json, "type");
    if (type != name) complain("name " + std::string(name) + ", type " + type);
    if (number_at(*json, "sequence_number") != expected_number_++) complain("sequence_number at " + type);
    if (over_) return complain(type + " after the end");
    if ((type == "response.created") != (expected_number_ == 1)) complain("created is not the first");
    dispatch(type, *json);
  }

  ResponseStream finish() {
    if (!over_) complain("no last event");
    return std::move(out_);
  }

 private:
  void dispatch(const std::string& type, const Json& json) {
    if (type == "response.created" || type == "response.in_progress") {
      if (text_at(member(json, "response"), "status") != "in_progress") complain("status at " + type);
    } else if (type == "response.output_item.added") {
      added(json);
    } else if (type == "response.output_item.done") {
      done(json);
    } else if (type == "response.completed" || type == "response.incomplete" || type == "response.failed") {
      ended(type, json);
    } else {
      inside(type, json);
    }
  }

  void added(const Json& json) {
    if (item_) complain("an item opens inside another");
    if (number_at(json, "output_index") != static_cast<std::int64_t>(items_.as_array().size())) {
      complain("output_index of an item");
    }
    item_ = text_at(member(json, "item"), "id");
    joined_.clear();
    full_.reset();
    part_open_ = false;
    if (item_->empty()) complain("an item without id");
  }

  // Deltas, done texts and parts of the open item.
  void inside(const std::string& type, const Json& json) {
    if (!item_ || text_at(json, "item_id") != *item_) return complain(type + " outside its item");
    if (number_at(json, "output_index") != static_cast<std::int64_t>(items_.as_array().size())) {
      complain("output_index at " + type);
    }
    if (type.ends_with("_part.added")) {
      if (part_open_) complain("a part opens inside another");
      part_open_ = true;
    } else if (type.ends_with("_part.done")) {
      if (!part_open_ || !full_) complain("a part ends before its text");
      if (text_at(member(json, "part"), "text") != joined_) complain("the part's text");
      part_open_ = false;
    } else if (type.ends_with(".delta")) {
      if (full_) complain("a delta after the text was done");
      if (text_at(json, "delta").empty()) complain("an empty delta");
      joined_ += text_at(json, "delta");
    } else if (type.ends_with(".done")) {
      full_ = text_at(json, "text") + text_at(json, "arguments") + text_at(json, "input");
      if (*full_ != joined_) complain("deltas do not join to " + type);
    } else {
      complain("unknown event " + type);
    }
  }

  void done(const Json& json) {
    const Json& item = member(json, "item");
    if (!item_ || text_at(item, "id") != *item_) return complain("an item is done that is not open");
    if (part_open_) complain("an item ends with its part open");
    if (!full_) complain("an item ends without its text");
    items_.push(item);
    item_.reset();
  }

  void ended(const std::string& type, const Json& json) {
    over_ = true;
    if (item_) complain("the stream ends with an item open");
    out_.response = member(json, "response");
    out_.failed = type == "response.failed";
    if ("response." + text_at(out_.response, "status") != type) complain("status at " + type);
    if (!(member(out_.response, "output") == items_)) complain("output is not the items that were done");
    if (out_.failed != member(out_.response, "error").is_object()) complain("error at " + type);
    if (!out_.failed && !member(out_.response, "usage").is_object()) complain("no usage");
  }

  void complain(std::string what) { out_.complaints.push_back(std::move(what)); }

  ResponseStream out_;
  std::int64_t expected_number_ = 0;
  bool over_ = false;
  std::optional<std::string> item_, full_;
  std::string joined_;
  bool part_open_ = false;
  Json items_ = Json::array();
};

}  // namespace

ResponseStream read_response_stream(std::string_view bytes) {
  Checker checker;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find("\n\n");
    std::string_view block = bytes.substr(0, end);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 2);
    const std::size_t line = block.find('\n');
    if (block.starts_with(": ") && line == std::string_view::npos) continue;  // a comment is for nobody
    if (!block.starts_with("event: ") || line == std::string_view::npos ||
        !block.substr(line + 1).starts_with("data: ")) {
      checker.event("", "");
      continue;
    }
    checker.event(block.substr(7, line - 7), block.substr(line + 7));
  }
  return checker.finish();
}

}  // namespace hearth::test
