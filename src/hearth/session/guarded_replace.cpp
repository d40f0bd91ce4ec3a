#include "hearth/session/guarded_replace.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "hearth/session/folder_access.h"
#include "hearth/session/memory_files.h"

namespace hearth::session {
namespace {

#ifdef __APPLE__
constexpr unsigned swap_flag = RENAME_SWAP, new_flag = RENAME_EXCL;
int rename_with(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return ::renameatx_np(from_folder, from, to_folder, to, flags);
}
#else
constexpr unsigned swap_flag = RENAME_EXCHANGE, new_flag = RENAME_NOREPLACE;
int rename_with(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return ::renameat2(from_folder, from, to_folder, to, flags);
}
#endif

bool knows_no_flags(int error_number) { return error_number == EINVAL || error_number == ENOSYS || error_number == ENOTSUP; }

// One replacement: its place, and a name beside it for what is not in its place yet, or no longer.
class Replacement {
 public:
  Replacement(int root, std::string_view path, Place place, const std::string& backup)
      : root_(root), path_(path), place_(std::move(place)), aside_(temporary_name(place_.name)), backup_(backup) {}
  ~Replacement() {
    if (is_ours_aside_) ::unlinkat(place_.folder.get(), aside_.c_str(), 0);
  }

  Result<bool> put_new(std::string_view wanted) {
    TRY(write_aside(wanted));
    if (move(aside_, place_.name, new_flag)) return settled();
    if (errno == EEXIST) return false;
    if (!knows_no_flags(errno)) return failed("rename to");
    if (::faccessat(place_.folder.get(), place_.name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return false;
    return move(aside_, place_.name, 0) ? settled() : failed("rename to");
  }

  Result<bool> exchange(std::string_view expected, std::string_view wanted) {
    TRY(write_aside(wanted));
    if (!move(aside_, place_.name, swap_flag)) {
      if (errno == ENOENT) return false;
      return knows_no_flags(errno) ? look_and_rename(expected) : failed("exchange");
    }
    is_ours_aside_ = false;
    if (is_at(aside_, expected)) return keep_displaced(backup_);
    return give_back(wanted);
  }

  Result<bool> remove(std::string_view expected) {
    if (!move(place_.name, aside_, 0)) {  // a name that nobody else uses
      if (errno == ENOENT) return true;
      return failed("move aside");
    }
    if (is_at(aside_, expected)) return keep_displaced(backup_);
    if (move(aside_, place_.name, new_flag)) return false;
    TRY(keep_displaced(backup_ + ".displaced"));  // there is another one by now
    return false;
  }

 private:
  bool move(const std::string& from, const std::string& to, unsigned flags) {
    const int folder = place_.folder.get();
    return rename_with(folder, from.c_str(), folder, to.c_str(), flags) == 0;
  }
  std::unexpected<Error> failed(std::string_view what) { return fail_errno(what, std::filesystem::path(path_), errno); }

  Result<> write_aside(std::string_view wanted) {
    is_ours_aside_ = true;
    return write_new(place_.folder.get(), aside_, wanted, path_);
  }

  // What is no plain file of one name is nothing that we expected.
  bool is_at(const std::string& name, std::string_view text) const {
    const auto there = read_beneath(place_.folder.get(), name, memory_file_bytes_max);
    return there && *there == text;
  }

  Result<bool> settled() {
    is_ours_aside_ = false;
    if (::fsync(place_.folder.get()) != 0) return failed("sync folder of");
    return true;
  }

  Result<bool> keep_displaced(const std::string& where) {
    const Place to = TRY(open_place(root_, where, /*create=*/true));
    if (::renameat(place_.folder.get(), aside_.c_str(), to.folder.get(), to.name.c_str()) != 0) return failed("keep the old version of");
    if (::fsync(to.folder.get()) != 0) return failed("sync the backup of");
    return settled();
  }

  // Somebody saved it meanwhile: theirs goes back. What comes out then is ours, or a still newer save.
  Result<bool> give_back(std::string_view wanted) {
    if (!move(aside_, place_.name, swap_flag)) {
      if (errno == ENOENT && move(aside_, place_.name, new_flag)) return false;
      TRY(keep_displaced(backup_ + ".displaced"));
      return false;
    }
    if (is_at(aside_, wanted)) {
      is_ours_aside_ = true;
      return false;
    }
    TRY(keep_displaced(backup_ + ".displaced"));
    return false;
  }

  Result<bool> look_and_rename(std::string_view expected) {
    if (!is_at(place_.name, expected)) return false;
    TRY(write_beneath(root_, backup_, expected));
    return move(aside_, place_.name, 0) ? settled() : failed("rename to");
  }

  const int root_;
  const std::string_view path_;
  const Place place_;
  const std::string aside_;
  const std::string& backup_;
  bool is_ours_aside_ = false;
};

}  // namespace

Result<bool> replace_beneath(int folder, std::string_view path, const std::optional<std::string>& expected,
                             const std::optional<std::string>& wanted, const std::string& backup) {
  auto place = open_place(folder, path, /*create=*/wanted.has_value());
  if (!place && place.error().code == Code::not_found) return !expected;
  if (!place) return std::unexpected(std::move(place.error()));
  {
    Replacement replacement(folder, path, *std::move(place), backup);
    if (wanted) return expected ? replacement.exchange(*expected, *wanted) : replacement.put_new(*wanted);
    if (!expected) return true;
    const bool removed = TRY(replacement.remove(*expected));
    if (!removed) return false;
  }
  remove_empty_folders(folder, path);
  return true;
}

}  // namespace hearth::session
