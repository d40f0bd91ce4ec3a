#include "hearth/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "hearth/base/guarded.h"

namespace hearth {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::info;
}

Guarded<std::function<void(std::string_view)>>& log_tap() {
  static Guarded<std::function<void(std::string_view)>> tap;
  return tap;
}

}  // namespace

void tap_log(std::function<void(std::string_view message)> tap) {
  log_tap().with([&](auto& current) { current = std::move(tap); });
}

void start_log(std::string_view component, LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>(
      std::string(component), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l %v");
  logger->set_level(level_of(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void log_line(LogLevel level, std::string_view message) {
  log_tap().with([&](const auto& tap) {
    if (tap) tap(message);
  });
  spdlog::log(level_of(level), "{}", message);
}

}  // namespace hearth
