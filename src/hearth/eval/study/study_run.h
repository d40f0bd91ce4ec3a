#pragma once
// A study from where it stands to its end: generate up to the next look, grade, look, and again, until
// the answer is clear. Everything is in the records the moment it is known; the same call after kill -9
// goes on where it was, generates nothing twice and grades nothing twice. One thread drives; calls run
// on a few more (in_parallel.h).

#include <filesystem>
#include <functional>
#include <memory>

#include "hearth/base/file.h"
#include "hearth/eval/grading/grader.h"
#include "hearth/eval/judge/grading.h"
#include "hearth/eval/study/generation.h"
#include "hearth/eval/study/standing.h"

namespace hearth::eval {

struct StudyParts {
  std::filesystem::path folder;  // of the records and sealed maps
  const Suite& suite;
  const ArmsFile& file;
  store::StudyStore& records;
  FileSystem& files;
  const Sandbox* sandbox = nullptr;  // only where an item is code
  // Called once for each stretch of work; what it gives is dropped after it. `least`: what an item must
  // allow for its text to go there, if that is outside the house.
  std::function<Result<std::unique_ptr<Service>>(const upstream::EndpointSpec&, Egress least)> connect;
  std::function<std::int64_t()> now_s;
  std::function<Result<std::string>()> nonce;
};

struct StudyOptions {
  std::uint32_t generations_max = 0;  // stop before a look beyond it; 0: as planned
  bool grade = true;  // false: generate only
  RetryPolicy retry;
  std::function<void(const std::string& what, double share)> progress;  // what: for people, with time left and cost
};

enum class StudyEnd : std::uint8_t {
  decided,
  void_,  // a control came out wrong; more generations cannot mend that
  wants_person,  // a person is to grade the round under way: hearth eval grade
  generated,  // as far as was asked
};

Result<StudyEnd> run_study(const StudyParts& parts, const StudyOptions& options, const StopToken& stop);

}  // namespace hearth::eval
