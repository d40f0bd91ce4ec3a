#include "hearth/engine/llama_process.h"

#include <llama.h>

#include <atomic>
#include <mutex>
#include <string_view>

#include "hearth/base/log.h"
#include "hearth/engine/llama_engine.h"

namespace hearth::engine {
namespace {

// The engine's log callback is global; so is the last thing it complained about.
std::mutex last_complaint_mutex;
std::string last_complaint_text;
std::atomic<bool> complaints_expected{false};
std::mutex buffer_log_mutex;
BufferLog buffer_log;

void on_engine_log(ggml_log_level level, const char* text, void*) {
  std::string_view line(text);
  while (line.ends_with('\n')) line.remove_suffix(1);
  if (line.empty()) return;
  if (level == GGML_LOG_LEVEL_ERROR) {
    const std::lock_guard hold(last_complaint_mutex);
    last_complaint_text = line;
  }
  {
    const std::lock_guard hold(buffer_log_mutex);
    buffer_log.take(line);
  }
  const bool matters = level == GGML_LOG_LEVEL_ERROR && !complaints_expected.load();
  log_line(matters ? LogLevel::warning : LogLevel::debug, line);
}

}  // namespace

std::string last_complaint() {
  const std::lock_guard hold(last_complaint_mutex);
  return last_complaint_text.empty() ? "the engine gave no reason" : last_complaint_text;
}

std::string engine_version() { return llama_version(); }
std::string engine_build() { return HEARTH_ENGINE_BUILD; }

void expect_complaints(bool expected) { complaints_expected = expected; }

void forget_buffers() {
  const std::lock_guard hold(buffer_log_mutex);
  buffer_log = {};
}

BufferSizes logged_buffers() {
  const std::lock_guard hold(buffer_log_mutex);
  return buffer_log.sizes();
}

void load_backends() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(on_engine_log, nullptr);
    ggml_log_set(on_engine_log, nullptr);
    const std::string directory = HEARTH_ENGINE_BACKEND_DIR;
    if (directory.empty()) {
      ggml_backend_load_all();
    } else {
      ggml_backend_load_all_from_path(directory.c_str());
    }
    llama_backend_init();
  });
}

}  // namespace hearth::engine
