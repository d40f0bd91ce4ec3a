#pragma once
// The records of the chain bench: what became of each chain of calls and of each teacher-forced call, and
// what was paid for them.
// Append-only; chains.db. What a record means is the bench's business.
//
// What is added is there when it returns: kill -9 loses the chain under way and nothing else. A ChainStore
// belongs to one thread at a time. Errors as in store/database.h; invalid_argument for a second record
// under the same key.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::store {

struct ChainCall {
  std::string key;   // a digest of arm, world, options, and of what was asked
  std::string arm;   // its name
  std::string cell;  // digest of the arm as pinned and of the options: what may be counted together
  std::string kind;  // "free" or "forced"
  std::uint64_t seed = 0;   // of the world
  std::uint32_t depth = 0;  // forced: right calls before it
  std::string outcome;      // JSON
};

class ChainStore {
 public:
  static Result<ChainStore> open(const std::filesystem::path& file);
  ChainStore(ChainStore&&) noexcept;
  ChainStore& operator=(ChainStore&&) noexcept;
  ~ChainStore();

  Result<> add(const ChainCall& call);
  Result<std::set<std::string>> keys() const;
  // Paid for one call of an arm, by its name; also of chains that came to no end.
  Result<> add_payment(std::string_view arm, double usd);
  Result<double> paid_usd(std::string_view arm) const;
  // Of one cell, by seed and depth.
  Result<std::vector<ChainCall>> of_cell(std::string_view cell) const;

 private:
  struct State;
  explicit ChainStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::store
