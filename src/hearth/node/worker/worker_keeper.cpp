#include "hearth/node/worker/worker_keeper.h"

#include <fmt/format.h>

#include <utility>

#include "hearth/base/log.h"

namespace hearth::node {
namespace {

constexpr Duration call_deadline = std::chrono::seconds(120);
constexpr Duration look_interval = std::chrono::milliseconds(100);
// A socket breaks a moment before its process is gone.
constexpr Duration suspicion_max = std::chrono::seconds(2);

}  // namespace

Result<std::unique_ptr<WorkerKeeper>> WorkerKeeper::start(KeeperOptions options,
                                                          net::HttpClient& http, Progress progress,
                                                          const StopToken& stop) {
  TemporaryDirectory directory = TRY(TemporaryDirectory::create("hearth"));
  std::unique_ptr<WorkerKeeper> keeper(
      new WorkerKeeper(std::move(options), http, std::move(progress), std::move(directory)));
  TRY(keeper->wait_for_worker(Deadline::never(), stop));
  return keeper;
}

WorkerKeeper::WorkerKeeper(KeeperOptions options, net::HttpClient& http, Progress progress,
                           TemporaryDirectory directory)
    : options_(std::move(options)), http_(http), progress_(std::move(progress)),
      directory_(std::move(directory)), thread_("worker_keeper", [this] { keep(); }) {}

WorkerKeeper::~WorkerKeeper() {
  stop_.request_stop();
  {
    const std::lock_guard hold(mutex_);  // nobody is between looking and waiting
  }
  changed_.notify_all();
  thread_.join();
}

std::shared_ptr<const KeptWorker> WorkerKeeper::current() const {
  const std::lock_guard hold(mutex_);
  return current_;
}

Result<std::shared_ptr<const KeptWorker>> WorkerKeeper::wait_for_worker(
    Deadline deadline, const StopToken& stop) const {
  const StopCallback wake(stop, [this] {
    const std::lock_guard hold(mutex_);
    changed_.notify_all();
  });
  std::unique_lock hold(mutex_);
  const auto settled = [&] {
    return current_ || first_start_failed_ || stop.stop_requested() || stop_.stop_requested();
  };
  if (deadline.is_never()) {
    changed_.wait(hold, settled);
  } else {
    changed_.wait_until(hold, deadline.when(), settled);
  }
  if (current_) return current_;
  if (first_start_failed_) return std::unexpected(*first_start_failed_);
  if (stop.stop_requested()) return fail(Code::cancelled, "stopped while the model was loading");
  return fail(Code::unavailable, "the worker is being started again; try again shortly");
}

void WorkerKeeper::suspect(const std::shared_ptr<const KeptWorker>& worker) {
  {
    const std::lock_guard hold(mutex_);
    if (current_ != worker) return;
    current_.reset();
    suspected_ = true;
  }
  changed_.notify_all();
}

void WorkerKeeper::renew() {
  {
    const std::lock_guard hold(mutex_);
    // One that is being started holds nothing yet.
    is_to_end_ = is_to_end_ || current_ != nullptr || suspected_;
    current_.reset();
  }
  changed_.notify_all();
}

std::uint32_t WorkerKeeper::restarts() const {
  const std::lock_guard hold(mutex_);
  return restarts_;
}

std::optional<cluster::Stall> WorkerKeeper::stall() const {
  const std::lock_guard hold(mutex_);
  return stall_;
}

std::vector<cluster::CrashReport> WorkerKeeper::crash_reports() const {
  const std::lock_guard hold(mutex_);
  return crash_reports_;
}

void WorkerKeeper::keep() {
  cluster::Supervisor supervisor;
  while (!stop_.stop_requested()) {
    const cluster::SupervisorAction action = supervisor.next(std::chrono::steady_clock::now());
    if (const auto* until = std::get_if<cluster::PauseUntil>(&action)) {
      if (!pause(until->when - std::chrono::steady_clock::now())) return;
      continue;
    }
    const std::uint32_t life = std::get<cluster::StartProcess>(action).life;
    {
      const std::lock_guard hold(mutex_);
      restarts_ = supervisor.restarts();
    }
    auto process = start_process(life);
    auto worker = process ? open(**process) : std::unexpected(process.error());
    std::string how;
    if (!worker) {
      if (stop_.stop_requested()) return;
      if (life == 0) {
        const std::lock_guard hold(mutex_);
        first_start_failed_ = worker.error();
        changed_.notify_all();
        return;
      }
      how = worker.error().message;
      log_error("the worker could not be started: " + how);
    } else {
      supervisor.on_running();
      show(*worker);
      how = end_of(**process, *worker);
      if (stop_.stop_requested()) return;
    }
    supervisor.on_ended(std::move(how), std::chrono::steady_clock::now());
    const std::lock_guard hold(mutex_);
    crash_reports_.assign(supervisor.crash_reports().begin(), supervisor.crash_reports().end());
  }
}

// Waits for the end of this life, or makes it; how it came.
std::string WorkerKeeper::end_of(WorkerProcess& process, const std::shared_ptr<const KeptWorker>& worker) {
  const auto fault = watch(process, worker);
  show(nullptr);
  if (fault) {
    log_error(fmt::format("worker {} is {}; it is killed", worker->pid, *fault));
    process.kill();  // whoever waits for it hears of its end at once
    return *fault;
  }
  if (process.is_running()) {
    if (!stop_.stop_requested()) log_info(fmt::format("worker {} is ended, with what it held", worker->pid));
    return "ended, with what it held";  // renew()
  }
  std::string how = process.how_it_ended();
  log_error(fmt::format("worker {} was {}", worker->pid, how));
  return how;
}

Result<std::unique_ptr<WorkerProcess>> WorkerKeeper::start_process(std::uint32_t life) {
  WorkerOptions worker = options_.worker;
  if (options_.arrange) worker = TRY(options_.arrange(std::move(worker), life, stop_.token()));
  worker.socket_path = directory_.path() / fmt::format("{}-{}.sock", worker.name, life);
  return WorkerProcess::start(options_.worker_executable, worker, progress_,
                              Deadline::after(options_.start_deadline), stop_.token());
}

Result<std::shared_ptr<const KeptWorker>> WorkerKeeper::open(const WorkerProcess& process) {
  WorkerClient client(http_, net::Address::unix_socket(process.options().socket_path));
  WorkerInfo info = TRY(client.info(Deadline::after(call_deadline), stop_.token()));
  return std::make_shared<const KeptWorker>(
      KeptWorker{std::move(client), std::move(info), process.pid()});
}

// Returns when the process is gone or hung, or this is being destroyed.
std::optional<std::string> WorkerKeeper::watch(WorkerProcess& process,
                                               const std::shared_ptr<const KeptWorker>& worker) {
  std::optional<Instant> suspected_since;
  cluster::Watchdog watchdog(options_.watchdog, std::chrono::steady_clock::now());
  while (process.is_running() && pause(suspected_since ? look_interval / 10 : look_interval)) {
    if (watchdog.is_due(std::chrono::steady_clock::now())) {
      const auto step = worker->client.pulse(Deadline::after(options_.watchdog.answer_max), stop_.token());
      const Instant asked = std::chrono::steady_clock::now();
      step ? watchdog.on_answer(*step, asked) : watchdog.on_no_answer(asked);
    }
    const Instant now = std::chrono::steady_clock::now();
    if (auto fault = watchdog.fault(now)) return fault;
    note(watchdog.stall(now), worker->pid);
    {
      const std::lock_guard hold(mutex_);
      if (is_to_end_) return {};
      if (suspected_ && !suspected_since) suspected_since = now;
      if (!suspected_since || now - *suspected_since < suspicion_max) continue;
      current_ = worker;  // it lives; in the same breath, or a renew() would be forgotten
      suspected_ = false;
    }
    suspected_since.reset();
    changed_.notify_all();
  }
  return {};
}

void WorkerKeeper::show(std::shared_ptr<const KeptWorker> worker) {
  {
    const std::lock_guard hold(mutex_);
    if (!worker) stall_.reset();
    current_ = std::move(worker);
    suspected_ = false;
    is_to_end_ = false;
  }
  changed_.notify_all();
}

void WorkerKeeper::note(const std::optional<cluster::Stall>& found, int pid) {
  bool is_new = false;
  {
    const std::lock_guard hold(mutex_);
    is_new = found.has_value() && !stall_;
    stall_ = found;
  }
  if (is_new) {
    log_warning(fmt::format("worker {} is stalled: {}", pid,
                            cluster::stall_text(*found, std::chrono::steady_clock::now())));
  }
}

bool WorkerKeeper::pause(Duration delay) {
  std::unique_lock hold(mutex_);
  changed_.wait_for(hold, delay, [this] { return is_to_end_ || stop_.stop_requested(); });
  return !stop_.stop_requested();
}

}  // namespace hearth::node
