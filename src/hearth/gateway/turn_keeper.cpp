#include "hearth/gateway/turn_keeper.h"

#include <utility>

#include "hearth/base/log.h"

namespace hearth::gateway {

Result<std::unique_ptr<TurnKeeper>> TurnKeeper::open(const std::filesystem::path& file, std::string vocabulary) {
  constexpr chat::TurnMemory::Limits memory;  // more would not be remembered
  return std::unique_ptr<TurnKeeper>(new TurnKeeper(
      TRY(store::TurnStore::open(file, std::move(vocabulary), {memory.turns_max, memory.tokens_max}))));
}

TurnKeeper::TurnKeeper(store::TurnStore store)
    : store_(std::move(store)), thread_("turn_keeper", [this] { run(); }) {}

TurnKeeper::~TurnKeeper() { waiting_.close(); }

// The thread has nothing to do yet.
Result<std::vector<chat::KnownTurn>> TurnKeeper::read() {
  std::vector<chat::KnownTurn> out;
  for (store::StoredTurn& turn : TRY(store_.all())) {
    out.push_back({turn.key, turn.content, std::move(turn.handle),
                   {std::move(turn.tokens), turn.thinking_on, std::move(turn.user)}});
  }
  return out;
}

void TurnKeeper::keep(chat::KnownTurn turn) {
  chat::TurnRecord& record = turn.record;
  (void)waiting_.try_push(store::StoredTurn{.key = turn.key, .content = turn.content, .handle = std::move(turn.handle),
                                            .user = std::move(record.user), .thinking_on = record.thinking_on,
                                            .tokens = std::move(record.tokens)});
}

Result<> TurnKeeper::forget(std::string user, Deadline deadline) {
  Forget order{.user = std::move(user), .done = {}};
  auto done = order.done.get_future();
  if (!waiting_.push(std::move(order), deadline) || done.wait_until(deadline.when()) != std::future_status::ready) {
    return fail(Code::timed_out, "the turns that are kept on the disk were not reached in time; ask again");
  }
  return done.get();
}

void TurnKeeper::run() {
  while (auto order = waiting_.pop(Deadline::never())) {
    if (auto* forget = std::get_if<Forget>(&*order)) {
      forget->done.set_value(store_.forget(forget->user));
    } else if (const auto kept = store_.add(std::get<store::StoredTurn>(*order)); !kept) {
      log_warning("a turn was not kept: " + kept.error().message);
    }
  }
}

}  // namespace hearth::gateway
