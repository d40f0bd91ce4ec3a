#include "hearth/store/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "hearth/base/thread.h"

namespace hearth::store {
namespace {

constexpr std::array<std::string_view, 2> steps = {
    "CREATE TABLE notes(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value)",
    "ALTER TABLE notes ADD COLUMN weight REAL"};
constexpr Schema old_schema{.application_id = "HTst", .steps = std::span(steps).first(1)};
constexpr Schema schema{.application_id = "HTst", .steps = steps};
constexpr Schema other_kind{.application_id = "HOth", .steps = steps};

class DatabaseFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hearth-database-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file() const { return folder_ / "notes.db"; }

  static std::int64_t count(Database& database) {
    auto statement = database.prepare("SELECT count(*) FROM notes").value();
    EXPECT_TRUE(statement.query());
    EXPECT_TRUE(statement.next().value());
    return statement.integer(0);
  }
  static Result<> add(Database& database, std::string_view name) {
    auto insert = TRY(database.prepare("INSERT INTO notes(name) VALUES(?)"));
    return insert.run(name);
  }

  std::filesystem::path folder_;
};

TEST_F(DatabaseFile, EveryKindOfValueComesBackAsItWent) {
  auto database = Database::open(file(), schema).value();
  auto insert = database.prepare("INSERT INTO notes(name, value, weight) VALUES(?, ?, ?)").value();
  const Bytes bytes = {std::byte{0}, std::byte{255}};
  ASSERT_TRUE(insert.run(std::string("text"), std::string_view("a\0b", 3), 1.5));
  ASSERT_TRUE(insert.run("number", std::int64_t{-1} << 62, std::optional<double>()));
  ASSERT_TRUE(insert.run("bytes", ByteSpan(bytes), nullptr));
  ASSERT_TRUE(insert.run("empty", std::string_view(), nullptr));
  EXPECT_EQ(database.last_row_id(), 4);

  auto select = database.prepare("SELECT name, value, weight FROM notes ORDER BY id").value();
  ASSERT_TRUE(select.query());
  ASSERT_TRUE(select.next().value());
  EXPECT_EQ(select.text(1), std::string("a\0b", 3));
  EXPECT_EQ(select.real(2), 1.5);
  ASSERT_TRUE(select.next().value());
  EXPECT_EQ(select.integer(1), std::int64_t{-1} << 62);
  EXPECT_TRUE(select.is_null(2));
  ASSERT_TRUE(select.next().value());
  EXPECT_EQ(select.blob(1), bytes);
  ASSERT_TRUE(select.next().value());
  EXPECT_FALSE(select.is_null(1));
  EXPECT_EQ(select.text(1), "");
  EXPECT_FALSE(select.next().value());
}

TEST_F(DatabaseFile, IsReadableByItsOwnerOnly) {
  (void)Database::open(file(), schema).value();
  struct stat status{};
  ASSERT_EQ(stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(DatabaseFile, AnOlderFileIsBroughtUpToDateWithWhatItHolds) {
  {
    auto database = Database::open(file(), old_schema).value();
    ASSERT_TRUE(add(database, "kept"));
  }
  EXPECT_EQ(Database::open_read_only(file(), schema).error().code, Code::invalid_argument);
  auto database = Database::open(file(), schema).value();
  EXPECT_EQ(count(database), 1);
  EXPECT_TRUE(database.run("UPDATE notes SET weight = 1"));
}

TEST_F(DatabaseFile, RefusesWhatItCannotKnow) {
  (void)Database::open(file(), schema).value();
  const auto newer = Database::open(file(), old_schema);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::invalid_argument);
  EXPECT_NE(newer.error().message.find("newer Hearth"), std::string::npos);

  const auto foreign = Database::open(file(), other_kind);
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message.find("kind HOth"), std::string::npos);

  const auto text = folder_ / "text";
  std::ofstream(text) << std::string(5000, 'x');
  const auto no_database = Database::open(text, schema);
  ASSERT_FALSE(no_database);
  EXPECT_EQ(no_database.error().code, Code::invalid_argument);
  EXPECT_NE(no_database.error().message.find(text.string()), std::string::npos);

  EXPECT_EQ(Database::open_read_only(folder_ / "none", schema).error().code, Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none"));
}

TEST_F(DatabaseFile, ATransactionThatWasNotCommittedLeavesNothing) {
  auto database = Database::open(file(), schema).value();
  {
    auto transaction = Transaction::begin(database).value();
    ASSERT_TRUE(add(database, "gone"));
  }
  EXPECT_EQ(count(database), 0);
  auto transaction = Transaction::begin(database).value();
  ASSERT_TRUE(add(database, "stays"));
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(count(database), 1);
}

TEST_F(DatabaseFile, WhatWasCommittedSurvivesAKill) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto database = Database::open(file(), schema).value();
    (void)add(database, "committed");
    auto transaction = Transaction::begin(database).value();
    (void)add(database, "not committed");
    (void)kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto database = Database::open(file(), schema).value();
  EXPECT_EQ(count(database), 1);
}

TEST_F(DatabaseFile, TwoWritersTakeTurns) {
  constexpr int rows_each = 50;
  (void)Database::open(file(), schema).value();
  const auto write = [this](std::string name) {
    auto database = Database::open(file(), schema).value();
    for (int i = 0; i < rows_each; ++i) {
      auto transaction = Transaction::begin(database).value();
      EXPECT_TRUE(add(database, name + std::to_string(i)));
      EXPECT_TRUE(transaction.commit());
    }
  };
  {
    const Thread first("write_a", [&] { write("a"); });
    const Thread second("write_b", [&] { write("b"); });
  }
  auto database = Database::open_read_only(file(), schema).value();
  EXPECT_EQ(count(database), 2 * rows_each);
}

TEST_F(DatabaseFile, AnErrorNamesTheFileAndNoValue) {
  auto database = Database::open(file(), schema).value();
  ASSERT_TRUE(add(database, "a secret"));
  const auto again = add(database, "a secret");
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("notes.db"), std::string::npos);
  EXPECT_EQ(again.error().message.find("secret"), std::string::npos);
}

TEST_F(DatabaseFile, AStatementOutlivesItsDatabase) {
  auto database = std::optional(Database::open(file(), schema).value());
  auto insert = database->prepare("INSERT INTO notes(name) VALUES(?)").value();
  database.reset();
  EXPECT_TRUE(insert.run("late"));
}

TEST(DatabaseInMemory, HasTheSchema) {
  auto database = Database::open_in_memory(schema).value();
  EXPECT_TRUE(database.run("INSERT INTO notes(name, weight) VALUES('a', 2)"));
}

}  // namespace
}  // namespace hearth::store
