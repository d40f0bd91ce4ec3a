#include "hearth/store/bench_rows.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hearth::store {
namespace {

constexpr std::array<std::string_view, 1> steps = {
    "CREATE TABLE runs(id INTEGER PRIMARY KEY, name TEXT NOT NULL, started_s INTEGER NOT NULL, environment TEXT NOT NULL,"
    " plan TEXT NOT NULL, state TEXT NOT NULL);"
    "CREATE TABLE samples(id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), target TEXT NOT NULL, sample TEXT NOT NULL);"
    "CREATE INDEX samples_of_run ON samples(run, id);"};
constexpr Schema schema{.application_id = "HBen", .steps = steps};

constexpr std::string_view select_runs =
    "SELECT id, name, started_s, environment, plan, state, (SELECT count(*) FROM samples WHERE run = runs.id) FROM runs ";

BenchRun run_of(const Statement& row) {
  return {row.integer(0), row.text(1), row.integer(2), row.text(3), row.text(4), row.text(5), row.integer(6)};
}

}  // namespace

Result<BenchRows> BenchRows::open(const std::filesystem::path& file) {
  return BenchRows(TRY(Database::open(file, schema)));
}

Result<std::int64_t> BenchRows::begin(const BenchRun& run) {
  auto insert = TRY(database_.prepare("INSERT INTO runs(name, started_s, environment, plan, state) VALUES(?, ?, ?, ?, 'running')"));
  TRY(insert.run(run.name, run.started_s, run.environment, run.plan));
  return database_.last_row_id();
}

Result<std::optional<std::int64_t>> BenchRows::go_on(std::string_view name, std::string_view plan) {
  auto select = TRY(database_.prepare("SELECT id, state FROM runs WHERE name = ? AND plan = ? ORDER BY id DESC LIMIT 1"));
  TRY(select.query(name, plan));
  if (!TRY(select.next())) return std::nullopt;
  const std::int64_t run = select.integer(0);
  const std::string state = select.text(1);
  select.reset();
  if (state == "done" || state.starts_with("void")) return std::nullopt;
  TRY(end(run, "running"));
  return run;
}

Result<> BenchRows::add(std::int64_t run, std::span<const BenchSample> samples) {
  auto transaction = TRY(Transaction::begin(database_));
  {
    auto insert = TRY(database_.prepare("INSERT INTO samples(run, target, sample) VALUES(?, ?, ?)"));
    for (const BenchSample& one : samples) TRY(insert.run(run, one.target, one.sample));
  }
  return transaction.commit();
}

Result<> BenchRows::end(std::int64_t run, std::string_view state) {
  auto update = TRY(database_.prepare("UPDATE runs SET state = ? WHERE id = ?"));
  return update.run(state, run);
}

Result<std::vector<BenchRun>> BenchRows::runs() {
  auto select = TRY(database_.prepare(std::string(select_runs) + "ORDER BY id DESC"));
  TRY(select.query());
  std::vector<BenchRun> out;
  while (TRY(select.next())) out.push_back(run_of(select));
  return out;
}

Result<BenchRun> BenchRows::find(std::string_view which) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), id);
  const bool is_number = error == std::errc() && end == which.data() + which.size();
  auto select = TRY(database_.prepare(std::string(select_runs) + "WHERE (?1 AND id = ?2) OR (NOT ?1 AND (name = ?3 OR ?3 = 'last')) ORDER BY id DESC LIMIT 1"));
  TRY(select.query(is_number ? 1 : 0, id, which));
  if (TRY(select.next())) return run_of(select);
  return fail(Code::not_found, "no run '" + std::string(which) + "'; hearth bench ls shows all, by number and name");
}

Result<> BenchRows::samples(std::int64_t run, const std::function<Result<>(const std::string& sample)>& take) {
  auto select = TRY(database_.prepare("SELECT sample FROM samples WHERE run = ? ORDER BY id"));
  TRY(select.query(run));
  while (TRY(select.next())) TRY(take(select.text(0)));
  return {};
}

}  // namespace hearth::store
