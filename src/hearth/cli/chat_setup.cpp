#include "hearth/cli/chat_setup.h"

#include <fmt/format.h>

#include <chrono>

#include "hearth/base/utf8.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/memory_place.h"
#include "hearth/cli/server_connection.h"
#include "hearth/cli/terminal_screen.h"
#include "hearth/cli/vault_codec.h"
#include "hearth/net/http_client.h"
#include "hearth/net/http_error.h"
#include "hearth/net/url.h"
#include "hearth/session/chat_loop.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t instructions_bytes_max = 4u << 20;
constexpr Duration look_time = std::chrono::seconds(10);
constexpr Duration forget_time = std::chrono::seconds(90);  // what is under way is written first

Result<std::string> instructions(const ChatFlags& flags) {
  if (flags.instructions_file.empty()) return flags.instructions;
  auto text = TRY(read_text_file(flags.instructions_file, instructions_bytes_max));
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos) {
    return fail(Code::invalid_argument, fmt::format("{} is not UTF-8 at byte {}", flags.instructions_file.string(), bad));
  }
  return text;
}

session::AskOptions ask_options(const ChatFlags& flags, const std::string& model) {
  session::AskOptions out;
  if (!model.empty()) out.model = model;
  out.thinking = flags.thinking != "off";
  if (flags.tokens_max > 0) out.tokens_max = flags.tokens_max;
  if (flags.temperature >= 0) out.sampling.temperature = flags.temperature;
  if (flags.seed > 0) out.sampling.seed = flags.seed;
  return out;
}

Result<std::string> delete_at(const std::string& server, std::string target, net::Headers headers, Duration time, const StopToken& stop) {
  const net::Url url = TRY(net::parse_url(server));
  net::ClientRequest request{.method = "DELETE", .address = url.address, .target = std::move(target), .headers = std::move(headers), .body = {}};
  if (const std::string key = api_key_variable(); !key.empty()) request.headers.set("Authorization", "Bearer " + key);
  const auto http = net::make_curl_client();
  const auto reply = TRY(http->send(request, Deadline::after(time), stop));
  if (reply.status >= 300) return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), server));
  return std::string(as_text(reply.body.span()));
}

}  // namespace

std::int64_t unix_time_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void declare_session_flags(Flags& f, ChatFlags& flags) {
  f.path("--memory", flags.memory, "folder of Markdown files that the model knows, or vault:NAME (default: memory in the configuration directory)");
  f.toggle("--no-memory", flags.no_memory, "a session without memory");
  f.toggle("--no-memory-tool", flags.no_memory_tool, "the model reads memory and cannot change it");
  f.text("--instructions", flags.instructions, "what the model is told before everything else");
  f.path("--instructions-file", flags.instructions_file, "the same, from a file");
  f.choice("--label", flags.label, {"open", "house", "sealed"}, "how far the session may travel; it only rises");
  f.text("--title", flags.title, "what it is about");
  f.text("--adapter", flags.adapter, "one of the server's adapters (hearth serve --lora), for all answers of the session");
}

void declare_talk_flags(Flags& f, ChatFlags& flags) {
  f.text("--server", flags.server, "a running hearth serve; HEARTH_API_KEY is its key");
  f.path("--model,-m", flags.model, "a GGUF file: start a server for this chat");
  f.list("--serve-flag", flags.serve_flags, "with --model: a flag for that server, as in --serve-flag=--context=131072");
  f.choice("--thinking", flags.thinking, {"shown", "hidden", "off"}, "what the model thinks before it answers");
  f.count("--tokens,-n", flags.tokens_max, "most tokens of an answer; 0: to the end of the window");
  f.number("--temperature", flags.temperature, "below 0: what the model's makers recommend");
  f.count("--seed", flags.seed, "0: a new one each time");
  f.toggle("--keep-changes", flags.keep_changes, "leave changes of memory in the session instead of the folder");
  f.toggle("--no-read-ahead", flags.no_read_ahead, "read memory with the first message, not before");
}

Result<std::unique_ptr<session::SessionShelf>> open_shelf() {
  const auto directory = TRY(config_directory());
  std::vector<std::unique_ptr<session::RecordCodec>> codecs;
  codecs.push_back(make_vault_codec());
  return std::make_unique<session::SessionShelf>(directory / "sessions", std::move(codecs));
}

Result<session::Session> new_session(session::SessionShelf& shelf, const ChatFlags& flags) {
  session::SessionFacts facts{.id = flags.session, .title = flags.title, .label = flags.label, .memory_folder = {}, .instructions = {},
                              .memory_tool = !flags.no_memory_tool, .adapter = flags.adapter, .created_s = unix_time_s()};
  if (facts.id.empty()) facts.id = session::time_stamp(facts.created_s);
  facts.instructions = TRY(instructions(flags));
  if (!flags.no_memory) facts.memory_folder = TRY(memory_name(flags.memory));
  TRY(check_memory_label(facts.memory_folder, facts.label));
  session::MemoryFiles files;
  if (!facts.memory_folder.empty()) {
    const auto place = TRY(open_memory(facts.memory_folder));
    files = TRY(place->read());
  }
  auto log = TRY(shelf.create(facts.id, flags.label == "sealed" ? vault_codec_name : "plain"));
  return session::Session::create(std::move(log), std::move(facts), std::move(files));
}

Result<session::Session> load_session(session::SessionShelf& shelf, const std::string& id) {
  auto log = TRY(shelf.open(id));
  const auto text = TRY(shelf.read(id));
  return session::Session::load(std::move(log), text.records);
}

Result<session::Session> look_at_session(const session::SessionShelf& shelf, const std::string& id, std::vector<std::string>* damaged) {
  auto text = TRY(shelf.read(id, damaged != nullptr));
  if (damaged != nullptr) *damaged = std::move(text.damaged);
  return session::Session::load(nullptr, text.records, damaged);
}

Result<> unpin_at(const std::string& server, const std::string& owner, const StopToken& stop) {
  TRY(delete_at(server, "/v1/hearth/pins/" + owner, {}, look_time, stop));
  return {};
}

Result<Json> forget_kv_at(const std::string& server, const std::string& session, const StopToken& stop) {
  return parse_json(TRY(delete_at(server, "/v1/hearth/session", {{"X-Hearth-Session", session}}, forget_time, stop)));
}

int chat_in(session::SessionShelf& shelf, session::Session session, const ChatFlags& flags, InterruptWatcher& interrupts) {
  const session::SessionFacts& facts = session.facts();
  auto connection = ServerConnection::open(
      {.server = flags.server, .model = flags.model, .serve_flags = flags.serve_flags, .label = facts.label, .session = facts.id,
       .pin_owner = facts.memory_folder.empty() ? std::string() : memory_pin_owner(facts), .adapter = facts.adapter},
      interrupts.token());
  if (!connection) return report(connection.error());
  std::unique_ptr<session::MemoryPlace> place;
  if (!facts.memory_folder.empty()) {
    auto opened = open_memory(facts.memory_folder);
    if (!opened) return report(opened.error());
    place = *std::move(opened);
  }
  TerminalScreen screen(interrupts, flags.thinking == "shown");
  session::ChatLoop loop({.shelf = shelf,
                          .answers = *connection->answers,
                          .memory = *connection->pinned,
                          .screen = screen,
                          .place = place.get(),
                          .ask = ask_options(flags, connection->model),
                          .window_tokens = connection->window_tokens,
                          .reads_ahead = !flags.no_read_ahead,
                          .keeps_changes = flags.keep_changes,
                          .now_s = unix_time_s,
                          .stop = interrupts.token()},
                         std::move(session));
  if (const auto done = loop.run(); !done) return report(done.error());
  return loop.had_failure() ? exit_environment : exit_done;
}

}  // namespace hearth::cli
