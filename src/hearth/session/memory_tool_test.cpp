#include "hearth/session/memory_tool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::session {
namespace {

using ::testing::HasSubstr;

ToolReply run(MemoryFiles& files, std::string_view input) { return run_memory_tool(*parse_json(input), files); }

struct Case {
  std::string name;
  std::string input;
  std::string reply;
  bool is_error = false;
  MemoryFiles after = {};  // empty: as before
};

const MemoryFiles start{{"a.md", "one\ntwo\nthree\nfour\nfive\n"}, {"deep/b.md", "x x\n"}, {"deep/er/c.md", ""}};

MemoryFiles with(std::string path, std::optional<std::string> text) {
  MemoryFiles out = start;
  apply_changes(out, {{std::move(path), std::move(text)}});
  return out;
}

class MemoryTool : public ::testing::TestWithParam<Case> {};

TEST_P(MemoryTool, RepliesAndChangesAsTheReferenceDoes) {
  MemoryFiles files = start;
  const ToolReply reply = run(files, GetParam().input);
  EXPECT_EQ(reply.text, GetParam().reply);
  EXPECT_EQ(reply.is_error, GetParam().is_error);
  EXPECT_EQ(files, GetParam().after.empty() ? start : GetParam().after);
}

INSTANTIATE_TEST_SUITE_P(
    Commands, MemoryTool,
    ::testing::Values(
        Case{"view_root", R"({"command":"view","path":"/memories"})",
             "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and "
             "node_modules:\n28B\t/memories\n24B\t/memories/a.md\n4B\t/memories/deep\n4B\t/memories/deep/b.md\n"
             "0B\t/memories/deep/er"},
        Case{"view_file", R"({"command":"view","path":"/memories/deep/b.md"})",
             "Here's the content of /memories/deep/b.md with line numbers:\n     1\tx x\n     2\t"},
        Case{"view_range", R"({"command":"view","path":"/memories/a.md","view_range":[2,3]})",
             "Here's the content of /memories/a.md with line numbers:\n     2\ttwo\n     3\tthree"},
        Case{"view_range_to_end", R"({"command":"view","path":"/memories/a.md","view_range":[5,-1]})",
             "Here's the content of /memories/a.md with line numbers:\n     5\tfive\n     6\t"},
        Case{"view_bad_range", R"({"command":"view","path":"/memories/a.md","view_range":[3,2]})",
             "Error: Invalid `view_range` parameter. It should be two line numbers within [1, 6], the second may be -1.",
             true},
        Case{"view_missing", R"({"command":"view","path":"/memories/z.md"})",
             "Error: The path /memories/z.md does not exist. Please provide a valid path.", true},
        Case{"create", R"({"command":"create","path":"/memories/new/n.md","file_text":"hi"})",
             "File created successfully at: /memories/new/n.md", false, with("new/n.md", "hi")},
        Case{"create_existing", R"({"command":"create","path":"/memories/a.md","file_text":"hi"})",
             "Error: File /memories/a.md already exists", true},
        Case{"create_below_a_file", R"({"command":"create","path":"/memories/a.md/b","file_text":"hi"})",
             "Error: /memories/a.md is a file, not a directory", true},
        Case{"create_without_text", R"({"command":"create","path":"/memories/q.md"})",
             "Error: file_text: missing", true},
        Case{"replace", R"({"command":"str_replace","path":"/memories/a.md","old_str":"three","new_str":"3\n3b"})",
             "The memory file has been edited.\n     1\tone\n     2\ttwo\n     3\t3\n     4\t3b\n     5\tfour\n     6\tfive",
             false, with("a.md", "one\ntwo\n3\n3b\nfour\nfive\n")},
        Case{"replace_absent", R"({"command":"str_replace","path":"/memories/a.md","old_str":"six","new_str":""})",
             "No replacement was performed, old_str `six` did not appear verbatim in /memories/a.md.", true},
        Case{"replace_twice_on_a_line", R"({"command":"str_replace","path":"/memories/deep/b.md","old_str":"x","new_str":"y"})",
             "No replacement was performed. Multiple occurrences of old_str `x` in lines: 1. Please ensure it is unique",
             true},
        Case{"insert_first", R"({"command":"insert","path":"/memories/deep/b.md","insert_line":0,"insert_text":"w\n"})",
             "The file /memories/deep/b.md has been edited.", false, with("deep/b.md", "w\nx x\n")},
        Case{"insert_last", R"({"command":"insert","path":"/memories/deep/b.md","insert_line":1,"insert_text":"y"})",
             "The file /memories/deep/b.md has been edited.", false, with("deep/b.md", "x x\ny\n")},
        Case{"insert_into_empty", R"({"command":"insert","path":"/memories/deep/er/c.md","insert_line":0,"insert_text":"y"})",
             "The file /memories/deep/er/c.md has been edited.", false, with("deep/er/c.md", "y\n")},
        Case{"insert_beyond", R"({"command":"insert","path":"/memories/deep/b.md","insert_line":2,"insert_text":"y"})",
             "Error: Invalid `insert_line` parameter: 2. It should be within the range of lines of the file: [0, 1]", true},
        Case{"delete", R"({"command":"delete","path":"/memories/a.md"})", "Successfully deleted /memories/a.md", false,
             with("a.md", std::nullopt)},
        Case{"delete_folder", R"({"command":"delete","path":"/memories/deep"})", "Successfully deleted /memories/deep",
             false, {{"a.md", start.at("a.md")}}},
        Case{"delete_root", R"({"command":"delete","path":"/memories/"})",
             "Error: The /memories directory itself cannot be deleted", true},
        Case{"rename", R"({"command":"rename","old_path":"/memories/deep/b.md","new_path":"/memories/b/b.md"})",
             "Successfully renamed /memories/deep/b.md to /memories/b/b.md", false,
             {{"a.md", start.at("a.md")}, {"b/b.md", "x x\n"}, {"deep/er/c.md", ""}}},
        Case{"rename_folder", R"({"command":"rename","old_path":"/memories/deep","new_path":"/memories/d"})",
             "Successfully renamed /memories/deep to /memories/d", false,
             {{"a.md", start.at("a.md")}, {"d/b.md", "x x\n"}, {"d/er/c.md", ""}}},
        Case{"rename_onto", R"({"command":"rename","old_path":"/memories/a.md","new_path":"/memories/deep/b.md"})",
             "Error: The destination /memories/deep/b.md already exists", true},
        Case{"rename_into_itself", R"({"command":"rename","old_path":"/memories/deep","new_path":"/memories/deep/x"})",
             "Error: A directory cannot be renamed into itself", true},
        Case{"unknown", R"({"command":"chmod","path":"/memories/a.md"})",
             "Error: Unknown command chmod. The commands are view, create, str_replace, insert, delete and rename.", true}),
    [](const auto& tested) { return tested.param.name; });

TEST(MemoryToolPaths, NothingOutsideIsReachable) {
  for (const std::string_view path :
       {"/etc/passwd", "/memoriesX/a.md", "memories/a.md", "/memories/../etc/passwd", "/memories/a/../../x", "/memories/./a",
        "/memories//a", "/memories/.hidden", "/memories/%2e%2e/x", "/memories/a%2Fb", "/memories/a\\..\\b", "", "..",
        "/memories/a\nb", "/memories/\xc0\xae\xc0\xae/x", "C:\\memories", "file:///memories/a"}) {
    EXPECT_FALSE(memory_tool_path(path)) << path;
    MemoryFiles files = start;
    const Json input = Json::object({{"command", "create"}, {"path", path}, {"file_text", "x"}});
    EXPECT_TRUE(run_memory_tool(input, files).is_error) << path;
    EXPECT_EQ(files, start);
  }
  EXPECT_EQ(*memory_tool_path("/memories"), "");
  EXPECT_EQ(*memory_tool_path("/memories/"), "");
  EXPECT_EQ(*memory_tool_path("/memories/a/b.md"), "a/b.md");
}

TEST(MemoryToolLimits, WhatIsTooMuchIsRefusedAndLongFilesArePaged) {
  MemoryFiles files = start;
  const Json big = Json::object({{"command", "create"}, {"path", "/memories/big"},
                                 {"file_text", std::string(memory_file_bytes_max + 1, 'x')}});
  EXPECT_THAT(run_memory_tool(big, files).text, HasSubstr("a memory file has at most"));
  for (int i = 0; i < 10'000; ++i) files["long.md"] += "a line of some length\n";
  const ToolReply first = run(files, R"({"command":"view","path":"/memories/long.md"})");
  EXPECT_LT(first.text.size(), memory_view_bytes_max + 4096);
  EXPECT_THAT(first.text, HasSubstr("see the rest with view_range ["));
  EXPECT_TRUE(run_memory_tool(Json(), files).is_error);
}

}  // namespace
}  // namespace hearth::session
