#include "hearth/store/turns.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "hearth/store/database.h"

namespace hearth::store {
namespace {

// The counts stand before the ids: adding them up does not read those.
constexpr std::array<std::string_view, 1> steps = {
    "CREATE TABLE turns(number INTEGER PRIMARY KEY AUTOINCREMENT, vocabulary TEXT NOT NULL, key BLOB NOT NULL,"
    " token_count INTEGER NOT NULL, content BLOB NOT NULL, handle TEXT NOT NULL, user TEXT NOT NULL,"
    " thinking_on INTEGER NOT NULL, tokens BLOB NOT NULL, UNIQUE(vocabulary, key));"
    "CREATE INDEX turns_of_user ON turns(user)"};
constexpr Schema schema{.application_id = "HTur", .steps = steps};

Result<Digest256> digest_of(const Bytes& bytes) {
  Digest256 out;
  if (bytes.size() != out.bytes.size()) {
    return fail(Code::corrupt, fmt::format("turns: a digest of {} bytes, {} are expected", bytes.size(), out.bytes.size()));
  }
  std::memcpy(out.bytes.data(), bytes.data(), bytes.size());
  return out;
}

Result<StoredTurn> read(const Statement& row) {
  StoredTurn out{.key = TRY(digest_of(row.blob(0))), .content = TRY(digest_of(row.blob(1))), .handle = row.text(2),
                 .user = row.text(3), .thinking_on = row.integer(4) != 0, .tokens = {}};
  const Bytes tokens = row.blob(5);
  if (tokens.size() % sizeof(std::int32_t) != 0) {
    return fail(Code::corrupt, fmt::format("turns: {} bytes of token ids, which are {} each", tokens.size(), sizeof(std::int32_t)));
  }
  out.tokens.resize(tokens.size() / sizeof(std::int32_t));
  std::memcpy(out.tokens.data(), tokens.data(), tokens.size());
  return out;
}

}  // namespace

struct TurnStore::State {
  mutable Database database;
  std::string vocabulary;
  TurnLimits limits;
};

TurnStore::TurnStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
TurnStore::TurnStore(TurnStore&&) noexcept = default;
TurnStore& TurnStore::operator=(TurnStore&&) noexcept = default;
TurnStore::~TurnStore() = default;

Result<TurnStore> TurnStore::open(const std::filesystem::path& file, std::string vocabulary, TurnLimits limits) {
  Database database = TRY(Database::open(file, schema));
  TRY(database.run("PRAGMA secure_delete = ON"));
  return TurnStore(std::make_unique<State>(State{std::move(database), std::move(vocabulary), limits}));
}

Result<> TurnStore::add(const StoredTurn& turn) {
  Database& database = state_->database;
  auto insert = TRY(database.prepare(
      "INSERT OR REPLACE INTO turns(vocabulary, key, token_count, content, handle, user, thinking_on, tokens)"
      " VALUES(?,?,?,?,?,?,?,?)"));
  TRY(insert.run(state_->vocabulary, ByteSpan(turn.key.bytes), turn.tokens.size(), ByteSpan(turn.content.bytes), turn.handle,
                 turn.user, turn.thinking_on, ByteSpan(std::as_bytes(std::span(turn.tokens)))));
  auto bound = TRY(database.prepare(
      "DELETE FROM turns WHERE number <= (SELECT COALESCE(MAX(number), 0) FROM"
      " (SELECT number, COUNT(*) OVER newer AS turns, SUM(token_count) OVER newer AS tokens FROM turns"
      "  WINDOW newer AS (ORDER BY number DESC)) WHERE turns > ? OR tokens > ?)"));
  return bound.run(state_->limits.turns_max, state_->limits.tokens_max);
}

Result<std::vector<StoredTurn>> TurnStore::all() const {
  auto query = TRY(state_->database.prepare(
      "SELECT key, content, handle, user, thinking_on, tokens FROM turns WHERE vocabulary = ? ORDER BY number"));
  TRY(query.query(state_->vocabulary));
  std::vector<StoredTurn> out;
  while (TRY(query.next())) out.push_back(TRY(read(query)));
  return out;
}

Result<> TurnStore::forget(std::string_view user) {
  auto remove = TRY(state_->database.prepare("DELETE FROM turns WHERE user = ?"));
  TRY(remove.run(user));
  return state_->database.run("PRAGMA wal_checkpoint(TRUNCATE)");  // the log has them too
}

}  // namespace hearth::store
