#include "hearth/eval/suite/load.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"

namespace hearth::eval {
namespace {

const std::string good_item = "class = \"reasoning\"\ntitle = \"One\"\negress = \"open\"\nmax_tokens = 500\n[grader]\nkind = \"final\"\nvalue = \"12\"\n";

std::vector<SuiteFile> one_item(std::string toml, std::vector<SuiteFile> more = {}) {
  std::vector<SuiteFile> out = {{"a/item.toml", std::move(toml)}, {"a/prompt.md", "What is it?\n"}};
  for (SuiteFile& file : more) {
    std::erase_if(out, [&](const SuiteFile& old) { return old.path == file.path; });
    out.push_back(std::move(file));
  }
  return out;
}

std::string problems(const std::vector<SuiteFile>& files) {
  std::string out;
  for (const std::string& one : load_suite(files, "mine").problems) out += one + "\n";
  return out;
}

TEST(LoadSuite, ReadsAnItem) {
  const LoadedSuite found = load_suite(one_item(good_item, {{"a/system.md", "Be brief."}, {"a/materials/notes.txt", "Twelve.\n"}, {"a/prompt.md", "Read:\n{{file:notes.txt}}\nWhat is it?\n"}, {"a/answers/reference.md", "Answer: 12"}, {"a/answers/wrong-more.md", "Answer: 13"}}), "mine");
  ASSERT_TRUE(found.problems.empty()) << found.problems[0];
  ASSERT_EQ(found.suite.items.size(), 1u);
  const Item& item = found.suite.items[0];
  EXPECT_EQ(item.id, "a");
  EXPECT_EQ(item.cluster, "a");
  EXPECT_EQ(item.egress, Egress::open);
  ASSERT_EQ(item.messages.size(), 2u);
  EXPECT_EQ(item.messages[1].text, "Read:\nTwelve.\nWhat is it?");
  ASSERT_EQ(item.answers.size(), 2u);
  EXPECT_TRUE(item.answers[0].is_reference);
  EXPECT_EQ(found.suite.find("a"), &found.suite.items[0]);
  EXPECT_EQ(found.suite.find("b"), nullptr);
}

TEST(LoadSuite, AMissingEgressFlagMeansDeny) {
  std::string toml = good_item;
  toml.erase(toml.find("egress"), std::string("egress = \"open\"\n").size());
  EXPECT_EQ(load_suite(one_item(toml), "mine").suite.items.at(0).egress, Egress::deny);
}

TEST(LoadSuite, NamesFileAndLineOfEveryMistake) {
  const std::pair<std::vector<SuiteFile>, const char*> rows[] = {
      {one_item("class = \"poetry\"\n" + good_item.substr(good_item.find('\n') + 1)), "'poetry' is no class; expected one of code, retrieval"},
      {one_item("class = \n"), "mine/a/item.toml:1:"},
      {one_item("colour = \"red\"\n" + good_item), "unknown key 'colour'"},
      {one_item(good_item + "speed = 3\n"), "mine/a/item.toml:5: grader: unknown key 'speed'"},
      {one_item(good_item, {{"a/prompt.md", "One\nTwo {{file:gone.txt}}\n"}}), "mine/a/prompt.md:2: '{{file:gone.txt}}'"},
      {one_item(good_item, {{"a/prompt.md", " \n"}}), "mine/a/prompt.md:1: is empty"},
      {one_item(good_item, {{"a/notes.txt", "x"}}), "mine/a/notes.txt:1: is no file of an item"},
      {one_item(good_item, {{"a/answers/other.md", "x"}}), "expected reference.md or wrong-WHAT.md"},
      {one_item(good_item, {{"a/prompt.md", "ok\n\xff"}}), "mine/a/prompt.md:2: is not UTF-8"},
      {one_item(good_item, {{"stray.txt", "x"}}), "mine/stray.txt:1: belongs to no item"},
      {one_item(good_item, {{"b/item.toml", good_item}, {"b/prompt.md", "What is it?\n"}}), "mine/b/item.toml:1: has the same prompt as mine/a/item.toml"},
      {one_item(good_item.substr(0, good_item.find("[grader]"))), "the table [grader] is missing"},
      {one_item(good_item.substr(0, good_item.find("kind")) + "kind = \"guess\"\n"), "expected rubric, code, exact"},
      {one_item(good_item.substr(0, good_item.find("value")) + "value = \"many\"\n"), "'many' is no number"},
      {one_item(good_item.substr(0, good_item.find("kind")) + "kind = \"rubric\"\n"), "a rubric needs criteria"},
      {one_item(good_item.substr(0, good_item.find("kind")) + "kind = \"structured\"\n"), "mine/a/expected.json:1: is missing"},
      {one_item(good_item.substr(0, good_item.find("kind")) + "kind = \"code\"\nfunction = \"f\"\n", {{"a/cases.json", "[{\"name\": \"x\"}]"}}), "case 1 needs a name"},
      {one_item(good_item.substr(0, good_item.find("kind")) + "kind = \"plan\"\n", {{"a/world.toml", "[state]\nx = 1\n[[tool]]\nname = \"t\"\nparameters = []\n[[tool.rule]]\nif = \"x ==\"\nelse = \"no\"\n[[goal]]\nname = \"g\"\nif = \"x == 2\"\n"}}), "mine/a/world.toml:6: rule: 'x ==' lacks"},
      {{}, "no item: expected folders"},
  };
  for (const auto& [files, expected] : rows) EXPECT_NE(problems(files).find(expected), std::string::npos) << "wanted: " << expected << "\ngot: " << problems(files);
}

TEST(LoadSuite, DigestsChangeWithWhatMattersAndOnlyThen) {
  const auto item = [](std::string toml, std::string prompt) { return load_suite(one_item(std::move(toml), {{"a/prompt.md", std::move(prompt)}}), "mine").suite.items.at(0); };
  const Item base = item(good_item, "What is it?");
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string toml = good_item;
    return item(toml.replace(toml.find(from), from.size(), to), "What is it?");
  };
  EXPECT_EQ(item_digest(changed("\"One\"", "\"Other\"")), item_digest(base));
  for (const auto& [from, to] : {std::pair{"500", "501"}, std::pair{"\"12\"", "\"13\""}, std::pair{"\"open\"", "\"judge\""}}) {
    EXPECT_NE(item_digest(changed(from, to)), item_digest(base)) << to;
  }
  EXPECT_EQ(prompt_digest(changed("\"12\"", "\"13\"")), prompt_digest(base));
  EXPECT_NE(prompt_digest(changed("500", "501")), prompt_digest(base));
  EXPECT_NE(prompt_digest(item(good_item, "What was it?")), prompt_digest(base));
}

TEST(ReadSuiteFiles, LeavesLinksAndHiddenFilesOut) {
  const auto folder = *TemporaryDirectory::create("suite-test");
  const auto files = real_file_system();
  ASSERT_TRUE(files->create_directories(folder.path() / ".git"));
  const ByteSpan parts[] = {as_byte_span("x")};
  for (const char* name : {"item.toml", ".hidden", ".git/config"}) ASSERT_TRUE(files->write_atomically(folder.path() / name, parts, Durability::survives_process));
  std::filesystem::create_symlink("/etc/passwd", folder.path() / "link.txt");
  const auto found = read_suite_files(folder.path());
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->at(0).path, "item.toml");
  EXPECT_FALSE(read_suite_files(folder.path() / "nowhere"));
}

}  // namespace
}  // namespace hearth::eval
