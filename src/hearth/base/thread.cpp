#include "hearth/base/thread.h"

#include <fmt/format.h>
#include <signal.h>

#include <cstring>
#include <memory>
#include <utility>

#include "hearth/base/check.h"

namespace hearth {
namespace {

struct Start {
  std::string name;
  std::function<void()> body;
};

void name_this_thread(const std::string& name) {
#ifdef __APPLE__
  pthread_setname_np(name.substr(0, 15).c_str());
#else
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
#endif
}

void* run(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  name_this_thread(start->name);
  start->body();
  return nullptr;
}

}  // namespace

Result<Thread> Thread::start(std::string name, std::function<void()> body,
                             std::size_t stack_bytes) {
  auto start = std::make_unique<Start>(std::move(name), std::move(body));
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0);
  if (stack_bytes > 0) CHECK(pthread_attr_setstacksize(&attributes, stack_bytes) == 0);
  Thread thread;
  const int error = pthread_create(&thread.thread_, &attributes, run, start.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    return fail(Code::resource_exhausted,
                fmt::format("starting thread '{}': {}", start->name, std::strerror(error)));
  }
  start.release();  // now run's
  thread.joinable_ = true;
  return thread;
}

Thread::Thread(std::string name, std::function<void()> body) {
  auto started = start(std::move(name), std::move(body));
  CHECK(started.has_value());
  *this = *std::move(started);
}

Thread::Thread(Thread&& other) noexcept
    : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this == &other) return *this;
  join();
  thread_ = other.thread_;
  joinable_ = std::exchange(other.joinable_, false);
  return *this;
}

void Thread::join() {
  if (std::exchange(joinable_, false)) pthread_join(thread_, nullptr);
}

}  // namespace hearth
