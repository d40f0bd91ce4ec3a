#include "hearth/gateway/openai/format.h"

namespace hearth::gateway::openai {

ApiResult<chat::ResponseFormat> read_format(const Json* format, const std::string& path,
                                            SchemaPlace place) {
  using Kind = chat::ResponseFormat::Kind;
  chat::ResponseFormat out;
  if (format == nullptr) return out;
  const std::string type = TRY(get_field<std::string>(*format, "type", path));
  if (type == "text") return out;
  if (type == "json_object") {
    out.kind = Kind::json_object;
    return out;
  }
  if (type != "json_schema") {
    return refuse(field_path(path, "type"),
                  "expected \"text\", \"json_object\" or \"json_schema\"");
  }
  const Json* holder = format;
  std::string holder_path = path;
  if (place == SchemaPlace::inside) {
    holder = TRY(find_object(*format, "json_schema", path));
    holder_path = field_path(path, "json_schema");
    if (holder == nullptr) return refuse(holder_path, "is required");
  }
  const Json* schema = TRY(find_object(*holder, "schema", holder_path));
  if (schema == nullptr) return refuse(field_path(holder_path, "schema"), "is required");
  out.kind = Kind::json_schema;
  out.schema = *schema;
  return out;
}

}  // namespace hearth::gateway::openai
