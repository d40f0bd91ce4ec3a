#include "hearth/cluster/peer_state.h"

#include <gtest/gtest.h>

namespace hearth::cluster {
namespace {

using std::chrono::seconds;
using Heard = PeerTable::Heard;

const Instant now = Instant(std::chrono::hours(1));

model::LayoutIdentity layout(model::KvType k_type = model::KvType::f16) {
  model::LayoutIdentity out;
  out.architecture = "deepseek2";
  out.k_type = k_type;
  return out;
}

PeerAnnouncement announcement(std::uint64_t incarnation,
                              model::KvType k_type = model::KvType::f16) {
  return {"spark-1", incarnation, {{"kimi", layout(k_type)}}};
}

TEST(PeerTable, NamesTheFieldThatDiffersWhenAMachineJoins) {
  PeerTable peers;
  const HeldModel own{"kimi", layout()};
  EXPECT_EQ(peers.pairing("spark-1", own).pairing, Pairing::unknown_peer);
  ASSERT_EQ(peers.on_announced(announcement(1, model::KvType::q8_0), now), Heard::joined);
  const PairingVerdict verdict = peers.pairing("spark-1", own);
  EXPECT_EQ(verdict.pairing, Pairing::other_layout);
  EXPECT_EQ(verdict.reason, "k_type: f16 against q8_0");
  EXPECT_EQ(peers.prefill_sides(own, "studio", now)[0].other_layout.at("studio"), verdict.reason);
  ASSERT_EQ(peers.on_announced(announcement(1), now), Heard::same_life);
  EXPECT_EQ(peers.pairing("spark-1", own).pairing, Pairing::compatible);
  EXPECT_EQ(peers.pairing("spark-1", {"qwen", layout()}).pairing, Pairing::model_not_held);
}

TEST(PeerTable, ARestartForgetsTheFormerLifeAndALateMessageOfItIsIgnored) {
  PeerTable peers;
  ASSERT_TRUE(peers.on_announced(announcement(3), now));
  peers.on_busy("spark-1", seconds(50), now);
  peers.on_distrusted("spark-1", "forged keys");
  ASSERT_EQ(peers.on_announced(announcement(4), now), Heard::restarted);
  EXPECT_EQ(peers.why_excluded("spark-1", "kimi", now), "");
  EXPECT_EQ(peers.on_announced(announcement(3, model::KvType::q8_0), now), Heard::stale);
  EXPECT_FALSE(peers.on_heard("spark-1", 3, now));
  EXPECT_TRUE(peers.on_heard("spark-1", 4, now));
  EXPECT_EQ(peers.pairing("spark-1", {"kimi", layout()}).pairing, Pairing::compatible);
  EXPECT_EQ(peers.restarts("spark-1"), 1u);
  EXPECT_EQ(peers.incarnation("spark-1"), 4u);
}

TEST(PeerTable, SaysWhyAPeerIsLeftOut) {
  struct Case {
    void (*happens)(PeerTable&);
    Duration later;
    const char* why;
  };
  const Case cases[] = {
      {[](PeerTable&) {}, seconds(1), ""},
      {[](PeerTable&) {}, seconds(16), "not heard of for 16 s"},
      {[](PeerTable& p) { (void)p.on_heard("spark-1", 1, now + seconds(10)); }, seconds(16), ""},
      {[](PeerTable& p) { p.on_busy("spark-1", seconds(5), now); }, seconds(4), "busy"},
      {[](PeerTable& p) { p.on_busy("spark-1", seconds(5), now); }, seconds(5), ""},
      {[](PeerTable& p) { p.on_lost("spark-1"); }, seconds(1), "not reachable"},
      {[](PeerTable& p) {
         p.on_lost("spark-1");
         (void)p.on_heard("spark-1", 1, now);
       },
       seconds(1), ""},
      {[](PeerTable& p) { p.on_distrusted("spark-1", "forged keys"); }, seconds(1),
       "distrusted: forged keys"},
      {[](PeerTable& p) { p.on_removed("spark-1"); }, seconds(1), "has not joined"},
  };
  for (const Case& c : cases) {
    PeerTable peers;
    ASSERT_TRUE(peers.on_announced(announcement(1), now));
    c.happens(peers);
    EXPECT_EQ(peers.why_excluded("spark-1", "kimi", now + c.later), c.why);
  }
}

TEST(PeerTable, AWishToBeLeftAloneIsBounded) {
  PeerTable peers;
  ASSERT_TRUE(peers.on_announced(announcement(1), now));
  peers.on_busy("spark-1", std::chrono::hours(10), now);
  (void)peers.on_heard("spark-1", 1, now + seconds(60));
  EXPECT_EQ(peers.why_excluded("spark-1", "kimi", now + seconds(61)), "");
}

TEST(PeerTable, IsBounded) {
  PeerTable peers;
  for (std::size_t i = 0; i < peers_max; ++i) {
    ASSERT_TRUE(peers.on_announced({"m" + std::to_string(i), 1, {}}, now));
  }
  const auto refused = peers.on_announced({"one more", 1, {}}, now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::resource_exhausted);
  EXPECT_TRUE(peers.on_announced({"m0", 2, {}}, now));
}

}  // namespace
}  // namespace hearth::cluster
