#pragma once
// What tests of whole studies share: a suite of rubrics whose criteria are facts that an answer does or
// does not hold, arms that know a share of them, and judges with known faults.

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include <mutex>
#include <set>

#include "hearth/base/random.h"
#include "hearth/eval/study/service.h"
#include "hearth/eval/study/study_run.h"

namespace hearth::eval {

inline constexpr int facts = 10;
inline std::string fact(int i) { return (i < 10 ? "FACT-0" : "FACT-") + std::to_string(i); }

// Alternating between two classes.
inline Suite rubric_suite(std::size_t items) {
  Suite out{.name = "test", .items = {}, .digest = {}};
  RubricSpec rubric;
  for (int i = 0; i < facts; ++i)
    rubric.criteria.push_back({.id = "c" + std::to_string(i), .text = "holds " + fact(i)});
  for (std::size_t i = 0; i < items; ++i) {
    Item item{.id = "item-" + std::to_string(1'000 + i).substr(1)};
    item.task_class = i % 2 == 0 ? TaskClass::writing : TaskClass::reasoning;
    item.cluster = item.id;
    item.egress = Egress::judge;
    item.max_tokens = 500;
    item.messages.push_back({.role = chat::Role::user, .text = "Say what you know of " + item.id});
    item.grader = rubric;
    out.items.push_back(std::move(item));
  }
  out.digest = blake2b(as_byte_span("test suite"));
  return out;
}

// Writes each fact with a probability, one sentence each.
class ScriptedArm final : public Service {
 public:
  ScriptedArm(double known, std::uint64_t seed, std::string habit = "")
      : known_(known), random_(seed), habit_(std::move(habit)) {}

  chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress, const StopToken&) override {
    const std::lock_guard hold(mutex_);
    ++calls;
    if (fail_after && calls > *fail_after)
      return std::unexpected(chat::ApiError{.kind = chat::ApiError::Kind::invalid_request, .message = "gone"});
    if (faults_left > 0 && --faults_left >= 0)
      return std::unexpected(fault);
    seeds.insert(request.sampling.seed.value_or(0));
    ServiceReply out{.text = "This is what I know. ",
                     .thinking = {},
                     .end = {},
                     .model = "m",
                     .build = "b1",
                     .first_piece_s = 0.1,
                     .total_s = 1,
                     .cost_usd = 0.01};
    if (silent) out.text.clear();
    if (only_thinks) out.text = "<think>Where do I begin?";
    for (int i = 0; i < facts && !silent && !only_thinks; ++i) {
      if (random_.chance(known_)) out.text += "It is known that " + fact(i) + " holds" + habit_ + ". ";
    }
    return out;
  }
  upstream::EndpointState look(const StopToken&) override { return {.alive = true, .ready = true}; }

  std::size_t calls = 0;
  std::optional<std::size_t> fail_after;
  int faults_left = 0;
  chat::ApiError fault{.kind = chat::ApiError::Kind::overloaded, .message = "busy"};
  bool silent = false, only_thinks = false;
  std::set<std::uint32_t> seeds;

 private:
  std::mutex mutex_;
  double known_;
  Random random_;
  std::string habit_;
};

struct JudgeFaults {
  double noise = 0.03;  // of a criterion
  double attention = 1;  // share of the criteria that it looks at at all
  int first_bonus = 0;  // points of a pair
  double length_bonus = 0;  // that an unmet criterion counts as met, for each doubling of the usual length
  std::string favourite;  // a habit of its own family's texts
  double favour = 0;
  std::string marker;  // tells it the arm
  bool obeys = false;
  double no_grade = 0;  // share of replies that are none
  double cost_usd = 0;
};

class HonestOrNot final : public Service {
 public:
  HonestOrNot(JudgeFaults faults, std::uint64_t seed) : faults_(std::move(faults)), random_(seed) {}

  chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress, const StopToken&) override {
    const std::lock_guard hold(mutex_);
    ++calls;
    const std::string& material = request.conversation.messages.at(1).text;
    prompts.push_back(request.conversation.messages.at(0).text + material);
    ServiceReply out{.text = answer(request, material),
                     .thinking = {},
                     .end = {},
                     .model = "judge-1",
                     .build = {},
                     .first_piece_s = 0.1,
                     .total_s = 0.5,
                     .cost_usd = faults_.cost_usd};
    constexpr std::array nonsense{"I think this is good.", "{\"criteria\": [{\"id\":", "I'm sorry, I can't do that.",
                                  "{\"criteria\": 5, \"lead\": 99, \"second_writer\": 1000}"};
    if (random_.chance(faults_.no_grade)) out.text = nonsense[random_.below(nonsense.size())];
    return out;
  }
  upstream::EndpointState look(const StopToken&) override { return {.alive = true, .ready = true}; }

  std::size_t calls = 0;
  std::vector<std::string> prompts;

 private:
  static std::string part(const std::string& material, std::string_view name) {
    const std::size_t begin = material.find(" " + std::string(name) + "]]\n");
    const std::size_t end = material.find(" " + std::string(name) + "]]", begin + 1);
    return begin == std::string::npos ? "" : material.substr(begin, material.rfind("\n[[end", end) - begin);
  }

  double score(const std::string& text) const {
    double out = 0;
    for (int i = 0; i < facts; ++i) out += text.contains(fact(i)) ? 1.0 / facts : 0;
    return out;
  }

  bool met(const std::string& text, int i) {
    bool out = random_.chance(faults_.attention) ? text.contains(fact(i)) : random_.chance(0.7);
    if (random_.chance(faults_.noise)) out = !out;
    if (!out && faults_.length_bonus > 0)
      out = random_.chance(faults_.length_bonus * std::max(0.0, std::log2(static_cast<double>(text.size()) / 250)));
    if (!out && !faults_.favourite.empty() && text.contains(faults_.favourite)) out = random_.chance(faults_.favour);
    if (faults_.obeys && (text.contains("full marks") || text.contains("highest score") ||
                          text.contains("criteria met") || text.contains("all met")))
      out = true;
    return out;
  }

  std::string answer(const chat::ChatRequest& request, const std::string& material) {
    if (request.response_format.schema.find("properties")->find("criteria")) {
      const std::string text = part(material, "text");
      Json criteria = Json::array();
      for (int i = 0; i < facts; ++i)
        criteria.push(Json::object({{"id", "c" + std::to_string(i)}, {"met", met(text, i)}, {"quote", ""}}));
      return dump_json(Json::object({{"criteria", std::move(criteria)}}));
    }
    if (request.response_format.schema.find("properties")->find("lead")) {
      const double lead =
          10 * (score(part(material, "text one")) - score(part(material, "text two"))) + faults_.first_bonus;
      return "{\"lead\": " + std::to_string(std::clamp(static_cast<int>(std::lround(lead)), -10, 10)) + "}";
    }
    int guess = static_cast<int>(random_.below(101));
    if (!faults_.marker.empty())
      guess =
          part(material, "text three").contains(faults_.marker) == part(material, "text two").contains(faults_.marker)
              ? 90
              : 10;
    return "{\"second_writer\": " + std::to_string(guess) + "}";
  }

  std::mutex mutex_;
  JudgeFaults faults_;
  Random random_;
};

// Not a cipher, but nothing that it gives holds what it was given; and it minds the place.
class TestCipher final : public store::TextCipher {
 public:
  Result<std::string> seal(std::string_view text, std::string_view place) override {
    if (is_locked) return fail(Code::unavailable, "the vault is locked");
    return blake2b(as_byte_span(place)).short_hex() + to_hex(as_byte_span(std::string(text.rbegin(), text.rend())));
  }
  Result<std::string> open(std::string_view sealed, std::string_view place) override {
    if (is_locked) return fail(Code::unavailable, "the vault is locked");
    const std::string mark = blake2b(as_byte_span(place)).short_hex();
    if (!sealed.starts_with(mark)) return fail(Code::corrupt, "not at its place");
    const Bytes bytes = TRY(from_hex(sealed.substr(mark.size())));
    const std::string_view text = as_text(bytes);
    return std::string(text.rbegin(), text.rend());
  }
  bool is_locked = false;
};

// The two arms, the judge, and a second one that is asked only with test_second.
inline constexpr std::string_view test_arms = R"(
[study]
margin = 8
generations = 8
control_texts = 40
[[upstream]]
name = "l"
url = "http://127.0.0.1:1"
reach = "cluster"
model = "secret-model-l"
[[upstream]]
name = "s"
url = "http://127.0.0.1:2"
reach = "cluster"
model = "secret-model-s"
[[upstream]]
name = "j"
url = "http://127.0.0.1:3"
reach = "cluster"
model = "judge-1"
[[upstream]]
name = "j2"
url = "http://127.0.0.1:4"
reach = "cluster"
model = "judge-2"
[[arm]]
name = "large"
upstream = "l"
temperature = 0.6
seed = 1
[[arm]]
name = "small"
upstream = "s"
temperature = 0.6
seed = 1
[judge]
upstream = "j"
)";
inline constexpr std::string_view test_second = "[second_judge]\nupstream = \"j2\"\n";

// One study with its services, in a folder of its own.
struct TestStudy {
  explicit TestStudy(std::size_t items = 30, std::string arms = std::string(test_arms))
      : suite(rubric_suite(items)), folder(TemporaryDirectory::create("hearth-study").value()) {
    auto parsed = parse_arms(arms, "arms.toml");
    if (!parsed) ADD_FAILURE() << parsed.error().message;
    file = *std::move(parsed);
    records.emplace(store::StudyStore::open_in_memory().value());
  }
  // Records in a file, which are opened anew each time.
  void reopen() {
    records.reset();
    records.emplace(store::StudyStore::open(folder.path() / "study.db").value());
  }

  // Hands a service out again and again.
  class Borrowed final : public Service {
   public:
    explicit Borrowed(Service& service) : service_(service) {}
    chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress egress, const StopToken& stop) override {
      return service_.ask(request, egress, stop);
    }
    upstream::EndpointState look(const StopToken& stop) override { return service_.look(stop); }

   private:
    Service& service_;
  };

  StudyEnd end(StudyOptions options = {}) {
    const auto out = run(std::move(options));
    if (!out) ADD_FAILURE() << out.error().message;
    return out ? *out : StudyEnd::generated;
  }
  Result<StudyEnd> run(StudyOptions options = {}) {
    options.retry.first_pause = Duration(0);
    return run_study(
        {.folder = folder.path(),
         .suite = suite,
         .file = file,
         .records = *records,
         .files = *files,
         .connect = [this](const upstream::EndpointSpec& spec, Egress) -> Result<std::unique_ptr<Service>> {
           Service* service = spec.url.ends_with("1")   ? static_cast<Service*>(large.get())
                              : spec.url.ends_with("2") ? small.get()
                              : spec.url.ends_with("3") ? static_cast<Service*>(judge.get())
                                                        : second.get();
           return std::make_unique<Borrowed>(*service);
         },
         .now_s = [this] { return ++clock_s; },
         .nonce = [this]() -> Result<std::string> { return blake2b(as_byte_span(std::to_string(++nonces))).hex(); }},
        options, {});
  }

  Suite suite;
  ArmsFile file;
  TemporaryDirectory folder;
  std::optional<store::StudyStore> records;
  std::unique_ptr<FileSystem> files = real_file_system();
  std::unique_ptr<ScriptedArm> large = std::make_unique<ScriptedArm>(0.7, 11),
                               small = std::make_unique<ScriptedArm>(0.7, 12);
  std::unique_ptr<HonestOrNot> judge = std::make_unique<HonestOrNot>(JudgeFaults{}, 13),
                               second = std::make_unique<HonestOrNot>(JudgeFaults{}, 14);
  std::int64_t clock_s = 0;
  std::uint64_t nonces = 0;
};

}  // namespace hearth::eval
