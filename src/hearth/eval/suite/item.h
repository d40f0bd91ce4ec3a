#pragma once
// One item of a suite: a prompt, how its answer is graded, and where its text may go. A value; what it
// is made of lies in files of the form docs/formats/eval_item.md, read by eval/suite/load.h.
//
// The messages are complete: materials are already in the text, generated documents are generated.
// Nothing here knows arms, generations or judges. Copyable; not thread-safe beyond const access.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/chat/message.h"
#include "hearth/eval/grading/grader_spec.h"

namespace hearth::eval {

enum class TaskClass : std::uint8_t { code, retrieval, reasoning, writing, planning };
inline constexpr std::size_t task_class_count = 5;
std::string_view class_name(TaskClass task_class);  // "code"
Result<TaskClass> parse_class(std::string_view name);

// Where an item's text, its answers and what is derived from them may go.
enum class Egress : std::uint8_t {
  deny,   // nowhere outside the house: verifiable grading, a local judge, the user
  judge,  // also to the configured judge
  open,   // also to any configured endpoint
};
std::string_view egress_name(Egress egress);
Result<Egress> parse_egress(std::string_view name);

// An answer that ships with an item to show that its grader works: the reference must reach the full
// score, a wrong one must stay below `wrong_score_max`. Never shown to an arm or a judge.
struct SampleAnswer {
  std::string name;  // "reference", "wrong-off-by-one"
  std::string text;
  bool is_reference = false;
};
inline constexpr double wrong_score_max = 0.95;

struct Item {
  std::string id;  // "code/merge-shifts": its folder in the suite
  TaskClass task_class = TaskClass::code;
  std::string title;    // for people; no arm sees it
  std::string cluster;  // items with an equal cluster share a document; its own id if none is named
  Egress egress = Egress::deny;
  bool egress_is_named = false;  // or it is deny because nobody said anything
  std::uint32_t max_tokens = 0;  // of the answer, thinking apart
  std::vector<chat::Message> messages;
  std::vector<std::string> materials;  // names of files whose text is part of the messages
  GraderSpec grader;
  std::vector<SampleAnswer> answers;
  std::string file;  // item.toml, for messages to people
};

// All that a generation depends on: messages and max_tokens. A generation whose prompt digest differs
// from its item's was made for another prompt and does not count.
Digest256 prompt_digest(const Item& item);
// The prompt, id, class, cluster, egress and grader with all its data: changes whenever anything that
// matters to a grade changes. Title, sample answers and file names do not matter.
Digest256 item_digest(const Item& item);

// One token is counted as four bytes of text: on the careful side for English prose. The record
// of a generation has the arm's real count.
inline constexpr std::size_t bytes_per_token = 4;
std::uint64_t prompt_tokens_about(const Item& item);

}  // namespace hearth::eval
