#include "hearth/cli/environment.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

extern char** environ;

namespace hearth::cli {
namespace fs = std::filesystem;

namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

Result<fs::path> data_directory() {
  if (const char* home = variable("HEARTH_HOME")) return fs::path(home);
  if (const char* data = variable("XDG_DATA_HOME")) return fs::path(data) / "hearth";
  if (const char* home = variable("HOME")) return fs::path(home) / ".local" / "share" / "hearth";
  return fail(Code::invalid_argument,
              "no directory for your data: set HEARTH_HOME, for example HEARTH_HOME=/var/lib/hearth");
}

}  // namespace

fs::path own_executable() {
#ifdef __APPLE__
  char path[4096];
  std::uint32_t size = sizeof(path);
  return _NSGetExecutablePath(path, &size) == 0 ? fs::path(path) : fs::path();
#else
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
#endif
}

namespace {

Result<fs::path> find_beside(const std::string& name) {
  const fs::path path = own_executable().parent_path() / name;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return fail(Code::not_found, name + " is not beside hearth (looked for " + path.string() +
                                     "); build or install both together");
  }
  return path;
}

}  // namespace

Result<fs::path> find_worker_executable() { return find_beside("hearth-worker"); }
Result<fs::path> find_sandbox_executable() { return find_beside("hearth-sandbox"); }

Result<fs::path> cache_directory() {
  if (const char* home = variable("HEARTH_HOME")) return fs::path(home);
  if (const char* cache = variable("XDG_CACHE_HOME")) return fs::path(cache) / "hearth";
  if (const char* home = variable("HOME")) return fs::path(home) / ".cache" / "hearth";
  return fail(Code::invalid_argument,
              "no directory for the cache: set HEARTH_HOME, for example HEARTH_HOME=/var/lib/hearth");
}

Result<fs::path> config_directory() {
  if (const char* home = variable("HEARTH_HOME")) return fs::path(home);
  if (const char* config = variable("XDG_CONFIG_HOME")) return fs::path(config) / "hearth";
  if (const char* home = variable("HOME")) return fs::path(home) / ".config" / "hearth";
  return fail(Code::not_found,
              "no directory for your files: set HEARTH_HOME, for example HEARTH_HOME=/var/lib/hearth");
}

Result<fs::path> cluster_directory(const fs::path& chosen) {
  if (!chosen.empty()) return chosen;
  return TRY(config_directory()) / "cluster";
}

Result<fs::path> vault_directory(const fs::path& chosen) {
  if (!chosen.empty()) return chosen;
  const fs::path data = TRY(data_directory());
  return data / "vault";
}

Result<fs::path> seal_directory() {
  const fs::path data = TRY(data_directory());
  return data / "seal";
}

std::string home_directory() {
  const char* home = variable("HOME");
  return home != nullptr ? home : "";
}

std::vector<std::string> all_variables() {
  std::vector<std::string> out;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) out.emplace_back(*each);
  return out;
}

std::string user_name() {
  const char* name = variable("USER");
  return name != nullptr ? name : std::to_string(::getuid());
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  constexpr rlim_t enough = 65'536;
  const rlim_t wanted = limit.rlim_max == RLIM_INFINITY ? enough : std::min(limit.rlim_max, enough);
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what it was is enough for most
}

bool ends_with_input_variable() { return variable("HEARTH_ENDS_WITH_INPUT") != nullptr; }

std::string api_key_variable() {
  const char* key = variable("HEARTH_API_KEY");
  return key != nullptr ? key : "";
}

std::string editor_variable() {
  const char* editor = variable("VISUAL");
  if (editor == nullptr) editor = variable("EDITOR");
  return editor != nullptr ? editor : "";
}

std::string variable_value(const std::string& name) {
  const char* value = variable(name.c_str());
  return value == nullptr ? "" : value;
}

}  // namespace hearth::cli
