#include "hearth/store/verdicts.h"

#include <array>

#include "hearth/store/database.h"

namespace hearth::store {
namespace {

constexpr std::array<std::string_view, 1> steps = {
    "CREATE TABLE verdicts(task_class TEXT NOT NULL, arm TEXT NOT NULL, model TEXT NOT NULL, quantisation TEXT NOT NULL,"
    " reference TEXT NOT NULL, verdict TEXT NOT NULL, good_enough INTEGER NOT NULL, difference REAL NOT NULL,"
    " low REAL NOT NULL, high REAL NOT NULL, margin REAL NOT NULL, model_digest TEXT NOT NULL, engine_build TEXT NOT NULL,"
    " topology TEXT NOT NULL, suite_version TEXT NOT NULL, study TEXT NOT NULL, decided_s INTEGER NOT NULL,"
    " PRIMARY KEY(task_class, arm))"};
constexpr Schema schema{.application_id = "HVer", .steps = steps};

constexpr std::string_view columns =
    "task_class, arm, model, quantisation, reference, verdict, good_enough, difference, low, high, margin,"
    " model_digest, engine_build, topology, suite_version, study, decided_s";

ClassVerdict read(const Statement& row) {
  return {.task_class = row.text(0),
          .arm = row.text(1),
          .model = row.text(2),
          .quantisation = row.text(3),
          .reference = row.text(4),
          .verdict = row.text(5),
          .good_enough = row.integer(6) != 0,
          .difference = row.real(7),
          .low = row.real(8),
          .high = row.real(9),
          .margin = row.real(10),
          .basis = {.model_digest = row.text(11), .engine_build = row.text(12), .topology = row.text(13), .suite_version = row.text(14)},
          .study = row.text(15),
          .decided_s = row.integer(16)};
}

}  // namespace

std::string stale_reason(const ClassVerdict& verdict, const VerdictBasis& now) {
  const auto differs = [](std::string_view what, const std::string& then, const std::string& is) {
    if (is.empty() || is == then) return std::string();
    return std::string(what) + " is " + is + ", but the verdict was made with " + (then.empty() ? "an unknown one" : then);
  };
  const VerdictBasis& then = verdict.basis;
  for (std::string reason : {differs("the model", then.model_digest, now.model_digest), differs("the engine", then.engine_build, now.engine_build),
                             differs("the topology", then.topology, now.topology), differs("the suite", then.suite_version, now.suite_version)}) {
    if (!reason.empty()) return reason;
  }
  return "";
}

struct VerdictStore::State {
  Database database;
};

VerdictStore::VerdictStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
VerdictStore::VerdictStore(VerdictStore&&) noexcept = default;
VerdictStore& VerdictStore::operator=(VerdictStore&&) noexcept = default;
VerdictStore::~VerdictStore() = default;

Result<VerdictStore> VerdictStore::open(const std::filesystem::path& file) {
  Database database = TRY(Database::open(file, schema));
  return VerdictStore(std::make_unique<State>(State{std::move(database)}));
}

Result<VerdictStore> VerdictStore::open_read_only(const std::filesystem::path& file) {
  Database database = TRY(Database::open_read_only(file, schema));
  return VerdictStore(std::make_unique<State>(State{std::move(database)}));
}

Result<> VerdictStore::put(const std::vector<ClassVerdict>& verdicts) {
  Transaction transaction = TRY(Transaction::begin(state_->database));
  Statement insert = TRY(state_->database.prepare("INSERT OR REPLACE INTO verdicts(" + std::string(columns) +
                                                  ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  for (const ClassVerdict& v : verdicts) {
    TRY(insert.run(v.task_class, v.arm, v.model, v.quantisation, v.reference, v.verdict, v.good_enough ? 1 : 0, v.difference, v.low, v.high,
                   v.margin, v.basis.model_digest, v.basis.engine_build, v.basis.topology, v.basis.suite_version, v.study, v.decided_s));
  }
  return transaction.commit();
}

Result<std::vector<ClassVerdict>> VerdictStore::all() const {
  Statement rows = TRY(state_->database.prepare("SELECT " + std::string(columns) + " FROM verdicts ORDER BY task_class, arm"));
  TRY(rows.query());
  std::vector<ClassVerdict> out;
  while (TRY(rows.next())) out.push_back(read(rows));
  return out;
}

Result<std::optional<ClassVerdict>> VerdictStore::find(std::string_view task_class, std::string_view arm) const {
  Statement rows = TRY(state_->database.prepare("SELECT " + std::string(columns) + " FROM verdicts WHERE task_class = ? AND arm = ?"));
  TRY(rows.query(task_class, arm));
  const bool found = TRY(rows.next());
  return found ? std::optional(read(rows)) : std::nullopt;
}

}  // namespace hearth::store
