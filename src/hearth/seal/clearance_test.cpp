#include "hearth/seal/clearance.h"

#include <gtest/gtest.h>

namespace hearth::seal {
namespace {

using Text = std::string;

struct Gate final : RemoteGate {
  Result<> check(const Clearance&) const override {
    if (is_open) return {};
    return fail(Code::permission, "closed");
  }
  bool is_open = true;
};

// What must not compile.
template <class Tag>
concept MayLeave = requires(Tag tag, const Gate& gate) { clear_for_remote(std::move(tag), gate); };
template <class Tag>
concept MayGoAround = requires(Tag tag) { clear_for_house(std::move(tag)); };

static_assert(MayLeave<Open<Text>>);
static_assert(!MayLeave<House<Text>>);
static_assert(!MayLeave<Sealed<Text>>);
static_assert(!MayLeave<Labelled<Text>>);
static_assert(!MayLeave<Text>);
static_assert(!MayLeave<ClearedForHouse<Text>>);
static_assert(!MayLeave<ClearedForCluster<Text>>);

static_assert(MayGoAround<Open<Text>>);
static_assert(MayGoAround<House<Text>>);
static_assert(!MayGoAround<Sealed<Text>>);

template <class From, class To>
constexpr bool converts = std::is_convertible_v<From, To> || std::is_constructible_v<To, From>;

static_assert(!converts<Sealed<Text>, Open<Text>>);
static_assert(!converts<Sealed<Text>, House<Text>>);
static_assert(!converts<House<Text>, Open<Text>>);
static_assert(!converts<Sealed<Text>, ClearedForRemote<Text>>);
static_assert(!converts<Sealed<Text>, ClearedForHouse<Text>>);
static_assert(!converts<House<Text>, ClearedForRemote<Text>>);
static_assert(!converts<ClearedForHouse<Text>, ClearedForRemote<Text>>);
static_assert(!converts<ClearedForCluster<Text>, ClearedForRemote<Text>>);
static_assert(!converts<Labelled<Text>, ClearedForRemote<Text>>);
static_assert(!converts<Labelled<Text>, Open<Text>>);
static_assert(!converts<Text, ClearedForRemote<Text>>);
static_assert(!std::is_default_constructible_v<ClearedForRemote<Text>>);
static_assert(!std::is_default_constructible_v<Open<Text>>);
// The request inside cannot be exchanged for another.
static_assert(std::is_same_v<decltype(std::declval<ClearedForRemote<Text>&>().request()), const Text&>);

Labelled<Text> labelled(Label label) {
  Clearance clearance{.conversation = "c1", .client = "k1"};
  clearance.decision.add(Reason{.source = Source::key, .label = label, .rule = "key k1"});
  return {.request = "work", .clearance = std::move(clearance)};
}

TEST(Clearance, SortsByLabel) {
  EXPECT_TRUE(std::holds_alternative<Open<Text>>(sort(labelled(Label::open))));
  EXPECT_TRUE(std::holds_alternative<House<Text>>(sort(labelled(Label::house))));
  EXPECT_TRUE(std::holds_alternative<Sealed<Text>>(sort(labelled(Label::sealed))));
}

TEST(Clearance, OneReasonIsEnoughWhateverTheLabelFieldSays) {
  Labelled<Text> forged = labelled(Label::sealed);
  forged.clearance.decision.label = Label::open;
  EXPECT_TRUE(std::holds_alternative<Sealed<Text>>(sort(forged)));
}

TEST(Clearance, AnUnknownValueIsSealed) {
  Labelled<Text> odd = labelled(Label::open);
  odd.clearance.decision.label = static_cast<Label>(7);
  EXPECT_TRUE(std::holds_alternative<Sealed<Text>>(sort(odd)));
}

TEST(Clearance, OpenWorkLeavesThroughAnOpenGateOnly) {
  Gate gate;
  auto cleared = clear_for_remote(std::get<Open<Text>>(sort(labelled(Label::open))), gate);
  ASSERT_TRUE(cleared);
  EXPECT_EQ(cleared->request(), "work");
  EXPECT_EQ(cleared->clearance().conversation, "c1");
  gate.is_open = false;
  const auto refused = clear_for_remote(std::get<Open<Text>>(sort(labelled(Label::open))), gate);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::permission);
}

TEST(Clearance, EverythingMayStayInTheCluster) {
  for (const Label label : all_labels) {
    const auto cleared = std::visit([](auto tagged) { return clear_for_cluster(std::move(tagged)); },
                                    sort(labelled(label)));
    EXPECT_EQ(cleared.request(), "work");
  }
}

TEST(Clearance, HouseWorkMayGoRoundTheHouse) {
  EXPECT_EQ(clear_for_house(std::get<House<Text>>(sort(labelled(Label::house)))).request(), "work");
  EXPECT_EQ(clear_for_house(std::get<Open<Text>>(sort(labelled(Label::open)))).request(), "work");
}

}  // namespace
}  // namespace hearth::seal
