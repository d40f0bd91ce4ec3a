#include "hearth/session/conversation_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::session {
namespace {

using ::testing::ElementsAre;

Node said(ConversationTree& tree, chat::Role role, std::string text) {
  Node out{.id = tree.next_id(), .parent = tree.head()};
  out.message.role = role;
  out.message.text = std::move(text);
  return out;
}

TEST(ConversationTree, GoingBackAndSayingSomethingElseMakesABranch) {
  ConversationTree tree;
  ASSERT_TRUE(tree.add(said(tree, chat::Role::user, "a")));
  ASSERT_TRUE(tree.add(said(tree, chat::Role::assistant, "b")));
  ASSERT_TRUE(tree.add(said(tree, chat::Role::user, "c")));
  ASSERT_TRUE(tree.set_head(2));
  ASSERT_TRUE(tree.add(said(tree, chat::Role::user, "d")));
  ASSERT_TRUE(tree.add(said(tree, chat::Role::assistant, "e")));
  EXPECT_THAT(tree.leaves(), ElementsAre(3, 5));
  EXPECT_THAT(tree.user_turns(), ElementsAre(1, 4));
  std::string text;
  for (const Node* node : tree.path()) text += node->message.text;
  EXPECT_EQ(text, "abde");
  EXPECT_EQ(tree.newest_below(3), 3U);
  EXPECT_EQ(tree.newest_below(2), 5U);
}

TEST(ConversationTree, RefusesWhatDoesNotFit) {
  ConversationTree tree;
  EXPECT_FALSE(tree.add({.id = 2, .parent = 0}));
  EXPECT_FALSE(tree.add({.id = 1, .parent = 1}));
  EXPECT_FALSE(tree.set_head(1));
  EXPECT_TRUE(tree.set_head(0));
}

}  // namespace
}  // namespace hearth::session
