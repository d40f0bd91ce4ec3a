#include "hearth/engine/synth/synth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "hearth/base/digest.h"
#include "hearth/base/file.h"
#include "hearth/engine/synth/retrieval_probe.h"

namespace hearth::engine {
namespace {

using ::testing::HasSubstr;

constexpr Architecture kArchitectures[] = {Architecture::kimi, Architecture::qwen3moe,
                                           Architecture::llama};
constexpr WeightType kTypes[] = {WeightType::f16, WeightType::q8_0, WeightType::q4_k,
                                 WeightType::q2_k};

class Synth : public ::testing::Test {
 protected:
  Synth() : directory_(TemporaryDirectory::create("hearth-synth-test")) {}
  std::filesystem::path path(std::string_view name) const { return directory_->path() / name; }

  std::filesystem::path make(SynthOptions options) const {
    options.output = path("model.gguf");
    const auto report = make_synthetic_model(options, nullptr);
    EXPECT_TRUE(report) << report.error().message;
    return options.output;
  }
  std::string digest_of(const SynthOptions& options) const {
    const auto bytes = read_file(make(options), 100'000'000);
    EXPECT_TRUE(bytes) << bytes.error().message;
    return bytes ? blake2b(*bytes).hex() : "";
  }
  RetrievalProbe open(const SynthOptions& options, const ProbeOptions& probe_options = {}) const {
    auto probe = RetrievalProbe::open(make(options), probe_options);
    EXPECT_TRUE(probe) << probe.error().message;
    return std::move(*probe);
  }

 private:
  Result<TemporaryDirectory> directory_;
};

TEST(SynthWords, ParseAndPrintAreInverse) {
  for (const Architecture value : kArchitectures) {
    EXPECT_EQ(parse_architecture(word_of(value)).value(), value);
  }
  for (const WeightType value : kTypes) EXPECT_EQ(parse_weight_type(word_of(value)).value(), value);
  EXPECT_EQ(parse_size("medium").value(), Size::medium);
  EXPECT_EQ(parse_weights("random").value(), Weights::random);
}

TEST(SynthWords, AnUnknownWordListsTheAllowedOnes) {
  const auto parsed = parse_architecture("gpt");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::invalid_argument);
  EXPECT_EQ(parsed.error().message,
            "unknown architecture \"gpt\"; allowed are kimi, qwen3moe, llama, gpt-oss, qwen35moe");
  EXPECT_THAT(parse_weight_type("Q8").error().message, HasSubstr("f16, q8_0, q4_k, q2_k"));
  EXPECT_THAT(parse_size("").error().message, HasSubstr("tiny, small, medium"));
  EXPECT_THAT(parse_weights("zero").error().message, HasSubstr("random, retrieval"));
}

TEST_F(Synth, SameOptionsGiveTheSameBytesAndASeedGivesOthers) {
  for (const Weights weights : {Weights::random, Weights::retrieval}) {
    const SynthOptions options{.weights = weights, .seed = 5};
    const std::string first = digest_of(options);
    EXPECT_EQ(digest_of(options), first);
    EXPECT_NE(digest_of({.weights = weights, .seed = 6}), first);
  }
}

TEST_F(Synth, ReportTellsFileSizeAndParametersAndProgressEndsAtOne) {
  const SynthOptions options{.architecture = Architecture::llama, .output = path("model.gguf")};
  double last = 0;
  const auto report = make_synthetic_model(options, [&](double fraction) {
    EXPECT_GE(fraction, last);
    last = fraction;
  });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(last, 1);
  EXPECT_EQ(report->file_bytes, std::filesystem::file_size(options.output));
  auto probe = RetrievalProbe::open(options.output, {});
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(report->parameters, probe->parameter_count());
}

TEST_F(Synth, AMissingFolderIsAnErrorThatNamesIt) {
  const auto report = make_synthetic_model({.output = path("nowhere/model.gguf")}, nullptr);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::not_found);
  EXPECT_THAT(report.error().message, HasSubstr("nowhere"));
}

TEST_F(Synth, AFailedWriteLeavesNothingBehind) {
  const rlim_t limit = 1'000'000;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{limit, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto report = make_synthetic_model({.output = path("model.gguf")}, nullptr);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("model.gguf"));
  EXPECT_TRUE(std::filesystem::is_empty(path("")));
}

TEST_F(Synth, EveryArchitectureTypeAndKindOfWeightsLoads) {
  for (const Architecture architecture : kArchitectures) {
    for (const WeightType type : kTypes) {
      for (const Weights weights : {Weights::random, Weights::retrieval}) {
        if (weights == Weights::random && type != WeightType::q8_0) continue;
        SCOPED_TRACE(testing::Message() << word_of(architecture) << " " << word_of(type) << " "
                                        << word_of(weights));
        RetrievalProbe probe =
            open({.architecture = architecture, .type = type, .weights = weights});
        ASSERT_TRUE(probe.read("A short text.", false));
        EXPECT_TRUE(probe.ask(" Go", 2));
      }
    }
  }
}

// All characters of one and two bytes, so nearly every byte, and some longer ones.
std::string text_of_many_bytes() {
  std::string text;
  for (int code = 1; code < 0x80; ++code) text += static_cast<char>(code);
  for (int code = 0x80; code < 0x800; code += 3) {
    text += static_cast<char>(0xC0 | (code >> 6));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
  return text + "  Gr\u00fc\u00dfe, \u4e16\u754c \U0001F525 12345 don't";
}

TEST_F(Synth, TheTokenizerKeepsEveryByteAndKnowsMarkup) {
  const std::string text = text_of_many_bytes();
  for (const Architecture architecture : kArchitectures) {
    const RetrievalProbe probe = open({.architecture = architecture});
    const auto tokens = probe.tokenize(text, false);
    EXPECT_EQ(probe.detokenize(tokens), text) << word_of(architecture);
    const std::string prose = "The quiet sailor painted 12 doors.";
    EXPECT_EQ(probe.tokenize(prose, false).size(), prose.size()) << word_of(architecture);
    EXPECT_FALSE(probe.metadata("tokenizer.chat_template").empty());
  }
  const RetrievalProbe kimi = open({.architecture = Architecture::kimi});
  EXPECT_EQ(kimi.tokenize("<|im_user|>user<|im_middle|>", true).size(), 6U);
  EXPECT_EQ(kimi.tokenize("<|im_user|>", false).size(), 11U);
}

struct ChatForm {
  Architecture architecture;
  std::string before_user, after_user, before_answer, end;
};

const ChatForm kChatForms[] = {
    {Architecture::kimi, "<|im_user|>user<|im_middle|>", "<|im_end|>",
     "<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"},
    {Architecture::qwen3moe, "<|im_start|>user\n", "<|im_end|>\n", "<|im_start|>assistant\n",
     "<|im_end|>"},
    {Architecture::llama, "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>",
     "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
};

TEST_F(Synth, EchoesAChatMessageAndStops) {
  const std::string message = "Hello there, how are you?";
  for (const ChatForm& form : kChatForms) {
    RetrievalProbe probe = open({.architecture = form.architecture});
    ASSERT_TRUE(probe.read(form.before_user + message + form.after_user, true));
    EXPECT_EQ(probe.ask(form.before_answer, 60).value(), message + form.end)
        << word_of(form.architecture);
  }
}

TEST_F(Synth, EchoesTheLatestOfSeveralMessages) {
  for (const ChatForm& form : kChatForms) {
    RetrievalProbe probe = open({.architecture = form.architecture});
    ASSERT_TRUE(probe.read(form.before_user + "Hello there." + form.after_user +
                               form.before_answer + "Hello there." + form.after_user +
                               form.before_user + "Have you counted 4 5 6?" + form.after_user,
                           true));
    EXPECT_EQ(probe.ask(form.before_answer, 60).value(), "Have you counted 4 5 6?" + form.end)
        << word_of(form.architecture);
  }
}

TEST_F(Synth, KimiClosesItsThinkBlockAndAnswers) {
  RetrievalProbe probe = open({.architecture = Architecture::kimi});
  ASSERT_TRUE(probe.read("<|im_user|>user<|im_middle|>What a day, what a year!<|im_end|>", true));
  const std::string header = "<|im_assistant|>assistant<|im_middle|><think>";
  EXPECT_EQ(probe.ask(header, 60).value(), "</think>What a day, what a year!<|im_end|>");
  EXPECT_EQ(probe.ask(header + "</think>", 60).value(), "What a day, what a year!<|im_end|>");
  ASSERT_TRUE(probe.read("<|im_user|>user<|im_middle|>What a day, what a year!<|im_end|>" + header +
                             "</think>What a day, what a year!<|im_end|>"
                             "<|im_user|>user<|im_middle|>Which one was it?<|im_end|>",
                         true));
  EXPECT_EQ(probe.ask(header, 60).value(), "</think>Which one was it?<|im_end|>");
}

TEST_F(Synth, FindsPlantedFacts) {
  const auto planted = plant_facts(11, 12, 1600);
  ASSERT_TRUE(planted) << planted.error().message;
  for (const Architecture architecture : kArchitectures) {
    for (const bool q8_0_cache : {false, true}) {
      RetrievalProbe probe = open({.architecture = architecture}, {.q8_0_cache = q8_0_cache});
      EXPECT_GE(count_found(probe, *planted).value(), 11U)
          << word_of(architecture) << (q8_0_cache ? " q8_0" : " f16");
    }
  }
}

TEST_F(Synth, RandomWeightsFindNothing) {
  const auto planted = plant_facts(11, 4, 800);
  ASSERT_TRUE(planted) << planted.error().message;
  RetrievalProbe probe = open({.weights = Weights::random});
  EXPECT_EQ(count_found(probe, *planted).value(), 0U);
}

}  // namespace
}  // namespace hearth::engine
