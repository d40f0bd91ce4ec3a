#include "hearth/vault/keeper.h"

#include <gtest/gtest.h>

#include <semaphore>

#include "hearth/vault/keeper_client.h"
#include "hearth/vault/keeper_protocol.h"
#include "hearth/vault/test_vault.h"

namespace hearth::vault {
namespace {

using namespace std::chrono_literals;

class KeeperTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(Vault::create(at(), secret_of("correct horse"), quick_cost)); }
  void start(Duration idle_max) {
    keeper_ = std::make_unique<Keeper>(Vault::unlock(at(), secret_of("correct horse")).value(),
                                       net::Listener::listen(keeper_address(at())).value(), idle_max);
    thread_ = Thread("keeper", [this] { cause_ = keeper_->run(stop_.token()).value(); });
  }
  // Once it is locked.
  LockCause cause() {
    thread_.join();
    return *cause_;
  }
  void TearDown() override {
    stop_.request_stop();
    thread_.join();
  }
  std::filesystem::path at() const { return directory_.path() / "v"; }

  TemporaryDirectory directory_ = TemporaryDirectory::create("keeper").value();
  StopSource stop_;
  std::unique_ptr<Keeper> keeper_;
  std::optional<LockCause> cause_;
  Thread thread_;
};

TEST_F(KeeperTest, GivesTheVaultsKeysToOthers) {
  start(0s);
  const auto a = KeeperClient::connect(at()).value();
  const auto b = KeeperClient::connect(at()).value();
  const auto key = a->key("x").value();
  EXPECT_TRUE(same_bytes(key->span(), b->key("x").value()->span()));
  EXPECT_EQ(b->collections().value(), std::vector<std::string>{"x"});
  EXPECT_TRUE(std::filesystem::is_directory(a->folder("x").value()));
  ASSERT_TRUE(a->forget("x"));
  EXPECT_EQ(a->forget("x").error().code, Code::not_found);
  EXPECT_NE(a->status_json().value().find("\"idle_left_s\":-1"), std::string::npos);
}

TEST_F(KeeperTest, LockingWipesTheKeysOfEveryClient) {
  start(0s);
  std::binary_semaphore heard(0);
  const auto client = KeeperClient::connect(at(), [&] { heard.release(); }).value();
  const std::weak_ptr<const Secret> key = client->key("x").value();
  EXPECT_FALSE(key.expired());
  ASSERT_TRUE(KeeperClient::connect(at()).value()->lock());
  heard.acquire();
  EXPECT_TRUE(key.expired());
  EXPECT_TRUE(client->is_locked());
  EXPECT_EQ(client->key("x").error().code, Code::unavailable);
  EXPECT_EQ(cause(), LockCause::asked);
  EXPECT_EQ(KeeperClient::connect(at()).error().code, Code::unavailable);
}

TEST_F(KeeperTest, LocksWhenNobodyAsks) {
  start(20ms);
  EXPECT_EQ(cause(), LockCause::idle);
}

TEST_F(KeeperTest, NonsenseIsHungUpOn) {
  start(0s);
  const auto stream = net::connect_stream(keeper_address(at()), Deadline::after(5s), {}).value();
  ASSERT_TRUE(stream->write_all(as_byte_span("GET / HTTP/1.1\r\n\r\n"), Deadline::after(5s), {}));
  std::byte byte[1];
  const auto got = stream->read_some(byte, Deadline::after(5s), {});
  EXPECT_TRUE(!got || *got == 0);
  EXPECT_TRUE(KeeperClient::connect(at()).value()->key("x"));
}

// What answers the first question with nonsense, and a second one on the same connection with another key.
TEST(KeeperClient, DoesNotReadOnAfterAnAnswerThatFailed) {
  const auto directory = TemporaryDirectory::create("keeper").value();
  auto listener = net::Listener::listen(keeper_address(directory.path())).value();
  const auto accept = [&] { return listener.accept(Deadline::after(5s), {}).value(); };
  const auto read_ask = [](net::Stream& stream, std::size_t name_bytes) {
    Bytes ask(ask_head_bytes + name_bytes);
    return read_exactly(stream, ask, Deadline::after(5s), {});
  };
  const Bytes wrong(key_bytes, std::byte{1}), right(key_bytes, std::byte{2}), nonsense(5, std::byte{255});
  Thread keeper("keeper", [&] {
    const auto asks = accept(), watched = accept();
    ASSERT_TRUE(read_ask(*watched, 0) && send_answer(*watched, {}, {}));
    ASSERT_TRUE(read_ask(*asks, 1) && asks->write_all(nonsense, Deadline::after(5s), {}) && send_answer(*asks, wrong, {}));
    const auto again = accept();
    ASSERT_TRUE(read_ask(*again, 1) && send_answer(*again, right, {}));
    std::byte end[1];
    (void)again->read_some(end, Deadline::after(5s), {});
  });
  {
    const auto client = KeeperClient::connect(directory.path()).value();
    EXPECT_EQ(client->key("x").error().code, Code::corrupt);
    EXPECT_TRUE(same_bytes(client->key("y").value()->span(), right));
  }
  keeper.join();
}

TEST(IdleTimer, CountsFromTheLastUse) {
  const Instant begin{};
  IdleTimer timer(10s, begin);
  EXPECT_FALSE(timer.is_over(begin + 9s));
  timer.touch(begin + 9s);
  EXPECT_FALSE(timer.is_over(begin + 18s));
  EXPECT_TRUE(timer.is_over(begin + 19s));
  timer.touch(begin);  // an older use takes nothing back
  EXPECT_EQ(timer.ends_at(), begin + 19s);
  EXPECT_FALSE(IdleTimer(0s, begin).is_over(begin + 1000h));
}

}  // namespace
}  // namespace hearth::vault
