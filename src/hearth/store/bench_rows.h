#pragma once
// Runs of `hearth bench` and every request that was measured in them. A request is kept as the text that
// bench made of it (bench/sample.h); what a run's table shows is made of these again.
//
// Samples are on disk when add() has returned: an interrupted run keeps what it had. One thread.
// Errors: those of store/database.h; not_found for a run that is not there.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hearth/store/database.h"

namespace hearth::store {

struct BenchRun {
  std::int64_t id = 0;
  std::string name;
  std::int64_t started_s = 0;  // since 1970
  std::string environment;     // JSON
  std::string plan;            // JSON: what was asked for, and what was predicted
  std::string state;           // "running", "done", "interrupted", "failed: …", "void: …"
  std::int64_t samples = 0;
};

struct BenchSample {
  std::string target;
  std::string sample;  // JSON
};

class BenchRows {
 public:
  static Result<BenchRows> open(const std::filesystem::path& file);

  // The state is "running", until it is told.
  Result<std::int64_t> begin(const BenchRun& run);
  // The latest run of that name with that plan, unless it is done or void: then what was asked for is another
  // measurement. Its state is "running" again.
  Result<std::optional<std::int64_t>> go_on(std::string_view name, std::string_view plan);
  // All of them or none.
  Result<> add(std::int64_t run, std::span<const BenchSample> samples);
  Result<> end(std::int64_t run, std::string_view state);

  Result<std::vector<BenchRun>> runs();  // the latest first
  // By number, by name (the latest of that name), or "last".
  Result<BenchRun> find(std::string_view which);
  // In the order in which they were added; `take` may refuse one, which ends it.
  Result<> samples(std::int64_t run, const std::function<Result<>(const std::string& sample)>& take);

 private:
  explicit BenchRows(Database database) : database_(std::move(database)) {}
  Database database_;
};

}  // namespace hearth::store
