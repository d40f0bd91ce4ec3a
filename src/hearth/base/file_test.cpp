#include "hearth/base/file.h"

#include <gtest/gtest.h>

#include "hearth/base/file_view.h"

namespace hearth {
namespace {

std::size_t files_in(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

TEST(FileSystem, WritesAllPartsUnderTheFinalNameOnly) {
  const auto directory = TemporaryDirectory::create("hearth-file-test").value();
  const auto path = directory.path() / "a";
  const ByteSpan parts[] = {as_byte_span("one "), as_byte_span("two")};
  for (const auto durability : {Durability::survives_process, Durability::survives_power_loss}) {
    ASSERT_TRUE(real_file_system()->write_atomically(path, parts, durability));
    EXPECT_EQ(read_text_file(path, 100).value(), "one two");
    EXPECT_EQ(files_in(directory.path()), 1u);
  }
}

TEST(FileSystem, SyncsTheWorkingDirectoryOfABareName) {
  const TemporaryDirectory directory = TemporaryDirectory::create("hearth-file").value();
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  EXPECT_TRUE(real_file_system()->write_atomically("bare", {}, Durability::survives_power_loss));
  std::filesystem::current_path(before);
}

TEST(FileSystem, LeavesNothingBehindWhenTheTargetCannotBeReplaced) {
  const auto directory = TemporaryDirectory::create("hearth-file-test").value();
  const auto path = directory.path() / "a";
  std::filesystem::create_directories(path / "not-empty");
  const ByteSpan parts[] = {as_byte_span("x")};
  EXPECT_FALSE(real_file_system()->write_atomically(path, parts, Durability::survives_process));
  EXPECT_EQ(files_in(directory.path()), 1u);
}

TEST(FileSystem, ReportsAFullDisk) {
  const ByteSpan parts[] = {as_byte_span("x")};
  const auto result = real_file_system()->write_atomically("/dev/full/x", parts,
                                                           Durability::survives_process);
  EXPECT_FALSE(result);
}

TEST(ReadFile, SaysWhichFileAndWhy) {
  const auto missing = read_file("/nowhere/at/all", 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_NE(missing.error().message.find("/nowhere/at/all"), std::string::npos);
}

TEST(ReadFile, RefusesMoreThanItsLimit) {
  const auto directory = TemporaryDirectory::create("hearth-file-test").value();
  const ByteSpan parts[] = {as_byte_span("0123456789")};
  const auto path = directory.path() / "a";
  ASSERT_TRUE(real_file_system()->write_atomically(path, parts, Durability::survives_process));
  EXPECT_EQ(read_file(path, 9).error().code, Code::resource_exhausted);
  EXPECT_TRUE(read_file(path, 10));
}

TEST(ReadableFile, ReadingPastTheEndIsCorrupt) {
  const auto directory = TemporaryDirectory::create("hearth-file-test").value();
  const ByteSpan parts[] = {as_byte_span("0123456789")};
  const auto path = directory.path() / "a";
  ASSERT_TRUE(real_file_system()->write_atomically(path, parts, Durability::survives_process));
  const auto file = ReadableFile::open(path).value();
  Bytes out(4);
  ASSERT_TRUE(file.read_at(6, out));
  EXPECT_EQ(as_text(out), "6789");
  EXPECT_EQ(file.read_at(7, out).error().code, Code::corrupt);
}

TEST(FileView, ShowsTheFileEvenAfterItWasReplacedOrRemoved) {
  const auto directory = TemporaryDirectory::create("hearth-file-test").value();
  const auto path = directory.path() / "a";
  const ByteSpan first[] = {as_byte_span("first")}, second[] = {as_byte_span("another one")};
  const auto files = real_file_system();
  ASSERT_TRUE(files->write_atomically(path, first, Durability::survives_process));
  const auto view = FileView::open(ReadableFile::open(path).value());
  if (!view) GTEST_SKIP() << "this system does not map files safely";
  ASSERT_TRUE(files->write_atomically(path, second, Durability::survives_process));
  EXPECT_EQ(as_text(view->bytes()), "first");
  ASSERT_TRUE(files->remove(path));
  EXPECT_EQ(as_text(view->bytes()), "first");
}

TEST(FileView, OfNothingIsNothing) {
  const auto directory = TemporaryDirectory::create("hearth-file-test").value();
  const ByteSpan nothing[] = {ByteSpan()};
  const auto path = directory.path() / "empty";
  ASSERT_TRUE(real_file_system()->write_atomically(path, nothing, Durability::survives_process));
  EXPECT_FALSE(FileView::open(ReadableFile::open(path).value()));
}

}  // namespace
}  // namespace hearth
