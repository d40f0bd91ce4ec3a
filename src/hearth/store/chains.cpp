#include "hearth/store/chains.h"

#include <array>

#include "hearth/store/database.h"

namespace hearth::store {
namespace {

constexpr std::array<std::string_view, 2> steps = {
    "CREATE TABLE chains(key TEXT PRIMARY KEY, arm TEXT NOT NULL, cell TEXT NOT NULL, kind TEXT "
    "NOT NULL,"
    " seed INTEGER NOT NULL, depth INTEGER NOT NULL, outcome TEXT NOT NULL);"
    "CREATE INDEX chains_cell ON chains(cell, seed, depth)",
    "CREATE TABLE payments(arm TEXT NOT NULL, usd REAL NOT NULL)"};
constexpr Schema schema{.application_id = "HCha", .steps = steps};

}  // namespace

struct ChainStore::State {
  Database database;
};

ChainStore::ChainStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChainStore::ChainStore(ChainStore&&) noexcept = default;
ChainStore& ChainStore::operator=(ChainStore&&) noexcept = default;
ChainStore::~ChainStore() = default;

Result<ChainStore> ChainStore::open(const std::filesystem::path& file) {
  Database database = TRY(Database::open(file, schema));
  return ChainStore(std::make_unique<State>(State{std::move(database)}));
}

Result<> ChainStore::add(const ChainCall& call) {
  Statement insert = TRY(state_->database.prepare(
      "INSERT INTO chains(key, arm, cell, kind, seed, depth, outcome) VALUES(?,?,?,?,?,?,?)"));
  return insert.run(call.key, call.arm, call.cell, call.kind, static_cast<std::int64_t>(call.seed),
                    call.depth, call.outcome);
}

Result<std::set<std::string>> ChainStore::keys() const {
  Statement rows = TRY(state_->database.prepare("SELECT key FROM chains"));
  TRY(rows.query());
  std::set<std::string> out;
  while (TRY(rows.next())) out.insert(std::string(rows.text(0)));
  return out;
}

Result<> ChainStore::add_payment(std::string_view arm, double usd) {
  Statement insert = TRY(state_->database.prepare("INSERT INTO payments(arm, usd) VALUES(?,?)"));
  return insert.run(arm, usd);
}

Result<double> ChainStore::paid_usd(std::string_view arm) const {
  Statement sum =
      TRY(state_->database.prepare("SELECT COALESCE(SUM(usd), 0.0) FROM payments WHERE arm = ?"));
  TRY(sum.query(arm));
  const bool found = TRY(sum.next());
  return found ? sum.real(0) : 0.0;
}

Result<std::vector<ChainCall>> ChainStore::of_cell(std::string_view cell) const {
  Statement rows =
      TRY(state_->database.prepare("SELECT key, arm, cell, kind, seed, depth, outcome FROM chains "
                                   "WHERE cell = ? ORDER BY kind, seed, depth"));
  TRY(rows.query(cell));
  std::vector<ChainCall> out;
  while (TRY(rows.next())) {
    out.push_back({.key = std::string(rows.text(0)),
                   .arm = std::string(rows.text(1)),
                   .cell = std::string(rows.text(2)),
                   .kind = std::string(rows.text(3)),
                   .seed = static_cast<std::uint64_t>(rows.integer(4)),
                   .depth = static_cast<std::uint32_t>(rows.integer(5)),
                   .outcome = std::string(rows.text(6))});
  }
  return out;
}

}  // namespace hearth::store
