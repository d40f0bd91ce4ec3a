#pragma once
// A run of `hearth bench` as it is shown: made again from its samples each time.

#include <filesystem>

#include "hearth/bench/report.h"
#include "hearth/store/bench_rows.h"

namespace hearth::cli {

struct BenchResult {
  store::BenchRun run;
  std::vector<bench::Row> rows;
};

Result<BenchResult> load_run(store::BenchRows& rows, std::string_view which);

std::string started_text(const store::BenchRun& run);  // "2026-04-23 09:00 UTC"
Json result_json(const BenchResult& result);
std::string result_text(const BenchResult& result);
Result<> write_report(const BenchResult& result, const std::filesystem::path& html);
Result<> write_text_file(const std::filesystem::path& file, const std::string& text);

}  // namespace hearth::cli
