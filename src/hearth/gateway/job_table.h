#pragma once
// The running answers: starts them, bounds their number, and finds the one that a request sent
// again belongs to. Thread-safe. The destructor cancels all and waits.
//
// A request is taken for a repetition when its body is the same and either its client names a
// session, or nobody reads the answer any more. Two equal requests of clients without a session,
// both waiting, are two answers: somebody may want two samples. An answer that its client has got
// is not given again, but for one case: a client with a session that asks for the whole after it
// got the stream has lost the stream on its way, and must not run the same calls twice.

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/thread.h"
#include "hearth/gateway/answer_job.h"

namespace hearth::gateway {

// What a request says about being a repetition.
struct Repetition {
  Digest256 key;  // repeat_key.h
  bool has_session = false;
  bool stream = false;
};

class JobTable {
 public:
  struct Limits {
    std::size_t jobs_max = 64;      // running and waiting; twice as many with those that are over and still put things away
    std::size_t finished_max = 64;  // kept for clients that come back
    Duration grace = std::chrono::seconds(60);  // an answer without readers is kept for so long
  };
  // Fills the job; runs on the job's own thread. `stop` fires at shutdown.
  using Work = std::function<void(AnswerJob& job, const StopToken& stop)>;

  explicit JobTable(Limits limits) : limits_(limits) {}
  ~JobTable();

  // nullptr: there is none.
  std::unique_ptr<Attachment> find(const Repetition& request);
  struct Started {
    std::unique_ptr<Attachment> attachment;
    bool joined = false;  // the same request was faster
  };
  // Without `request` nobody will join it.
  ApiResult<Started> start(std::optional<Repetition> request, AnswerInfo info,
                           std::uint32_t prompt_tokens, Work work);
  Duration grace() const { return limits_.grace; }
  // Fires every job's token, and that of each job to come.
  void end_all() { stop_.request_stop(); }
  std::size_t jobs() const;  // running and waiting
  struct Reading {
    std::uint64_t tokens_done = 0, tokens_total = 0;
  };
  Reading reading() const;  // of all prompts that are being read
  std::vector<AnswerJob::Course> courses() const;  // of what is not over, the oldest first

 private:
  struct Entry {
    std::optional<Repetition> request;
    std::shared_ptr<AnswerJob> job;
    std::shared_ptr<const std::atomic<bool>> has_left;  // its thread
    Thread thread;
  };
  using Entries = std::list<Entry>;

  // Takes out what is done with and has left; the caller drops it after unlocking, which joins threads.
  Entries sweep();
  bool is_done_with(const Entry& entry, Instant now) const;
  std::shared_ptr<AnswerJob> find_same(const Repetition& request) const;
  std::size_t count_running() const;

  const Limits limits_;
  StopSource stop_;
  mutable std::mutex mutex_;
  Entries entries_;  // oldest first
  Entries leaving_;  // done with; nobody who starts an answer waits for a thread that still puts things away
};

}  // namespace hearth::gateway
