#include "hearth/engine/synth/shape.h"

#include "hearth/base/check.h"

namespace hearth::engine {
namespace {

Shape kimi_shape(Size size) {
  Shape shape{.architecture = Architecture::kimi,
              .layers = 4,
              .width = 512,
              .heads = 2,
              .kv_heads = 1,
              .lag_width = 15,
              .rope_base = 50'000,
              .rope_width = 64,
              .feed_forward = 512,
              .dense_layers = 1,
              .experts = 4,
              .experts_used = 2,
              .experts_shared = 1,
              .expert_feed_forward = 256,
              .query_rank = 256,
              .latent_rank = 512,
              .nope_width = 256,
              .value_width = 128};
  if (size == Size::small) {
    shape.layers = 5;
    shape.feed_forward = 2048;
    shape.experts = 16;
    shape.experts_used = 4;
    shape.expert_feed_forward = 512;
  } else if (size == Size::medium) {
    shape.layers = 6;
    shape.width = 1024;
    shape.feed_forward = 4096;
    shape.experts = 32;
    shape.experts_used = 8;
    shape.expert_feed_forward = 2048;
  }
  return shape;
}

// The rope base is so large that the slower half of the pairs stands still over the whole
// context: llama rotates every dimension of a key, and the content needs some that do not move.
Shape grouped_shape(Architecture architecture, Size size) {
  Shape shape{.architecture = architecture,
              .layers = 4,
              .width = 512,
              .heads = 2,
              .kv_heads = 1,
              .head_width = 256,
              .lag_width = 13,
              .rope_base = 1e30,
              .rope_width = 256,
              .feed_forward = 1024};
  if (size == Size::small) {
    shape.heads = 4;
    shape.kv_heads = 2;
    shape.feed_forward = 4096;
  } else if (size == Size::medium) {
    shape.layers = 8;
    shape.width = 2048;
    shape.heads = 4;
    shape.kv_heads = 2;
    shape.feed_forward = 20'480;
  }
  return shape;
}

// Ordinary rotation: without a circuit nothing has to stand still.
Shape plain_shape(Architecture architecture, Size size) {
  Shape shape = grouped_shape(architecture, size);
  shape.heads = size == Size::medium ? 16 : 8;
  shape.kv_heads = 2;
  shape.head_width = 64;
  shape.rope_base = 150'000;
  shape.rope_width = 64;
  return shape;
}

void add_recurrence(Shape& shape) {
  shape.attention_interval = 2;
  shape.head_width = 128;
  shape.rope_width = 64;
  shape.state_width = 64;
  shape.state_groups = 2;
  shape.state_heads = 4;
  shape.convolution = 4;
  shape.experts_shared = 1;
}

void add_experts(Shape& shape, Size size) {
  shape.experts = 4;
  shape.experts_used = 2;
  shape.expert_feed_forward = 256;
  if (size == Size::small) {
    shape.experts = 16;
    shape.experts_used = 4;
    shape.expert_feed_forward = 512;
  } else if (size == Size::medium) {
    shape.layers = 6;
    shape.width = 1024;
    shape.feed_forward = 4096;
    shape.experts = 32;
    shape.experts_used = 8;
    shape.expert_feed_forward = 2048;
  }
}

}  // namespace

Shape shape_of(Architecture architecture, Size size) {
  if (architecture == Architecture::kimi) return kimi_shape(size);
  const bool is_plain = architecture == Architecture::gpt_oss || architecture == Architecture::qwen35moe;
  Shape shape = is_plain ? plain_shape(architecture, size) : grouped_shape(architecture, size);
  if (architecture != Architecture::llama) add_experts(shape, size);
  if (architecture == Architecture::gpt_oss) shape.window = 128;
  if (architecture == Architecture::qwen35moe) add_recurrence(shape);
  CHECK(shape.heads % shape.kv_heads == 0);
  return shape;
}

}  // namespace hearth::engine
