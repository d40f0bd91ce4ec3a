#pragma once
// One running answer and those who read it. Any number of readers follow, each from the start, at
// its own pace: a client that sends its request again (because a prefill takes longer than it likes
// to wait) joins the answer that is already being computed.
//
// The answer is computed in steps, and a reader that waits takes them itself: the thread that reads
// a token from the model is then the one that sends it, and no other has to be woken. The job's own
// thread takes the steps while nobody waits: without readers, and when they are slow.
// Thread-safe. What it holds is bounded by the length of the answer.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/gateway/api.h"
#include "hearth/gateway/prompt_read.h"

namespace hearth::gateway {

class AnswerJob {
 public:
  AnswerJob(AnswerInfo info, std::uint32_t prompt_tokens, Instant now);

  const AnswerInfo& info() const { return info_; }

  // Adds what the model says next, by the calls below. Returns by the deadline, or a little later.
  // Never called by two threads at once.
  using Step = std::function<void(Deadline)>;
  // Returns when the job is over or handed on; `step` is not used after that.
  void drive(const Step& step);

  // --- within a step
  // The prompt has its place: so much of it was there already.
  void started(std::uint32_t cached_tokens);
  void progress(PromptRead read);
  void add(std::vector<AnswerEvent> events);
  void ended(AnswerEnd end);
  void failed(ApiError error);
  // Fails the job when nobody reads it and nobody has for `grace`; true: it did.
  bool abandon(Instant now, Duration grace);
  // What it holds so far, as its client will send it back: what was put before the model's words too.
  chat::Message turn() const;
  // This stream gives no answer: drive returns, and its caller drives another one, or goes on by the calls above.
  void hand_on();

  // --- readers
  struct View {
    bool started = false;
    Usage usage;
    PromptRead prompt;  // as of prompt_read()
    std::vector<AnswerEvent> fresh;  // from the cursor on
    std::optional<AnswerEnd> end;
    std::optional<ApiError> error;
    bool over() const { return end.has_value() || error.has_value(); }
  };
  // Waits for events beyond `cursor`, the end, or (when `for_start`) the start; or the deadline.
  View wait(std::size_t cursor, bool for_start, Deadline deadline, const StopToken& stop);
  // All events, at the end or at the deadline.
  View wait_for_end(Deadline deadline, const StopToken& stop);
  void attach();
  // How its client got all of it, if it did.
  enum class Delivery : std::uint8_t { none, stream, whole };
  void detach(Delivery delivery, Instant now);

  struct State {
    bool over = false;
    bool failed = false;
    bool read = false;  // somebody follows it
    bool delivered_stream = false;
    bool delivered_whole = false;
    Instant unread_since{};
  };
  State state() const;
  struct Outcome {
    Usage usage;
    std::optional<AnswerEnd> end;
    std::optional<ApiError> error;
  };
  Outcome outcome() const;
  // Zeros once the answer has begun or is over.
  PromptRead prompt_read() const;
  // How far it is; nothing once it is over.
  struct Course {
    // It has no place in the model yet; its prompt is read; its answer is written.
    enum class Stage : std::uint8_t { waiting, reading, writing };
    Stage stage = Stage::waiting;
    std::uint32_t prompt_tokens = 0, read_tokens = 0;
    Instant began{};
  };
  std::optional<Course> course() const;

  // How the answer goes, for the header X-Hearth-Route; may change until the answer begins.
  void set_route(std::string route);
  std::string route() const;

 private:
  bool over() const { return end_ || error_; }
  View view(std::size_t cursor) const;
  PromptRead reading() const { return over() || !events_.empty() ? PromptRead{} : prompt_read_; }
  // Takes steps until `ready`, or waits while another thread does.
  template <class Ready>
  View wait_until(std::condition_variable& condition, Ready ready, std::size_t cursor,
                  Deadline deadline, const StopToken& stop);
  bool may_step() const { return step_ != nullptr && !stepping_ && !handed_on_; }
  void take_step(std::unique_lock<std::mutex>& hold, Deadline deadline);

  const AnswerInfo info_;
  const Instant began_;
  mutable std::mutex mutex_;
  std::condition_variable changed_, over_;  // readers
  std::condition_variable turn_;            // the job's thread
  const Step* step_ = nullptr;
  bool handed_on_ = false;
  bool stepping_ = false;
  Instant last_step_{};
  Usage usage_;
  bool started_ = false;
  PromptRead prompt_read_;
  std::string route_;
  std::vector<AnswerEvent> events_;
  std::optional<AnswerEnd> end_;
  std::optional<ApiError> error_;
  int readers_ = 0;
  bool delivered_stream_ = false;
  bool delivered_whole_ = false;
  Instant unread_since_;
};

// A reader's claim on a job, released with it.
class Attachment {
 public:
  explicit Attachment(std::shared_ptr<AnswerJob> job) : job_(std::move(job)) { job_->attach(); }
  ~Attachment() { job_->detach(delivery_, std::chrono::steady_clock::now()); }
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  AnswerJob& job() const { return *job_; }
  void set_delivered(AnswerJob::Delivery delivery) { delivery_ = delivery; }

 private:
  std::shared_ptr<AnswerJob> job_;
  AnswerJob::Delivery delivery_ = AnswerJob::Delivery::none;
};

}  // namespace hearth::gateway
