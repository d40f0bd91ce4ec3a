#include "hearth/engine/synth/gguf_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ggml.h"
#include "gguf.h"
#include "hearth/base/file.h"
#include "hearth/base/thread.h"

namespace hearth::engine {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kValuesPerChunk = std::size_t{4} << 20;

struct GgufDeleter {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
struct GgmlDeleter {
  void operator()(ggml_context* context) const { ggml_free(context); }
};
using GgufContext = std::unique_ptr<gguf_context, GgufDeleter>;
using GgmlContext = std::unique_ptr<ggml_context, GgmlDeleter>;

ggml_type stored_type(const TensorPlan& tensor, WeightType type) {
  if (!tensor.is_weight) return GGML_TYPE_F32;
  ggml_type wanted = GGML_TYPE_F16;
  if (type == WeightType::q8_0) wanted = GGML_TYPE_Q8_0;
  if (type == WeightType::q4_k) wanted = GGML_TYPE_Q4_K;
  if (type == WeightType::q2_k) wanted = GGML_TYPE_Q2_K;
  const auto block = static_cast<std::size_t>(ggml_blck_size(wanted));
  CHECK(tensor.extents[0] % block == 0);
  return wanted;
}

struct SetValue {
  gguf_context* context;
  const char* key;
  void operator()(std::uint32_t value) const { gguf_set_val_u32(context, key, value); }
  void operator()(std::uint64_t value) const { gguf_set_val_u64(context, key, value); }
  void operator()(float value) const { gguf_set_val_f32(context, key, value); }
  void operator()(bool value) const { gguf_set_val_bool(context, key, value); }
  void operator()(const std::string& value) const {
    gguf_set_val_str(context, key, value.c_str());
  }
  void operator()(const std::vector<std::string>& values) const {
    std::vector<const char*> texts;
    for (const std::string& value : values) texts.push_back(value.c_str());
    gguf_set_arr_str(context, key, texts.data(), texts.size());
  }
  void operator()(const std::vector<std::int32_t>& values) const {
    gguf_set_arr_data(context, key, GGUF_TYPE_INT32, values.data(), values.size());
  }
};

// The file's head: everything before the tensor data.
struct Head {
  Bytes bytes;
  std::vector<ggml_type> types;
  std::vector<std::size_t> offsets;  // of each tensor, from the end of the head
  std::size_t alignment = 0;
};

Head make_head(WeightType type, const Metadata& metadata, const std::vector<TensorPlan>& tensors) {
  const GgufContext gguf(gguf_init_empty());
  for (const auto& [key, value] : metadata) std::visit(SetValue{gguf.get(), key.c_str()}, value);
  const GgmlContext ggml(ggml_init({(tensors.size() + 1) * ggml_tensor_overhead(), nullptr, true}));
  CHECK(gguf != nullptr && ggml != nullptr);
  Head head;
  for (const TensorPlan& tensor : tensors) {
    const int dimensions = tensor.extents[2] > 1 ? 3 : tensor.extents[1] > 1 ? 2 : 1;
    std::array<std::int64_t, 3> extents{};
    for (std::size_t i = 0; i < 3; ++i) extents[i] = static_cast<std::int64_t>(tensor.extents[i]);
    head.types.push_back(stored_type(tensor, type));
    ggml_tensor* entry = ggml_new_tensor(ggml.get(), head.types.back(), dimensions, extents.data());
    ggml_set_name(entry, tensor.name.c_str());
    gguf_add_tensor(gguf.get(), entry);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    head.offsets.push_back(gguf_get_tensor_offset(gguf.get(), static_cast<std::int64_t>(i)));
  }
  head.alignment = gguf_get_alignment(gguf.get());
  head.bytes.resize(gguf_get_meta_size(gguf.get()));
  gguf_get_meta_data(gguf.get(), head.bytes.data());
  return head;
}

// The file under construction: gone unless it was finished.
class PartialFile {
 public:
  static Result<PartialFile> create(const fs::path& path) {
    PartialFile file;
    file.final_path_ = path;
    file.path_ = path.parent_path() /
                 fmt::format("{}.{}.tmp", path.filename().string(), ::getpid());
    file.fd_ = FileDescriptor(
        ::open(file.path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.fd_.valid()) return fail_errno("create", file.path_, errno);
    return file;
  }
  PartialFile(PartialFile&& other) noexcept = default;
  ~PartialFile() {
    if (fd_.valid()) ::unlink(path_.c_str());
  }

  Result<> append(ByteSpan bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail_errno("write", path_, errno);
      size_bytes_ += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }
  Result<> pad_to(std::uint64_t size_bytes) {
    CHECK(size_bytes >= size_bytes_ && size_bytes - size_bytes_ < 4096);
    const Bytes zeros(static_cast<std::size_t>(size_bytes - size_bytes_));
    return append(zeros);
  }
  // Some file systems report a full disk only here.
  Result<std::uint64_t> finish() {
    if (::fsync(fd_.get()) != 0) return fail_errno("sync", path_, errno);
    if (::rename(path_.c_str(), final_path_.c_str()) != 0) {
      return fail_errno("rename to", final_path_, errno);
    }
    fd_.close();
    return size_bytes_;
  }

 private:
  PartialFile() = default;
  fs::path final_path_;
  fs::path path_;
  FileDescriptor fd_;
  std::uint64_t size_bytes_ = 0;
};

// Fills and packs rows [first, first + count) to the start of `out`.
void pack_rows(const TensorPlan& tensor, ggml_type type, std::size_t first, std::size_t count,
               std::span<std::byte> out) {
  const std::size_t length = tensor.extents[0];
  const std::size_t row_bytes = ggml_row_size(type, static_cast<std::int64_t>(length));
  std::vector<float> row(length);
  for (std::size_t i = 0; i < count; ++i) {
    tensor.fill(first + i, row);
    std::byte* to = out.data() + i * row_bytes;
    if (type == GGML_TYPE_F32) {
      std::memcpy(to, row.data(), row_bytes);
    } else {
      ggml_quantize_chunk(type, row.data(), to, 0, 1, static_cast<std::int64_t>(length), nullptr);
    }
  }
}

class ModelWriter {
 public:
  ModelWriter(PartialFile& file, const ProgressFunction& progress, std::uint64_t values_total)
      : file_(file), progress_(progress), values_total_(values_total) {}

  Result<> write(const TensorPlan& tensor, ggml_type type) {
    const std::size_t length = tensor.extents[0];
    const std::size_t row_bytes = ggml_row_size(type, static_cast<std::int64_t>(length));
    const std::size_t rows_per_chunk = std::max<std::size_t>(1, kValuesPerChunk / length);
    for (std::size_t row = 0; row < tensor.row_count(); row += rows_per_chunk) {
      const std::size_t count = std::min(rows_per_chunk, tensor.row_count() - row);
      buffer_.resize(count * row_bytes);
      pack_chunk(tensor, type, row, count, row_bytes);
      TRY(file_.append(buffer_));
      values_done_ += count * length;
      if (progress_) {
        progress_(static_cast<double>(values_done_) / static_cast<double>(values_total_));
      }
    }
    return {};
  }

 private:
  void pack_chunk(const TensorPlan& tensor, ggml_type type, std::size_t row, std::size_t count,
                  std::size_t row_bytes) {
    const std::span<std::byte> out(buffer_);
    const std::size_t half = count * tensor.extents[0] < 65'536 ? 0 : count / 2;
    Thread helper;
    if (half > 0) {
      helper = Thread("synth", [&] { pack_rows(tensor, type, row, half, out); });
    }
    pack_rows(tensor, type, row + half, count - half, out.subspan(half * row_bytes));
  }

  PartialFile& file_;
  const ProgressFunction& progress_;
  std::uint64_t values_total_;
  std::uint64_t values_done_ = 0;
  Bytes buffer_;
};

Result<> require_space(const fs::path& path, std::uint64_t needed_bytes) {
  std::error_code error;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const fs::space_info space = fs::space(folder, error);
  if (error) return fail_errno("find the free space of", folder, error.value());
  if (space.available >= needed_bytes) return {};
  return fail(Code::resource_exhausted,
              fmt::format("{} needs {} bytes, but only {} are free there", path.string(),
                          needed_bytes, space.available));
}

std::uint64_t data_bytes_of(const TensorPlan& tensor, ggml_type type) {
  return ggml_row_size(type, static_cast<std::int64_t>(tensor.extents[0])) * tensor.row_count();
}

}  // namespace

Result<SynthReport> write_gguf(const fs::path& path, WeightType type, const Metadata& metadata,
                               const std::vector<TensorPlan>& tensors,
                               const ProgressFunction& progress) {
  CHECK(!tensors.empty());
  const Head head = make_head(type, metadata, tensors);
  const std::uint64_t file_bytes = head.bytes.size() + head.offsets.back() +
                                   data_bytes_of(tensors.back(), head.types.back());
  TRY(require_space(path, file_bytes));
  PartialFile file = TRY(PartialFile::create(path));
  TRY(file.append(head.bytes));
  SynthReport report;
  for (const TensorPlan& tensor : tensors) report.parameters += tensor.value_count();
  ModelWriter writer(file, progress, report.parameters);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TRY(file.pad_to(head.bytes.size() + head.offsets[i]));
    TRY(writer.write(tensors[i], head.types[i]));
  }
  // Readers expect the last tensor padded as well.
  const std::uint64_t aligned = (file_bytes + head.alignment - 1) / head.alignment * head.alignment;
  TRY(file.pad_to(aligned));
  report.file_bytes = TRY(file.finish());
  return report;
}

}  // namespace hearth::engine
