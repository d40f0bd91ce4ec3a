#pragma once
// Drafts of a text: written by a model after a brief, by chat or by raw continuation, with examples of
// somebody's writing as a prefix that is the same each time, with phrases that must not come, and then
// put in order by a judge. Blocks in the service; one thread.

#include <functional>
#include <string>
#include <vector>

#include "hearth/session/phrase_bans.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::session {

struct WritingSample {
  std::string name, text;
};

struct DraftOrder {
  std::string brief;         // what to write; by continuation: how it begins
  bool continues = false;    // raw continuation instead of a chat
  std::vector<WritingSample> samples;
  std::vector<std::string> banned;
  std::string model = "any";
  std::uint32_t tokens_max = 2'000;
  double temperature = 0.9;
  std::uint32_t seed = 1;
};

struct Draft {
  std::string text;
  std::uint32_t seed = 0;
  int retries = 0;                   // times it went back before a banned phrase
  std::vector<std::string> passed;   // banned and there all the same
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0;
  bool is_complete = false;          // it ended by itself
};

// What somebody's eye, or the voice module, finds of a draft.
struct DraftVerdict {
  double score = 0;                 // nearness to the voice; more is nearer
  std::size_t copied_words = 0;     // longest run that stands in the samples too
  double copied_share = 0;          // of the draft
  Json details;                     // for --json
};
using DraftJudge = std::function<DraftVerdict(const std::string& name, const std::string& text)>;

// A draft that repeats so many words in a row of a sample is put behind all others.
inline constexpr std::size_t copied_words_max = 12;

// Banned phrases are avoided by asking again from before them, hotter each time.
chat::ApiResult<Draft> write_draft(upstream::Endpoint& endpoint, const DraftOrder& order, std::uint32_t seed,
                                   const std::function<void(std::size_t words)>& progress, const StopToken& stop);

// Indices of the drafts, the best first: without copies, without banned phrases, by score.
std::vector<std::size_t> rank_drafts(const std::vector<Draft>& drafts, const std::vector<DraftVerdict>& verdicts);

// The prompt of an order and what is written of it so far. Its beginning does not depend on the brief.
chat::ChatRequest draft_request(const DraftOrder& order, const std::string& written);

}  // namespace hearth::session
