// The bytes of headers and rows.
#include <fmt/format.h>

#include <cmath>

#include "hearth/base/utf8.h"
#include "hearth/eval/kl/record.h"

namespace hearth::eval {
namespace {

constexpr std::string_view magic = "HEARTHKL";
constexpr std::uint32_t format_version = 1;
constexpr std::uint32_t flag_same_top = 1, flag_reference_right = 2, flag_candidate_right = 4;
constexpr std::uint32_t flags_known = 7;
constexpr std::uint32_t vocabulary_max = 1u << 24;

std::unexpected<Error> not_a_record(std::string_view why) {
  return fail(Code::corrupt, fmt::format("not a record of hearth eval kl: {}", why));
}

Json header_json(const RecordHeader& header) {
  Json out = Json::object({{"model", model_mark_json(header.model)},
                           {"vocabulary", header.vocabulary},
                           {"top", header.top},
                           {"window_tokens", header.windows.window_tokens},
                           {"skip_tokens", header.windows.skip_tokens},
                           {"texts", header.texts},
                           {"reference", header.reference}});
  Json content = Json::array();
  for (const ScoredText& text : header.content) {
    content.push(Json::object(
        {{"name", text.name}, {"class", text.text_class}, {"tokens", text.tokens.size()}}));
  }
  out.set("content", std::move(content));
  return out;
}

Result<> read_settings(const Json& json, RecordHeader& header) {
  const Json* model = json.find("model");
  if (model == nullptr) return not_a_record("model is missing");
  header.model = TRY(model_mark_from_json(*model));
  header.vocabulary = TRY(get<std::uint32_t>(json, "vocabulary"));
  header.top = TRY(get<std::uint32_t>(json, "top"));
  header.windows.window_tokens = TRY(get<std::uint32_t>(json, "window_tokens"));
  header.windows.skip_tokens = TRY(get<std::uint32_t>(json, "skip_tokens"));
  header.texts = TRY(get<std::string>(json, "texts"));
  header.reference = TRY(get<std::string>(json, "reference"));
  TRY(check_windows(header.windows));
  if (header.vocabulary < 2 || header.vocabulary > vocabulary_max || header.top < 1 ||
      header.top > top_tokens || header.top > header.vocabulary) {
    return not_a_record(
        fmt::format("{} entries of a vocabulary of {}", header.top, header.vocabulary));
  }
  return {};
}

Result<> read_content(const Json& json, ByteReader& reader, RecordHeader& header) {
  const Json* content = json.find("content");
  if (content == nullptr || !content->is_array() || content->as_array().size() > kl_texts_max) {
    return not_a_record(
        fmt::format("content: expected an array of at most {} texts", kl_texts_max));
  }
  std::uint64_t total = 0;
  for (const Json& item : content->as_array()) {
    ScoredText text;
    text.name = TRY(get<std::string>(item, "name", "content[]"));
    text.text_class = TRY(get<std::string>(item, "class", "content[]"));
    const auto count = TRY(get<std::uint32_t>(item, "tokens", "content[]"));
    total += count;
    if (total > kl_tokens_max) {
      return not_a_record(fmt::format("more than {} tokens", kl_tokens_max));
    }
    const ByteSpan tokens = TRY(reader.read_bytes(std::uint64_t{count} * sizeof(Token), "tokens"));
    const ByteSpan kinds = TRY(reader.read_bytes(count, "kinds"));
    text.tokens.resize(count);
    if (count > 0) std::memcpy(text.tokens.data(), tokens.data(), tokens.size());
    for (const Token token : text.tokens) {
      if (token < 0 || static_cast<std::uint32_t>(token) >= header.vocabulary) {
        return not_a_record("a token outside the vocabulary");
      }
    }
    for (const std::byte kind : kinds) {
      if (static_cast<std::size_t>(kind) >= token_kinds) {
        return not_a_record("a token of an unknown kind");
      }
      text.kinds.push_back(static_cast<TokenKind>(kind));
    }
    header.content.push_back(std::move(text));
  }
  return {};
}

}  // namespace

Json model_mark_json(const ModelMark& mark) {
  return Json::object({{"name", mark.name},
                       {"weights", mark.weights},
                       {"tokenizer", mark.tokenizer},
                       {"engine", mark.engine}});
}

Result<ModelMark> model_mark_from_json(const Json& json) {
  ModelMark out;
  out.name = TRY(get<std::string>(json, "name", "model"));
  out.weights = TRY(get<std::string>(json, "weights", "model"));
  out.tokenizer = TRY(get<std::string>(json, "tokenizer", "model"));
  out.engine = TRY(get<std::string>(json, "engine", "model"));
  return out;
}

std::vector<ScoreBlock> RecordHeader::plan() const {
  std::vector<std::uint32_t> counts;
  for (const ScoredText& text : content) {
    counts.push_back(static_cast<std::uint32_t>(text.tokens.size()));
  }
  return plan_blocks(counts, windows);
}

Bytes encode_header(const RecordHeader& header) {
  const std::string json = dump_json(header_json(header));
  ByteWriter out;
  out.write_bytes(as_byte_span(magic));
  out.write(format_version);
  out.write(static_cast<std::uint32_t>(header.kind));
  out.write(static_cast<std::uint32_t>(json.size()));
  out.write_bytes(as_byte_span(json));
  for (const ScoredText& text : header.content) {
    out.write_bytes(std::as_bytes(std::span(text.tokens)));
    out.write_bytes(std::as_bytes(std::span(text.kinds)));
  }
  const Checksum128 sum = xxh3_128(out.bytes());
  out.write(sum.low);
  out.write(sum.high);
  return out.take();
}

Result<ParsedHeader> parse_header(ByteSpan bytes) {
  ByteReader reader(bytes);
  const ByteSpan found = TRY(reader.read_bytes(magic.size(), "magic"));
  if (as_text(found) != magic) return not_a_record("the first eight bytes are others");
  const auto version = TRY(reader.read<std::uint32_t>("version"));
  if (version != format_version) {
    return fail(Code::unsupported,
                fmt::format("a record of version {}; this program reads {}: make it again", version,
                            format_version));
  }
  ParsedHeader out;
  const auto kind = TRY(reader.read<std::uint32_t>("kind"));
  if (kind != 1 && kind != 2) return not_a_record(fmt::format("kind {}", kind));
  out.header.kind = static_cast<RecordKind>(kind);
  const auto json_bytes = TRY(reader.read<std::uint32_t>("length"));
  if (json_bytes > record_json_bytes_max) return not_a_record("a description that is too long");
  const ByteSpan text = TRY(reader.read_bytes(json_bytes, "description"));
  const Json json = TRY(parse_json(as_text(text)));
  TRY(read_settings(json, out.header));
  TRY(read_content(json, reader, out.header));
  const Checksum128 expected = xxh3_128(bytes.first(reader.position()));
  Checksum128 sum;
  sum.low = TRY(reader.read<std::uint64_t>("checksum"));
  sum.high = TRY(reader.read<std::uint64_t>("checksum"));
  if (sum != expected) return not_a_record("its header is damaged");
  out.bytes = reader.position();
  return out;
}

Result<> check_same_work(const RecordHeader& found, const RecordHeader& wanted,
                         const std::filesystem::path& path) {
  const bool same_engine = wanted.model.engine.empty() || found.model.engine == wanted.model.engine;
  std::string_view what;
  if (found.kind != wanted.kind) what = "kind";
  else if (found.model.weights != wanted.model.weights) what = "model";
  else if (!same_engine) what = "build of the engine";
  else if (found.texts != wanted.texts) what = "texts";
  else if (found.windows != wanted.windows) what = "window";
  else if (found.reference != wanted.reference) what = "reference";
  if (what.empty()) return {};
  return fail(
      Code::invalid_argument,
      fmt::format("{} was made with another {}: choose another folder with --record, or remove it",
                  path.string(), what));
}

Bytes encode_rows(std::span<const TopDistribution> rows) {
  ByteWriter out;
  for (const TopDistribution& row : rows) {
    out.write_bytes(std::as_bytes(std::span(row.ids)));
    out.write_bytes(std::as_bytes(std::span(row.log_probabilities)));
    out.write(row.tail);
    out.write(row.target_log_probability);
  }
  return out.take();
}

Bytes encode_rows(std::span<const PositionDivergence> rows) {
  ByteWriter out;
  for (const PositionDivergence& row : rows) {
    for (const double value : {row.kl, row.tail, row.target_change, row.log_likelihood_loss}) {
      out.write(value);
    }
    out.write((row.same_top ? flag_same_top : 0) |
              (row.reference_right ? flag_reference_right : 0) |
              (row.candidate_right ? flag_candidate_right : 0));
  }
  return out.take();
}

Result<std::vector<TopDistribution>> parse_reference_rows(ByteSpan bytes, std::uint32_t top,
                                                          std::uint32_t vocabulary) {
  ByteReader reader(bytes);
  std::vector<TopDistribution> out;
  while (reader.remaining() > 0) {
    TopDistribution row;
    for (std::uint32_t i = 0; i < top; ++i) {
      row.ids.push_back(TRY(reader.read<std::uint32_t>("token")));
      if (row.ids.back() >= vocabulary) return not_a_record("a token outside the vocabulary");
    }
    for (std::uint32_t i = 0; i < top; ++i) {
      row.log_probabilities.push_back(TRY(reader.read<float>("log-probability")));
      if (!(row.log_probabilities.back() <= 1e-3F)) return not_a_record("a probability above 1");
    }
    row.tail = TRY(reader.read<float>("tail"));
    row.target_log_probability = TRY(reader.read<float>("log-probability"));
    if (!(row.tail >= 0 && row.tail <= 1.001F) || !(row.target_log_probability <= 1e-3F)) {
      return not_a_record("a probability outside 0 to 1");
    }
    out.push_back(std::move(row));
  }
  return out;
}

Result<std::vector<PositionDivergence>> parse_comparison_rows(ByteSpan bytes) {
  ByteReader reader(bytes);
  std::vector<PositionDivergence> out;
  while (reader.remaining() > 0) {
    PositionDivergence row;
    for (double* value : {&row.kl, &row.tail, &row.target_change, &row.log_likelihood_loss}) {
      *value = TRY(reader.read<double>("number"));
      if (!std::isfinite(*value)) return not_a_record("a number that is none");
    }
    const auto flags = TRY(reader.read<std::uint32_t>("flags"));
    if ((flags & ~flags_known) != 0 || row.kl < 0) return not_a_record("a row that cannot be");
    row.same_top = (flags & flag_same_top) != 0;
    row.reference_right = (flags & flag_reference_right) != 0;
    row.candidate_right = (flags & flag_candidate_right) != 0;
    out.push_back(row);
  }
  return out;
}

}  // namespace hearth::eval
