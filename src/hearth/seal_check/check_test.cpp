// The check against the real house, and against houses with one leak planted in each: what it is for.
#include "hearth/seal_check/check.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/log.h"
#include "hearth/seal_check/whole_house.h"
#include "hearth/upstream/remote.h"

namespace hearth::seal_check {
namespace {

constexpr std::uint64_t seed = 20'261'128;

CheckReport check(WholeHouse& house) {
  start_log("seal_check_test", LogLevel::off);
  const auto opened = house.open();
  EXPECT_TRUE(opened) << opened.error().message;
  auto report = run_check(house, {}, seed);
  EXPECT_TRUE(report);
  return report ? *std::move(report) : CheckReport{};
}

std::string leaks_of(const CheckReport& report) {
  std::string out;
  for (const PathResult& path : report.paths) {
    if (path.leaked) out += path.name + " (" + path.how + ")\n";
  }
  return out;
}

TEST(SealCheck, FindsNothingInTheHouseAsItIs) {
  WholeHouse house;
  const CheckReport report = check(house);
  EXPECT_TRUE(report.search_works);
  EXPECT_EQ(leaks_of(report), "");
  EXPECT_GE(report.paths.size(), 100);
}

TEST(SealCheck, SaysSoWhenTheSearchItselfIsBroken) {
  struct Deaf final : WholeHouse {
    std::string sent() const override { return {}; }
  } house;
  const CheckReport report = check(house);
  EXPECT_EQ(report.leaks(), 0);
  EXPECT_FALSE(report.search_works);
  EXPECT_FALSE(report.is_sealed());
}

// --- planted leaks

// A labeller that does one thing wrong.
using Mislabel = std::function<void(seal::Clearance& clearance, const seal::LabelInputs& inputs)>;
struct WrongLabels {
  Mislabel after{};
  bool drops_session = false, drops_header = false, drops_text = false, drops_body = false, learns = true, opens_on_refusal = false;
};

class MislabellingDouble final : public seal::LabelGiver {
 public:
  MislabellingDouble(seal::LabelGiver& real, WrongLabels wrong) : real_(real), wrong_(std::move(wrong)) {}
  chat::ApiResult<seal::Clearance> label(const seal::LabelInputs& inputs, std::string_view session) override {
    chat::ChatRequest request = inputs.request;
    if (wrong_.drops_text) {
      request.conversation = {};
      request.raw_prompt.reset();
    }
    seal::LabelInputs changed{inputs.client, inputs.header, request, inputs.body};
    if (wrong_.drops_text || wrong_.drops_body) changed.body = nullptr;
    if (wrong_.drops_header) changed.header.reset();
    auto out = real_.label(changed, wrong_.drops_session ? std::string_view() : session);
    if (!out && wrong_.opens_on_refusal) return seal::Clearance{};
    if (out && wrong_.after) wrong_.after(*out, inputs);
    return out;
  }
  void learn_answer(const seal::Clearance& clearance, const std::vector<chat::Message>& conversation, const chat::Message& answer) override {
    if (wrong_.learns) real_.learn_answer(clearance, conversation, answer);
  }

 private:
  seal::LabelGiver& real_;
  const WrongLabels wrong_;
};

HouseDoubles labels(WrongLabels wrong) {
  HouseDoubles out;
  out.labels = [wrong](seal::LabelGiver& real) { return std::make_unique<MislabellingDouble>(real, wrong); };
  return out;
}

// Without the reasons of one source.
Mislabel ignores(seal::Source source) {
  return [source](seal::Clearance& clearance, const seal::LabelInputs&) {
    seal::LabelDecision rest;
    for (const seal::Reason& reason : clearance.decision.reasons) {
      if (reason.source != source) rest.add(reason);
    }
    clearance.decision = rest;
    clearance.conversation.clear();  // nor asks the gate
  };
}

// A model that does something with each prompt besides answering.
using Peek = std::function<void(WholeHouse& house, const std::string& prompt, bool is_sealed, bool answered)>;

class PeekingModel final : public engine::ModelService {
 public:
  PeekingModel(CannedModel& real, WholeHouse& house, Peek peek, bool quotes) : real_(real), house_(house), peek_(std::move(peek)), quotes_(quotes) {}
  engine::ModelFacts facts() const override { return real_.facts(); }
  bool is_ready() const override { return real_.is_ready(); }
  Result<std::vector<Token>> tokenize(std::string_view text, bool special, const StopToken& stop) override {
    return real_.tokenize(text, special, stop);
  }
  Result<std::unique_ptr<engine::AnswerStream>> generate(engine::GenerateRequest request, const StopToken& stop) override {
    const std::string prompt = real_.text_of(request.prompt);
    const bool is_sealed = request.is_labelled;
    auto out = real_.generate(std::move(request), stop);
    if (peek_) peek_(house_, prompt, is_sealed, out.has_value());
    if (!out && quotes_) return fail(Code::invalid_argument, "cannot answer: " + prompt);
    return out;
  }

 private:
  CannedModel& real_;
  WholeHouse& house_;
  const Peek peek_;
  const bool quotes_;
};

HouseDoubles peeking(Peek peek, bool quotes = false) {
  HouseDoubles out;
  out.model = [peek, quotes](CannedModel& real, WholeHouse& house) { return std::make_unique<PeekingModel>(real, house, peek, quotes); };
  return out;
}

void write_plainly(const std::filesystem::path& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

std::string hex(const std::string& text) { return to_hex(as_byte_span(text)); }

// Between the house and the egress: says another label than the request has.
class RelabellingClient final : public net::HttpClient {
 public:
  explicit RelabellingClient(net::HttpClient& real, bool only_missing) : real_(real), only_missing_(only_missing) {}
  Result<net::ClientReply> send(const net::ClientRequest& request, Deadline deadline, const StopToken& stop) override {
    return real_.send(changed(request), deadline, stop);
  }
  Result<std::unique_ptr<net::ResponseStream>> open_stream(const net::ClientRequest& request, Deadline deadline, const StopToken& stop) override {
    return real_.open_stream(changed(request), deadline, stop);
  }

 private:
  net::ClientRequest changed(net::ClientRequest request) const {
    if (!only_missing_ || !request.headers.contains(upstream::egress_header::label)) {
      request.headers.set(upstream::egress_header::label, "open");
    }
    return request;
  }
  net::HttpClient& real_;
  const bool only_missing_;
};

HouseDoubles relabelling(bool only_missing) {
  HouseDoubles out;
  out.to_egress = [only_missing](net::HttpClient& real) { return std::make_unique<RelabellingClient>(real, only_missing); };
  return out;
}

class ForgivingAudit final : public seal::AuditSink {
 public:
  explicit ForgivingAudit(seal::AuditSink& real) : real_(real) {}
  Result<> append(const seal::AuditRecord& record) override {
    (void)real_.append(record);
    return {};
  }

 private:
  seal::AuditSink& real_;
};

// Hides nothing.
class NoCipher final : public kv::ChunkCipher {
 public:
  std::string file_name(const kv::ChunkKey& key) const override { return key.hex(); }
  void seal(ByteSpan plain, ByteSpan, std::span<std::byte> out) const override { std::memcpy(out.data() + 40, plain.data(), plain.size()); }
  Result<> open(ByteSpan sealed, ByteSpan, std::span<std::byte> out) const override {
    std::memcpy(out.data(), sealed.data() + 40, out.size());
    return {};
  }
};

using MakeHouse = std::function<std::unique_ptr<WholeHouse>()>;

MakeHouse with(HouseDoubles doubles) {
  return [doubles] { return std::make_unique<WholeHouse>(doubles); };
}
template <class Built>
MakeHouse of() {
  return [] { return std::make_unique<Built>(); };
}

struct JudgeOutside : WholeHouse {
  void judge(const std::string& item) override { send_out("POST /v1/messages\n" + item); }
};
struct PlainTranscript : WholeHouse {
  void keep(const std::string& text) override {
    WholeHouse::keep(text);
    write_plainly(folder() / "transcript.jsonl", text);
  }
};
struct TemporaryTranscript : WholeHouse {
  void keep(const std::string& text) override {
    WholeHouse::keep(text);
    write_plainly(folder() / "memory.md.123.tmp", text);
  }
};
struct NamedAfterItsText : WholeHouse {
  void keep(const std::string& text) override {
    WholeHouse::keep(text);
    write_plainly(folder() / ("session-" + text.substr(0, 60)), "");
  }
};
struct CoreDump : WholeHouse {
  HouseReply post_text(const std::string& path, const std::string& body, net::Headers headers) override {
    last = body;
    return WholeHouse::post_text(path, body, std::move(headers));
  }
  std::string crash_report() const override { return "signal 6\n" + last; }
  std::string last;
};
struct MetricsByPrompt : CoreDump {
  std::string crash_report() const override { return {}; }
  std::string metrics() override { return WholeHouse::metrics() + "requests{prompt=\"" + last + "\"} 1\n"; }
};
struct AuditOfBodies : CoreDump {
  std::string crash_report() const override { return {}; }
  std::string audit() const override { return WholeHouse::audit() + last; }
};
// Forgets everything it remembered when it is started again.
struct ForgetsAtRestart : WholeHouse {
  Result<> restart() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder() / "seal", ignored);
    return WholeHouse::restart();
  }
};
struct TalkativeErrors : WholeHouse {
  HouseReply post_text(const std::string& path, const std::string& body, net::Headers headers) override {
    HouseReply reply = WholeHouse::post_text(path, body, std::move(headers));
    if (reply.status >= 400) reply.body += " in: " + body;
    return reply;
  }
};

struct Leak {
  std::string name;
  MakeHouse make;
};

std::vector<Leak> planted() {
  using seal::Source;
  return {
      {"keys have no label", with(labels({.after = [](seal::Clearance& c, const seal::LabelInputs& i) {
         if (!i.header) ignores(Source::key)(c, i);
       }}))},
      {"the header is not read", with(labels({.drops_header = true}))},
      {"a header may lower", with(labels({.opens_on_refusal = true}))},
      {"sessions are forgotten", with(labels({.drops_session = true}))},
      {"text is not looked at", with(labels({.drops_text = true}))},
      {"only what the dialect reads is looked at", with(labels({.drops_body = true}))},
      {"folders are not looked for", with(labels({.after = ignores(Source::folder)}))},
      {"secrets are not looked for", with(labels({.after = ignores(Source::detector)}))},
      {"known text is let go", with(labels({.after = ignores(Source::provenance)}))},
      {"a conversation's label does not stick", with(labels({.after = ignores(Source::session)}))},
      {"what cannot be read is open", with(labels({.after = ignores(Source::failure)}))},
      {"answers are not learned", with(labels({.learns = false}))},
      {"everything is open", with(labels({.after = [](seal::Clearance& c, const seal::LabelInputs&) { c = {}; }}))},
      {"labels are lost at a restart", of<ForgetsAtRestart>()},
      {"the way out trusts its caller's word", with(relabelling(false))},
      {"the way out takes no label for an open one", with(relabelling(true))},
      {"what cannot be recorded goes all the same", with([] {
         HouseDoubles out;
         out.audit = [](seal::AuditSink& real) { return std::make_unique<ForgivingAudit>(real); };
         return out;
       }())},
      {"telemetry with the prompt", with(peeking([](WholeHouse& h, const std::string& p, bool, bool) { h.send_out(p); }))},
      {"telemetry in base64 of hex", with(peeking([](WholeHouse& h, const std::string& p, bool, bool) { h.send_out(hex(p)); }))},
      {"telemetry backwards", with(peeking([](WholeHouse& h, const std::string& p, bool, bool) { h.send_out({std::string(p.rbegin(), p.rend())}); }))},
      {"telemetry of sealed work only", with(peeking([](WholeHouse& h, const std::string& p, bool sealed, bool) { if (sealed) h.send_out(p); }))},
      {"outside when the model here fails", with(peeking([](WholeHouse& h, const std::string& p, bool, bool answered) { if (!answered) h.send_out(p); }))},
      {"prompts in the log", with(peeking([](WholeHouse&, const std::string& p, bool, bool) { log_debug("prompt: " + p); }))},
      {"prompts in the log, in hex", with(peeking([](WholeHouse&, const std::string& p, bool, bool) { log_debug(hex(p)); }))},
      {"plain KV on the disk", with(peeking([](WholeHouse& h, const std::string& p, bool, bool) { write_plainly(h.folder() / "kv", p); }))},
      {"a temporary file of the prompt", with(peeking([](WholeHouse& h, const std::string& p, bool, bool) { write_plainly(h.folder() / "p.tmp", hex(p)); }))},
      {"errors quote the prompt", with(peeking({}, /*quotes=*/true))},
      {"refusals quote the body", of<TalkativeErrors>()},
      {"a cipher that hides nothing", with([] {
         HouseDoubles out;
         out.cipher = [](std::shared_ptr<const kv::ChunkCipher>) { return std::make_shared<NoCipher>(); };
         return out;
       }())},
      {"a judge outside", of<JudgeOutside>()},
      {"a plain transcript", of<PlainTranscript>()},
      {"a plain temporary file", of<TemporaryTranscript>()},
      {"a file named after its text", of<NamedAfterItsText>()},
      {"a core dump", of<CoreDump>()},
      {"metrics by prompt", of<MetricsByPrompt>()},
      {"bodies in the audit log", of<AuditOfBodies>()},
  };
}

class PlantedLeak : public testing::TestWithParam<Leak> {};

TEST_P(PlantedLeak, IsCaught) {
  const auto house = GetParam().make();
  const CheckReport report = check(*house);
  EXPECT_TRUE(report.search_works);
  EXPECT_FALSE(report.is_sealed()) << GetParam().name;
  EXPECT_GE(report.leaks(), 1);
}

INSTANTIATE_TEST_SUITE_P(All, PlantedLeak, testing::ValuesIn(planted()), [](const auto& each) {
  std::string name;
  for (const char c : each.param.name) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace hearth::seal_check
