#include "hearth/gateway/prompt_builder.h"

#include <utility>

#include "hearth/chat/canonical.h"

namespace hearth::gateway {
namespace {

// A client that is told "busy" asks again after this long.
constexpr Duration retry_after = std::chrono::seconds(2);

Digest256 segment_key(const chat::Segment& segment) {
  Blake2b hash;
  hash.update_number(static_cast<std::uint8_t>(segment.kind));
  return hash.update(segment.text).finish();
}

}  // namespace

ApiError api_error(const Error& error) {
  using Kind = ApiError::Kind;
  ApiError out{.kind = Kind::internal, .message = error.message};
  switch (error.code) {
    case Code::invalid_argument:
    case Code::unsupported: out.kind = Kind::invalid_request; break;
    case Code::not_found: out.kind = Kind::not_found; break;
    case Code::permission: out.kind = Kind::permission; break;
    case Code::timed_out: out.kind = Kind::timed_out; break;
    case Code::unavailable:
    case Code::resource_exhausted:
    case Code::cancelled:
      out.kind = Kind::overloaded;
      out.retry_after = retry_after;
      break;
    case Code::corrupt:
    case Code::internal: break;
  }
  return out;
}

const std::vector<Token>* TokenCache::find(const Digest256& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->second;
}

void TokenCache::put(const Digest256& key, std::vector<Token> tokens) {
  if (by_key_.contains(key) || tokens.size() > tokens_max) return;
  held_tokens_ += tokens.size();
  entries_.emplace_front(key, std::move(tokens));
  by_key_[key] = entries_.begin();
  while (held_tokens_ > tokens_max || entries_.size() > entries_max) {
    held_tokens_ -= entries_.back().second.size();
    by_key_.erase(entries_.back().first);
    entries_.pop_back();
  }
}

PromptBuilder::PromptBuilder(engine::ModelService& service, const chat::Format& format)
    : service_(service), format_(format) {}

Result<> PromptBuilder::learn_markers(const StopToken& stop) {
  for (const std::string_view marker : format_.markers()) {
    const auto as_markup = TRY(service_.tokenize(marker, /*special=*/true, stop));
    if (as_markup.size() != 1) continue;
    // A token that plain text also gives is user-defined, not a control token.
    const auto as_text = TRY(service_.tokenize(marker, /*special=*/false, stop));
    const bool added = as_text == as_markup;
    markers_[as_markup.front()] = {std::string(marker),
                                   added ? chat::PieceKind::added : chat::PieceKind::control};
  }
  return {};
}

std::vector<std::string> PromptBuilder::marker_texts() const {
  std::vector<std::string> out;
  for (const auto& [token, marker] : markers_) out.push_back(marker.text);
  return out;
}

std::optional<Token> PromptBuilder::marker_id(std::string_view text) const {
  for (const auto& [token, marker] : markers_) {
    if (marker.text == text) return token;
  }
  return {};
}

void PromptBuilder::add_bos(std::vector<Token>& tokens) const {
  const engine::ModelFacts facts = service_.facts();
  if (!facts.adds_bos || facts.bos_token < 0) return;
  if (!tokens.empty() && tokens.front() == facts.bos_token) return;
  tokens.insert(tokens.begin(), facts.bos_token);
}

ApiResult<Prompt> PromptBuilder::build_raw(const RawPrompt& raw, const StopToken& stop) {
  Prompt prompt;
  if (const auto* ids = std::get_if<std::vector<Token>>(&raw)) {
    const auto vocabulary = static_cast<Token>(service_.facts().limits.vocabulary);
    for (const Token id : *ids) {
      if (id >= 0 && id < vocabulary) continue;
      return std::unexpected(ApiError{
          .kind = ApiError::Kind::invalid_request,
          .message = "prompt: " + std::to_string(id) + " is no token of this model, which has " +
                     std::to_string(vocabulary),
          .field = "prompt"});
    }
    prompt.tokens = *ids;
  } else {
    auto tokens = service_.tokenize(std::get<std::string>(raw), /*special=*/false, stop);
    if (!tokens) return std::unexpected(api_error(tokens.error()));
    prompt.tokens = *std::move(tokens);
    add_bos(prompt.tokens);
  }
  if (prompt.tokens.empty()) {
    return std::unexpected(ApiError{.kind = ApiError::Kind::invalid_request,
                                    .message = "prompt: is empty", .field = "prompt"});
  }
  return prompt;
}

ApiResult<std::vector<Token>> PromptBuilder::tokenize(const chat::Segment& segment,
                                                      const StopToken& stop) {
  const Digest256 key = segment_key(segment);
  {
    const std::lock_guard hold(mutex_);
    if (const auto* known = cache_.find(key)) return *known;
  }
  auto tokens =
      service_.tokenize(segment.text, segment.kind == chat::Segment::Kind::markup, stop);
  if (!tokens) return std::unexpected(api_error(tokens.error()));
  const std::lock_guard hold(mutex_);
  cache_.put(key, *tokens);
  return *std::move(tokens);
}

ApiResult<Prompt> PromptBuilder::build(const ChatRequest& request, bool thinking,
                                       const StopToken& stop) {
  if (request.raw_prompt) return build_raw(*request.raw_prompt, stop);
  auto arranged = chat::arrange(request.conversation);
  if (!arranged) return std::unexpected(api_error(arranged.error()));
  Prompt prompt;
  prompt.conversation = *std::move(arranged);
  chat::canonicalise(prompt.conversation);
  std::string begun;
  if (request.continues_last) {
    begun = std::move(prompt.conversation.messages.back().text);
    prompt.conversation.messages.pop_back();
    prompt.continues_last = true;
    thinking = false;  // it has begun to answer
  }
  for (const chat::Message& message : prompt.conversation.messages) {
    prompt.calls_before += message.calls.size();
  }
  prompt.thinking = format_.can_think() && thinking;

  chat::RenderOptions options;
  options.thinking = prompt.thinking;
  options.memory = &memory_;
  Result<chat::Rendering> rendering = [&] {
    const std::lock_guard hold(mutex_);
    return format_.render(prompt.conversation, options);
  }();
  if (!rendering) return std::unexpected(api_error(rendering.error()));
  prompt.thinking_open = rendering->thinking_open;
  prompt.turns_remembered = rendering->turns_remembered;
  prompt.turns_rendered = rendering->turns_rendered;
  prompt.types_degraded = rendering->types_degraded;
  for (const chat::Segment& segment : rendering->segments) {
    if (segment.kind == chat::Segment::Kind::tokens) {
      prompt.tokens.insert(prompt.tokens.end(), segment.tokens.begin(), segment.tokens.end());
      continue;
    }
    const auto tokens = TRY(tokenize(segment, stop));
    prompt.tokens.insert(prompt.tokens.end(), tokens.begin(), tokens.end());
  }
  if (!begun.empty()) {
    const auto tokens = TRY(tokenize({.kind = chat::Segment::Kind::text, .text = std::move(begun), .tokens = {}}, stop));
    prompt.tokens.insert(prompt.tokens.end(), tokens.begin(), tokens.end());
  }
  add_bos(prompt.tokens);
  return prompt;
}

Result<> PromptBuilder::keep_turns(const std::filesystem::path& file) {
  const engine::ModelFacts facts = service_.facts();
  Blake2b vocabulary;
  vocabulary.update_sized(facts.model_name).update_sized(facts.chat_template).update_sized(format_.name());
  vocabulary.update_number(static_cast<std::uint64_t>(facts.limits.vocabulary));
  auto keeper = TRY(TurnKeeper::open(file, vocabulary.finish().hex()));
  const std::lock_guard hold(mutex_);
  for (chat::KnownTurn& turn : TRY(keeper->read())) memory_.remember(std::move(turn));
  keeper_ = std::move(keeper);
  return {};
}

void PromptBuilder::remember(const Prompt& prompt, const chat::Message& turn, std::vector<Token> tokens,
                             TurnOwner owner) {
  chat::ContextDigest context(prompt.conversation.tools);
  for (const chat::Message& message : prompt.conversation.messages) context.add(message);
  std::vector<Token> whole = prompt.tokens;
  whole.insert(whole.end(), tokens.begin(), tokens.end());
  const std::string user = owner.user;
  auto known = chat::known_turn(context.with(turn), turn, {std::move(tokens), prompt.thinking, std::move(owner.user)},
                                 context.calls());
  if (keeper_ && !owner.is_labelled) keeper_->keep(known);
  const std::lock_guard hold(mutex_);
  memory_.remember(std::move(known));
  if (!owner.is_labelled) prefixes_.keep(user, prompt.conversation, turn, std::move(whole));
}

std::optional<Departure> PromptBuilder::departure(const Prompt& prompt, const std::string& user) {
  const std::lock_guard hold(mutex_);
  return prefixes_.departure(user, prompt.conversation, prompt.tokens);
}

Result<> PromptBuilder::forget(const std::string& user, Deadline deadline) {
  {
    const std::lock_guard hold(mutex_);
    memory_.forget(user);
    prefixes_.forget(user);
  }
  return keeper_ ? keeper_->forget(user, deadline) : Result<>();
}

}  // namespace hearth::gateway
