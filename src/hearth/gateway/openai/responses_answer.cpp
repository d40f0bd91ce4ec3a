#include "hearth/gateway/openai/responses_answer.h"

#include <optional>

#include "hearth/gateway/openai/errors.h"
#include "hearth/gateway/openai/generation.h"
#include "hearth/gateway/openai/logprobs.h"
#include "hearth/gateway/openai/responses_items.h"
#include "hearth/gateway/openai/responses_request.h"
#include "hearth/gateway/openai/tools.h"
#include "hearth/gateway/openai/usage.h"
#include "hearth/gateway/pieces.h"
#include "hearth/net/sse.h"

namespace hearth::gateway::openai {
namespace {

using Kind = OutputItem::Kind;

Json find_or_null(const Json& extra, std::string_view key) {
  const Json* found = extra.find(key);
  return found != nullptr ? *found : Json();
}

// The arguments of a custom tool are our own form around one text. A model that wrote the text alone,
// or another form, is taken at its word.
std::string custom_input(const std::string& arguments) {
  chat::ToolCall call;
  set_arguments(call, arguments);
  chat::restore_unparsed_input(call);
  if (!call.raw_arguments.empty()) return call.raw_arguments;
  const Json* input = call.arguments.find("input");
  return input != nullptr && input->is_string() ? input->as_string() : arguments;
}

class ResponsesWriter final : public AnswerWriter {
 public:
  ResponsesWriter(const AnswerInfo& info, const ChatRequest& request)
      : info_(info),
        head_(response_head(info, request)),
        custom_(find_or_null(request.extra, custom_tools_key)),
        grouped_(find_or_null(request.extra, grouped_tools_key)),
        as_summary_(request.extra.find(summary_key) != nullptr),
        logprobs_(request.logprobs) {}

  void begin(const Usage&, std::string& out) override {
    send("response.created", {{"response", response_json("in_progress")}}, out);
    send("response.in_progress", {{"response", response_json("in_progress")}}, out);
  }

  // The one event that Codex and the libraries take at any time and as often as it comes.
  void heartbeat(const PromptRead& read, std::string& out) override {
    out += reading_comment(read);
    send("response.in_progress", {{"response", response_json("in_progress")}}, out);
  }

  void event(const AnswerEvent& event, std::string& out) override {
    switch (event.kind) {
      case AnswerEvent::Kind::thinking: return thinking(event.text, out);
      case AnswerEvent::Kind::text: return text(event, out);
      case AnswerEvent::Kind::call: return call(event, out);
    }
  }

  void end(const AnswerEnd& end, std::string& out) override {
    const bool cut = end.reason == AnswerEnd::Reason::tokens_max;
    close(cut ? "incomplete" : "completed", out);
    send(cut ? "response.incomplete" : "response.completed", {{"response", ended_json(end)}}, out);
  }

  void error(const ApiError& error, std::string& out) override {
    close("incomplete", out);
    Json response = response_json("failed");
    response.set("error", failure_json(error));
    send("response.failed", {{"response", std::move(response)}}, out);
  }

  // After end(): what its event carried.
  Json ended_json(const AnswerEnd& end) const {
    const bool cut = end.reason == AnswerEnd::Reason::tokens_max;
    Json response = response_json(cut ? "incomplete" : "completed");
    if (cut) {
      response.set("incomplete_details", Json::object({{"reason", "max_output_tokens"}}));
    }
    response.set("usage", response_usage_json(end.usage));
    return response;
  }

 private:
  Json response_json(std::string_view status) const {
    Json out = head_;
    out.set("status", status);
    out.set("error", nullptr);
    out.set("incomplete_details", nullptr);
    out.set("output", output_);
    out.set("usage", nullptr);
    return out;
  }

  void send(std::string_view type, Json::Object members, std::string& out) {
    Json data = Json::object({{"type", type}, {"sequence_number", sequence_number_++}});
    for (auto& [key, value] : members) data.set(std::move(key), std::move(value));
    out += net::sse_event(type, dump_json(data));
  }

  // An event inside the open item's one part.
  void send_in_part(std::string_view type, Json::Object members, std::string& out) {
    Json::Object all = {{"item_id", item_->id}, {"output_index", output_index()}};
    if (item_->kind == Kind::reasoning && item_->as_summary) all.emplace_back("summary_index", 0);
    if (item_->kind == Kind::message || (item_->kind == Kind::reasoning && !item_->as_summary)) {
      all.emplace_back("content_index", 0);
    }
    for (auto& member : members) all.push_back(std::move(member));
    send(type, std::move(all), out);
  }

  std::size_t output_index() const { return output_.as_array().size(); }

  struct PartWords {
    std::string_view part;   // PART.added, PART.done
    std::string_view delta;  // DELTA.delta, DELTA.done
  };
  PartWords words() const {
    if (item_->kind == Kind::message) return {"response.content_part", "response.output_text"};
    if (item_->as_summary) return {"response.reasoning_summary_part", "response.reasoning_summary_text"};
    return {"response.content_part", "response.reasoning_text"};
  }

  void open(OutputItem item, std::string_view id_prefix, std::string& out) {
    close("completed", out);
    item.id = item_id(id_prefix, info_.id, output_index());
    item_ = std::move(item);
    send("response.output_item.added",
         {{"output_index", output_index()}, {"item", item_json(*item_, "in_progress")}}, out);
  }

  void open_part(Kind kind, std::string_view id_prefix, std::string& out) {
    if (item_ && item_->kind == kind) return;
    OutputItem item;
    item.kind = kind;
    item.as_summary = kind == Kind::reasoning && as_summary_;
    open(std::move(item), id_prefix, out);
    send_in_part(std::string(words().part) + ".added", {{"part", part_json(*item_, "")}}, out);
  }

  void thinking(const std::string& piece, std::string& out) {
    if (piece.empty()) return;
    open_part(Kind::reasoning, "rs", out);
    item_->text += piece;
    send_in_part(std::string(words().delta) + ".delta", {{"delta", piece}}, out);
  }

  void text(const AnswerEvent& event, std::string& out) {
    if (event.text.empty()) return;
    open_part(Kind::message, "msg", out);
    item_->text += event.text;
    Json logprobs = Json::array();
    if (logprobs_ != logprobs_off) logprobs = token_list_json(event.choices, logprobs_);
    for (const Json& token : logprobs.as_array()) item_->logprobs.push(token);
    send_in_part("response.output_text.delta",
                 {{"delta", event.text}, {"logprobs", std::move(logprobs)}}, out);
  }

  void call(const AnswerEvent& event, std::string& out) {
    OutputItem item = call_item(event);
    const std::string text = std::exchange(item.text, {});
    const bool custom = item.kind == Kind::custom_call;
    const std::string words =
        custom ? "response.custom_tool_call_input" : "response.function_call_arguments";
    open(std::move(item), custom ? "ctc" : "fc", out);
    item_->text = text;
    for (std::string_view rest = text; !rest.empty();) {
      send_in_part(words + ".delta", {{"delta", take_piece(rest)}}, out);
    }
    Json::Object done = {{custom ? "input" : "arguments", text}};
    if (!custom) done.emplace_back("name", item_->name);
    send_in_part(words + ".done", std::move(done), out);
    close("completed", out);
  }

  OutputItem call_item(const AnswerEvent& event) const {
    OutputItem item;
    item.kind = Kind::function_call;
    item.call_id = event.id;
    item.name = event.name;
    item.text = event.text;
    if (const Json* parts = grouped_.find(event.name)) {
      item.group = parts->as_array().at(0).as_string();
      item.name = parts->as_array().at(1).as_string();
    }
    if (custom_.find(event.name) == nullptr) return item;
    item.kind = Kind::custom_call;
    item.text = custom_input(event.text);
    return item;
  }

  void close(std::string_view status, std::string& out) {
    if (!item_) return;
    if (item_->kind == Kind::message || item_->kind == Kind::reasoning) close_part(out);
    Json done = item_json(*item_, status);
    send("response.output_item.done", {{"output_index", output_index()}, {"item", done}}, out);
    output_.push(std::move(done));
    item_.reset();
  }

  void close_part(std::string& out) {
    if (item_->kind == Kind::reasoning) item_->handle = info_.handle;
    Json::Object done = {{"text", item_->text}};
    if (item_->kind == Kind::message) done.emplace_back("logprobs", item_->logprobs);
    send_in_part(std::string(words().delta) + ".done", std::move(done), out);
    send_in_part(std::string(words().part) + ".done", {{"part", part_json(*item_, item_->text)}}, out);
  }

  const AnswerInfo info_;
  const Json head_;
  const Json custom_, grouped_;
  const bool as_summary_;
  const int logprobs_;
  std::uint64_t sequence_number_ = 0;
  Json output_ = Json::array();      // items that are done
  std::optional<OutputItem> item_;  // the open one
};

}  // namespace

std::unique_ptr<AnswerWriter> make_responses_writer(const AnswerInfo& info,
                                                    const ChatRequest& request) {
  return std::make_unique<ResponsesWriter>(info, request);
}

Json whole_response(const AnswerInfo& info, const ChatRequest& request, const WholeAnswer& answer) {
  ResponsesWriter writer(info, request);
  std::string ignored;
  for (const AnswerEvent& event : answer.events) writer.event(event, ignored);
  writer.end(answer.end, ignored);
  return writer.ended_json(answer.end);
}

}  // namespace hearth::gateway::openai
