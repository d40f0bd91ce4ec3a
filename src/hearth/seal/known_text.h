#pragma once
// Recognises text of labelled conversations when it comes back another way: under another key, in
// another session, in a sub-agent's prompt. Keeps keyed fingerprints only, of whole messages:
//
//  - an answer of at least 32 bytes; what a user or a tool said, of at least 64;
//  - the outward id of every call, which nobody invents twice;
//  - a conversation up to an answer, system prompt left out, once it has 48 bytes in all.
//
// Pieces of a message, and what is shorter, are not recognised. System prompts are not looked at: they
// are the clients' own, and the same for all. Pure; not thread-safe.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "hearth/chat/message.h"
#include "hearth/seal/label.h"

namespace hearth::seal {

using Fingerprint = std::uint64_t;
inline constexpr std::size_t known_fingerprints_max = 4'000'000;

class KnownText {
 public:
  explicit KnownText(std::string key) : key_(std::move(key)) {}

  std::vector<Fingerprint> fingerprints(const std::vector<chat::Message>& messages) const;
  // Those that were not known with this label or a stricter one. Empty and false when there is no more
  // room: then the caller must not trust an absence.
  bool add(const std::vector<Fingerprint>& fingerprints, Label label, const std::string& conversation,
           std::vector<Fingerprint>* added = nullptr);
  // Whose label somebody lowered: what was learned from it is known no more.
  void forget(const std::string& conversation);
  Label strictest(const std::vector<Fingerprint>& fingerprints) const;  // open: none is known
  bool is_full() const { return known_.size() >= known_fingerprints_max; }
  std::size_t size() const { return known_.size(); }

 private:
  Fingerprint of(std::string_view kind, std::string_view text) const;
  std::string key_;
  struct Known {
    Label label = Label::open;
    std::uint32_t owner = 0;
  };
  std::unordered_map<Fingerprint, Known> known_;
  std::unordered_map<std::string, std::uint32_t> owners_;  // conversations that text was learned from
};

}  // namespace hearth::seal
