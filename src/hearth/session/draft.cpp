#include "hearth/session/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace hearth::session {
namespace {

constexpr Duration head_time_max = std::chrono::minutes(60);
constexpr Duration read_time = std::chrono::seconds(60);
constexpr std::string_view separator = "\n\n* * *\n\n";
constexpr std::string_view task =
    "You write drafts for the person whose texts stand below. Write as they write: their words, their sentences, their "
    "rhythm. Repeat none of these texts. Answer with the draft alone, without a word before or after it.\n";

chat::Message message(chat::Role role, std::string text) {
  chat::Message out;
  out.role = role;
  out.text = std::move(text);
  return out;
}

std::size_t words_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return c == ' ' || c == '\n'; }));
}

class Writer {
 public:
  Writer(upstream::Endpoint& endpoint, const DraftOrder& order, std::uint32_t seed,
         const std::function<void(std::size_t)>& progress, const StopToken& stop)
      : endpoint_(endpoint), order_(order), progress_(progress), stop_(stop), bans_(order.banned), text_(bans_, {}) {
    out_.seed = seed;
  }

  chat::ApiResult<Draft> run() {
    for (;;) {
      const bool over = TRY(ask());
      if (over) break;
    }
    out_.text = text_.text();
    out_.retries = text_.retries();
    out_.passed = text_.passed();
    return std::move(out_);
  }

 private:
  // One stream, until it ends or a banned phrase comes. True: the draft is over.
  chat::ApiResult<bool> ask() {
    chat::ChatRequest request = draft_request(order_, text_.text());
    const std::uint32_t room = order_.tokens_max - std::min(order_.tokens_max, written_tokens());
    if (room == 0) return true;
    request.tokens_max = room;
    request.sampling.temperature = order_.temperature + 0.1 * std::min(text_.tries_here(), 8);
    request.sampling.seed = out_.seed + static_cast<std::uint32_t>(text_.retries());
    const auto stream = TRY(endpoint_.ask(request, Deadline::after(head_time_max), stop_));
    for (;;) {
      const auto arrival = TRY(stream->next(Deadline::after(read_time)));
      if (!arrival) continue;
      if (const auto* piece = std::get_if<upstream::Piece>(&arrival->what)) {
        if (piece->event.kind != chat::AnswerEvent::Kind::text) continue;
        ++pieces_;
        if (text_.take(piece->event.text) == BannedDraft::Step::again) return false;
        progress_(words_in(text_.text()));
      } else if (const auto* last = std::get_if<upstream::Answered>(&arrival->what)) {
        return take_end(last->end);
      }
    }
  }

  chat::ApiResult<bool> take_end(const chat::AnswerEnd& end) {
    out_.prompt_tokens = end.usage.prompt_tokens;
    out_.cached_tokens = end.usage.cached_tokens;
    out_.answer_tokens += end.usage.answer_tokens;
    out_.is_complete = end.reason == chat::AnswerEnd::Reason::end_turn;
    return text_.finish() == BannedDraft::Step::go_on;
  }

  // Streams that were left tell no count; their pieces are about as many.
  std::uint32_t written_tokens() const { return std::max(out_.answer_tokens, pieces_); }

  upstream::Endpoint& endpoint_;
  const DraftOrder& order_;
  const std::function<void(std::size_t)>& progress_;
  const StopToken& stop_;
  const PhraseBans bans_;
  BannedDraft text_;
  std::uint32_t pieces_ = 0;
  Draft out_;
};

}  // namespace

chat::ChatRequest draft_request(const DraftOrder& order, const std::string& written) {
  chat::ChatRequest out;
  out.model = order.model;
  out.stream = true;
  if (order.continues) {
    std::string prompt;
    for (const WritingSample& sample : order.samples) prompt += sample.text + std::string(separator);
    out.raw_prompt = prompt + order.brief + written;
    return out;
  }
  std::string prefix(task);
  for (const WritingSample& sample : order.samples) {
    prefix += fmt::format("\n<text name=\"{}\">\n{}\n</text>\n", sample.name, sample.text);
  }
  out.conversation.messages.push_back(message(chat::Role::system, std::move(prefix)));
  out.conversation.messages.push_back(message(chat::Role::user, order.brief));
  out.thinking = false;
  if (written.empty()) return out;
  out.conversation.messages.push_back(message(chat::Role::assistant, written));
  out.continues_last = true;
  return out;
}

chat::ApiResult<Draft> write_draft(upstream::Endpoint& endpoint, const DraftOrder& order, std::uint32_t seed,
                                   const std::function<void(std::size_t)>& progress, const StopToken& stop) {
  return Writer(endpoint, order, seed, progress, stop).run();
}

std::vector<std::size_t> rank_drafts(const std::vector<Draft>& drafts, const std::vector<DraftVerdict>& verdicts) {
  std::vector<std::size_t> out(drafts.size());
  std::iota(out.begin(), out.end(), 0);
  const auto key = [&](std::size_t i) {
    const double score = std::isnan(verdicts[i].score) ? -1e9 : verdicts[i].score;
    return std::tuple(verdicts[i].copied_words >= copied_words_max, drafts[i].passed.size(), -score);
  };
  std::ranges::stable_sort(out, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return out;
}

}  // namespace hearth::session
