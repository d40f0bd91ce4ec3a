// hearth write: drafts of a text after a brief, in somebody's voice.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "hearth/base/digest.h"
#include "hearth/base/utf8.h"
#include "hearth/cli/chat_setup.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/server_connection.h"
#include "hearth/cli/verbs.h"
#include "hearth/cli/write_voice.h"
#include "hearth/session/chat_turn.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t brief_bytes_max = 4u << 20;
constexpr std::uint32_t drafts_max = 64;

struct WriteFlags {
  std::string brief, mode = "chat";
  std::filesystem::path brief_file, samples, profile, avoid, output;
  std::vector<std::string> bans;
  std::uint32_t drafts = 3, tokens = 2'000, seed = 1;
  double temperature = 0.9;
  ServerWish server{.server = "http://127.0.0.1:8484", .model = {}, .serve_flags = {}, .label = "open", .session = {}, .pin_owner = {}};
  bool no_read_ahead = false;
  bool json = false;
};

Result<std::string> read_brief(const WriteFlags& flags) {
  std::string brief = flags.brief;
  if (!flags.brief_file.empty()) brief = TRY(read_text_file(flags.brief_file, brief_bytes_max));
  if (brief.empty()) return fail(Code::invalid_argument, "no brief: say what to write, or name a file with -f");
  if (!is_valid_utf8(brief)) return fail(Code::invalid_argument, "the brief is not UTF-8; convert it with iconv");
  return brief;
}

Result<session::DraftOrder> read_order(const WriteFlags& flags, const Voice& voice) {
  session::DraftOrder out{.brief = TRY(read_brief(flags)), .continues = flags.mode == "continue", .samples = voice.samples,
                          .banned = voice.avoid, .model = "any", .tokens_max = flags.tokens, .temperature = flags.temperature,
                          .seed = flags.seed};
  if (!flags.avoid.empty()) {
    const auto list = TRY(read_text_file(flags.avoid, brief_bytes_max));
    for (std::string& phrase : session::read_phrases(list)) out.banned.push_back(std::move(phrase));
  }
  out.banned.insert(out.banned.end(), flags.bans.begin(), flags.bans.end());
  if (out.banned.size() > session::bans_max) {
    return fail(Code::invalid_argument, fmt::format("{} banned phrases, at most {} can be", out.banned.size(), session::bans_max));
  }
  if (flags.drafts == 0 || flags.drafts > drafts_max) {
    return fail(Code::invalid_argument, fmt::format("--drafts: {} is not from 1 to {}", flags.drafts, drafts_max));
  }
  return out;
}

// The samples are the same for every draft and every brief: read once, and kept.
void read_samples_ahead(const session::DraftOrder& order, ServerConnection& connection, Progress& progress, const StopToken& stop) {
  if (order.continues || order.samples.empty()) return;
  chat::Conversation opening = session::draft_request(order, "").conversation;
  opening.messages.resize(1);
  session::AskOptions ask;
  ask.model = order.model;
  ask.thinking = false;
  const auto usage = session::read_ahead(opening, *connection.pinned, ask, [&](double done) { progress.update("reading", done); }, stop);
  if (!usage && !stop.stop_requested()) fmt::print(stderr, "hearth: samples were not read ahead: {}\n", usage.error().message);
}

Json draft_json(const session::Draft& draft, const session::DraftVerdict& verdict, std::size_t rank) {
  Json passed = Json::array();
  for (const std::string& phrase : draft.passed) passed.push(phrase);
  return Json::object({{"rank", rank}, {"seed", draft.seed}, {"text", draft.text}, {"complete", draft.is_complete},
                       {"retries", draft.retries}, {"banned_left", std::move(passed)}, {"prompt_tokens", draft.prompt_tokens},
                       {"cached_tokens", draft.cached_tokens}, {"score", verdict.score}, {"copied_words", verdict.copied_words},
                       {"copied_share", verdict.copied_share}, {"voice", verdict.details}});
}

Result<> save(const WriteFlags& flags, const std::vector<session::Draft>& drafts, const std::vector<std::size_t>& order) {
  const auto files = real_file_system();
  TRY(files->create_directories(flags.output));
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto path = flags.output / fmt::format("draft-{:02}.md", rank + 1);
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return fail(Code::invalid_argument, path.string() + " is there already; choose another folder");
    const std::string text = drafts[order[rank]].text + "\n";
    const ByteSpan part = as_byte_span(text);
    TRY(files->write_atomically(path, std::span(&part, 1), Durability::survives_process));
  }
  return {};
}

void show(const WriteFlags& flags, const std::vector<session::Draft>& drafts, const std::vector<session::DraftVerdict>& verdicts,
          const std::vector<std::size_t>& order, bool judged) {
  if (flags.json) {
    Json list = Json::array();
    for (std::size_t rank = 0; rank < order.size(); ++rank) list.push(draft_json(drafts[order[rank]], verdicts[order[rank]], rank + 1));
    std::puts(dump_json(Json::object({{"judged", judged}, {"drafts", std::move(list)}}), 2).c_str());
    return;
  }
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const session::Draft& draft = drafts[order[rank]];
    const session::DraftVerdict& verdict = verdicts[order[rank]];
    std::string line = fmt::format("draft {} (seed {})", rank + 1, draft.seed);
    if (judged) line += fmt::format(", score {:.3f}, longest copy {} words", verdict.score, verdict.copied_words);
    if (draft.retries > 0) line += fmt::format(", {} times back before a banned phrase", draft.retries);
    if (!draft.passed.empty()) line += fmt::format(", could not avoid: {}", fmt::join(draft.passed, ", "));
    if (!draft.is_complete) line += ", ended at its limit";
    fmt::print(stderr, "{}\n", line);
  }
  if (flags.output.empty()) fmt::print("{}\n", drafts[order.front()].text);
}

int write(const WriteFlags& flags, const StopToken& stop) {
  const auto voice = load_voice(flags.samples, flags.profile);
  if (!voice) return report(voice.error());
  auto order = read_order(flags, *voice);
  if (!order) return report(order.error());
  ServerWish wish = flags.server;
  // The KV of samples that an adapter read is kept beside that of the model as it is.
  const std::string key = voice->digest.hex() + wish.adapter;
  const Digest256 kept_as = wish.adapter.empty() ? voice->digest : blake2b(as_byte_span(key));
  wish.pin_owner = voice->samples.empty() ? std::string() : "voice-" + kept_as.short_hex();
  auto connection = ServerConnection::open(wish, stop);
  if (!connection) return report(connection.error());
  if (!connection->model.empty()) order->model = connection->model;
  Progress progress(flags.json);
  if (!flags.no_read_ahead) read_samples_ahead(*order, *connection, progress, stop);
  std::vector<session::Draft> drafts;
  std::vector<session::DraftVerdict> verdicts;
  for (std::uint32_t i = 0; i < flags.drafts; ++i) {
    const auto told = [&](std::size_t words) {
      progress.update(fmt::format("draft {} of {}, {} words", i + 1, flags.drafts, words), static_cast<double>(i) / flags.drafts);
    };
    auto draft = session::write_draft(*connection->answers, *order, flags.seed + 1'000 * i, told, stop);
    if (!draft) {
      if (stop.stop_requested()) return exit_interrupted;
      return report({Code::unavailable, draft.error().message});
    }
    verdicts.push_back(voice->judge ? voice->judge(fmt::format("draft {}", i + 1), draft->text) : session::DraftVerdict{});
    drafts.push_back(*std::move(draft));
  }
  progress.clear();
  const auto ranked = session::rank_drafts(drafts, verdicts);
  if (!flags.output.empty()) {
    if (const auto saved = save(flags, drafts, ranked); !saved) return report(saved.error());
  }
  show(flags, drafts, verdicts, ranked, static_cast<bool>(voice->judge));
  return exit_done;
}

}  // namespace

Verb write_verb(StopToken stop) {
  const auto flags = std::make_shared<WriteFlags>();  // shared by declare and run
  return {.name = "write",
          .summary = "drafts of a text after a brief, in somebody's voice",
          .example = "hearth write \"A letter to my sister about the move\" --samples ~/letters --drafts 5",
          .declare =
              [flags](Flags& f) {
                f.text("brief", flags->brief, "what to write; with --mode continue: how it begins");
                f.path("-f,--file", flags->brief_file, "the brief from a file");
                f.choice("--mode", flags->mode, {"chat", "continue"}, "ask for the text, or go on with it as it stands");
                f.path("--samples", flags->samples, "folder of texts in the voice wanted: what the model reads first");
                f.path("--profile", flags->profile, "instead: a file of hearth voice build; it judges the drafts and says what to avoid");
                f.list("--ban", flags->bans, "a phrase that must not come; may be repeated");
                f.path("--avoid", flags->avoid, "file of such phrases, one a line");
                f.count("--drafts", flags->drafts, "how many; the best is first");
                f.count("--tokens,-n", flags->tokens, "most tokens of a draft");
                f.number("--temperature", flags->temperature, "how bold");
                f.count("--seed", flags->seed, "the same seed and server give the same drafts");
                f.text("--server", flags->server.server, "a running hearth serve; HEARTH_API_KEY is its key");
                f.path("--model,-m", flags->server.model, "a GGUF file: start a server for this");
                f.list("--serve-flag", flags->server.serve_flags, "with --model: a flag for that server, as in --serve-flag=--context=131072");
                f.text("--adapter", flags->server.adapter, "one of the server's adapters (hearth serve --lora) to write with");
                f.choice("--label", flags->server.label, {"open", "house", "sealed"}, "how far the work may travel");
                f.path("--output,-o", flags->output, "a folder for draft-01.md, draft-02.md, ...");
                f.toggle("--no-read-ahead", flags->no_read_ahead, "do not have the samples' KV kept");
                f.toggle("--json", flags->json, "one JSON document");
              },
          .run = [flags, stop] { return write(*flags, stop); }};
}

}  // namespace hearth::cli
