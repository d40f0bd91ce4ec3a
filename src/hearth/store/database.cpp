#include "hearth/store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/file.h"

namespace hearth::store {
namespace {

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::unavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return Code::resource_exhausted;
    case SQLITE_CORRUPT:
      return Code::corrupt;
    case SQLITE_NOTADB:
      return Code::invalid_argument;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Code::permission;
    case SQLITE_CANTOPEN:
      return Code::not_found;
    case SQLITE_IOERR:
      return Code::unavailable;
    default:
      return Code::internal;
  }
}

std::string name_of(sqlite3* handle) {
  const char* file = sqlite3_db_filename(handle, "main");
  return file == nullptr || *file == '\0' ? "database in memory" : file;
}

std::unexpected<Error> error_of(sqlite3* handle, std::string_view doing) {
  return fail(code_of(sqlite3_extended_errcode(handle)),
              fmt::format("{}: {}: {}", name_of(handle), doing, sqlite3_errmsg(handle)));
}

// "HEAV" as the big-endian number that SQLite keeps in the header of the file.
std::int64_t application_number(std::string_view letters) {
  CHECK(letters.size() == 4);
  std::uint32_t number = 0;
  for (const char letter : letters) number = number << 8 | static_cast<unsigned char>(letter);
  return static_cast<std::int32_t>(number);
}

// SQLite would make the file with the process's umask; what is kept here is the owner's business.
Result<> make_private_file(const std::filesystem::path& file) {
  // Only a new one: closing a descriptor of a file that is in use would drop SQLite's locks on it.
  const int fd = ::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return {};
  if (fd < 0) return fail_errno("open", file, errno);
  FileDescriptor(fd).close();
  return {};
}

}  // namespace

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Result<Database> Database::connect(const std::string& file, int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (handle == nullptr) return fail(Code::resource_exhausted, file + ": no memory to open it");
  Database database(handle);
  if (code != SQLITE_OK) return error_of(handle, "opening");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(busy_time_max / std::chrono::milliseconds(1)));
  TRY(database.run("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"));
  return database;
}

Result<Database> Database::open(const std::filesystem::path& file, const Schema& schema) {
  TRY(make_private_file(file));
  auto database = TRY(connect(file.string(), SQLITE_OPEN_READWRITE));
  TRY(database.version_of(schema));  // before a foreign file is touched
  TRY(database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"));
  TRY(database.migrate(schema));
  return database;
}

Result<Database> Database::open_read_only(const std::filesystem::path& file,
                                          const Schema& schema) {
  auto database = TRY(connect(file.string(), SQLITE_OPEN_READONLY));
  const std::int64_t version = TRY(database.version_of(schema));
  if (version < std::ssize(schema.steps)) {
    return fail(Code::invalid_argument,
                fmt::format("{}: its schema is version {}, {} was expected; write to it once to bring it up to date",
                            file.string(), version, schema.steps.size()));
  }
  return database;
}

Result<Database> Database::open_in_memory(const Schema& schema) {
  auto database = TRY(connect(":memory:", SQLITE_OPEN_READWRITE));
  TRY(database.migrate(schema));
  return database;
}

Result<std::int64_t> Database::pragma(std::string_view name) {
  auto statement = TRY(prepare(fmt::format("PRAGMA {}", name)));
  TRY(statement.query());
  const bool has_row = TRY(statement.next());
  CHECK(has_row);
  return statement.integer(0);
}

// 0 for a file that is new.
Result<std::int64_t> Database::version_of(const Schema& schema) {
  const std::int64_t application = TRY(pragma("application_id"));
  const std::int64_t version = TRY(pragma("user_version"));
  const bool is_new = application == 0 && version == 0 && TRY(pragma("schema_version")) == 0;
  if (!is_new && application != application_number(schema.application_id)) {
    return fail(Code::invalid_argument,
                fmt::format("{}: is not a file of kind {}; name another file", name_of(handle_.get()),
                            schema.application_id));
  }
  if (version > std::ssize(schema.steps)) {
    return fail(Code::invalid_argument,
                fmt::format("{}: was written by a newer Hearth (schema {}, this one knows {}); use that one",
                            name_of(handle_.get()), version, schema.steps.size()));
  }
  return version;
}

Result<> Database::migrate(const Schema& schema) {
  if (TRY(version_of(schema)) == std::ssize(schema.steps)) return {};
  auto transaction = TRY(Transaction::begin(*this));
  // Again, under the lock: another process may have been quicker.
  const auto done = static_cast<std::size_t>(TRY(version_of(schema)));
  for (const std::string_view step : schema.steps.subspan(done)) TRY(run(step));
  TRY(run(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};",
                      application_number(schema.application_id), schema.steps.size())));
  return transaction.commit();
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &handle, nullptr);
  if (code != SQLITE_OK) return error_of(handle_.get(), "preparing a statement");
  return Statement(handle);
}

Result<> Database::run(std::string_view sql) {
  const std::string text(sql);  // with its terminating zero
  if (sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return error_of(handle_.get(), "running a statement");
  }
  return {};
}

std::int64_t Database::last_row_id() const { return sqlite3_last_insert_rowid(handle_.get()); }
std::int64_t Database::changed_rows() const { return sqlite3_changes64(handle_.get()); }

void Statement::Finalize::operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }

Result<bool> Statement::next() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto error = error_of(sqlite3_db_handle(handle_.get()), "running a statement");
  reset();
  return error;
}

void Statement::reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
}

Result<> Statement::finish() {
  while (TRY(next())) {
  }
  reset();
  return {};
}

bool Statement::bind(int index, std::nullptr_t) {
  return sqlite3_bind_null(handle_.get(), index) == SQLITE_OK;
}
bool Statement::bind(int index, double value) {
  return sqlite3_bind_double(handle_.get(), index, value) == SQLITE_OK;
}
bool Statement::bind(int index, std::string_view value) {
  const char* text = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
  return sqlite3_bind_text64(handle_.get(), index, text, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK;
}
bool Statement::bind(int index, ByteSpan value) {
  if (value.empty()) return sqlite3_bind_zeroblob(handle_.get(), index, 0) == SQLITE_OK;
  return sqlite3_bind_blob64(handle_.get(), index, value.data(), value.size(), SQLITE_TRANSIENT) == SQLITE_OK;
}
bool Statement::bind_integer(int index, std::int64_t value) {
  return sqlite3_bind_int64(handle_.get(), index, value) == SQLITE_OK;
}

Result<> Statement::check_bound(bool bound, int count) {
  CHECK(count == sqlite3_bind_parameter_count(handle_.get()));
  if (!bound) return error_of(sqlite3_db_handle(handle_.get()), "binding a value");
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const { return sqlite3_column_double(handle_.get(), column); }
bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(handle_.get(), column);
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), bytes);
}

Bytes Statement::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(handle_.get(), column));
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
  return data == nullptr ? Bytes() : Bytes(data, data + bytes);
}

void Transaction::RollBack::operator()(Database* database) const {
  (void)database->run("ROLLBACK");
}

Result<Transaction> Transaction::begin(Database& database) {
  TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Result<> Transaction::commit() {
  CHECK(open_ != nullptr);
  TRY(open_->run("COMMIT"));
  (void)open_.release();
  return {};
}

}  // namespace hearth::store
