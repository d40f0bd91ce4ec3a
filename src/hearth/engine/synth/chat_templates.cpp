#include "hearth/engine/synth/chat_templates.h"

#include "hearth/base/check.h"

namespace hearth::engine {
namespace {

// No newline may appear between messages, so every tag trims what surrounds it.
constexpr std::string_view kKimiTemplate = R"jinja(
{%- set keep = preserve_thinking is defined and preserve_thinking -%}
{%- set open = thinking is not defined or thinking -%}
{%- if tools_ts_str is defined and tools_ts_str -%}
  {{- '<|im_system|>tool_declare<|im_middle|>' ~ tools_ts_str ~ '<|im_end|>' -}}
{%- elif tools -%}
  {{- '<|im_system|>tool_declare<|im_middle|>' ~ (tools | tojson) ~ '<|im_end|>' -}}
{%- endif -%}
{%- if not messages or messages[0].role != 'system' -%}
  {{- '<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.<|im_end|>' -}}
{%- endif -%}
{%- set mark = namespace(plain=-1) -%}
{%- for message in messages -%}
  {%- if message.role == 'assistant' and not message.tool_calls -%}
    {%- set mark.plain = loop.index0 -%}
  {%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
  {%- set name = message.name if message.name else message.role -%}
  {%- if message.role == 'assistant' -%}
    {{- '<|im_assistant|>' ~ name ~ '<|im_middle|><think>' -}}
    {%- if (keep or loop.index0 > mark.plain) and message.reasoning_content -%}
      {{- message.reasoning_content -}}
    {%- endif -%}
    {{- '</think>' ~ (message.content or '') -}}
    {%- if message.tool_calls -%}
      {{- '<|tool_calls_section_begin|>' -}}
      {%- for call in message.tool_calls -%}
        {{- '<|tool_call_begin|>' ~ call.id ~ '<|tool_call_argument_begin|>' -}}
        {{- call.function.arguments if call.function.arguments is string else (call.function.arguments | tojson) -}}
        {{- '<|tool_call_end|>' -}}
      {%- endfor -%}
      {{- '<|tool_calls_section_end|>' -}}
    {%- endif -%}
  {%- elif message.role == 'tool' -%}
    {{- '<|im_system|>' ~ name ~ '<|im_middle|>## Return of ' ~ message.tool_call_id ~ '\n' ~ message.content -}}
  {%- else -%}
    {{- '<|im_' ~ message.role ~ '|>' ~ name ~ '<|im_middle|>' -}}
    {%- if message.content is string -%}
      {{- message.content -}}
    {%- else -%}
      {%- for part in message.content -%}{{- part.text -}}{%- endfor -%}
    {%- endif -%}
  {%- endif -%}
  {{- '<|im_end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_assistant|>assistant<|im_middle|><think>' -}}
  {%- if not open -%}{{- '</think>' -}}{%- endif -%}
{%- endif -%}
)jinja";

constexpr std::string_view kChatMlTemplate = R"jinja(
{%- if tools -%}
  {{- '<|im_start|>system\n' -}}
  {%- if messages and messages[0].role == 'system' -%}{{- messages[0].content ~ '\n\n' -}}{%- endif -%}
  {{- 'Functions you may call, one JSON object a line:\n<tools>' -}}
  {%- for tool in tools -%}{{- '\n' ~ (tool | tojson) -}}{%- endfor -%}
  {{- '\n</tools>\nAnswer a call as <tool_call>{"name": ..., "arguments": ...}</tool_call>.<|im_end|>\n' -}}
{%- elif messages and messages[0].role == 'system' -%}
  {{- '<|im_start|>system\n' ~ messages[0].content ~ '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'user' -%}
    {{- '<|im_start|>user\n' ~ message.content ~ '<|im_end|>\n' -}}
  {%- elif message.role == 'tool' -%}
    {{- '<|im_start|>user\n<tool_response>\n' ~ message.content ~ '\n</tool_response><|im_end|>\n' -}}
  {%- elif message.role == 'assistant' -%}
    {{- '<|im_start|>assistant\n' ~ (message.content or '') -}}
    {%- for call in message.tool_calls or [] -%}
      {{- '\n<tool_call>\n{"name": "' ~ call.function.name ~ '", "arguments": ' -}}
      {{- call.function.arguments if call.function.arguments is string else (call.function.arguments | tojson) -}}
      {{- '}\n</tool_call>' -}}
    {%- endfor -%}
    {{- '<|im_end|>\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
  {%- if enable_thinking is defined and not enable_thinking -%}{{- '<think>\n\n</think>\n\n' -}}{%- endif -%}
{%- endif -%}
)jinja";

constexpr std::string_view kLlama3Template = R"jinja(
{{- bos_token -}}
{%- for message in messages -%}
  {%- set role = 'ipython' if message.role == 'tool' else message.role -%}
  {{- '<|start_header_id|>' ~ role ~ '<|end_header_id|>\n\n' ~ (message.content or '') -}}
  {%- for call in message.tool_calls or [] -%}
    {{- '{"name": "' ~ call.function.name ~ '", "parameters": ' -}}
    {{- call.function.arguments if call.function.arguments is string else (call.function.arguments | tojson) -}}
    {{- '}' -}}
  {%- endfor -%}
  {{- '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%}
)jinja";

}  // namespace

std::string_view chat_template_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kimi: return kKimiTemplate.substr(1);
    case Architecture::qwen3moe:
    case Architecture::gpt_oss:
    case Architecture::qwen35moe: return kChatMlTemplate.substr(1);
    case Architecture::llama: return kLlama3Template.substr(1);
  }
  CHECK(false);
}

}  // namespace hearth::engine
