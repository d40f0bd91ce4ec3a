#include "hearth/seal/labeller.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "hearth/base/log.h"

namespace hearth::seal {
namespace {

constexpr std::size_t fingerprints_a_record = 1'000;

std::string hex_of(Fingerprint fingerprint) { return fmt::format("{:016x}", fingerprint); }

std::optional<Fingerprint> fingerprint_of(const Json& text) {
  Fingerprint out = 0;
  if (!text.is_string()) return std::nullopt;
  const std::string& hex = text.as_string();
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), out, 16);
  return error == std::errc() && end == hex.data() + hex.size() ? std::optional(out) : std::nullopt;
}

Json reasons_json(const LabelDecision& decision) {
  Json out = Json::array();
  for (const Reason& reason : decision.reasons) {
    out.push(Json::object({{"source", source_name(reason.source)}, {"label", label_name(reason.label)}, {"rule", reason.rule}}));
  }
  return out;
}

// What cannot be read counts as sealed.
LabelDecision decision_of(const Json& record) {
  LabelDecision out;
  const auto label = get<std::string>(record, "label");
  const auto parsed = label ? parse_label(*label) : Result<Label>(std::unexpected(label.error()));
  out.add(Reason{Source::session, parsed ? *parsed : Label::sealed, "earlier"});
  const Json* reasons = record.find("reasons");
  if (reasons == nullptr || !reasons->is_array()) return out;
  for (const Json& each : reasons->as_array()) {
    const auto name = get<std::string>(each, "label");
    const auto rule = get<std::string>(each, "rule");
    const auto reason_label = name ? parse_label(*name) : Result<Label>(std::unexpected(name.error()));
    out.add(Reason{Source::session, reason_label ? *reason_label : Label::sealed, rule ? *rule : "earlier"});
  }
  return out;
}

}  // namespace

class Labeller::Sink final : public AuditSink {
 public:
  explicit Sink(Book& book) : book_(book) {}
  Result<> append(const AuditRecord& record) override {
    if (!book_.log) return {};
    Json json = Json::object({{"what", "lowered"}, {"conversation", record.clearance.conversation}, {"to", record.outcome}});
    json.set("act", to_json(record));
    return book_.log->append(json);
  }

 private:
  Book& book_;
};

Result<std::unique_ptr<Labeller>> Labeller::open(LabelRules rules, const std::filesystem::path& directory) {
  if (directory.empty()) return std::unique_ptr<Labeller>(new Labeller(std::move(rules), "key"));
  TRY(real_file_system()->create_directories(directory));
  std::error_code ignored;
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all, ignored);
  std::string key = TRY(load_or_make_key(directory / "labels.key"));
  auto out = std::unique_ptr<Labeller>(new Labeller(std::move(rules), key));
  TRY(out->book_.with([&](Book& book) -> Result<> {
    book.log = TRY(ChainedLog::open(directory / "labels.jsonl", key, [&](const Json& record) { replay(book, record); }));
    return {};
  }));
  return out;
}

Result<std::unique_ptr<Labeller>> Labeller::look(const std::filesystem::path& directory, LabelRules rules) {
  auto key = read_text_file(directory / "labels.key", 64);
  auto out = std::unique_ptr<Labeller>(new Labeller(std::move(rules), key ? *key : "key"));
  if (!key && key.error().code == Code::not_found) return out;
  if (!key) return std::unexpected(key.error());
  TRY(out->book_.with([&](Book& book) -> Result<> {
    const auto report = TRY(verify_chained_log(directory / "labels.jsonl", *key, [&](const Json& record) { replay(book, record); }));
    if (!report.is_sound()) return fail(Code::corrupt, fmt::format("labels.jsonl:{}: {}", report.first_bad_line, report.what));
    return {};
  }));
  return out;
}

void Labeller::replay(Book& book, const Json& record) {
  const auto what = get<std::string>(record, "what");
  const auto conversation = get_or<std::string>(record, "conversation", "");
  if (what && *what == "raised" && conversation) {
    book.conversations.observe(*conversation, decision_of(record));
  } else if (what && *what == "lowered" && conversation) {
    const auto to = get<std::string>(record, "to");
    const auto label = to ? parse_label(*to) : Result<Label>(std::unexpected(to.error()));
    book.conversations.replay_lowered(*conversation, label ? *label : Label::sealed);
    book.text.forget(*conversation);
  } else if (what && *what == "text") {
    std::vector<Fingerprint> known;
    if (const Json* list = record.find("known"); list != nullptr && list->is_array()) {
      for (const Json& each : list->as_array()) {
        if (const auto fingerprint = fingerprint_of(each)) known.push_back(*fingerprint);
      }
    }
    book.text.add(known, decision_of(record).label, conversation ? *conversation : std::string());
  }
}

void Labeller::write(Book& book, const Json& record) {
  if (!book.log || !book.broken.empty()) return;
  if (const auto written = book.log->append(record); !written) {
    book.broken = "the label log cannot be written";
    log_error("every request is sealed from now on: " + written.error().message);
  }
}

void Labeller::learn(Book& book, const std::vector<Fingerprint>& fingerprints, const Clearance& clearance) {
  const Label label = clearance.decision.label;
  std::vector<Fingerprint> added;
  if (!book.text.add(fingerprints, label, clearance.conversation, &added)) book.broken = "too much labelled text is known";
  for (std::size_t at = 0; at < added.size(); at += fingerprints_a_record) {
    Json known = Json::array();
    for (std::size_t i = at; i < std::min(added.size(), at + fingerprints_a_record); ++i) known.push(hex_of(added[i]));
    write(book, Json::object({{"what", "text"}, {"label", label_name(label)}, {"conversation", clearance.conversation},
                                {"known", std::move(known)}}));
  }
}

// The same session under another key is the same conversation.
std::string Labeller::conversation_of(std::string_view session) const {
  if (session.empty()) return {};
  return Blake2b().update_sized(key_).update_sized("session").update(session).finish().hex().substr(0, 16);
}

chat::ApiResult<Clearance> Labeller::label(const LabelInputs& inputs, std::string_view session) {
  Clearance out{.decision = label_of_sender(rules_, inputs), .conversation = conversation_of(session), .client = inputs.client};
  const std::optional<Label> asked = inputs.header ? std::optional(parse_label(*inputs.header).value_or(Label::sealed)) : std::nullopt;
  // Outside the lock: the text may be long.
  const LabelDecision text = label_of_text(rules_, inputs.request, inputs.body);
  const auto fingerprints = maker_.of_request(inputs.request, inputs.body);
  const auto strings = inputs.body != nullptr ? maker_.of_strings(*inputs.body) : std::vector<Fingerprint>();
  return book_.with([&](Book& book) -> chat::ApiResult<Clearance> {
    const LabelDecision known = book.conversations.known(out.conversation);
    const Label least = join(out.decision.label, known.label);
    if (asked && *asked < least) {
      return std::unexpected(chat::ApiError{
          .kind = chat::ApiError::Kind::permission,
          .message = fmt::format("X-Hearth-Label asks for {}, but this key or conversation is {}; a header only raises a label. "
                                 "Leave it out, or begin a new conversation", label_name(*asked), label_name(least))});
    }
    if (const Label seen = join(book.text.strictest(fingerprints), book.text.strictest(strings)); seen != Label::open) {
      out.decision.add(Reason{Source::provenance, seen, "text of a labelled conversation"});
    }
    out.decision.add(text);
    if (book.text.is_full()) book.broken = "too much labelled text is known";
    if (!book.broken.empty()) out.decision.add(Reason{Source::failure, Label::sealed, book.broken});
    const LabelDecision joined = book.conversations.observe(out.conversation, out.decision);
    if (joined.label > known.label && !out.conversation.empty()) {
      write(book, Json::object({{"what", "raised"}, {"conversation", out.conversation}, {"client", out.client},
                                {"label", label_name(joined.label)}, {"reasons", reasons_json(joined)}}));
    }
    out.decision = joined;
    learn(book, fingerprints, out);
    if (!book.broken.empty()) out.decision.add(Reason{Source::failure, Label::sealed, book.broken});
    return out;
  });
}

void Labeller::learn_answer(const Clearance& clearance, const std::vector<chat::Message>& conversation, const chat::Message& answer) {
  if (clearance.decision.label == Label::open) return;
  std::vector<chat::Message> all = conversation;
  all.push_back(answer);
  const auto fingerprints = maker_.of_messages(all);
  book_.with([&](Book& book) { learn(book, fingerprints, clearance); });
}

LabelDecision Labeller::known(const std::string& conversation) const {
  return book_.with([&](const Book& book) {
    LabelDecision out = book.conversations.known(conversation);
    if (!book.broken.empty()) out.add(Reason{Source::failure, Label::sealed, book.broken});
    return out;
  });
}

Result<> Labeller::lower(const Lowering& act, std::int64_t at_s) {
  return book_.with([&](Book& book) {
    Sink sink(book);
    auto done = book.conversations.lower(act, at_s, sink);
    if (done) book.text.forget(act.conversation);
    return done;
  });
}

std::map<std::string, LabelDecision> Labeller::conversations() const {
  return book_.with([](const Book& book) { return book.conversations.all(); });
}

}  // namespace hearth::seal
