#pragma once
// What a study of quality decided, class by class, with all that the verdict depends on: the hand-over
// from the quality bench to whoever sends work somewhere. Records of verdicts.db; nobody else writes it.
//
// A verdict says that one service (an arm of the study) is good enough for a class of work, or not. It
// holds only as long as the model, the engine, the topology and the suite are those it was made with:
// whoever reads asks for what is true now, and a verdict that differs is stale, with the reason.
// A VerdictStore belongs to one thread at a time. Errors as in store/database.h.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::store {

struct VerdictBasis {
  std::string model_digest;   // of the weights: as the endpoint tells, or as the arms file states
  std::string engine_build;
  std::string topology;       // as the arms file states it; may be empty
  std::string suite_version;  // the suite's digest
  bool operator==(const VerdictBasis&) const = default;
};

struct ClassVerdict {
  std::string task_class;      // "code", "writing", ...
  std::string arm;             // the service it is about
  std::string model, quantisation;
  std::string reference;       // what it was compared with; empty: it is the reference itself
  std::string verdict;         // "non-inferior", "inferior", "inconclusive", ...
  bool good_enough = false;    // this class of work may go to the arm
  double difference = 0, low = 0, high = 0;  // of the class: arm minus reference and its 95 % interval, shares
  double margin = 0;
  VerdictBasis basis;
  std::string study;           // its registration's digest
  std::int64_t decided_s = 0;  // since 1970
};

// Why a verdict does not hold now; empty: it does. What `now` leaves empty is not known and not compared.
std::string stale_reason(const ClassVerdict& verdict, const VerdictBasis& now);

class VerdictStore {
 public:
  static Result<VerdictStore> open(const std::filesystem::path& file);
  static Result<VerdictStore> open_read_only(const std::filesystem::path& file);
  VerdictStore(VerdictStore&&) noexcept;
  VerdictStore& operator=(VerdictStore&&) noexcept;
  ~VerdictStore();

  // All at once or none; each replaces the one of its class and arm.
  Result<> put(const std::vector<ClassVerdict>& verdicts);
  // In order of class and arm.
  Result<std::vector<ClassVerdict>> all() const;
  Result<std::optional<ClassVerdict>> find(std::string_view task_class, std::string_view arm) const;

 private:
  struct State;
  explicit VerdictStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::store
