#include "tests/support/scripted_model.h"

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/utf8.h"
#include "hearth/engine/text_assembler.h"

namespace hearth::test {
namespace {

constexpr Token first_marker = 256;
constexpr Duration patience = std::chrono::seconds(20);
// As a worker: a sequence is continued in place when little of it is lost.
constexpr double lost_share_max = 0.25;

std::uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::uint32_t>(end - a.begin());
}

}  // namespace

void Gate::open() {
  const std::lock_guard hold(mutex_);
  open_ = true;
  changed_.notify_all();
}

void Gate::allow(std::size_t steps) {
  const std::lock_guard hold(mutex_);
  allowed_ += steps;
  changed_.notify_all();
}

bool Gate::pass(Deadline deadline) {
  std::unique_lock hold(mutex_);
  const Instant until = std::min(deadline.when(), Deadline::after(patience).when());
  if (!changed_.wait_until(hold, until, [&] { return open_ || allowed_ > 0; })) return false;
  if (!open_) --allowed_;
  return true;
}

// --- one answer

class ScriptedModel::Stream final : public engine::AnswerStream {
 public:
  Stream(ScriptedModel& model, ScriptedAnswer answer, engine::GenerateRequest request,
         std::pair<std::size_t, std::uint32_t> place, StopToken stop)
      : model_(model), answer_(std::move(answer)), request_(std::move(request)),
        slot_(place.first), reused_(place.second), done_(place.second), stop_(std::move(stop)),
        text_(request_.stop_strings) {}

  ~Stream() override {
    std::vector<Token> held = request_.prompt;
    held.resize(std::min<std::size_t>(held.size(), done_));
    if (prompt_done_) held.insert(held.end(), answer_.tokens.begin(), answer_.tokens.begin() + given_);
    model_.keep(slot_, std::move(held));
    model_.count(over_ ? &Counts::finished : &Counts::cancelled);
  }

  Result<engine::JobEvent> next(Deadline deadline) override {
    CHECK(!over_);
    if (stop_.stop_requested()) return fail(Code::cancelled, "the caller went away");
    if (!model_.is_ready()) return engine::JobEvent(died());
    if (!prompt_done_) return read_prompt(deadline);
    if (answer_.token_gate && !answer_.token_gate->pass(deadline)) return not_yet();
    const auto tokens = static_cast<std::ptrdiff_t>(answer_.tokens.size());
    if (given_ == tokens) return engine::JobEvent(end());
    if (given_ == static_cast<std::ptrdiff_t>(request_.tokens_max)) {
      return finish(engine::FinishReason::token_limit);
    }
    return token(answer_.tokens[static_cast<std::size_t>(given_++)]);
  }

 private:
  static std::unexpected<Error> not_yet() { return fail(Code::timed_out, "nothing came yet"); }

  Error died() {
    over_ = true;
    return Error{Code::unavailable, "the worker ended"};
  }

  // All but the last token in slices; the last is the answer's first step.
  Result<engine::JobEvent> read_prompt(Deadline deadline) {
    const auto target = static_cast<std::uint32_t>(request_.prompt.size()) - 1;
    const auto progress = [&] {
      return engine::JobEvent(engine::PromptProgress{
          .tokens_done = done_, .tokens_total = target, .reused_tokens = reused_});
    };
    if (!std::exchange(placed_, true)) return progress();
    if (done_ < target) {
      if (answer_.prompt_gate && !answer_.prompt_gate->pass(deadline)) return not_yet();
      done_ += std::min(model_.options_.slice_tokens, target - done_);
      return progress();
    }
    prompt_done_ = true;
    done_ = target + 1;
    return engine::JobEvent(engine::PromptDone{.prompt_tokens = target + 1,
                                               .reused_tokens = reused_,
                                               .computed_tokens = target - reused_});
  }

  Result<engine::JobEvent> token(Token token) {
    engine::TokenDone out{.token = token};
    const std::string piece = model_.text_of(std::span(&token, 1));
    out.text = text_.add(piece);
    if (request_.logprobs > 0) {
      out.piece = piece;
      out.logprob = -0.5;
      out.top.push_back({token, -0.5, piece});
    }
    return engine::JobEvent(std::move(out));
  }

  engine::JobEvent end() {
    if (!answer_.death) return *finish(answer_.finish);
    over_ = true;
    return *answer_.death;
  }

  Result<engine::JobEvent> finish(engine::FinishReason reason) {
    over_ = true;
    return engine::JobEvent(engine::Finished{.reason = reason, .text = text_.finish(),
                                             .answer_tokens = static_cast<std::uint32_t>(given_)});
  }

  ScriptedModel& model_;
  const ScriptedAnswer answer_;
  const engine::GenerateRequest request_;
  const std::size_t slot_;
  const std::uint32_t reused_;
  std::uint32_t done_;
  const StopToken stop_;
  engine::TextAssembler text_;
  std::ptrdiff_t given_ = 0;
  bool placed_ = false;
  bool prompt_done_ = false;
  bool over_ = false;
};

// --- the model

ScriptedModel::ScriptedModel(const chat::Format* format, ScriptedModelOptions options)
    : options_(std::move(options)), slots_(options_.facts.limits.sequences) {
  if (format != nullptr) {
    for (const std::string_view marker : format->markers()) markers_.emplace_back(marker);
  }
  options_.facts.limits.vocabulary = static_cast<std::uint32_t>(first_marker) +
                                     static_cast<std::uint32_t>(markers_.size());
}

ScriptedModel::~ScriptedModel() = default;

void ScriptedModel::script(ScriptedAnswer answer) {
  const std::lock_guard hold(mutex_);
  script_.push_back(std::move(answer));
}

void ScriptedModel::set_fallback(ScriptedAnswer answer) {
  const std::lock_guard hold(mutex_);
  fallback_ = std::move(answer);
}

void ScriptedModel::set_ready(bool ready) {
  const std::lock_guard hold(mutex_);
  ready_ = ready;
}

void ScriptedModel::set_stall(std::optional<engine::ModelStall> found) {
  const std::lock_guard hold(mutex_);
  stall_ = std::move(found);
}

std::vector<engine::GenerateRequest> ScriptedModel::requests() const {
  const std::lock_guard hold(mutex_);
  return requests_;
}

engine::GenerateRequest ScriptedModel::last_request() const {
  const std::lock_guard hold(mutex_);
  CHECK(!requests_.empty());
  return requests_.back();
}

std::size_t ScriptedModel::tokenize_calls() const {
  const std::lock_guard hold(mutex_);
  return tokenize_calls_;
}

ScriptedModel::Counts ScriptedModel::counts() const {
  const std::lock_guard hold(mutex_);
  return counts_;
}

bool ScriptedModel::wait_for(const std::function<bool(const Counts&)>& condition) const {
  std::unique_lock hold(mutex_);
  return changed_.wait_for(hold, patience, [&] { return condition(counts_); });
}

void ScriptedModel::count(std::size_t Counts::*which) {
  const std::lock_guard hold(mutex_);
  ++(counts_.*which);
  changed_.notify_all();
}

std::optional<Token> ScriptedModel::marker(std::string_view text) const {
  const auto found = std::ranges::find(markers_, text);
  if (found == markers_.end()) return {};
  return first_marker + static_cast<Token>(found - markers_.begin());
}

std::vector<Token> ScriptedModel::tokens_of(std::string_view text, bool special) const {
  std::vector<Token> out;
  while (!text.empty()) {
    std::size_t length = 0;
    Token longest = static_cast<unsigned char>(text[0]);
    for (std::size_t i = 0; i < markers_.size(); ++i) {
      const std::string& spelled = markers_[i];
      const bool counts = special || std::ranges::find(options_.added_markers, spelled) !=
                                         options_.added_markers.end();
      if (!counts || spelled.size() <= length || !text.starts_with(spelled)) continue;
      length = spelled.size();
      longest = first_marker + static_cast<Token>(i);
    }
    out.push_back(longest);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string ScriptedModel::text_of(std::span<const Token> tokens) const {
  std::string out;
  for (const Token token : tokens) {
    if (token < first_marker) {
      out += static_cast<char>(token);
    } else {
      out += markers_[static_cast<std::size_t>(token - first_marker)];
    }
  }
  return out;
}

bool ScriptedModel::is_ready() const {
  const std::lock_guard hold(mutex_);
  return ready_;
}

std::optional<engine::ModelStall> ScriptedModel::stall() const {
  const std::lock_guard hold(mutex_);
  return stall_;
}

Result<std::vector<Token>> ScriptedModel::tokenize(std::string_view text, bool special,
                                                   const StopToken&) {
  CHECK(is_valid_utf8(text));
  const std::lock_guard hold(mutex_);
  ++tokenize_calls_;
  if (!ready_) return fail(Code::unavailable, "the model is being loaded");
  return tokens_of(text, special);
}

Result<std::unique_ptr<engine::AnswerStream>> ScriptedModel::generate(
    engine::GenerateRequest request, const StopToken& stop) {
  const engine::EngineLimits& limits = options_.facts.limits;
  CHECK(!request.prompt.empty() && request.tokens_max > 0);
  CHECK(request.prompt.size() + request.tokens_max <= limits.context_tokens);
  for (const Token token : request.prompt) {
    CHECK(token >= 0 && token < static_cast<Token>(limits.vocabulary));
  }
  const std::lock_guard hold(mutex_);
  if (!ready_) return fail(Code::unavailable, "the model is being loaded");
  ScriptedAnswer answer = fallback_;
  if (!script_.empty()) {
    answer = std::move(script_.front());
    script_.pop_front();
  }
  requests_.push_back(request);
  if (answer.refusal) return std::unexpected(*answer.refusal);
  std::vector<Token> tokens = tokens_of(answer.text, /*special=*/true);
  tokens.insert(tokens.end(), answer.tokens.begin(), answer.tokens.end());
  answer.tokens = std::move(tokens);
  ++counts_.started;
  changed_.notify_all();
  const auto placed = place(request.prompt);
  return std::make_unique<Stream>(*this, std::move(answer), std::move(request), placed, stop);
}

std::pair<std::size_t, std::uint32_t> ScriptedModel::place(std::span<const Token> prompt) {
  const auto target = static_cast<std::uint32_t>(prompt.size()) - 1;
  std::size_t longest = 0;
  std::size_t oldest = 0;
  std::uint32_t reused = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::uint32_t common = common_prefix(slots_[i].tokens, prompt);
    if (common > reused) {
      reused = common;
      longest = i;
    }
    if (slots_[i].last_used < slots_[oldest].last_used) oldest = i;
  }
  const auto held = static_cast<double>(slots_[longest].tokens.size());
  const bool in_place = reused > 0 && held - reused <= lost_share_max * held;
  const std::size_t chosen = in_place ? longest : oldest;
  slots_[chosen].last_used = ++use_counter_;
  return {chosen, std::min(reused, target)};
}

void ScriptedModel::keep(std::size_t slot, std::vector<Token> tokens) {
  const std::lock_guard hold(mutex_);
  slots_[slot].tokens = std::move(tokens);
}

}  // namespace hearth::test
