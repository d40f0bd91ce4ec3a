#pragma once
// One SQLite file: opened, brought to the current schema, and asked. Only files of store/ include
// this header, and only they say SQL; everybody else sees typed records (store/NAME.h).
//
// Durable: write-ahead log, synchronous=FULL. What a Transaction committed survives kill -9 and a
// power cut; what was not committed is not there. One process or several: a writer waits for
// another up to busy_time_max.
//
// A Database belongs to one thread at a time, its Statements to the same. A Statement keeps the
// connection open, so the order in which they go does not matter.
// Errors: invalid_argument (no database, or made by a newer Hearth), corrupt, resource_exhausted
// (disk full), permission, unavailable (locked for longer than busy_time_max), internal (SQL that
// is wrong). They name the file, never a bound value.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/clock.h"
#include "hearth/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hearth::store {

inline constexpr Duration busy_time_max = std::chrono::seconds(10);

// A step takes the schema from version i to i + 1. Steps that were released never change; new ones
// are added at the end. `application_id` (four letters) tells one kind of file from another.
struct Schema {
  std::string_view application_id;
  std::span<const std::string_view> steps;
};

class Statement;

class Database {
 public:
  // Makes the file, readable by its owner only, when it is not there.
  static Result<Database> open(const std::filesystem::path& file, const Schema& schema);
  // Nothing is made and nothing can be written; not_found when the file is not there, and
  // invalid_argument when its schema is older (open it for writing once).
  static Result<Database> open_read_only(const std::filesystem::path& file, const Schema& schema);
  // Lives in memory only, for tests.
  static Result<Database> open_in_memory(const Schema& schema);

  Result<Statement> prepare(std::string_view sql);
  Result<> run(std::string_view sql);  // no parameters, no rows; may be several statements
  std::int64_t last_row_id() const;
  std::int64_t changed_rows() const;  // by the latest statement

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}
  static Result<Database> connect(const std::string& file, int flags);
  Result<> migrate(const Schema& schema);
  Result<std::int64_t> version_of(const Schema& schema);
  Result<std::int64_t> pragma(std::string_view name);

  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement: bind all parameters, then step; reset() before it is bound again.
//
//   auto insert = TRY(database.prepare("INSERT INTO runs(name, seconds) VALUES(?, ?)"));
//   TRY(insert.run("cold", 1.5));
class Statement {
 public:
  // Binds all parameters in order, runs to the end and resets. No rows are read.
  template <class... Values>
  Result<> run(const Values&... values) {
    TRY(bind_all(values...));
    return finish();
  }
  // Binds all parameters; rows come from next().
  template <class... Values>
  Result<> query(const Values&... values) {
    return bind_all(values...);
  }
  Result<bool> next();  // true: there is a row, valid until the next call
  void reset();

  // Column i of the row; SQL NULL is 0, "" or nothing.
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  Bytes blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  template <class... Values>
  Result<> bind_all(const Values&... values) {
    reset();
    int index = 0;
    bool bound = true;
    ((bound = bound && bind(++index, values)), ...);
    return check_bound(bound, index);
  }
  bool bind(int index, std::nullptr_t);
  bool bind(int index, double value);
  bool bind(int index, std::string_view value);
  bool bind(int index, ByteSpan value);
  bool bind_integer(int index, std::int64_t value);
  template <std::integral Value>
  bool bind(int index, Value value) {
    return bind_integer(index, static_cast<std::int64_t>(value));
  }
  template <class Value>
  bool bind(int index, const std::optional<Value>& value) {
    return value ? bind(index, *value) : bind(index, nullptr);
  }
  Result<> check_bound(bool bound, int count);
  Result<> finish();

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// Rolled back unless commit() was called. Takes the write lock at once, so it never fails half way
// because another process came first. The Database stays where it is meanwhile.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Result<> commit();

 private:
  struct RollBack {
    void operator()(Database* database) const;
  };
  explicit Transaction(Database& database) : open_(&database) {}
  std::unique_ptr<Database, RollBack> open_;
};

}  // namespace hearth::store
