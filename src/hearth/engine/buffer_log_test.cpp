#include "hearth/engine/buffer_log.h"

#include <gtest/gtest.h>

namespace hearth::engine {
namespace {

constexpr std::uint64_t mebibyte = 1048576;

TEST(ParseBufferLine, TakesPlaceKindAndSize) {
  const auto line = parse_buffer_line("load_tensors:   CPU_Mapped model buffer size =    70.50 MiB");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->place, "CPU_Mapped");
  EXPECT_EQ(line->kind, "model");
  EXPECT_EQ(line->bytes, 70 * mebibyte + mebibyte / 2);
  EXPECT_EQ(parse_buffer_line("sched_reserve:        CPU compute buffer size =    21.02 MiB")->kind,
            "compute");
}

TEST(ParseBufferLine, LeavesTheRestAlone) {
  for (const char* other :
       {"", "load_tensors: offloading 0 layers", "x: CPU KV buffer size = many MiB",
        "x: CPU KV buffer size = 12.00 GiB", "x: CPU KV buffer size = -1.00 MiB",
        "x: CPU KV buffer size = nan MiB", "CPU KV buffer size = 12.00 MiB",
        "x: KV buffer size = 12.00 MiB",
        "x: CPU compute buffer size is 1.0000 MiB, matches expectation of 1.0000 MiB"}) {
    EXPECT_FALSE(parse_buffer_line(other)) << other;
  }
}

TEST(BufferLog, AddsCachesAndKeepsTheLastReservation) {
  BufferLog log;
  for (const char* line : {"a: CPU_Mapped model buffer size = 10.00 MiB",
                           "a: CPU_REPACK model buffer size = 2.00 MiB",
                           "b: CPU KV buffer size = 3.00 MiB", "b: CPU KV buffer size = 1.00 MiB",
                           "c: CPU  output buffer size = 1.00 MiB",
                           "d: CPU compute buffer size = 9.00 MiB",
                           "d: CPU compute buffer size = 5.00 MiB",
                           "d: CUDA0 compute buffer size = 6.00 MiB"}) {
    log.take(line);
  }
  EXPECT_EQ(log.sizes(),
            (BufferSizes{12 * mebibyte, 4 * mebibyte, 11 * mebibyte, 1 * mebibyte}));
}

}  // namespace
}  // namespace hearth::engine
