#pragma once
// The process log: one line an event, to standard error. Metadata only: prompt and answer text
// never passes through here. Thread-safe. Not for data paths.

#include <functional>
#include <string_view>

namespace hearth {

enum class LogLevel { debug, info, warning, error, off };

// `component` shows in every line ("worker", "serve"). Called early, by main; again by a verb that
// serves, before it has threads.
void start_log(std::string_view component, LogLevel level);
// Shows every line that is written from now on to `tap` as well; an empty one shows nobody. For a check
// of what the log holds. `tap` is called under a lock.
void tap_log(std::function<void(std::string_view message)> tap);
void log_line(LogLevel level, std::string_view message);

inline void log_info(std::string_view message) { log_line(LogLevel::info, message); }
inline void log_warning(std::string_view message) { log_line(LogLevel::warning, message); }
inline void log_error(std::string_view message) { log_line(LogLevel::error, message); }
inline void log_debug(std::string_view message) { log_line(LogLevel::debug, message); }

}  // namespace hearth
