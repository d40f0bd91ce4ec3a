#pragma once
// The sizes of an engine's buffers, from what it logs while it allocates them: libllama 0.7 has no
// function in its headers that tells. A line that is not understood counts for nothing.
//
// Source of the format: libllama 0.7.0, "load_tensors:   CPU_Mapped model buffer size =   70.32 MiB",
// and the same with "KV", "RS" (recurrent state), "compute" and "output". Pure; one thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::engine {

struct BufferSizes {
  std::uint64_t weights_bytes = 0;
  std::uint64_t kv_bytes = 0;  // with recurrent states
  std::uint64_t compute_bytes = 0;
  std::uint64_t output_bytes = 0;  // logits of the answers
  bool operator==(const BufferSizes&) const = default;
};

struct BufferLine {
  std::string place;  // "CPU_Mapped", "CUDA0"
  std::string kind;   // "model", "KV", "RS", "compute", "output"
  std::uint64_t bytes = 0;
};
std::optional<BufferLine> parse_buffer_line(std::string_view line);

// Of one model and one context. Weights and caches come in several lines that add up; compute and
// output buffers may be logged again when they are reserved anew, and the last line counts.
class BufferLog {
 public:
  void take(std::string_view line);
  BufferSizes sizes() const;

 private:
  std::uint64_t weights_bytes_ = 0;
  std::uint64_t kv_bytes_ = 0;
  std::map<std::string, std::uint64_t> compute_bytes_;  // by place
  std::map<std::string, std::uint64_t> output_bytes_;
};

}  // namespace hearth::engine
