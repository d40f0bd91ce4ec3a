#pragma once
// Gives every request its label, and remembers what must be remembered: the labels of conversations
// and the fingerprints of labelled text, in a chained log (labels.jsonl) that is read at the next
// start. Thread-safe.
//
// Fails closed: while the log cannot be written, or anything is full, every request is sealed.

#include <memory>

#include "hearth/base/guarded.h"
#include "hearth/seal/conversations.h"
#include "hearth/seal/known_text.h"
#include "hearth/seal/rules.h"

namespace hearth::seal {

// Who gives a request its label. Thread-safe.
class LabelGiver {
 public:
  virtual ~LabelGiver() = default;
  // `session`: what the client calls its conversation; may be empty. permission when the client asks
  // in the header for less than its key or its conversation has: it is refused, not ignored.
  virtual chat::ApiResult<Clearance> label(const LabelInputs& inputs, std::string_view session) = 0;
  // The answer to a request that was labelled so, before its client hears the end of it.
  virtual void learn_answer(const Clearance& clearance, const std::vector<chat::Message>& conversation,
                            const chat::Message& answer) = 0;
};

class Labeller final : public LabelGiver {
 public:
  // `directory` is private to this user; the log and its key are made there. An empty one: nothing is
  // remembered beyond this process (tests). corrupt when the log was tampered with.
  static Result<std::unique_ptr<Labeller>> open(LabelRules rules, const std::filesystem::path& directory);
  // What another process remembers, to look at: nothing is written down.
  static Result<std::unique_ptr<Labeller>> look(const std::filesystem::path& directory, LabelRules rules = {});

  chat::ApiResult<Clearance> label(const LabelInputs& inputs, std::string_view session) override;
  void learn_answer(const Clearance& clearance, const std::vector<chat::Message>& conversation,
                    const chat::Message& answer) override;
  // What is known now; for whoever checks once more before something leaves.
  LabelDecision known(const std::string& conversation) const;
  Result<> lower(const Lowering& act, std::int64_t at_s);
  std::map<std::string, LabelDecision> conversations() const;

 private:
  struct Book {
    Conversations conversations;
    KnownText text;
    std::optional<ChainedLog> log;
    std::string broken;  // why nothing is trusted any more
  };
  class Sink;
  Labeller(LabelRules rules, std::string key) : rules_(std::move(rules)), key_(key), maker_(std::move(key)) {}
  std::string conversation_of(std::string_view session) const;
  static void replay(Book& book, const Json& record);
  static void write(Book& book, const Json& record);
  static void learn(Book& book, const std::vector<Fingerprint>& fingerprints, const Clearance& clearance);

  const LabelRules rules_;
  const std::string key_;
  const FingerprintMaker maker_;
  Guarded<Book> book_;
};

}  // namespace hearth::seal
