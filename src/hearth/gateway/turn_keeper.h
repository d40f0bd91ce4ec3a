#pragma once
// Writes the turns that the memory knows behind the answers' backs (thread "turn_keeper"), so that a conversation
// is rendered as before when the server was started again: otherwise everything behind its first turn would have to
// be read again. Which turns may be on the disk, its owner decides: labelled ones may not.
//
// Thread-safe. A turn that finds too many waiting is not kept; that costs time once, after a restart.

#include <filesystem>
#include <future>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/thread.h"
#include "hearth/chat/turn_memory.h"
#include "hearth/store/turns.h"

namespace hearth::gateway {

class TurnKeeper {
 public:
  // `vocabulary`: whose ids the turns are of. Errors of store/turns.h.
  static Result<std::unique_ptr<TurnKeeper>> open(const std::filesystem::path& file, std::string vocabulary);
  ~TurnKeeper();  // what waits is written

  // What was kept by then, the oldest first. Once, before anything is kept.
  Result<std::vector<chat::KnownTurn>> read();
  void keep(chat::KnownTurn turn);
  // On the disk, too, when it returns.
  Result<> forget(std::string user, Deadline deadline);

 private:
  struct Forget {
    std::string user;
    std::promise<Result<>> done;
  };
  using Order = std::variant<store::StoredTurn, Forget>;
  static constexpr std::size_t waiting_max = 256;

  explicit TurnKeeper(store::TurnStore store);
  void run();

  store::TurnStore store_;  // the thread's
  BoundedQueue<Order> waiting_{waiting_max};
  Thread thread_;
};

}  // namespace hearth::gateway
