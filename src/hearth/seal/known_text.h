#pragma once
// Recognises text of labelled conversations when it comes back another way: under another key, in
// another session, in a sub-agent's prompt. Keeps keyed fingerprints only:
//
//  - of an answer, or the thinking before it, of at least 32 bytes; of what a user or a tool said, of
//    at least 64: whole messages;
//  - of what a block holds that is not plain text (a document, a picture, a kind that no dialect
//    knows), of at least 64 bytes;
//  - of the outward id of every call, which nobody invents twice;
//  - of a conversation up to an answer, system prompt left out, once it has 48 bytes in all.
//
// Looked for are these, and besides them every string of a request as it came, whoever is said to have
// said it. Pieces of a string, and what is shorter, are not recognised. Nothing is learned from system
// prompts: they are the clients' own, and the same for all. Pure; a FingerprintMaker is thread-safe, a
// KnownText is not.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "hearth/chat/exchange.h"
#include "hearth/seal/label.h"

namespace hearth::seal {

using Fingerprint = std::uint64_t;
inline constexpr std::size_t known_fingerprints_max = 4'000'000;

class FingerprintMaker {
 public:
  explicit FingerprintMaker(std::string key) : key_(std::move(key)) {}

  // What is learned of a request that has a label.
  std::vector<Fingerprint> of_messages(const std::vector<chat::Message>& messages) const;
  std::vector<Fingerprint> of_request(const chat::ChatRequest& request, const Json* body) const;
  // What is looked for beyond that: the strings of a body.
  std::vector<Fingerprint> of_strings(const Json& body) const;

 private:
  Fingerprint of(std::string_view kind, std::string_view text) const;
  void add_blocks(const Json& value, bool is_learned, std::vector<Fingerprint>& out) const;
  std::string key_;
};

class KnownText {
 public:
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
  struct Known {
    Label label = Label::open;
    std::uint32_t owner = 0;
  };
  std::unordered_map<Fingerprint, Known> known_;
  std::unordered_map<std::string, std::uint32_t> owners_;  // conversations that text was learned from
};

}  // namespace hearth::seal
