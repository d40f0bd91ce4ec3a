#pragma once
// The running answers: starts them, bounds their number, and finds the one that a request sent
// again belongs to. Thread-safe. The destructor cancels all and waits.
//
// A request is taken for a repetition when its body is the same and either its client names a
// session, or nobody reads the answer any more. Two equal requests of clients without a session,
// both waiting, are two answers: somebody may want two samples.

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "hearth/base/digest.h"
#include "hearth/base/thread.h"
#include "hearth/gateway/answer_job.h"

namespace hearth::gateway {

class JobTable {
 public:
  struct Limits {
    std::size_t jobs_max = 64;  // running and waiting
    Duration grace = std::chrono::seconds(60);  // an answer without readers goes on for so long
  };
  // Fills the job; runs on the job's own thread. `stop` fires at shutdown.
  using Work = std::function<void(AnswerJob& job, const StopToken& stop)>;

  explicit JobTable(Limits limits) : limits_(limits) {}
  ~JobTable();

  // nullptr: there is none.
  std::unique_ptr<Attachment> find(const Digest256& key, bool has_session);
  ApiResult<std::unique_ptr<Attachment>> start(std::optional<Digest256> key, AnswerInfo info,
                                               std::uint32_t prompt_tokens, Work work);
  Duration grace() const { return limits_.grace; }
  std::size_t jobs() const;

 private:
  struct Entry {
    std::optional<Digest256> key;
    std::shared_ptr<AnswerJob> job;
    Thread thread;
  };
  // Takes out what is done with; the caller drops it after unlocking, which joins threads.
  std::list<Entry> sweep();

  const Limits limits_;
  StopSource stop_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;
};

}  // namespace hearth::gateway
