#include "hearth/store/study.h"

#include <array>

#include "hearth/store/database.h"

namespace hearth::store {
namespace {

constexpr std::array<std::string_view, 2> steps = {
    "CREATE TABLE generations(sequence INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, item TEXT NOT NULL, "
    "prompt_digest TEXT NOT NULL,"
    " arm TEXT NOT NULL, arm_digest TEXT NOT NULL, k INTEGER NOT NULL, seed INTEGER NOT NULL, request_digest TEXT NOT "
    "NULL,"
    " output TEXT NOT NULL, thinking TEXT NOT NULL, end TEXT NOT NULL, fault TEXT NOT NULL, prompt_tokens INTEGER NOT "
    "NULL,"
    " cached_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, thinking_tokens INTEGER NOT NULL, first_piece_s "
    "REAL NOT NULL,"
    " total_s REAL NOT NULL, model TEXT NOT NULL, model_digest TEXT NOT NULL, engine_build TEXT NOT NULL, cost_usd "
    "REAL NOT NULL,"
    " tries INTEGER NOT NULL, began_s INTEGER NOT NULL);"
    "CREATE TABLE scores(sequence INTEGER PRIMARY KEY, generation TEXT NOT NULL REFERENCES generations(key), "
    "item_digest TEXT NOT NULL,"
    " grader_version INTEGER NOT NULL, score REAL NOT NULL, detail TEXT NOT NULL, UNIQUE(generation, item_digest, "
    "grader_version));"
    "CREATE TABLE rounds(round INTEGER PRIMARY KEY, k_begin INTEGER NOT NULL, k_end INTEGER NOT NULL, commitment TEXT "
    "NOT NULL,"
    " map TEXT, last_grade INTEGER NOT NULL);"
    "CREATE TABLE tasks(id TEXT PRIMARY KEY, round INTEGER NOT NULL REFERENCES rounds(round), digest TEXT NOT NULL, "
    "egress TEXT NOT NULL,"
    " copy INTEGER NOT NULL, for_second INTEGER NOT NULL, task TEXT NOT NULL);"
    "CREATE TABLE grades(sequence INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL REFERENCES tasks(id), judge "
    "TEXT NOT NULL,"
    " repeat INTEGER NOT NULL, task_digest TEXT NOT NULL, copy INTEGER NOT NULL, graded INTEGER NOT NULL, value REAL "
    "NOT NULL,"
    " answer TEXT NOT NULL, fault TEXT NOT NULL, raw TEXT NOT NULL, tries INTEGER NOT NULL, quotes_missing INTEGER NOT "
    "NULL,"
    " model TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, "
    "seconds REAL NOT NULL,"
    " from_cache INTEGER NOT NULL, graded_s INTEGER NOT NULL, UNIQUE(task, judge, repeat));"
    "CREATE INDEX grades_by_content ON grades(task_digest, judge, repeat, copy);"
    "CREATE TABLE events(sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, at_s INTEGER NOT "
    "NULL);",
    "ALTER TABLE generations ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE scores ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE tasks ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE grades ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"};
constexpr Schema schema{.application_id = "HStu", .steps = steps};

constexpr std::string_view generation_columns =
    "key, item, prompt_digest, arm, arm_digest, k, seed, request_digest, output, thinking, end, fault, prompt_tokens, "
    "cached_tokens,"
    " answer_tokens, thinking_tokens, first_piece_s, total_s, model, model_digest, engine_build, cost_usd, tries, "
    "began_s, sealed";
constexpr std::string_view grade_columns =
    "task, judge, repeat, task_digest, copy, graded, value, answer, fault, raw, tries, quotes_missing, model, "
    "prompt_tokens,"
    " answer_tokens, cost_usd, seconds, from_cache, graded_s, sealed";

std::uint32_t small(const Statement& row, int column) { return static_cast<std::uint32_t>(row.integer(column)); }

GenerationRecord read_generation(const Statement& row) {
  return {.key = row.text(0),
          .item = row.text(1),
          .prompt_digest = row.text(2),
          .arm = row.text(3),
          .arm_digest = row.text(4),
          .k = small(row, 5),
          .seed = static_cast<std::uint64_t>(row.integer(6)),
          .request_digest = row.text(7),
          .output = row.text(8),
          .thinking = row.text(9),
          .end = row.text(10),
          .fault = row.text(11),
          .prompt_tokens = small(row, 12),
          .cached_tokens = small(row, 13),
          .answer_tokens = small(row, 14),
          .thinking_tokens = small(row, 15),
          .first_piece_s = row.real(16),
          .total_s = row.real(17),
          .model = row.text(18),
          .model_digest = row.text(19),
          .engine_build = row.text(20),
          .cost_usd = row.real(21),
          .tries = small(row, 22),
          .began_s = row.integer(23),
          .is_sealed = row.integer(24) != 0};
}

GradeRecord read_grade(const Statement& row) {
  return {.task = row.text(0),
          .judge = row.text(1),
          .repeat = small(row, 2),
          .task_digest = row.text(3),
          .copy = small(row, 4),
          .graded = row.integer(5) != 0,
          .value = row.real(6),
          .answer = row.text(7),
          .fault = row.text(8),
          .raw = row.text(9),
          .tries = small(row, 10),
          .quotes_missing = small(row, 11),
          .model = row.text(12),
          .prompt_tokens = small(row, 13),
          .answer_tokens = small(row, 14),
          .cost_usd = row.real(15),
          .seconds = row.real(16),
          .from_cache = row.integer(17) != 0,
          .graded_s = row.integer(18),
          .sequence = row.integer(20),
          .is_sealed = row.integer(19) != 0};
}

TaskRecord read_task(const Statement& row) {
  return {.id = row.text(0),
          .round = small(row, 1),
          .digest = row.text(2),
          .egress = row.text(3),
          .copy = small(row, 4),
          .for_second = row.integer(5) != 0,
          .task = row.text(6),
          .is_sealed = row.integer(7) != 0};
}

// The texts of a record that are hidden where it is sealed, with their places.
template <class Use>
Result<> each_text(GenerationRecord& r, Use use) {
  TRY(use(r.output, "generation " + r.key + " output"));
  return use(r.thinking, "generation " + r.key + " thinking");
}
template <class Use>
Result<> each_text(ScoreRecord& r, Use use) {
  return use(r.detail, "score " + r.generation + " " + r.item_digest + " " + std::to_string(r.grader_version));
}
template <class Use>
Result<> each_text(TaskRecord& r, Use use) {
  return use(r.task, "task " + r.id);
}
template <class Use>
Result<> each_text(GradeRecord& r, Use use) {
  const std::string place = "grade " + r.task + " " + r.judge + " " + std::to_string(r.repeat);
  TRY(use(r.answer, place + " answer"));
  TRY(use(r.fault, place + " fault"));
  return use(r.raw, place + " raw");
}

Result<TextCipher*> needed(const std::shared_ptr<TextCipher>& cipher) {
  if (cipher) return cipher.get();
  return fail(Code::unavailable, "what must not leave the house is kept encrypted, and no vault is at hand");
}

template <class Record>
Result<Record> sealed(Record record, const std::shared_ptr<TextCipher>& cipher) {
  if (!record.is_sealed) return record;
  TextCipher* hide = TRY(needed(cipher));
  TRY(each_text(record, [&](std::string& text, const std::string& place) -> Result<> {
    text = TRY(hide->seal(text, place));
    return {};
  }));
  return record;
}

template <class Record>
Result<Record> opened(Record record, const std::shared_ptr<TextCipher>& cipher) {
  if (!record.is_sealed) return record;
  TextCipher* show = TRY(needed(cipher));
  TRY(each_text(record, [&](std::string& text, const std::string& place) -> Result<> {
    text = TRY(show->open(text, place));
    return {};
  }));
  return record;
}

template <class Record, class Read, class... Values>
Result<std::vector<Record>> read_all(Database& database, const std::string& sql, Read read, const Values&... values) {
  Statement rows = TRY(database.prepare(sql));
  TRY(rows.query(values...));
  std::vector<Record> out;
  while (TRY(rows.next())) out.push_back(read(rows));
  return out;
}

template <class Record>
Result<std::vector<Record>> all_opened(Result<std::vector<Record>> records, const std::shared_ptr<TextCipher>& cipher) {
  if (!records) return records;
  for (Record& one : *records) one = TRY(opened(std::move(one), cipher));
  return records;
}

}  // namespace

struct StudyStore::State {
  Database database;
  std::shared_ptr<TextCipher> cipher{};
};

StudyStore::StudyStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
StudyStore::StudyStore(StudyStore&&) noexcept = default;
StudyStore& StudyStore::operator=(StudyStore&&) noexcept = default;
StudyStore::~StudyStore() = default;

Result<StudyStore> StudyStore::open(const std::filesystem::path& file) {
  Database database = TRY(Database::open(file, schema));
  return StudyStore(std::make_unique<State>(State{std::move(database)}));
}

Result<StudyStore> StudyStore::open_read_only(const std::filesystem::path& file) {
  Database database = TRY(Database::open_read_only(file, schema));
  return StudyStore(std::make_unique<State>(State{std::move(database)}));
}

Result<StudyStore> StudyStore::open_in_memory() {
  Database database = TRY(Database::open_in_memory(schema));
  return StudyStore(std::make_unique<State>(State{std::move(database)}));
}

void StudyStore::set_cipher(std::shared_ptr<TextCipher> cipher) { state_->cipher = std::move(cipher); }

Result<> StudyStore::check_cipher() const {
  TextCipher* cipher = TRY(needed(state_->cipher));
  TRY(cipher->seal("", "check"));
  return {};
}

Result<> StudyStore::add_generation(const GenerationRecord& record) {
  const GenerationRecord r = TRY(sealed(record, state_->cipher));
  Statement insert = TRY(state_->database.prepare("INSERT INTO generations(" + std::string(generation_columns) +
                                                  ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  return insert.run(r.key, r.item, r.prompt_digest, r.arm, r.arm_digest, r.k, r.seed, r.request_digest, r.output,
                    r.thinking, r.end, r.fault, r.prompt_tokens, r.cached_tokens, r.answer_tokens, r.thinking_tokens,
                    r.first_piece_s, r.total_s, r.model, r.model_digest, r.engine_build, r.cost_usd, r.tries,
                    r.began_s, r.is_sealed ? 1 : 0);
}

Result<> StudyStore::add_score(const ScoreRecord& record) {
  const ScoreRecord r = TRY(sealed(record, state_->cipher));
  Statement insert = TRY(state_->database.prepare(
      "INSERT INTO scores(generation, item_digest, grader_version, score, detail, sealed) VALUES(?,?,?,?,?,?)"));
  return insert.run(r.generation, r.item_digest, r.grader_version, r.score, r.detail, r.is_sealed ? 1 : 0);
}

Result<> StudyStore::add_grade(const GradeRecord& record) {
  const GradeRecord r = TRY(sealed(record, state_->cipher));
  Statement insert = TRY(state_->database.prepare("INSERT INTO grades(" + std::string(grade_columns) +
                                                  ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  return insert.run(r.task, r.judge, r.repeat, r.task_digest, r.copy, r.graded ? 1 : 0, r.value, r.answer, r.fault,
                    r.raw, r.tries, r.quotes_missing, r.model, r.prompt_tokens, r.answer_tokens, r.cost_usd, r.seconds,
                    r.from_cache ? 1 : 0, r.graded_s, r.is_sealed ? 1 : 0);
}

Result<> StudyStore::add_event(const EventRecord& r) {
  Statement insert = TRY(state_->database.prepare("INSERT INTO events(kind, body, at_s) VALUES(?,?,?)"));
  return insert.run(r.kind, r.body, r.at_s);
}

Result<> StudyStore::add_round(const RoundRecord& round, const std::vector<TaskRecord>& tasks) {
  Transaction transaction = TRY(Transaction::begin(state_->database));
  Statement insert = TRY(state_->database.prepare(
      "INSERT INTO rounds(round, k_begin, k_end, commitment, map, last_grade) VALUES(?,?,?,?,NULL,0)"));
  TRY(insert.run(round.round, round.k_begin, round.k_end, round.commitment));
  Statement add = TRY(state_->database.prepare(
      "INSERT INTO tasks(id, round, digest, egress, copy, for_second, task, sealed) VALUES(?,?,?,?,?,?,?,?)"));
  for (const TaskRecord& task : tasks) {
    const TaskRecord t = TRY(sealed(task, state_->cipher));
    TRY(add.run(t.id, t.round, t.digest, t.egress, t.copy, t.for_second ? 1 : 0, t.task, t.is_sealed ? 1 : 0));
  }
  return transaction.commit();
}

Result<> StudyStore::open_round(std::uint32_t round, std::string_view map) {
  Statement update =
      TRY(state_->database.prepare("UPDATE rounds SET map = ?, last_grade = (SELECT coalesce(max(sequence), 0) FROM "
                                   "grades) WHERE round = ? AND map IS NULL"));
  TRY(update.run(map, round));
  if (state_->database.changed_rows() != 1)
    return fail(Code::invalid_argument, "round " + std::to_string(round) + " is not there or was opened before");
  return {};
}

Result<std::vector<GenerationRecord>> StudyStore::generations() const {
  return all_opened(
      read_all<GenerationRecord>(state_->database,
                                 "SELECT " + std::string(generation_columns) + " FROM generations ORDER BY sequence",
                                 read_generation),
      state_->cipher);
}

Result<std::vector<ScoreRecord>> StudyStore::scores() const {
  return all_opened(
      read_all<ScoreRecord>(
          state_->database, "SELECT generation, item_digest, grader_version, score, detail, sealed FROM scores ORDER BY sequence",
          [](const Statement& row) {
            return ScoreRecord{.generation = row.text(0),
                               .item_digest = row.text(1),
                               .grader_version = small(row, 2),
                               .score = row.real(3),
                               .detail = row.text(4),
                               .is_sealed = row.integer(5) != 0};
          }),
      state_->cipher);
}

Result<std::vector<RoundRecord>> StudyStore::rounds() const {
  return read_all<RoundRecord>(state_->database,
                               "SELECT round, k_begin, k_end, commitment, map, last_grade FROM rounds ORDER BY round",
                               [](const Statement& row) {
                                 return RoundRecord{.round = small(row, 0),
                                                    .k_begin = small(row, 1),
                                                    .k_end = small(row, 2),
                                                    .commitment = row.text(3),
                                                    .map = row.is_null(4) ? std::nullopt : std::optional(row.text(4)),
                                                    .last_grade = row.integer(5)};
                               });
}

Result<std::vector<TaskRecord>> StudyStore::tasks(std::uint32_t round) const {
  return all_opened(
      read_all<TaskRecord>(
          state_->database,
          "SELECT id, round, digest, egress, copy, for_second, task, sealed FROM tasks WHERE round = ? ORDER BY id",
          read_task, round),
      state_->cipher);
}

Result<std::vector<GradeRecord>> StudyStore::grades() const {
  return all_opened(
      read_all<GradeRecord>(state_->database,
                            "SELECT " + std::string(grade_columns) + ", sequence FROM grades ORDER BY sequence",
                            read_grade),
      state_->cipher);
}

Result<std::vector<EventRecord>> StudyStore::events() const {
  return read_all<EventRecord>(state_->database, "SELECT kind, body, at_s FROM events ORDER BY sequence",
                               [](const Statement& row) {
                                 return EventRecord{.kind = row.text(0), .body = row.text(1), .at_s = row.integer(2)};
                               });
}

Result<std::optional<GradeRecord>> StudyStore::cached_grade(std::string_view task_digest, std::string_view judge,
                                                            std::uint32_t repeat, std::uint32_t copy) const {
  Statement rows = TRY(state_->database.prepare(
      "SELECT " + std::string(grade_columns) +
      ", sequence FROM grades WHERE task_digest = ? AND judge = ? AND repeat = ? AND copy = ? AND graded = 1"
      " ORDER BY sequence LIMIT 1"));
  TRY(rows.query(task_digest, judge, repeat, copy));
  const bool found = TRY(rows.next());
  if (!found) return std::optional<GradeRecord>();
  GradeRecord grade = TRY(opened(read_grade(rows), state_->cipher));
  return std::optional(std::move(grade));
}

}  // namespace hearth::store
