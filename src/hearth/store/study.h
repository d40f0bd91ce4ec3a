#pragma once
// The records of one study of quality: what was registered, what the arms wrote, what was graded and
// how. Append-only: a generation, a score or a grade is written once and never changed. One file,
// study.db, beside the sealed maps of its rounds. What the records mean is the bench's business.
//
// What must not leave the house (is_sealed) is written encrypted: what arms, judges and graders wrote, and
// tasks; the rest of a record is plain. Without a cipher, or while its vault is locked, such a record is
// neither written nor read (unavailable).
//
// Every add_* is durable when it returns: kill -9 at any moment loses what was under way and nothing
// else, and nothing is there twice. A StudyStore belongs to one thread; several processes may read.
// Errors as in store/database.h; invalid_argument for a second record under the same key.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/store/text_cipher.h"

namespace hearth::store {

struct GenerationRecord {
  std::string key;  // a digest of prompt_digest, arm_digest and k
  std::string item, prompt_digest, arm, arm_digest;
  std::uint32_t k = 0;  // from 0
  std::uint64_t seed = 0;
  std::string request_digest;
  std::string output, thinking;
  std::string end;  // why it ended: "end_turn", "tokens_max", ...
  std::string fault;  // the arm's own: "empty", "loop", "cut"; empty: none
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0, thinking_tokens = 0;
  double first_piece_s = 0, total_s = 0;
  std::string model;  // as the endpoint calls what answered
  std::string model_digest, engine_build;
  double cost_usd = 0;
  std::uint32_t tries = 1;  // more than one: engine or network faults before
  std::int64_t began_s = 0;  // since 1970
  bool is_sealed = false;    // output and thinking
};

// By a grader that needs no judge.
struct ScoreRecord {
  std::string generation, item_digest;
  std::uint32_t grader_version = 0;
  double score = 0;
  std::string detail;  // JSON
  bool is_sealed = false;  // detail
};

// A blind round: tasks under opaque ids. Its map lies sealed in a file until the round is opened.
struct RoundRecord {
  std::uint32_t round = 0;  // from 1
  std::uint32_t k_begin = 0, k_end = 0;
  std::string commitment;
  std::optional<std::string> map;  // JSON; once it was opened
  std::int64_t last_grade = 0;  // the highest GradeRecord::sequence when it was opened
};

struct TaskRecord {
  std::string id;
  std::uint32_t round = 0;
  std::string digest;  // of what is asked: equal tasks are answered alike
  std::string egress;  // of the item
  std::uint32_t copy = 0;  // the same question once more: answers of other copies are not reused
  bool for_second = false;  // the second judge is asked as well
  std::string task;  // JSON
  bool is_sealed = false;  // task
};

struct GradeRecord {
  std::string task, judge;  // judge: digest of its endpoint, model and parameters
  std::uint32_t repeat = 0;
  std::string task_digest;
  std::uint32_t copy = 0;
  bool graded = false;  // false: given up, `fault` says why
  double value = 0;
  std::string answer;  // JSON: criteria with quotes
  std::string fault, raw;  // raw: the judge's reply, whole
  std::uint32_t tries = 1, quotes_missing = 0;
  std::string model;  // as the judge's endpoint called what answered
  std::uint32_t prompt_tokens = 0, answer_tokens = 0;
  double cost_usd = 0, seconds = 0;
  bool from_cache = false;  // answered before, under another id
  std::int64_t graded_s = 0;  // since 1970
  std::int64_t sequence = 0;  // given by the store
  bool is_sealed = false;  // answer, fault and raw
};

struct EventRecord {
  std::string kind, body;  // "registered", "look", "deviation", ...; JSON
  std::int64_t at_s = 0;
};

class StudyStore {
 public:
  static Result<StudyStore> open(const std::filesystem::path& file);
  static Result<StudyStore> open_read_only(const std::filesystem::path& file);
  static Result<StudyStore> open_in_memory();  // for tests
  StudyStore(StudyStore&&) noexcept;
  StudyStore& operator=(StudyStore&&) noexcept;
  ~StudyStore();

  void set_cipher(std::shared_ptr<TextCipher> cipher);
  // Whether something sealed could be written now.
  Result<> check_cipher() const;

  Result<> add_generation(const GenerationRecord& record);
  Result<> add_score(const ScoreRecord& record);
  Result<> add_grade(const GradeRecord& record);
  Result<> add_event(const EventRecord& record);
  // The round and its tasks, all or nothing. The sealed file must be on disk before.
  Result<> add_round(const RoundRecord& round, const std::vector<TaskRecord>& tasks);
  // Once; sets map and last_grade.
  Result<> open_round(std::uint32_t round, std::string_view map);

  // In the order in which they were written.
  Result<std::vector<GenerationRecord>> generations() const;
  Result<std::vector<ScoreRecord>> scores() const;
  Result<std::vector<RoundRecord>> rounds() const;
  Result<std::vector<TaskRecord>> tasks(std::uint32_t round) const;  // in order of their ids
  Result<std::vector<GradeRecord>> grades() const;
  Result<std::vector<EventRecord>> events() const;
  // A successful grade of the same question by the same judge.
  Result<std::optional<GradeRecord>> cached_grade(std::string_view task_digest, std::string_view judge,
                                                  std::uint32_t repeat, std::uint32_t copy) const;

 private:
  struct State;
  explicit StudyStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::store
